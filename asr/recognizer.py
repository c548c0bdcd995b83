"""`Recognizer`: a model directory that turns recordings into text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np

from asr import ctc
from asr.audio.features import expand
from asr.base.progress import spinner
from asr.data.inputs import AudioLike, display_name, feature_blocks
from asr.data.manifest import Utterance
from asr.decoding import word_times
from asr.decoding.confidence import Curve, load_calibration, word_confidence
from asr.decoding.decoder import Decoder, Decoding
from asr.decoding.longform import Joiner, Pending, Recording, Windower, Windowing, batches
from asr.errors import AsrError, ConfigError, TextError
from asr.networks.model_directory import RecognizerConfig, read_model, write_model
from asr.networks.runtimes import Network, Runtime, load_network
from asr.networks.weights import weights_file
from asr.results import Alternative, Failure, Token, Transcript, Word
from asr.streaming import Stream
from asr.text.tokenizers import Tokenizer

if TYPE_CHECKING:
    from asr.networks.acoustic import AcousticModel

BATCH_SECONDS = 60.0
"""Padded audio in one batch: bounds memory (each second takes a megabyte), and is where more no
longer makes it faster."""
READ_AHEAD = 128
"""Windows, of one input or many, that are sorted by length into batches together."""


class Recognizer:
    """Speech to text with one model.

    Attributes:
        config: everything that `model.json` says.
        tokenizer: text ↔ label ids.
        network: features → logits, in one of the runtimes.
        decoder: logits → labels.
        curve: a word's label scores → the probability that it is right; None if not calibrated.
        windowing: how long recordings are cut; for benchmarks to change.
        folder: the model directory, if it has one.
    """

    def __init__(
        self,
        config: RecognizerConfig,
        network: Network,
        decoding: Decoding = Decoding(),
        curve: Curve | None = None,
        folder: Path | None = None,
    ) -> None:
        self.config, self.folder = config, folder
        self.tokenizer = Tokenizer(config.tokenizer)
        self.decoder = Decoder(self.tokenizer, decoding, folder, config.acoustic.phones)
        self.curve = curve
        self.windowing = Windowing()
        self.network = network

    @property
    def seconds_per_frame(self) -> float:
        """Duration of one frame of logits."""
        return self._samples_per_frame / self.config.features.sample_rate

    @property
    def _samples_per_frame(self) -> int:
        return self.config.features.hop * self.config.acoustic.stride

    @classmethod
    def load(
        cls,
        model: str | PathLike[str],
        decoding: Decoding = Decoding(),
        runtime: Runtime = "onnx",
        threads: int = 0,
    ) -> Recognizer:
        """Load a shipped model by its name or any model by its directory; decode greedily or as
        `decoding` says.

        Args:
            runtime, threads: see `load_network`; the text is the same in all of them.

        Raises:
            ModelError: a file is missing, damaged, or does not fit the configuration.
            ConfigError: `model.json` has an unknown, missing or impossible key.
        """
        folder, config = read_model(model)
        curve = load_calibration(folder, config.weights_sha256).curve(decoding.lm is not None)
        labels, dimension = len(Tokenizer(config.tokenizer)), config.features.dimension
        weights, sha256 = folder / "weights.npz", config.weights_sha256
        network = load_network(
            runtime, config.acoustic, dimension, labels, weights, sha256, threads
        )
        return cls(config, network, decoding, curve, folder)

    @property
    def acoustic_model(self) -> AcousticModel:
        """The network in TensorFlow, whose variables can be saved, trained and exported.

        Raises:
            ConfigError: it runs in another runtime.
        """
        from asr.networks.acoustic import AcousticModel

        if not isinstance(self.network, AcousticModel):
            raise ConfigError("this needs the runtime tensorflow: only there it has variables")
        return self.network

    def save(self, folder: Path, card: str, half: bool = True) -> None:
        """Write the model directory; weights rounded to float16 when `half`, else float32."""
        write_model(folder, self.config, weights_file(self.acoustic_model, half), card)

    @overload
    def transcribe(  # type: ignore[overload-overlap]  # a str is an Iterable of str, too
        self, audio: AudioLike, sample_rate: int | None = None, channel: int | None = None
    ) -> Transcript: ...

    @overload
    def transcribe(
        self,
        audio: Iterable[AudioLike],
        sample_rate: int | None = None,
        channel: int | None = None,
    ) -> list[Transcript | Failure]: ...

    def transcribe(
        self,
        audio: AudioLike | Iterable[AudioLike],
        sample_rate: int | None = None,
        channel: int | None = None,
    ) -> Transcript | list[Transcript | Failure]:
        """Transcribe one recording, or many.

        Args:
            audio: a path, samples ([n] or [n, channels] in −1…1, with `sample_rate`), a manifest's
                `Utterance`, or a list of these.
            sample_rate: of samples given as arrays; the model's own rate by default.
            channel: the channel to use, from 0; all are mixed by default.

        Returns:
            A `Transcript`; for a list, a list with a `Transcript` or `Failure` for each.

        Raises:
            AsrError: the one recording asked for cannot be used (in a list it is a `Failure`).
        """
        if isinstance(audio, (str, PathLike, np.ndarray, Utterance)):
            ((_, result),) = self._transcribe([audio], sample_rate, channel)
            if isinstance(result, AsrError):
                raise result
            return result
        results = dict(self.transcribe_each(list(audio), sample_rate, channel))
        return [results[i] for i in range(len(results))]

    def transcribe_each(
        self,
        audio: Sequence[AudioLike],
        sample_rate: int | None = None,
        channel: int | None = None,
        progress: Callable[[float], object] | None = None,
    ) -> Iterator[tuple[int, Transcript | Failure]]:
        """Transcribe many; yields (index, result) as batches finish, batched by length.

        Args:
            progress: called after each batch with the seconds of audio in it.
        """
        for i, result in self._transcribe(audio, sample_rate, channel, progress):
            if isinstance(result, AsrError):
                yield i, Failure(display_name(audio[i]) or f"input {i}", str(result))
            else:
                yield i, result

    def _transcribe(
        self,
        audio: Sequence[AudioLike],
        sample_rate: int | None,
        channel: int | None,
        progress: Callable[[float], object] | None = None,
    ) -> Iterator[tuple[int, Transcript | AsrError]]:
        """Recordings become windows, those of one or of many share batches, and become paths."""
        features = self.config.features
        waiting: list[Pending] = []
        for i, item in enumerate(audio):
            joiner = Joiner(self.decoder, self.tokenizer.space, len(self.tokenizer))
            recording = Recording(i, self.windower(), joiner, features, channel)
            try:
                for static, samples in feature_blocks(item, features, sample_rate, channel):
                    waiting += recording.feed(static, samples)
                    while len(waiting) >= READ_AHEAD:
                        now, waiting = waiting[:READ_AHEAD], waiting[READ_AHEAD:]
                        yield from self._run(now, audio, progress)
                waiting += recording.finish()
            except AsrError as error:
                waiting = [item for item in waiting if item.recording is not recording]
                yield i, error
                continue
            if recording.done:  # all its windows were run before it was known to end
                yield i, self._finished(recording, item)
        yield from self._run(waiting, audio, progress)

    def align(
        self,
        audio: AudioLike,
        text: str,
        sample_rate: int | None = None,
        channel: int | None = None,
    ) -> Transcript:
        """Where each word and token of `text` is in a recording that says it.

        Args:
            audio, sample_rate, channel: one recording, as for `transcribe`.
            text: normalised as for training; the transcript has it in that form.

        Raises:
            AudioError: the recording cannot be used.
            TextError: the text is empty, has characters outside the alphabet, or is longer than
                the recording can hold; the message has the recording's name.
        """
        name = display_name(audio)
        labels = self.tokenizer.encode(text, f"{name or 'samples'}: text")
        if not labels:
            raise TextError(f"{name or 'samples'}: the text to align is empty")
        static, duration = self.cepstra(audio, sample_rate, channel)
        (logits,) = self.logits([expand(static, self.config.features)])
        try:
            path = ctc.align(ctc.log_softmax(logits.astype(np.float64)), labels)
        except TextError as error:
            raise TextError(
                f"{name or 'samples'}: the text is longer than the recording can hold: {error}"
            ) from None
        path = self._settle(path, static[:, 0])
        return self.transcript_of(path, len(logits), duration, name, channel)

    def stream(
        self, chunk: float = 0.5, look_ahead: float = 2.0, sample_rate: int | None = None
    ) -> Stream:
        """Recognise samples while they are recorded.

        Args:
            chunk: seconds between two results; each costs a pass over some seconds of audio.
            look_ahead: seconds that must follow a word to make it final, unless a pause does;
                docs/streaming.md has what less of it costs.
            sample_rate: of the samples to come; the model's own by default.

        Raises:
            ConfigError: chunk or look_ahead is out of range.
            AudioError: the sample rate is too low to be one.
        """
        return Stream(self, chunk, look_ahead, sample_rate)

    def _run(
        self,
        windows: list[Pending],
        audio: Sequence[AudioLike],
        progress: Callable[[float], object] | None,
    ) -> Iterator[tuple[int, Transcript]]:
        config = self.config.features
        for batch in batches(windows, BATCH_SECONDS * config.frames_per_second):
            all_logits = self.outputs([item.features for item in batch])
            for item, logits in zip(batch, all_logits, strict=True):
                recording = item.recording
                recording.joiner.add(item.number, item.window, logits)
                if recording.done:
                    yield recording.index, self._finished(recording, audio[recording.index])
            if progress is not None:
                progress(sum(item.new for item in batch) * self.seconds_per_frame)

    def windower(self) -> Windower:
        """Cuts one recording's static features as `self.windowing` says."""
        rate = self.config.features.frames_per_second
        return Windower(self.windowing, rate, self.config.acoustic.stride)

    def features(
        self, audio: AudioLike, sample_rate: int | None = None, channel: int | None = None
    ) -> tuple[np.ndarray, float]:
        """Normalised features [frames, dimension] and duration in seconds of one recording."""
        static, duration = self.cepstra(audio, sample_rate, channel)
        return expand(static, self.config.features), duration

    def cepstra(
        self, audio: AudioLike, sample_rate: int | None = None, channel: int | None = None
    ) -> tuple[np.ndarray, float]:
        """Static cepstra [frames, coefficients] and duration in seconds of one recording."""
        config = self.config.features
        blocks = list(feature_blocks(audio, config, sample_rate, channel))
        static = np.concatenate([static for static, _ in blocks])
        return static, sum(count for _, count in blocks) / config.sample_rate

    def logits(self, features: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Logits [frames', labels] of each utterance's features, computed as one padded batch."""
        return [row[:, : len(self.tokenizer)] for row in self.outputs(features)]

    def outputs(self, features: Sequence[np.ndarray]) -> list[np.ndarray]:
        """What `decoder` reads: `logits`, and behind them those of a second head, if any."""
        lengths = [len(f) for f in features]
        padded = np.zeros([len(features), max(lengths), self.config.features.dimension], np.float32)
        for row, f in zip(padded, features, strict=True):
            row[: len(f)] = f
        logits = self.network.logits(padded, np.array(lengths, np.int32))
        frames = self.config.acoustic.frames
        return [row[: frames(n)] for row, n in zip(logits, lengths, strict=True)]

    def warm_up(self) -> None:
        """What a runtime does in its first call, such as to trace a graph."""
        self.logits([np.zeros([10, self.config.features.dimension], np.float32)])

    def posteriors(self, audio: AudioLike) -> tuple[np.ndarray, float]:
        """Label probabilities [frames', labels] of one recording, and the seconds of one frame."""
        (logits,) = self.logits([self.features(audio)[0]])
        return np.exp(ctc.log_softmax(logits)), self.seconds_per_frame

    def _finished(self, recording: Recording, audio: AudioLike) -> Transcript:
        path, frames = recording.joiner.finish(), recording.joiner.frames
        path = self._settle(path, recording.levels)
        duration = recording.samples / self.config.features.sample_rate
        return self.transcript_of(path, frames, duration, display_name(audio), recording.channel)

    def _settle(self, path: ctc.Path, levels: np.ndarray) -> ctc.Path:
        """Labels with the frames of logits that each lasts for, instead of its spike."""
        loudness = word_times.energy(levels, self.config.acoustic.stride)
        spans = self.tokenizer.word_spans(path.labels)
        return word_times.settle(path, spans, loudness, self.seconds_per_frame)

    def transcript_of(
        self,
        path: ctc.Path,
        frames: int,
        duration: float,
        name: str | None = None,
        channel: int | None = None,
    ) -> Transcript:
        """The one place where a path, that `frames` output frames gave, becomes a result."""
        step, rate = self._samples_per_frame, self.config.features.sample_rate
        # Times from whole sample counts: accumulated floats drift.
        tokens = tuple(
            Token(
                self.tokenizer.labels[label],
                start * step / rate,
                min(end * step / rate, duration),
                score,
            )
            for label, start, end, score in zip(
                path.labels, path.starts, path.ends, path.scores, strict=True
            )
        )
        words = tuple(
            Word(
                self.tokenizer.decode(path.labels[first:last]),
                tokens[first].start,
                tokens[last - 1].end,
                word_confidence(path.scores[first:last], self.curve),
            )
            for first, last in self.tokenizer.word_spans(path.labels)
        )
        return Transcript(
            text=self.tokenizer.decode(path.labels),
            score=path.score / max(frames, 1),
            duration=duration,
            tokens=tokens,
            audio_filepath=name,
            words=words,
            channel=channel,
            alternatives=tuple(
                Alternative(self.tokenizer.decode(labels), score) for labels, score in path.others
            ),
        )


def load_recognizer(
    model: str, decoding: Decoding = Decoding(), runtime: Runtime = "onnx"
) -> Recognizer:
    """`Recognizer.load` under a spinner.

    Raises:
        ModelError, ConfigError: see `Recognizer.load`.
    """
    with spinner(f"loading {model}"):
        return Recognizer.load(model, decoding, runtime)
