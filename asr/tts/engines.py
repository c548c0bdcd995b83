"""Synthetic speech for training: Debian's flite, espeak-ng and festival, or our own voice, read
sentences aloud.

The voice, speed and pitch of a sentence and the name of its file are functions of the sentence and
the seed. An interrupted run therefore continues exactly, and a file cannot stand for another
sentence.
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
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from asr.audio.reading import read_audio
from asr.data.manifest import Utterance
from asr.errors import AsrError, AudioError

if TYPE_CHECKING:
    from asr.tts.synthesizer import Synthesizer

SAMPLE_RATE = 16_000
"""Hz of the files written, whatever an engine's own."""
TIMEOUT = 60
"""Longest time an engine may take for a sentence, in seconds."""
AHEAD = 64
"""Sentences that are being spoken or are in the queue."""


@dataclass(frozen=True)
class Voice:
    """A voice of an engine. `share` is its sampling weight among all voices."""

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
    Voice("asr", "en-kathleen", 1),
)  # fmt: skip


def synthesize(
    texts: Sequence[str],
    out: Path,
    seconds: float,
    engines: Sequence[str],
    seed: int = 1,
    jobs: int = 2,
) -> Iterator[Utterance]:
    """Speak texts in their order into `out`/DIGEST.flac until there are so many seconds.

    Files that exist are kept; a sentence that an engine makes nothing of is left out.

    Args:
        engines: those of ENGINES whose voices take their shares of the texts.

    Raises:
        AudioError: an engine is not known or not installed.
    """
    check_engines(engines)
    voices = [voice for voice in VOICES if voice.engine in engines]
    out.mkdir(parents=True, exist_ok=True)
    remaining, total = iter(texts), 0.0
    with ThreadPoolExecutor(jobs) as pool:

        def submit(count: int) -> list[Future[Utterance | None]]:
            return [
                pool.submit(_utterance, text, out, seed, voices)
                for text in islice(remaining, count)
            ]

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
        AudioError: the engine is not known or not installed, or made nothing of the text.
    """
    check_engines([engine])
    with tempfile.TemporaryDirectory() as folder:
        wave = Path(folder, "x.wav")
        try:
            ENGINES[engine](text, voice, 1.0, 1.0, wave)
        except subprocess.SubprocessError as error:
            raise AudioError(f"{engine} cannot say {text[:40]!r}: {error}") from None
        return read_audio(wave, SAMPLE_RATE)


def check_engines(engines: Sequence[str]) -> None:
    """Whether engines can be used here.

    Raises:
        AudioError: one is not known, or some are not installed; all of these are named.
    """
    for engine in engines:
        if engine not in ENGINES:
            raise AudioError(f"engine {engine!r} is not known; one of {', '.join(ENGINES)}")
    missing = [engine for engine in engines if engine != "asr" and shutil.which(engine) is None]
    if missing:
        raise AudioError(f"not installed: {', '.join(sorted(missing))}; apt-get install them")


def _utterance(text: str, out: Path, seed: int, voices: Sequence[Voice]) -> Utterance | None:
    digest = hashlib.sha256(f"{seed} {text}".encode()).hexdigest()[:16]
    rng = np.random.default_rng(int(digest, 16))
    shares = np.array([v.share for v in voices])
    voice = voices[rng.choice(len(voices), p=shares / shares.sum())]
    speed, pitch = rng.uniform(0.85, 1.2), rng.uniform(0.8, 1.25)
    path = out / f"{digest}.flac"
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=out) as folder:
            wave = Path(folder, "x.wav")
            try:
                ENGINES[voice.engine](text, voice.name, speed, pitch, wave)
                samples = read_audio(wave, SAMPLE_RATE)
            except (AsrError, subprocess.SubprocessError):
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
    """The voices keep their pitch: they have no common setting for it."""
    quoted = text.replace("\\", "").replace('"', "")
    _run(
        ["festival", "--pipe"],
        f"(voice_{voice}) (Parameter.set 'Duration_Stretch {1 / speed:.3f}) "
        f'(utt.save.wave (utt.synth (Utterance Text "{quoted}")) "{path}" \'riff)',
    )


@lru_cache(maxsize=1)
def _synthesizer(voice: str) -> Synthesizer:
    from asr.tts.synthesizer import Synthesizer
    from asr.tts.vocoder import GriffinLim

    synthesizer = Synthesizer.load(voice)
    # Features of a recogniser do not depend on phases: a few iterations are enough.
    synthesizer.vocoder = GriffinLim(synthesizer.config.mel, iterations=8)
    return synthesizer


def _own(text: str, voice: str, speed: float, pitch: float, path: Path) -> None:
    """The voice keeps its pitch: its speech should sound like more recordings of its reader."""
    synthesizer = _synthesizer(voice)
    samples = synthesizer.speak(text, rate=speed)
    soundfile.write(path, samples, synthesizer.config.mel.sample_rate)


ENGINES: dict[str, Callable[[str, str, float, float, Path], None]] = {
    "flite": _flite,
    "espeak-ng": _espeak,
    "festival": _festival,
    "asr": _own,
}
"""Programs of the system, and "asr", our own voices."""


def _run(command: list[str], text: str = "") -> None:
    subprocess.run(command, input=text, text=True, check=True, capture_output=True, timeout=TIMEOUT)
