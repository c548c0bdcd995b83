from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr import ctc
from asr.ctc.prefix_beam import beam_search
from asr.decoding.lexicon_scorer import History, LexiconScorer, PhoneState
from asr.decoding.lexicon_search import lexicon_search
from asr.decoding.pronunciation_tree import PronunciationTree
from asr.language.kneser_ney import estimate

MODEL = estimate([["a", "b", "c", "d"], ["b", "a", "d"], ["a", "c"]], 3)
"""A language model without the words e and f."""
PHONES = 3


class OneByOne:
    """The scores of a `LexiconScorer` for one prefix at a time, as `beam_search` asks for them."""

    def __init__(self, scorer: LexiconScorer) -> None:
        self.scorer = scorer

    def start(self) -> PhoneState:
        return self.scorer.start()

    def finish(self, state: PhoneState) -> float:
        return self.scorer.finish(state)

    def extend(self, state: PhoneState, label: int) -> list[tuple[float, PhoneState]]:
        longer, begun = self.child(state.spoken, label), self.child(0, label)
        ways = []
        if longer:
            ahead = float(self.scorer.lookahead[longer])
            ways.append((ahead - state.lookahead, state._replace(spoken=longer, lookahead=ahead)))
        if begun:
            ahead = float(self.scorer.lookahead[begun])
            for end in self.scorer.word_ends(state.context, state.hot, state.spoken):
                history = History(state.history, end.word)
                following = PhoneState(history, end.context, end.hot, begun, ahead)
                ways.append((end.score - state.lookahead + ahead, following))
        return ways

    def child(self, node: int, label: int) -> int:
        return int(self.scorer.lexicon.children(np.array([node]), np.array([label]))[0])


WAYS = st.lists(st.integers(1, PHONES), min_size=1, max_size=3).map(tuple)
ENTRIES = st.lists(st.tuples(st.sampled_from("abcdef"), WAYS), min_size=1, max_size=10)


@settings(deadline=None, max_examples=40)
@given(
    ENTRIES,
    st.integers(0, 1 << 30),
    st.integers(0, 25),
    st.sampled_from([1, 3, 10, 1000]),
    st.sampled_from([(-math.inf, math.inf), (-2.0, 5.0), (-1.0, 1.0)]),
    st.booleans(),
    st.booleans(),
)
def test_the_search_finds_what_a_search_with_one_prefix_at_a_time_finds(
    entries: list[tuple[str, tuple[int, ...]]],
    seed: int,
    frames: int,
    beam: int,
    pruning: tuple[float, float],
    has_model: bool,
    has_hot_words: bool,
) -> None:
    if pruning[1] == math.inf:
        frames = min(frames, 5)  # without pruning, there are more prefixes with each frame
    logits = np.random.default_rng(seed).normal(0, 2, [frames, PHONES + 1])
    logs = ctc.log_softmax(logits)
    hot = ["a f", entries[0][0]] if has_hot_words else []
    scorer = LexiconScorer(
        PronunciationTree.from_entries(entries), MODEL if has_model else None, hot_words=hot
    )
    expected = beam_search(logs, beam, *pruning, OneByOne(scorer))
    found = lexicon_search(logs, scorer, beam, *pruning)
    assert lexicon_search(logs, scorer, beam, *pruning, most=2) == found[:2]
    assert [h.labels for h in found] == [h.labels for h in expected]
    assert [h.state for h in found] == [h.state for h in expected]
    assert [h.score for h in found] == pytest.approx([h.score for h in expected], rel=1e-12)
    assert [h.acoustic for h in found] == pytest.approx([h.acoustic for h in expected], rel=1e-12)


def test_a_long_recording_does_not_underflow() -> None:
    entries = [("a", (1,)), ("b", (2,)), ("c", (1, 3))]
    scorer = LexiconScorer(PronunciationTree.from_entries(entries), MODEL)
    logs = ctc.log_softmax(np.random.default_rng(1).normal(0, 1, [700, PHONES + 1]))
    best = lexicon_search(logs, scorer, 4)[0]
    expected = beam_search(logs, 4, scorer=OneByOne(scorer))[0]
    assert best.acoustic < -350 and best.labels == expected.labels
    assert best.score == pytest.approx(expected.score, rel=1e-12)


def test_there_is_room_for_more_ends_of_words_than_at_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entries = [("a", (1,)), ("b", (1,)), ("c", (2,)), ("d", (3, 2))]
    scorer = LexiconScorer(PronunciationTree.from_entries(entries), MODEL)
    logs = ctc.log_softmax(np.random.default_rng(2).normal(0, 1, [30, PHONES + 1]))
    expected = lexicon_search(logs, scorer, 20)
    monkeypatch.setattr("asr.decoding.lexicon_search._ROOM", 1)
    assert lexicon_search(logs, scorer, 20) == expected
    assert len(expected[0].labels) > 5
