"""Notebooks, executed: by the tests, and by pipelines/execute_notebooks.py to keep the outputs."""

from __future__ import annotations

import base64
import io
import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

CELL_SECONDS = 600
"""A cell that takes longer hangs: whole notebooks are made to take less than three minutes."""
COLOURS = 64
"""Of a picture: enough for a plot, and a third of its bytes."""
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def execute(path: Path, scratch: Path) -> nbformat.NotebookNode:
    """Run all cells of a notebook in a new kernel, in the notebook's folder; nothing is saved.

    What is returned is made to be kept: without times and versions, its pictures small.

    Args:
        scratch: a folder for everything that is written meanwhile: the notebook's `tempfile`s,
            IPython's files.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed; the message has it, and its error.
    """
    notebook = nbformat.read(path, as_version=4)
    environment = {
        **os.environ,
        # The command `asr` of this interpreter's installation.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "TF_CPP_MIN_LOG_LEVEL": "3",  # says what this machine has; no reader wants to know
        "TMPDIR": str(scratch),
        "IPYTHONDIR": str(scratch / "ipython"),
    }
    client = NotebookClient(
        notebook, timeout=CELL_SECONDS, kernel_name="python3", record_timing=False,
        coalesce_streams=True, resources={"metadata": {"path": str(path.parent)}},
    )  # fmt: skip
    client.execute(env=environment)
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = _smaller(output.data["image/png"])
    return notebook


def _smaller(png: str) -> str:
    """A picture, in base64, with fewer colours."""
    found, data = Image.open(io.BytesIO(base64.b64decode(png))), io.BytesIO()
    reduced = found.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    reduced.save(data, "PNG", optimize=True)
    return base64.b64encode(data.getvalue()).decode()
