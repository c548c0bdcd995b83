from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import ModelError
from asr.tts.pronunciation import (
    PHONES,
    Pronouncer,
    by_letters,
    read_lexicon,
    write_lexicon,
)

LEXICON = {
    "walk": "W AO1 K", "hop": "HH AA1 P", "hope": "HH OW1 P", "box": "B AA1 K S",
    "night": "N AY1 T", "glow": "G L OW1", "kind": "K AY1 N D", "add": "AE1 D",
    "o'clock": "AH0 K L AA1 K",
}  # fmt: skip


@pytest.mark.parametrize(
    "word, phones, source",
    [
        ("walk", "W AO1 K", "lexicon"),
        ("o'clock", "AH0 K L AA1 K", "lexicon"),
        ("walk's", "W AO1 K S", "rule"),
        ("boxes", "B AA1 K S IH0 Z", "rule"),
        ("glows", "G L OW1 Z", "rule"),
        ("walked", "W AO1 K T", "rule"),
        ("hoped", "HH OW1 P T", "rule"),
        ("hopped", "HH AA1 P T", "rule"),
        ("added", "AE1 D IH0 D", "rule"),
        ("hopping", "HH AA1 P IH0 NG", "rule"),
        ("hoping", "HH OW1 P IH0 NG", "rule"),
        ("kindness", "K AY1 N D N AH0 S", "rule"),
        ("unkind", "AH0 N K AY1 N D", "rule"),
        ("nightglow", "N AY1 T G L OW1", "rule"),
        ("brrr", "B IY1 AA1 R AA1 R AA1 R", "spelled"),
        ("snape", "S N EY1 P", "rule"),
        ("chiss", "CH IH1 S", "rule"),
        ("grumble", "G R AH1 M B L", "rule"),
        ("cinto", "S IH1 N T AA1", "rule"),
        ("hopes", "HH OW1 P S", "rule"),
    ],
)
def test_words_known_derived_and_guessed(word: str, phones: str, source: str) -> None:
    said = Pronouncer(LEXICON)(word)
    assert (" ".join(said.phones), said.source) == (phones, source)


@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=20))
def test_every_word_has_phones_that_a_voice_knows(word: str) -> None:
    said = Pronouncer(LEXICON)(word)
    assert said.phones and set(said.phones) <= set(PHONES)
    assert set(by_letters(word)) <= set(PHONES)


def test_a_lexicon_comes_back_as_it_was_and_the_file_is_the_same_each_time(tmp_path: Path) -> None:
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
        (b"walk W AO1 K\nrun R AH1 N QQ\n", r"line 2: 'run R AH1 N QQ': QQ is no phone"),
        (b"walk\n", "line 1: 'walk': no phones"),
        (b"\xff\xfe", "cannot be read"),
        (gzip.compress(b"walk W AO1 K\n")[:-9], "cannot be read"),
        (gzip.compress(b"walk W AO1 K\n")[:10] + b"\xff" * 20, "cannot be read"),
    ],
)
def test_what_is_wrong_in_a_lexicon_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "lexicon.txt"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=message):
        read_lexicon(path)
