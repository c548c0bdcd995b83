"""One exported recogniser for all tests of serving: an export takes seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from asr.recognizer import Recognizer
from asr.serving.savedmodel import export_recognizer


@pytest.fixture(scope="session")
def tiny_folder(tiny: Recognizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Model directory of the recogniser `tiny`, with the float32 weights that it has in memory."""
    folder = tmp_path_factory.mktemp("serving") / "tiny"
    tiny.save(folder, "# tiny\n", half=False)
    return folder


@pytest.fixture(scope="session")
def exported(tiny_folder: Path) -> Path:
    """SavedModel of `tiny`, version 1. Tests must not add versions."""
    return export_recognizer(str(tiny_folder), tiny_folder.parent / "served")
