"""How well a voice is understood: recognisers read back what it and others say."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import librosa
import numpy as np
from scipy.fft import dct

from asr.audio.reading import read_audio, resample
from asr.base.progress import track
from asr.base.provenance import environment, git_commit, this_command
from asr.data.manifest import Utterance
from asr.evaluation.error_rates import Evaluation, evaluate
from asr.evaluation.pocketsphinx import RATE, sphinx_installed, sphinx_transcripts
from asr.recognizer import Recognizer
from asr.text.normalisers import normalise_english
from asr.tts.engines import speak_with
from asr.tts.mel import MelConfig, log_mel
from asr.tts.synthesizer import Synthesizer

PEERS = {"flite, slt": ("flite", "slt"), "espeak-ng, en-us": ("espeak-ng", "en-us")}
"""Debian's voices, said beside ours where they are installed."""
MCD_COEFFICIENTS = 24


@dataclass(frozen=True)
class Heard:
    """What one recogniser read of one speaker."""

    speaker: str
    reader: str
    result: Evaluation

    def to_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {"speaker": self.speaker, "reader": self.reader, **self.result.to_dict()}


@dataclass(frozen=True)
class RoundTrip:
    """Of a voice on a manifest's sentences.

    heard: a line for each speaker and reader. rtf: seconds of synthesis a second of speech, warm.
    mcd: mean mel cepstral distortion to the natural recordings, dB. sentences: different ones.
    """

    heard: tuple[Heard, ...]
    rtf: float
    mcd: float
    sentences: int


def round_trip(
    voice: Synthesizer, recognizer: Recognizer, utterances: Sequence[Utterance]
) -> RoundTrip:
    """Say each different text of `utterances`, and let recognisers read it beside others.

    Readers are `recognizer`, decoding as it is set up, and PocketSphinx where it is installed.
    Speakers are the natural recordings (each of them, of a text that was read twice both), the
    voice, and PEERS where they are installed.

    Raises:
        AsrError: a recording cannot be read, or a text cannot be said.
    """
    rate = voice.config.mel.sample_rate
    natural = [read_audio(u.path, rate) for u in utterances]
    texts = list(dict.fromkeys(u.text for u in utterances))
    voice.speak("warm up")
    said: list[np.ndarray] = []
    started = time.monotonic()
    for text in track(texts, len(texts), "speaking"):
        said.append(voice.speak(text))
    elapsed = time.monotonic() - started
    ours = dict(zip(texts, said, strict=True))
    distances = [
        mcd(voice_samples, samples, voice.config.mel)
        for voice_samples, samples in zip((ours[u.text] for u in utterances), natural, strict=True)
    ]
    # Of no file; a name is what `evaluate` calls it by.
    spoken = [
        Utterance(text, len(ours[text]) / rate, audio_filepath=Path(f"sentence {i}"))
        for i, text in enumerate(texts, 1)
    ]
    heard = _read("natural", natural, utterances, rate, recognizer)
    heard += _read(voice.config.voice, said, spoken, rate, recognizer)
    for peer, (engine, peer_voice) in PEERS.items():
        if shutil.which(engine):
            samples = [speak_with(engine, peer_voice, text) for text in texts]
            heard += _read(peer, samples, spoken, RATE, recognizer)
    total = sum(len(s) for s in said) / rate
    return RoundTrip(tuple(heard), elapsed / total, float(np.mean(distances)), len(texts))


def _read(
    speaker: str, samples: list[np.ndarray], utterances: Sequence[Utterance], rate: int,
    recognizer: Recognizer,
) -> list[Heard]:  # fmt: skip
    normalise = recognizer.tokenizer.normalise
    results = recognizer.transcribe(samples, sample_rate=rate)
    heard = [Heard(speaker, recognizer.config.name, evaluate(utterances, results, normalise))]
    if sphinx_installed():
        at_rate = (resample(s, rate, RATE) for s in track(samples, len(samples), speaker))
        transcripts = list(sphinx_transcripts(at_rate))
        heard.append(
            Heard(speaker, "PocketSphinx", evaluate(utterances, transcripts, normalise_english))
        )
    return heard


def mcd(said: np.ndarray, natural: np.ndarray, mel: MelConfig) -> float:
    """Mel cepstral distortion in dB along the best alignment of two recordings.

    Cepstra 1 to 24 of the log-mel magnitudes, so that loudness does not count (Kubichek, 1993),
    with dynamic time warping; silence at the ends (40 dB below the loudest) is left out.
    """
    a, b = (_cepstra(librosa.effects.trim(x, top_db=40)[0], mel) for x in (said, natural))
    cost, path = librosa.sequence.dtw(a.T, b.T)
    # The end of the path has the sum of the Euclidean distances along it.
    return float(10 * np.sqrt(2) / np.log(10) * cost[-1, -1] / len(path))


def _cepstra(samples: np.ndarray, mel: MelConfig) -> np.ndarray:
    frames = log_mel(samples, mel)
    return dct(frames, type=2, axis=1)[:, 1 : MCD_COEFFICIENTS + 1] / frames.shape[1]


def round_trip_record(
    result: RoundTrip, voice: Synthesizer, recognizer: Recognizer, manifest: Path
) -> dict[str, Any]:
    """All figures, and what made them."""
    return {
        "voice": voice.config.voice,
        "voice_sha256": voice.config.weights_sha256,
        "model": recognizer.config.name,
        "weights_sha256": recognizer.config.weights_sha256,
        "lm": recognizer.decoder.decoding.lm,
        "manifest": str(manifest),
        "sentences": result.sentences,
        "rtf": result.rtf,
        "mcd": result.mcd,
        "heard": [h.to_dict() for h in result.heard],
        "command": this_command(),
        "commit": git_commit(),
        "environment": environment(),
    }


def round_trip_text(result: RoundTrip) -> str:
    """For people."""
    lines = [f"{result.sentences} sentences; RTF {result.rtf:.3f}, MCD {result.mcd:.2f} dB", ""]
    lines += [f"{'speaker':18} {'read by':14} {'CER':>8} {'WER':>8}  recordings"]
    lines += [
        f"{h.speaker:18} {h.reader:14} {h.result.cer:8.2%} {h.result.wer:8.2%}  "
        f"{h.result.utterances}"
        for h in result.heard
    ]
    return "\n".join(lines)
