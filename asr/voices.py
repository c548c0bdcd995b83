"""Synthetic speech for training: Debian's flite, espeak-ng and festival read sentences aloud.

What a sentence is said by, how fast and how high, and the name of its file are a function of the
sentence and the seed: a run that was stopped goes on as if it had not been, and no file can come to
stand for another sentence.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import soundfile

from asr.audio import read_audio
from asr.errors import AudioError
from asr.manifest import Utterance

SAMPLE_RATE = 16_000
"""Hz of the files written, whatever an engine's own."""
TIMEOUT = 60
"""Seconds an engine may take for one sentence."""
AHEAD = 64
"""Sentences that are being spoken, or wait to be."""


@dataclass(frozen=True)
class Voice:
    """A voice of an engine; `share` is its weight among all."""

    engine: str
    name: str
    share: float

    def __str__(self) -> str:
        return f"{self.engine}-{self.name}"


VOICES = (
    Voice("flite", "slt", 6), Voice("flite", "rms", 2), Voice("flite", "awb", 2),
    Voice("flite", "kal16", 1),
    *(Voice("espeak-ng", f"en-us+{variant}", 0.4)
      for variant in ("f1", "f2", "f3", "f4", "f5", "m1", "m3", "m4", "m7", "Andy", "Annie")),
    *(Voice("espeak-ng", f"{accent}+{variant}", 0.2)
      for accent in ("en-gb", "en-gb-scotland", "en-gb-x-rp") for variant in ("f2", "m3")),
    Voice("festival", "kal_diphone", 0.3), Voice("festival", "ked_diphone", 0.3),
    Voice("festival", "cmu_us_slt_arctic_hts", 0.6),
)  # fmt: skip


def synthesize(
    texts: Sequence[str], out: Path, seconds: float, seed: int = 1, jobs: int = 2
) -> Iterator[Utterance]:
    """Speak texts in their order into `out`/DIGEST.flac until there are so many seconds.

    Files that exist are kept; a sentence that an engine makes nothing of is left out.

    Raises:
        AudioError: an engine is not installed.
    """
    missing = sorted(e for e in {v.engine for v in VOICES} if shutil.which(e) is None)
    if missing:
        raise AudioError(f"not installed: {', '.join(missing)}; apt-get install them")
    out.mkdir(parents=True, exist_ok=True)
    remaining, total = iter(texts), 0.0
    with ThreadPoolExecutor(jobs) as pool:

        def submit(count: int) -> list[Future[Utterance | None]]:
            return [pool.submit(_utterance, text, out, seed) for text in islice(remaining, count)]

        # In their order, and some ahead: festival takes as long as twenty of the others.
        speaking = deque(submit(AHEAD))
        while speaking and total < seconds:
            utterance = speaking.popleft().result()
            speaking += submit(1)
            if utterance is not None:
                yield utterance
                total += utterance.duration


def speak_with(engine: str, voice: str, text: str) -> np.ndarray:
    """A text by a voice of an engine, at its own speed and pitch: samples at SAMPLE_RATE.

    Raises:
        AudioError: the engine is not installed, or made nothing of the text.
    """
    if shutil.which(engine) is None:
        raise AudioError(f"not installed: {engine}; apt-get install it")
    with tempfile.TemporaryDirectory() as folder:
        wave = Path(folder, "x.wav")
        try:
            _ENGINES[engine](text, voice, 1.0, 1.0, wave)
        except subprocess.SubprocessError as error:
            raise AudioError(f"{engine} cannot say {text[:40]!r}: {error}") from None
        return read_audio(wave, SAMPLE_RATE)


def _utterance(text: str, out: Path, seed: int) -> Utterance | None:
    digest = hashlib.sha256(f"{seed} {text}".encode()).hexdigest()[:16]
    rng = np.random.default_rng(int(digest, 16))
    shares = np.array([v.share for v in VOICES])
    voice = VOICES[rng.choice(len(VOICES), p=shares / shares.sum())]
    speed, pitch = rng.uniform(0.85, 1.2), rng.uniform(0.8, 1.25)
    path = out / f"{digest}.flac"
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=out) as folder:
            wave = Path(folder, "x.wav")
            try:
                _ENGINES[voice.engine](text, voice.name, speed, pitch, wave)
                samples = read_audio(wave, SAMPLE_RATE)
            except (AudioError, subprocess.SubprocessError):
                return None
            peak = max(float(np.abs(samples).max()), 1e-3)
            soundfile.write(Path(folder, "x.flac"), 0.7 * samples / peak, SAMPLE_RATE)
            os.replace(Path(folder, "x.flac"), path)
    return Utterance(text, soundfile.info(path).duration, path, speaker=str(voice))


def _flite(text: str, voice: str, speed: float, pitch: float, path: Path) -> None:
    mean = {"slt": 170, "rms": 100, "awb": 130, "kal16": 105}[voice] * pitch
    settings = (f"duration_stretch={1 / speed:.3f}", f"int_f0_target_mean={mean:.1f}")
    flags = [flag for setting in settings for flag in ("--setf", setting)]
    _run(["flite", "-voice", voice, *flags, "-t", text, "-o", str(path)])


def _espeak(text: str, voice: str, speed: float, pitch: float, path: Path) -> None:
    rate, height = round(160 * speed), round(50 * pitch)
    _run(
        ["espeak-ng", "-v", voice, "-s", str(rate), "-p", str(height), "-w", str(path), "--", text]
    )


def _festival(text: str, voice: str, speed: float, pitch: float, path: Path) -> None:
    """Its voices keep their pitch: each engine has another way to change it, or none."""
    quoted = text.replace("\\", "").replace('"', "")
    _run(
        ["festival", "--pipe"],
        f"(voice_{voice}) (Parameter.set 'Duration_Stretch {1 / speed:.3f}) "
        f'(utt.save.wave (utt.synth (Utterance Text "{quoted}")) "{path}" \'riff)',
    )


_ENGINES: dict[str, Callable[[str, str, float, float, Path], None]] = {
    "flite": _flite,
    "espeak-ng": _espeak,
    "festival": _festival,
}


def _run(command: list[str], text: str = "") -> None:
    subprocess.run(command, input=text, text=True, check=True, capture_output=True, timeout=TIMEOUT)
