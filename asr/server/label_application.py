"""`create_label_app`: the ASGI application of `asr label`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware

from asr.labelling.heard_texts import HeardTexts
from asr.labelling.label_session import LabelSession
from asr.server.batching_engine import BatchingEngine
from asr.server.exception_handlers import EXCEPTION_HANDLERS
from asr.server.guard import Guard
from asr.server.label_filler import LabelFiller
from asr.server.label_routes import label_routes
from asr.server.monitoring import log
from asr.server.settings import ServerSettings
from asr.server.static_files import file_routes, page_files

PAGE = "label.html"


def create_label_app(
    settings: ServerSettings, session: LabelSession, engine: BatchingEngine, cache: HeardTexts
) -> Starlette:
    """Make the application.

    With its lifespan, it starts and closes the engine, and transcribes what the cache lacks.

    Args:
        settings: access and limits.
        session: recordings and labels.
        engine: the engine, not started.
        cache: texts of earlier calls.
    """
    filler = LabelFiller(session, engine, cache, settings.workers, settings.worker_memory)
    page = page_files(PAGE)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await asyncio.to_thread(filler.start)
        filling = asyncio.create_task(filler.run())
        filling.add_done_callback(_report)
        try:
            yield
        finally:
            filling.cancel()
            await asyncio.wait({filling})
            await asyncio.to_thread(filler.close)

    return Starlette(
        routes=[*label_routes(session, filler), *file_routes(page)],
        middleware=[Middleware(Guard, settings=settings, open_paths=page.keys())],
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=lifespan,
    )


def _report(filling: asyncio.Task[None]) -> None:
    """Say in the log that the transcription ended by an unexpected error."""
    if not filling.cancelled() and (error := filling.exception()) is not None:
        log.error("the transcription in the background ended", exc_info=error)
