"""`SpeechToText`: uploads → worker process → engine → transcripts, for the routes."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from asr.base.units import Hertz, Seconds
from asr.data.inputs import FeatureBlock, feature_blocks
from asr.decoding.decoder import Decoder
from asr.decoding.window_joiner import WindowJoiner
from asr.errors import AudioError
from asr.results import Transcript
from asr.server.api_errors import ApiError, busy
from asr.server.batching_engine import BatchingEngine, TranscriptionJob
from asr.server.monitoring import log
from asr.server.settings import ServerSettings
from asr.server.upload_reader import NAME, PRELOADED, Upload, read_upload, safe_suffix
from asr.server.worker_pool import Cancelled, WorkerDied, WorkerPool, WorkerStalled

KEPT_DECODERS = 8
"""Decoders for hot words that are kept; loading one takes seconds with a language model."""


class SpeechToText:
    """Transcribes recordings of clients.

    Args:
        settings: the limits.
        engine: the engine with the recogniser.

    Attributes:
        engine: the engine.
        pool: the processes that decode audio files.
    """

    def __init__(self, settings: ServerSettings, engine: BatchingEngine) -> None:
        self.settings, self.engine = settings, engine
        self.pool = WorkerPool(
            read_upload, settings.workers, settings.worker_memory, preload=PRELOADED
        )
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._decoders: OrderedDict[tuple[str, ...], Decoder] = OrderedDict()
        self._building = asyncio.Lock()

    @property
    def model(self) -> str:
        """Name of the recogniser."""
        return self.engine.recognizer.config.name

    @property
    def language(self) -> str | None:
        """ISO 639 code of the recogniser's language; None if it is unknown."""
        return self.engine.recognizer.tokenizer.language

    def start(self) -> None:
        """Start the engine and the processes."""
        self._folder = tempfile.TemporaryDirectory(prefix="asr-serve-", ignore_cleanup_errors=True)
        self.pool.start()
        self.engine.start()

    def close(self) -> None:
        """End the engine and the processes, and remove temporary files."""
        self.pool.close()
        self.engine.close()
        if self._folder is not None:
            self._folder.cleanup()

    async def transcribe_file(
        self,
        file: BinaryIO,
        name: str | None,
        hot_words: tuple[str, ...] = (),
        on_text: Callable[[str], object] | None = None,
        title: str = NAME,
        joiner: WindowJoiner | None = None,
    ) -> Transcript:
        """Transcribe an uploaded file.

        Args:
            file: the file, at its beginning.
            name: the client's name for it; only its suffix is used.
            hot_words: words or phrases to favour.
            on_text: called on the engine's thread with the text so far; None for nobody.
            title: name of the recording in messages; default: the field of OpenAI's API.
            joiner: decodes its windows; default: the recogniser's own, with the hot words.

        Raises:
            AudioError: the file cannot be read as audio.
            ConfigError: the recogniser cannot spell a hot word.
            ApiError: the recording is too long, or the server shuts down.
        """
        recognizer = self.engine.recognizer
        joiner = joiner or recognizer.text_joiner(await self.decoder(hot_words))
        path = await asyncio.to_thread(self._store, file, safe_suffix(name))
        job = self.engine.open(joiner, on_text)
        try:
            await self._read(Upload(path, recognizer.config.features, title), job)
            return await asyncio.wrap_future(job.result)
        finally:
            job.cancel()
            path.unlink(missing_ok=True)

    async def transcribe_samples(
        self, samples: np.ndarray, sample_rate: Hertz, hot_words: tuple[str, ...] = ()
    ) -> Transcript:
        """Transcribe samples, which need no decoder of audio files.

        Args:
            samples: [n, channels], as for `Recognizer.transcribe`.
            sample_rate: their sample rate in Hz.
            hot_words: words or phrases to favour.

        Raises:
            AudioError: the samples are too short.
            ConfigError: the recogniser cannot spell a hot word.
            WorkerError: the server shuts down.
        """
        recognizer = self.engine.recognizer
        job = self.engine.open(recognizer.text_joiner(await self.decoder(hot_words)))
        features = recognizer.config.features

        def feed() -> None:
            for block in feature_blocks(
                samples, features, sample_rate, None, job.recording.warnings.append
            ):
                job.feed(block)
            job.finish()

        try:
            await asyncio.to_thread(feed)
            return await asyncio.wrap_future(job.result)
        finally:
            job.cancel()

    async def decoder(self, hot_words: tuple[str, ...]) -> Decoder | None:
        """The decoder that favours some words; None for the recogniser's own.

        Raises:
            ConfigError: the recogniser cannot spell a hot word.
        """
        if not hot_words:
            return None
        async with self._building:  # one at a time: it takes a processor for seconds
            decoder = self._decoders.pop(hot_words, None)
            if decoder is None:
                decoder = await asyncio.to_thread(self._build_decoder, hot_words)
            self._decoders[hot_words] = decoder
            if len(self._decoders) > KEPT_DECODERS:
                self._decoders.popitem(last=False)
            return decoder

    def _build_decoder(self, hot_words: tuple[str, ...]) -> Decoder:
        recognizer = self.engine.recognizer
        own = recognizer.decoder.decoding
        beam = own.beam or None  # the greedy decoder's 0 would forbid hot words
        decoding = replace(own, hot_words=(*own.hot_words, *hot_words), beam=beam)
        return Decoder(recognizer.tokenizer, decoding, recognizer.folder, recognizer.heads)

    def _store(self, file: BinaryIO, suffix: str) -> Path:
        """Copy an upload to a file with a name, because the decoders read paths."""
        assert self._folder is not None
        with tempfile.NamedTemporaryFile(
            suffix=suffix, dir=self._folder.name, delete=False
        ) as stored:
            shutil.copyfileobj(file, stored, 1 << 20)
        return Path(stored.name)

    async def _read(self, upload: Upload, job: TranscriptionJob) -> None:
        """Decode a file in a worker process, and feed its features to a job."""
        limit = self.settings.max_duration
        seconds: Seconds = 0.0

        def take(message: FeatureBlock | str) -> None:
            nonlocal seconds
            if not isinstance(message, str):
                seconds += message.samples / upload.features.sample_rate
                if seconds > limit:
                    raise too_long(upload.title, limit)
            job.feed(message)

        done = self.pool.submit(upload, take, job.cancelled)
        try:
            await asyncio.wrap_future(done)
        except WorkerDied as error:
            log.error("a decoder failed", extra={"values": {"cause": str(error)}})
            raise AudioError(
                f"{upload.title}: not readable as audio: the decoder crashed; convert it to WAV or "
                "FLAC"
            ) from None
        except WorkerStalled:
            raise AudioError(
                f"{upload.title}: not readable as audio: the decoder hangs; convert it to WAV or "
                "FLAC"
            ) from None
        except Cancelled:
            if not job.result.done():  # else the engine failed, and its result has the error
                raise busy("the server is shutting down") from None
        job.finish()


def too_long(title: str, limit: Seconds) -> ApiError:
    """The error of a recording beyond the limit."""
    return ApiError(
        413,
        f"{title}: longer than {limit:g} s, the limit of this server; send it in parts",
        param="file",
        code="audio_too_long",
    )
