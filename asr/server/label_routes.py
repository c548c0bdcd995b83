"""The requests of the page of `asr label`."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any, Literal, get_args

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from asr.errors import OutputError, explain
from asr.labelling.label_session import (
    LONGEST_TEXT,
    LabelSession,
    UnknownRecording,
    UnusableText,
)
from asr.labelling.label_store import StaleLabel
from asr.server.api_errors import ApiError
from asr.server.json_body import number_value, read_json_object, text_value
from asr.server.label_filler import LabelFiller

Way = Literal["next", "previous", "this"]
LONGEST_NAME = 100
"""Characters of an id or of the name of a page at most."""


def label_routes(session: LabelSession, filler: LabelFiller) -> list[Route]:
    """The routes. Recordings are named by ids; no request holds a path.

    Args:
        session: recordings and labels.
        filler: makes WAV files.
    """

    async def state(request: Request) -> Response:
        return JSONResponse(await asyncio.to_thread(session.state))

    async def errors(request: Request) -> Response:
        found = await asyncio.to_thread(session.errors)
        return JSONResponse({"errors": None if found is None else asdict(found)})

    async def labelled(request: Request) -> Response:
        last = session.last_labelled()
        return JSONResponse({"labelled": [{"id": id, "revision": n} for id, n in last]})

    async def open_recording(request: Request) -> Response:
        values = await read_json_object(request)
        way = text_value(values, "way")
        if way not in get_args(Way):
            raise ApiError(400, f"way: one of {', '.join(get_args(Way))} is needed", param="way")
        page, id = _name(values, "page"), _name(values, "id", "") or None
        try:
            card = await asyncio.to_thread(session.open, page, way, id)  # type: ignore[arg-type]
        except UnknownRecording as error:
            raise _unknown(error) from None
        return JSONResponse({"recording": None if card is None else card.to_dict()})

    async def save(request: Request) -> Response:
        values = await read_json_object(request)
        id, revision = _name(values, "id"), _revision(values)
        text = _text(values, "text")
        unusable = None if values.get("unusable") is None else _text(values, "unusable")
        return await _change(session, id, lambda: session.save(id, revision, text, unusable))

    async def undo(request: Request) -> Response:
        values = await read_json_object(request)
        id, revision = _name(values, "id"), _revision(values)
        return await _change(session, id, lambda: session.undo(id, revision))

    async def check(request: Request) -> Response:
        values = await read_json_object(request)
        text = _text(values, "text")
        try:
            problem = session.problem(_name(values, "id"), text)
        except UnknownRecording as error:
            raise _unknown(error) from None
        if problem is None:
            return JSONResponse({"problem": None})
        characters = session.unwritable(text)
        return JSONResponse({"problem": {**problem._asdict(), "characters": characters}})

    async def audio(request: Request) -> Response:
        try:
            path = await filler.wav(request.path_params["id"])
        except UnknownRecording as error:
            raise _unknown(error) from None
        return FileResponse(path, media_type="audio/wav")

    return [
        Route("/label/state", state),
        Route("/label/errors", errors),
        Route("/label/labelled", labelled),
        Route("/label/open", open_recording, methods=["POST"]),
        Route("/label/save", save, methods=["POST"]),
        Route("/label/undo", undo, methods=["POST"]),
        Route("/label/check", check, methods=["POST"]),
        Route("/label/recordings/{id}/audio", audio),
    ]


async def _change(session: LabelSession, id: str, change: Any) -> Response:
    """Run a change of a label, and answer with the recording, the progress and a milestone."""
    try:
        card = await asyncio.to_thread(change)
    except StaleLabel as error:
        body = ApiError(409, str(error), code="stale").body
        return JSONResponse({**body, "recording": session.card(id).to_dict()}, 409)
    except UnusableText as error:
        body = ApiError(422, str(error), param="text", code=f"text_{error.problem.kind}").body
        return JSONResponse(body, 422)
    except UnknownRecording as error:
        raise _unknown(error) from None
    except (OSError, OutputError) as error:
        raise ApiError(507, explain(error), code="not_saved") from None
    progress = await asyncio.to_thread(session.progress)
    milestone = await asyncio.to_thread(session.milestone)
    return JSONResponse(
        {
            "recording": card.to_dict(),
            "progress": asdict(progress),
            "milestone": None if milestone is None else asdict(milestone),
        }
    )


def _unknown(error: UnknownRecording) -> ApiError:
    return ApiError(404, str(error), param="id", code="unknown_recording")


def _name(values: dict[str, Any], key: str, default: str | None = None) -> str:
    name = text_value(values, key, default)
    if len(name) > LONGEST_NAME:
        raise ApiError(400, f"{key}: longer than {LONGEST_NAME} characters", param=key)
    return name


def _text(values: dict[str, Any], key: str) -> str:
    text = text_value(values, key)
    if len(text) > LONGEST_TEXT:
        raise ApiError(400, f"{key}: longer than {LONGEST_TEXT} characters", param=key)
    return text


def _revision(values: dict[str, Any]) -> int:
    """The revision that the page saw; it is required, so that nothing is overwritten unseen."""
    if values.get("revision") is None:
        raise ApiError(400, "revision: a number is needed", param="revision")
    return round(number_value(values, "revision", 0, 0, 2**53))
