"""Word times: known examples, and properties for any path and level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr import ctc
from asr.decoding.word_times import PAUSE, REACH, frame_levels, widen_spikes
from asr.text.tokenizers import Tokenizer, TokenizerConfig, train_subwords

STEP = 0.02
ENGLISH = Tokenizer(TokenizerConfig())


def spiked(text: str, at: list[int], frames: int) -> tuple[ctc.Path, list[tuple[int, int]]]:
    """A path with a spike of one frame for each character."""
    ids = ENGLISH.encode(text)
    path = ctc.Path(
        tuple(ids), tuple(at), tuple(t + 1 for t in at), (-0.5,) * len(ids), -0.5 * frames
    )
    return path, ENGLISH.word_spans(ids)


def times(path: ctc.Path, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(path.starts[a], path.ends[b - 1]) for a, b in spans]


def test_a_pause_belongs_to_no_word() -> None:
    loud = np.zeros(60)
    loud[10:20] = loud[30:45] = 1
    path, spans = spiked("ab cd", [12, 15, 24, 33, 38], 60)
    settled = widen_spikes(path, spans, loud, STEP)
    assert times(settled, spans) == [(10, 20), (30, 45)]
    assert (settled.starts[2], settled.ends[2]) == (20, 30)  # the space
    assert (settled.ends[0], settled.starts[1]) == (14, 14)  # half way between 13 and 15
    assert settled.scores == path.scores and settled.labels == path.labels


def test_without_a_pause_words_meet_behind_the_quietest_frame() -> None:
    loud = np.ones(40)
    loud[:5] = loud[35:] = 0
    loud[19] = 0.1  # 20 ms: as long as a closure, shorter than a pause
    path, spans = spiked("ab cd", [8, 12, 17, 26, 30], 40)
    assert times(widen_spikes(path, spans, loud, STEP), spans) == [(5, 20), (20, 35)]


def test_words_at_both_ends_of_the_recording() -> None:
    loud = np.ones(30)
    loud[14:19] = 0
    path, spans = spiked("a b", [3, 16, 25], 30)
    assert times(widen_spikes(path, spans, loud, STEP), spans) == [(0, 14), (19, 30)]


def test_noise_extends_a_word_by_its_reach_at_most() -> None:
    reach = round(REACH / STEP)
    path, spans = spiked("a", [500], 1000)
    assert times(widen_spikes(path, spans, np.ones(1000), STEP), spans) == [
        (500 - reach, 501 + reach)
    ]


def test_noise_in_a_long_pause_is_in_no_word() -> None:
    loud = np.zeros(40_000)
    loud[10:20] = loud[100:110] = loud[39_900:39_910] = 1  # two words, and a cough between
    path, spans = spiked("ab", [12, 16], 40_000)
    assert times(widen_spikes(path, spans, loud, STEP), spans) == [(10, 20)]
    path, spans = spiked("a b", [12, 15, 39_905], 40_000)
    assert times(widen_spikes(path, spans, loud, STEP), spans) == [(10, 20), (39_900, 39_910)]


def test_path_without_words_is_unchanged() -> None:
    empty = ctc.Path((), (), (), (), -1.0)
    assert widen_spikes(empty, [], np.zeros(5), STEP) == empty


@given(st.data())
def test_order_spikes_and_bounds_hold_for_any_level(data: st.DataObject) -> None:
    ids = data.draw(st.lists(st.integers(1, 4), max_size=12))  # 1 is the space
    needed = ctc.frames_needed(ids)
    frames = data.draw(st.integers(max(needed, 1), needed + 80))
    loud = np.array(data.draw(st.lists(st.floats(-9, 9), min_size=frames, max_size=frames)))
    logits = np.random.default_rng(data.draw(st.integers(0, 99))).normal(size=(frames, 5))
    path = ctc.align(ctc.log_softmax(logits), ids)
    spans = ENGLISH.word_spans(ids)
    settled = widen_spikes(path, spans, loud, STEP)
    edges = [t for pair in zip(settled.starts, settled.ends, strict=True) for t in pair]
    assert edges == sorted(edges)
    assert all(0 <= t <= frames for t in edges)
    for first, last in spans:
        assert settled.starts[first] <= path.starts[first]
        assert settled.ends[last - 1] >= path.ends[last - 1]
        for k in range(first, last):
            assert settled.starts[k] < settled.ends[k]  # each character has some time
        assert settled.ends[first : last - 1] == settled.starts[first + 1 : last]


def test_frame_level_is_the_mean_over_a_stride() -> None:
    loudness = np.array([1, 3, 5, 7, 9], np.float32)
    np.testing.assert_allclose(frame_levels(loudness, 2), [2, 6, 9])
    np.testing.assert_allclose(frame_levels(loudness, 1), loudness)


def test_loud_part_does_not_hide_words_in_a_quiet_part() -> None:
    quiet = np.zeros(1000)
    quiet[100:120] = quiet[130:150] = 1
    quiet[700:] = 50
    path, spans = spiked("a b", [110, 125, 140], 1000)
    assert times(widen_spikes(path, spans, quiet, STEP), spans)[0] == (100, 120)
    assert times(widen_spikes(path, spans, quiet, STEP), spans)[1][0] == 130


def test_pause_is_measured_in_seconds() -> None:
    loud = np.ones(40)
    length = round(PAUSE / STEP)
    loud[18 : 18 + length] = 0
    path, spans = spiked("a b", [10, 17, 30], 40)
    assert times(widen_spikes(path, spans, loud, STEP), spans) == [(0, 18), (18 + length, 40)]
    # Frames twice as long: the same pause has half of them.
    assert times(widen_spikes(path, spans, loud, 2 * STEP), spans)[0][1] == 18


@pytest.mark.parametrize("text", ["", " ", "a", "go forward", "  go   x ", "it's"])
def test_character_words_are_those_of_the_text(text: str) -> None:
    ids = [ENGLISH.labels.index(c) for c in text]
    words = [ENGLISH.decode(ids[a:b]) for a, b in ENGLISH.word_spans(ids)]
    assert words == ENGLISH.decode(ids).split()


def test_jamo_and_subword_words_are_those_of_the_text() -> None:
    korean = Tokenizer(TokenizerConfig(kind="jamo", normaliser="korean", alphabet=""))
    ids = korean.encode("안녕 세계는 넓다")
    assert [korean.decode(ids[a:b]) for a, b in korean.word_spans(ids)] == [
        "안녕",
        "세계는",
        "넓다",
    ]
    texts = ["go forward ten meters", "the north country", "ten more meters go"] * 20
    pieces = Tokenizer(train_subwords(texts, 24))
    for text in set(texts):
        ids = pieces.encode(text)
        assert [pieces.decode(ids[a:b]) for a, b in pieces.word_spans(ids)] == text.split()
