"""The shipped models, a folder each, and finding any model by name or directory."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path

from asr.errors import ModelError

MODELS = Path(__file__).parent
NUMBER_WRITER = "en-written"
"""What `asr transcribe --written` writes numbers by."""


def find_model(model: str | PathLike[str]) -> Path:
    """The directory of a model given by shipped name or path.

    Raises:
        ModelError: neither; the message lists the shipped names.
    """
    for folder in (Path(model), MODELS / fspath(model)):
        if (folder / "model.json").is_file():
            return folder
    shipped = ", ".join(sorted(p.parent.name for p in MODELS.glob("*/model.json"))) or "none"
    raise ModelError(f"{fspath(model)}: no model directory (no model.json) and no shipped model "
                     f"of this name; shipped: {shipped}")  # fmt: skip
