from __future__ import annotations

from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.base.statistics import bootstrap_interval
from asr.data.manifest import Utterance
from asr.decoding.decoding_options import Decoding
from asr.evaluation.error_rates import Evaluation, evaluate
from asr.evaluation.report import evaluation_text, results_table
from asr.results import Failure, Transcript

VOCABULARY = ["go", "forward", "ten", "meters", "to"]
WORDS = st.lists(st.sampled_from(VOCABULARY), max_size=6).map(" ".join)


def score(references: list[str], hypotheses: list[str | None], **options: float) -> Evaluation:
    utterances = [
        Utterance(text, 1.0, audio_filepath=Path(f"{i}.wav")) for i, text in enumerate(references)
    ]
    results = [
        Failure(f"{i}.wav", f"{i}.wav: broken") if text is None else Transcript(text, -1.0, 2.0)
        for i, text in enumerate(hypotheses)
    ]
    return evaluate(utterances, results, str.lower, **options)


@given(st.lists(st.tuples(WORDS.filter(bool), WORDS), min_size=1, max_size=5))
def test_rates_equal_jiwer(pairs: list[tuple[str, str]]) -> None:
    references, hypotheses = [p[0] for p in pairs], [p[1] for p in pairs]
    result = score(references, list(hypotheses))
    assert result.wer == pytest.approx(jiwer.wer(references, hypotheses))
    assert result.cer == pytest.approx(jiwer.cer(references, hypotheses))
    errors = result.substitutions + result.deletions + result.insertions
    assert errors == sum(s.errors for s in result.scored)
    assert result.wer == pytest.approx(errors / result.words)
    assert 0 <= result.interval[0] <= result.interval[1]


@given(st.lists(WORDS, min_size=1, max_size=5))
def test_equal_texts_have_no_errors(texts: list[str]) -> None:
    result = score(texts, [text.upper() for text in texts])
    assert (result.wer, result.cer, result.interval, result.worst(9)) == (0, 0, (0, 0), [])


def test_words_for_an_empty_reference_are_insertions() -> None:
    result = score(["", "go"], ["to ten", "go"])
    assert (result.insertions, result.wer, result.words) == (2, 2.0, 1)


def test_words_of_an_unreadable_file_are_deletions() -> None:
    result = score(["go forward", "ten"], [None, "ten"], seconds=0.5)
    assert (result.deletions, result.words) == (2, 3)
    assert result.wer == pytest.approx(2 / 3)
    assert result.rtf == pytest.approx(0.25)  # 2 s were transcribed
    assert result.to_dict()["failures"] == [{"audio_filepath": "0.wav", "error": "0.wav: broken"}]
    assert "0.wav: broken" in evaluation_text(result, 1)


def test_worst_utterances_come_first() -> None:
    result = score(["go forward", "ten meters to go"], ["go back", "ten go go now"])
    worst = result.worst(5)
    assert [s.errors for s in worst] == [3, 1]
    assert worst[1].alignment() == "REF: go FORWARD\nHYP: go BACK"
    inserted = score(["a b"], ["a x b"]).worst(1)[0].alignment()
    assert inserted == "REF: a *** b\nHYP: a X   b"
    assert "3 errors in 1.wav" in evaluation_text(result, 1)
    assert "errors in 0.wav" not in evaluation_text(result, 1)


def test_most_frequent_confusion_comes_first() -> None:
    result = score(["go to ten", "to", "go"], ["go two ten now", "two", "go now"])
    assert result.confusions(9) == [("", "now", 2), ("to", "two", 2)]
    assert result.confusions(1) == [("", "now", 2)]
    assert "most frequent errors: *** → now 2×, to → two 2×\n" in evaluation_text(result, 2)
    assert "most frequent" not in evaluation_text(score(["go"], ["no"]), 5)


@given(WORDS, WORDS)
def test_aligned_words_keep_all_words_in_order(reference: str, hypothesis: str) -> None:
    (scored,) = score([reference], [hypothesis]).scored
    pairs = scored.aligned_words()
    assert [a for a, _ in pairs if a] == reference.split()
    assert [b for _, b in pairs if b] == hypothesis.split()
    assert sum(a != b for a, b in pairs) == scored.errors


def test_bootstrap_interval_has_the_binomial_width() -> None:
    rng = np.random.default_rng(0)
    words = np.full(400, 10)
    errors = rng.binomial(10, 0.2, 400)
    low, high = bootstrap_interval(errors, words, seed=1)
    assert low < errors.sum() / 4000 < high
    # The standard error of a binomial rate over 4,000 words is 0.63 points; 95 % is ± 1.96 of it.
    assert high - low == pytest.approx(2 * 1.96 * 0.0063, rel=0.2)
    assert bootstrap_interval(errors, words, seed=1) == (low, high)


def test_white_space_is_normalised_and_hits_add_up() -> None:
    result = score(["go  forward\tten"], [" go forward  to"])
    assert (result.hits, result.substitutions, result.words) == (2, 1, 3)
    assert result.characters == len("go forward ten")
    assert result.cer == pytest.approx(2 / 14)


def test_table_names_all_options_that_change_the_text() -> None:
    record = {
        "model": "m",
        "weights_sha256": "0" * 64,
        "manifest": "x.jsonl",
        "utterances": 1,
        "wer": 0.5,
        "cer": 0.25,
        "wer_interval_95": [0.1, 0.9],
        "rtf": 0.01,
        "command": "c",
        "commit": "d",
        "trained": {"command": "t", "seed": 1, "commit": "e"},
    }

    def decoding(**values: Any) -> str:
        row = results_table([{**record, "decoding": Decoding(**values).to_dict()}])
        return row.splitlines()[2].split(" | ")[2]

    assert decoding() == decoding(beam=0, lm="none") == "greedy"
    assert decoding(beam=8, hot_words=("a",)) == "beam 8, 1 hot word at 5.0"
    assert decoding(beam=8, lexicon=Path("w.txt"), hot_words=("a", "b"), hot_weight=2.0) == (
        "beam 8, 2 hot words at 2.0, only words of w.txt"
    )
