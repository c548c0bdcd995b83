"""OpenAI's own client hears what the voice says, in every format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
from openai import OpenAI
from pool_work import tone
from speech_server import Running, run_server

from asr.audio.reading import read_audio
from asr.recognizer import Recognizer
from asr.server.speech_encoder import SPEECH_FORMATS, SpeechEncoder
from asr.server.speech_worker import do_speech_task

TEXT = "One. Two. Three."
PATH = "/v1/audio/speech"


def speak(client: OpenAI, **options: Any) -> bytes:
    asked: dict[str, Any] = {"model": "tts-1", "voice": "alloy", "input": TEXT, **options}
    return client.audio.speech.create(**asked).content


def test_wav_has_the_samples_of_the_voice(client: OpenAI, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(speak(client, response_format="wav"))
    found = read_audio(tmp_path / "a.wav", 22_050)
    expected = np.concatenate([tone(0), tone(1), tone(2)])
    np.testing.assert_allclose(found, expected, atol=1 / 32768)


@pytest.mark.parametrize("format", ["mp3", "opus", "aac", "flac"])
def test_compressed_formats_sound_the_same(format: str, tmp_path: Path) -> None:
    encoder = SpeechEncoder(format, 22_050)
    pieces = [encoder.encode(tone(0)), encoder.encode(tone(1)), encoder.finish()]
    path = tmp_path / f"a.{format}"
    path.write_bytes(b"".join(pieces))
    found = read_audio(path, 22_050)
    expected = np.concatenate([tone(0), tone(1)])
    assert abs(len(found) - len(expected)) < 0.1 * 22_050
    frequencies = np.abs(np.fft.rfft(found[2000:9000])).argmax() / 7000 * 22_050
    assert frequencies == pytest.approx(300, abs=5)
    assert np.sqrt(np.mean(found**2)) == pytest.approx(np.sqrt(np.mean(expected**2)), rel=0.1)


@pytest.mark.parametrize("format", SPEECH_FORMATS)
def test_the_type_of_the_response_is_that_of_the_format(server: Running, format: str) -> None:
    body = json.dumps({"input": "One.", "voice": "nova", "response_format": format}).encode()
    status, headers, data = server.request("POST", PATH, body)
    assert (status, headers["content-type"]) == (200, SPEECH_FORMATS[format].media_type)
    assert data


def test_pcm_has_24_khz_as_clients_of_openai_expect(client: OpenAI) -> None:
    samples = np.frombuffer(speak(client, response_format="pcm"), "<i2")
    assert len(samples) == pytest.approx(1.5 * 24_000, abs=50)
    assert np.abs(samples).max() / 32768 == pytest.approx(0.3, abs=0.01)


def test_the_first_sentence_comes_before_the_last_is_spoken(client: OpenAI) -> None:
    sizes = []
    with client.audio.speech.with_streaming_response.create(
        model="en-kathleen", voice="en-kathleen", input=TEXT, response_format="wav"
    ) as response:
        sizes = [len(piece) for piece in response.iter_bytes()]
    assert sizes[0] < 44 + 2 * 11_025 + 100
    assert sum(sizes) == 44 + 2 * 3 * 11_025


def test_events_have_the_same_audio(server: Running, client: OpenAI) -> None:
    import base64

    asked = {"input": TEXT, "voice": "alloy", "response_format": "wav", "stream_format": "sse"}
    _, headers, data = server.request("POST", PATH, json.dumps(asked).encode())
    assert headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line[6:]) for line in data.decode().splitlines() if line]
    audio = b"".join(base64.b64decode(event["audio"]) for event in events[:-1])
    assert audio == speak(client, response_format="wav")
    assert events[-1]["type"] == "speech.audio.done"


def test_speed_is_passed_on(client: OpenAI) -> None:
    slow, fast = (len(speak(client, response_format="pcm", speed=speed)) for speed in (0.5, 2))
    assert slow == pytest.approx(4 * fast, rel=0.01)


@pytest.mark.parametrize(
    ("values", "status", "param"),
    [
        ({"input": None}, 400, "input"),
        ({"input": 7}, 400, "input"),
        ({"input": "a" * 5000}, 400, "input"),
        ({"input": " . "}, 400, None),
        ({"voice": "stranger"}, 400, "voice"),
        ({"voice": {"id": 3}}, 400, "voice"),
        ({"voice": {"id": "en-kathleen"}}, 200, None),
        ({"voice": {"id": "stranger"}}, 400, "voice"),
        ({"model": "tts-9"}, 404, "model"),
        ({"response_format": "midi"}, 400, "response_format"),
        ({"speed": 9}, 400, "speed"),
        ({"speed": True}, 400, "speed"),
        ({"speed": float("nan")}, 400, "speed"),
        ({"speed": "fast"}, 400, "speed"),
        ({"stream_format": "morse"}, 400, "stream_format"),
    ],
)
def test_wrong_values_are_named(
    server: Running, values: dict[str, Any], status: int, param: str | None
) -> None:
    body = json.dumps({"input": "One.", "voice": "alloy", **values}).encode()
    found, _, answer = server.request("POST", PATH, body)
    assert found == status
    if status != 200:
        assert json.loads(answer)["error"]["param"] == param


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 400),
        (b'{"input": "\\ud800 one"}', 200),
        (b'{"input": "' + b"a" * 300_000 + b'"}', 413),
    ],
)
def test_bodies_that_are_no_json_object_are_refused(
    server: Running, body: bytes, status: int
) -> None:
    assert server.request("POST", PATH, body)[0] == status


def test_a_voice_whose_process_dies_is_busy_and_back_again(client: OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as error:
        speak(client, input="crash.")
    assert error.value.status_code == 503
    assert speak(client, input="One.")


def test_a_server_without_a_voice_has_no_speech(small: Recognizer) -> None:
    with run_server(small, voice=None, workers=1) as running:
        assert [model.id for model in running.client().models.list()] == ["en-small"]
        with pytest.raises(openai.NotFoundError):
            speak(running.client())


@pytest.mark.slow  # TensorFlow is imported twice, and the voice is traced
def test_the_real_voice_says_what_the_synthesizer_says(
    small: Recognizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asr.tts.synthesizer import Synthesizer

    # Instead of the tones of the fixture `server`, if another test has started it.
    monkeypatch.setattr("asr.server.text_to_speech.do_speech_task", do_speech_task)

    text = "Author of the danger trail. Good morning."
    with run_server(small, workers=1) as running:
        (tmp_path / "a.flac").write_bytes(
            speak(running.client(), input=text, response_format="flac", speed=1.25)
        )
        asked = json.dumps({"input": text, "speed": 1.25}).encode()
        timed = json.loads(running.request("POST", "/page/speech", asked)[2])
    expected_words = Synthesizer.load("en-kathleen").speak_timed(text, rate=1.25).words
    assert [(w["word"], w["start"], w["end"]) for w in timed["words"]] == [
        (w.text, w.start, w.end) for w in expected_words
    ]
    assert timed["words"][3]["phones"] == ["D", "EY1", "N", "JH", "ER0"]
    expected = Synthesizer.load("en-kathleen").speak(text, rate=1.25)
    found = read_audio(tmp_path / "a.flac", 22_050)
    assert len(found) == len(expected)
    # The number of threads changes the last bits of a product, and Griffin-Lim amplifies them.
    assert np.corrcoef(found, expected)[0, 1] > 0.99
