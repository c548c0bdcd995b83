"""The command `asr serve`, from its start to SIGTERM."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI
from typer.testing import CliRunner

from asr.cli.app import app
from asr.server.running import listen
from asr.server.settings import ServerSettings

GOFORWARD = Path(__file__).parents[1] / "fixtures" / "goforward.wav"


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "asr", "serve", "--port", "0"],
        stderr=subprocess.PIPE,
        env={**os.environ, "ASR_API_KEY": "secret"},
        text=True,
    )
    assert process.stderr is not None
    with process:
        try:
            address = re.fullmatch(r"serving en-base at (http://\S+)\n", process.stderr.readline())
            assert address is not None
            yield process, address[1]
        finally:
            process.kill()


def test_a_request_is_logged_without_its_text_and_sigterm_ends_the_server(
    served: tuple[subprocess.Popen[str], str],
) -> None:
    process, address = served
    with OpenAI(base_url=f"{address}/v1", api_key="secret") as client, GOFORWARD.open("rb") as file:
        found = client.audio.transcriptions.create(file=file, model="whisper-1", prompt="private")
    assert found.text == "go forward ten meters"
    process.send_signal(signal.SIGTERM)
    assert process.stderr is not None
    log = process.stderr.read()
    assert process.wait(30) in (0, -signal.SIGTERM)
    (line,) = map(json.loads, log.splitlines())
    assert (line["event"], line["route"], line["status"]) == (
        "request",
        "/v1/audio/transcriptions",
        200,
    )
    assert line["audio_seconds"] == 2.786
    for private in ("meters", "private", "goforward", "secret", "127.0.0.1"):
        assert private not in log


def test_wrong_options_are_errors_before_the_model_is_loaded() -> None:
    result = CliRunner().invoke(app, ["serve", "--host", "0.0.0.0"])
    assert "--api-key" in str(result.exception)


def test_answers_on_a_kept_connection_do_not_wait_for_acknowledgements() -> None:
    with listen(ServerSettings(port=0)) as listening:
        assert listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        with (
            socket.create_connection(listening.getsockname()),
            listening.accept()[0] as accepted,
        ):
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
