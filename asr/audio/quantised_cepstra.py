"""`QuantisedCepstra`: static cepstra of many utterances in about 3 bits for each value."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from asr.audio.features import STD_FLOOR
from asr.errors import ConfigError

LARGEST = 127
"""Largest quantised value: they are signed bytes."""


@dataclass(frozen=True)
class QuantisedCepstra:
    """Cepstra as signed bytes, with a scale for each utterance and coefficient.

    A network reads normalised features, so the step is a share of the standard deviation of the
    coefficient in the utterance. Neighbouring frames are similar: what is stored are differences
    in time, in a Huffman code.

    Attributes:
        frames: frames of each utterance, int32 [utterances].
        mean: float16 [utterances, coefficients].
        scale: difference between two quantised values, float16 [utterances, coefficients].
        planes: for each coefficient the differences (modulo 256) between successive frames of all
            utterances together, compressed by zlib.
        error: root mean square of the quantisation error of each coefficient, in standard
            deviations of the utterance, float64 [coefficients].
    """

    frames: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    planes: tuple[bytes, ...]
    error: np.ndarray

    @classmethod
    def encode(cls, statics: Sequence[np.ndarray], step: float) -> QuantisedCepstra:
        """Quantise utterances.

        Args:
            statics: cepstra of each utterance, float32 [frames, coefficients].
            step: difference between two quantised values, in standard deviations. It is larger in
                an utterance whose extremes would not fit into a byte.

        Raises:
            ConfigError: the step is not between 0 and 1.
        """
        if not 0 < step <= 1:
            raise ConfigError(f"step: must be above 0 and at most 1, found {step}")
        count, coefficients = len(statics), statics[0].shape[1]
        frames = np.array([len(static) for static in statics], np.int32)
        mean, scale = (np.zeros([count, coefficients], np.float16) for _ in range(2))
        values = np.empty([int(frames.sum()), coefficients], np.int8)
        squares = np.zeros(coefficients)
        start = 0
        for i, static in enumerate(statics):
            mean[i] = static.mean(axis=0)
            centred = static - mean[i].astype(np.float32)
            deviation = np.maximum(static.std(axis=0), STD_FLOOR)
            widest = np.abs(centred).max(axis=0) / (LARGEST - 1)
            scale[i] = np.maximum(step * deviation, widest)
            rounded = np.rint(centred / scale[i].astype(np.float32))
            values[start : start + len(static)] = rounded
            difference = rounded * scale[i].astype(np.float32) - centred
            squares += np.square(difference / deviation, dtype=np.float64).sum(axis=0)
            start += len(static)
        planes = tuple(_compressed(column) for column in values.T)
        return cls(frames, mean, scale, planes, np.sqrt(squares / max(start, 1)))

    def decode(self) -> Iterator[np.ndarray]:
        """The cepstra of each utterance, float32 [frames, coefficients]."""
        columns = [np.frombuffer(zlib.decompress(plane), np.uint8) for plane in self.planes]
        values = np.stack([np.cumsum(c, dtype=np.uint8).view(np.int8) for c in columns], axis=1)
        ends = np.cumsum(self.frames)
        for end, count, mean, scale in zip(ends, self.frames, self.mean, self.scale, strict=True):
            part = values[end - count : end].astype(np.float32)
            yield part * scale.astype(np.float32) + mean.astype(np.float32)


def _compressed(values: np.ndarray) -> bytes:
    differences = np.diff(values.view(np.uint8), prepend=np.uint8(0))
    # Repetitions are chance here, and searching for them takes long: code single bytes only.
    packer = zlib.compressobj(9, zlib.DEFLATED, 15, 9, zlib.Z_HUFFMAN_ONLY)
    return packer.compress(differences.tobytes()) + packer.flush()
