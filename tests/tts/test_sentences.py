from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import TextError
from asr.pronunciation.pronouncer import Pronouncer
from asr.text.phones import PHONES
from asr.tts.sentences import (
    GAP,
    MAX_LETTERS,
    MAX_SYMBOLS,
    PASSAGE,
    PAUSES,
    SILENT,
    START,
    SYMBOLS,
    one_sentence,
    passages,
    sentences,
    unspeakable_reason,
)

LEXICON = {
    "the": "DH AH0",
    "end": "EH1 N D",
    "a": "AH0",
    "do": "D UW1",
    "not": "N AA1 T",
    "nasa": "N AE1 S AH0",
    "won't": "W OW1 N T",
    "'em": "AH0 M",
}
PRONOUNCE = Pronouncer(LEXICON)


def spoken(text: str) -> list[str]:
    return [s.text for s in sentences(text, PRONOUNCE)]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("Dr. Smith paid $23.50.", "doctor smith paid twenty three dollars fifty cents"),
        ("On Nov. 25, 2026 it rained.", "on november twenty fifth twenty twenty six it rained"),
        ("2026-11-24", "november twenty fourth twenty twenty six"),
        ("in 1999", "in nineteen ninety nine"),
        ("1,999 sheep", "one thousand nine hundred and ninety nine sheep"),
        ("May 2nd", "may second"),
        ("the BBC and NASA", "the b b c and nasa"),
        ("the U.S.A. wins", "the u s a wins"),
        ("at 5:30 p.m.", "at five thirty p m"),
        ("see example.com", "see example dot com"),
        ("café, 5 km", "cafe five kilometers"),
        ("No. 5 & 50%", "number five and fifty percent"),
        ("at 7:00 a.m. or 8 PM", "at seven a m or eight p m"),
        ("J. R. R. Tolkien and Dr Who", "j r r tolkien and doctor who"),
        ("Main St. in St. John", "main street in saint john"),
        ('He said "Stop!" and left.', "he said stop and left"),
        ("see p. 45, Fig. 4", "see page forty five figure four"),
        ("−10 °C", "minus ten degrees celsius"),
        ("3/4 cup, 2½ hours", "three quarters cup two and a half hours"),
        ("12/25/1990", "december twenty fifth nineteen ninety"),
        ("version 2.0.1", "version two point zero point one"),
        ("we may march 3 miles", "we may march three miles"),
        ("5 Jan. 2020", "the fifth of january twenty twenty"),
        ("1914–1918", "nineteen fourteen to nineteen eighteen"),
        ("World War II and Henry VIII", "world war two and henry the eighth"),
        ("I sat. I", "i sat i"),
        ("Straße, ne\xadver", "strasse never"),
        ("5kg, 1 kg, 100MB", "five kilograms one kilogram one hundred megabytes"),
        ("Give 'em the end", "give 'em the end"),
        ("WON'T do", "won't do"),
        ("YMCA, BBC, FBI", "y m c a b b c f b i"),
    ],
)
def test_written_forms_are_expanded_to_words(text: str, expected: str) -> None:
    assert " ".join(spoken(text)) == expected


def test_symbols_of_a_sentence() -> None:
    (sentence,) = sentences("The end, the end?", PRONOUNCE)
    the, end = ["DH", "AH0"], ["EH1", "N", "D"]
    assert list(sentence.symbols) == [START, *the, GAP, *end, ",", *the, GAP, *end, "?"]
    assert [sentence.symbols[w.first : w.last] for w in sentence.words] == [
        tuple(x) for x in (the, end, the, end)
    ]
    assert sentence.warnings == ()
    assert [SYMBOLS[i] for i in sentence.ids] == list(sentence.symbols)


def test_sentences_end_at_their_marks_and_not_at_an_abbreviation() -> None:
    expected = ["the end", "the end", "doctor the et cetera", "the end"]
    assert spoken("The end. The end! Dr. The, etc. The end") == expected
    assert spoken("The\nend\n\nthe end") == ["the end", "the end"]
    expected = ["say no", "then six feet", "you are the u s", "she"]
    assert spoken("Say no. Then 6 ft. You are the U.S. She") == expected
    assert spoken("DO NOT END. DO THE END!") == ["do not end", "do the end"]


def test_letters_are_spoken_by_their_names() -> None:
    # The word "a" and the letter A are pronounced differently.
    (sentence,) = sentences("the U.S.A. a", PRONOUNCE)
    said = [" ".join(sentence.symbols[w.first : w.last]) for w in sentence.words]
    assert said == ["DH AH0", "Y UW1", "EH1 S", "EY1", "AH0"]
    assert sentence.warnings == ()


def test_warnings_name_what_is_skipped_spelled_or_guessed() -> None:
    (sentence,) = sentences("The 😀 end привет brrr blarf", PRONOUNCE)
    assert sentence.text == "the end brrr blarf"
    assert sentence.warnings == (
        "skipped: 😀 (grinning face)",
        "skipped: привет",
        "spelled: brrr",
        "not in the lexicon: blarf, pronounced B L AA1 R F",
    )
    # A warning that no sentence follows is in the last sentence.
    assert [s.warnings for s in sentences("The end. 😀", PRONOUNCE)] == [
        ("skipped: 😀 (grinning face)",)
    ]


def test_a_spelled_word_does_not_exceed_the_longest_sentence() -> None:
    (sentence,) = sentences("w" * 40, PRONOUNCE)  # seven phones each
    assert len(sentence.symbols) <= MAX_SYMBOLS


@pytest.mark.parametrize("text", ["", "  \n", "...", "?!", "😀", "привет", "\x00\x07"])
def test_a_text_without_letters_or_numbers_has_no_sentence(text: str) -> None:
    assert list(sentences(text, PRONOUNCE)) == []
    with pytest.raises(TextError, match=r"can be spoken|empty"):
        one_sentence(text, PRONOUNCE)
    assert ("empty" in unspeakable_reason(text)) == (not text.strip())


def test_a_very_long_sentence_is_divided_without_losing_words() -> None:
    text = "the end, " * 1200  # more than 10,000 characters
    parts = list(sentences(text, PRONOUNCE))
    assert max(len(p.symbols) for p in parts) <= MAX_SYMBOLS
    assert " ".join(p.text for p in parts) == " ".join(["the end"] * 1200)


def test_a_very_long_word_is_cut() -> None:
    (sentence,) = sentences("the " + "x" * 10_000, PRONOUNCE)
    assert sentence.text == "the " + "x" * MAX_LETTERS
    assert f"skipped: the last {10_000 - MAX_LETTERS} letters of xxx" in sentence.warnings[0]


@given(st.text(max_size=300))
def test_any_text_gives_valid_symbols(text: str) -> None:
    for sentence in sentences(text, PRONOUNCE):
        symbols = sentence.symbols
        assert symbols[0] == START and symbols[-1] in PAUSES and len(symbols) <= MAX_SYMBOLS
        assert set(symbols) <= set(SYMBOLS)
        # There is a word between any two pauses.
        assert not any(a in SILENT and b in SILENT for a, b in pairwise(symbols))
        for word in sentence.words:
            phones = symbols[word.first : word.last]
            assert phones and set(phones) <= set(PHONES)


@given(st.lists(st.sampled_from(["the end", "a", "the"]), min_size=1, max_size=5))
def test_one_sentence_has_the_words_of_all_sentences(parts: list[str]) -> None:
    whole = one_sentence(". ".join(parts), PRONOUNCE)
    assert whole.text == " ".join(parts)
    assert whole.symbols.count(START) == 1
    for word in whole.words:
        assert whole.symbols[word.first : word.last] == PRONOUNCE(word.text).phones


def test_the_first_sentence_does_not_wait_for_the_rest_of_the_text() -> None:
    book = "The end. The end!\n\n" + "Then the trail never ended. " * 200
    parts = list(passages(book))
    assert "".join(parts) == book and len(parts) > 3
    assert parts[0] == "The end. The end!\n\n"
    assert all(PASSAGE <= len(part) < PASSAGE + 40 for part in parts[1:-1])
    characters = [s.characters for s in sentences(book, PRONOUNCE)]
    assert characters == sorted(characters) and characters[-1] == len(book)
    assert characters[:2] == [9, 19]
