from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import ConfigError, TextError
from asr.text.normalisers import normalise_english
from asr.text.tokenizers import BLANK, Tokenizer, TokenizerConfig, train_subwords

CHARACTERS = Tokenizer(TokenizerConfig())


@given(st.text(alphabet="abcxyz' ", max_size=30))
def test_characters_round_trip(text: str) -> None:
    ids = CHARACTERS.encode(text)
    assert BLANK not in ids
    assert CHARACTERS.decode(ids) == normalise_english(text)


def test_errors_for_unknown_characters_have_file_and_counts() -> None:
    with pytest.raises(TextError, match=r"x\.wav: .*'д' \(U\+0434\) × 2, 'ж' \(U\+0436\) × 1"):
        CHARACTERS.encode("д да ж".replace("а", ""), "x.wav")
    assert CHARACTERS.unknown("abc") == {}


@given(st.text(alphabet=st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), max_size=20))
def test_jamo_are_lossless(text: str) -> None:
    tokenizer = Tokenizer(TokenizerConfig("jamo", "korean", ""))
    ids = tokenizer.encode(text)
    assert len(ids) >= 2 * len(text)
    assert tokenizer.decode(ids) == text


def test_jamo_keep_the_space_between_words() -> None:
    tokenizer = Tokenizer(TokenizerConfig("jamo", "korean", ""))
    assert tokenizer.decode(tokenizer.encode("안녕 하세요.")) == "안녕 하세요"
    assert len(tokenizer) == 1 + 1 + 19 + 21 + 27  # blank, space, leads, vowels, tails


def test_a_subword_model_is_part_of_the_configuration() -> None:
    texts = ["go forward ten meters", "go back ten meters", "turn left", "turn right now"] * 5
    tokenizer = Tokenizer(train_subwords(texts, 22))
    ids = tokenizer.encode("Go forward, ten meters!")
    assert len(tokenizer) == 23
    assert BLANK not in ids and len(ids) < len("go forward ten meters")
    assert tokenizer.decode(ids) == "go forward ten meters"
    assert tokenizer.unknown("z") == {"z": 1}
    with pytest.raises(TextError, match="subwords"):
        train_subwords(["a"], 500)


def test_invalid_tokenizers_are_errors() -> None:
    with pytest.raises(ConfigError, match=r"tokenizer\.alphabet"):
        TokenizerConfig(alphabet="aa")
    with pytest.raises(ConfigError, match=r"tokenizer\.alphabet: .*jamo"):
        TokenizerConfig("jamo", "korean", "abc")
    with pytest.raises(ConfigError, match=r"tokenizer\.subword_model"):
        TokenizerConfig("subwords", "english", "")


def test_word_spans_leave_out_spaces() -> None:
    assert CHARACTERS.word_spans(CHARACTERS.encode("go on")) == [(0, 2), (3, 5)]
    assert CHARACTERS.word_spans([]) == []
