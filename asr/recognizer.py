"""`Recognizer`: speech to text with a model directory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np

from asr import ctc
from asr.alignment import align
from asr.audio.features import expand
from asr.base.progress import spinner
from asr.data.in_memory import as_items, is_samples
from asr.data.inputs import (
    AudioLike,
    check_language,
    chosen_channel,
    display_name,
    feature_blocks,
    is_recording,
    start_of,
)
from asr.decoding import word_times
from asr.decoding.confidence import (
    ConfidenceCurve,
    load_calibration,
    word_confidence,
)
from asr.decoding.decoder import Decoder
from asr.decoding.decoding_files import copy_decoding_files, decoding_files
from asr.decoding.decoding_options import Decoding
from asr.decoding.pickled_recognizer import (
    Origin,
    PickledRecognizer,
    absolute_paths,
    check_unchanged,
    relocatable,
    restore,
)
from asr.decoding.spelling_joiner import SpellingJoiner
from asr.decoding.voice_activity import has_voice_activity, voiced_frames, without_voice
from asr.decoding.window_joiner import WindowJoiner
from asr.decoding.windowed_recording import J, PendingWindow, WindowedRecording, batch_by_length
from asr.decoding.windowing import Window, Windower, Windowing
from asr.errors import AsrError, ConfigError, ModelError
from asr.networks.model_directory import RecognizerConfig, read_model, write_model
from asr.networks.runtimes import EmissionNetwork, Runtime, StatefulNetwork, load_network
from asr.networks.weights import weights_file
from asr.results import Alignment, Alternative, Failure, Token, Transcript, Word
from asr.streaming import Stream
from asr.text.tokenizers import Tokenizer

if TYPE_CHECKING:
    from asr.networks.acoustic import AcousticModel
    from asr.networks.unidirectional_network import LogitStream

BATCH_SECONDS = 60.0
"""Audio in one batch, in seconds, padding included. It bounds memory (about 1 MB a second); larger
batches are not faster."""
READ_AHEAD = 128
"""Windows, of one recording or several, that are sorted by length before they are batched."""


class Recognizer:
    """Speech to text with one model; made by `Recognizer.load`.

    A loaded recogniser can be pickled, for joblib, multiprocessing or Ray. The pickle holds the
    model directory and the settings, and the receiving process loads the model.

    >>> recognizer = Recognizer.load("en-base")
    >>> transcript = recognizer.transcribe("tests/fixtures/goforward.wav")
    >>> print(transcript.text)
    go forward ten meters
    >>> round(transcript.duration, 2)
    2.79

    Attributes:
        config: the content of `model.json`.
        tokenizer: text ↔ label ids.
        network: features → logits, in one of the runtimes.
        heads: columns of the logits that belong to the tokenizer and to phones.
        decoder: logits → labels.
        curve: calibration of word confidences; None if the model has none.
        windowing: where long recordings are cut.
        folder: the model directory; None for a model in memory.
        origin: how it was loaded, for pickling; None for a model in memory.
    """

    def __init__(
        self,
        config: RecognizerConfig,
        network: EmissionNetwork,
        decoding: Decoding = Decoding(),
        curve: ConfidenceCurve | None = None,
        folder: Path | None = None,
    ) -> None:
        self.config, self.folder = config, folder
        self.tokenizer = Tokenizer(config.tokenizer)
        self.heads = config.acoustic.head_layout(len(self.tokenizer))
        self.decoder = Decoder(self.tokenizer, decoding, folder, self.heads)
        self.curve = curve
        self.windowing = Windowing()
        self.network = network
        self.origin: Origin | None = None

    @property
    def seconds_per_frame(self) -> float:
        """Duration of an output frame, one row of logits, in seconds."""
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
        """Load a model.

        Args:
            model: name of a shipped model, or path of a model directory.
            decoding: options of decoding. Default: the model's own language model if it has one,
                else greedy decoding.
            runtime: library that runs the network, see `asr.networks.runtimes.load_network`. The
                text is the same with each. Default "onnx".
            threads: threads of the runtime; 0 lets the runtime choose. Default 0.

        Raises:
            ModelError: a file is missing, damaged, or does not fit the configuration.
            ConfigError: `model.json` has an unknown, missing or impossible key.
        """
        folder, config = read_model(model)
        lm = decoding.lm_file(folder)
        curve = load_calibration(folder, config.weights_sha256).curve(lm is not None)
        labels, dimension = len(Tokenizer(config.tokenizer)), config.features.dimension
        weights, sha256 = folder / "weights.npz", config.weights_sha256
        network = load_network(
            runtime, config.acoustic, dimension, labels, weights, sha256, threads
        )
        recognizer = cls(config, network, decoding, curve, folder)
        recognizer.origin = Origin(cls.load, {"runtime": runtime, "threads": threads})
        return recognizer

    def pickled(self) -> PickledRecognizer:
        """What pickle stores: the model directory and the settings. The network is loaded again.

        Raises:
            ModelError: the recogniser has no model directory, or its weights were changed since.
        """
        if self.folder is None or self.origin is None:
            raise ModelError(
                f"{self.config.name}: a recogniser without a model directory cannot be pickled; "
                "save it with Recognizer.save and pickle what Recognizer.load makes of that folder"
            )
        check_unchanged(self.network, self.folder, self.config.weights_sha256)
        return PickledRecognizer(
            self.origin,
            relocatable(self.folder),
            self.config.weights_sha256,
            absolute_paths(self.decoder.decoding),
            self.windowing,
            self.curve,
        )

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[PickledRecognizer]]:
        return restore, (self.pickled(),)

    def __copy__(self) -> Self:
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__)
        return copy

    @property
    def acoustic_model(self) -> AcousticModel:
        """The network in TensorFlow, whose variables can be trained, saved and exported.

        Raises:
            ConfigError: the recogniser was loaded with another runtime.
        """
        from asr.networks.acoustic import AcousticModel

        if not isinstance(self.network, AcousticModel):
            raise ConfigError(
                "the network has no TensorFlow variables: load it with runtime='tensorflow'"
            )
        return self.network

    def save(self, folder: Path, card: str, half: bool = True) -> None:
        """Write a model directory.

        A recogniser that was loaded takes its language model and its lexicon along.

        Args:
            folder: the directory.
            card: text of the model card, Markdown.
            half: whether weights are rounded (`asr.networks.weights.rounded`); float32 otherwise.
                Default True.

        Raises:
            ConfigError: the recogniser was loaded with another runtime than TensorFlow.
        """
        from dataclasses import replace
        acoustic = replace(self.config.acoustic, middle=0.0)
        if acoustic.norm == "batch":
            acoustic = replace(acoustic, norm="none")
        config = replace(self.config, acoustic=acoustic)
        write_model(folder, config, weights_file(self.acoustic_model, half), card)
        if self.folder is not None:
            copy_decoding_files(
                decoding_files(self.folder, self.config.acoustic.phones), Path(folder)
            )

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
        """Transcribe one recording, or a list of recordings.

        Args:
            audio: a path; samples, [n] or [n, channels] in −1…1 as an array, or [n] as a list of
                floats; the bytes of an audio file; an open binary file, which is read from its
                position; an `Utterance` of a manifest; or an iterable of these.
            sample_rate: sample rate of samples, in Hz. Default: the model's rate.
            channel: channel to transcribe, from 0. Default: a mix of all channels.

        Returns:
            A `Transcript` for one recording. For an iterable, a list with a `Transcript` or a
            `Failure` for each recording.

        Raises:
            AsrError: the one recording cannot be read. In a list, it is a `Failure`.
        """
        single = is_recording(audio)
        items: list[Any] = [audio] if single else as_items(audio)
        if is_samples(items):  # the audio was an iterator over samples
            single, items = True, [items]
        if single:
            ((_, result),) = self._transcribe(items, sample_rate, channel)
            if isinstance(result, AsrError):
                raise result
            return result
        results = dict(self.transcribe_each(items, sample_rate, channel))
        return [results[i] for i in range(len(results))]

    def transcribe_each(
        self,
        audio: Sequence[AudioLike],
        sample_rate: int | None = None,
        channel: int | None = None,
        progress: Callable[[float], object] | None = None,
    ) -> Iterator[tuple[int, Transcript | Failure]]:
        """Transcribe many recordings, batched by length.

        Args:
            audio: the recordings, as for `transcribe`.
            sample_rate: sample rate of samples given as arrays, in Hz. Default: the model's rate.
            channel: channel to transcribe, from 0. Default: a mix of all channels.
            progress: called after each batch with the number of seconds that it transcribed.

        Yields:
            (index of the recording, result) as recordings are finished, in any order.
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
        """`transcribe_each` with the exception for a recording that failed."""
        windowed = self.windowed_recordings(audio, sample_rate, channel, self.text_joiner, progress)
        for i, recording in windowed:
            if isinstance(recording, AsrError):
                yield i, recording
            else:
                item = audio[i]
                yield i, self.transcript(recording, display_name(item), start_of(item))

    def text_joiner(self, decoder: Decoder | None = None) -> WindowJoiner:
        """A new joiner that decodes the emissions of one recording.

        Args:
            decoder: decodes them. Default: the recogniser's own.
        """
        space, decoder = self.tokenizer.space, decoder or self.decoder
        return WindowJoiner(decoder, space, self.heads, self._voices_of_window)

    def spelling_joiner(self, decoder: Decoder | None = None) -> SpellingJoiner:
        """Like `text_joiner`; the joiner also finds other spellings of doubtful words."""
        return SpellingJoiner(
            decoder or self.decoder, self.tokenizer, self.heads, self._voices_of_window
        )

    def windowed_recording(
        self, index: int, joiner: J, channel: int | None = None
    ) -> WindowedRecording[J]:
        """A new recording without features.

        Args:
            index: the recording's number, which the caller chooses.
            joiner: takes the emissions of its windows.
            channel: channel that is transcribed, from 0. Default: a mix of all channels.
        """
        return WindowedRecording(index, self.windower(), joiner, self.config.features, channel)

    def windowed_recordings(
        self,
        audio: Sequence[AudioLike],
        sample_rate: int | None,
        channel: int | None,
        joiner: Callable[[], J],
        progress: Callable[[float], object] | None = None,
    ) -> Iterator[tuple[int, WindowedRecording[J] | AsrError]]:
        """Run the network over recordings, window by window.

        Args:
            audio, sample_rate, channel, progress: see `transcribe_each`.
            joiner: makes what takes the emissions of one recording.

        Yields:
            (index, recording whose joiner has all emissions) as recordings are finished, in any
            order; the exception instead for a recording that failed.
        """
        features = self.config.features
        waiting: list[PendingWindow] = []
        for i, item in enumerate(audio):
            recording = self.windowed_recording(i, joiner(), channel)
            try:
                check_language(item, self.tokenizer.language)
                recording.channel = chosen_channel(item, channel)
                for static, samples in feature_blocks(
                    item, features, sample_rate, channel, recording.warnings.append
                ):
                    waiting += recording.feed(static, samples)
                    while len(waiting) >= READ_AHEAD:
                        now, waiting = waiting[:READ_AHEAD], waiting[READ_AHEAD:]
                        yield from self._run(now, progress)
                waiting += recording.finish()
            except AsrError as error:
                waiting = [window for window in waiting if window.recording is not recording]
                yield i, error
                continue
            if recording.done:  # all of its windows ran before its end was known
                yield i, recording
        yield from self._run(waiting, progress)

    def align(
        self,
        audio: AudioLike,
        text: str,
        sample_rate: int | None = None,
        channel: int | None = None,
    ) -> Alignment:
        """Find where each word and token of a known text is said in a recording.

        A long recording is cut into windows, as for `transcribe`. Memory grows by about 130 bytes
        for each frame of 20 ms, and does not depend on the product of recording and text.

        Args:
            audio: one recording, as for `transcribe`.
            text: the text; it is normalised as in training.
            sample_rate: sample rate of samples given as an array, in Hz. Default: the model's
                rate.
            channel: channel to use, from 0. Default: a mix of all channels.

        Returns:
            An `Alignment` with the words as they are written, punctuation and capitals included. A
            word that is spoken as several, such as "$23.50", has the time of all of them.

        Raises:
            AudioError: the recording cannot be read.
            TextError: the text is empty, has characters outside the alphabet, or is too long for
                the recording. The error names the recording.
        """
        return align(self, audio, text, sample_rate, channel)

    def stream(
        self, chunk: float = 0.5, look_ahead: float = 2.0, sample_rate: int | None = None
    ) -> Stream:
        """Transcribe audio while it is recorded.

        Args:
            chunk: time between two results, in seconds. For each result, a bidirectional network
                reads several seconds of audio again. Default 0.5.
            look_ahead: delay before a word is final without a pause behind it, in seconds.
                docs/results.md has the errors that a shorter delay causes. Default 2.
            sample_rate: sample rate of the audio, in Hz. Default: the model's rate.

        Raises:
            ConfigError: chunk or look_ahead is out of range.
            AudioError: the sample rate is too low.
        """
        return Stream(self, chunk, look_ahead, sample_rate)

    def _run(
        self, windows: list[PendingWindow], progress: Callable[[float], object] | None
    ) -> Iterator[tuple[int, WindowedRecording[Any]]]:
        """Run the network over windows; yields the recordings that have all emissions now."""
        config = self.config.features
        for batch in batch_by_length(windows, BATCH_SECONDS * config.frames_per_second):
            outputs = self.outputs([pending.features for pending in batch])
            for pending, logits in zip(batch, outputs, strict=True):
                recording = pending.recording
                recording.joiner.add(pending.number, pending.window, logits)
                if recording.done:
                    yield recording.index, recording
            if progress is not None:
                progress(sum(pending.progress for pending in batch) * self.seconds_per_frame)

    def windower(self) -> Windower:
        """A new `Windower` for one recording, which cuts as `self.windowing` says."""
        rate = self.config.features.frames_per_second
        return Windower(self.windowing, rate, self.config.acoustic.stride)

    def features(
        self, audio: AudioLike, sample_rate: int | None = None, channel: int | None = None
    ) -> tuple[np.ndarray, float]:
        """Normalised features [frames, dimension] and duration in seconds of one recording."""
        static, duration = self.cepstra(audio, sample_rate, channel)
        return expand(static, self.config.features), duration

    def cepstra(
        self,
        audio: AudioLike,
        sample_rate: int | None = None,
        channel: int | None = None,
        warn: Callable[[str], object] | None = None,
    ) -> tuple[np.ndarray, float]:
        """Static cepstra [frames, coefficients] and duration in seconds of one recording.

        `warn` is called with each warning about the recording; default: `warnings.warn`.
        """
        config = self.config.features
        check_language(audio, self.tokenizer.language)
        blocks = list(feature_blocks(audio, config, sample_rate, channel, warn))
        static = np.concatenate([static for static, _ in blocks])
        return static, sum(count for _, count in blocks) / config.sample_rate

    def logits(self, features: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Logits [frames', labels] of each utterance's features, computed as one padded batch."""
        return [self.heads.split(row).labels for row in self.outputs(features)]

    def outputs(self, features: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Logits of all heads [frames', heads.size] of each utterance's features, which `decoder`
        reads, computed as one padded batch."""
        lengths = [len(f) for f in features]
        padded = np.zeros([len(features), max(lengths), self.config.features.dimension], np.float32)
        for row, f in zip(padded, features, strict=True):
            row[: len(f)] = f
        logits = self.network.logits(padded, np.array(lengths, np.int32))
        frames = self.config.acoustic.frames
        return [row[: frames(n)] for row, n in zip(logits, lengths, strict=True)]

    def logit_stream(self) -> LogitStream | None:
        """Logits of features that arrive piece by piece. None for a network that cannot go on from
        where it stopped: a bidirectional one, or one in TensorFlow or on a server."""
        return self.network.stream() if isinstance(self.network, StatefulNetwork) else None

    def voiced_outputs(self, audio: AudioLike) -> np.ndarray:
        """Logits of all heads [frames', heads.size] of one recording as `decoder` gets them: the
        recording is computed as a whole, and frames without a voice are blank (`only_voices`)."""
        static, _ = self.cepstra(audio)
        (outputs,) = self.outputs([expand(static, self.config.features)])
        return self.only_voices(outputs, static, np.arange(len(outputs)), whole=True)

    def only_voices(
        self, logits: np.ndarray, static: np.ndarray, chosen: np.ndarray, whole: bool = False
    ) -> np.ndarray:
        """Logits with the blank in every frame without a voice, if `Decoding.vad` asks for it.

        A recogniser with other features than the default ones keeps its logits: the network that
        finds voices does not know them.

        Args:
            logits: logits of all heads, [frames', heads.size].
            static: static cepstra of the stretch around, [frames, coefficients].
            chosen: output frames of `static` that the logits belong to, int [frames'].
            whole: whether `static` is a whole recording: a very short one keeps its words. Default
                False.
        """
        features = self.config.features
        if not self.decoder.decoding.vad or not has_voice_activity(features):
            return logits
        voiced = voiced_frames(static, features, self.config.acoustic.stride, chosen, whole)
        return without_voice(logits, voiced, self.heads)

    def _voices_of_window(self, logits: np.ndarray, window: Window) -> np.ndarray:
        whole = int(window.numbers[0]) == 0  # or a long stretch at its start
        return self.only_voices(logits, window.stretch, window.chosen, whole)

    def warm_up(self) -> None:
        """Run the network once, because a runtime's first call is slow."""
        self.logits([np.zeros([10, self.config.features.dimension], np.float32)])

    def posteriors(self, audio: AudioLike) -> tuple[np.ndarray, float]:
        """Label probabilities [frames', labels] of one recording, and a frame's duration in
        seconds."""
        (logits,) = self.logits([self.features(audio)[0]])
        return np.exp(ctc.log_softmax(logits)), self.seconds_per_frame

    def transcript(
        self,
        recording: WindowedRecording[WindowJoiner],
        name: str | None = None,
        offset: float = 0.0,
    ) -> Transcript:
        """The transcript of a recording whose joiner has the emissions of all windows.

        Args:
            recording: the recording.
            name: its name in the result. Default: None, as for samples.
            offset: start of a segment in its recording, in seconds. Default 0.
        """
        path, frames = recording.joiner.finish(), recording.joiner.frames
        path = self.widen_spikes(path, recording.levels)
        duration = recording.samples / self.config.features.sample_rate
        transcript = self.transcript_of(path, frames, duration, name, recording.channel, offset)
        return replace(transcript, warnings=tuple(recording.warnings))

    def widen_spikes(self, path: ctc.Path, levels: np.ndarray) -> ctc.Path:
        """Give the words of a path the times in which they sound, see `word_times.widen_spikes`.

        Args:
            path: labels with their output frames.
            levels: first cepstrum of each input frame, float [frames].
        """
        frame_levels = word_times.frame_levels(levels, self.config.acoustic.stride)
        spans = self.tokenizer.word_spans(path.labels)
        return word_times.widen_spikes(path, spans, frame_levels, self.seconds_per_frame)

    def transcript_of(
        self,
        path: ctc.Path,
        frames: int,
        duration: float,
        name: str | None = None,
        channel: int | None = None,
        offset: float = 0.0,
    ) -> Transcript:
        """Turn a path into a transcript.

        Args:
            path: labels with their output frames.
            frames: number of output frames that were decoded, for the mean score.
            duration: duration of the recording, in seconds.
            name: name of the recording; None for samples.
            channel: channel of the recording, from 0; None for a mix of all.
            offset: start of the segment in its recording, in seconds. Default 0.
        """
        step, rate = self._samples_per_frame, self.config.features.sample_rate
        # Times are computed from whole numbers of samples: accumulated floats would drift.
        tokens = tuple(
            Token(
                self.tokenizer.labels[label],
                offset + start * step / rate,
                offset + min(end * step / rate, duration),
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
                Alternative(self.tokenizer.decode(labels), score)
                for labels, score in path.alternatives
            ),
            offset=offset,
        )


def load_recognizer(
    model: str, decoding: Decoding = Decoding(), runtime: Runtime = "onnx"
) -> Recognizer:
    """`Recognizer.load` with a spinner on the terminal."""
    with spinner(f"loading {model}"):
        return Recognizer.load(model, decoding, runtime)
