from __future__ import annotations

import json
import struct
import sys
import tarfile
import zlib
from pathlib import Path

import pytest
from scripts import run_script

from asr.base.downloads import Package
from asr.data import prose
from asr.data.manifest import Utterance, write_manifest
from asr.data.prose import HeldOut, collect_sentences, normalised_sentences, plain_sentences
from asr.data.prose_sources import SOURCES, ProseSource, files_reader
from asr.decoding.lm_record import LmRecord
from asr.language.arpa import read_arpa

BOOK = "Call me Mr. Ishmael. Some years ago -- never mind how long -- I went to sea!\n\nYes; well."
READERS = {source.name: source.read for source in SOURCES}


@pytest.fixture
def book(tmp_path: Path) -> ProseSource:
    """A source whose package is a file on this machine."""
    (tmp_path / "data.txt").write_text(BOOK)
    with tarfile.open(tmp_path / "book-1.0.tgz", "w:gz") as file:
        file.add(tmp_path / "data.txt", "package/data.txt")
    package = Package(("cp", str(tmp_path / "book-1.0.tgz"), "."), "book-*.tgz")
    return ProseSource("book", "A book", "public domain", package, files_reader("*.txt"))


def test_normalised_sentences_split_at_punctuation_and_dashes() -> None:
    assert [" ".join(words) for words in normalised_sentences(BOOK)] == [
        "call me mr ishmael",
        "some years ago",
        "never mind how long",
        "i went to sea",
    ]


def test_normalised_sentences_leave_out_letters_outside_ascii() -> None:
    assert list(normalised_sentences("Ελλάδα is Greece. 2 men")) == [["two", "men"]]


def test_held_out_sentences_match_alone_and_inside_longer_ones() -> None:
    held_out = HeldOut(["Never mind, how long!", "Go on."])
    assert held_out.matches(["never", "mind", "how", "long"])
    assert held_out.matches(["oh", "never", "mind", "how", "long"])
    assert held_out.matches(["go", "on"])
    # A sentence of two words matches only alone.
    assert not held_out.matches(["they", "go", "on"])
    assert not held_out.matches(["never", "mind", "how"])


@pytest.mark.parametrize(
    ("sentence", "overlaps"),
    [
        ("i said that we would never mind how long it took them", True),
        ("yes that we would never mind how long it was", True),
        # Seven words in a row are not enough in a longer sentence, but five that are all there is.
        ("yes that we would never mind how late", False),
        ("that we would never mind", True),
        ("we would never mind", False),
        ("go on", True),
    ],
)
def test_sentences_overlap_that_share_words_with_a_held_out_sentence(
    sentence: str, overlaps: bool, tmp_path: Path
) -> None:
    lines = ["1\ti said that we would never mind how long it took them", "2\tGO ON", ""]
    (tmp_path / "text").write_text("\n".join(lines))
    assert HeldOut.read([tmp_path / "text"]).overlaps(sentence.split()) is overlaps


def test_sources_are_downloaded_once_and_recorded(book: ProseSource, tmp_path: Path) -> None:
    held_out = HeldOut(["Some years ago"])
    found, records = collect_sentences(tmp_path / "cache", held_out, [book])
    assert ["some", "years", "ago"] not in found and len(found) == 3
    assert records["book"]["words"] == 12 and records["book"]["held_out"] == 1
    assert records["book"]["licence"] == "public domain" and len(records["book"]["sha256"]) == 64
    (tmp_path / "book-1.0.tgz").unlink()
    assert collect_sentences(tmp_path / "cache", held_out, [book]) == (found, records)


def test_build_lm_writes_model_and_record(
    book: ProseSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_manifest(tmp_path / "m.jsonl", [Utterance("I went to sea.", 1.0, tmp_path / "x.wav")])
    monkeypatch.setattr(prose, "SOURCES", (book,))
    out = tmp_path / "lm.arpa.gz"
    script = Path(__file__).parents[2] / "pipelines" / "build_lm.py"
    arguments = ["--out", out, "--held-out", tmp_path / "m.jsonl", "--cache", tmp_path, "--prune"]
    monkeypatch.setattr(sys, "argv", [str(script), *map(str, arguments), "0"])
    assert run_script(script) == 0
    # "I went to sea", the only sentence with "sea", is held out.
    assert read_arpa(out).vocabulary >= {"call", "me", "mr", "ishmael", "mind"}
    assert "sea" not in read_arpa(out).vocabulary
    made = LmRecord.read(out).made
    assert made["sources"]["book"]["held_out"] == 1 and "build_lm.py" in made["command"]
    assert json.loads((tmp_path / "lm.json").read_text())["weights"]["beam"] == 16


def test_r_strings_are_read(tmp_path: Path) -> None:
    lines = ["It is a truth", "universally acknowledged."]
    strings = b"".join(b"\0\4\0\t" + struct.pack(">i", len(x)) + x.encode() for x in lines)
    block = zlib.compress(b"X\n" + strings)
    (tmp_path / "janeaustenr" / "data").mkdir(parents=True)
    (tmp_path / "janeaustenr" / "data" / "Rdata.rdb").write_bytes(
        b"\0\0\0\1" + block + b"\0" + block
    )
    assert READERS["austen"](tmp_path).split() == " ".join(lines * 2).split()


def test_sword_text_is_read_without_tags_and_notes(tmp_path: Path) -> None:
    verses = [zlib.compress(f"<p>In {x}<note>b</note></p>".encode()) for x in ("one", "two")]
    (tmp_path / "ot.bzz").write_bytes(b"".join(verses))
    places = [(0, len(verses[0]), 0), (len(verses[0]), len(verses[1]), 0)]
    (tmp_path / "ot.bzs").write_bytes(b"".join(struct.pack("<III", *p) for p in places))
    assert READERS["bible"](tmp_path).split() == ["In", "one", "In", "two"]


def test_wordnet_definitions_and_examples_are_read(tmp_path: Path) -> None:
    (tmp_path / "wordnet").mkdir()
    (tmp_path / "wordnet" / "data.verb").write_text(
        '  1 licence | no\n00001 29 v 02 breathe 0 | draw air; "I can breathe better"\n'
    )
    found = [" ".join(s) for s in normalised_sentences(READERS["wordnet"](tmp_path))]
    assert found == ["draw air", "i can breathe better"]


def test_plain_sentences_are_kept_as_written() -> None:
    text = (
        "Mrs. Bennet said _no_. 'Why on earth?' he asked--twice. See p. 3 of it all\n\n"
        "ls -l /tmp prints it, she said. I loathe that man; He is\nso very odd!"
    )
    assert list(plain_sentences(text, 3, 5)) == [
        "Mrs Bennet said no.",
        "'Why on earth?' he asked",
        "I loathe that man;",
        "He is so very odd!",
    ]
