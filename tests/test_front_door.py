"""The public names of the package `asr`."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module, metadata
from pathlib import Path

import pytest

import asr
from asr.base.extras import DISTRIBUTION

SOURCE = Path(asr.__file__)
PUBLIC = sorted(set(asr.__all__) - {"__version__"})


def type_checking_imports() -> dict[str, str]:
    """Name → module of the imports for type checkers in asr/__init__.py."""
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    (block,) = (
        node
        for node in tree.body
        if isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )
    found = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom) and node.module is not None
        for alias in node.names:
            assert alias.name == alias.asname  # mypy re-exports `name as name` only
            found[alias.name] = node.module
    return found


def runtime_table() -> dict[str, str]:
    """Name → module of the imports at run time in asr/__init__.py."""
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    (value,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id == "_HOME"
    )
    return ast.literal_eval(value)


def test_type_checkers_see_the_runtime_names() -> None:
    assert type_checking_imports() == runtime_table()
    assert sorted(runtime_table()) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_public_name_is_the_object_of_its_module(name: str) -> None:
    assert getattr(asr, name) is getattr(import_module(runtime_table()[name]), name)


def test_import_is_light() -> None:
    heavy = ("tensorflow", "keras", "matplotlib", "rich", "numpy", "typer", "pydantic")
    code = f"import asr, sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_version_is_the_installed_one() -> None:
    try:
        installed = metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        pytest.skip(f"{DISTRIBUTION} is not installed; asr comes from the source tree")
    assert asr.__version__ == installed


def test_dir_lists_the_public_names() -> None:
    assert dir(asr) == sorted(asr.__all__)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Recogniser"):
        asr.Recogniser  # noqa: B018


@pytest.mark.slow
def test_mypy_knows_the_type_of_a_transcript(tmp_path: Path) -> None:
    from mypy import api

    snippet = tmp_path / "snippet.py"
    snippet.write_text(
        "from asr import Recognizer\n"
        'reveal_type(Recognizer.load("x").transcribe("a.wav").text)\n'
        'reveal_type(Recognizer.load("x").transcribe(["a.wav"]))\n'
    )
    out, errors, status = api.run(
        ["--ignore-missing-imports", "--follow-imports=silent", str(snippet)]
    )
    assert status == 0, out + errors
    assert 'Revealed type is "str"' in out or 'Revealed type is "builtins.str"' in out
    assert "list[" in out.splitlines()[1] and "Failure" in out.splitlines()[1]
