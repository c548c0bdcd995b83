from __future__ import annotations

import re

import pytest

from asr.data.spoken_text import choose_vocabulary, number_sentences, spoken_phrases
from asr.text.number_words import DIGITS


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("It leaves at 4:07 pm.", ["it leaves at four oh seven pm"]),
        ("Mr.Hill met Mrs. Dean, Dr Who.", ["mister hill met missus dean doctor who"]),
        ("In 1862; 1905 was better!", ["in eighteen sixty two nineteen oh five was better"]),
        ("$1500, or 2,000", ["one thousand five hundred dollars or two thousand"]),
        ("in the 1990s.", ["in the nineteen nineties"]),
        ("OK, ok ? “Yes.” She left", ["okay okay", "yes", "she left"]),
        ("A. J. Smith lives in St. Ives", ["a j smith lives in st ives"]),
        ("Sixty - four ? We — I — go\nDone.", ["sixty four", "we i go", "done"]),
        # A reader may say these in several ways.
        ("Call 415-626-6103. See www.a.org. Id 276586. A 4x4. Fine", ["fine"]),
        ("Ελλάδα is Greece. ... !", []),
    ],
)
def test_sentences_are_written_as_they_are_spoken(text: str, sentences: list[str]) -> None:
    assert [" ".join(words) for words in spoken_phrases(text)] == sentences


def test_numbers_are_made_again_from_the_same_seed() -> None:
    made = list(number_sentences(400, ["smith", "o'brien"], seed=1))
    assert made == list(number_sentences(400, ["smith", "o'brien"], seed=1))
    assert made != list(number_sentences(400, ["smith", "o'brien"], seed=2))
    lines = [" ".join(words) for words in made]
    assert {"s m i t h", "o b r i e n"} <= set(lines)
    assert all(re.fullmatch("[a-z' ]+", line) for line in lines)
    digits = {"oh", *DIGITS}
    assert any(len(words) > 3 and digits.issuperset(words) for words in made)
    assert any("january" in line or "march" in line for line in lines)
    assert any("dollars" in line for line in lines)


def test_vocabulary_has_the_frequent_words_and_rare_words_of_a_dictionary() -> None:
    texts = [[["go", "go", "gogo"], ["go", "back"]], [["back", "halt", "bakc", "bakc"]]]
    assert choose_vocabulary(texts, least=1, most=9) == ["back", "bakc", "go", "gogo", "halt"]
    assert choose_vocabulary(texts, least=2, most=9) == ["back", "bakc", "go"]
    assert choose_vocabulary(texts, 3, 9, known={"back", "halt"}) == ["back", "go", "halt"]
    assert choose_vocabulary(texts, 3, 9, {"back", "halt"}, least_known=2) == ["back", "go"]
    # Of equally frequent words, the alphabet decides.
    assert choose_vocabulary(texts, least=1, most=2) == ["back", "go"]
