"""Synthetic speech read back: a recogniser hears a sample of the utterances, and what it cannot
read is listed, for voices and sentences that are better left out of training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import jiwer
import numpy as np

from asr.audio.reading import read_audio
from asr.base.files import atomic_write, json_line
from asr.data.manifest import Utterance
from asr.errors import ConfigError
from asr.evaluation.whisper import SAMPLE_RATE, Heard, as_spoken_words


class Judge(Protocol):
    """What `asr.evaluation.whisper.Whisper` is."""

    def hear(self, samples: np.ndarray) -> Heard: ...


@dataclass(frozen=True)
class Reading:
    """An utterance as it was heard.

    Attributes:
        utterance: as the manifest has it.
        heard: the judge's transcript.
        errors: wrong, missing and inserted words.
        words: words of the utterance's text.
    """

    utterance: Utterance
    heard: str
    errors: int
    words: int

    @property
    def wer(self) -> float:
        """Errors per word of the text."""
        return self.errors / self.words


def sample(utterances: Sequence[Utterance], per_thousand: int, seed: int) -> list[Utterance]:
    """So many utterances of each thousand, at random, in their order; of a rest, its share.

    Raises:
        ConfigError: the count is not 1 to 1000.
    """
    if not 1 <= per_thousand <= 1000:
        raise ConfigError(f"--per-thousand {per_thousand}: give 1 to 1000")
    rng = np.random.default_rng(seed)
    chosen: list[Utterance] = []
    for start in range(0, len(utterances), 1000):
        block = utterances[start : start + 1000]
        count = -(-per_thousand * len(block) // 1000)
        chosen += [block[i] for i in sorted(rng.choice(len(block), count, replace=False))]
    return chosen


def read_back(utterances: Iterable[Utterance], judge: Judge) -> Iterator[Reading]:
    """Each utterance as the judge hears it, without regard to capitals, digits or punctuation.

    Raises:
        AudioError: a recording cannot be read.
    """
    for utterance in utterances:
        heard = judge.hear(read_audio(utterance.path, SAMPLE_RATE)).text
        reference = as_spoken_words(utterance.text)
        if not reference:
            continue
        found = jiwer.process_words(reference, as_spoken_words(heard))
        errors = found.substitutions + found.deletions + found.insertions
        yield Reading(utterance, heard, errors, len(reference.split()))


def write_misread(path: Path, readings: Iterable[Reading], limit: float) -> int:
    """List the readings whose WER is above `limit` as JSONL, the worst first; their number."""
    misread = sorted((r for r in readings if r.wer > limit), key=lambda r: -r.wer)
    with atomic_write(path) as file:
        for reading in misread:
            values = {
                "audio_filepath": str(reading.utterance.path),
                "text": reading.utterance.text,
                "heard": reading.heard,
                "wer": round(reading.wer, 3),
                "style": reading.utterance.speaker,
            }
            file.write(json_line(values))
    return len(misread)
