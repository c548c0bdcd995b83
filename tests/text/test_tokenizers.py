from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import ConfigError, TextError
from asr.text.normalisers import normalise_english
from asr.text.tokenizers import BLANK, Tokenizer, TokenizerConfig, fit_tokenizer, train_subwords

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
        Tokenizer(TokenizerConfig("subwords", "english", ""))
    with pytest.raises(ConfigError, match=r"tokenizer\.subword_model: .*jamo"):
        TokenizerConfig("jamo", subword_model="AA==")
    with pytest.raises(ConfigError, match=r"tokenizer\.alphabet: is empty"):
        Tokenizer(TokenizerConfig(language="de"))
    with pytest.raises(ConfigError, match=r"english is for English \(en\).*German \(de\)"):
        TokenizerConfig(normaliser="english", language="de")
    with pytest.raises(ConfigError, match=r"tokenizer\.language: 'Kölsch'.*ISO 639"):
        TokenizerConfig(language="Kölsch")


def test_word_spans_leave_out_spaces() -> None:
    assert CHARACTERS.word_spans(CHARACTERS.encode("go on")) == [(0, 2), (3, 5)]
    assert CHARACTERS.word_spans([]) == []


def test_a_language_chooses_kind_and_normaliser() -> None:
    def chosen(**keys: str) -> tuple[str, str, str]:
        config = TokenizerConfig(**keys)  # type: ignore[arg-type]
        return config.kind, config.normaliser, config.language

    assert chosen() == ("characters", "english", "en")
    assert chosen(language="en-GB") == ("characters", "english", "en")
    assert chosen(language="German") == ("characters", "neutral", "de")
    assert chosen(language="ko") == ("jamo", "neutral", "ko")
    assert chosen(kind="jamo") == ("jamo", "korean", "ko")
    assert chosen(normaliser="none") == ("characters", "none", "")
    assert chosen(kind="subwords", normaliser="none") == ("subwords", "none", "")


@pytest.mark.parametrize(
    ("language", "text", "alphabet"),
    [
        ("de", "Schöne Grüße, 21 Grad!", " acdefghinrsuwzößü"),
        ("ru", "Ещё ёлка.", " акелщё"),
        ("tr", "IŞIK İl'de", " 'deiklışı"),
    ],
)
def test_the_alphabet_is_that_of_the_texts(language: str, text: str, alphabet: str) -> None:
    tokenizer = Tokenizer(fit_tokenizer(TokenizerConfig(language=language), [text, "a € 5²"]))
    letters = set(alphabet) | set(tokenizer.normalise("a 5").replace("5", ""))
    assert set(tokenizer.config.alphabet) == letters
    assert tokenizer.decode(tokenizer.encode(text)) == tokenizer.normalise(text)
    with pytest.raises(TextError, match=r"x: .*'€' \(U\+20AC\) × 1; write them as words"):
        tokenizer.encode("a €", "x")


def test_without_a_normaliser_the_text_stays_as_it_is() -> None:
    tokenizer = Tokenizer(
        fit_tokenizer(TokenizerConfig(normaliser="none"), ["Go,  10% Cafe\u0301"])
    )
    assert tokenizer.config.alphabet == " %,01CGafoé"
    assert tokenizer.decode(tokenizer.encode("Go,  10% Cafe\u0301")) == "Go, 10% Café"
    texts = ["Go Forward, ½ ﬁne", "Turn Left, ½ ﬁne"] * 9
    subwords = Tokenizer(fit_tokenizer(TokenizerConfig("subwords", "none"), texts, 20))
    assert subwords.decode(subwords.encode(texts[0])) == texts[0]


def test_errors_name_the_line_to_write() -> None:
    with pytest.raises(TextError, match="write `language: ru` for Russian"):
        CHARACTERS.encode("привет")
    with pytest.raises(TextError, match="write `language: ko` for Korean"):
        CHARACTERS.encode("안녕")
    basque = Tokenizer(TokenizerConfig(alphabet=" aeiou", language="eu"))
    with pytest.raises(TextError, match=r"num2words cannot read them in Basque \(eu\): write them"):
        basque.encode("a 5")
    unknown = Tokenizer(TokenizerConfig(normaliser="neutral", alphabet=" a"))
    with pytest.raises(TextError, match="digits can be read only in a known language"):
        unknown.encode("a 5")


def test_korean_digits_and_syllables() -> None:
    korean = Tokenizer(TokenizerConfig(language="ko"))
    assert korean.decode(korean.encode("값은 21, 안녕!")) == "값은 이십일 안녕"
    assert korean.compose(korean.spell("값")) == "값" and len(korean.spell("값")) == 3
