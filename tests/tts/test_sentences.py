from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import TextError
from asr.models import MODELS
from asr.pronunciation.pronouncer import Pronouncer, read_lexicon
from asr.text import expansion
from asr.text.phones import PHONES
from asr.tts.sentences import (
    GAP,
    LONGEST,
    LONGEST_WORD,
    PAUSES,
    SILENT,
    START,
    SYMBOLS,
    one_sentence,
    sentences,
    unspeakable,
)

LEXICON = {"the": "DH AH0", "end": "EH1 N D", "a": "AH0", "do": "D UW1", "not": "N AA1 T",
           "nasa": "N AE1 S AH0", "won't": "W OW1 N T", "'em": "AH0 M"}  # fmt: skip
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
        ("−10 °C", "minus ten degrees c"),
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
def test_what_is_written_is_said_as_people_say_it(text: str, expected: str) -> None:
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
    assert spoken("The end. The end! Dr. The, etc. The end") == [
        "the end", "the end", "doctor the et cetera", "the end",
    ]  # fmt: skip
    assert spoken("The\nend\n\nthe end") == ["the end", "the end"]
    assert spoken("Say no. Then 6 ft. You are the U.S. She") == [
        "say no", "then six feet", "you are the u s", "she",
    ]  # fmt: skip
    assert spoken("DO NOT END. DO THE END!") == ["do not end", "do the end"]


def test_letters_are_said_by_their_names() -> None:
    # "a" is a word, too, which sounds otherwise.
    (sentence,) = sentences("the U.S.A. a", PRONOUNCE)
    said = [" ".join(sentence.symbols[w.first : w.last]) for w in sentence.words]
    assert said == ["DH AH0", "Y UW1", "EH1 S", "EY1", "AH0"]
    assert sentence.warnings == ()


def test_what_cannot_be_said_is_named() -> None:
    (sentence,) = sentences("The 😀 end привет brrr blarf", PRONOUNCE)
    assert sentence.text == "the end brrr blarf"
    assert sentence.warnings == (
        "skipped: 😀 (grinning face)",
        "skipped: привет",
        "spelled: brrr",
        "not in the lexicon: blarf, said as B L AA1 R F",
    )
    # And what nothing follows, in the last sentence.
    assert [s.warnings for s in sentences("The end. 😀", PRONOUNCE)] == [
        ("skipped: 😀 (grinning face)",)
    ]


def test_letters_that_fill_a_sentence_by_themselves() -> None:
    (sentence,) = sentences("w" * 40, PRONOUNCE)  # seven phones each
    assert len(sentence.symbols) <= LONGEST


@pytest.mark.parametrize("text", ["", "  \n", "...", "?!", "😀", "привет", "\x00\x07"])
def test_nothing_to_say(text: str) -> None:
    assert list(sentences(text, PRONOUNCE)) == []
    with pytest.raises(TextError, match=r"can be said|empty"):
        one_sentence(text, PRONOUNCE)
    assert ("empty" in unspeakable(text)) == (not text.strip())


def test_a_line_without_end_is_divided_and_nothing_is_lost() -> None:
    text = "the end, " * 1200  # more than 10,000 characters
    parts = list(sentences(text, PRONOUNCE))
    assert max(len(p.symbols) for p in parts) <= LONGEST
    assert " ".join(p.text for p in parts) == " ".join(["the end"] * 1200)


def test_letters_without_end_are_no_word() -> None:
    (sentence,) = sentences("the " + "x" * 10_000, PRONOUNCE)
    assert sentence.text == "the " + "x" * LONGEST_WORD
    assert f"skipped: the last {10_000 - LONGEST_WORD} letters of xxx" in sentence.warnings[0]


@given(st.text(max_size=300))
def test_any_text_becomes_sentences_that_a_voice_can_read(text: str) -> None:
    for sentence in sentences(text, PRONOUNCE):
        symbols = sentence.symbols
        assert symbols[0] == START and symbols[-1] in PAUSES and len(symbols) <= LONGEST
        assert set(symbols) <= set(SYMBOLS)
        # Between two pauses is a word.
        assert not any(a in SILENT and b in SILENT for a, b in pairwise(symbols))
        for word in sentence.words:
            phones = symbols[word.first : word.last]
            assert phones and set(phones) <= set(PHONES)


@given(st.lists(st.sampled_from(["the end", "a", "the"]), min_size=1, max_size=5))
def test_one_sentence_has_the_words_of_all(parts: list[str]) -> None:
    whole = one_sentence(". ".join(parts), PRONOUNCE)
    assert whole.text == " ".join(parts)
    assert whole.symbols.count(START) == 1
    for word in whole.words:
        assert whole.symbols[word.first : word.last] == PRONOUNCE(word.text).phones


def test_every_abbreviations_words_are_in_the_shipped_lexicon() -> None:
    lexicon = read_lexicon(MODELS / "en-kathleen" / "lexicon.txt.gz")
    tables = (expansion._TITLES, expansion._STREETS, expansion._ABBREVIATIONS, expansion._UNITS)
    words = {word for table in tables for said in table.values() for word in said.split()}
    assert words - lexicon.keys() == set()
