"""`Stream`: transcription while the audio is recorded; made by `Recognizer.stream`.

A bidirectional network reads the last seconds again with every chunk, a unidirectional network
reads each frame once. A result is final when a pause follows, or when enough audio follows that
more audio would hardly change it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from asr import ctc
from asr.audio.features import (
    MfccStream,
    Moments,
    RecentMoments,
    differentiate,
    normalise,
    standardise,
)
from asr.audio.mono import MonoStream
from asr.decoding.decoder import Decoder
from asr.decoding.emission_joiner import CLEARANCE
from asr.decoding.speech_detector import SpeechDetector, speech_with_margin, true_runs
from asr.decoding.windowing import Windowing
from asr.errors import ConfigError
from asr.networks.head_layout import HeadLayout
from asr.networks.model_directory import RecognizerConfig
from asr.results import Partial, Transcript
from asr.text.tokenizers import PIECE_SPACE, Tokenizer

if TYPE_CHECKING:  # the command line and clients of a server need no ONNX
    from asr.networks.unidirectional_network import LogitStream

CONTEXT = 4.0
"""Audio before the end of the last final result that is context for the network and the search, in
seconds."""
LIVE_BEAM = 150
"""Largest beam while an utterance goes on. The last seconds are decoded again with every chunk
(docs/decisions/032-en-stream.md has errors and costs). Before a pause, the decoder's own beam
decodes what is not final yet."""
SETTLED = 3.0
"""Audio after which the normalisation of a stream hardly changes, in seconds. Before, a
unidirectional network reads from the start again, too."""
HISTORY = 20.0
"""Audio whose levels set the threshold between speech and background, in seconds."""


class StreamingRecognizer(Protocol):
    """The part of a `Recognizer` that a `Stream` uses."""

    config: RecognizerConfig
    tokenizer: Tokenizer
    heads: HeadLayout
    windowing: Windowing
    decoder: Decoder

    @property
    def seconds_per_frame(self) -> float: ...

    def outputs(self, features: Sequence[np.ndarray]) -> list[np.ndarray]: ...

    def logit_stream(self) -> LogitStream | None: ...

    def only_voices(
        self, logits: np.ndarray, static: np.ndarray, chosen: np.ndarray
    ) -> np.ndarray: ...

    def transcript_of(self, path: ctc.Path, frames: int, duration: float) -> Transcript: ...


class Stream:
    """Takes samples and returns results. `Recognizer.stream` makes it.

    The joined texts of the final results are the transcript. The results do not depend on how the
    samples are divided into calls of `feed`.

    Args:
        recognizer: the recogniser.
        chunk: time between two results, in seconds.
        look_ahead: delay before a word is final without a pause behind it, in seconds.
        sample_rate: sample rate of the samples, in Hz; None for the model's rate.

    Raises:
        ConfigError: chunk or look_ahead is out of range.
        AudioError: the sample rate is too low.
    """

    def __init__(
        self,
        recognizer: StreamingRecognizer,
        chunk: float,
        look_ahead: float,
        sample_rate: int | None,
    ) -> None:
        config = recognizer.config
        if not 0.05 <= chunk <= HISTORY:
            raise ConfigError(f"chunk must be 0.05 to {HISTORY:.0f} seconds, found {chunk}")
        if not 0 <= look_ahead <= HISTORY:
            raise ConfigError(f"look_ahead must be 0 to {HISTORY:.0f} seconds, found {look_ahead}")
        self.recognizer, self.config = recognizer, config.features
        self._live_decoder = recognizer.decoder.with_beam(LIVE_BEAM)
        self.stride = config.acoustic.stride
        rate = config.features.sample_rate
        self._mono = MonoStream(rate if sample_rate is None else sample_rate, rate, name="stream")
        self._mfcc = MfccStream(config.features)
        self._detector = SpeechDetector()

        def output_frames(seconds: float) -> int:
            return max(1, round(seconds / recognizer.seconds_per_frame))

        self._chunk = output_frames(chunk) * self.stride
        self._look_ahead = output_frames(look_ahead) if look_ahead else 0
        self._margin = output_frames(recognizer.windowing.margin)
        self._pause = max(1, output_frames(recognizer.windowing.pause) - 2 * self._margin)
        self._context = output_frames(CONTEXT)
        self._history = output_frames(HISTORY) * self.stride
        # Features that are not yet a whole chunk.
        self._fresh = np.zeros([0, config.features.coefficients], np.float32)
        # Features of the last seconds, for the speech detector.
        self._recent = self._fresh
        # Features that the next results need, from output frame `_start` of the stream on.
        self._static = self._fresh
        self._start = 0
        # Output frame up to which results are final.
        self._committed = 0
        # Moments of the speech up to the last pause, for normalisation.
        self._before = RecentMoments(config.features)
        # What a unidirectional network has read; None for a network that reads again.
        self._reader = None
        if recognizer.logit_stream() is not None:
            settled = output_frames(SETTLED) * self.stride
            self._reader = _Reader(recognizer, self._before, settled)
        # Text of the last partial result.
        self._shown = ""
        # Whether there is a final result since the last pause.
        self._open = False

    @property
    def position(self) -> float:
        """Duration of the audio so far, in seconds."""
        return self._mono.count / self._mono.source_rate

    def feed(self, samples: np.ndarray) -> list[Partial]:
        """Take the next samples and return the new results.

        Args:
            samples: [n] or [n, channels], any number of them.

        Raises:
            AudioError: a sample is not finite, or the array's type is not one of samples.
        """
        return self._take(self._mono.feed(samples))

    def finish(self) -> list[Partial]:
        """End the stream and return the last results, all of them final."""
        results = self._take(self._mono.finish())
        results += self._advance(self._fresh)
        self._fresh = self._fresh[:0]
        if self._size and (keep := self._speech()).any():
            results += self._finish_utterance(np.flatnonzero(keep), self._size)
        return [result for result in results if result.final]

    @property
    def _size(self) -> int:
        """Number of output frames in `_static`."""
        return -(-len(self._static) // self.stride)

    def _take(self, samples: np.ndarray) -> list[Partial]:
        self._fresh = np.concatenate([self._fresh, self._mfcc.feed(samples)])
        results: list[Partial] = []
        while len(self._fresh) >= self._chunk:
            results += self._advance(self._fresh[: self._chunk])
            self._fresh = self._fresh[self._chunk :]
        return results

    def _advance(self, static: np.ndarray) -> list[Partial]:
        """Add feature frames. Return final results before each pause, then a result of the rest."""
        self._static = np.concatenate([self._static, static])
        kept = max(self._history, len(self._static))
        self._recent = np.concatenate([self._recent, static])[-kept:]
        results: list[Partial] = []
        while self._size:
            keep = self._speech()
            pauses = true_runs(~keep)
            long = next((pause for pause in pauses if pause.length >= self._pause), None)
            if pauses and pauses[0].start == 0:
                # The end of a silence that goes on may be the margin of the next word.
                end = pauses[0].end
                silent = end == self._size
                self._drop(max(0, end - self._margin) if silent else end)
                if silent:
                    break
            elif long is not None:
                speech = np.flatnonzero(keep[: long.start])
                results += self._finish_utterance(speech, long.start)
            else:
                results += self._update_utterance(np.flatnonzero(keep))
                break
        return results

    def _speech(self) -> np.ndarray:
        """The output frames with speech or near speech: bool [_size]."""
        levels = self._detector(self._recent)
        return speech_with_margin(levels, self.stride, self._margin)[-self._size :]

    def _finish_utterance(self, chosen: np.ndarray, size: int) -> list[Partial]:
        """Make the words before a pause final.

        Args:
            chosen: output frames with speech, counted from `_start`.
            size: output frames up to the pause.
        """
        path, features = self._decode(chosen, self.recognizer.decoder, size)
        self._before.add(features)
        self._drop(size)
        if self._reader is not None:
            self._reader.restart()
        self._committed = self._start
        return self._results(path, len(path.labels), pause=True)

    def _update_utterance(self, chosen: np.ndarray) -> list[Partial]:
        """Make complete words before the look-ahead final; the other words are partial.

        Args:
            chosen: output frames with speech, counted from `_start`.
        """
        path, _ = self._decode(chosen, self._live_decoder)
        old = self._start + self._size - self._look_ahead
        count = self._count_final(path, old)
        if count:
            gap = path.starts[count] - path.ends[count - 1] if count < len(path.starts) else 0
            self._committed = path.ends[count - 1] + min(CLEARANCE, gap // 2)
        elif self._size * self.stride > self._history:
            # There is no word, or one without an end, in the whole history.
            self._committed = max(self._committed, old)
        self._drop(max(0, self._committed - self._context - self._start))
        return self._results(path, count)

    def _decode(
        self, chosen: np.ndarray, decoder: Decoder, size: int | None = None
    ) -> tuple[ctc.Path, np.ndarray]:
        """Run the network and the decoder.

        Args:
            chosen: output frames with speech, counted from `_start`.
            decoder: the decoder.
            size: output frames of the utterance, which ends there. Default: it goes on.

        Returns:
            The labels behind the last final result, in output frames of the stream; and the
            features of the chosen frames, not normalised.
        """
        frames = (chosen[:, None] * self.stride + np.arange(self.stride)).ravel()
        frames = frames[frames < len(self._static)]
        if self._reader is None:
            features = differentiate(self._static[frames], self.config)
            normalised = normalise(features, self.config, self._before.moments)
            (outputs,) = self.recognizer.outputs([normalised])
        else:
            everything = differentiate(self._static, self.config)
            features = everything[frames]
            logits = self._reader.read(everything, Moments.of(features), size)
            # Short pauses stay: the network has read them.
            chosen = np.arange(chosen[0], min(chosen[-1] + 1, len(logits)))
            outputs = logits[chosen]
        # The last seconds are the context in which voices are found.
        before = -(-len(self._recent) // self.stride) - self._size
        outputs = self.recognizer.only_voices(outputs, self._recent, before + chosen)
        path = decoder(outputs)
        numbers = self._start + chosen
        starts = tuple(int(numbers[i]) for i in path.starts)
        ends = tuple(int(numbers[i - 1]) + 1 for i in path.ends)
        first = bisect_left(starts, self._committed)
        path = ctc.Path(path.labels, starts, ends, path.scores, path.score)
        return _part(path, first, len(starts)), features

    def _count_final(self, path: ctc.Path, old: int) -> int:
        """The number of labels in complete words that end before output frame `old`."""
        tokenizer = self.recognizer.tokenizer
        for count in range(bisect_right(path.ends, old), 0, -1):
            following = path.labels[count] if count < len(path.labels) else None
            if path.labels[count - 1] == tokenizer.space or (
                following is not None and tokenizer.labels[following].startswith(PIECE_SPACE)
            ):
                return count
        return 0

    def _results(self, path: ctc.Path, count: int, pause: bool = False) -> list[Partial]:
        """Results that differ from the last ones.

        Args:
            path: the labels behind the last final result.
            count: labels of the final result; the other labels are the partial result.
            pause: whether a pause follows. Default False.
        """
        duration = self._mfcc.count / self.config.sample_rate
        final, rest = (
            self.recognizer.transcript_of(part, 1, duration)
            for part in (_part(path, 0, count), _part(path, count, len(path.labels)))
        )
        results = []
        if final.text or (pause and self._open):
            results.append(_partial(final, duration, final=True, pause=pause))
            self._shown = ""
            self._open = not pause
        if rest.text != self._shown:
            results.append(_partial(rest, duration, final=False))
            self._shown = rest.text
        return results

    def _drop(self, count: int) -> None:
        """Forget the first `count` output frames."""
        self._static = self._static[count * self.stride :]
        self._start += count
        if self._reader is not None:
            self._reader.drop(count)


class _Reader:
    """Lets a unidirectional network read each frame of an utterance once.

    Its frames are counted as those of the stream's `_static`: `drop` follows `Stream._drop`.

    Args:
        recognizer: the recogniser.
        before: moments of the speech up to the last pause; the stream keeps them up to date.
        settled: frames after which the normalisation hardly changes. Until an utterance is read
            with so many, all of it is read again with every chunk.
    """

    def __init__(
        self, recognizer: StreamingRecognizer, before: RecentMoments, settled: int
    ) -> None:
        self._recognizer, self._before, self._settled = recognizer, before, settled
        self._config, acoustic = recognizer.config.features, recognizer.config.acoustic
        self._stride, self._look_ahead = acoustic.stride, acoustic.look_ahead
        # Frames behind a frame that its deltas depend on.
        self._edge = self._config.deltas * self._config.delta_width
        self.restart()

    def restart(self) -> None:
        """Forget what was read: the network starts again at the first frame."""
        logit_stream = self._recognizer.logit_stream()
        assert logit_stream is not None
        self._logit_stream = logit_stream
        # Whether enough audio was known when the network started.
        self._steady = False
        # Feature frames that were read, and the logits that the network has given.
        self._read = 0
        self._logits = np.zeros([0, self._recognizer.heads.size], np.float32)

    def drop(self, count: int) -> None:
        """Forget the first `count` output frames."""
        if count > len(self._logits):  # logits of dropped frames would follow
            self.restart()
        else:
            self._read -= count * self._stride
            self._logits = self._logits[count:]

    def read(self, features: np.ndarray, moments: Moments, size: int | None) -> np.ndarray:
        """Read the new frames.

        Args:
            features: all frames, not normalised, float32 [frames, dimension].
            moments: of the frames with speech.
            size: output frames of the utterance, which ends there; None: it goes on.

        Returns:
            The logits so far, float32 [frames', heads.size].
        """
        before, known = self._before.moments, moments.count
        if before is not None:
            moments, known = moments.combined(before), known + before.count
        if not self._steady:
            self.restart()
            self._steady = known >= self._settled
        ready = len(features) - self._edge
        if size is not None:
            ready = min(len(features), (size + self._look_ahead) * self._stride)
        ready = max(self._read, ready)
        new = standardise(features[self._read : ready], self._config, moments)
        rows = [self._logits, self._logit_stream.feed(new)]
        if size is not None:
            rows.append(self._logit_stream.finish())
        self._logits, self._read = np.concatenate(rows), ready
        return self._logits


def _part(path: ctc.Path, first: int, last: int) -> ctc.Path:
    """Labels `first` up to but without `last` of a path, without a score of their own."""
    chosen = slice(first, last)
    return ctc.Path(
        path.labels[chosen], path.starts[chosen], path.ends[chosen], path.scores[chosen], 0.0
    )


def _partial(transcript: Transcript, duration: float, final: bool, pause: bool = False) -> Partial:
    """A result with the times of its tokens; one without tokens is at `duration`."""
    tokens = transcript.tokens
    start, end = (tokens[0].start, tokens[-1].end) if tokens else (duration, duration)
    return Partial(transcript.text, final, start, end, tokens, pause, transcript.words)
