"""Stdin of `asr transcribe -`: a recording, a list of names, or neither."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zoo

from asr.audio.signatures import HEAD_BYTES, is_audio
from asr.data import standard_input
from asr.data.inputs import find_recordings
from asr.errors import AudioError


def pipe(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_audio_of_every_format_is_recognised(tmp_path: Path) -> None:
    names = [*zoo.wrong_headers(tmp_path), *zoo.media(tmp_path)]
    missed = [n for n in names if not is_audio((tmp_path / n).read_bytes()[:HEAD_BYTES])]
    assert len(names) > 20 and missed == []


@pytest.mark.parametrize(
    "listed",
    [
        b"RIFF.wav\nWAVE.wav\n",
        b"ID3 tags.mp3\n",
        b"OggS.ogg\0fLaC.flac\0",
        "\ufeffä.wav\n".encode("utf-16"),
        b"\xe9.wav\n",
        b"a.wav",
        b"",
    ],
)
def test_lists_of_names_are_no_audio(listed: bytes) -> None:
    assert not is_audio(listed)


def test_raw_samples_are_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe(monkeypatch, zoo.speech().astype("<f4").tobytes())
    with pytest.raises(AudioError, match=r"neither a list of files nor audio.*asr listen"):
        standard_input.recording_or_names()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_recording_on_stdin_has_the_text_of_its_file(
    asr: Callable[..., tuple[int, str, str]],
    model: str,
    goforward: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
) -> None:
    common = ("-m", model, "--format", "json", "--workers", workers)
    _, out, _ = asr("transcribe", goforward, *common)
    expected = json.loads(out)
    pipe(monkeypatch, goforward.read_bytes())
    code, out, err = asr("transcribe", "-", *common)
    assert code == 0, err
    assert json.loads(out) == {**expected, "audio_filepath": "-"}
    pipe(monkeypatch, goforward.read_bytes())
    code, _, err = asr("transcribe", "-", *common, "--out", f"{tmp_path}/out/")
    assert code == 0, err
    assert json.loads((tmp_path / "out" / "stdin.json").read_text())["text"] == expected["text"]


def test_a_recording_on_stdin_is_refused_where_results_name_files(
    goforward: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe(monkeypatch, goforward.read_bytes())
    found, (failure,) = find_recordings(["-"], audio_on_stdin=False)
    assert found == [] and failure.error == "-: stdin is a recording; save it to a file first"


def test_errors_name_stdin_not_a_temporary_file(
    asr: Callable[..., tuple[int, str, str]],
    model: str,
    goforward: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipe(monkeypatch, goforward.read_bytes()[:44])
    code, out, err = asr("transcribe", "-", "-m", model)
    assert (code, out) == (1, "")
    assert "failed: -: " in err and "/asr-" not in err
