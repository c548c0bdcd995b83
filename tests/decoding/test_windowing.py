from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import jiwer
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from asr import ctc
from asr.audio.features import FeatureConfig, RecentMoments, differentiate, expand, normalise
from asr.audio.reading import read_audio
from asr.data.manifest import Utterance
from asr.decoding.decoding_options import Decoding
from asr.decoding.emission_joiner import find_cut
from asr.decoding.speech_detector import SpeechDetector, speech_with_margin, true_runs
from asr.decoding.window_joiner import WindowJoiner
from asr.decoding.windowed_recording import WindowedRecording
from asr.decoding.windowing import Window, Windower, Windowing
from asr.networks.head_layout import HeadLayout
from asr.recognizer import Recognizer
from asr.results import Failure, Transcript
from asr.text.tokenizers import BLANK

SPACE = 1
FRAMES = 100.0
"""A second."""


def levels(*parts: tuple[float, float]) -> np.ndarray:
    """Static features of (seconds, level) parts with a little noise: float32 [frames, 2]."""
    rng = np.random.default_rng(0)
    level = np.concatenate([np.full(round(s * FRAMES), value) for s, value in parts])
    return (np.stack([level, level], axis=1) + rng.normal(0, 0.3, [len(level), 2])).astype("f4")


def cut(static: np.ndarray, blocks: list[int], windowing: Windowing, stride: int) -> list[Window]:
    """All windows, fed in blocks of these sizes, again and again."""
    windower = Windower(windowing, FRAMES, stride)
    windows, start, i = [], 0, 0
    while start < len(static):
        windows += windower.feed(static[start : start + blocks[i % len(blocks)]])
        start, i = start + blocks[i % len(blocks)], i + 1
    return windows + windower.finish()


def bare_window(numbers: np.ndarray, overlap: int = 0) -> Window:
    """A window of which only the frames' numbers count."""
    nothing = np.zeros([0, 0], np.float32)
    return Window(nothing, numbers, overlap, nothing, numbers)


def emissions(labels: list[int], width: int = 4) -> np.ndarray:
    """Logits whose best path is `labels`, one a frame: float32 [frames, width]."""
    rng = np.random.default_rng(len(labels))
    logits = rng.normal(0, 0.5, [len(labels), width])
    logits[np.arange(len(labels)), labels] += 5
    return logits.astype(np.float32)


def test_short_recording_is_one_window() -> None:
    static = levels((2, 3), (5, 12), (3, 3), (10, 12))[:1999]
    (window,) = cut(static, [70], Windowing(), 2)
    np.testing.assert_array_equal(window.static, static)
    np.testing.assert_array_equal(window.numbers, np.arange(1000))


def test_pauses_end_windows_and_are_left_out() -> None:
    speech, pause, dead = (4.0, 12.0), (2.0, 5.0), (2.0, -9.0)
    static = levels(pause, speech, pause, speech, dead, speech, pause, speech, pause)
    windows = cut(static, [333], Windowing(), 2)
    seconds = [(w.numbers[0] / 50, (w.numbers[-1] + 1) / 50) for w in windows]
    # A margin of 0.1 s, but of what was recorded only.
    expected = [(1.9, 6.1), (7.9, 12.0), (14.0, 18.1), (19.9, 24.1)]
    np.testing.assert_allclose(seconds, expected, atol=0.021)
    assert [w.overlap for w in windows] == [0, 0, 0, 0]


def test_long_pause_ends_a_short_window_and_any_pause_a_long_one() -> None:
    short, long = (0.3, 5.0), (2.0, 5.0)
    parts = ((2, 12), short, (2, 12), long, (3, 12), short, (3.5, 12), short, (10, 12))
    windows = cut(levels(*parts), [333], Windowing(), 2)
    seconds = [(w.numbers[0] / 50, (w.numbers[-1] + 1) / 50) for w in windows]
    np.testing.assert_allclose(seconds, [(0, 4.4), (6.2, 13.2), (13.3, 23.4)], atol=0.021)


def test_window_is_normalised_with_the_windows_before_it() -> None:
    config = FeatureConfig()
    speech = np.random.default_rng(0).normal(12, 1, (2200, 13)).astype(np.float32)
    speech[600:700, 0] = speech[1300:1400, 0] = 5
    recording = WindowedRecording(
        0, Windower(Windowing(), 100, 2), WindowJoiner(ctc.greedy, None, HeadLayout(29)), config
    )
    first, second, third = recording.feed(speech, 0) + recording.finish()
    np.testing.assert_array_equal(first.features, expand(first.window.static, config))
    memory = RecentMoments(config)
    for before, pending in ((first, second), (second, third)):
        memory.add(differentiate(before.window.static, config))
        assert memory.moments is not None and memory.moments.count == 500
        expected = normalise(differentiate(pending.window.static, config), config, memory.moments)
        np.testing.assert_array_equal(pending.features, expected)
        assert not np.allclose(pending.features, expand(pending.window.static, config), atol=1e-3)


def test_quiet_stretch_keeps_the_threshold_before_it() -> None:
    windows = cut(levels((8, 12), (2, 5), (8, 12), (60, 5), (5, 12)), [500], Windowing(), 2)
    heard = sum(len(w.numbers) for w in windows) / 50
    assert heard == pytest.approx(8 + 8 + 5 + 4 * 0.1, abs=0.15)
    # With nothing before it, it is read, for it may be soft speech.
    alone = cut(levels((60, 5)), [500], Windowing(), 2)
    assert {n for w in alone for n in w.numbers} == set(range(3000))


def test_speech_without_a_pause_is_cut_with_overlap() -> None:
    windows = cut(levels((70, 12)), [1000], Windowing(longest=20, overlap=2), 2)
    assert [w.overlap for w in windows] == [0, *[100] * (len(windows) - 1)]
    for before, after in pairwise(windows):
        assert len(before.numbers) <= 1000
        np.testing.assert_array_equal(before.numbers[-100:], after.numbers[:100])
        np.testing.assert_array_equal(before.static[-200:], after.static[:200])


@settings(max_examples=60)
@given(
    parts=st.lists(
        st.tuples(st.floats(0.05, 9), st.sampled_from([12.0, 12.0, 10.0, 5.0, -9.0])),
        min_size=1,
        max_size=12,
    ),
    blocks=st.lists(st.integers(1, 700), min_size=1, max_size=4),
    stride=st.integers(1, 3),
    longest=st.floats(1.5, 8),
)
def test_windows_cover_all_speech_once_for_any_blocks(
    parts: list[tuple[float, float]], blocks: list[int], stride: int, longest: float
) -> None:
    static = levels(*parts)
    windowing = Windowing(longest=longest, shortest=1.0, overlap=0.5)
    windows = cut(static, blocks, windowing, stride)
    whole = cut(static, [len(static)], windowing, stride)
    assert len(windows) == len(whole)
    for window, other in zip(windows, whole, strict=True):
        np.testing.assert_array_equal(window.numbers, other.numbers)
        np.testing.assert_array_equal(window.static, other.static)
    covered: list[int] = []
    for window in windows:
        assert len(window.numbers) == -(-len(window.static) // stride)
        assert 0 < len(window.numbers) <= max(windowing.longest * FRAMES / stride + 1, 1)
        assert list(window.numbers[: window.overlap]) == covered[len(covered) - window.overlap :]
        covered += list(window.numbers[window.overlap :])
        first = window.numbers[0] * stride
        np.testing.assert_array_equal(window.static[0], static[first])
    assert covered == sorted(set(covered))
    assert covered == [] or covered[-1] < -(-len(static) // stride)
    if len({level for _, level in parts}) == 1:
        assert len(covered) == -(-len(static) // stride)  # nothing tells it from speech


def test_dead_frames_within_a_word_are_kept() -> None:
    for background in (-9, 5):
        static = levels((3, 12), (0.08, -9), (3, 12), (1, background))
        keep = speech_with_margin(SpeechDetector()(static), 2, 5)
        assert true_runs(keep) == [(0, 304 if background == -9 else 309)]


def test_stretch_with_one_level_is_dead() -> None:
    speech, dead = SpeechDetector()(np.full([500, 2], -9.0, np.float32))
    assert dead.all() and not speech.any()


@given(st.data())
def test_overlapping_windows_join_to_the_path_of_the_whole(data: st.DataObject) -> None:
    labels = data.draw(st.lists(st.integers(0, 3), min_size=30, max_size=120))
    logits = emissions(labels)
    pieces, first = [], 0
    while not pieces or pieces[-1][1] < len(labels):
        last = min(len(labels), first + data.draw(st.integers(12, 40)))
        pieces.append((first, last))
        first = last - data.draw(st.integers(1, 6))
    joiners = (
        WindowJoiner(ctc.greedy, None, HeadLayout(29)),
        WindowJoiner(ctc.greedy, SPACE, HeadLayout(29)),
    )
    for i in data.draw(st.permutations(range(len(pieces)))):
        first, last = pieces[i]
        overlap = pieces[i - 1][1] - first if i else 0
        window = bare_window(np.arange(first, last), overlap)
        for joiner in joiners:
            joiner.add(i, window, logits[first:last])
    path, spaced = (joiner.finish() for joiner in joiners)
    assert {joiner.frames for joiner in joiners} == {len(labels)}
    whole = ctc.greedy(logits)
    assert (path.labels, path.starts, path.ends) == (whole.labels, whole.starts, whole.ends)
    np.testing.assert_allclose(path.scores, whole.scores, atol=1e-6)
    assert path.score == pytest.approx(whole.score)
    # Two spaces beside each other may be the one that each window heard elsewhere: one is left.
    words, expected = (
        "".join(map(str, p.labels)).replace(str(SPACE), " ").split() for p in (spaced, whole)
    )
    assert words == expected


def test_cut_is_behind_a_space_else_far_from_labels() -> None:
    b, a, s = BLANK, 2, SPACE
    before = emissions([a, b, b, b, b, b, b, a, s, b, a, b])
    assert find_cut(before, before, SPACE) in (9, 10)
    # One window hears the space a frame later: behind both.
    after = emissions([a, b, b, b, b, b, b, a, b, s, a, b])
    assert find_cut(before, after, SPACE) == 10
    without = emissions([a, b, b, b, b, b, b, a, a, b, a, b])
    assert find_cut(without, without, SPACE) == 4
    assert find_cut(before[:0], before[:0], SPACE) == 0


def test_words_around_a_pause_have_one_space_between_them() -> None:
    def text(*pieces: list[int]) -> tuple[int, ...]:
        joiner, start = WindowJoiner(ctc.greedy, SPACE, HeadLayout(29)), 0
        for i, labels in enumerate(pieces):
            numbers = np.arange(start, start + len(labels))
            joiner.add(i, bare_window(numbers), emissions(labels))
            start += len(labels) + 50
        path = joiner.finish()
        times = [t for pair in zip(path.starts, path.ends, strict=True) for t in pair]
        assert times == sorted(times)
        return path.labels

    assert text([2, 0], [0, 2]) == (2, SPACE, 2)
    assert text([2, SPACE], [0, 2]) == text([2, 0], [SPACE, 2]) == (2, SPACE, 2)
    assert text([2, SPACE], [SPACE, 2]) == text([2, 2], [2]) == (2, SPACE, 2)
    assert text([0, 0], [2]) == (2,)
    assert text([2], [0, 0]) == (2, SPACE)


def test_alternatives_of_windows_are_combined() -> None:
    def alternatives(*pieces: dict[tuple[int, ...], float]) -> dict[tuple[int, ...], float]:
        paths = iter(pieces)

        def decode(logits: np.ndarray) -> ctc.Path:
            found = sorted(next(paths).items(), key=lambda pair: -pair[1])
            labels, score = found[0]
            times = tuple(range(len(labels)))
            ends = tuple(t + 1 for t in times)
            return ctc.Path(
                labels,
                times,
                ends,
                (0.0,) * len(labels),
                score,
                tuple(ctc.ScoredLabels(*item) for item in found),
            )

        joiner = WindowJoiner(decode, SPACE, HeadLayout(29))
        for i in range(len(pieces)):
            numbers = np.arange(i * 50, i * 50 + 9)
            joiner.add(i, bare_window(numbers), np.zeros([9, 4]))
        path = joiner.finish()
        assert list(dict(path.alternatives).values()) == sorted(
            dict(path.alternatives).values(), reverse=True
        )
        assert path.alternatives[0] == (path.labels, path.score)
        return dict(path.alternatives)

    s = SPACE
    first, second = {(2,): -1.0, (3,): -3.0, (2, s): -4.0}, {(3, 2): -1.0, (2,): -1.5}
    # Three are kept; a space at a pause is one, whichever side heard it.
    expected = {(2, s, 3, 2): -2.0, (2, s, 2): -2.5, (3, s, 3, 2): -4.0}
    assert alternatives(first, second) == pytest.approx(expected)
    assert alternatives({(2,): -1.0}, {(s, 3): -1.0}) == {(2, s, 3): -2.0}
    assert alternatives({(): -1.0, (2,): -2.0}, {(3,): 0.0}) == {(3,): -1.0, (2, s, 3): -2.0}


@pytest.fixture(scope="module")
def en_small() -> Recognizer:
    return Recognizer.load("en-small", Decoding(lm="none"))


@pytest.mark.parametrize("gap", [0.5, 3.0])
def test_repeated_recording_has_repeated_text(
    en_small: Recognizer, goforward: Path, gap: float
) -> None:
    samples = read_audio(goforward)
    frame = round(en_small.seconds_per_frame * 16_000)
    period = round((2.8 + gap) * 16_000 / frame) * frame  # each time the same numbers
    once = np.pad(samples, (0, period - len(samples)))
    long = en_small.transcribe(np.tile(once, 16))
    assert long.duration == 16 * period / 16_000
    words = long.text.split()
    unit = words[: len(words) // 8]  # two make three seconds of speech, which is a window
    assert words == unit * 8
    alone = en_small.transcribe(samples).text.split()
    assert abs(len(unit) - 2 * len(alone)) <= 1
    assert jiwer.cer(" ".join(alone * 2), " ".join(unit)) < 0.4
    times = [t for token in long.tokens for t in (token.start, token.end)]
    assert times == sorted(times) and times[0] >= 0 and times[-1] <= long.duration
    starts = np.array([token.start for token in long.tokens if token.text != " "])
    within = starts % (period / 16_000)
    assert within.min() > 0.4 and within.max() < 2.3


def test_result_does_not_depend_on_the_batch(
    tiny: Recognizer, goforward: Path, tmp_path: Path
) -> None:
    samples = read_audio(goforward)
    long = tmp_path / "long.wav"
    soundfile.write(long, np.tile(samples, 12), 16_000, subtype="FLOAT")
    damaged = tmp_path / "damaged.wav"
    not_finite = np.tile(samples, 12)
    not_finite[-1] = np.nan
    soundfile.write(damaged, not_finite, 16_000, subtype="FLOAT")
    done: list[float] = []
    results = dict(tiny.transcribe_each([goforward, long, damaged, samples], progress=done.append))
    for i, audio in ((0, goforward), (1, long), (3, goforward)):
        alone = tiny.transcribe(audio)
        assert isinstance(results[i], Transcript)
        assert results[i].text == alone.text
        assert results[i].score == pytest.approx(alone.score, abs=1e-4)
        assert results[i].tokens[-1].end == alone.tokens[-1].end
    # A recording whose last sample is damaged fails as a whole, and alone.
    assert isinstance(results[2], Failure) and "damaged.wav" in results[2].error
    assert sum(done) == pytest.approx(14 * 2.786, abs=1.0)


def test_long_feature_file_is_windowed(tiny: Recognizer, tmp_path: Path) -> None:
    static = np.random.default_rng(0).normal(0, 2, [5000, 13]).astype(np.float32)
    path = tmp_path / "long.mfc"
    path.write_bytes(np.array([static.size], ">i4").tobytes() + static.astype(">f4").tobytes())
    everywhere = Recognizer(tiny.config, tiny.network, Decoding(vad=False))  # no voice in it
    transcript = everywhere.transcribe(Utterance("x", 50.0, feature_filepath=path))
    assert isinstance(transcript, Transcript)
    assert transcript.duration == 50.0
    assert transcript.tokens[-1].end <= 50.0 and transcript.tokens[-1].end > 45.0


def test_words_behind_thirty_minutes_of_silence(
    tiny: Recognizer, goforward: Path, tmp_path: Path
) -> None:
    path = tmp_path / "long.flac"
    samples = read_audio(goforward)
    silence = np.zeros(16_000 * 60, np.float32)
    with soundfile.SoundFile(path, "w", 16_000, 1) as file:
        for _ in range(30):
            file.write(silence)
        file.write(samples)
    transcript = tiny.transcribe(path)
    assert transcript.duration == 1800 + len(samples) / 16_000
    assert transcript.tokens and transcript.tokens[0].start > 1800


PEAK = """
import resource, sys
from asr.networks.head_layout import HeadLayout
from asr.recognizer import Recognizer
Recognizer.load("en-small").transcribe(sys.argv[1])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_an_hour_takes_no_more_than_200_mb_above_ten_seconds(
    goforward: Path, tmp_path: Path
) -> None:
    samples, peaks = read_audio(goforward), []
    for seconds in (10, 3600):
        path = tmp_path / f"{seconds}.wav"
        with soundfile.SoundFile(path, "w", 16_000, 1) as file:
            for _ in range(round(seconds * 16_000 / len(samples))):
                file.write(samples)
        out = subprocess.run(
            [sys.executable, "-c", PEAK, path], capture_output=True, text=True, check=True
        )
        peaks.append(int(out.stdout) * 1024)
    assert peaks[1] - peaks[0] <= 200e6
