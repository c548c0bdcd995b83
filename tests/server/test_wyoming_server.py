"""Wyoming's own client transcribes and speaks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from pool_work import do_tone_task, tone
from speech_server import Running, run_server, wait_until
from wyoming.asr import Transcribe
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.ping import Ping
from wyoming.tts import Synthesize

from asr.decoding.decoding_options import Decoding
from asr.errors import ConfigError
from asr.recognizer import Recognizer
from asr.server.settings import ServerSettings

GOFORWARD = Path(__file__).parents[1] / "fixtures" / "goforward.wav"


@pytest.fixture(scope="module")
def home(small: Recognizer) -> Iterator[Running]:
    """A server with a port for Wyoming."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asr.server.text_to_speech.do_speech_task", do_tone_task)
        with run_server(small, wyoming_port=0, max_streams=2, max_duration=20, workers=1) as server:
            yield server


def talk(server: Running, events: list[Event], answers: int) -> list[Event]:
    """Send events and read as many answers."""

    async def run() -> list[Event]:
        async with AsyncTcpClient("127.0.0.1", server.app.state.wyoming_port) as client:
            for event in events:
                await client.write_event(event)
            found = []
            for _ in range(answers):
                event = await asyncio.wait_for(client.read_event(), 30)
                assert event is not None
                found.append(event)
            return found

    return asyncio.run(run())


def recording(samples: np.ndarray, rate: int, **asked: Any) -> list[Event]:
    form: dict[str, Any] = {"rate": rate, "width": 2, "channels": samples.ndim}
    data = np.ascontiguousarray(samples, "<i2").tobytes()
    chunks = [
        AudioChunk(audio=data[start : start + 2050], **form).event()
        for start in range(0, len(data), 2050)
    ]
    start, stop = AudioStart(**form).event(), AudioStop().event()
    return [Transcribe(**asked).event(), start, *chunks, stop]


def all_of(connection: socket.socket) -> bytes:
    """What the server sends until it closes: an event comes in several packets, or in one."""
    answer = b""
    while piece := connection.recv(10_000):
        answer += piece
    return answer


def test_the_text_is_that_of_the_recogniser(home: Running, small: Recognizer) -> None:
    samples, _ = soundfile.read(GOFORWARD, dtype="int16")
    for said, rate in ((samples, 16_000), (samples[::2], 8_000)):
        (answer,) = talk(home, recording(said, rate, language="en"), 1)
        assert answer.type == "transcript"
        assert answer.data["text"] == small.transcribe(said, rate).text
    stereo = np.stack([samples, samples], axis=1)
    (answer,) = talk(home, recording(stereo, 16_000), 1)
    assert answer.data["text"] == "oh furwor ten meaters"


def test_names_and_terms_are_favoured(home: Running) -> None:
    samples, _ = soundfile.read(GOFORWARD, dtype="int16")
    asked = {"transcript_names": ["forward"], "transcript_terms": ["ten meters"]}
    (answer,) = talk(home, recording(samples, 16_000, **asked), 1)
    hot = Recognizer.load("en-small", Decoding(lm="none", hot_words=("forward", "ten meters")))
    assert answer.data["text"] == hot.transcribe(GOFORWARD).text


def test_speech_comes_sentence_by_sentence(home: Running) -> None:
    events = talk(home, [Synthesize("One. Two.").event()], 5)
    assert [event.type for event in events] == ["audio-start", *["audio-chunk"] * 3, "audio-stop"]
    data = b"".join(event.payload or b"" for event in events)
    assert len(data) / 2 == pytest.approx(2 * len(tone(0)) * 24 / 22.05, abs=50)
    assert events[0].data["rate"] == 24_000


def test_the_description_has_the_model_and_the_voice(home: Running) -> None:
    described, pong = talk(home, [Describe().event(), Ping("x").event()], 2)
    info = Info.from_event(described)
    assert (info.asr[0].models[0].name, info.asr[0].models[0].languages) == ("en-small", ["en"])
    assert info.tts[0].voices[0].name == "en-kathleen"
    assert pong.data == {"text": "x"}


def test_a_request_that_fails_is_named_and_the_next_one_works(home: Running) -> None:
    samples, _ = soundfile.read(GOFORWARD, dtype="int16")
    events = [AudioStop().event(), Transcribe(language="de").event(), Synthesize(".").event()]
    answers = talk(home, [*events, *recording(samples, 16_000)], 4)
    assert [answer.type for answer in answers] == ["error", "error", "error", "transcript"]
    messages = [answer.data["text"] for answer in answers[:3]]
    assert "empty" in messages[0] and "language" in messages[1] and "nothing" in messages[2]


@pytest.mark.parametrize(
    "data",
    [
        b"hello\n",
        b"[]\n",
        b'{"type": 3}\n',
        b'{"type": "audio-chunk"}\n',
        b'{"type": "x", "payload_length": 100000000000}\n',
        b'{"type": "x", "payload_length": -1}\n',
        b'{"type": "x", "data_length": "1"}\n',
        b'{"type": "synthesize", "data": {"text": 7}}\n',
        b'{"type": "transcribe", "data": {"transcript_names": [3]}}\n',
        b"[" * 50_000 + b"\n",
        b"a" * 200_000,
    ],
    ids=lambda data: data[:60].decode(),
)
def test_events_that_are_wrong_end_the_connection_with_an_error(home: Running, data: bytes) -> None:
    with socket.create_connection(("127.0.0.1", home.app.state.wyoming_port), 10) as connection:
        connection.sendall(data)
        answer = all_of(connection)
    assert json.loads(answer.splitlines()[0])["type"] == "error"


def test_connections_are_limited_and_places_come_back(home: Running) -> None:
    # The request of /metrics is one of those in progress.
    wait_until(lambda: home.metric("asr_requests_in_progress") == 1)
    address = ("127.0.0.1", home.app.state.wyoming_port)
    with contextlib.ExitStack() as taken:
        for _ in range(2):
            taken.enter_context(socket.create_connection(address, 10))
        wait_until(lambda: home.metric("asr_requests_in_progress") == 3)
        with socket.create_connection(address, 10) as refused:
            assert b"try again later" in all_of(refused)
    wait_until(lambda: home.metric("asr_requests_in_progress") == 1)
    assert talk(home, [Ping("y").event()], 1)[0].data == {"text": "y"}


def test_a_recording_that_is_too_long_ends_the_connection(home: Running) -> None:
    silence = np.zeros(16_000 * 21, np.int16)
    chunks = recording(silence, 16_000)
    form: dict[str, Any] = {"rate": 16_000, "width": 2, "channels": 1}
    big = AudioChunk(audio=silence.tobytes(), **form).event()
    (answer,) = talk(home, [chunks[0], chunks[1], big], 1)
    assert "longer than 20 s" in answer.data["text"]


def test_wyoming_and_a_key_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match="has no keys"):
        ServerSettings(wyoming_port=10300, api_key="k")
