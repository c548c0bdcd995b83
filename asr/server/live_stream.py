"""`LiveStream`: a client's live audio, fed to a `Stream` on the engine's thread."""

from __future__ import annotations

import asyncio
from copy import copy
from functools import partial

import numpy as np

from asr.base.units import Hertz, Seconds
from asr.decoding.decoder import Decoder
from asr.errors import AudioError
from asr.results import Partial
from asr.server.batching_engine import BatchingEngine

PIECE: Seconds = 0.5
"""Audio that the engine's thread takes at once. Between two pieces it works for other clients."""


class LiveStream:
    """Live audio with the results of `Recognizer.stream`.

    Args:
        engine: the engine with the recogniser.
        sample_rate: sample rate of the audio in Hz; None for the model's.
        decoder: decodes it; None for the recogniser's own.
        longest: seconds of audio at most.
        chunk: time between two results, in seconds.

    Raises:
        AudioError: the sample rate is too low.
    """

    def __init__(
        self,
        engine: BatchingEngine,
        sample_rate: Hertz | None,
        decoder: Decoder | None,
        longest: Seconds,
        chunk: Seconds = 0.5,
    ) -> None:
        recognizer = engine.recognizer
        if decoder is not None:
            recognizer = copy(recognizer)
            recognizer.decoder = decoder
        self.sample_rate = sample_rate or recognizer.config.features.sample_rate
        self._engine, self._longest = engine, longest
        self._stream = recognizer.stream(chunk, sample_rate=self.sample_rate)
        self._rest = b""

    @property
    def position(self) -> Seconds:
        """Duration of the audio so far."""
        return self._stream.position

    async def feed(self, data: bytes) -> list[Partial]:
        """Take audio and return the new results.

        Args:
            data: 16-bit little-endian mono samples. Half a sample at the end waits for its other
                half.

        Raises:
            AudioError: the stream is too long.
            WorkerError: the server shuts down.
        """
        data = self._rest + data
        whole = len(data) - len(data) % 2
        samples, self._rest = np.frombuffer(data[:whole], "<i2"), data[whole:]
        if self.position + len(samples) / self.sample_rate > self._longest:
            raise AudioError(f"longer than {self._longest:g} s, the limit of this server")
        size = round(PIECE * self.sample_rate)
        results: list[Partial] = []
        for start in range(0, len(samples), size):
            piece = samples[start : start + size]
            results += await asyncio.wrap_future(
                self._engine.call(partial(self._stream.feed, piece))
            )
        return results

    async def finish(self) -> list[Partial]:
        """End the stream and return the last results, all of them final."""
        return await asyncio.wrap_future(self._engine.call(self._stream.finish))
