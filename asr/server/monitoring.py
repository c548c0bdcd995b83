"""Counting and logging requests: `Monitor`, the routes /health and /metrics, and log lines.

Neither holds anything that a user said, wrote or named.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Collection

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from asr.base.units import Seconds
from asr.version import __version__

AUDIO_SECONDS = "asr.audio_seconds"
"""Key of the ASGI scope in which a route says how much audio it transcribed or spoke."""
LATENCIES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper limits of the latency's histogram, in seconds."""
BATCHES = (1, 2, 4, 8, 16, 32, 64)
"""Upper limits of the histogram of windows in a batch."""

log = logging.getLogger("asr.server")


class Monitor:
    """The numbers of one server, in a registry of its own.

    Attributes:
        registry: the numbers.
        in_progress: requests that are not finished.
        routes: paths that are named in numbers and logs; others are "other".
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.routes: Collection[str] = ()
        self._requests = Counter(
            "asr_requests", "Requests", ["route", "status"], registry=self.registry
        )
        self._latency = Histogram(
            "asr_request_seconds",
            "Time from the first byte of a request to the last of its response",
            ["route"],
            buckets=LATENCIES,
            registry=self.registry,
        )
        self._audio = Counter(
            "asr_audio_seconds", "Seconds of audio", ["route"], registry=self.registry
        )
        self.in_progress = self.gauge(
            "asr_requests_in_progress", "Requests and live streams that are not finished"
        )
        self._batch = Histogram(
            "asr_batch_windows",
            "Windows of recordings that the network computed together",
            buckets=BATCHES,
            registry=self.registry,
        )

    def gauge(self, name: str, help: str) -> Gauge:
        """A number that is read when the metrics are; give it a function by `set_function`."""
        return Gauge(name, help, registry=self.registry)

    def batch(self, windows: int) -> None:
        """Count a batch of the network."""
        self._batch.observe(windows)

    def finished(
        self, route: str, status: int, seconds: Seconds, audio: Seconds | None = None
    ) -> None:
        """Count and log a request.

        Args:
            route: its path, as in the documentation.
            status: HTTP status.
            seconds: time that it took.
            audio: seconds of audio in it; None for none.
        """
        self._requests.labels(route, str(status)).inc()
        self._latency.labels(route).observe(seconds)
        values: dict[str, object] = {
            "route": route,
            "status": status,
            "seconds": round(seconds, 4),
        }
        if audio is not None:
            self._audio.labels(route).inc(audio)
            values["audio_seconds"] = round(audio, 3)
        log.info("request", extra={"values": values})

    def endpoints(self) -> list[Route]:
        """The routes /health and /metrics."""

        async def health(request: Request) -> Response:
            return JSONResponse({"status": "ok", "version": __version__})

        async def metrics(request: Request) -> Response:
            return Response(
                generate_latest(self.registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
            )

        return [Route("/health", health), Route("/metrics", metrics)]


class MonitoredApp:
    """Middleware that counts and logs every request.

    Args:
        app: the application.
        monitor: takes the numbers.
    """

    def __init__(self, app: ASGIApp, monitor: Monitor) -> None:
        self.app, self.monitor = app, monitor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 499  # as nginx counts clients that go before the answer

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status = message["status"]
            elif message["type"] == "websocket.accept":
                status = 101
            await send(message)

        try:
            with self.monitor.in_progress.track_inprogress():
                await self.app(scope, receive, note_status)
        except Exception:
            status = 500
            raise
        finally:
            path = scope["path"]
            route = path if path in self.monitor.routes else "other"
            if scope["type"] == "websocket":
                route = f"websocket {route}"
            seconds = time.perf_counter() - started
            self.monitor.finished(route, status, seconds, scope.get(AUDIO_SECONDS))


class JsonLines(logging.Formatter):
    """Formats a log record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        values: dict[str, object] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "values", {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            # The message of an unexpected error could hold a user's text; its place cannot.
            frame = record.exc_info[2]
            while frame is not None and frame.tb_next is not None:
                frame = frame.tb_next
            values["error"] = record.exc_info[0].__name__
            if frame is not None:
                values["at"] = f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}"
        return json.dumps(values)


def log_to_stderr() -> None:
    """Write the log of the server to stderr, one JSON object per line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in ("asr.server", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
    log.setLevel(logging.INFO)
    # Its warnings are about broken requests, so that a client could fill the log with them.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
