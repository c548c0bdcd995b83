"""The files that deploy `asr serve` name options that exist, and agree with each other."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import typer
import yaml

from asr.cli.app import app

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "serving"


def options_exist(words: list[str]) -> bool:
    command = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined]
    known = {option for parameter in command.params for option in parameter.opts}
    return {word for word in words if word.startswith("--")} <= known


def test_the_image_starts_the_server_as_another_user() -> None:
    lines = (FOLDER / "Dockerfile").read_text().splitlines()
    entry, command = (
        json.loads(next(line for line in lines if line.startswith(key)).partition(" ")[2])
        for key in ("ENTRYPOINT", "CMD")
    )
    assert entry[:2] == ["asr", "serve"]
    assert options_exist(entry[2:] + command)
    assert lines.index("USER asr") < next(i for i, li in enumerate(lines) if li.startswith("ENTRY"))


def test_the_image_gets_all_that_the_wheel_is_built_from() -> None:
    kept = re.findall("^!(.*)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert set(kept) == {"pyproject.toml", "README.md", "LICENSE", "asr"}
    assert all((ROOT / name).exists() for name in kept)


def test_the_compose_file_builds_the_image_and_is_read_only() -> None:
    service = yaml.safe_load((FOLDER / "serve-compose.yaml").read_text())["services"]["asr"]
    context = FOLDER / service["build"]["context"]
    assert (context / service["build"]["dockerfile"]).resolve() == FOLDER / "Dockerfile"
    assert service["read_only"] is True
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_the_unit_starts_the_server_with_options_that_exist() -> None:
    text = (FOLDER / "asr-serve.service").read_text()
    words = shlex.split(re.findall("^ExecStart=(.*)$", text, re.MULTILINE)[0])
    assert words[0].endswith("/asr") and words[1] == "serve"
    assert options_exist(words)
