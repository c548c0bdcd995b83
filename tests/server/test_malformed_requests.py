"""Requests made to break the server: no 5xx but 503, no crash, no place that stays taken."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pool_work import do_tone_task
from speech_server import Running, multipart, run_server, wait_until

from asr.recognizer import Recognizer

GOFORWARD = Path(__file__).parents[1] / "fixtures" / "goforward.wav"
WAV = GOFORWARD.read_bytes()[:40_044]
KEYS = ("file", "model", "language", "prompt", "response_format", "stream", "keywords[]")
KEYS += ("timestamp_granularities[]", "temperature", "input", "voice", "speed", "stream_format")
VALUES = st.one_of(
    st.sampled_from(["en-small", "whisper-1", "en", "de", "json", "srt", "verbose_json", "true"]),
    st.sampled_from(["word", "segment", "mp3", "alloy", "nan", "-1", "1e999", "\ud800", "\0"]),
    st.text(max_size=60),
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(VALUES, inner, max_size=3),
    max_leaves=6,
)
CONTINUE = re.compile(rb"\AHTTP/1.1 100 [^\r]*\r\n(?:[^\r]+\r\n)*\r\n")
CHARSETS = ("utf-8", "utf-7", "utf-16", "idna", "punycode", "unicode_escape", "undefined", "hex")


@st.composite
def audio_files(draw: st.DrawFn) -> bytes:
    """A WAV file with some bytes changed, cut off, or lying about its length; or anything."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=300))
    data = bytearray(WAV[: draw(st.integers(0, len(WAV)))])
    for _ in range(draw(st.integers(0, 6))):
        if data:
            place = draw(st.integers(0, min(len(data), 60) - 1))
            data[place] = draw(st.integers(0, 255))
    return bytes(data)


@st.composite
def forms(draw: st.DrawFn) -> tuple[bytes, dict[str, str]]:
    fields = draw(st.dictionaries(st.sampled_from(KEYS[1:]), VALUES, max_size=5))
    safe = {key: value.encode("utf-8", "replace").decode() for key, value in fields.items()}
    file = draw(st.none() | audio_files())
    name = draw(
        st.sampled_from(["a.wav", "a.mp3", "../../etc/passwd", "http://x/y.wav", "a.\0", ""])
    )
    body, kind = multipart(safe, file, name)
    if draw(st.booleans()):
        kind += f"; charset={draw(st.sampled_from(CHARSETS))}"
    if draw(st.integers(0, 3)) == 0:
        kind = draw(st.sampled_from(["multipart/form-data", "application/json", "text/plain", ""]))
    if draw(st.integers(0, 3)) == 0:
        body = body[: draw(st.integers(0, len(body)))]
    return body, {"Content-Type": kind}


@st.composite
def speeches(draw: st.DrawFn) -> tuple[bytes, dict[str, str]]:
    values = draw(st.dictionaries(st.sampled_from(KEYS), JSON_VALUES, max_size=6) | JSON_VALUES)
    body = json.dumps(values).encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 3)) == 0:
        body = draw(st.binary(max_size=100))
    return body, {"Content-Type": "application/json"}


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """The bytes of one HTTP request, which may lie about its length."""
    path, (body, headers) = draw(
        st.tuples(st.just("/v1/audio/transcriptions"), forms())
        | st.tuples(st.just("/v1/audio/speech"), speeches())
        | st.tuples(
            st.sampled_from(["/", "/health", "/v1/models/x", "/%00", "//evil", "/../etc", "*"]),
            st.tuples(st.binary(max_size=50), st.just({})),
        )
    )
    if draw(st.integers(0, 4)) == 0:
        return draw(st.binary(max_size=200))
    length = len(body) + draw(st.sampled_from([0, 0, 0, 0, -1, 1, 10**12, -(10**6)]))
    method = draw(st.sampled_from(["POST", "POST", "POST", "GET", "PUT", "OPTIONS", "\u00e9"]))
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {length}"]
    lines += [f"{key}: {value}" for key, value in headers.items()]
    lines += draw(
        st.lists(
            st.sampled_from(
                [
                    "Transfer-Encoding: chunked",
                    "Expect: 100-continue",
                    "Upgrade: websocket",
                    "Connection: upgrade",
                    "Sec-WebSocket-Key: x",
                    "Origin: http://localhost",
                    "Authorization: Bearer \u00ff",
                    "Content-Encoding: gzip",
                    "Range: bytes=0-",
                ]
            ),
            max_size=2,
        )
    )
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    return head + body


def status_of(server: Running, request: bytes, ending: str) -> int | None:
    """Send bytes and return the status of the answer; None if the connection was closed.

    Args:
        ending: what the client does then: "read" the answer, "half-close" first, or "leave".
    """
    answer = b""
    with socket.create_connection(("127.0.0.1", server.port), 20) as connection:
        try:
            connection.sendall(request)
            if ending == "leave":
                return None
            if ending == "half-close":
                connection.shutdown(socket.SHUT_WR)
            while b"\r\n" not in answer and (piece := connection.recv(1000)):
                answer = CONTINUE.sub(b"", answer + piece)
        except TimeoutError:
            raise AssertionError("no answer, and the connection is open") from None
        except OSError:
            pass  # the server has closed the connection
    return int(answer.split()[1]) if answer else None


def check(server: Running, request: bytes, ending: str) -> None:
    status = status_of(server, request, ending)
    assert status is None or status in (101, 200, 503) or 400 <= status < 500, status


@pytest.fixture(scope="module")
def victim(small: Recognizer) -> Iterator[Running]:
    """A server that gives slow clients up at once, so that lying lengths cost no time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asr.server.text_to_speech.do_speech_task", do_tone_task)
        patch.setattr("asr.server.running.HEADER_TIMEOUT", 0.2)
        patch.setattr("asr.server.guard.LINGER", 0.2)
        with run_server(small, idle_timeout=0.2, workers=2) as running:
            yield running


def fuzz(victim: Running, examples: int) -> None:
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],  # a request that is not answered would take 10 s for each try
    )
    @given(requests(), st.sampled_from(["read", "read", "read", "half-close", "leave"]))
    def run(request: bytes, ending: str) -> None:
        check(victim, request, ending)

    run()
    with GOFORWARD.open("rb") as file:  # it still works, and every place is free
        found = victim.client().audio.transcriptions.create(file=file, model="en-small")
    assert found.text == "oh furwor ten meaters"
    wait_until(lambda: victim.engine.jobs == 0)
    wait_until(lambda: victim.metric("asr_requests_in_progress") == 1)  # of the metrics themselves


def test_malformed_requests_are_refused(victim: Running) -> None:
    fuzz(victim, 40)


@pytest.mark.slow
def test_5000_malformed_requests_are_refused(victim: Running) -> None:
    fuzz(victim, 5000)


@pytest.mark.parametrize("charset", CHARSETS)
def test_a_charset_that_is_no_encoding_is_refused(victim: Running, charset: str) -> None:
    body, kind = multipart({"prompt": "\u00e9\\ud800", "response_format": "\\ud800"}, WAV)
    status, _, _ = victim.request(
        "POST",
        "/v1/audio/transcriptions",
        body,
        {"Content-Type": f"{kind}; charset={charset}"},
    )
    assert status == 400


@pytest.mark.parametrize("head", ["POST / HTTP/1.1", "GET / HTTP/1.1", "GET /nothing HTTP/1.1"])
def test_a_wrong_request_for_a_websocket_is_answered_or_closed(victim: Running, head: str) -> None:
    lines = [head, "Host: localhost", "Upgrade: websocket", "Connection: upgrade"]
    for more in ([], ["Content-Length: 3"], ["Transfer-Encoding: chunked"]):
        for key in ([], ["Sec-WebSocket-Key: x", "Sec-WebSocket-Version: 13"]):
            request = "\r\n".join([*lines, *more, *key, "", "abc"]).encode()
            status = status_of(victim, request, "read")
            assert status is None or 400 <= status < 500


@pytest.mark.parametrize("field", ["channels", "rate", "bits", "size"])
def test_a_header_with_huge_numbers_is_harmless(victim: Running, field: str) -> None:
    place = {"channels": 22, "rate": 24, "bits": 34, "size": 40}[field]
    width = 4 if field in ("rate", "size") else 2
    data = WAV[:place] + b"\xff" * width + WAV[place + width :]
    body, kind = multipart({}, data)
    status, _, _ = victim.request("POST", "/v1/audio/transcriptions", body, {"Content-Type": kind})
    assert status in (200, 400, 413)
    assert victim.request("GET", "/health")[0] == 200


def test_noise_of_every_format_is_refused(victim: Running) -> None:
    noise = np.random.default_rng(0).bytes(5_000)
    heads = [b"OggS", b"fLaC", b"ID3\x04", b"\xff\xfb", b"\0\0\0\x20ftypM4A ", b"\x1aE\xdf\xa3"]
    heads += [b"FORM\0\0\0\0AIFF", b".snd", b"#!AMR\n", b"NIST_1A\n", b"caff", b"wvpk"]
    for head in heads:
        body, kind = multipart({}, head + noise)
        status, _, _ = victim.request(
            "POST", "/v1/audio/transcriptions", body, {"Content-Type": kind}
        )
        assert status in (200, 400), head  # an MPEG decoder may find frames in noise
