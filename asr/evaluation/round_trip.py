"""Intelligibility of a voice: recognisers transcribe the voice, natural speech and other voices."""

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

from asr.audio.mono import resample
from asr.base.progress import track
from asr.base.provenance import environment, git_commit, this_command
from asr.data.inputs import read_utterance
from asr.data.manifest import Utterance
from asr.evaluation.error_rates import Evaluation, evaluate
from asr.evaluation.sphinx_decoder import RATE, sphinx_installed, sphinx_transcripts
from asr.recognizer import Recognizer
from asr.text.normalisers import normalise_english
from asr.tts.engines import speak_with
from asr.tts.mel import MelConfig, log_mel
from asr.tts.synthesizer import Synthesizer

PEERS = {"flite, slt": ("flite", "slt"), "espeak-ng, en-us": ("espeak-ng", "en-us")}
"""Name → engine and voice of Debian's voices, which are evaluated too where they are installed."""
MCD_COEFFICIENTS = 24
"""Cepstral coefficients in the mel cepstral distortion, from the second on."""


@dataclass(frozen=True)
class SpeakerResult:
    """Error rates of one recogniser on one speaker.

    Attributes:
        speaker: name of the voice, or "natural" for recordings.
        reader: name of the recogniser.
        result: the error rates.
    """

    speaker: str
    reader: str
    result: Evaluation

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"speaker": self.speaker, "reader": self.reader, **self.result.to_dict()}


@dataclass(frozen=True)
class RoundTrip:
    """Evaluation of a voice on the sentences of a manifest.

    Attributes:
        results: error rates for each pair of a speaker and a recogniser.
        rtf: real-time factor of synthesis after the first sentence: seconds of processing divided
            by seconds of speech.
        mcd: mean mel cepstral distortion to the natural recordings, in dB.
        sentences: number of different sentences.
    """

    results: tuple[SpeakerResult, ...]
    rtf: float
    mcd: float
    sentences: int


def round_trip(
    voice: Synthesizer, recognizer: Recognizer, utterances: Sequence[Utterance]
) -> RoundTrip:
    """Synthesise every different text of a manifest and transcribe the speech.

    The speakers are the manifest's recordings, the voice, and `PEERS` where they are installed.
    The recognisers are `recognizer`, and PocketSphinx where it is installed.

    Args:
        voice: the voice to evaluate.
        recognizer: the recogniser, with its own options of decoding.
        utterances: recordings and their texts.

    Raises:
        AsrError: a recording cannot be read, or a text cannot be spoken.
    """
    rate = voice.config.mel.sample_rate
    natural = [read_utterance(u, rate) for u in utterances]
    texts = list(dict.fromkeys(u.text for u in utterances))
    voice.speak("warm up")
    synthetic: dict[str, np.ndarray] = {}
    started = time.monotonic()
    for text in track(texts, len(texts), "speaking"):
        synthetic[text] = voice.speak(text)
    elapsed = time.monotonic() - started
    distances = [
        mcd(synthetic[utterance.text], samples, voice.config.mel)
        for utterance, samples in zip(utterances, natural, strict=True)
    ]
    # Synthetic speech has no file. `evaluate` uses the path as a name only.
    spoken = [
        Utterance(text, len(samples) / rate, audio_filepath=Path(f"sentence {i}"))
        for i, (text, samples) in enumerate(synthetic.items(), 1)
    ]
    results = _evaluate_speaker("natural", natural, utterances, rate, recognizer)
    results += _evaluate_speaker(
        voice.config.voice, list(synthetic.values()), spoken, rate, recognizer
    )
    for peer, (engine, peer_voice) in PEERS.items():
        if shutil.which(engine):
            speech = [speak_with(engine, peer_voice, text) for text in texts]
            results += _evaluate_speaker(peer, speech, spoken, RATE, recognizer)
    seconds = sum(len(samples) for samples in synthetic.values()) / rate
    return RoundTrip(tuple(results), elapsed / seconds, float(np.mean(distances)), len(texts))


def _evaluate_speaker(
    speaker: str,
    speech: list[np.ndarray],
    utterances: Sequence[Utterance],
    rate: int,
    recognizer: Recognizer,
) -> list[SpeakerResult]:
    """Transcribe one speaker with each recogniser.

    Args:
        speaker: name of the speaker.
        speech: samples of each utterance.
        utterances: texts of the utterances.
        rate: sample rate, in Hz.
        recognizer: the first recogniser; the other one is PocketSphinx.
    """
    transcripts = recognizer.transcribe(speech, sample_rate=rate)
    result = evaluate(utterances, transcripts, recognizer.tokenizer.normalise)
    results = [SpeakerResult(speaker, recognizer.config.name, result)]
    if sphinx_installed():
        resampled = (resample(s, rate, RATE) for s in track(speech, len(speech), speaker))
        by_sphinx = list(sphinx_transcripts(resampled))
        result = evaluate(utterances, by_sphinx, normalise_english)
        results.append(SpeakerResult(speaker, "PocketSphinx", result))
    return results


def mcd(synthetic: np.ndarray, natural: np.ndarray, mel: MelConfig) -> float:
    """Mel cepstral distortion of two recordings of a text, in dB (Kubichek, 1993).

    Dynamic time warping aligns cepstra 1 to 24 of the log-mel spectrograms. Cepstrum 0 is left out,
    so that loudness does not matter, and so is silence at the ends, 40 dB below the maximum.

    Args:
        synthetic: samples, float [n] in −1…1, at the sample rate of `mel`.
        natural: samples, float [n] in −1…1, at the sample rate of `mel`.
        mel: the spectrogram.
    """
    a, b = (_cepstra(librosa.effects.trim(x, top_db=40)[0], mel) for x in (synthetic, natural))
    cost, path = librosa.sequence.dtw(a.T, b.T)
    # The last cell has the sum of the Euclidean distances along the path.
    return float(10 * np.sqrt(2) / np.log(10) * cost[-1, -1] / len(path))


def _cepstra(samples: np.ndarray, mel: MelConfig) -> np.ndarray:
    frames = log_mel(samples, mel)
    return dct(frames, type=2, axis=1)[:, 1 : MCD_COEFFICIENTS + 1] / frames.shape[1]


def round_trip_record(
    result: RoundTrip, voice: Synthesizer, recognizer: Recognizer, manifest: Path
) -> dict[str, Any]:
    """Record for JSON: all figures, and the models, data, command and commit they come from."""
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
        "heard": [r.to_dict() for r in result.results],
        "command": this_command(),
        "commit": git_commit(),
        "environment": environment(),
    }


def round_trip_text(result: RoundTrip) -> str:
    """Report of a round trip."""
    lines = [f"{result.sentences} sentences; RTF {result.rtf:.3f}, MCD {result.mcd:.2f} dB", ""]
    lines += [f"{'speaker':18} {'read by':14} {'CER':>8} {'WER':>8}  recordings"]
    lines += [
        f"{r.speaker:18} {r.reader:14} {r.result.cer:8.2%} {r.result.wer:8.2%}  "
        f"{r.result.utterances}"
        for r in result.results
    ]
    return "\n".join(lines)
