"""Synthetic speech for training: Debian's flite, espeak-ng and festival, Kokoro's styles, or our
own voice, read sentences aloud.

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
from asr.data.manifest import Utterance
from asr.errors import AsrError, AudioError
from asr.tts import kokoro

if TYPE_CHECKING:
    from asr.tts.synthesizer import Synthesizer

SAMPLE_RATE = 16_000
"""Sample rate of the files written, in Hz; Opus files keep Kokoro's own."""
FORMATS = {"flac": "PCM_16", "ogg": "OPUS"}
"""Endings of the files written, and libsndfile's name of their encoding."""
TIMEOUT = 60
"""Seconds an engine may take for one sentence."""
DEBIAN = ("flite", "espeak-ng", "festival")
"""Engines that Debian's packages bring."""
AHEAD = 64
"""Sentences that are being spoken, or wait to be."""
GAP = 1000
"""Sentences in a row without a file that are beyond what a run has spoken; well above `AHEAD`."""


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
    Voice("asr", "en-kathleen", 1),
    Voice("kokoro", "any", 12),
)  # fmt: skip


def synthesize(
    texts: Iterable[str],
    out: Path,
    seconds: float,
    engines: Sequence[str],
    seed: int = 1,
    jobs: int = 2,
    format: str = "flac",
) -> Iterator[Utterance]:
    """Speak texts in their order into `out`/DIGEST.FORMAT until there are so many seconds.

    Files that exist are kept; a sentence that an engine makes nothing of is left out.

    Args:
        engines: those of ENGINES whose voices take their shares of the texts.
        seed: of the choice of voice, speed and pitch for each text.
        jobs: texts spoken at once; with Kokoro, processes of one thread each.
        format: one of FORMATS.

    Raises:
        AudioError: an engine or the format is not known, or an engine is not installed.
        PackageError: Kokoro's packages cannot be downloaded.
    """
    speak = _speaker(out, engines, seed, format)
    out.mkdir(parents=True, exist_ok=True)
    remaining, total = iter(texts), 0.0
    pool = _pool(jobs, engines)
    try:

        def submit(count: int) -> list[Future[Utterance | None]]:
            return [pool.submit(speak, text) for text in islice(remaining, count)]

        # In their order, and some ahead: festival takes as long as twenty of the others.
        speaking = deque(submit(AHEAD))
        while speaking and total < seconds:
            utterance = speaking.popleft().result()
            speaking += submit(1)
            if utterance is not None:
                yield utterance
                total += utterance.duration
    finally:
        pool.shutdown(cancel_futures=True)


def spoken_before(
    texts: Iterable[str], out: Path, engines: Sequence[str], seed: int = 1, format: str = "flac"
) -> Iterator[Utterance]:
    """The utterances that `synthesize` with the same arguments has written so far.

    Raises:
        AudioError: an engine or the format is not known, or an engine is not installed.
    """
    speak = _speaker(out, engines, seed, format)
    absent = 0
    for text in texts:
        if speak.path(text).exists() and (utterance := speak(text)) is not None:
            absent = 0
            yield utterance
        elif (absent := absent + 1) == GAP:
            return


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
    programs = {PROGRAMS.get(engine, engine) for engine in engines} - {""}
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        raise AudioError(f"not installed: {', '.join(sorted(missing))}; apt-get install them")


def _speaker(out: Path, engines: Sequence[str], seed: int, format: str) -> _Speaker:
    check_engines(engines)
    if format not in FORMATS:
        raise AudioError(f"format {format!r} is not known; one of {', '.join(FORMATS)}")
    voices = tuple(voice for voice in VOICES if voice.engine in engines)
    return _Speaker(out, seed, voices, format)


def _pool(jobs: int, engines: Sequence[str]) -> Executor:
    """Threads for programs of the system; processes for Kokoro, a third faster than threads."""
    if "kokoro" not in engines:
        return ThreadPoolExecutor(jobs)
    kokoro.fetch()  # once, before every process looks for it
    return ProcessPoolExecutor(
        jobs, get_context("spawn"), initializer=_end_with, initargs=(os.getpid(),)
    )


def _end_with(parent: int) -> None:
    """End this process soon after its parent: a killed parent cannot end its pool."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@dataclass(frozen=True)
class _Speaker:
    """Speaks one text into its file; the arguments are those of `synthesize`."""

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
        shares = np.array([v.share for v in self.voices])
        voice = self.voices[rng.choice(len(self.voices), p=shares / shares.sum())]
        speed, pitch = rng.uniform(0.85, 1.2), rng.uniform(0.8, 1.25)
        if voice.engine == "kokoro":
            style = kokoro.choose_style(number)
            voice, speed = replace(voice, name=style.name), style.speed
        path = self.path(text)
        if not path.exists():
            with tempfile.TemporaryDirectory(dir=self.out, prefix=".") as folder:
                wave, encoded = Path(folder, "x.wav"), Path(folder, f"x.{self.format}")
                try:
                    ENGINES[voice.engine](text, voice.name, speed, pitch, wave)
                    kept = self.format == "ogg" and voice.engine == "kokoro"
                    rate = kokoro.SAMPLE_RATE if kept else SAMPLE_RATE
                    samples = read_audio(wave, rate)
                except (AsrError, subprocess.SubprocessError):
                    return None
                peak = max(float(np.abs(samples).max()), 1e-3)
                encoding = FORMATS[self.format]
                soundfile.write(encoded, 0.7 * samples / peak, rate, subtype=encoding)
                os.replace(encoded, path)
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


@lru_cache(maxsize=1)
def _synthesizer(voice: str) -> Synthesizer:
    from asr.tts.synthesizer import Synthesizer
    from asr.tts.vocoder import GriffinLim

    synthesizer = Synthesizer.load(voice)
    # The features of a recogniser do not show phases: a few rounds are as good as many.
    synthesizer.vocoder = GriffinLim(synthesizer.config.mel, iterations=8)
    return synthesizer


def _own(text: str, voice: str, speed: float, pitch: float, path: Path) -> None:
    """It keeps its pitch too: it is wanted as the reader's own speech with more words."""
    synthesizer = _synthesizer(voice)
    samples = synthesizer.speak(text, rate=speed)
    soundfile.write(path, samples, synthesizer.config.mel.sample_rate)


def _kokoro(text: str, voice: str, speed: float, pitch: float, path: Path) -> None:
    """It keeps its pitch: fifty-four styles and their mixtures differ enough."""
    samples = kokoro.load().speak(text, kokoro.Style.parse(voice, speed))
    soundfile.write(path, samples, kokoro.SAMPLE_RATE, subtype="FLOAT")


ENGINES: dict[str, Callable[[str, str, float, float, Path], None]] = {
    "flite": _flite,
    "espeak-ng": _espeak,
    "festival": _festival,
    "asr": _own,
    "kokoro": _kokoro,
}
"""Programs of the system; "asr", our own voices; "kokoro", Kokoro-82M out of packages."""
PROGRAMS = {"asr": "", "kokoro": "espeak-ng"}
"""Programs that engines need, where it is not one of the engine's name; "" for none."""


def _run(command: list[str], text: str = "") -> None:
    subprocess.run(command, input=text, text=True, check=True, capture_output=True, timeout=TIMEOUT)
