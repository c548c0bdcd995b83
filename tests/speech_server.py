"""Runs `asr serve` in a thread, on a free loopback port, for the tests of asr/server."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from openai import OpenAI

from asr.recognizer import Recognizer
from asr.server.application import create_app
from asr.server.batching_engine import BatchingEngine
from asr.server.running import listen, make_server
from asr.server.settings import ServerSettings


@dataclass(frozen=True)
class Running:
    """A server that runs in a thread.

    Attributes:
        port: its port on 127.0.0.1.
        engine: its engine.
        app: its application.
    """

    port: int
    engine: BatchingEngine
    app: Any

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, key: str = "unused", **options: Any) -> OpenAI:
        """The real client of OpenAI's package."""
        return OpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0, **options)

    def request(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request and return status, headers (in lower case) and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            found = {key.lower(): value for key, value in response.getheaders()}
            return response.status, found, response.read()
        finally:
            connection.close()

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        lines = self.request("GET", "/metrics")[2].decode().splitlines()
        return sum(
            float(line.split()[-1]) for line in lines if line.split("{")[0].split()[0] == name
        )


@contextmanager
def run_server(recognizer: Recognizer, **settings: Any) -> Iterator[Running]:
    """Serve in a thread until the block ends."""
    options = ServerSettings(port=0, **{"workers": 2, **settings})
    engine = BatchingEngine(recognizer)
    app = create_app(options, engine)
    with listen(options) as socket:
        server = make_server(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
        thread.start()
        try:
            wait_until(lambda: server.started or not thread.is_alive())
            assert thread.is_alive()
            yield Running(socket.getsockname()[1], engine, app)
        finally:
            server.should_exit = True
            thread.join(60)
            assert not thread.is_alive()


def wait_until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def multipart(fields: dict[str, str], file: bytes | None, name: str = "a.wav") -> tuple[bytes, str]:
    """The body and content type of a form."""
    boundary = "boundary7"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    if file is not None:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        parts.append(f"{head}\r\n".encode() + file + b"\r\n")
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"
