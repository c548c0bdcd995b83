"""`Guard`: the ASGI middleware that every request passes first.

It refuses requests of strangers, limits bodies and waiting times, and adds security headers.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import time
from collections.abc import Collection, Iterator
from contextlib import suppress

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from asr.server.api_errors import ApiError
from asr.server.settings import ServerSettings

OPEN_PATHS = ("/health",)
"""Paths that need no key."""
KEY_PROTOCOL = "asr.key."
"""Beginning of the name of a subprotocol whose rest is a key in base64url. Web pages offer it with
a WebSocket, because browsers send no header of theirs."""
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""Headers of every response; a route may set others, such as the policy of a page."""
LINGER = 5.0
"""Seconds in which the rest of a refused request is read. Otherwise the client would see a broken
connection instead of the refusal."""
LINGER_BYTES = 64_000_000
"""Bytes of the rest of a refused request that are read at most."""


class Guard:
    """Middleware that checks every request before the routes see it.

    Args:
        app: the routes.
        settings: key and limits.
        open_paths: paths that need no key, such as the files of a page. WebSockets always do.
    """

    def __init__(
        self, app: ASGIApp, settings: ServerSettings, open_paths: Collection[str] = ()
    ) -> None:
        self.app, self.settings = app, settings
        self.open_paths = {*OPEN_PATHS, *open_paths}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            try:
                self._check_access(scope)
            except ApiError as error:
                await error.response()(scope, receive, send)
                return
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self.settings)
        try:
            self._check_access(scope)
            exchange.check_length()
        except ApiError as error:
            await error.response()(scope, exchange.receive, exchange.send)
            return
        await self.app(scope, exchange.receive, exchange.send)

    def _check_access(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        origin = headers.get("origin")
        own = (f"http://{host}".lower(), f"https://{host}".lower())
        if origin is not None and origin.lower() not in own:
            # A page of another site may send requests to this machine, but must not use it.
            raise ApiError(
                403,
                f"requests from pages of {origin[:100]} are not allowed",
                code="cross_origin",
            )
        key = self.settings.api_key
        if key is None:
            # A name that a stranger's DNS server points to this machine is not its own name.
            if _without_port(host) not in ("localhost", "127.0.0.1", "[::1]", self.settings.host):
                raise ApiError(
                    403,
                    f"host {host[:100]!r}: a server without a key answers to localhost only",
                    code="wrong_host",
                )
            return
        if scope["type"] == "http" and scope["path"] in self.open_paths:
            return
        if not any(hmac.compare_digest(given, key.encode()) for given in _given_keys(scope)):
            raise ApiError(
                401,
                "a key is needed: send the header Authorization: Bearer KEY",
                code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )


class _Exchange:
    """The messages of one HTTP request, limited in size and time."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, settings: ServerSettings
    ) -> None:
        self.headers = Headers(scope=scope)
        self._receive, self._send, self._settings = receive, send, settings
        self._read, self._complete = 0, False

    def check_length(self) -> None:
        """Check the length that the client announces.

        Raises:
            ApiError: it is above the limit.
        """
        length = self.headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._settings.max_upload:
            raise self._too_large()

    async def receive(self) -> Message:
        """The next message of the client; after its whole request, wait for it to go."""
        if self._complete:
            return await self._receive()
        try:
            async with asyncio.timeout(self._settings.idle_timeout):
                message = await self._receive()
        except TimeoutError:
            self._complete = True
            raise ApiError(
                408, f"no data for {self._settings.idle_timeout:g} s", code="request_timeout"
            ) from None
        self._note(message)
        if self._read > self._settings.max_upload:
            raise self._too_large()
        return message

    async def send(self, message: Message) -> None:
        """Send a message, with the security headers."""
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            if not self._complete:
                await self._linger()
        async with asyncio.timeout(self._settings.idle_timeout):
            await self._send(message)

    async def _linger(self) -> None:
        """Read the rest of a request that is answered early."""
        if not self._read and self.headers.get("expect", "").lower() == "100-continue":
            return  # the client waits for the answer before it sends its data
        end, most = time.monotonic() + LINGER, self._read + LINGER_BYTES
        while not self._complete and self._read < most:
            try:
                async with asyncio.timeout(end - time.monotonic()):
                    self._note(await self._receive())
            except TimeoutError:
                return

    def _note(self, message: Message) -> None:
        if message["type"] == "http.request":
            self._read += len(message.get("body", b""))
            self._complete = not message.get("more_body", False)
        else:
            self._complete = True

    def _too_large(self) -> ApiError:
        limit = self._settings.max_upload
        return ApiError(
            413,
            f"the request is larger than {limit / 1e6:g} MB, the limit of this server",
            code="request_too_large",
        )


def _given_keys(scope: Scope) -> Iterator[bytes]:
    """The keys that a client sends, by a header or a subprotocol."""
    scheme, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        yield given.strip().encode("utf-8", "replace")
    for name in scope.get("subprotocols", ()):
        if name.startswith(KEY_PROTOCOL):
            encoded = name.removeprefix(KEY_PROTOCOL)
            with suppress(ValueError):
                yield base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()
