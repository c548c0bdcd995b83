"""`serve`: run the application with uvicorn until Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import h11
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from asr.base.units import Seconds
from asr.errors import ServerError, reason
from asr.server.settings import ServerSettings

HEADER_TIMEOUT: Seconds = 10.0
"""Time that a client may take for the headers of a request."""
MAX_CONNECTIONS = 500
"""Connections that are open at once; a further one is answered 503."""
SHUTDOWN: Seconds = 30.0
"""Time that requests in progress have to finish after a signal."""
MAX_MESSAGE = 1 << 20
"""Bytes of a WebSocket message at most."""


class PatientProtocol(H11Protocol):
    """HTTP/1.1 that closes a connection whose client does not finish its headers, or asks for a
    WebSocket in a wrong way."""

    timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        # uvicorn leaves the connection open if the WebSocket's parser refuses the request, such as
        # one that is no GET or has a body: it raises an error, or waits for more headers.
        try:
            super().handle_websocket_upgrade(event)
            understood = getattr(self.transport.get_protocol(), "handshake_initiated", False)
        except Exception:
            understood = False
        if not understood:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.timer is not None:
            self.timer.cancel()

    def _watch(self) -> None:
        """Start the timer if headers are missing; stop it if they are complete."""
        if self.conn.their_state is not h11.IDLE:
            if self.timer is not None:
                self.timer.cancel()
                self.timer = None
        elif self.timer is None:
            self.timer = self.loop.call_later(HEADER_TIMEOUT, self.transport.close)


def listen(settings: ServerSettings) -> socket.socket:
    """Open the socket of a server.

    Raises:
        ServerError: the address is in use, or is not one of this machine.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        opened = socket.create_server(address[:2], family=family, backlog=MAX_CONNECTIONS)
    except OSError as error:
        raise ServerError(
            f"{settings.host}:{settings.port}: cannot listen: {reason(error)}; choose another "
            "--host or --port"
        ) from None
    # Connections inherit it. An answer is written in two parts, and the second one would wait 40 ms
    # for the acknowledgement of the first; asyncio sees to that for sockets of its own only.
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened


def make_server(app: Starlette) -> uvicorn.Server:
    """A uvicorn server for the application; run it with the socket from `listen`."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=PatientProtocol,
            ws="websockets-sansio",
            ws_max_size=MAX_MESSAGE,
            ws_per_message_deflate=False,  # audio does not shrink, and bombs would grow
            loop="asyncio",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # nothing here depends on the client's address
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=int(SHUTDOWN),
        )
    )
