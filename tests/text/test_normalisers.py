from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.text.normalisers import (
    normalise_english,
    normalise_korean,
    normalise_neutral,
    spell_out,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It's 23 o’clock — twenty-third.", "it's twenty three o'clock twenty third"),
        ("He said 'no', then \"go\"!", "he said no then go"),
        ("the 21st of May", "the twenty first of may"),
        ("1,234 men", "one thousand two hundred and thirty four men"),
        ("3.5 percent & more", "three point five percent and more"),
        ("0.10 or .5", "zero point one zero or point five"),
        ("100%", "one hundred percent"),
        ("$5, $1 and £1.01", "five dollars one dollar and one pound one penny"),
        ("$0.99 or €5.50 or $.50", "ninety nine cents or five euros fifty cents or fifty cents"),
        ("$1,200", "one thousand two hundred dollars"),
        ("$5.2 million", "five point two million dollars"),
        ("$0.00", "zero dollars"),
        ("the 1990s, the '80s", "the nineteen nineties the eighties"),
        ("5:30, 5:02, 12:00", "five thirty five oh two twelve o'clock"),
        ("the 1,001st", "the one thousand and first"),
        ("101 and 2001", "one hundred and one and two thousand and one"),
        ("agent 007", "agent zero zero seven"),
        ("1" * 400, " ".join(["one"] * 400)),
        ("1 + 1 = 2 @ 30°", "one plus one equals two at thirty degrees"),
        ("rock 'n' roll o'clock", "rock n roll o'clock"),
        ("café naïve", "cafe naive"),
        ("  ", ""),
        ("...", ""),
        ("3D", "three d"),
        ("Philip Steels, etc.", "philip steels etc"),
    ],
)
def test_normalise_english(text: str, expected: str) -> None:
    assert normalise_english(text) == expected


@given(st.text())
def test_normalise_english_is_idempotent(text: str) -> None:
    once = normalise_english(text)
    assert normalise_english(once) == once


def test_spell_out_keeps_punctuation() -> None:
    assert spell_out("Yes, 2: great!").split() == ["yes,", "two", ":", "great!"]


def test_normalise_korean() -> None:
    decomposed = "\u1112\u1161\u11ab\u1100\u1173\u11af"
    assert normalise_korean(f"{decomposed},  ABC 123!") == "한글 abc 123"


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("de", "Grüße aus der STRAẞE – „weiß“!", "grüße aus der straße weiß"),
        (
            "de",
            "1.234,5 und -5 und 007",
            "eintausendzweihundertvierunddreißig komma fünf und minus fünf und null null sieben",
        ),
        ("ru", "Ещё ёлка и 21 объём.", "ещё ёлка и двадцать один объём"),
        ("tr", "IĞDIR'da İSTANBUL, Iı İi", "ığdır'da istanbul ıı ii"),
        ("az", "I", "ı"),
        ("de", "İstanbul", "istanbul"),
        ("fr", "L’eau d‘août, c'est-à-dire 'oui'", "l'eau d'août c'est à dire oui"),
        ("fr", "12 000", "douze mille"),
        ("ja", "1,200円", "千二百 円"),
        ("ca", "col·legi · fi", "col·legi fi"),
        ("hi", "हिन्दी २", "हिन्दी २"),
        ("el", "ΟΔΟΣ", "οδος".replace("σ", "ς")),
        ("ko", "안녕", "안녕"),
        ("de", "50 % und 3 €", "fünfzig % und drei €"),
        ("de", "a\u00adb 😀 x²", "ab x²"),
        ("eu", "5 etxe", "5 etxe"),
        ("", "Größe 5", "größe 5"),
    ],
)
def test_normalise_neutral(language: str, text: str, expected: str) -> None:
    assert normalise_neutral(text, language) == expected


@given(st.text(), st.sampled_from(["", "de", "tr", "ko", "fr", "hi"]))
def test_normalise_neutral_is_idempotent(text: str, language: str) -> None:
    once = normalise_neutral(text, language)
    assert normalise_neutral(once, language) == once


@given(st.text("abcxyz' ", max_size=12))
def test_plain_texts_have_nothing_to_spell_out(text: str) -> None:
    assert spell_out(text) == text
    assert normalise_english(text) == normalise_english(f"{text}.")
