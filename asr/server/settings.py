"""`ServerSettings`: addresses, limits and access of `asr serve`."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from asr.base.units import Seconds
from asr.errors import ConfigError

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class ServerSettings:
    """Settings of a server.

    Attributes:
        host: address to listen on; a loopback address needs no key.
        port: port of HTTP and WebSocket.
        api_key: key that every client must send; None for no key.
        max_upload: bytes of a request's body at most.
        max_duration: seconds of audio in one recording or live stream at most.
        max_requests: transcriptions that are in progress at once, and as many speech requests.
        max_streams: live streams at once.
        timeout: seconds after which a request is given up.
        idle_timeout: seconds that a client may take for the next piece of its request, and for
            reading the next piece of the response.
        workers: processes that decode audio files.
        worker_memory: bytes of memory that one of these processes may use.
        voice: shipped name or directory of the voice that speaks; None for no speech.
        wyoming_port: port of the Wyoming protocol; None for none. It needs a loopback host.

    Raises:
        ConfigError: a value is out of range, or another host than loopback has no key.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    api_key: str | None = field(default=None, repr=False)
    max_upload: int = 300 * MEGABYTE
    max_duration: Seconds = 3 * 3600.0
    max_requests: int = 64
    max_streams: int = 16
    timeout: Seconds = 600.0
    idle_timeout: Seconds = 30.0
    workers: int = 4
    worker_memory: int = 1000 * MEGABYTE
    voice: str | None = "en-kathleen"
    wyoming_port: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"--port must be 0 to 65535, found {self.port}")
        for option in (
            "max_upload",
            "max_duration",
            "max_requests",
            "max_streams",
            "timeout",
            "idle_timeout",
            "workers",
        ):
            if not getattr(self, option) > 0:
                name = option.replace("_", "-")
                raise ConfigError(f"--{name} must be above 0, found {getattr(self, option):g}")
        if self.wyoming_port is not None and not 0 <= self.wyoming_port <= 65535:
            raise ConfigError(f"--wyoming-port must be 0 to 65535, found {self.wyoming_port}")
        if self.wyoming_port is not None and (self.api_key is not None or not self.is_loopback):
            raise ConfigError(
                "--wyoming-port: this protocol has no keys; leave --api-key out and listen on "
                "127.0.0.1, or start a second server for it"
            )
        if self.api_key is not None and not (self.api_key.isascii() and self.api_key.isprintable()):
            raise ConfigError("--api-key must have printable ASCII characters only")
        if self.api_key == "":
            raise ConfigError("--api-key is empty; leave it out, or give a key")
        if not self.is_loopback and self.api_key is None:
            raise ConfigError(
                f"--host {self.host}: other machines could use this server without a key; give "
                "--api-key or set ASR_API_KEY, or listen on 127.0.0.1"
            )

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches the host."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
