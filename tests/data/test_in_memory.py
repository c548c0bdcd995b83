from __future__ import annotations

import io
import tempfile
from array import array
from collections import deque
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.audio.reading import read_audio
from asr.errors import AudioError
from asr.recognizer import Recognizer
from asr.results import Failure, Transcript


def same(found: Transcript, expected: Transcript) -> bool:
    """Whether all but the name is equal."""
    return (found.text, found.score, found.tokens, found.duration, found.channel) == (
        expected.text,
        expected.score,
        expected.tokens,
        expected.duration,
        expected.channel,
    )


@pytest.fixture(scope="module")
def expected(tiny: Recognizer, goforward: Path) -> Transcript:
    return tiny.transcribe(goforward)


def test_bytes_and_file_objects_are_read_as_their_file(
    tiny: Recognizer, goforward: Path, expected: Transcript
) -> None:
    data = goforward.read_bytes()
    for audio in (data, bytearray(data), memoryview(data), io.BytesIO(data)):
        found = tiny.transcribe(audio)
        assert same(found, expected) and found.audio_filepath is None
    with goforward.open("rb") as file:
        found = tiny.transcribe(file)
        assert same(found, expected) and found.audio_filepath == str(goforward)
        assert not file.closed
        file.seek(0)
        align = tiny.align(file, "go")
    assert align.tokens == tiny.align(goforward, "go").tokens


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3"])
def test_every_format_is_read_from_memory(tiny: Recognizer, tmp_path: Path, kind: str) -> None:
    sound = np.random.default_rng(3).normal(0, 0.1, (16_000, 2)).astype(np.float32)
    path = tmp_path / f"noise.{kind}"
    soundfile.write(path, sound, 16_000)
    for channel in (None, 1):
        expected = tiny.transcribe(path, channel=channel)
        assert same(tiny.transcribe(path.read_bytes(), channel=channel), expected)


class Pipe(io.RawIOBase):
    """A stream that cannot seek and returns a few bytes at a time, as a socket."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        return self._data.read(min(size, 999) if size > 0 else -1)


def test_a_stream_that_cannot_seek_is_read_to_its_end(
    tiny: Recognizer, goforward: Path, expected: Transcript
) -> None:
    assert same(tiny.transcribe(Pipe(goforward.read_bytes())), expected)


def test_a_file_is_read_from_its_position(
    tiny: Recognizer, goforward: Path, expected: Transcript
) -> None:
    file = io.BytesIO(b"HTTP/1.1 200\r\n\r\n" + goforward.read_bytes())
    file.seek(16)
    assert same(tiny.transcribe(file), expected)
    with pytest.raises(AudioError, match=r"file object: .*seek\(0\)"):
        tiny.transcribe(file)  # it is at its end now


def test_lists_of_floats_are_samples(
    tiny: Recognizer, goforward: Path, expected: Transcript
) -> None:
    samples = read_audio(goforward)
    floats = samples.tolist()
    for audio in (floats, tuple(floats), list(samples), deque(floats), array("f", floats)):
        assert same(tiny.transcribe(audio), expected)
    assert same(tiny.transcribe(x for x in floats), expected)
    assert same(tiny.transcribe(array("h", np.round(samples * 32768).astype(int))), expected)
    low = tiny.transcribe(floats[::2], sample_rate=8000)
    assert low.duration == pytest.approx(expected.duration, abs=1e-3)


def test_a_list_may_mix_recordings_of_all_kinds(
    tiny: Recognizer, goforward: Path, expected: Transcript
) -> None:
    samples = read_audio(goforward)
    data = goforward.read_bytes()
    found = tiny.transcribe([str(goforward), data, io.BytesIO(data), samples, samples.tolist()])
    assert [same(f, expected) or f.text == expected.text for f in found] == [True] * 5
    assert [f.audio_filepath for f in found] == [str(goforward), None, None, None, None]
    assert tiny.transcribe([]) == []
    lists = tiny.transcribe([samples.tolist(), samples.tolist()])  # two recordings, not channels
    assert [f.text for f in lists] == [expected.text] * 2


class Tensor:
    """As a tensor of another library."""

    def __init__(self, values: np.ndarray) -> None:
        self._values = values

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        return self._values


def test_tensors_are_samples(tiny: Recognizer, goforward: Path, expected: Transcript) -> None:
    assert same(tiny.transcribe(Tensor(read_audio(goforward))), expected)


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        (b"", "bytes: empty"),
        (b"no audio, but text" * 99, "bytes: not readable as audio"),
        (io.BytesIO(), r"file object: empty.*seek\(0\)"),
        (io.StringIO("text"), "file object: .*bytes.*'rb'"),
        ([0, 1, 2] * 9999, "samples: .*whole numbers.*floats"),
        ([0.5, "a"] * 9999, "samples: .*numbers only"),
        ([0.5, [0.5]], "samples: .*numbers only"),
        ([0.5] * 99, "samples: too short"),
        ([float("nan")] * 9999, "samples: .*not finite"),
        (7, "found int"),
        (None, "found NoneType"),
        ({"array": np.zeros(9999), "sampling_rate": 16_000}, "found dict"),
    ],
)
def test_what_is_no_recording_is_named(tiny: Recognizer, audio: object, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        tiny.transcribe(audio)  # type: ignore[call-overload]


def test_a_wrong_item_fails_alone(tiny: Recognizer, goforward: Path, expected: Transcript) -> None:
    with goforward.open(encoding="latin-1") as text, goforward.open("rb") as closed:
        closed.close()
        found = tiny.transcribe([None, goforward, text, closed, b"?"])  # type: ignore[list-item]
    assert [isinstance(f, Failure) for f in found] == [True, False, True, True, True]
    assert found[0].audio_filepath == "input 0" and "NoneType" in found[0].error
    assert found[2].error.startswith(f"{goforward}: ") and "'rb'" in found[2].error
    assert found[3].error.startswith(f"{goforward}: ") and "closed" in found[3].error
    assert found[4].audio_filepath == "input 4" and found[4].error.startswith("bytes: ")


def test_temporary_files_are_named_nowhere_and_removed(
    tiny: Recognizer, goforward: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    tiny.transcribe(goforward.read_bytes())
    with pytest.raises(AudioError) as caught:
        tiny.transcribe(io.BytesIO(b"?" * 99))
    assert str(tmp_path) not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(AudioError, match=r"bytes: .*nowhere.*TMPDIR"):
        tiny.transcribe(b"?" * 99)
