"""A notebook enters its folder from whatever working directory a program starts it in."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import matplotlib
import pytest

from asr.base import notebook_folder
from asr.base.notebook_folder import MARK, enter_notebook_folder
from asr.errors import AsrError

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No checkout is known, and the process is as before after the test."""
    notebook_folder._find_checkout.cache_clear()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.setattr(matplotlib, "rcParams", matplotlib.rcParams.copy())


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A checkout, and the package installed elsewhere."""
    checkout = tmp_path / "checkout"
    (checkout / "docs" / "decisions").mkdir(parents=True)
    shutil.copytree(ROOT / "notebooks", checkout / "notebooks")
    elsewhere = tmp_path / "lib" / "asr" / "base" / "notebook_folder.py"
    monkeypatch.setattr(notebook_folder, "__file__", str(elsewhere))
    return checkout


@pytest.mark.parametrize("folder", [".", "notebooks", "docs/decisions"])
def test_from_a_folder_of_the_checkout(
    installed: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(installed / folder)
    enter_notebook_folder()
    assert Path.cwd() == installed / "notebooks"
    assert matplotlib.rcParams["figure.figsize"] == [10, 3]
    os.chdir("/")  # as the cells of some notebooks do
    enter_notebook_folder()
    assert Path.cwd() == installed / "notebooks"


def test_from_another_folder_by_the_name_of_the_session(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AsrError, match="%cd /path/to/checkout/notebooks"):
        enter_notebook_folder()
    monkeypatch.setenv("JPY_SESSION_NAME", str(installed / MARK))
    enter_notebook_folder()
    assert Path.cwd() == installed / "notebooks"


def test_from_another_folder_by_the_file_that_vs_code_names(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["__main__"], "__vsc_ipynb_file__", str(installed / MARK), False)
    enter_notebook_folder()
    assert Path.cwd() == installed / "notebooks"


def test_from_another_folder_by_the_package_in_the_checkout() -> None:
    enter_notebook_folder()
    assert Path.cwd() == ROOT / "notebooks"


def test_the_command_asr_is_that_of_this_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    for _ in range(2):
        enter_notebook_folder()
        assert os.environ["PATH"] == os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin"])
