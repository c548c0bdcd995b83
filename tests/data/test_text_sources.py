from __future__ import annotations

import hashlib
import lzma
from pathlib import Path
from typing import Any

import pytest

from asr.base.config import parse
from asr.data.manifest import Utterance, write_manifest
from asr.data.prose import HeldOut
from asr.data.text_sources import SourceFolders, TextSource, read_source
from asr.errors import ConfigError, ManifestError, TextError

LINES = ["One line.", "Two lines here.", "Three. Four!", "Five", "I want a table for two"]


@pytest.fixture
def folders(tmp_path: Path) -> SourceFolders:
    (tmp_path / "talk.txt.xz").write_bytes(lzma.compress("\n".join(LINES).encode()))
    texts = ["Go back", "Go back", "Stop"]
    write_manifest(tmp_path / "a.jsonl", [Utterance(t, 1.0, tmp_path / "x.wav") for t in texts])
    return SourceFolders(tmp_path, tmp_path, tmp_path)


def source(**values: Any) -> TextSource:
    return parse(TextSource, {"what": "talk", "licence": "CC0 1.0", **values}, "x.yaml")


def sentences(folders: SourceFolders, held_out: HeldOut, **values: Any) -> list[str]:
    return [" ".join(w) for w in read_source(source(**values), folders, held_out).sentences]


def test_lines_of_a_file_are_chosen_by_number(folders: SourceFolders) -> None:
    none = HeldOut([])
    assert sentences(folders, none, file="talk.txt.xz")[:4] == [
        "one line",
        "two lines here",
        "three",
        "four",
    ]
    chosen = sentences(folders, none, file="talk.txt.xz", lines=[(1, 1), (3, 4)], skip=[(4, 5)])
    assert chosen == ["one line", "three", "four"]


def test_held_out_sentences_are_left_out_and_counted(folders: SourceFolders) -> None:
    held_out = HeldOut(["Four", "please i want a table for two right now"])
    found = read_source(source(file="talk.txt.xz"), folders, held_out)
    assert [" ".join(w) for w in found.sentences] == ["one line", "two lines here", "three", "five"]
    assert found.held_out == 2
    data = (folders.texts / "talk.txt.xz").read_bytes()
    assert found.origin == {"file": "talk.txt.xz", "sha256": hashlib.sha256(data).hexdigest()}


def test_a_text_of_several_utterances_counts_once(folders: SourceFolders) -> None:
    assert sentences(folders, HeldOut([]), manifests=["a.jsonl"]) == ["go back", "stop"]


def test_a_fraction_is_tuning_text(folders: SourceFolders) -> None:
    lines = [f"number {word}" for word in "abcdefghijklmnopqrstuvwxyz"] * 2
    (folders.texts / "b.txt").write_text("\n".join(lines))
    found = read_source(source(file="b.txt", tuning=0.3), folders, HeldOut([]))
    assert len(found.sentences) + len(found.tuning) == 52 and 4 <= len(found.tuning) <= 28
    assert not {tuple(w) for w in found.sentences} & {tuple(w) for w in found.tuning}


def test_numbers_spell_the_given_words(folders: SourceFolders) -> None:
    found = read_source(source(numbers=60), folders, HeldOut(["s m i t h"]), ["smith", "dean"])
    assert [*"dean"] in found.sentences and [*"smith"] not in found.sentences
    assert len(found.sentences) + found.held_out == 60


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "give one of file, packages, manifests and numbers"),
        ({"file": "a.txt", "numbers": 3}, "give one of"),
        ({"numbers": 3, "skip": [(1, 2)]}, "lines and skip need a file"),
        ({"packages": ["odyssey"]}, "no packaged prose has the name odyssey"),
    ],
)
def test_wrong_sources_are_errors(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        source(**values)


def test_files_that_do_not_fit_are_errors(folders: SourceFolders) -> None:
    with pytest.raises(ConfigError, match=r"talk\.txt\.xz: has 5 lines, .* names line 9"):
        read_source(source(file="talk.txt.xz", lines=[(2, 9)]), folders, HeldOut([]))
    with pytest.raises(TextError, match=r"none\.txt"):
        read_source(source(file="none.txt"), folders, HeldOut([]))
    with pytest.raises(ManifestError, match=r"none\.jsonl"):
        read_source(source(manifests=["none.jsonl"]), folders, HeldOut([]))
