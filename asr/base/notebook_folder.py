"""`enter_notebook_folder`: lets a notebook run in any working directory."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import matplotlib

from asr.errors import AsrError

MARK = Path("notebooks", "00_quickstart.ipynb")
"""A file that only a checkout of this project has."""


def enter_notebook_folder() -> None:
    """Make the folder `notebooks` of the checkout the working directory.

    The notebooks name recordings and documents relative to this folder. Some programs start a
    notebook in another one, such as the root of the repository. The function also takes the style
    of plots from the folder, and lets `%%bash` find the command `asr` of this Python.

    Raises:
        AsrError: no checkout is found.
    """
    os.chdir(_find_checkout() / MARK.parent)
    style = matplotlib.rc_params_from_file("matplotlibrc", use_default_template=False)
    matplotlib.rcParams.update(style)
    commands, known = str(Path(sys.executable).parent), os.environ.get("PATH", "")
    if commands not in known.split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join(filter(None, [commands, known]))


@cache  # a first cell that is run again may be in another folder
def _find_checkout() -> Path:
    for folder in _candidates():
        if (folder / MARK).is_file():
            return folder
    raise AsrError(
        f"no folder with {MARK} is found around {Path.cwd()}: enter the folder of the notebooks "
        "first, with %cd /path/to/checkout/notebooks"
    )


def _candidates() -> Iterator[Path]:
    """Folders that may be the checkout."""
    here = Path.cwd()
    yield from (here, *here.parents)
    # Jupyter and VS Code tell where the notebook is.
    namespace = vars(sys.modules["__main__"])
    for file in (os.environ.get("JPY_SESSION_NAME"), namespace.get("__vsc_ipynb_file__")):
        if isinstance(file, str):
            yield from Path(file).absolute().parents
    yield Path(__file__).parents[2]  # unless the package is installed without a checkout
