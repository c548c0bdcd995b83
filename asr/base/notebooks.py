"""Running notebooks for the tests, and for pipelines/execute_notebooks.py, which saves outputs.

Needs the extra `notebooks`.
"""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

CELL_SECONDS = 600
"""Longest run of one cell, in seconds; whole notebooks take less than three minutes."""
COLOURS = 64
"""Colours of a saved picture: enough for a plot, at a third of the size."""
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def execute(
    path: Path, scratch: Path, working_directory: Path | None = None
) -> nbformat.NotebookNode:
    """Run all cells of a notebook in a new kernel.

    Args:
        path: the notebook.
        scratch: a folder for temporary files of the notebook and of IPython.
        working_directory: folder in which the kernel starts; default: that of the notebook.

    Returns:
        The notebook with its outputs, without times and versions, and with compressed pictures. The
        file is unchanged.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed; the message has the cell and its
            error.
    """
    notebook = nbformat.read(path, as_version=4)
    environment = {
        **os.environ,
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "TF_CPP_MIN_LOG_LEVEL": "3",  # no messages about the hardware
        "TMPDIR": str(scratch),
        "IPYTHONDIR": str(scratch / "ipython"),
    }
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(working_directory or path.parent)}},
    )
    client.execute(env=environment)
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = _fewer_colours(output.data["image/png"])
    return notebook


def _fewer_colours(png: str) -> str:
    """Reduce the colours of a PNG picture in base64."""
    picture = Image.open(io.BytesIO(base64.b64decode(png)))
    data = io.BytesIO()
    reduced = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    reduced.save(data, "PNG", optimize=True)
    return base64.b64encode(data.getvalue()).decode()
