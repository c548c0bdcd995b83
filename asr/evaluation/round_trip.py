"""Voices beside natural speech and other voices, as judges hear them.

Recognisers transcribe the speech: their error rates measure intelligibility. Predictors of
naturalness rate it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import librosa
import numpy as np
from scipy.fft import dct

from asr.audio.mono import resample
from asr.base.progress import track
from asr.base.provenance import environment, git_commit, this_command
from asr.base.statistics import bootstrap_interval
from asr.data.inputs import read_utterance
from asr.data.manifest import Utterance
from asr.errors import ConfigError
from asr.evaluation.error_rates import Evaluation, evaluate
from asr.evaluation.judges.judge import SAMPLE_RATE, Judge, JudgedTranscript, Rating
from asr.recognizer import Recognizer
from asr.results import Transcript
from asr.tts.engines import check_engines, speak_with
from asr.tts.mel import MelConfig, log_mel
from asr.tts.synthesizer import Synthesizer

PEERS = {"flite": "slt", "espeak-ng": "en-us", "kokoro": "af_heart"}
"""Engines of other voices, with the voice that is judged."""
DEBIAN_PEERS = ("flite", "espeak-ng")
"""The peers that are judged by default, where they are installed."""
MCD_COEFFICIENTS = 24
"""Cepstral coefficients in the mel cepstral distortion, from the second on."""
WARM_UP = "warm up"
"""A text that is spoken before the time is measured."""


@dataclass(frozen=True)
class MeanOpinion:
    """The naturalness that a predictor expects listeners to hear.

    Attributes:
        mean: mean of the ratings, 1 (bad) to 5 (excellent).
        interval: 95 % bootstrap interval of the mean, over recordings.
        ratings: predicted mean opinion score of each recording.
    """

    mean: float
    interval: tuple[float, float]
    ratings: tuple[float, ...]

    @classmethod
    def of(cls, ratings: Sequence[float]) -> MeanOpinion:
        """The mean of ratings, and its interval."""
        values = np.array(ratings)
        interval = bootstrap_interval(values, np.ones(len(values)), seed=1)
        return cls(float(values.mean()), interval, tuple(ratings))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "mean": self.mean,
            "interval_95": list(self.interval),
            "ratings": [round(r, 3) for r in self.ratings],
        }


@dataclass(frozen=True)
class SystemResult:
    """What all judges say of one voice.

    Attributes:
        system: name of the voice, or "natural" for recordings.
        recordings: number of recordings that the judges heard.
        rtf: real-time factor of synthesis after the first sentence: seconds of processor time
            divided by seconds of speech; None for recordings of people.
        mcd: mean mel cepstral distortion to the recordings, in dB; None for these and for peers.
        errors: error rates by the name of the recogniser.
        opinions: predicted naturalness by the name of the predictor.
    """

    system: str
    recordings: int
    rtf: float | None
    mcd: float | None
    errors: Mapping[str, Evaluation]
    opinions: Mapping[str, MeanOpinion]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "system": self.system,
            "recordings": self.recordings,
            "rtf": self.rtf,
            "mcd": self.mcd,
            "errors": {name: result.to_dict() for name, result in self.errors.items()},
            "opinions": {name: opinion.to_dict() for name, opinion in self.opinions.items()},
        }


@dataclass(frozen=True)
class RoundTrip:
    """Evaluation of voices on the sentences of a manifest.

    Attributes:
        systems: verdicts on the recordings, the voices and their peers, in this order.
        sentences: number of different sentences.
    """

    systems: tuple[SystemResult, ...]
    sentences: int


def installed_peers() -> list[str]:
    """The keys of `PEERS` that are installed, without those that would be downloaded."""
    return [peer for peer in DEBIAN_PEERS if shutil.which(peer)]


def check_peers(peers: Sequence[str]) -> None:
    """Check that peers are known and installed.

    Raises:
        ConfigError: a name is not in `PEERS`.
        AudioError: a program is not installed.
    """
    for peer in peers:
        if peer not in PEERS:
            raise ConfigError(f"--peers: {peer!r} is unknown; choose {', '.join(PEERS)}")
    check_engines(peers)


def round_trip(
    voices: Mapping[str, Synthesizer],
    judges: Sequence[Judge],
    utterances: Sequence[Utterance],
    peers: Sequence[str] = (),
) -> RoundTrip:
    """Synthesise every different text of a manifest and let judges hear the speech.

    They hear the manifest's recordings, the voices and their peers.

    Args:
        voices: the voices to evaluate, by the names that their rows have.
        judges: recognisers and predictors of naturalness.
        utterances: recordings and their texts.
        peers: keys of `PEERS`; default: none.

    Raises:
        ConfigError: a peer is unknown.
        PackageError: a peer cannot be downloaded.
        AsrError: a recording cannot be read, a text cannot be spoken, or a peer is not installed.
    """
    check_peers(peers)
    texts = list(dict.fromkeys(u.text for u in utterances))
    natural = [read_utterance(u, SAMPLE_RATE) for u in utterances]
    systems = [_judge("natural", [u.text for u in utterances], natural, judges)]
    for name, voice in voices.items():
        mel = voice.config.mel
        spoken, rtf = _speak(name, texts, voice.speak, mel.sample_rate)
        synthetic = dict(zip(texts, spoken, strict=True))
        distances = [
            mcd(synthetic[u.text], read_utterance(u, mel.sample_rate), mel) for u in utterances
        ]
        speech = [resample(samples, mel.sample_rate, SAMPLE_RATE) for samples in spoken]
        distance = float(np.mean(distances))
        systems.append(_judge(name, texts, speech, judges, rtf, distance))
    for peer in peers:
        name = f"{peer}, {PEERS[peer]}"

        def speak(text: str, engine: str = peer) -> np.ndarray:
            return speak_with(engine, PEERS[engine], text)

        speech, rtf = _speak(name, texts, speak, SAMPLE_RATE)
        systems.append(_judge(name, texts, speech, judges, rtf))
    return RoundTrip(tuple(systems), len(texts))


def _speak(
    name: str, texts: Sequence[str], speak: Callable[[str], np.ndarray], rate: int
) -> tuple[list[np.ndarray], float]:
    """The speech of all texts, and the real-time factor.

    Processor time does not depend on what else the machine does.
    """
    speak(WARM_UP)
    started = _processor_seconds()
    speech = [speak(text) for text in track(texts, len(texts), f"{name} speaks")]
    elapsed = _processor_seconds() - started
    return speech, elapsed * rate / sum(map(len, speech))


def _processor_seconds() -> float:
    """Processor time of this process and of the programs that it has run."""
    return sum(os.times()[:4])


def _judge(
    system: str,
    texts: Sequence[str],
    speech: Sequence[np.ndarray],
    judges: Sequence[Judge],
    rtf: float | None = None,
    distance: float | None = None,
) -> SystemResult:
    """Let each judge hear one system.

    Args:
        system: name of the system.
        texts: sentence of each recording.
        speech: samples of each recording at `SAMPLE_RATE`.
        judges: recognisers and predictors.
        rtf: real-time factor of the synthesis; default: none was measured.
        distance: its `mcd`; default: none was measured.
    """
    errors: dict[str, Evaluation] = {}
    opinions: dict[str, MeanOpinion] = {}
    for judge in judges:
        progress = track(
            zip(speech, texts, strict=True), len(texts), f"{judge.name} hears {system}"
        )
        verdicts = [judge.judge(samples, text) for samples, text in progress]
        heard = [v for v in verdicts if isinstance(v, JudgedTranscript)]
        ratings = [v.mos for v in verdicts if isinstance(v, Rating)]
        if heard:
            errors[judge.name] = _error_rates(heard, speech)
        if ratings:
            opinions[judge.name] = MeanOpinion.of(ratings)
    return SystemResult(system, len(speech), rtf, distance, errors, opinions)


def _error_rates(heard: Sequence[JudgedTranscript], speech: Sequence[np.ndarray]) -> Evaluation:
    durations = [len(samples) / SAMPLE_RATE for samples in speech]
    # Synthetic speech has no file. `evaluate` uses the path as a name only.
    references = [
        Utterance(h.reference, seconds, audio_filepath=Path(f"sentence {i}"))
        for i, (h, seconds) in enumerate(zip(heard, durations, strict=True), 1)
    ]
    transcripts = [Transcript(h.hypothesis, 0.0, s) for h, s in zip(heard, durations, strict=True)]
    return evaluate(references, transcripts, str)  # the judge has normalised both texts


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
    result: RoundTrip, voices: Mapping[str, Synthesizer], recognizer: Recognizer, manifest: Path
) -> dict[str, Any]:
    """Record for JSON: all figures, and the models, data, command and commit they come from."""
    return {
        "voices": {name: voice.config.weights_sha256 for name, voice in voices.items()},
        "model": recognizer.config.name,
        "weights_sha256": recognizer.config.weights_sha256,
        "lm": recognizer.decoder.decoding.lm,
        "manifest": str(manifest),
        "sentences": result.sentences,
        "systems": [system.to_dict() for system in result.systems],
        "command": this_command(),
        "commit": git_commit(),
        "environment": environment(),
    }


def round_trip_text(result: RoundTrip) -> str:
    """Report of a round trip: a row for each system, columns for each judge."""
    first = result.systems[0]
    names = "".join(f"  {name:^19}" for name in (*first.errors, *first.opinions))
    titles = f"  {'WER':>9} {'CER':>9}" * len(first.errors)
    titles += f"  {'MOS':>6} {'95 %':^12}" * len(first.opinions)
    width = max(18, *(len(system.system) for system in result.systems))
    lines = [
        f"{result.sentences} sentences",
        "",
        f"{'':{width}} {'':>6} {'':>6}{names}".rstrip(),
        f"{'system':{width}} {'RTF':>6} {'MCD dB':>6}{titles}".rstrip(),
    ]
    for system in result.systems:
        rtf = "" if system.rtf is None else f"{system.rtf:.3f}"
        distance = "" if system.mcd is None else f"{system.mcd:.2f}"
        rates = "".join(f"  {e.wer:9.2%} {e.cer:9.2%}" for e in system.errors.values())
        for opinion in system.opinions.values():
            low, high = opinion.interval
            rates += f"  {opinion.mean:6.2f} {f'{low:.2f}–{high:.2f}':^12}"
        lines.append(f"{system.system:{width}} {rtf:>6} {distance:>6}{rates}".rstrip())
    return "\n".join(lines)
