"""Which requests are let in: `Slots` count them, `AdmittedRoute` answers or refuses them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from asr.base.units import Seconds
from asr.server.api_errors import busy

T = TypeVar("T")


class Slots:
    """Places for requests that are in progress at once.

    Args:
        limit: number of places.
        name: what takes a place, in the plural, for messages.

    Attributes:
        used: places that are taken.
    """

    def __init__(self, limit: int, name: str) -> None:
        self.limit, self.name, self.used = limit, name, 0

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Take a place for the block.

        Raises:
            ApiError: all places are taken.
        """
        if self.used >= self.limit:
            raise busy(f"{self.limit} {self.name} are in progress, the limit; try again later")
        self.used += 1
        try:
            yield
        finally:
            self.used -= 1


class AdmittedRoute:
    """An ASGI application for one route that takes a place and has a time limit.

    The place is held until the last byte of the response, and given back whatever happens.

    Args:
        slots: the places.
        endpoint: request → response.
        timeout: seconds from the first byte of the request to the last of the response.
    """

    def __init__(
        self, slots: Slots, endpoint: Callable[[Request], Awaitable[Response]], timeout: Seconds
    ) -> None:
        self.slots, self.endpoint, self.timeout = slots, endpoint, timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        started = False

        async def note_start(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        with self.slots.enter():
            try:
                async with asyncio.timeout(self.timeout):
                    response = await self.endpoint(request)
                    await response(scope, receive, note_start)
            except ClientDisconnect:
                return  # nobody reads an answer
            except TimeoutError:
                if started:
                    raise  # the server closes the connection
                raise busy(
                    f"the request took more than {self.timeout:g} s, the limit; send less audio or "
                    "text, or try again later"
                ) from None
            finally:
                await request.close()


async def unless_disconnected(request: Request, work: Awaitable[T]) -> T:
    """Wait for work on a request, and cancel it when the client goes.

    Args:
        request: the request, whose body has been read.
        work: the work.

    Raises:
        ClientDisconnect: the client has gone.
    """
    task = asyncio.ensure_future(work)
    watcher = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({task, watcher}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        watcher.cancel()
        task.cancel()
        await asyncio.wait({task, watcher})


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
