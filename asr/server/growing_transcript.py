"""`GrowingTranscript`: a transcription whose text is read while it is found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.requests import Request

from asr.results import Transcript
from asr.server.admission import unless_disconnected


class GrowingTranscript:
    """A transcription in progress.

    Args:
        request: the request for it.
        transcribe: starts it; its argument is to be called with the text so far, in any thread.
    """

    def __init__(
        self,
        request: Request,
        transcribe: Callable[[Callable[[str], object]], Awaitable[Transcript]],
    ) -> None:
        loop = asyncio.get_running_loop()
        self._request = request
        self._first: str | None = None
        self._texts: asyncio.Queue[str | None] = asyncio.Queue()

        def take(text: str) -> None:
            loop.call_soon_threadsafe(self._texts.put_nowait, text)

        self._task = asyncio.ensure_future(transcribe(take))
        self._task.add_done_callback(lambda _: self._texts.put_nowait(None))

    async def begin(self) -> None:
        """Wait for the first text, or the end.

        Raises:
            AsrError: the recording cannot be transcribed. A response has not begun, so that it can
                have the error's status.
            ClientDisconnect: the client has gone.
        """
        try:
            self._first = await unless_disconnected(self._request, self._texts.get())
            if self._first is None:
                self._task.result()
        except BaseException:
            self.cancel()
            raise

    async def texts(self) -> AsyncIterator[str]:
        """The text after each window, until the transcription ends; needs `begin`."""
        text = self._first
        while text is not None:
            yield text
            text = await self._texts.get()

    def result(self) -> Transcript:
        """The transcript, after the last of `texts`.

        Raises:
            AsrError: the rest of the recording cannot be transcribed.
        """
        return self._task.result()

    def cancel(self) -> None:
        """Drop the transcription, unless it is done."""
        self._task.cancel()
