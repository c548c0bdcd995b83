from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import ConfigError, TextError
from asr.text.normalisers import normalise_english
from asr.text.tokenizers import BLANK, Tokenizer, TokenizerConfig, train_subwords


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It's 23 o’clock — twenty-third.", "it's twenty three o'clock twenty third"),
        ("He said 'no', then \"go\"!", "he said no then go"),
        ("the 21st of May, 1,234 men", "the twenty first of may one thousand two hundred and "
         "thirty four men"),
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
)  # fmt: skip
def test_english(text: str, expected: str) -> None:
    assert normalise_english(text) == expected


@given(st.text())
def test_english_is_idempotent(text: str) -> None:
    once = normalise_english(text)
    assert normalise_english(once) == once


CHARACTERS = Tokenizer(TokenizerConfig())


@given(st.text(alphabet="abcxyz' ", max_size=30))
def test_characters_round_trip(text: str) -> None:
    ids = CHARACTERS.encode(text)
    assert BLANK not in ids
    assert CHARACTERS.decode(ids) == normalise_english(text)


def test_characters_outside_the_alphabet_are_reported_with_file_and_count() -> None:
    with pytest.raises(TextError, match=r"x\.wav: .*'д' \(U\+0434\) × 2, 'ж' \(U\+0436\) × 1"):
        CHARACTERS.encode("д да ж".replace("а", ""), "x.wav")
    assert CHARACTERS.unknown("abc") == {}


@given(st.text(alphabet=st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), max_size=20))
def test_jamo_are_lossless(text: str) -> None:
    tokenizer = Tokenizer(TokenizerConfig("jamo", "korean", ""))
    ids = tokenizer.encode(text)
    assert len(ids) >= 2 * len(text)
    assert tokenizer.decode(ids) == text


def test_jamo_keep_words_apart() -> None:
    tokenizer = Tokenizer(TokenizerConfig("jamo", "korean", ""))
    assert tokenizer.decode(tokenizer.encode("안녕 하세요.")) == "안녕 하세요"
    assert len(tokenizer) == 1 + 1 + 19 + 21 + 27  # blank, space, leads, vowels, tails


def test_subwords_travel_in_their_configuration() -> None:
    texts = ["go forward ten meters", "go back ten meters", "turn left", "turn right now"] * 5
    tokenizer = Tokenizer(train_subwords(texts, 22))
    ids = tokenizer.encode("Go forward, ten meters!")
    assert len(tokenizer) == 23
    assert BLANK not in ids and len(ids) < len("go forward ten meters")
    assert tokenizer.decode(ids) == "go forward ten meters"
    assert tokenizer.unknown("z") == {"z": 1}
    with pytest.raises(TextError, match="subwords"):
        train_subwords(["a"], 500)


def test_impossible_tokenizers_are_errors() -> None:
    with pytest.raises(ConfigError, match="each character once"):
        TokenizerConfig(alphabet="aa")
    with pytest.raises(ConfigError, match="not used by kind jamo"):
        TokenizerConfig("jamo", "korean", "abc")
    with pytest.raises(ConfigError, match="subword_model"):
        TokenizerConfig("subwords", "english", "")
