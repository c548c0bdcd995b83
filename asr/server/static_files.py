"""The files of the pages, from the folder page/, with the headers that a page needs."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""Suffix of a file → its media type. Other files are not served."""
FOLDER = "/static/"
"""Path of the files, except the page itself."""
HEADERS = {
    # Scripts, styles and connections of this server only; recordings are played from memory.
    "Content-Security-Policy": "default-src 'self'; media-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    # The browser keeps the files, and asks each time whether they have changed.
    "Cache-Control": "no-cache",
}
"""Headers of every file."""


@dataclass(frozen=True)
class StaticFile:
    """A file that is served from memory.

    Attributes:
        content: its bytes.
        media_type: value of Content-Type.
    """

    content: bytes
    media_type: str

    @property
    def etag(self) -> str:
        """A name of this content."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'

    def response(self, request: Request) -> Response:
        """The file, or 304 if the client has it."""
        headers = {**HEADERS, "ETag": self.etag}
        known = request.headers.get("if-none-match", "").split(",")
        if self.etag in (tag.strip().removeprefix("W/") for tag in known):
            return Response(status_code=304, headers=headers)
        return Response(self.content, headers=headers, media_type=self.media_type)


def page_files(page: str) -> dict[str, StaticFile]:
    """The files of a page.

    Args:
        page: name of its HTML file, such as "index.html".

    Returns:
        Path on the server → file: the page itself at /, all that is no HTML below `FOLDER`.
    """
    found = {}
    for file in files("asr.server").joinpath("page").iterdir():
        suffix = file.name[file.name.rfind(".") :]
        if suffix not in MEDIA_TYPES or (suffix == ".html" and file.name != page):
            continue
        path = "/" if file.name == page else FOLDER + file.name
        found[path] = StaticFile(file.read_bytes(), MEDIA_TYPES[suffix])
    return found


def file_routes(found: Mapping[str, StaticFile]) -> list[Route]:
    """A route for each file of `page_files`."""
    return [Route(path, _endpoint(file)) for path, file in found.items()]


def _endpoint(file: StaticFile) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        return file.response(request)

    return serve
