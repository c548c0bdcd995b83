"""The notebooks run from a clean checkout, and what is committed of them can be read on the web.

`make test` runs the SHORT ones, `make test-notebooks` all.
"""

from __future__ import annotations

import ast
import base64
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

from asr.base.notebooks import METADATA, execute

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SHORT = {"00_quickstart", "01_features", "03_ctc"}
"""Those of less than 20 s on two cores."""
LINES = 25
"""A cell, at most."""
FUNCTIONS, FUNCTION_LINES = 4, 12
"""A notebook explains: what is longer than what fits an explanation belongs in asr/."""
BYTES = 1_500_000


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
def test_it_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "jupyter"))
    before = sorted(FOLDER.rglob("*"))
    notebook = execute(path, tmp_path)
    assert sorted(FOLDER.rglob("*")) == before  # what it writes, it writes elsewhere
    shown = [shown_by(cell) for cell in code_cells(notebook)]
    assert shown == [shown_by(c) for c in code_cells(nbformat.read(path, as_version=4))], (
        f"outputs are stale: python pipelines/execute_notebooks.py notebooks/{path.name}"
    )


def test_its_outputs_are_those_of_one_run(committed: nbformat.NotebookNode) -> None:
    nbformat.validate(committed)
    assert committed.metadata == METADATA
    cells = code_cells(committed)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not any(output.output_type == "error" for output in outputs)
    assert not any("execution" in cell.metadata for cell in cells)
    texts = [text for output in outputs for text in plain_texts(output)]
    assert not any("Traceback (most recent call last)" in text for text in texts)
    assert any("image/png" in output.get("data", {}) for output in outputs), "nothing to look at"
    for output in outputs:
        if "image/png" in output.get("data", {}):
            assert base64.b64decode(output.data["image/png"])[:4] == b"\x89PNG"


def test_it_explains_and_leaves_logic_to_asr(committed: nbformat.NotebookNode) -> None:
    assert committed.cells[0].cell_type == "markdown"
    assert committed.cells[0].source.startswith("# ")
    functions = []
    for cell in code_cells(committed):
        assert len(cell.source.splitlines()) <= LINES, cell.source
        if cell.source.startswith("%%"):  # of another language
            continue
        for node in ast.walk(ast.parse(TransformerManager().transform_cell(cell.source))):
            assert not isinstance(node, ast.ClassDef), cell.source
            if isinstance(node, ast.FunctionDef):
                functions.append(node.name)
                assert node.end_lineno is not None
                assert node.end_lineno - node.lineno < FUNCTION_LINES, cell.source
    assert len(functions) <= FUNCTIONS, functions


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_small_and_listed(path: Path) -> None:
    assert path.stat().st_size < BYTES
    assert f"]({path.name})" in (FOLDER / "README.md").read_text()


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown_by(cell: nbformat.NotebookNode) -> list[str]:
    """Kinds of what a cell shows, such as stdout, image/png: numbers may differ with the machine,
    and what machines warn of."""
    kinds = [sorted(output.get("data", {output.get("name"): None})) for output in cell.outputs]
    return [kind for found in kinds for kind in found if kind != "stderr"]


def plain_texts(output: nbformat.NotebookNode) -> list[str]:
    return [output.get("text", ""), output.get("data", {}).get("text/plain", "")]
