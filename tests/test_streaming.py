from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
import types
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import keras
import numpy as np
import pytest
import soundfile
import zoo
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.audio.features import (
    FeatureConfig,
    MfccStream,
    Moments,
    RecentMoments,
    mfcc,
    normalise,
)
from asr.audio.mono import MonoStream
from asr.audio.reading import read_audio
from asr.cli.live import CLEAR_LINE, listen, microphone_blocks, pcm_blocks, piped_audio, printer
from asr.errors import AsrWarning, AudioError, ConfigError
from asr.networks.acoustic import AcousticModel
from asr.networks.acoustic_config import AcousticConfig
from asr.networks.model_directory import RecognizerConfig
from asr.networks.unidirectional_network import UnidirectionalNetwork
from asr.recognizer import Recognizer
from asr.results import Partial
from asr.streaming import _Reader

SPLITS = st.lists(st.integers(0, 30_000), min_size=1, max_size=8)


@pytest.fixture(scope="module")
def en_small() -> Recognizer:
    return Recognizer.load("en-small")


@pytest.fixture(scope="module")
def unidirectional(tmp_path_factory: pytest.TempPathFactory) -> Recognizer:
    """A small unidirectional recogniser with random weights."""
    keras.utils.set_random_seed(7)
    shape = AcousticConfig(units=8, layers=2, bidirectional=False, look_ahead=5)
    folder = tmp_path_factory.mktemp("unidirectional")
    config = RecognizerConfig("unidirectional", acoustic=shape)
    Recognizer(config, AcousticModel(shape, 39, 29)).save(folder, "")
    return Recognizer.load(folder)


@pytest.fixture(params=["tiny", "unidirectional"], scope="module")
def either(request: pytest.FixtureRequest) -> Recognizer:
    """A recogniser that reads in both directions, and one that does not."""
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


def pieces(samples: np.ndarray, sizes: list[int]) -> Iterator[np.ndarray]:
    """The samples in pieces of these sizes, then the rest."""
    start = 0
    for size in sizes:
        yield samples[start : start + size]
        start += size
    yield samples[start:]


@settings(max_examples=25)
@given(sizes=SPLITS, rate=st.sampled_from([8000, 16_000, 44_100]), stereo=st.booleans())
def test_any_pieces_give_the_same_samples_and_features(
    sizes: list[int], rate: int, stereo: bool
) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, (3 * rate, 1 + stereo)).astype(np.float32)
    whole, split = MonoStream(rate, 16_000), MonoStream(rate, 16_000)
    expected = np.concatenate([whole.feed(samples), whole.finish()])
    parts = [split.feed(piece) for piece in pieces(samples, sizes)] + [split.finish()]
    np.testing.assert_array_equal(np.concatenate(parts), expected)
    stream = MfccStream(FeatureConfig())
    frames = np.concatenate([stream.feed(part) for part in parts])
    np.testing.assert_allclose(frames, mfcc(expected, FeatureConfig()), atol=1e-5)
    assert stream.count == len(expected) == 3 * 16_000


def test_moments_of_two_parts_are_those_of_both() -> None:
    features = np.random.default_rng(0).normal(3, 2, (300, 4)).astype(np.float32)
    features[100:] += 5
    combined = Moments.of(features[:100]).combined(Moments.of(features[100:]))
    both = Moments.of(features)
    assert combined.count == both.count == 300
    np.testing.assert_allclose(combined.mean, both.mean, rtol=1e-5)
    np.testing.assert_allclose(combined.std, both.std, rtol=1e-5)
    config = FeatureConfig()
    alone = normalise(features, config)[:100]
    np.testing.assert_allclose(
        normalise(features[:100], config, Moments.of(features[100:])), alone, atol=1e-4
    )


def run(
    recognizer: Recognizer, samples: np.ndarray, sizes: list[int], **settings: float | int
) -> list[Partial]:
    stream = recognizer.stream(**settings)  # type: ignore[arg-type]
    results = [result for piece in pieces(samples, sizes) for result in stream.feed(piece)]
    return results + stream.finish()


def speech(goforward: Path, times: int = 3, gap: float = 0.5) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 1e-3, round(gap * 16_000)).astype(np.float32)
    return np.concatenate([read_audio(goforward), noise] * times)


def test_finals_are_the_transcript_and_partials_lead_to_them(
    en_small: Recognizer, goforward: Path
) -> None:
    results = run(en_small, speech(goforward), [4000] * 40, chunk=0.5, look_ahead=10.0)
    finals = [r for r in results if r.final]
    # Each repetition is ended by the pause behind it.
    assert len(finals) == 3 and all(r.tokens and r.pause for r in finals)
    for i, final in enumerate(finals):
        begin = i * (2.786 + 0.5)
        assert begin + 0.3 < final.start < final.end < begin + 2.5
        assert len(final.text.split()) == pytest.approx(4, abs=1)
        assert " ".join(word.text for word in final.words) == final.text
        assert (final.words[0].start, final.words[-1].end) == (final.start, final.end)
        assert all(0 < word.confidence < 1 for word in final.words)
    partials = [r for r in results if not r.final]
    assert len(partials) >= 6 and len({r.text for r in partials}) >= 6
    times = [t for r in finals for token in r.tokens for t in (token.start, token.end)]
    assert times == sorted(times) and times[-1] <= 3 * 3.286


def test_a_short_look_ahead_makes_words_final_before_the_pause(
    en_small: Recognizer, goforward: Path
) -> None:
    samples = speech(goforward)
    sizes = [1600] * 200

    def first_final(look_ahead: float) -> float:
        stream = en_small.stream(0.1, look_ahead)
        for piece in pieces(samples, sizes):
            if any(result.final for result in stream.feed(piece)):
                return stream.position
        raise AssertionError("nothing became final")

    assert first_final(0.3) < 1.9 < first_final(5.0)
    finals = [r for r in run(en_small, samples, sizes, chunk=0.1, look_ahead=0.3) if r.final]
    assert len(finals) > 6
    # Each repetition ends with its pause, whether anything was left to say then or not.
    assert sum(r.pause for r in finals) == 3 and finals[-1].pause
    assert all(r.text or r.pause for r in finals)
    assert all(a.end <= b.start for a, b in pairwise(finals))
    count = len(" ".join(r.text for r in finals).split())
    assert count == pytest.approx(12, abs=3)


@settings(max_examples=8)
@given(sizes=SPLITS)
def test_any_pieces_give_the_same_results(
    either: Recognizer, goforward: Path, sizes: list[int]
) -> None:
    samples = speech(goforward, 2)
    expected = run(either, samples, [], chunk=0.6, look_ahead=1.0)
    assert run(either, samples, sizes, chunk=0.6, look_ahead=1.0) == expected
    assert any(r.final for r in expected) and any(not r.final for r in expected)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of frames that unidirectional networks read."""
    frames: list[int] = []
    advance = UnidirectionalNetwork.advance

    def counted(self: UnidirectionalNetwork, features: np.ndarray, state: np.ndarray) -> object:
        frames.append(features.shape[1])
        return advance(self, features, state)

    monkeypatch.setattr(UnidirectionalNetwork, "advance", counted)
    return frames


def test_a_unidirectional_network_reads_each_frame_once(
    unidirectional: Recognizer, goforward: Path, read: list[int]
) -> None:
    samples = np.concatenate([read_audio(goforward)[4000:30_000]] * 8)  # 13 s without a pause
    stream, total = unidirectional.stream(0.1, 1.0), 0
    for start in range(0, len(samples), 1600):
        read.clear()
        stream.feed(samples[start : start + 1600])
        if start > 4 * 16_000:  # before, the normalisation is not settled
            assert sum(read) in (0, 10)
            total += sum(read)
    assert total == pytest.approx(len(samples) / 160 - 400, abs=50)


def test_of_several_utterances_in_a_chunk_each_is_read_once(
    unidirectional: Recognizer, goforward: Path, read: list[int]
) -> None:
    samples = speech(goforward, times=5, gap=1.0)
    run(unidirectional, samples, [], chunk=20.0, look_ahead=1.0)
    assert len(samples) / 160 / 2 < sum(read) < len(samples) / 160


def test_reading_on_gives_the_logits_of_reading_at_once(
    unidirectional: Recognizer, goforward: Path
) -> None:
    """Whatever the chunks and the drops, each row is that of its frame."""
    config = unidirectional.config
    network, stride = unidirectional.network, config.acoustic.stride
    features = np.random.default_rng(2).normal(size=(400, 39)).astype(np.float32)
    expected = network.logits(features[None], np.array([400], np.int32))[0]
    known = Moments(1000, np.zeros(39), np.ones(39))
    for drops in ([0] * 8, [0, 3, 0, 10, 5, 0, 20, 1]):
        before = RecentMoments(config.features)
        reader, start = _Reader(unidirectional, before, 300), 0
        for i, drop in enumerate(drops):
            end = 50 * (i + 1)
            logits = reader.read(features[start * stride : end], known, None)
            rows = (end - 4) // stride - config.acoustic.look_ahead - start
            assert len(logits) == rows
            np.testing.assert_allclose(logits, expected[start : start + rows], atol=1e-5)
            reader.drop(drop)
            start += drop
        rest = reader.read(features[start * stride :], known, len(expected) - start)
        np.testing.assert_allclose(rest, expected[start:], atol=1e-5)
    # Frames without logits are dropped: the network starts at the first frame that is left.
    reader = _Reader(unidirectional, RecentMoments(config.features), 300)
    logits = reader.read(features[:100], known, None)
    reader.drop(len(logits) + 2)
    start = (len(logits) + 2) * stride
    logits = reader.read(features[start:200], known, None)
    anew = network.logits(features[None, start:], np.array([400 - start], np.int32))[0]
    np.testing.assert_allclose(logits, anew[: len(logits)], atol=1e-5)
    assert len(logits) > 20


def test_a_cough_does_not_settle_the_normalisation(
    unidirectional: Recognizer, read: list[int]
) -> None:
    """Until three seconds of speech are known, the network reads an utterance again."""
    config = unidirectional.config.features
    before = RecentMoments(config)
    reader = _Reader(unidirectional, before, 300)
    features = np.random.default_rng(2).normal(size=(400, 39)).astype(np.float32)
    before.add(features[:20])
    for end, expected in ((100, 100), (200, 200), (270, 270), (350, 350), (400, 50)):
        read.clear()
        reader.read(features[:end], Moments.of(features[:end]), None)
        assert sum(read) == pytest.approx(expected, abs=6)


def test_small_chunks_give_the_final_results_of_large_ones(tmp_path: Path, goforward: Path) -> None:
    """Without normalisation, chunks change nothing that is final after a long look-ahead."""
    keras.utils.set_random_seed(7)
    shape = AcousticConfig(units=8, layers=2, bidirectional=False, look_ahead=5)
    network, rng = AcousticModel(shape, 39, 29), np.random.default_rng(7)
    for variable in network.trainable_variables:
        scale = 0.05 if variable.path.endswith("lstm_0/kernel") else 0.5
        variable.assign(scale * (variable + rng.normal(size=variable.shape)))
    config = RecognizerConfig("plain", FeatureConfig(normalise="none"), acoustic=shape)
    Recognizer(config, network).save(tmp_path, "")
    plain, samples = Recognizer.load(tmp_path), speech(goforward)
    small, large = (
        [r for r in run(plain, samples, [], chunk=chunk, look_ahead=20.0) if r.final]
        for chunk in (0.3, 12.0)
    )
    # The first utterance begins before the detector knows the background.
    assert [r.text for r in small[1:]] == [r.text for r in large[1:]]
    assert [r.tokens for r in small[1:]] == [r.tokens for r in large[1:]]
    assert sum(len(r.tokens) for r in large[1:]) > 20


def test_a_convolution_reads_again(tmp_path: Path, goforward: Path) -> None:
    shape = AcousticConfig("conv", filters=8, units=8, layers=1, bidirectional=False)
    Recognizer(RecognizerConfig("conv", acoustic=shape), AcousticModel(shape, 39, 29)).save(
        tmp_path, ""
    )
    recognizer = Recognizer.load(tmp_path)
    assert recognizer.logit_stream() is None
    assert any(r.final for r in run(recognizer, speech(goforward, 1), []))


def test_another_sample_rate_is_resampled(en_small: Recognizer, goforward: Path) -> None:
    from asr.audio.mono import resample

    samples = speech(goforward, 1)
    texts = [
        " ".join(r.text for r in run(en_small, x, [999] * 20, sample_rate=rate) if r.final)
        for rate, x in ((16_000, samples), (48_000, resample(samples, 16_000, 48_000)))
    ]
    assert texts[0] == texts[1] != ""


def test_memory_of_a_stream_is_bounded(either: Recognizer) -> None:
    stream = either.stream(5.0, 1.0)
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000 * 5)
    for i in range(20):  # loud and quiet by turns, faster than a pause: no end in sight
        level = 1 + 0.9 * np.sign(np.sin(np.arange(len(noise)) / 800 + i))
        stream.feed((noise * level).astype(np.float32))
        assert len(stream._recent) <= 3000 and len(stream._static) <= 3000
        assert stream._reader is None or len(stream._reader._logits) <= 1500
    silence = np.zeros(16_000 * 60, np.float32)
    stream.feed(silence)
    assert len(stream._static) <= 20


def test_silence_and_nothing_at_all_give_no_result(either: Recognizer) -> None:
    assert run(either, np.zeros(0, np.float32), []) == []
    assert either.stream().finish() == []
    assert run(either, np.zeros(300, np.float32), []) == []
    assert run(either, np.zeros(64_000, np.float32), []) == []


def test_impossible_settings_and_samples_are_errors(tiny: Recognizer) -> None:
    with pytest.raises(ConfigError, match=r"chunk must be 0\.05 to 20 seconds, found 0"):
        tiny.stream(chunk=0)
    with pytest.raises(ConfigError, match="look_ahead must be 0 to 20 seconds, found -1"):
        tiny.stream(look_ahead=-1)
    for rate in (0, 8):
        with pytest.raises(AudioError, match=f"stream: sample rate {rate} Hz"):
            tiny.stream(sample_rate=rate)
    with pytest.raises(AudioError, match=r"stream: samples that are not finite.* 1\.000 s"):
        stream = tiny.stream()
        stream.feed(np.zeros(16_000, np.float32))
        stream.feed(np.full(3, np.nan))


class Drips(io.RawIOBase):
    """A pipe that gives some bytes at a time."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self.data, self.sizes = data, sizes

    def read(self, limit: int = -1) -> bytes:
        size = self.sizes.pop(0) if self.sizes else len(self.data)
        given, self.data = self.data[:size], self.data[size:]
        return given


@given(
    values=st.lists(st.integers(-32768, 32767), min_size=1, max_size=40),
    sizes=st.lists(st.integers(1, 7), max_size=30),
    channels=st.integers(1, 3),
    encoding=st.sampled_from(["s16le", "f32le"]),
)
def test_samples_are_whole_wherever_reads_end(
    values: list[int], sizes: list[int], channels: int, encoding: str
) -> None:
    kind = {"s16le": "<i2", "f32le": "<f4"}[encoding]
    data = np.array(values, kind).tobytes() + b"\1"
    blocks = list(pcm_blocks(Drips(data, sizes), encoding, channels))  # type: ignore[arg-type]
    found = np.concatenate([np.zeros([0, channels], kind), *blocks])
    whole = len(values) - len(values) % channels
    np.testing.assert_array_equal(found.ravel(), np.array(values, kind)[:whole])


def test_unknown_encodings_are_errors() -> None:
    with pytest.raises(ConfigError, match=r"--encoding mp3: .*s16le, f32le"):
        pcm_blocks(io.BytesIO(), "mp3")
    with pytest.raises(ConfigError, match="--channels must be 1 or more, found 0"):
        pcm_blocks(io.BytesIO(), "s16le", 0)


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines_end_at_pauses_and_partials_rewrite_them_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    results = [
        Partial("go", False, 0, 1),
        Partial("go for", True, 0, 1),
        Partial("ward", False, 1, 2),
        Partial("ward", True, 1, 2),
        Partial("ten", True, 2, 3),
        Partial("", True, 3, 3, pause=True),
        Partial("me", True, 4, 5, pause=True),
        Partial("x" * 99, False, 5, 6),
    ]
    monkeypatch.setenv("COLUMNS", "12")
    screen, pipe, lines = Screen(), io.StringIO(), io.StringIO()
    for out, as_json in ((screen, False), (pipe, False), (lines, True)):
        show = printer(out, as_json)
        for result in results:
            show(result)
    shown = ["go", "go for", "go for ward", "go for ward", "go for ward\n", "ten", "ten\n", "me\n"]
    assert screen.getvalue() == "".join(CLEAR_LINE + line for line in [*shown, "x" * 11])
    assert pipe.getvalue() == "go for ward ten\nme\n"
    values = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [v["final"] for v in values] == [r.final for r in results]
    assert values[6] == {"text": "me", "final": True, "pause": True, "start": 4, "end": 5}


def test_an_error_comes_after_the_last_results(en_small: Recognizer, goforward: Path) -> None:
    blocks = [read_audio(goforward), np.full(3, np.nan, np.float32)]
    shown: list[Partial] = []
    with pytest.raises(AudioError, match="not finite"):
        listen(en_small.stream(5.0), blocks, shown.append)
    assert [r.final for r in shown] == [True] and " ten " in shown[0].text


def test_ctrl_c_ends_with_the_last_result_and_status_0(goforward: Path) -> None:
    command = [sys.executable, "-m", "asr", "listen", "--json", "--chunk", "0.5"]
    data = (read_audio(goforward) * 32768).astype("<i2").tobytes()
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(data[: len(data) // 2 * 2 - 9001])  # a sample is cut, the pipe stays open
    process.stdin.flush()
    lines = [process.stdout.readline()]  # it is listening now
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    lines += process.stdout.read().splitlines()
    assert process.wait() == 0
    results = [json.loads(line) for line in lines]
    assert results[-1]["final"] and not results[0]["final"]
    process.stdin.close()


@pytest.mark.parametrize("piped", [True, False])
def test_audio_on_stdin_may_have_a_header(tmp_path: Path, goforward: Path, piped: bool) -> None:
    samples = read_audio(goforward)
    path = tmp_path / "call.wav"
    soundfile.write(path, np.stack([samples, samples], axis=1)[::2], 8000, subtype="FLOAT")
    data = path.read_bytes()
    at = data.index(b"data") + 4
    path.write_bytes(data[:at] + bytes(4) + data[at + 4 :])  # as of a program that streams
    with path.open("rb") as file, pytest.warns(AsrWarning, match="--rate 44100 is not used.*8000"):
        rate, blocks = piped_audio(io.BytesIO(path.read_bytes()) if piped else file, 44_100)
        found = list(blocks)
    mono = np.concatenate([block.mean(axis=1) if block.ndim > 1 else block for block in found])
    assert rate == 8000
    np.testing.assert_array_equal(mono, samples[::2])


def test_a_file_on_stdin_is_read_as_the_file(tmp_path: Path) -> None:
    """A pipe cannot be searched for the index at the end of an M4A file, a file can."""
    noise = np.random.default_rng(0).normal(0, 0.1, 6 * 44_100)  # more than FFmpeg keeps
    path = zoo.encode(tmp_path / "x.m4a", noise, 44_100, "aac")
    with path.open("rb") as file:
        rate, blocks = piped_audio(file)
        samples = np.concatenate(list(blocks))
    assert rate == 44_100
    np.testing.assert_array_equal(samples, read_audio(path, 44_100))
    _, blocks = piped_audio(io.BytesIO(path.read_bytes()))
    with pytest.raises(AudioError, match=r"^-: .*asr transcribe -"):
        list(blocks)


def test_raw_samples_on_stdin_stay_as_they_are(goforward: Path) -> None:
    raw = (read_audio(goforward) * 32768).astype("<i2")
    rate, blocks = piped_audio(io.BytesIO(raw.tobytes()), 8000, "s16le", 2)
    np.testing.assert_array_equal(np.concatenate(list(blocks)), raw.reshape(-1, 2))
    assert rate == 8000
    _, blocks = piped_audio(io.BytesIO(b"\1\0\2"))  # shorter than any header
    assert np.concatenate(list(blocks)).tolist() == [[1]]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "stdin is empty"),
        ("Привет, как дела? Это не запись.\n".encode() * 3, "stdin is text.*asr transcribe -"),
        (b"/archive/one.wav\n/archive/two.wav\n", "stdin is text"),
        (b"%PDF-1.7\n\xff\xff\xff\xff" + bytes(99), "stdin is no audio: it is PDF"),
        (b"PK\3\4" + bytes(99), "stdin is no audio: it is a ZIP archive"),
    ],
)
def test_other_data_on_stdin_is_no_audio(data: bytes, message: str) -> None:
    with pytest.raises(AudioError, match=f"^-: {message}"):
        piped_audio(io.BytesIO(data))


def test_the_microphone_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(AudioError, match=r"pip install 'keras-asr-toolkit\[microphone\]'"):
        microphone_blocks()

    class PortAudioError(Exception):
        pass

    def none(kind: str) -> dict[str, float]:
        raise PortAudioError("Error querying device -1")

    fake = types.SimpleNamespace(PortAudioError=PortAudioError, query_devices=none)
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    with pytest.raises(AudioError, match="no microphone was found: Error querying device -1"):
        microphone_blocks()

    class InputStream:
        def __init__(self, samplerate, channels, dtype, callback):  # type: ignore[no-untyped-def]
            assert (samplerate, channels, dtype) == (44_100, 1, "float32")
            self.callback = callback

        def __enter__(self) -> None:
            buffer = np.ones([4, 1], np.float32)
            self.callback(buffer, 4, None, None)
            buffer[:] = 2  # PortAudio uses its memory again
            self.callback(buffer, 4, None, None)

        def __exit__(self, *_: object) -> None:
            pass

    fake.query_devices = lambda kind: {"default_samplerate": 44_100.0}
    fake.InputStream = InputStream
    rate, blocks = microphone_blocks()
    assert rate == 44_100
    assert [next(blocks)[0, 0], next(blocks)[0, 0]] == [1, 2]


def test_listening_to_a_terminal_says_what_to_do() -> None:
    leader, follower = os.openpty()
    ended = subprocess.run(
        [sys.executable, "-m", "asr", "listen"], stdin=follower, capture_output=True, text=True
    )
    os.close(leader)
    os.close(follower)
    assert ended.returncode == 1 and "--microphone" in ended.stderr
