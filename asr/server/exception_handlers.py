"""What the applications answer when a route raises an exception."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from asr.errors import AsrError
from asr.server.api_errors import ApiError, as_api_error
from asr.server.monitoring import log


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, AsrError)
    return as_api_error(error).response()


async def _refuse_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return ApiError(error.status_code, error.detail, headers=error.headers).response()


async def _report(request: Request, error: Exception) -> Response:
    """An unexpected error: its place goes to the log, and nothing of it to the client."""
    log.error("unexpected error", exc_info=error)
    return ApiError(500, "unexpected error in the server; its log has the place").response()


EXCEPTION_HANDLERS: dict[int | type[Exception], ExceptionHandler] = {
    AsrError: _refuse,
    HTTPException: _refuse_http,
    Exception: _report,
}
"""Class of an exception → function that makes the response."""
