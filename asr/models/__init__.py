"""The shipped models, one folder each, and functions that find and describe models.

May import `asr.base` and below.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path

from asr.errors import ModelError, reason

MODELS = Path(__file__).parent
DEFAULT_MODEL = "en-base"
"""The shipped recogniser that transcribes where no other is named."""
NUMBER_WRITER = "en-written"
"""The shipped converter that `asr transcribe --written` uses."""
KINDS = {
    "": "recogniser, for asr transcribe",
    "voice": "voice, for asr speak",
    "language": "recurrent language model, for --rnn-lm",
    "converter": "converter, such as from spelling to phones",
}
"""Kinds of models, by the key that only the `model.json` of this kind has; "" for recognisers."""


@dataclass(frozen=True)
class ShippedModel:
    """What `asr models` prints about a model.

    Attributes:
        name: name of its folder, which every command takes.
        kind: what it does, from `KINDS`.
        language: BCP 47 tag, from the front matter of its card (README.md).
        licence: licences of the weights and the files beside them, from the same place.
        bytes: size of all its files.
    """

    name: str
    kind: str
    language: str
    licence: str
    bytes: int


def find_model(model: str | PathLike[str]) -> Path:
    """The directory of a model given by shipped name or path.

    Raises:
        ModelError: it is neither; the message lists the shipped names.
    """
    for folder in (Path(model), MODELS / fspath(model)):
        if (folder / "model.json").is_file():
            return folder
    shipped = ", ".join(folder.name for folder in _shipped_folders()) or "none"
    raise ModelError(
        f"{fspath(model)}: no model directory (it has no model.json) and no shipped model of this "
        f"name; shipped: {shipped}"
    )


def kind_key(keys: Collection[str]) -> str:
    """The key of `KINDS` that the keys of a `model.json` contain."""
    return next((key for key in KINDS if key and key in keys), "")


def shipped_models() -> list[ShippedModel]:
    """The shipped models in alphabetical order.

    Raises:
        ModelError: a model.json or a card cannot be read.
    """
    return [_describe(folder) for folder in _shipped_folders()]


def _shipped_folders() -> list[Path]:
    return sorted(path.parent for path in MODELS.glob("*/model.json"))


def _describe(folder: Path) -> ShippedModel:
    path = folder / "model.json"
    try:
        keys = json.loads(path.read_text(encoding="utf-8"))
        path = folder / "README.md"
        facts = _front_matter(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read: {reason(error)}") from None
    for key in ("language", "licence"):
        if not facts.get(key):
            raise ModelError(f"{path}: its front matter has no {key}")
    return ShippedModel(
        folder.name,
        KINDS[kind_key(keys)],
        facts["language"],
        facts["licence"],
        sum(file.stat().st_size for file in folder.iterdir() if file.is_file()),
    )


def _front_matter(text: str) -> dict[str, str]:
    """The `key: value` lines between the first two `---` of a card; values are plain strings."""
    if not text.startswith("---\n"):
        return {}
    lines = text.removeprefix("---\n").partition("\n---\n")[0].splitlines()
    pairs = (line.partition(":") for line in lines)
    return {key.strip(): value.strip() for key, _, value in pairs}
