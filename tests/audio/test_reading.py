from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import zoo

from asr.audio.find_audio import find_audio
from asr.audio.mono import resample, to_mono
from asr.audio.reading import probe, read_audio, read_blocks
from asr.errors import AudioError


def test_errors_of_bad_files_have_name_and_reason(tmp_path: Path) -> None:
    for name, reason in zoo.bad(tmp_path).items():
        with pytest.raises(AudioError) as caught:
            read_audio(tmp_path / name)
        assert name in str(caught.value)
        assert reason in str(caught.value)


def test_unusual_files_have_the_same_samples(tmp_path: Path) -> None:
    expected = zoo.speech().astype(np.float32)
    tolerance = {"8bit.wav": 0.01, "ulaw.wav": 0.03, "ogg.ogg": 0.05}
    for name, seconds in zoo.unusual(tmp_path).items():
        samples = read_audio(tmp_path / name)
        assert samples.dtype == np.float32
        assert len(samples) == pytest.approx(seconds * 16_000, abs=1)
        if name == "silence.wav":
            assert not samples.any()
        else:
            inside = slice(200, 15_800)  # resampling rings at the ends
            np.testing.assert_allclose(
                samples[inside], expected[inside], atol=tolerance.get(name, 1e-3), err_msg=name
            )


def test_resampling_keeps_frequency_and_amplitude() -> None:
    time = np.arange(44_100) / 44_100
    tone = (0.5 * np.sin(2 * np.pi * 1000 * time)).astype(np.float32)
    samples = resample(tone, 44_100, 16_000)
    assert len(samples) == 16_000
    spectrum = np.abs(np.fft.rfft(samples)) / 8000
    assert spectrum.argmax() == 1000
    assert spectrum.max() == pytest.approx(0.5, abs=0.005)


def test_channels_are_mixed_or_picked() -> None:
    left, right = np.full(1600, 0.2), np.full(1600, -0.6)
    both = np.stack([left, right], axis=1)
    np.testing.assert_allclose(to_mono(both, 16_000, 16_000, None, "x"), -0.2, atol=1e-6)
    np.testing.assert_allclose(to_mono(both, 16_000, 16_000, 1, "x"), -0.6, atol=1e-6)
    with pytest.raises(AudioError, match=r"call\.wav: no channel 2"):
        to_mono(both, 16_000, 16_000, 2, "call.wav")


def test_integer_samples_are_scaled_by_their_type() -> None:
    samples = np.full(1600, -(2**14), np.int16)
    np.testing.assert_array_equal(to_mono(samples, 16_000, 16_000, None, "x"), np.full(1600, -0.5))


@pytest.mark.parametrize("kind", ["uint8", "uint16", "int8", "int32"])
def test_every_integer_type_has_its_own_range(kind: str) -> None:
    info = np.iinfo(kind)
    samples = np.tile(np.array([info.min, info.max], kind), 800)
    scaled = to_mono(samples, 16_000, 16_000, None, "x")
    assert scaled[0] == -1 and scaled[1] == pytest.approx(1, abs=0.01)
    assert 0 <= scaled[1] <= 1


@pytest.mark.parametrize("kind", ["int64", "complex64", "bool", "object"])
def test_other_types_of_samples_are_errors(kind: str) -> None:
    with pytest.raises(AudioError, match=f"x: .*{kind}"):
        to_mono(np.ones(1600, kind), 16_000, 16_000, None, "x")


def test_the_error_for_transposed_samples_has_their_shape() -> None:
    with pytest.raises(AudioError, match=r"x: too short: .*\(2, 1600\)"):
        to_mono(np.zeros([2, 1600]), 16_000, 16_000, None, "x")


def test_a_recording_of_thirty_minutes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, np.zeros(30 * 60 * 8000, np.int16), 8000)
    assert probe(path).duration == 1800
    assert len(read_audio(path)) == 30 * 60 * 16_000


def test_joined_blocks_equal_the_whole_recording(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, (441_000, 2)).astype(np.float32)
    path = tmp_path / "stereo.wav"
    soundfile.write(path, samples, 44_100, subtype="FLOAT")
    for channel, mono in ((None, samples.mean(axis=1)), (1, samples[:, 1])):
        blocks = list(read_blocks(path, 16_000, channel))
        assert len(blocks) >= 7 and max(map(len, blocks)) <= 30_000
        expected = resample(np.ascontiguousarray(mono), 44_100, 16_000)
        np.testing.assert_array_equal(np.concatenate(blocks), expected)
        np.testing.assert_array_equal(read_audio(path, 16_000, channel), expected)


def test_samples_that_are_not_finite_are_found_with_their_time(tmp_path: Path) -> None:
    samples = np.zeros(441_000, np.float32)
    samples[352_800] = np.inf
    soundfile.write(tmp_path / "inf.wav", samples, 44_100, subtype="FLOAT")
    blocks = read_blocks(tmp_path / "inf.wav")
    assert len(next(blocks))
    with pytest.raises(AudioError, match=r"inf\.wav: .*not finite.* 8\.000 s"):
        list(blocks)


def test_find_audio_expands_folders_and_globs(tmp_path: Path) -> None:
    names = ("a.wav", "b/c.FLAC", "b/d.txt")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find_audio([str(tmp_path)]) == [tmp_path / "a.wav", tmp_path / "b/c.FLAC"]
    assert find_audio([str(tmp_path / "*.wav")]) == [tmp_path / "a.wav"]
    assert find_audio([str(tmp_path / "x.wav")]) == [tmp_path / "x.wav"]
    with pytest.raises(AudioError, match=r"\*\.mp3: "):
        find_audio([str(tmp_path / "*.mp3")])
    (tmp_path / "b/._c.flac").touch()  # a file of macOS, without audio
    (tmp_path / "b/back").symlink_to(tmp_path)
    (tmp_path / "more").mkdir()
    (tmp_path / "more/e.ogg").touch()
    (tmp_path / "b/more").symlink_to(tmp_path / "more")
    # Each file once, though links lead to it too.
    assert [p.name for p in find_audio([str(tmp_path / "b")])] == ["a.wav", "e.ogg", "c.FLAC"]
    assert find_audio([str(tmp_path / "m*")]) == [tmp_path / "more/e.ogg"]
    with pytest.raises(AudioError, match="empty path"):
        find_audio([""])
    (tmp_path / "none").mkdir()
    with pytest.raises(AudioError, match=r"none: .*no recordings.*\.flac"):
        find_audio([str(tmp_path / "none")])


def test_a_folder_that_cannot_be_listed_does_not_hide_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "open").mkdir()
    soundfile.write(tmp_path / "open" / "a.wav", zoo.speech(), zoo.RATE)

    # Tests may run as root, which may list any folder. So make the functions raise the error.
    def refuse(function):  # type: ignore[no-untyped-def]
        def call(path="."):  # type: ignore[no-untyped-def]
            if Path(path).name == "closed":
                raise PermissionError(13, "Permission denied", str(path))
            return function(path)

        return call

    monkeypatch.setattr("os.scandir", refuse(os.scandir))
    monkeypatch.setattr("os.listdir", refuse(os.listdir))
    found = find_audio([str(tmp_path)])
    assert found == [tmp_path / "closed", tmp_path / "open" / "a.wav"]
    with pytest.raises(AudioError, match=r"closed: .*Permission denied"):
        read_audio(found[0])
    assert len(read_audio(found[1])) == 16_000
