from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import pytest

from asr.errors import TextError
from asr.prose import sentences, speakable, split


def packages(folder: Path) -> Path:
    """The four kinds of files as the packages lay them out."""
    files = {
        "usr/lib/R/site-library/janeaustenr/data/Rdata.rdb": _lazy_load(
            ["EMMA", "", "It was dark. Mr. Knightley", "came in—“Well?”"], ["He knew; She did not."]
        ),
        "usr/share/dictd/wn.dict.dz": gzip.compress(
            b'abhor\n    v 1: find repugnant; "I loathe that\n       man"; "She abhors cats"\n'
        ),
        "usr/share/dictd/devil.dict.dz": gzip.compress(b"ABASEMENT, n.\n\n  A decent attitude."),
        "usr/share/games/fortunes/work": b"A horse!  A horse!\n\t\t-- Wm. Shakespeare\n%\nOne.\n",
        "usr/share/games/fortunes/work.dat": b"\x00\xff",
    }
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def _lazy_load(*novels: list[str]) -> bytes:
    """R's format as far as it is read: per novel a length and a compressed vector of strings."""
    data = b""
    for lines in novels:
        raw = b"X\n\x00\x00\x00\x03" + b"\x00\x00\x00\x10" + len(lines).to_bytes(4, "big")
        for line in lines:
            encoded = line.encode()
            raw += b"\x00\x04\x00\x09" + len(encoded).to_bytes(4, "big") + encoded
        data += len(raw).to_bytes(4, "big") + zlib.compress(raw)
    return data


def test_every_package_gives_its_sentences(tmp_path: Path) -> None:
    assert list(sentences(packages(tmp_path))) == [
        "EMMA", "It was dark.", "Mr Knightley came in—“Well?”", "He knew;", "She did not.",
        "I loathe that man", "She abhors cats", "ABASEMENT, n.", "A decent attitude.",
        "A horse!", "A horse!", "One.",
    ]  # fmt: skip


def test_a_package_that_is_not_there_is_named(tmp_path: Path) -> None:
    for path in packages(tmp_path).rglob("wn.dict.dz"):
        path.unlink()
    with pytest.raises(TextError, match=r"no \*\*/dictd/wn\.dict\.dz; unpack .*dict-wn"):
        list(sentences(tmp_path))


def test_sentences_end_where_they_end() -> None:
    text = "Mrs. Bennet said _no_. 'Why?' he asked--twice. See p. 3\n\nand so on"
    assert list(split(text)) == [
        "Mrs Bennet said no.", "'Why?' he asked", "twice.", "See p.", "3", "and so on",
    ]  # fmt: skip


def test_only_what_can_be_spoken_is_kept_and_once() -> None:
    lines = ["I loathe that man", "i loathe THAT man", "ls -l /tmp prints it", "at 5 o'clock then",
             "too short", "She said, \"It's he!\""]  # fmt: skip
    assert list(speakable(lines, 3, 5)) == ["I loathe that man", 'She said, "It\'s he!"']
