from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from asr.base.extras import DISTRIBUTION, install_extra

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FOLDERS = ("asr", "benchmarks", "data", "docs", "notebooks", "pipelines", "tests")
TEXTS = sorted(
    path
    for path in [*ROOT.glob("*"), *(p for name in FOLDERS for p in (ROOT / name).rglob("*"))]
    if path.suffix in (".py", ".md", ".toml", ".yaml", ".yml", ".ipynb") and path != Path(__file__)
)
REQUIREMENT = re.compile(r"""(?<![\w.-])([A-Za-z][\w.-]*)\\{0,2}\[([a-z][a-z, ]*)\\{0,2}\]['"`]""")
"""A distribution and its extras before a closing quote, as in `pip install "NAME[serving]"`."""


def test_the_distribution_is_the_one_in_pyproject() -> None:
    assert PROJECT["name"] == DISTRIBUTION == "keras-asr-toolkit"
    assert PROJECT["scripts"] == {"asr": "asr.__main__:main"}


def test_the_command_installs_an_extra_of_this_distribution() -> None:
    assert install_extra("serving") == "pip install 'keras-asr-toolkit[serving]'"


def test_every_extra_that_is_asked_for_exists() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "asr").rglob("*.py"))
    asked = set(re.findall(r"install_extra\(['\"](\w+)['\"]\)", code))
    extras = ("serving", "microphone", "notebooks", "teacher", "judges", "datasets", "scale")
    assert asked == {*extras, "server"}
    assert asked <= set(PROJECT["optional-dependencies"])


@pytest.mark.parametrize("extras", list(PROJECT["optional-dependencies"].values()))
def test_extras_name_this_distribution(extras: list[str]) -> None:
    assert not [r for r in extras if re.match(r"asr\b", r)]


def test_no_document_installs_the_strangers_distribution() -> None:
    """The distribution `asr` on the package index is another project."""
    assert len(TEXTS) > 200
    found = []
    for path in TEXTS:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            names = [name for name, _ in REQUIREMENT.findall(line)]
            if "asr" in names or re.search(r"pip install (-\S+ )*['\"]?asr\b(?![./])", line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert not found


def test_the_search_finds_each_way_to_write_it() -> None:
    for text in ('"asr[serving]"', r"'asr\[teacher\]'", "`asr[notebooks]`"):
        assert REQUIREMENT.findall(text)[0][0] == "asr"
    assert REQUIREMENT.findall("`keras-asr-toolkit[teacher]`") == [("keras-asr-toolkit", "teacher")]
