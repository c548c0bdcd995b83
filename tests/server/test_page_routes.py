"""The requests of the page: transcripts with the files of `asr transcribe`, and timed speech."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from pool_work import tone
from speech_server import Running, multipart, run_server
from typer.testing import CliRunner

from asr.cli.app import app
from asr.recognizer import Recognizer
from asr.server.page_routes import DOWNLOADS


def transcript(
    server: Running, content: bytes, name: str, **fields: str
) -> tuple[int, dict[str, Any]]:
    body, kind = multipart(fields, content, name)
    status, _, answer = server.request("POST", "/page/transcripts", body, {"Content-Type": kind})
    *heard, last = [json.loads(line) for line in answer.splitlines()]
    assert all(line.keys() == {"heard"} for line in heard)
    return status, last


def test_the_files_are_those_of_the_command(
    server: Running, goforward: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, found = transcript(server, goforward.read_bytes(), goforward.name)
    assert status == 200
    assert found["text"] == "oh furwor ten meaters"
    assert found["duration"] == 2.78625
    assert list(found["files"]) == list(DOWNLOADS)
    monkeypatch.chdir(goforward.parent)
    greedy = ["transcribe", "--model", "en-small", "--lm", "none"]
    for format, content in found["files"].items():
        expected = CliRunner().invoke(app, [*greedy, goforward.name, "--format", format])
        assert expected.exit_code == 0
        assert content == expected.stdout


def test_words_have_times_and_confidences(
    server: Running, small: Recognizer, goforward: Path
) -> None:
    words = transcript(server, goforward.read_bytes(), "a.wav")[1]["words"]
    for word, expected in zip(words, small.transcribe(goforward).words, strict=True):
        assert (word["word"], word["confidence"]) == (expected.text, round(expected.confidence, 4))
        assert abs(word["start"] - expected.start) <= 0.0005
        assert abs(word["end"] - expected.end) <= 0.0005


def test_doubtful_words_have_other_spellings(server: Running, goforward: Path) -> None:
    words = transcript(server, goforward.read_bytes(), "a.wav")[1]["words"]
    spellings = {word["word"]: word["spellings"] for word in words}
    assert spellings["ten"] == []
    assert "neaters" in [spelling["text"] for spelling in spellings["meaters"]]
    assert all(0.03 <= s["probability"] < 1 for found in spellings.values() for s in found)


def test_hot_words_are_favoured(server: Running, goforward: Path) -> None:
    found = transcript(server, goforward.read_bytes(), "a.wav", prompt="meters")[1]
    assert found["text"] == "oh furwor ten meters"


def test_the_text_of_a_long_recording_comes_while_it_is_found(
    server: Running, goforward: Path, tmp_path: Path
) -> None:
    samples, rate = soundfile.read(goforward, dtype="int16")
    soundfile.write(tmp_path / "long.wav", np.tile(samples, 20), rate)
    body, kind = multipart({}, (tmp_path / "long.wav").read_bytes(), "long.wav")
    answer = server.request("POST", "/page/transcripts", body, {"Content-Type": kind})[2]
    *heard, last = [json.loads(line) for line in answer.splitlines()]
    assert len(heard) >= 2
    assert all(last["text"].startswith(line["heard"].rpartition(" ")[0]) for line in heard[:1])
    assert all(len(line["heard"]) <= 200 for line in heard)
    assert len(last["words"]) > 60


def test_an_error_behind_the_first_text_is_a_line(small: Recognizer, goforward: Path) -> None:
    samples, rate = soundfile.read(goforward, dtype="int16")
    file = io.BytesIO()
    soundfile.write(file, np.tile(samples, 30), rate, format="WAV")
    with run_server(small, voice=None, workers=1, max_duration=70) as server:
        status, last = transcript(server, file.getvalue(), "long.wav")
    assert status in (200, 413)  # 200 if a text was sent before
    assert last["error"]["message"].startswith("long.wav: longer than 70 s")
    assert last["error"]["code"] == "audio_too_long"


def test_a_bad_file_is_named(server: Running) -> None:
    for name in ("notes.txt", "한국어.wav", "<b>.mp3"):
        status, found = transcript(server, b"no audio at all", name)
        assert status == 400
        assert found["error"]["message"].startswith(f"{name}: not readable as audio: ")
        assert "/tmp" not in found["error"]["message"]


def test_about_names_the_models(server: Running) -> None:
    about = json.loads(server.request("GET", "/page/about")[2])
    assert about == {"model": "en-small", "language": "en", "voice": "en-kathleen"}


def test_speech_has_its_words_and_phones(server: Running) -> None:
    asked = json.dumps({"input": "two x", "speed": 2}).encode()
    status, _, body = server.request("POST", "/page/speech", asked)
    found = json.loads(body)
    assert (status, found["sample_rate"], found["warnings"]) == (200, 22_050, ["a warning"])
    assert found["words"] == [
        {"word": "two", "start": 0.0, "end": 0.25, "phones": list("two")},
        {"word": "x", "start": 0.25, "end": 0.5, "phones": ["x"]},
    ]
    samples = np.frombuffer(base64.b64decode(found["samples"]), "<i2")
    expected = np.concatenate([tone(0, 2), tone(1, 2)])
    np.testing.assert_allclose(samples / 32767, expected, atol=1 / 32767)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"input": " "}, "nothing to speak"),
        ({}, "input: a text is needed"),
        ({"input": "a" * 5000}, "input: 5000 characters"),
        ({"input": "a", "speed": 9}, "speed: a number from 0.25 to 4"),
    ],
)
def test_texts_that_cannot_be_spoken(server: Running, asked: object, message: str) -> None:
    status, _, body = server.request("POST", "/page/speech", json.dumps(asked).encode())
    assert status == 400
    assert json.loads(body)["error"]["message"].startswith(message)


def test_without_a_voice_there_is_no_speech(small: Recognizer) -> None:
    with run_server(small, voice=None, workers=1) as server:
        assert server.request("POST", "/page/speech", b'{"input": "a"}')[0] == 404
        assert json.loads(server.request("GET", "/page/about")[2])["voice"] is None
