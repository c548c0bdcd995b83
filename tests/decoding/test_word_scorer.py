from __future__ import annotations

import math

import numpy as np
import pytest

from asr import ctc
from asr.ctc.prefix_beam import beam_search
from asr.decoding.hot_words import BEFORE_WORD, HotWords
from asr.decoding.word_scorer import WordScorer
from asr.errors import ConfigError
from asr.language.kneser_ney import estimate
from asr.language.ngram import NgramModel, Ngrams
from asr.language.word_lm import END, NEVER, START
from asr.text.tokenizers import Tokenizer, TokenizerConfig, train_subwords

CHARACTERS = Tokenizer(TokenizerConfig())
WEIGHTS = {"alpha": 0.7, "beta": 0.4, "unknown": -6.0}


def total(scorer: WordScorer, text: str, tokenizer: Tokenizer = CHARACTERS) -> float:
    state, score = scorer.start(), 0.0
    for label in tokenizer.encode(text):
        ((gain, state),) = scorer.extend(state, label)
        score += gain
        if score == -math.inf:
            return score  # a search goes no further
    return score + scorer.finish(state)


def test_score_equals_the_weighted_language_model() -> None:
    model = estimate([["go", "forward"], ["go", "back"]], 3)
    scorer = WordScorer(CHARACTERS, model, **WEIGHTS)
    expected = 0.7 * math.log(10) * model.sentence(["go", "back"]) + 2 * 0.4
    assert total(scorer, "go back") == pytest.approx(expected)
    unknown = 0.7 * math.log(10) * model.sentence(["go", "beck"]) + 2 * 0.4 - 6.0
    assert total(scorer, "go beck") == pytest.approx(unknown)


SENTENCES = [["go", "forward"], ["go", "back"], ["back", "to", "the", "meters"]]
PIECES = Tokenizer(
    train_subwords(["go forward ten meters", "go back to the meters", "the north country"] * 20, 24)
)


@pytest.mark.parametrize("text", ["go back", "back to the go", "got the meters", "b", ""])
def test_subwords_have_the_score_of_their_characters(text: str) -> None:
    assert any(len(PIECES.spellings[i].strip()) > 1 for i in PIECES.encode("go forward"))
    model = estimate(SENTENCES, 3)
    hot = {"hot_words": ("back to",), "hot_weight": 3.0}
    for options in ({}, hot, {"lexicon": {word for words in SENTENCES for word in words}}):
        by_pieces = WordScorer(PIECES, model, **WEIGHTS, **options)  # type: ignore[arg-type]
        by_letters = WordScorer(CHARACTERS, model, **WEIGHTS, **options)  # type: ignore[arg-type]
        assert total(by_pieces, text, PIECES) == pytest.approx(total(by_letters, text))


def test_lexicon_restricts_subwords_to_its_words() -> None:
    """Random emissions give words of the lexicon only."""
    words = {"go", "back", "meters"}
    logs = ctc.log_softmax(np.random.default_rng(3).normal(0, 3, [30, len(PIECES)]))
    scorer = WordScorer(PIECES, None, lexicon=words)
    for hypothesis in beam_search(logs, 16, scorer=scorer):
        assert set(PIECES.decode(hypothesis.labels).split()) <= words


def test_unknown_word_is_penalised_once_at_its_first_unknown_prefix() -> None:
    scorer = WordScorer(CHARACTERS, estimate([["go", "back"]], 1), alpha=0.0, unknown=-6.0)
    state, gains = scorer.start(), []
    for label in CHARACTERS.encode("baxter"):
        ((gain, state),) = scorer.extend(state, label)
        gains.append(gain)
    assert gains == [0, 0, -6.0, 0, 0, 0]


def test_language_model_decides_between_similar_labels() -> None:
    labels = CHARACTERS.encode("go forward ten meters")
    likely = np.full([2 * len(labels), len(CHARACTERS)], 0.001)
    for i, label in enumerate(labels):
        likely[2 * i, label], likely[2 * i + 1, 0] = 0.97, 0.97
    wrong = CHARACTERS.encode("b")[0]
    likely[2 * labels.index(CHARACTERS.encode("w")[0])] = 0.001
    likely[2 * labels.index(CHARACTERS.encode("w")[0]), [wrong, CHARACTERS.encode("w")[0]]] = (
        0.5,
        0.4,
    )
    logs = np.log(likely / likely.sum(axis=1, keepdims=True))
    model = estimate([["go", "forward", "ten", "meters"], ["go", "back"]], 3)
    plain = beam_search(logs)[0]
    fused = beam_search(logs, scorer=WordScorer(CHARACTERS, model))[0]
    assert CHARACTERS.decode(plain.labels) == "go forbard ten meters"
    assert CHARACTERS.decode(fused.labels) == "go forward ten meters"


def test_partial_word_has_the_lookahead_score() -> None:
    model = estimate([["go", "back"], ["go"], ["go", "band"], ["on"]], 2)
    scorer = WordScorer(CHARACTERS, model, alpha=1.0, beta=0.0, unknown=-6.0)
    state, so_far = scorer.start(), []
    for label in CHARACTERS.encode("band"):
        ((gain, state),) = scorer.extend(state, label)
        so_far.append(gain + (so_far[-1] if so_far else 0.0))
    nats = {w: math.log(10) * model.score(w, ()) for w in ("back", "band")}
    best = max(nats.values())
    assert so_far == pytest.approx([best, best, nats["band"], nats["band"]])
    ((gain, _),) = scorer.extend(state, CHARACTERS.encode("a b")[1])
    assert gain + so_far[-1] == pytest.approx(math.log(10) * model.score("band", (START,)))


def test_unknown_word_without_unk_has_the_rarest_probability() -> None:
    values = np.array([NEVER, -1.0, -0.5, -2.0], np.float32)
    unigrams = Ngrams(np.arange(4)[:, None], values, np.zeros(4, np.float32))
    model = NgramModel.from_ngrams([START, END, "go", "ten"], [unigrams])
    scorer = WordScorer(CHARACTERS, model, alpha=1.0, beta=0.0, unknown=-3.0)
    assert total(scorer, "stop") == pytest.approx(math.log(10) * (-2.0 - 1.0) - 3.0)
    assert total(scorer, "ten") == pytest.approx(math.log(10) * (-2.0 - 1.0))


def hot_total(hot: HotWords, text: str) -> list[float]:
    state, so_far = BEFORE_WORD, [0.0]
    for character in text:
        gain, state = hot.step(state, character)
        so_far.append(so_far[-1] + gain)
    gain, state = hot.step(state, " ")
    return [*so_far[1:], so_far[-1] + gain + hot.finish(state)]


def test_hot_words_add_by_letter_and_take_back() -> None:
    hot = HotWords(["kubernetes", "new york", "york city", "new"], 4.0)
    assert hot_total(hot, "kub") == pytest.approx([0.4, 0.8, 1.2, 0.0])
    assert hot_total(hot, "kubernetes")[-1] == pytest.approx(4.0)
    assert hot_total(hot, "a kubernetes b kubernetes")[-1] == pytest.approx(8.0)
    assert hot_total(hot, "akubernetes")[-1] == 0.0
    assert hot_total(hot, "kubernetesx")[-1] == pytest.approx(0.0)
    assert hot_total(hot, "new york")[-1] == pytest.approx(8.0)
    # "new" is sure as soon as it has ended; what "york" was given on top is not.
    assert hot_total(hot, "new yorker")[-1] == pytest.approx(4.0)
    assert hot_total(hot, "new yo")[-1] == pytest.approx(4.0)
    assert hot_total(hot, "york")[-1] == pytest.approx(0.0)
    assert hot_total(hot, "york city")[-1] == pytest.approx(8.0)
    assert hot_total(hot, "york kubernetes")[-1] == pytest.approx(4.0)


def test_hot_word_has_no_unknown_penalty() -> None:
    model = estimate([["go", "forward"], ["go", "back"]], 2)
    hot = WordScorer(CHARACTERS, model, **WEIGHTS, hot_words=["Beck!"], hot_weight=3.0)
    cold = WordScorer(CHARACTERS, model, **WEIGHTS)
    assert total(hot, "go beck") == pytest.approx(total(cold, "go beck") + 6.0 + 3.0)
    assert total(hot, "go bec") == pytest.approx(total(cold, "go bec"))
    assert total(hot, "go back") == pytest.approx(total(cold, "go back"))
    alone = WordScorer(CHARACTERS, hot_words=["new york"], hot_weight=3.0)
    assert total(alone, "in new york") == pytest.approx(6.0)
    assert total(alone, "in new yor") == pytest.approx(0.0)


def test_lexicon_restricts_words() -> None:
    scorer = WordScorer(CHARACTERS, lexicon={"go", "forward", "ten"})
    assert total(scorer, "go ten") == 0.0
    assert total(scorer, "go te") == -math.inf
    ((gain, state),) = scorer.extend(scorer.start(), CHARACTERS.encode("t")[0])
    ((never, _),) = scorer.extend(state, CHARACTERS.encode("i")[0])
    assert gain == 0.0 and never == -math.inf
    rng = np.random.default_rng(1)
    for _ in range(5):
        found = beam_search(ctc.log_softmax(rng.normal(0, 3, [60, 29])), scorer=scorer)
        assert set(CHARACTERS.decode(found[0].labels).split()) <= {"go", "forward", "ten"}


def test_words_outside_the_alphabet_are_errors() -> None:
    korean = estimate([["жук"]], 1)
    with pytest.raises(ConfigError, match=r"language model: .*жук"):
        WordScorer(CHARACTERS, korean)
    with pytest.raises(ConfigError, match=r"lexicon: .*жук"):
        WordScorer(CHARACTERS, lexicon={"жук"})
    with pytest.raises(ConfigError, match="hot word 'Жук': 'жук' is not in the model's alphabet"):
        WordScorer(CHARACTERS, hot_words=["Жук"])
    with pytest.raises(ConfigError, match="hot word '!': no letter in it"):
        WordScorer(CHARACTERS, hot_words=["!"])
    with pytest.raises(ConfigError, match="hot word 'go back': 'back' is not in the lexicon"):
        WordScorer(CHARACTERS, hot_words=["go back"], lexicon={"go"})
