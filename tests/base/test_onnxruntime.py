"""Nothing about the user or their models leaves the machine, and no identifier is kept on it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUPPRESSES = ("CI", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS")
"""Variables with which ONNX Runtime keeps quiet by itself, but not on a user's machine."""


def files_left_by(code: str, home: Path, **variables: str) -> list[Path]:
    """The files that a Python program leaves in its home directory."""
    environment = {k: v for k, v in os.environ.items() if k not in SUPPRESSES}
    environment |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), **variables}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=ROOT)
    return sorted(path for path in home.rglob("*") if path.is_file())


def test_transcribing_keeps_no_device_identifier(tmp_path: Path) -> None:
    code = "import asr; asr.Recognizer.load('en-small').transcribe('tests/fixtures/goforward.wav')"
    assert files_left_by(code, tmp_path) == []


@pytest.mark.parametrize(("asked", "expected"), [({}, "1"), ({"ORT_DISABLE_TELEMETRY": "0"}, "0")])
def test_telemetry_is_off_unless_the_user_wants_it(
    tmp_path: Path, asked: dict[str, str], expected: str
) -> None:
    code = (
        "import os, asr.base.onnxruntime; "
        f"assert os.environ['ORT_DISABLE_TELEMETRY'] == '{expected}'"
    )
    files_left_by(code, tmp_path, **asked)


def test_no_module_imports_it_first() -> None:
    direct = re.compile(r"^\s*(?:import|from) onnxruntime\b", re.MULTILINE)
    found = []
    for folder in ("asr", "benchmarks", "pipelines", "tests"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            if direct.search(text) and "from asr.base.onnxruntime import" not in text:
                found.append(path.relative_to(ROOT).as_posix())
    assert found == ["asr/base/onnxruntime.py"]
