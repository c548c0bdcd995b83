"""Text-to-speech engines that read sentences aloud, for synthetic training speech.

The engines are Debian's flite, espeak-ng and festival, the Kokoro-82M voice, and voices of this
package. A sentence and the seed determine the voice, the speed, the pitch and the name of the file.
A run that was stopped therefore resumes with the same result, and no file name stands for two
sentences.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from asr.audio.reading import read_audio
from asr.audio.writing import write_audio
from asr.data.manifest import Utterance
from asr.errors import AsrError, AudioError
from asr.tts import kokoro

if TYPE_CHECKING:
    from asr.tts.synthesizer import Synthesizer

SAMPLE_RATE = 16_000
"""Sample rate of the files written, in Hz. Opus files by Kokoro keep Kokoro's sample rate."""
FORMATS = {"flac": "PCM_16", "ogg": "OPUS"}
"""Suffixes of the files written, with libsndfile's name of the encoding."""
MIN_FREE_BYTES = 1 << 20
"""Free space on the disk below which a failure of a program means that the disk is full."""
TIMEOUT = 60
"""Seconds that an engine may take for one sentence."""
DEBIAN_ENGINES = ("flite", "espeak-ng", "festival")
"""Engines in Debian packages."""
QUEUE_LENGTH = 64
"""Number of sentences that are being spoken or wait for an engine."""
MAX_MISSING = 1000
"""Number of sentences in a row without a file after which `existing_utterances` stops.

It is well above `QUEUE_LENGTH`: within the queue, files are written out of order.
"""


@dataclass(frozen=True)
class Voice:
    """A voice of an engine.

    Attributes:
        engine: a key of `ENGINES`.
        name: the engine's name of the voice.
        share: relative frequency among the voices of the chosen engines.
    """

    engine: str
    name: str
    share: float

    def __str__(self) -> str:
        return f"{self.engine}-{self.name}"


US_VARIANTS = ("f1", "f2", "f3", "f4", "f5", "m1", "m3", "m4", "m7", "Andy", "Annie")
UK_ACCENTS = ("en-gb", "en-gb-scotland", "en-gb-x-rp")
VOICES = (
    Voice("flite", "slt", 6),
    Voice("flite", "rms", 2),
    Voice("flite", "awb", 2),
    Voice("flite", "kal16", 1),
    *(Voice("espeak-ng", f"en-us+{variant}", 0.4) for variant in US_VARIANTS),
    *(Voice("espeak-ng", f"{a}+{variant}", 0.2) for a in UK_ACCENTS for variant in ("f2", "m3")),
    Voice("festival", "kal_diphone", 0.3),
    Voice("festival", "ked_diphone", 0.3),
    Voice("festival", "cmu_us_slt_arctic_hts", 0.6),
    Voice("asr", "en-kathleen", 1),
    Voice("kokoro", "any", 12),
)
"""Voices of all engines. `kokoro.choose_style` replaces "any" with a style for each sentence."""


def synthesize(
    texts: Iterable[str],
    out: Path,
    seconds: float,
    engines: Sequence[str],
    seed: int = 1,
    jobs: int = 2,
    format: str = "flac",
) -> Iterator[Utterance]:
    """Speak texts in their order, until the speech has a total duration.

    Existing files are kept. A sentence that an engine cannot speak is left out.

    Args:
        texts: the sentences.
        out: folder of the files, which are named by a digest of text and seed.
        seconds: total duration.
        engines: keys of `ENGINES`; their voices share the texts.
        seed: seed of the choice of voice, speed and pitch for each text; default: 1.
        jobs: number of texts spoken at once, with Kokoro in as many processes of one thread;
            default: 2.
        format: a key of `FORMATS`; default: flac.

    Yields:
        The utterances, with the voice as the speaker.

    Raises:
        AudioError: an engine or the format is unknown, or an engine is not installed.
        PackageError: Kokoro's packages cannot be downloaded.
    """
    speak = _make_speaker(out, engines, seed, format)
    out.mkdir(parents=True, exist_ok=True)
    remaining, total = iter(texts), 0.0
    pool = _pool(jobs, engines)
    try:

        def submit(count: int) -> list[Future[Utterance | None]]:
            return [pool.submit(speak, text) for text in islice(remaining, count)]

        # Results are taken in order. The queue keeps all jobs busy while festival speaks, which
        # takes twenty times as long as the others.
        speaking = deque(submit(QUEUE_LENGTH))
        while speaking and total < seconds:
            utterance = speaking.popleft().result()
            speaking += submit(1)
            if utterance is not None:
                yield utterance
                total += utterance.duration
    finally:
        pool.shutdown(cancel_futures=True)


def existing_utterances(
    texts: Iterable[str], out: Path, engines: Sequence[str], seed: int = 1, format: str = "flac"
) -> Iterator[Utterance]:
    """The utterances that `synthesize` with the same arguments has written so far.

    Raises:
        AudioError: an engine or the format is unknown, or an engine is not installed.
    """
    speak = _make_speaker(out, engines, seed, format)
    missing = 0
    for text in texts:
        if speak.path(text).exists() and (utterance := speak(text)) is not None:
            missing = 0
            yield utterance
        elif (missing := missing + 1) == MAX_MISSING:
            return


def speak_with(engine: str, voice: str, text: str) -> np.ndarray:
    """Speak a text at the voice's own speed and pitch.

    Args:
        engine: a key of `ENGINES`.
        voice: the engine's name of the voice.
        text: the text.

    Returns:
        Samples at `SAMPLE_RATE`, float32 [samples].

    Raises:
        AudioError: the engine is unknown or not installed, or cannot speak the text.
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
    """Check that engines are known and installed.

    Raises:
        AudioError: an engine is unknown, or the message lists all programs that are missing.
    """
    for engine in engines:
        if engine not in ENGINES:
            raise AudioError(f"engine {engine!r} is not known; one of {', '.join(ENGINES)}")
    programs = {PROGRAMS.get(engine, engine) for engine in engines} - {""}
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        raise AudioError(f"not installed: {', '.join(sorted(missing))}; apt-get install them")


def _make_speaker(out: Path, engines: Sequence[str], seed: int, format: str) -> _Speaker:
    check_engines(engines)
    if format not in FORMATS:
        raise AudioError(f"format {format!r} is not known; one of {', '.join(FORMATS)}")
    voices = tuple(voice for voice in VOICES if voice.engine in engines)
    return _Speaker(out, seed, voices, format)


def _pool(jobs: int, engines: Sequence[str]) -> Executor:
    """Threads for engines that are programs; processes for Kokoro, a third faster than threads."""
    if "kokoro" not in engines:
        return ThreadPoolExecutor(jobs)
    kokoro.fetch_voice()  # download once, before the processes start
    return ProcessPoolExecutor(
        jobs, get_context("spawn"), initializer=exit_with_parent, initargs=(os.getpid(),)
    )


def exit_with_parent(parent: int) -> None:
    """End this process within seconds after its parent. A killed parent cannot end its workers.

    Args:
        parent: process id of the parent.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@dataclass(frozen=True)
class _Speaker:
    """Speaks one text into its file.

    Attributes:
        out: folder of the files.
        seed: seed of the choice of voice, speed and pitch.
        voices: voices to choose from.
        format: a key of `FORMATS`.
    """

    out: Path
    seed: int
    voices: tuple[Voice, ...]
    format: str

    def path(self, text: str) -> Path:
        return self.out / f"{self._digest(text)}.{self.format}"

    def _digest(self, text: str) -> str:
        return hashlib.sha256(f"{self.seed} {text}".encode()).hexdigest()[:16]

    def __call__(self, text: str) -> Utterance | None:
        number = int(self._digest(text), 16)
        rng = np.random.default_rng(number)
        shares = np.array([voice.share for voice in self.voices])
        voice = self.voices[rng.choice(len(self.voices), p=shares / shares.sum())]
        speed, pitch = rng.uniform(0.85, 1.2), rng.uniform(0.8, 1.25)
        if voice.engine == "kokoro":
            style = kokoro.choose_style(number)
            voice, speed = replace(voice, name=style.name), style.speed
        path = self.path(text)
        if not path.exists():
            with tempfile.TemporaryDirectory(dir=self.out, prefix=".") as folder:
                wave = Path(folder, "x.wav")
                try:
                    ENGINES[voice.engine](text, voice.name, speed, pitch, wave)
                    own_rate = self.format == "ogg" and voice.engine == "kokoro"
                    rate = kokoro.SAMPLE_RATE if own_rate else SAMPLE_RATE
                    samples = read_audio(wave, rate)
                except (AsrError, subprocess.SubprocessError):
                    if shutil.disk_usage(self.out).free < MIN_FREE_BYTES:
                        full = os.strerror(errno.ENOSPC)  # programs only say that they failed
                        raise OSError(errno.ENOSPC, full, str(path)) from None
                    return None
                peak = max(float(np.abs(samples).max()), 1e-3)
                encoding = FORMATS[self.format]
                write_audio(path, 0.7 * samples / peak, rate, encoding)
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
    """Speak at the voice's own pitch: festival's voices have no common way to change it."""
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
    # MFCCs do not depend on the phases that Griffin-Lim estimates: few iterations suffice.
    synthesizer.vocoder = GriffinLim(synthesizer.config.mel, iterations=8)
    return synthesizer


def _own_voice(text: str, voice: str, speed: float, pitch: float, path: Path) -> None:
    """Speak at the voice's own pitch, so that the speech resembles the recorded speaker."""
    synthesizer = _synthesizer(voice)
    samples = synthesizer.speak(text, rate=speed)
    write_audio(path, samples, synthesizer.config.mel.sample_rate)


def _kokoro(text: str, voice: str, speed: float, pitch: float, path: Path) -> None:
    """Speak at the style's own pitch: the styles and their mixtures differ enough."""
    samples = kokoro.load_voice().speak(text, kokoro.Style.parse(voice, speed))
    write_audio(path, samples, kokoro.SAMPLE_RATE, "FLOAT")


ENGINES: dict[str, Callable[[str, str, float, float, Path], None]] = {
    "flite": _flite,
    "espeak-ng": _espeak,
    "festival": _festival,
    "asr": _own_voice,
    "kokoro": _kokoro,
}
"""Functions (text, voice, speed, pitch, path of the WAV file) of the engines.

"asr" are voices of this package, "kokoro" is the Kokoro-82M voice, the others are programs.
"""
PROGRAMS = {"asr": "", "kokoro": "espeak-ng"}
"""Program that an engine needs, if it has another name than the engine; "" for none."""


def _run(command: list[str], text: str = "") -> None:
    subprocess.run(command, input=text, text=True, check=True, capture_output=True, timeout=TIMEOUT)
