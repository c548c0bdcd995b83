"""Recognition while it is being recorded: `Recognizer.stream()`.

The network reads in both directions, so what it has heard so far is read anew with every chunk. A
result is final when a pause follows, or when so much has followed that more will hardly change it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from asr import ctc
from asr.audio.features import MfccStream, RecentMoments, differentiate, normalise
from asr.audio.reading import MonoStream
from asr.decoding.decoder import Decoder
from asr.decoding.longform import CLEAR, SpeechDetector, Windowing, audible, runs
from asr.errors import ConfigError
from asr.networks.model_directory import RecognizerConfig
from asr.results import Partial, Transcript
from asr.text.tokenizers import PIECE_SPACE, Tokenizer

CONTEXT = 4.0
"""Seconds before the last final result that are read again, for they say what follows."""
HISTORY = 20.0
"""Seconds whose levels tell speech from background."""


class StreamingRecognizer(Protocol):
    """The part of a `Recognizer` that a `Stream` uses."""

    config: RecognizerConfig
    tokenizer: Tokenizer
    windowing: Windowing
    decoder: Decoder

    @property
    def seconds_per_frame(self) -> float: ...

    def outputs(self, features: Sequence[np.ndarray]) -> list[np.ndarray]: ...

    def transcript_of(self, path: ctc.Path, frames: int, duration: float) -> Transcript: ...


class Stream:
    """Feed samples, get results; make it by `Recognizer.stream`.

    Joined, the texts of the final results are the transcript. In which pieces the samples come
    makes no difference to the results.
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
        self._fresh = np.zeros([0, config.features.coefficients], np.float32)
        self._heard = self._fresh  # all of the last seconds
        self._static = self._fresh  # of these, what is still needed, from output frame _start on
        self._start = 0
        self._committed = 0
        self._before = RecentMoments(config.features)
        self._shown = ""
        self._open = False  # something is final since the last pause

    @property
    def position(self) -> float:
        """Seconds fed so far."""
        return self._mono.count / self._mono.source_rate

    def feed(self, samples: np.ndarray) -> list[Partial]:
        """Take the next samples, [n] or [n, channels] of any number, and say what is new in them.

        Raises:
            AudioError: not finite, or of no sample type.
        """
        return self._take(self._mono.feed(samples))

    def finish(self) -> list[Partial]:
        """Nothing follows: the last results, all final."""
        results = self._take(self._mono.finish())
        results += self._advance(self._fresh)
        self._fresh = self._fresh[:0]
        if self._size and (keep := self._audible()).any():
            results += self._end(np.flatnonzero(keep), self._size)
        return [result for result in results if result.final]

    @property
    def _size(self) -> int:
        """Output frames that are still needed."""
        return -(-len(self._static) // self.stride)

    def _take(self, samples: np.ndarray) -> list[Partial]:
        self._fresh = np.concatenate([self._fresh, self._mfcc.feed(samples)])
        results: list[Partial] = []
        while len(self._fresh) >= self._chunk:
            results += self._advance(self._fresh[: self._chunk])
            self._fresh = self._fresh[self._chunk :]
        return results

    def _advance(self, static: np.ndarray) -> list[Partial]:
        """Take some frames more: final results of what a pause ended, and where the rest stands."""
        self._static = np.concatenate([self._static, static])
        kept = max(self._history, len(self._static))
        self._heard = np.concatenate([self._heard, static])[-kept:]
        results: list[Partial] = []
        while self._size:
            keep = self._audible()
            pauses = runs(~keep)
            long = [pause for pause in pauses if pause[1] - pause[0] >= self._pause]
            if pauses and pauses[0][0] == 0:
                # What a silence that goes on ends with may be the margin of the next word.
                end = pauses[0][1]
                silent = end == self._size
                self._drop(max(0, end - self._margin) if silent else end)
                if silent:
                    break
            elif long:
                results += self._end(np.flatnonzero(keep[: long[0][0]]), long[0][0])
            else:
                results += self._go_on(np.flatnonzero(keep))
                break
        return results

    def _audible(self) -> np.ndarray:
        """Which of the output frames that are still needed are speech or near it."""
        return audible(self._detector(self._heard), self.stride, self._margin)[-self._size :]

    def _end(self, chosen: np.ndarray, size: int) -> list[Partial]:
        """Make final what the chosen of the first `size` output frames hold; a pause follows."""
        path, features = self._read(chosen)
        self._before.add(features)
        self._drop(size)
        self._committed = self._start
        return self._results(path, len(path.labels), pause=True)

    def _go_on(self, chosen: np.ndarray) -> list[Partial]:
        """Make final the whole words that are old enough; the rest is partial."""
        path, _ = self._read(chosen)
        old = self._start + self._size - self._look_ahead
        count = self._settled(path, old)
        if count:
            gap = path.starts[count] - path.ends[count - 1] if count < len(path.starts) else 0
            self._committed = path.ends[count - 1] + min(CLEAR, gap // 2)
        elif self._size * self.stride > self._history:
            self._committed = max(self._committed, old)  # no word, or one without an end
        self._drop(max(0, self._committed - self._context - self._start))
        return self._results(path, count)

    def _read(self, chosen: np.ndarray) -> tuple[ctc.Path, np.ndarray]:
        """What is behind the last final result in the chosen output frames; and their features."""
        frames = (chosen[:, None] * self.stride + np.arange(self.stride)).ravel()
        features = differentiate(self._static[frames[frames < len(self._static)]], self.config)
        normalised = normalise(features, self.config, self._before.moments)
        (outputs,) = self.recognizer.outputs([normalised])
        path = self.recognizer.decoder(outputs)
        numbers = self._start + chosen
        starts = tuple(int(numbers[i]) for i in path.starts)
        ends = tuple(int(numbers[i - 1]) + 1 for i in path.ends)
        first = bisect_left(starts, self._committed)
        path = ctc.Path(path.labels, starts, ends, path.scores, path.score)
        return _part(path, first, len(starts)), features

    def _settled(self, path: ctc.Path, old: int) -> int:
        """How many of the labels are in whole words that end before output frame `old`."""
        tokenizer = self.recognizer.tokenizer
        for count in range(bisect_right(path.ends, old), 0, -1):
            following = path.labels[count] if count < len(path.labels) else None
            if path.labels[count - 1] == tokenizer.space or (
                following is not None and tokenizer.labels[following].startswith(PIECE_SPACE)
            ):
                return count
        return 0

    def _results(self, path: ctc.Path, count: int, pause: bool = False) -> list[Partial]:
        """The first `count` labels as a final result, the others as a partial one, if new."""
        duration = self._mfcc.count / self.config.sample_rate
        final, rest = (
            self.recognizer.transcript_of(part, 1, duration)
            for part in (_part(path, 0, count), _part(path, count, len(path.labels)))
        )
        results = []
        for said, is_final in ((final, True), (rest, False)):
            ends = is_final and pause and self._open
            if said.text or ends if is_final else said.text != self._shown:
                times = [t for token in said.tokens for t in (token.start, token.end)] or [duration]
                following = is_final and pause
                results.append(
                    Partial(said.text, is_final, times[0], times[-1], said.tokens, following)
                )
                self._shown = "" if is_final else said.text
                self._open = (self._open or is_final) and not following
        return results

    def _drop(self, count: int) -> None:
        self._static = self._static[count * self.stride :]
        self._start += count


def _part(path: ctc.Path, first: int, last: int) -> ctc.Path:
    """Some of a path's labels; the score of the whole path is not theirs."""
    chosen = slice(first, last)
    return ctc.Path(
        path.labels[chosen], path.starts[chosen], path.ends[chosen], path.scores[chosen], 0.0
    )
