"""Strangers are refused, limits hold, and no refusal keeps a place."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from speech_server import Running, multipart, run_server, wait_until

from asr.errors import ConfigError, ServerError
from asr.recognizer import Recognizer
from asr.server.running import listen
from asr.server.settings import ServerSettings

GOFORWARD = Path(__file__).parents[1] / "fixtures" / "goforward.wav"
PATH = "/v1/audio/transcriptions"


@pytest.fixture(scope="module")
def strict(small: Recognizer) -> Iterator[Running]:
    """A server with a key and low limits."""
    with run_server(
        small,
        api_key="secret",
        max_upload=200_000,
        max_duration=5,
        max_requests=1,
        idle_timeout=1,
        workers=1,
    ) as running:
        yield running


def test_another_host_needs_a_key() -> None:
    with pytest.raises(ConfigError, match="ASR_API_KEY"):
        ServerSettings(host="0.0.0.0")
    assert not ServerSettings(host="0.0.0.0", api_key="k").is_loopback
    for host in ("127.0.0.1", "127.1.2.3", "::1", "localhost"):
        assert ServerSettings(host=host).is_loopback
    for wrong in ("", "ключ", "a\nb"):
        with pytest.raises(ConfigError, match="--api-key"):
            ServerSettings(api_key=wrong)
    with pytest.raises(ConfigError, match="--max-duration"):
        ServerSettings(max_duration=0)


def test_the_key_is_not_printed() -> None:
    assert "secret" not in repr(ServerSettings(api_key="secret"))


def test_an_address_in_use_is_named(server: Running) -> None:
    with pytest.raises(ServerError, match=f"127.0.0.1:{server.port}: cannot listen"):
        listen(ServerSettings(port=server.port))


def test_a_key_is_needed_for_all_but_health(strict: Running) -> None:
    assert strict.request("GET", "/health")[0] == 200
    for path in ("/metrics", "/v1/models", PATH, "/nothing"):
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic secret"}):
            status, found, body = strict.request("GET", path, headers=headers)
            assert (status, found["www-authenticate"]) == (401, "Bearer")
            assert json.loads(body)["error"]["code"] == "invalid_api_key"
    assert next(iter(strict.client("secret").models.list())).id == "en-small"
    with pytest.raises(openai.AuthenticationError):
        strict.client("wrong").models.list()


def test_pages_of_other_sites_are_refused(server: Running) -> None:
    own = f"http://127.0.0.1:{server.port}"
    assert server.request("GET", "/v1/models", headers={"Origin": own})[0] == 200
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", "http://[bad"):
        status, found, _ = server.request("GET", "/v1/models", headers={"Origin": origin})
        assert status == 403
        assert "access-control-allow-origin" not in found


def test_a_strangers_name_for_this_machine_is_refused(server: Running) -> None:
    for host, status in (("localhost", 200), ("localhost:1", 200), ("evil.example", 403)):
        assert server.request("GET", "/v1/models", headers={"Host": host})[0] == status


def test_every_response_has_security_headers(server: Running) -> None:
    for path in ("/health", "/v1/models", "/nothing"):
        found = server.request("GET", path)[1]
        assert found["x-content-type-options"] == "nosniff"
        assert found["content-security-policy"].startswith("default-src 'none'")
        assert "server" not in found


@pytest.mark.parametrize("announced", [True, False])
def test_a_large_upload_is_refused(strict: Running, announced: bool) -> None:
    body, kind = multipart({}, bytes(300_000))
    headers = {"Content-Type": kind, "Authorization": "Bearer secret"}
    if not announced:
        headers["Transfer-Encoding"] = "chunked"
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    status, _, answer = strict.request("POST", PATH, body, headers)
    assert (status, json.loads(answer)["error"]["code"]) == (413, "request_too_large")


def test_a_long_recording_is_refused(strict: Running, tmp_path: Path) -> None:
    import numpy as np
    import soundfile

    soundfile.write(tmp_path / "a.flac", np.zeros(16_000 * 3600, np.int16), 16_000)
    content = (tmp_path / "a.flac").read_bytes()
    assert len(content) < 200_000  # a bomb: 115 MB of samples
    with pytest.raises(openai.APIStatusError) as error:
        strict.client("secret").audio.transcriptions.create(
            file=("a.flac", content), model="en-small"
        )
    assert (error.value.status_code, error.value.code) == (413, "audio_too_long")


def test_a_slow_client_is_given_up_and_its_place_is_free(strict: Running) -> None:
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000\r\n\r\n--x\r\n"
    )
    with socket.create_connection(("127.0.0.1", strict.port), 10) as slow:
        slow.sendall(head.encode())
        time.sleep(0.3)
        refused = strict.request("POST", PATH, b"", {"Authorization": "Bearer secret"})
        assert (refused[0], refused[1]["retry-after"]) == (503, "2")
        assert slow.recv(1000).startswith(b"HTTP/1.1 408 ")
    with GOFORWARD.open("rb") as file:
        found = strict.client("secret").audio.transcriptions.create(file=file, model="en-small")
    assert found.text == "oh furwor ten meaters"


@pytest.mark.parametrize("how", ["close", "half-close", "reset"])
def test_a_client_that_goes_gives_its_place_back(strict: Running, how: str) -> None:
    body, kind = multipart({}, GOFORWARD.read_bytes())
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    for cut in (10, len(body) // 2, len(body)):
        with socket.create_connection(("127.0.0.1", strict.port), 10) as gone:
            gone.sendall(head.encode() + body[:cut])
            if how == "half-close":
                gone.shutdown(socket.SHUT_WR)
                gone.recv(10)
            elif how == "reset":
                gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

        def is_free() -> bool:
            status = strict.request("POST", PATH, b"", {"Authorization": "Bearer secret"})[0]
            assert status in (400, 503)
            return status == 400

        wait_until(is_free)
    wait_until(lambda: strict.engine.jobs == 0)


def test_headers_that_do_not_end_close_the_connection(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asr.server.running.HEADER_TIMEOUT", 0.2)
    with socket.create_connection(("127.0.0.1", server.port), 10) as slow:
        slow.sendall(b"GET /health HTTP/1.1\r\nHost: local")
        assert slow.recv(100) == b""
