"""`align_symbols`: durations of the symbols of recordings, for training a voice.

The recogniser's CTC alignment gives the times of the words. Inside the words, a Viterbi search
finds the phones. It scores the frames' cepstra with one Gaussian per phone half. The Gaussians are
estimated from an even division of each word, then again from each new alignment (segmental k-means,
Rabiner et al., 1986).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.fft import dct

from asr.base.blas import one_thread
from asr.base.progress import track
from asr.errors import TextError
from asr.tts.sentences import GAP, SILENT, Sentence

ROUNDS = 6
"""Estimations of the Gaussians, each followed by a search."""
CEPSTRA = 13
"""Cepstral coefficients per frame; their slopes are as many again."""
TOLERANCE = 0.12
"""Seconds by which a word may start before or end after the recogniser's times."""
LEAST_VARIANCE = 0.05
"""Smallest variance of standardised features, so that a rare symbol has no narrow Gaussian."""


@dataclass(frozen=True)
class SpokenSentence:
    """A recording of one sentence.

    Attributes:
        sentence: its text as symbols.
        frames: log-mel frames, float32 [frames, mels].
        words: start and end of each word by the recogniser, in seconds.
    """

    sentence: Sentence
    frames: np.ndarray
    words: tuple[tuple[float, float], ...]


def align_symbols(
    recordings: Sequence[SpokenSentence], seconds_per_frame: float
) -> list[np.ndarray]:
    """Find the duration of each symbol.

    Args:
        recordings: the sentences, all by one voice.
        seconds_per_frame: distance of the frames in seconds.

    Returns:
        For each recording the frames of each symbol, int [symbols]. They add up to the frames of
        the recording. A phone has two or more, a pause or gap may have none.

    Raises:
        TextError: a recording has fewer frames than its phones need.
    """
    features = _standardised([_cepstra(r.frames) for r in recordings])
    chains = [_Chain(r, seconds_per_frame) for r in recordings]
    paths = [chain.uniform() for chain in chains]
    # The products are small: a second thread would wait longer than it computes.
    with one_thread():
        for _ in track(range(ROUNDS), ROUNDS, "aligning phones"):
            gaussians = _Gaussians(features, chains, paths)
            paths = [c.best(gaussians.scores(x, c)) for c, x in zip(chains, features, strict=True)]
    return [chain.durations(path) for chain, path in zip(chains, paths, strict=True)]


class _Chain:
    """The states of a recording in order: two for a phone, one for a pause."""

    def __init__(self, recording: SpokenSentence, seconds_per_frame: float) -> None:
        symbols = recording.sentence.symbols
        self.count, self.frames = len(symbols), len(recording.frames)
        kinds: list[tuple[str, int]] = []
        owners: list[int] = []
        for i, symbol in enumerate(symbols):
            # All silences share one Gaussian.
            states = [(GAP, 0)] if symbol in SILENT else [(symbol, 0), (symbol, 1)]
            kinds += states
            owners += [i] * len(states)
        self.kinds, self.owners = kinds, np.array(owners)
        self.skippable = np.array([kind == GAP for kind, _ in kinds])
        if self.frames < (~self.skippable).sum():
            raise TextError(f"{self.frames} frames are too few for {self.count} symbols")
        self.first = np.zeros(len(kinds), int)
        self.last = np.full(len(kinds), self.frames)
        self.words = []
        for word, (start, end) in zip(recording.sentence.words, recording.words, strict=True):
            inside = (self.owners >= word.first) & (self.owners < word.last)
            early = round((start - TOLERANCE) / seconds_per_frame)
            late = round((end + TOLERANCE) / seconds_per_frame)
            needed = int(inside.sum())
            if late - early >= 2 * needed:  # otherwise the recogniser's times are wrong
                self.first[inside], self.last[inside] = max(early, 0), late
            span = (round(start / seconds_per_frame), round(end / seconds_per_frame))
            self.words.append((np.flatnonzero(inside), span))

    def uniform(self) -> np.ndarray:
        """A first path, int [frames]: the states of each word share its time equally."""
        path = np.full(self.frames, -1)
        for states, (start, end) in self.words:
            start, end = min(start, self.frames - 1), min(max(end, start + 1), self.frames)
            path[start:end] = states[np.arange(end - start) * len(states) // (end - start)]
        # All other frames are the silence before the next word, or after the last one.
        silence = np.flatnonzero(self.skippable)
        for t in np.flatnonzero(path < 0):
            later = path[t:][path[t:] >= 0]
            path[t] = silence[silence < later[0]][-1] if len(later) else silence[-1]
        return path

    def best(self, scores: np.ndarray) -> np.ndarray:
        """The most likely path, int [frames], for scores [frames, states]. It may skip silences."""
        time = np.arange(self.frames)[:, None]
        allowed = (time >= self.first) & (time < self.last)
        # A penalty for states outside their word's time, and no ban: so a path always exists.
        scores = np.where(allowed, scores, scores - 1e3)
        states = scores.shape[1]
        came = np.zeros(scores.shape, np.int8)
        jump = np.full(states, -np.inf)
        jump[2:] = np.where(self.skippable[1:-1], 0.0, -np.inf)
        best = np.full(states, -np.inf)
        best[0] = scores[0, 0]
        best[1] = scores[0, 1] if self.skippable[0] else -np.inf
        for t in range(1, self.frames):
            step = np.concatenate([[-np.inf], best[:-1]])
            skip = np.concatenate([[-np.inf, -np.inf], best[:-2]]) + jump
            choices = np.stack([best, step, skip])
            came[t] = choices.argmax(axis=0)
            best = choices.max(axis=0) + scores[t]
        state = states - 1
        if self.skippable[-1] and best[-2] > best[-1]:
            state -= 1
        path = np.empty(self.frames, int)
        for t in range(self.frames - 1, -1, -1):
            path[t] = state
            state -= int(came[t, state])
        return path

    def durations(self, path: np.ndarray) -> np.ndarray:
        """Frames of each symbol, int [symbols]."""
        return np.bincount(self.owners[path], minlength=self.count)


class _Gaussians:
    """One Gaussian with diagonal covariance for each kind of state."""

    def __init__(
        self,
        features: Sequence[np.ndarray],
        chains: Sequence[_Chain],
        paths: Sequence[np.ndarray],
    ) -> None:
        kinds = sorted({kind for chain in chains for kind in chain.kinds})
        self.places = {kind: i for i, kind in enumerate(kinds)}
        stacked = np.concatenate(features)
        owners = np.concatenate(
            [self.of(chain)[path] for chain, path in zip(chains, paths, strict=True)]
        )
        counts = np.bincount(owners, minlength=len(kinds))[:, None]

        def sums(values: np.ndarray) -> np.ndarray:
            columns = [np.bincount(owners, column, len(kinds)) for column in values.T]
            return np.stack(columns, axis=1)

        # The prior counts as one frame with mean 0 and variance 1, so that an unseen state has a
        # Gaussian too.
        self.means = sums(stacked) / (counts + 1)
        squares = (sums(stacked**2) + 1) / (counts + 1)
        self.variances = np.maximum(squares - self.means**2, LEAST_VARIANCE)

    def of(self, chain: _Chain) -> np.ndarray:
        return np.array([self.places[kind] for kind in chain.kinds])

    def scores(self, x: np.ndarray, chain: _Chain) -> np.ndarray:
        """Log densities [frames, states], without the constant."""
        precisions = 1 / self.variances
        distance = (x**2) @ precisions.T - 2 * x @ (self.means * precisions).T
        constant = (self.means**2 * precisions + np.log(self.variances)).sum(axis=1)
        return (-0.5 * (distance + constant))[:, self.of(chain)]


def _cepstra(frames: np.ndarray) -> np.ndarray:
    """Cepstra of log-mel frames and their slopes, [frames, 2 × CEPSTRA]."""
    static = dct(frames, type=2, norm="ortho", axis=1)[:, :CEPSTRA]
    return np.concatenate([static, np.gradient(static, axis=0)], axis=1)


def _standardised(features: Sequence[np.ndarray]) -> list[np.ndarray]:
    stacked = np.concatenate(features)
    mean, deviation = stacked.mean(axis=0), stacked.std(axis=0) + 1e-6
    return [(x - mean) / deviation for x in features]
