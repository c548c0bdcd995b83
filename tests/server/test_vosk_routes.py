"""A client written to vosk-server's protocol gets the words of `Recognizer.stream`."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from speech_server import Running, run_server, wait_until
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from asr.recognizer import Recognizer
from asr.server.vosk_routes import VoskConfig, read_vosk_config

GOFORWARD = Path(__file__).parents[1] / "fixtures" / "goforward.wav"


def say(server: Running, samples: np.ndarray, rate: int, size: int = 3200, **config: Any) -> Any:
    """As the example client of vosk-server: one answer is read for every message of audio."""
    with connected(server) as socket:
        socket.send(json.dumps({"config": {"sample_rate": rate, **config}}))
        data = samples.astype("<i2").tobytes()
        answers = []
        for start in range(0, len(data), size):
            socket.send(data[start : start + size])
            answers.append(json.loads(socket.recv(30)))
        socket.send('{"eof" : 1}')
        answers.append(json.loads(socket.recv(30)))
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(10)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1000
        return answers


@contextmanager
def connected(server: Running, **headers: str) -> Iterator[ClientConnection]:
    url = f"ws://127.0.0.1:{server.port}/"
    with connect(url, additional_headers=headers, compression=None) as socket:
        yield socket


def closed_with(socket: ClientConnection) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed) as closed:
        socket.recv(30)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


def streamed(recognizer: Recognizer, samples: np.ndarray, rate: int) -> list[Any]:
    stream = recognizer.stream(sample_rate=rate)
    results = stream.feed(samples) + stream.finish()
    return [result for result in results if result.final]


@pytest.fixture(scope="module")
def twice() -> np.ndarray:
    """The recording twice, with a pause between."""
    samples, rate = soundfile.read(GOFORWARD, dtype="int16")
    assert rate == 16_000
    return np.concatenate([samples, np.zeros(24_000, np.int16), samples])


@pytest.mark.parametrize("size", [3200, 9999, 1_000_000])
def test_the_words_are_those_of_a_stream(
    server: Running, small: Recognizer, twice: np.ndarray, size: int
) -> None:
    expected = streamed(small, twice, 16_000)
    answers = say(server, twice, 16_000, size)
    results = [answer for answer in answers if "text" in answer]
    text = " ".join(result["text"] for result in results if result["text"])
    assert text == " ".join(result.text for result in expected if result.text)
    words = [word for result in results for word in result.get("result", [])]
    assert [(w["word"], w["start"], w["end"], w["conf"]) for w in words] == [
        (w.text, round(w.start, 3), round(w.end, 3), round(w.confidence, 6))
        for result in expected
        for w in result.words
    ]
    assert text.startswith("oh ") and len(words) == 8


def test_partials_grow_until_the_utterance_ends(server: Running, twice: np.ndarray) -> None:
    answers = say(server, twice, 16_000)
    assert sum("text" in answer for answer in answers[:-1]) >= 1  # the pause
    first_end = next(i for i, answer in enumerate(answers) if "text" in answer)
    partials = [answer["partial"] for answer in answers[:first_end]]
    assert partials[0] == ""
    # The text stays until a longer one comes: most messages change nothing.
    shown = [partial for partial in partials if partial]
    assert shown[-1].startswith("oh") and len(shown) > len(set(shown))
    assert partials[partials.index(shown[0]) :] == shown


def test_a_shorter_chunk_gives_text_earlier(server: Running) -> None:
    samples, _ = soundfile.read(GOFORWARD, dtype="int16")
    first = []
    for chunk in (0.5, 0.1):
        answers = say(server, samples[8_000:], 16_000, 1600, chunk=chunk)
        first.append([bool(answer.get("partial")) for answer in answers].index(True))
    assert first[1] < first[0]


def test_another_sample_rate_is_resampled(server: Running, small: Recognizer) -> None:
    samples, _ = soundfile.read(GOFORWARD, dtype="int16")
    slow = samples[::2]
    expected = " ".join(r.text for r in streamed(small, slow, 8_000) if r.text)
    answers = say(server, slow, 8_000, words=False)
    found = [answer for answer in answers if "text" in answer]
    assert " ".join(result["text"] for result in found if result["text"]) == expected
    assert all("result" not in result for result in found)


def test_alternatives_have_the_result(server: Running, twice: np.ndarray) -> None:
    plain, listed = (
        say(server, twice[:32_000], 16_000, max_alternatives=count)[-1] for count in (0, 3)
    )
    (alternative,) = listed["alternatives"]
    assert alternative["text"] == plain["text"] != ""
    assert alternative["result"] == plain["result"]
    assert 0 < alternative["confidence"] < 1


def test_phrases_are_favoured(server: Running, twice: np.ndarray) -> None:
    answers = say(server, twice[:40_000], 16_000, phrase_list=["ten meters", "[unk]"])
    texts = [answer["text"] for answer in answers if answer.get("text")]
    assert "ten meters" in " ".join(texts)


def test_a_reset_ends_an_utterance_and_times_go_on(server: Running, twice: np.ndarray) -> None:
    data = twice[:32_000].tobytes()
    with connected(server) as socket:
        results = []
        for _ in range(2):
            socket.send(data)
            socket.recv(30)
            socket.send('{"reset" : 1}')
            results.append(json.loads(socket.recv(30)))
    first, second = results
    assert first["text"] == second["text"] != ""
    for one, two in zip(first["result"], second["result"], strict=True):
        assert two["start"] == pytest.approx(one["start"] + 2, abs=0.002)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("hello", "expected audio"),
        ("[]", "expected audio"),
        ("[" * 50_000, "expected audio"),
        ('{"configuration": 1}', "expected audio"),
        ('{"config": 3}', "JSON object"),
        ('{"config": {"sample_rate": "fast"}}', "sample_rate"),
        ('{"config": {"sample_rate": 1}}', "sample_rate"),
        ('{"config": {"phrase_list": "go"}}', "phrase_list"),
        ('{"config": {"max_alternatives": null}}', "max_alternatives"),
        ('{"config": {"chunk": 0.01}}', "chunk"),
        ('{"config": {"chunk": true}}', "chunk"),
    ],
)
def test_wrong_messages_close_the_stream_with_the_reason(
    server: Running, message: str, reason: str
) -> None:
    with connected(server) as socket:
        socket.send(message)
        code, found = closed_with(socket)
    assert code == 1007
    assert reason in found


def test_a_phrase_that_cannot_be_spelled_closes_the_stream(server: Running) -> None:
    with connected(server) as socket:
        socket.send('{"config": {"phrase_list": ["Ελλάδα"]}}')
        socket.send(bytes(3200))
        assert closed_with(socket)[0] == 1008


def test_a_message_that_is_too_large_closes_the_stream(server: Running) -> None:
    with connected(server) as socket, pytest.raises(ConnectionClosed) as closed:
        socket.send(bytes(3_000_000))
        socket.recv(10)
    # While it still sends, a client may see a reset instead of the reason.
    assert closed.value.rcvd is None or closed.value.rcvd.code == 1009
    with connected(server) as socket:
        socket.send(bytes(3200))
        assert json.loads(socket.recv(30)) == {"partial": ""}


def test_keys_that_are_missing_keep_their_values() -> None:
    config = read_vosk_config({"sample_rate": 8000.0, "words": 0}, VoskConfig())
    assert config == VoskConfig(8000, False)
    assert read_vosk_config({"spk": 1}, config) == config


def test_streams_are_limited_and_keyed(small: Recognizer) -> None:
    with run_server(small, max_streams=1, max_duration=1, api_key="k", workers=1) as server:
        with pytest.raises(InvalidStatus) as refused, connected(server):
            pass
        assert refused.value.response.status_code == 401
        with connected(server, Authorization="Bearer k") as first:
            first.send(bytes(3200))
            first.recv(30)
            with (
                pytest.raises(InvalidStatus) as refused,
                connected(server, Authorization="Bearer k"),
            ):
                pass
            assert refused.value.response.status_code == 503
            assert refused.value.response.headers["Retry-After"] == "2"
            first.send(bytes(40_000))
            code, reason = closed_with(first)
            assert (code, reason) == (1008, "longer than 1 s, the limit of this server")

        def is_free() -> bool:
            try:
                with connected(server, Authorization="Bearer k"):
                    return True
            except InvalidStatus:
                return False

        wait_until(is_free)


def test_a_page_sends_its_key_as_a_subprotocol(small: Recognizer) -> None:
    def offer(*names: str, **headers: str) -> str | None:
        url = f"ws://127.0.0.1:{server.port}/"
        protocols = [Subprotocol(name) for name in names]
        with connect(url, subprotocols=protocols, additional_headers=headers) as socket:
            socket.send(bytes(3200))
            assert json.loads(socket.recv(30)) == {"partial": ""}
            return socket.subprotocol

    key = "key~~?>"
    encoded = base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")
    assert {"-", "_"} & set(encoded)  # the characters that make the difference to plain Base64
    with run_server(small, api_key=key, workers=1) as server:
        assert offer("asr", f"asr.key.{encoded}") == "asr"
        for wrong in ("asr.key.", "asr.key.a", f"asr.key.{encoded}a", "other"):
            with pytest.raises(InvalidStatus) as refused:
                offer("asr", wrong)
            assert refused.value.response.status_code == 401
        # A page of another site could offer a key, but not hide where it comes from.
        with pytest.raises(InvalidStatus) as refused:
            offer("asr", f"asr.key.{encoded}", Origin="http://evil.example")
        assert refused.value.response.status_code == 403
        # The key of a request is a header.
        headers = {"Sec-WebSocket-Protocol": f"asr.key.{encoded}"}
        assert server.request("GET", "/v1/models", headers=headers)[0] == 401


def test_pages_of_other_sites_get_no_stream(server: Running) -> None:
    with pytest.raises(InvalidStatus) as refused, connected(server, Origin="http://evil.example"):
        pass
    assert refused.value.response.status_code == 403
