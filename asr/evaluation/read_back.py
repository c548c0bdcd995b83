"""Check of synthetic speech: an independent recogniser transcribes a sample of the utterances.

Utterances with a high word error rate are listed with their voices, so that such voices and
sentences can be left out of the training.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import jiwer
import numpy as np

from asr.base.files import atomic_write, json_line
from asr.data.inputs import read_utterance
from asr.data.manifest import Utterance
from asr.errors import ConfigError
from asr.evaluation.whisper import SAMPLE_RATE, ReferenceRecognizer, normalise_transcript

BLOCK = 1000
"""`sample` draws the same number of utterances from each block of this many."""


@dataclass(frozen=True)
class ReadBack:
    """An utterance and its transcript by an independent recogniser.

    Attributes:
        utterance: the utterance with its reference text.
        transcript: the recogniser's text.
        errors: number of substituted, deleted and inserted words.
        words: number of words in the reference text.
    """

    utterance: Utterance
    transcript: str
    errors: int
    words: int

    @property
    def wer(self) -> float:
        """Word error rate: errors per word of the reference text."""
        return self.errors / self.words


def sample(utterances: Sequence[Utterance], per_thousand: int, seed: int) -> list[Utterance]:
    """Draw utterances evenly from a corpus, in their order.

    Args:
        utterances: the corpus.
        per_thousand: number drawn from each 1000 utterances, 1 to 1000; proportionally fewer from
            the last block.
        seed: seed of the draw.

    Raises:
        ConfigError: `per_thousand` is out of range.
    """
    if not 1 <= per_thousand <= BLOCK:
        raise ConfigError(f"--per-thousand {per_thousand}: must be 1 to {BLOCK}")
    rng = np.random.default_rng(seed)
    chosen: list[Utterance] = []
    for start in range(0, len(utterances), BLOCK):
        block = utterances[start : start + BLOCK]
        count = -(-per_thousand * len(block) // BLOCK)
        chosen += [block[i] for i in sorted(rng.choice(len(block), count, replace=False))]
    return chosen


def read_back(
    utterances: Iterable[Utterance], recognizer: ReferenceRecognizer
) -> Iterator[ReadBack]:
    """Transcribe utterances and count the errors in the normalised texts.

    Utterances whose normalised text is empty are skipped.

    Raises:
        AudioError: a recording cannot be read.
    """
    for utterance in utterances:
        reference = normalise_transcript(utterance.text)
        if not reference:
            continue
        text = recognizer.transcribe(read_utterance(utterance, SAMPLE_RATE)).text
        measures = jiwer.process_words(reference, normalise_transcript(text))
        errors = measures.substitutions + measures.deletions + measures.insertions
        yield ReadBack(utterance, text, errors, len(reference.split()))


def write_misread(path: Path, results: Iterable[ReadBack], max_wer: float) -> int:
    """Write the utterances above a word error rate as JSONL, the highest first.

    Args:
        path: the file to write.
        results: results of `read_back`.
        max_wer: word error rate above which an utterance is written.

    Returns:
        Number of utterances written.
    """
    misread = sorted((r for r in results if r.wer > max_wer), key=lambda r: -r.wer)
    with atomic_write(path) as file:
        for result in misread:
            values = {
                "audio_filepath": str(result.utterance.path),
                "text": result.utterance.text,
                "transcript": result.transcript,
                "wer": round(result.wer, 3),
                "voice": result.utterance.speaker,
            }
            file.write(json_line(values))
    return len(misread)
