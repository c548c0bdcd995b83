"""`Listener`: a recogniser as a judge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asr.decoding.decoding_options import NO_LM
from asr.evaluation.judges.judge import SAMPLE_RATE, JudgedTranscript
from asr.evaluation.sphinx_decoder import Sphinx
from asr.evaluation.whisper import Whisper, closest_reading, normalise_transcript
from asr.recognizer import Recognizer
from asr.results import Transcript


@dataclass(frozen=True)
class Listener:
    """A recogniser that is compared with the text of the sentence.

    Attributes:
        name: name of the recogniser.
        transcribe: samples, float32 [samples] at `SAMPLE_RATE` → the transcript as written.
        normalise: normalises a text.
        read: transcript as written, normalised text of the sentence → normalised transcript.
    """

    name: str
    transcribe: Callable[[np.ndarray], str]
    normalise: Callable[[str], str]
    read: Callable[[str, str], str]

    def judge(self, samples: np.ndarray, text: str) -> JudgedTranscript:
        """See `Judge`."""
        reference = self.normalise(text)
        return JudgedTranscript(reference, self.read(self.transcribe(samples), reference))


def recognizer_listener(recognizer: Recognizer) -> Listener:
    """One of our recognisers, with its own options of decoding and its own normaliser.

    Its name is the model's, followed by the language model.
    """

    def transcribe(samples: np.ndarray) -> str:
        (result,) = recognizer.transcribe([samples], sample_rate=SAMPLE_RATE)
        return result.text if isinstance(result, Transcript) else ""

    normalise = recognizer.tokenizer.normalise
    lm = recognizer.decoder.decoding.lm
    name = f"{recognizer.config.name}, {Path(lm or NO_LM).name}"
    return Listener(name, transcribe, normalise, lambda written, _: normalise(written))


def whisper_listener() -> Listener:
    """Whisper-base. Its digits are read in the way that fits the sentence best.

    Raises:
        PackageError: see `Whisper`.
    """
    whisper = Whisper()
    return Listener(
        whisper.name,
        lambda samples: whisper.transcribe(samples).text,
        normalise_transcript,
        closest_reading,
    )


def sphinx_listener() -> Listener:
    """PocketSphinx.

    Raises:
        PackageError: it is not installed.
    """
    return Listener("PocketSphinx", Sphinx().transcribe, normalise_transcript, closest_reading)
