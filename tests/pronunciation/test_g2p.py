from __future__ import annotations

from pathlib import Path

import pytest

from asr.models import find_model
from asr.pronunciation.g2p import evaluate, learned, prepare
from asr.seq2seq.converter import Converter
from asr.seq2seq.pairs import Pair, read_pairs
from asr.text.phones import PHONES, Phones

PAIRS = [
    Pair("read", "R EH1 D"), Pair("read", "R IY1 D"), Pair("record", "R EH1 K ER0 D"),
    Pair("cab", "K AE1 B"), Pair("go", "G OW1"),
]  # fmt: skip


def test_error_rates_are_those_of_the_closest_way() -> None:
    def say(words: list[str]) -> list[Phones]:
        assert words == ["read", "record", "cab", "go"]
        return [tuple(x.split()) for x in ("R IY1 D", "R EH0 K ER0 D", "K AE1 P S", "")]

    heard, exact = (evaluate(say, PAIRS, stress) for stress in (False, True))
    # Without stress: cab has two phones wrong, go lacks two; of 3 + 5 + 3 + 2.
    assert (heard.words, heard.wer, heard.per) == (4, 2 / 4, pytest.approx(4 / 13))
    assert (exact.wer, exact.per) == (3 / 4, pytest.approx(5 / 13))
    assert heard.interval[0] <= heard.wer <= heard.interval[1]


def test_the_dictionary_is_split_by_word(tmp_path: Path) -> None:
    counts = prepare(tmp_path)
    parts = {name: read_pairs(tmp_path / f"{name}.tsv") for name in counts}
    assert counts == {"train": 120578, "dev": 6615, "test": 6733}
    words = [{pair.source for pair in part} for part in parts.values()]
    assert len(set().union(*words)) == sum(map(len, words))
    assert [p.target for p in parts["train"] if p.source == "tomato"] == [
        "T AH0 M EY1 T OW1", "T AH0 M AA1 T OW1"
    ]  # fmt: skip
    assert {phone for part in parts.values() for p in part for phone in p.target.split()} == set(
        PHONES
    )


def test_the_shipped_converter_says_words_that_no_one_has_written_yet() -> None:
    model = find_model("en-g2p")
    assert sum(file.stat().st_size for file in model.iterdir()) < 5e6
    assert set(Converter.load("en-g2p").config.target_symbols) == set(PHONES)
    words = ["blorf", "snazzification", "phlump", "quibbler"]
    assert [" ".join(phones) for phones in learned("en-g2p", 4)(words)] == [
        "B L AO1 R F", "S N AE1 Z AH0 F AH0 K EY1 SH AH0 N", "F L AH1 M P", "K W IH1 B L ER0",
    ]  # fmt: skip
