from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.errors import ModelError
from asr.pronunciation.pronouncer import (
    Pronouncer,
    add_pronunciations,
    read_lexicon,
    write_lexicon,
)
from asr.text.phones import PHONES

LEXICON = {
    "walk": "W AO1 K",
    "hop": "HH AA1 P",
    "hope": "HH OW1 P",
    "box": "B AA1 K S",
    "night": "N AY1 T",
    "glow": "G L OW1",
    "kind": "K AY1 N D",
    "add": "AE1 D",
    "o'clock": "AH0 K L AA1 K",
}


@pytest.mark.parametrize(
    "word, phones, source",
    [
        ("walk", "W AO1 K", "lexicon"),
        ("o'clock", "AH0 K L AA1 K", "lexicon"),
        ("walk's", "W AO1 K S", "rule"),
        ("boxes", "B AA1 K S IH0 Z", "rule"),
        ("glows", "G L OW1 Z", "rule"),
        ("walked", "W AO1 K T", "learned"),
        ("nightglow", "N AY1 T G L OW1", "learned"),
        ("brrr", "B IY1 AA1 R AA1 R AA1 R", "spelled"),
        ("'", "", "spelled"),
        ("snape", "S N EY1 P", "learned"),
        ("chiss", "CH IH1 S", "learned"),
        ("grumble", "G R AH1 M B AH0 L", "learned"),
        ("tensorflow", "T EH1 N S ER0 F L OW1", "learned"),
        ("hopes", "HH OW1 P S", "rule"),
    ],
)
def test_phones_come_from_lexicon_rule_spelling_or_converter(
    word: str, phones: str, source: str
) -> None:
    said = Pronouncer(LEXICON)(word)
    assert (" ".join(said.phones), said.source) == (phones, source)


@settings(max_examples=30)
@given(st.lists(st.text("abcdefghijklmnopqrstuvwxyz'", min_size=1, max_size=28), min_size=1))
def test_phones_are_always_known_to_a_voice(words: list[str]) -> None:
    pronounce = Pronouncer(LEXICON)
    together = pronounce.many(words)
    for word, said in zip(words, together, strict=True):
        assert bool(said.phones) == bool(word.strip("'")) and set(said.phones) <= set(PHONES)
    assert pronounce(words[0]) == together[0]


def test_add_pronunciations_appends_missing_words() -> None:
    entries = [("walk", "W AO1 K"), ("walk", "W AA1 K")]
    assert add_pronunciations(entries, {"walk", "walks", "snape", "7", "'"}) == [
        *entries,
        ("snape", "S N EY1 P"),
        ("walks", "W AO1 K S"),
    ]


def test_known_words_and_plurals_need_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asr.pronunciation.pronouncer.G2P_MODEL", "none")
    assert [p.source for p in Pronouncer(LEXICON).many(["walk", "walks", "brrr"])] == [
        "lexicon",
        "rule",
        "spelled",
    ]


def test_a_lexicon_survives_writing_and_reading_and_its_file_is_reproducible(
    tmp_path: Path,
) -> None:
    one, two = tmp_path / "one.gz", tmp_path / "two.gz"
    write_lexicon(one, LEXICON.items())
    write_lexicon(two, LEXICON.items())
    assert read_lexicon(one) == LEXICON
    assert one.read_bytes() == two.read_bytes()
    # A line that a person adds behind is the one that counts.
    write_lexicon(two, [*LEXICON.items(), (next(iter(LEXICON)), "AA1")])
    assert read_lexicon(two) == {**LEXICON, next(iter(LEXICON)): "AA1"}
    # What a person writes need not be packed.
    (tmp_path / "own.txt").write_text("ASR\tEY1 EH1 S  AA1 R\n\n")
    assert read_lexicon(tmp_path / "own.txt") == {"asr": "EY1 EH1 S AA1 R"}


@pytest.mark.parametrize(
    "content, message",
    [
        (b"walk W AO1 K\nrun R AH1 N QQ\n", r"line 2: 'run R AH1 N QQ': QQ"),
        (b"walk\n", "line 1: 'walk': no phones"),
        (b"\xff\xfe", "cannot be read"),
        (gzip.compress(b"walk W AO1 K\n", mtime=0)[:-9], "cannot be read"),
        (gzip.compress(b"walk W AO1 K\n", mtime=0)[:10] + b"\xff" * 20, "cannot be read"),
    ],
)
def test_errors_in_a_lexicon_name_the_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "lexicon.txt"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=message):
        read_lexicon(path)
