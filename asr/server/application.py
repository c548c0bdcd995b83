"""`create_app`: the ASGI application of `asr serve`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route, WebSocketRoute

from asr.server.batching_engine import BatchingEngine
from asr.server.exception_handlers import EXCEPTION_HANDLERS
from asr.server.guard import Guard
from asr.server.monitoring import Monitor, MonitoredApp
from asr.server.openai_routes import openai_routes
from asr.server.page_routes import page_routes
from asr.server.settings import ServerSettings
from asr.server.speech_routes import speech_routes
from asr.server.speech_to_text import SpeechToText
from asr.server.static_files import file_routes, page_files
from asr.server.text_to_speech import make_text_to_speech
from asr.server.vosk_routes import vosk_routes


def create_app(settings: ServerSettings, engine: BatchingEngine) -> Starlette:
    """Make the application.

    It starts and closes the engine with its lifespan. A route module takes what it needs and
    returns its routes.

    Args:
        settings: limits and access.
        engine: the engine, not started.

    Raises:
        ModelError: there is no such voice.
    """
    monitor = Monitor()
    engine.on_batch = monitor.batch
    speech_to_text = SpeechToText(settings, engine)
    text_to_speech = make_text_to_speech(settings)
    voices = [] if text_to_speech is None else [text_to_speech.name]
    routes: list[BaseRoute] = [*monitor.endpoints(), *openai_routes(speech_to_text, voices)]
    if text_to_speech is not None:
        routes += speech_routes(settings, text_to_speech)
    routes += vosk_routes(speech_to_text)
    page = page_files("index.html")
    routes += [*page_routes(speech_to_text, text_to_speech), *file_routes(page)]
    monitor.routes = {route.path for route in routes if isinstance(route, (Route, WebSocketRoute))}
    monitor.gauge("asr_waiting_windows", "Windows that wait for the network").set_function(
        lambda: engine.waiting
    )
    monitor.gauge("asr_recordings", "Recordings that are not finished").set_function(
        lambda: engine.jobs
    )
    monitor.gauge("asr_worker_restarts", "Worker processes that were replaced").set_function(
        lambda: speech_to_text.pool.restarts
    )

    wyoming = None
    if settings.wyoming_port is not None:
        # Here, because the package wyoming is optional.
        from asr.server.wyoming_server import WyomingServer

        wyoming = WyomingServer(settings, speech_to_text, text_to_speech, monitor)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await asyncio.to_thread(speech_to_text.start)
        try:
            if wyoming is not None:
                await wyoming.start()
                app.state.wyoming_port = wyoming.port
            yield
        finally:
            if wyoming is not None:
                await wyoming.close()
            await asyncio.to_thread(speech_to_text.close)
            if text_to_speech is not None:
                await asyncio.to_thread(text_to_speech.close)

    return Starlette(
        routes=routes,
        middleware=[
            Middleware(MonitoredApp, monitor=monitor),
            Middleware(Guard, settings=settings, open_paths=page.keys()),
        ],
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=lifespan,
    )
