"""Language codes, and the language that letters point to."""

from __future__ import annotations

import pytest

from asr.errors import ConfigError
from asr.text.languages import check_language_code, foreign_letters, guess_language, language_code


def test_tags_names_and_other_codes_have_one_code() -> None:
    found = [language_code(n) for n in ("de-AT", "ger", "German", "pt_BR", "nb", "ZH-hans", "xx")]
    assert found == ["de", "de", "de", "pt", "no", "zh", "xx"]
    with pytest.raises(ConfigError, match=r"--language: '\?'.*such as de"):
        check_language_code("?", "--language")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Schöne Grüße aus München", "de"),
        ("Işık dışarıda, çok güzel ağaç", "tr"),
        ("привет как дела ещё", "ru"),
        ("привіт як справи їжак є", "uk"),
        ("안녕하세요", "ko"),
        ("こんにちは世界", "ja"),
        ("zażółć gęślą jaźń", "pl"),
        ("hyvää päivää", "fi"),
        ("¿Qué tal, señor?", "es"),
    ],
)
def test_letters_point_to_a_language(text: str, language: str) -> None:
    found = foreign_letters([text])
    assert found is not None and found.language == language


def test_a_few_borrowed_words_are_still_english() -> None:
    assert foreign_letters(["plain words, only"]) is None
    cafe = foreign_letters(["the café is closed", "go on"])
    assert cafe is not None and not cafe.is_clear and cafe.letters == {"é": 1}
    many = ["go forward ten meters"] * 100 + ["Müller met Köhler at the café"]
    rare = foreign_letters(many)
    assert rare is not None and not rare.is_clear and rare.words == 3
    assert guess_language(cafe.letters - cafe.letters) == ""
