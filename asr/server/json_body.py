"""Reading a JSON object from a request that may hold anything."""

from __future__ import annotations

import json
import math
from typing import Any

from starlette.requests import Request

from asr.server.api_errors import ApiError

MAX_BODY = 256_000
"""Bytes of a JSON body at most."""


async def read_json_object(request: Request) -> dict[str, Any]:
    """The JSON object of a request.

    Raises:
        ApiError: the body is too large, or is no JSON object.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY:
            raise ApiError(
                413, f"the body is larger than {MAX_BODY // 1000} kB", code="request_too_large"
            )
    try:
        values = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):  # ValueError: no JSON, or no UTF-8
        raise ApiError(400, "the body must be a JSON object in UTF-8") from None
    if not isinstance(values, dict):
        raise ApiError(400, "the body must be a JSON object")
    return values


def text_value(values: dict[str, Any], key: str, default: str | None = None) -> str:
    """A text in a JSON object; None as default for a key that is required.

    Raises:
        ApiError: the value is missing or no text.
    """
    value = values.get(key)
    if value is None:
        value = default
    if not isinstance(value, str):
        raise ApiError(400, f"{key}: a text is needed", param=key)
    # A lone surrogate, which JSON can hold, is no character.
    return value.encode("utf-8", "replace").decode("utf-8")


def number_value(
    values: dict[str, Any], key: str, default: float, low: float, high: float
) -> float:
    """A number in a JSON object.

    Raises:
        ApiError: the value is no number, or out of range.
    """
    value = values.get(key)
    if value is None:
        return default
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not low <= value <= high:
        raise ApiError(400, f"{key}: a number from {low:g} to {high:g} is needed", param=key)
    return float(value)
