"""Other spellings are those that the letters allow in a word's frames, with their probability."""

from __future__ import annotations

import numpy as np
import pytest

from asr import ctc
from asr.decoding.emission_joiner import Emissions
from asr.decoding.spelling_joiner import LEAST, MOST, Spelling, SpellingJoiner
from asr.networks.head_layout import HeadLayout
from asr.results import Word
from asr.text.tokenizers import Tokenizer, TokenizerConfig

ENGLISH = Tokenizer(TokenizerConfig())


def joined(*parts: list[dict[str, float]]) -> SpellingJoiner:
    """A joiner that got parts. A frame has the probabilities of labels; "" is the blank."""
    layout = HeadLayout(len(ENGLISH))
    joiner = SpellingJoiner(ctc.greedy, ENGLISH, layout, lambda logits, _: logits)
    number = 0
    for part in parts:
        logits = np.full([len(part), len(ENGLISH)], -30.0, np.float32)
        for frame, chances in zip(logits, part, strict=True):
            for text, probability in chances.items():
                label = ENGLISH.labels.index(text) if text else 0
                frame[label] = np.log(probability)
        joiner._add_part(Emissions(logits, np.arange(number, number + len(part))))
        number += len(part)
    return joiner


def words(text: str) -> list[Word]:
    return [Word(word, 0, 0, 0.5) for word in text.split()]


def certain(text: str) -> list[dict[str, float]]:
    return [{character: 1.0} for character in text]


def test_the_spellings_of_a_doubtful_word() -> None:
    joiner = joined(
        [*certain("a "), {"b": 0.6, "p": 0.3, "": 0.1}, *certain("it"), *certain(" c")],
    )
    a, bit, c = joiner.spellings(words("a bit c"))
    assert (a, c) == ([], [])
    assert [spelling.text for spelling in bit] == ["pit", "it"]
    assert [spelling.probability for spelling in bit] == pytest.approx([0.3, 0.1])


def test_improbable_spellings_and_long_lists_are_left_out() -> None:
    chances = {"a": 0.4, "b": 0.2, "c": 0.15, "d": 0.13, "e": 0.11, "f": LEAST / 3}
    (found,) = joined([chances]).spellings(words("a"))
    assert [spelling.text for spelling in found] == ["b", "c", "d"] and len(found) == MOST
    (found,) = joined([{"a": 0.9, "b": 0.09, "c": LEAST / 3}]).spellings(words("a"))
    assert [spelling.text for spelling in found] == ["b"]


def test_no_letter_of_a_neighbour_is_in_a_spelling() -> None:
    # The next word's first letter is possible before its frame.
    part = [{"a": 0.8, "o": 0.2}, {"": 1.0}, *certain(" "), {"": 0.6, "t": 0.4}, *certain("to")]
    first, second = joined(part).spellings(words("a to"))
    assert first == [Spelling("o", pytest.approx(0.2))]
    assert second == []


def test_parts_are_counted_on() -> None:
    joiner = joined(certain("ab "), [{"x": 0.8, "y": 0.2}])
    assert joiner.spellings(words("ab x")) == [[], [Spelling("y", pytest.approx(0.2))]]
    # "b" continues over the cut: it is one label, and its word was searched in two halves.
    joiner = joined(
        [{"a": 0.7, "e": 0.3}, {"b": 1.0}], [{"b": 1.0}, {" ": 1.0}, {"x": 0.8, "y": 0.2}]
    )
    assert joiner.spellings(words("ab x")) == [
        [Spelling("eb", pytest.approx(0.3))],
        [Spelling("y", pytest.approx(0.2))],
    ]
    joiner = joined([{"a": 0.7, "e": 0.3}], [{"b": 0.8, "p": 0.2}])
    assert joiner.spellings(words("ab")) == [[]]


def test_words_that_are_not_those_of_the_path_have_none() -> None:
    joiner = joined([{"a": 0.7, "e": 0.3}])
    assert joiner.spellings(words("4")) == [[]]
    assert joiner.spellings(words("a b")) == [[], []]
