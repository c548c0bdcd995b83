"""Spoken words of each written word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.text.normalisers import NORMALISERS, normalise_english
from asr.text.written_words import written_words

MARKS = ["$", ",", "—", "&", "%", "-", "“"]
NUMBERS = ["$5", "million", "5", "5.5", "1990s", "50%", "5:30", "1st", ".5", "billion"]
PARTS = st.sampled_from([*MARKS, *NUMBERS, "the", "a", "O'Neil", "Dr.", "(x)", "안녕"])


@pytest.mark.parametrize(
    "text, expected",
    [
        ("Dr. Smith paid $23.50.", "Dr./1 Smith/1 paid/1 $23.50./5"),
        ("He's well-known, no?", "He's/1 well-known,/2 no?/1"),
        ("It cost $5.5 million today", "It/1 cost/1 $5.5/3 million/2 today/1"),
        ("at 5:30 on the 21st", "at/1 5:30/2 on/1 the/1 21st/2"),
        ("50 % of $ 5", "50/1 %/1 of/1 $_5/2"),
        ("— Yes — “ no ” —", "—_Yes_—/1 “_no_”_—/1"),
        ("... — !", ""),
        ("", ""),
    ],
)
def test_each_written_word_has_its_number_of_spoken_words(text: str, expected: str) -> None:
    found = written_words(text, normalise_english)
    assert " ".join(f"{w.text.replace(' ', '_')}/{w.spoken}" for w in found) == expected


@given(st.lists(PARTS, max_size=9).map(" ".join), st.sampled_from(sorted(NORMALISERS)))
def test_nothing_is_lost_and_the_counts_add_up(text: str, normaliser: str) -> None:
    normalise = NORMALISERS[normaliser]
    found = written_words(text, normalise)
    assert sum(word.spoken for word in found) == len(normalise(text).split())
    assert all(word.spoken >= 1 for word in found)
    if found:
        assert " ".join(word.text for word in found) == text
