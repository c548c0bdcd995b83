"""Errors of requests, in the shape of OpenAI's API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from asr.errors import AsrError, WorkerError

RETRY_AFTER = 2
"""Seconds after which a refused client may try again."""


class ApiError(AsrError):
    """A request is refused; the message says why, and what to send instead.

    Args:
        status: HTTP status.
        message: for the client.
        param: field of the request that is wrong; None for none.
        code: short name of the error; None for none.
        headers: headers of the response.
    """

    def __init__(
        self,
        status: int,
        message: str,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.param, self.code, self.headers = status, param, code, headers

    @property
    def body(self) -> dict[str, Any]:
        """The JSON object that describes the error."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        return {
            "error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}
        }

    def response(self) -> Response:
        """The response to the request."""
        # ASCII, because a message may quote characters that UTF-8 cannot encode.
        content = json.dumps(self.body)
        return Response(content, self.status, self.headers, media_type="application/json")


def busy(message: str) -> ApiError:
    """The error of a request that may succeed later."""
    return ApiError(503, message, code="server_busy", headers={"Retry-After": str(RETRY_AFTER)})


def as_api_error(error: AsrError) -> ApiError:
    """The error of a request that failed with an error of the library."""
    if isinstance(error, WorkerError):
        return busy(str(error))
    return error if isinstance(error, ApiError) else ApiError(400, str(error))
