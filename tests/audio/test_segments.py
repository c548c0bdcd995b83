"""Segments of recordings: by seeking, by decoding from the start, and at the end of the file."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.audio import segments
from asr.audio.feature_cache import FeatureCache
from asr.audio.features import FeatureConfig, mfcc
from asr.audio.reading import read_audio, read_blocks
from asr.audio.segments import read_segment, segment_blocks
from asr.errors import AsrWarning, AudioError

RATE = 16_000


@pytest.fixture
def ramp(tmp_path: Path) -> Path:
    """Four seconds whose samples tell their place: 0 to 1, in two channels of opposite sign."""
    values = np.arange(4 * RATE) / (4 * RATE)
    path = tmp_path / "ramp.wav"
    soundfile.write(path, np.stack([values, -values], axis=1), RATE, subtype="FLOAT")
    return path


def test_a_segment_has_the_samples_from_its_offset_for_its_duration(ramp: Path) -> None:
    found = read_segment(ramp, RATE, 0, 1.5, 0.25)
    np.testing.assert_array_equal(found, read_audio(ramp, channel=0)[24_000:28_000])
    np.testing.assert_array_equal(read_segment(ramp, RATE, 1, 1.5, 0.25), -found)
    assert len(read_segment(ramp, 8_000, 0, 1.5, 0.25)) == 2_000


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_seeking_and_decoding_give_the_same_segment(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 3 * RATE)
    path = tmp_path / f"x.{suffix}"
    soundfile.write(path, noise, RATE)
    sought = read_segment(path, RATE, None, 1.2, 0.5)
    monkeypatch.setattr(segments, "_seek", lambda *_: None)
    np.testing.assert_allclose(read_segment(path, RATE, None, 1.2, 0.5), sought, atol=1e-6)
    np.testing.assert_allclose(sought, read_audio(path)[19_200:27_200], atol=1e-6)


def test_seeking_does_not_decode_the_rest(ramp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("decoded from the start")

    monkeypatch.setattr(segments, "read_blocks", refuse)
    assert len(read_segment(ramp, RATE, None, 3.0, 0.5)) == 8_000


def test_without_an_offset_a_duration_cuts_only_a_longer_recording(ramp: Path) -> None:
    whole = read_audio(ramp, channel=0)
    for duration in (0.0, 3.95, 4.0, 4.05, 9.0):
        np.testing.assert_array_equal(read_segment(ramp, RATE, 0, None, duration), whole)
    with pytest.warns(AsrWarning, match=r"ramp\.wav: only the first 1\.00 s are read"):
        np.testing.assert_array_equal(read_segment(ramp, RATE, 0, None, 1.0), whole[:RATE])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(read_segment(ramp, RATE, 0, 0.0, 1.0), whole[:RATE])
    np.testing.assert_array_equal(read_segment(ramp, RATE, 0, 3.0, 0.0), whole[3 * RATE :])


@pytest.mark.parametrize("offset", [None, 0.0, 1.0])
def test_warnings_go_to_the_caller(ramp: Path, offset: float | None) -> None:
    found: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        samples = read_segment(ramp, RATE, None, offset, 1.0, found.append)
    assert len(samples) == RATE
    assert "channels cancel" in found[0] and "ramp.wav" in found[0]
    assert ["only the first 1.00 s" in message for message in found[1:]] == [True] * (
        offset is None
    )


def test_segments_lie_right_although_the_header_is_wrong(tmp_path: Path) -> None:
    values = np.arange(4 * RATE) / (4 * RATE)
    path = tmp_path / "half.wav"
    soundfile.write(path, values, RATE, subtype="FLOAT")
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = (2 * RATE * 4).to_bytes(4, "little")  # two of four seconds
    path.write_bytes(content)
    found: list[str] = []
    for offset, duration, stop in ((1.0, 2.0, 3.0), (2.5, 1.0, 3.5), (1.0, 0.0, 4.0)):
        samples = read_segment(path, RATE, None, offset, duration, found.append)
        expected = values[round(offset * RATE) : round(stop * RATE)].astype(np.float32)
        np.testing.assert_array_equal(samples, expected)


def test_a_segment_of_joined_recordings_counts_through_all(tmp_path: Path) -> None:
    values = np.arange(2 * RATE) / (2 * RATE)
    soundfile.write(tmp_path / "one.flac", values, RATE)
    path = tmp_path / "joined.flac"
    path.write_bytes(2 * (tmp_path / "one.flac").read_bytes())
    whole = read_audio(path)
    for offset, duration in ((0.5, 1.0), (1.5, 1.0), (2.5, 1.0)):
        found = read_segment(path, RATE, None, offset, duration, lambda _: None)
        start = round(offset * RATE)
        np.testing.assert_array_equal(found, whole[start : start + round(duration * RATE)])


@pytest.mark.parametrize("suffix", ["wav", "mp3"])
def test_segments_that_follow_each_other_are_decoded_once(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"talk.{suffix}"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 60 * 8000), 8000)
    if suffix == "wav":  # one of 60 seconds, according to the header
        data = path.read_bytes()
        path.write_bytes(data[:40] + (16_000).to_bytes(4, "little") + data[44:])
    whole = read_audio(path, 8000, warn=lambda _: None)
    decoded = 0

    def counting(*arguments: object) -> Iterator[np.ndarray]:
        nonlocal decoded
        for block in read_blocks(*arguments):  # type: ignore[arg-type]
            decoded += len(block)
            yield block

    monkeypatch.setattr(segments, "read_blocks", counting)
    warned: list[list[str]] = []
    for offset in (0.0, 1.0, 0.5, 20.0, 19.0, 45.0, 57.5):
        warned.append([])
        found = read_segment(path, 8000, None, offset, 2.5, warned[-1].append)
        at = round(8000 * offset)
        np.testing.assert_array_equal(found, whole[at : at + 20_000])
    assert decoded == len(whole)
    next(segment_blocks(path, 8000, None, 57.0, 1.0))  # a reader may stop
    assert decoded == len(whole)
    read_segment(path, 8000, None, 1.0, 1.0)  # far back: again from the start
    assert len(whole) < decoded < 1.5 * len(whole)
    soundfile.write(path, np.zeros(8000 * 3), 8000, format=suffix)  # another recording
    assert not read_segment(path, 8000, None, 1.5, 1.0).any()


def test_readers_of_the_same_recording_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "talk.mp3"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 20 * RATE), RATE)
    whole = read_audio(path)
    readers = [segment_blocks(path, RATE, None, offset, 10.0) for offset in (1.0, 8.0)]
    found: list[list[np.ndarray]] = [[], []]
    for blocks in zip_longest(*readers):
        for pieces, block in zip(found, blocks, strict=True):
            if block is not None:
                pieces.append(block)
    for pieces, start in zip(found, (RATE, 8 * RATE), strict=True):
        np.testing.assert_array_equal(np.concatenate(pieces), whole[start : start + 10 * RATE])


@pytest.mark.parametrize("offset, duration", [(3.0, 1.5), (4.5, 1.0), (0.0, 5.0)])
def test_a_segment_behind_the_end_is_an_error(ramp: Path, offset: float, duration: float) -> None:
    with pytest.raises(AudioError, match=rf"ramp\.wav, {offset:.2f} s to .*ends behind .*4\.00 s"):
        read_segment(ramp, RATE, None, offset, duration)


def test_segments_may_end_a_little_behind_the_end_but_not_be_too_short(ramp: Path) -> None:
    assert len(read_segment(ramp, RATE, None, 3.5, 0.55)) == 8_000
    for offset in (0.0, 1.0):
        with pytest.raises(AudioError, match=r"ramp\.wav, .*too short: 20 ms"):
            read_segment(ramp, RATE, None, offset, 0.02)


def test_segments_of_a_recording_have_cache_files_of_their_own(ramp: Path, tmp_path: Path) -> None:
    config = FeatureConfig()
    whole = mfcc(read_audio(ramp), config)
    cache = tmp_path / "cache"
    for _ in range(2):
        for offset, duration, channel in (
            (1.0, 1.0, 0),
            (2.0, 1.0, 0),
            (2.0, 1.0, 1),
            (None, 1.0, None),
            (None, 4.0, None),
        ):
            found = FeatureCache(cache, config).static(ramp, offset, duration, channel)
            samples = read_segment(ramp, config.sample_rate, channel, offset, duration)
            np.testing.assert_array_equal(found, mfcc(samples, config))
        np.testing.assert_array_equal(FeatureCache(cache, config).static(ramp), whole)
