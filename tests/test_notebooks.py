"""The notebooks run from a clean checkout, follow the rules, and refer to things that exist.

`make test` executes the SHORT notebooks, `make test-notebooks` all.
"""

from __future__ import annotations

import ast
import base64
import re
from importlib import import_module
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

import asr
from asr.base.notebooks import METADATA, execute

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
PAGES = [FOLDER / "README.md", *sorted((ROOT / "asr/models").glob("*/README.md"))]
"""Markdown files whose links and paths are checked like those of the notebooks."""
SHORT = {"00_quickstart", "01_features", "03_ctc"}
"""Notebooks that run in less than 20 s on two cores."""
CELL_LINES = 25
FUNCTIONS, FUNCTION_LINES = 4, 12
"""Limits per notebook: longer code belongs in asr/."""
BYTES = 1_500_000
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
REPOSITORY_PATH = re.compile(r"(?<![\w-])(?:asr|benchmarks|docs|pipelines|tests)/[\w./-]*\w/?")
UPWARD_PATH = re.compile(r"\.\./[\w./-]*\w")
ABSOLUTE_PATH = re.compile(r"[\"'\s](?:/(?:home|Users|root|work|tmp)|~|[A-Z]:\\)[^\"'\s]*")
DOTTED_NAME = re.compile(r"\basr(?:\.[A-Za-z_]\w*)+")


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def committed(request: pytest.FixtureRequest) -> nbformat.NotebookNode:
    return nbformat.read(request.param, as_version=4)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=[] if path.stem in SHORT else pytest.mark.notebook)
        for path in NOTEBOOKS
    ],
)
def test_runs_with_the_stored_kinds_of_output(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "jupyter"))
    files_before = sorted(FOLDER.rglob("*"))
    elsewhere = tmp_path / "elsewhere"  # a notebook runs in any working directory
    elsewhere.mkdir()
    notebook = execute(path, tmp_path, elsewhere)
    assert list(elsewhere.iterdir()) == []
    assert sorted(FOLDER.rglob("*")) == files_before  # a notebook writes to temporary folders only
    kinds = [output_kinds(cell) for cell in code_cells(notebook)]
    stored = [output_kinds(cell) for cell in code_cells(nbformat.read(path, as_version=4))]
    assert kinds == stored, (
        f"outputs are stale: python pipelines/execute_notebooks.py notebooks/{path.name}"
    )


def test_stored_outputs_are_from_one_run_without_errors(committed: nbformat.NotebookNode) -> None:
    nbformat.validate(committed)
    assert committed.metadata == METADATA
    cells = code_cells(committed)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not any(output.output_type == "error" for output in outputs)
    assert not any("execution" in cell.metadata for cell in cells)
    texts = [text for output in outputs for text in plain_texts(output)]
    assert not any("Traceback (most recent call last)" in text for text in texts)
    images = [output.data["image/png"] for output in outputs if "image/png" in kinds_of(output)]
    assert images
    assert {base64.b64decode(image)[:4] for image in images} == {b"\x89PNG"}


def test_starts_with_a_title_and_introduces_every_code_cell(
    committed: nbformat.NotebookNode,
) -> None:
    kinds = [cell.cell_type for cell in committed.cells]
    assert kinds[0] == "markdown"
    assert committed.cells[0].source.startswith("# ")
    assert re.search(r"\b(seconds|minutes?)\b", committed.cells[0].source), "no running time"
    unintroduced = [
        cell.source
        for before, cell in zip(kinds, committed.cells[1:], strict=False)
        if cell.cell_type == "code" and before == "code"
    ]
    assert not unintroduced


def test_has_short_cells_and_few_functions(committed: nbformat.NotebookNode) -> None:
    assert not any(len(cell.source.splitlines()) > CELL_LINES for cell in code_cells(committed))
    nodes = [node for tree in syntax_trees(committed) for node in ast.walk(tree)]
    assert not any(isinstance(node, ast.ClassDef) for node in nodes)
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    assert len(functions) <= FUNCTIONS
    for function in functions:
        assert function.end_lineno is not None
        assert function.end_lineno - function.lineno < FUNCTION_LINES, function.name


def test_the_first_code_cell_enters_the_folder_before_it_names_a_file(
    committed: nbformat.NotebookNode,
) -> None:
    """Relative paths hold in every working directory, also that of a cell that is run again."""
    first = code_cells(committed)[0].source
    imports, call, rest = first.partition("\nenter_notebook_folder()\n")
    assert call and rest.strip()
    assert all(re.match(r"(import|from) |$", line) for line in imports.splitlines())


def test_paths_in_the_code_exist(committed: nbformat.NotebookNode) -> None:
    """Paths up from the folder are relative to it; other files are made by the notebook."""
    found = [p for cell in code_cells(committed) for p in UPWARD_PATH.findall(cell.source)]
    assert [path for path in found if not (FOLDER / path).exists()] == []
    absolute = [p for cell in code_cells(committed) for p in ABSOLUTE_PATH.findall(cell.source)]
    assert absolute == []


def test_imports_names_that_exist_and_public_ones_from_asr(
    committed: nbformat.NotebookNode,
) -> None:
    """A name that `asr` exports is imported from there, not from its module."""
    imports = [
        (node.module, alias.name)
        for tree in syntax_trees(committed)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and re.match(r"asr\b", node.module or "")
        for alias in node.names
    ]
    missing = [f"{module}.{name}" for module, name in imports if not exists(f"{module}.{name}")]
    assert not missing
    deep = [
        f"{module}.{name}"
        for module, name in imports
        if module != "asr" and name in asr.__all__
        # Another object may have the same name.
        if getattr(import_module(module), name) is getattr(asr, name)
    ]
    assert not deep


@pytest.mark.parametrize(
    "path", [*NOTEBOOKS, *PAGES], ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_links_paths_and_names_in_the_prose_exist(path: Path) -> None:
    text = prose(path)
    links = [link for link in LINK.findall(text) if "://" not in link]
    missing = [link for link in links if not (path.parent / link).exists()]
    missing += [found for found in REPOSITORY_PATH.findall(text) if not (ROOT / found).exists()]
    missing += [name for name in DOTTED_NAME.findall(text) if not exists(name)]
    assert not missing


def test_a_missing_name_is_found_missing() -> None:
    assert exists("asr.ctc.greedy")
    assert exists("asr.audio.features")
    assert not exists("asr.audio.features.no_such_name")
    assert not exists("asr.no_such_module.mfcc")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_is_small_and_listed_in_the_readme(path: Path) -> None:
    assert path.stat().st_size < BYTES
    assert f"]({path.name})" in (FOLDER / "README.md").read_text()


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def syntax_trees(notebook: nbformat.NotebookNode) -> list[ast.Module]:
    """The parsed Python cells; cells of other languages (`%%bash`) are left out."""
    transform = TransformerManager().transform_cell
    sources = [cell.source for cell in code_cells(notebook)]
    return [ast.parse(transform(source)) for source in sources if not source.startswith("%%")]


def prose(path: Path) -> str:
    """The markdown of a notebook or page. Of pages, indented and fenced blocks are left out: they
    record the commands of an older commit."""
    if path.suffix == ".ipynb":
        cells = nbformat.read(path, as_version=4).cells
        return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    unfenced = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    return "\n".join(line for line in unfenced.splitlines() if not line.startswith("    "))


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or an attribute of a module or of its classes."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found = import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def kinds_of(output: nbformat.NotebookNode) -> list[str]:
    """Media types of a displayed output, or the name of a stream."""
    return sorted(output.get("data", {output.get("name"): None}))


def output_kinds(cell: nbformat.NotebookNode) -> list[str]:
    """Kinds of a cell's outputs, such as stdout and image/png. Numbers may differ between machines,
    and so may warnings on stderr."""
    kinds = [kind for output in cell.outputs for kind in kinds_of(output)]
    return [kind for kind in kinds if kind != "stderr"]


def plain_texts(output: nbformat.NotebookNode) -> list[str]:
    return [output.get("text", ""), output.get("data", {}).get("text/plain", "")]
