"""The layout of asr/: a newcomer guesses the file of a behaviour, and no name means two things."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

ASR = Path(__file__).parents[1] / "asr"
MODULES = sorted(ASR.rglob("*.py"))
FOLDERS = sorted(path.parent for path in ASR.glob("*/__init__.py"))


def test_few_modules_stand_at_the_top() -> None:
    assert len(list(ASR.glob("*.py"))) <= 8


def test_no_file_name_is_used_twice() -> None:
    places = defaultdict(list)
    for path in MODULES:
        places[path.name].append(str(path.relative_to(ASR)))
    assert {name: found for name, found in places.items() if len(found) > 1} == {
        "__init__.py": places["__init__.py"]
    }


def test_no_public_class_name_is_used_twice() -> None:
    places = defaultdict(list)
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path.relative_to(ASR)))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_every_folder_says_what_lives_in_it(folder: Path) -> None:
    docstring = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
    assert docstring and ("may import" in docstring.lower())


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ASR)))
def test_no_module_imports_a_private_name(path: Path) -> None:
    private = [
        f"{node.module}.{name.name}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("asr")
        for name in node.names
        if name.name.startswith("_") and not name.name.startswith("__")
    ]
    assert private == []
