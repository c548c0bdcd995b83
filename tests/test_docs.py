"""The documentation agrees with the repository: links, commands, imports, numbers, file names."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

import asr
from asr.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "README.ko.md", "CONTRIBUTING.md")),
        *(ROOT / "docs").rglob("*.md"),
        ROOT / "notebooks" / "README.md",
        ROOT / "data" / "README.md",
    ]
)
FENCE = re.compile(r"^( *)(?:```|~~~)(\w*)\n([\s\S]*?)^\1(?:```|~~~)", re.MULTILINE)
INDENTED = re.compile(r"(?:^|(?<=\n\n))(?: {4}.*\n)(?:(?: {4}.*)?\n)*")
INLINE = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+?)\s*$", re.MULTILINE)
OPTION = re.compile(r"--?[a-zA-Z][\w-]*")

pages = pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


def without_code(text: str) -> str:
    return INLINE.sub("code", INDENTED.sub("\n", FENCE.sub("", text)))


@cache
def anchors(page: Path) -> set[str]:
    """The ids of a page's headings as GitHub and MkDocs write them, and its reference entries."""
    text = page.read_text(encoding="utf-8")
    found: set[str] = set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        words = re.sub(r"[^\w\s-]", "", LINK.sub(lambda link: link[1], heading)).strip().lower()
        found.add(re.sub(r"\s", "-", words))
    return found | set(re.findall(r"^::: (\S+)", text, re.MULTILINE))


def code_lines(text: str) -> Iterator[str]:
    """Lines of code blocks in a shell language, with continued lines joined, and inline code."""
    blocks = [body for _, language, body in FENCE.findall(text) if language in ("", "sh", "bash")]
    rest = FENCE.sub("", text)
    blocks += INDENTED.findall(rest)
    for block in blocks:
        yield from re.sub(r"\\\n *", "", block).splitlines()
    for code in INLINE.findall(INDENTED.sub("\n", rest)):
        yield " ".join(code.split())


class Command(NamedTuple):
    """A call of a program: the words after its name, and the line of the page."""

    words: list[str]
    line: str


def commands(text: str, program: str) -> Iterator[Command]:
    """Every call of a program in the code of a page."""
    for line in code_lines(text):
        line = line.strip().removeprefix("$ ")
        try:
            words = shlex.split(line, comments=True)
        except ValueError:  # an apostrophe or quotation mark: not a shell line
            continue
        call: list[str] | None = None
        for word in [*words, "|"]:
            if word in {"|", "&&", ";", "do", "then"}:
                if call and call[0] == program:
                    yield Command(call[1:], line)
                call = []
            elif call is not None:
                call.append(word)
            else:
                call = [word]


def test_a_readme_fits_a_first_visit() -> None:
    for name in ("README.md", "README.ko.md"):
        assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) <= 120, name


@cache
def command_tree() -> Any:
    return typer.main.get_command(app)


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_the_first_transcription_is_as_shown(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    text = (ROOT / name).read_text(encoding="utf-8")
    shown = re.findall(r"^    \$ (asr transcribe .*)\n    (.*)$", text, re.MULTILINE)
    assert len(shown) == 2
    for command, output in shown:
        assert printed(command) == output + "\n"


@cache
def printed(command: str) -> str:
    result = CliRunner().invoke(app, shlex.split(command)[1:])
    assert result.exit_code == 0
    return str(result.stdout)


@pages
def test_links_lead_to_files_and_headings(page: Path) -> None:
    broken = []
    for _, target in LINK.findall(without_code(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


@pages
def test_commands_of_asr_exist_with_their_options(page: Path) -> None:
    wrong = []
    for words, line in commands(page.read_text(encoding="utf-8"), "asr"):
        command = command_tree()
        names = [w for w in words if not w.startswith("-")]
        options = [w.split("=")[0] for w in words if OPTION.fullmatch(w.split("=")[0])]
        while isinstance(command, TyperGroup) and names:
            name = names.pop(0)
            if name not in command.commands:
                wrong.append(f"{name}: {line}")
                break
            command = command.commands[name]
        known = {"--help", *(o for p in command.params for o in (*p.opts, *p.secondary_opts))}
        wrong += [f"{option}: {line}" for option in options if option not in known]
    assert wrong == []


@pages
def test_scripts_exist_with_their_options(page: Path) -> None:
    wrong = []
    for words, line in commands(page.read_text(encoding="utf-8"), "python"):
        if not words or not words[0].endswith(".py"):
            continue
        script = ROOT / words[0]
        text = script.read_text(encoding="utf-8") if script.is_file() else ""
        if not text:
            wrong.append(line)
        wrong += [f"{w}: {line}" for w in words[1:] if OPTION.fullmatch(w) and f'"{w}"' not in text]
    assert wrong == []


@pages
def test_make_targets_exist(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for words, line in commands(page.read_text(encoding="utf-8"), "make"):
        assert not words or re.search(rf"^{words[0]}:", makefile, re.MULTILINE), line


@pages
def test_imports_from_asr_are_public(page: Path) -> None:
    for names in re.findall(r"from asr import ([\w, ]+)", page.read_text(encoding="utf-8")):
        assert {name.strip() for name in names.split(",")} <= set(asr.__all__)


@pages
def test_names_in_modules_exist(page: Path) -> None:
    missing = []
    for code in INLINE.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if not re.fullmatch(r"asr(\.\w+)+", code):
            continue
        path, names = ROOT / "asr", code.split(".")[1:]
        while names and (path / names[0]).is_dir():
            path /= names.pop(0)
        if names and (path / f"{names[0]}.py").is_file():
            path /= f"{names.pop(0)}.py"
        source = path if path.is_file() else path / "__init__.py"
        if names and not re.search(rf"\b{names[0]}\b", source.read_text(encoding="utf-8")):
            missing.append(code)
    assert missing == []


def test_the_reference_has_every_public_name() -> None:
    text = (ROOT / "docs" / "reference" / "index.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^::: asr\.(\w+)", text, re.MULTILINE))
    assert listed == set(asr.__all__) - {"__version__"}


def test_the_architecture_names_functions_and_folders_that_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawn = re.findall(r"^ [ ├└─│]*(\w+) {2,}([\w/]+\.py)  ", text, re.MULTILINE)
    assert len(drawn) > 20
    for name, module in drawn:
        source = (ROOT / "asr" / module).read_text(encoding="utf-8")
        assert re.search(rf"^ *(?:def|class) {name}\b", source, re.MULTILINE), (name, module)


def test_the_architecture_lists_the_layers_in_their_order() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text[text.index("## Folders") : text.index("Outside `asr/`")]
    listed = [n for row in re.findall(r"^\| (`.*?) \|", table, re.M) for n in INLINE.findall(row)]
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "importlinter"
    ]
    (layers,) = (c["layers"] for c in linter["contracts"] if c["type"] == "layers")
    names = [name.strip().removeprefix("asr.") for layer in layers for name in layer.split("|")]
    assert [re.sub(r"/$|\.py$", "", name) for name in listed] == names[1:]  # __main__ has no row


def test_the_table_of_decisions_has_all() -> None:
    folder = ROOT / "docs" / "decisions"
    linked = set(re.findall(r"\]\((\d[\w-]+\.md)\)", (folder / "README.md").read_text()))
    assert linked == {path.name for path in folder.glob("0*.md")}


PEER = re.compile(
    r"^data/(\S+)\.jsonl +(.+?)  +WER +([\d.]+)% .* RTF ([\d.]+) +peak (\d+) MB +size (\d+) MB$",
    re.MULTILINE,
)
SETS = {
    "LibriSpeech test-clean": "librispeech-test/test_every_20th",
    "LibriSpeech test-other": "strangers/librispeech_other_test",
    "Common Voice": "strangers/commonvoice_dev_apart",
    "speechocean762": "strangers/speechocean762_dev",
    "pocketsphinx's clips": "pocketsphinx/test",
}
"""Set in README's table of peers → its manifest, without folder and suffix."""
CELL = re.compile(r"(\d+\.?\d*) (?:%|s|MB)(?= )")


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_the_table_of_peers_has_the_numbers_of_the_results(name: str) -> None:
    """The columns are en-base, en-base without language model, PocketSphinx and Whisper."""
    results = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    columns = "en-base", "en-base, --lm none", "PocketSphinx 5.1.1", "Whisper base, int8"
    measured = {
        (data, system): {"WER": wer, "RTF": rtf, "peak": peak, "size": size}
        for data, system, wer, rtf, peak, size in PEER.findall(results)
    }
    rows = re.findall(
        r"^\| (.*?) \|(.*)\| \[peers\]\(docs/results\.md#peers\) \|$",
        (ROOT / name).read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert len(rows) == len(SETS) + 3
    for title, cells in rows:
        data = next(manifest for named, manifest in SETS.items() if named in title)
        what = next((w for w in ("RTF", "peak", "size") if w in title), "WER")
        shown = [float(value) for value in CELL.findall(cells)]
        expected = [float(measured[data, system][what]) for system in columns]
        assert shown == pytest.approx(expected, abs=0.0501 if what == "WER" else 0), title
