"""False words without a voice, and speech that is lost, with and without voice activity detection.

    python benchmarks/voice_activity.py --speech data/*/dev.jsonl --noise FOLDERS... \\
        [--model en-small --lm general --limit 100 --thresholds -2 -1 0]

Made sounds of 30 s each (silence, white and pink noise, hum of the mains, a ringing telephone, a
melody, a barking dog) and the recordings of each --noise folder, which must hold no voice, give the
false words a minute. The manifests give the word error rate. The first column of figures is
without voice activity detection, the others are with it, for each threshold.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import jiwer
import numpy as np

from asr.audio.features import expand
from asr.audio.find_audio import find_audio
from asr.audio.reading import read_audio
from asr.base.progress import track
from asr.data.manifest import read_manifest
from asr.decoding.decoding_options import Decoding
from asr.decoding.voice_activity import THRESHOLD, voiced_frames, without_voice
from asr.errors import AsrError
from asr.recognizer import Recognizer

SECONDS = 30
LONGEST = 60
"""Seconds of one recording that are used at most."""


def made_sounds(rate: int, rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    """Name and samples of sounds without a voice, float32 [30 s]."""
    time = np.arange(SECONDS * rate) / rate

    def tone(*frequencies: float) -> np.ndarray:
        return sum((np.sin(2 * np.pi * f * time) for f in frequencies), np.zeros(len(time)))

    white = rng.standard_normal(len(time))
    spectrum = np.fft.rfft(rng.standard_normal(len(time)))
    pink = np.fft.irfft(spectrum / np.sqrt(np.arange(len(spectrum)) + 1))
    ringing = tone(440, 480) * (time % 6 < 2)
    notes = 220 * 2 ** (rng.integers(0, 24, SECONDS * 4) / 12)
    phase = 2 * np.pi * np.cumsum(np.repeat(notes, rate // 4)) / rate
    melody = (np.sin(phase) + np.sin(3 * phase) / 3) * np.exp(-4 * (time % 0.25))
    bark_time = time % 1.3
    pitch = 450 + 250 * np.sin(np.pi * np.clip(bark_time / 0.18, 0, 1))
    bark = sum(np.sin(k * 2 * np.pi * np.cumsum(pitch) / rate) / k for k in range(1, 9))
    bark = (bark + 0.8 * white) * (bark_time < 0.18) * np.exp(-12 * bark_time)
    quiet = 1e-4 * white
    for name, samples in (
        ("digital silence", 0 * white),
        ("quiet room", quiet),
        ("white noise", white),
        ("pink noise", pink),
        ("hum", tone(50, 150, 250, 350) + 0.02 * white),
        ("tone", tone(1000) + quiet),
        ("ringing", ringing + quiet),
        ("melody", melody + quiet),
        ("barking", bark + quiet),
    ):
        level = 0.1 / max(float(np.sqrt(np.mean(samples**2))), 0.1) if name != "quiet room" else 1
        yield name, (level * samples).astype(np.float32)


class Judge:
    """Texts of recordings without voice activity detection and with it, for each threshold."""

    def __init__(self, recognizer: Recognizer, thresholds: list[float]) -> None:
        self.recognizer, self.thresholds = recognizer, thresholds

    def __call__(self, audio) -> list[str]:
        r = self.recognizer
        static, _ = r.cepstra(audio, warn=lambda message: None)
        (logits,) = r.outputs([expand(static, r.config.features)])
        texts = [r.tokenizer.decode(r.decoder(logits).labels)]
        for threshold in self.thresholds:
            voiced = voiced_frames(
                static,
                r.config.features,
                r.config.acoustic.stride,
                np.arange(len(logits)),
                whole=True,
                threshold=threshold,
            )
            masked = without_voice(logits, voiced, r.heads)
            texts.append(r.tokenizer.decode(r.decoder(masked).labels))
        return texts


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--speech", nargs="*", type=Path, default=[], help="manifests")
    parser.add_argument("--noise", nargs="*", type=Path, default=[], help="folders")
    parser.add_argument("--model", default="en-small")
    parser.add_argument("--lm", default="none", help="language model; default: none")
    parser.add_argument("--limit", type=int, default=100, help="recordings of each set at most")
    parser.add_argument("--thresholds", nargs="+", type=float, default=[THRESHOLD])
    parser.add_argument("--seed", type=int, default=1)
    a = parser.parse_args()
    recognizer = Recognizer.load(a.model, Decoding(lm=a.lm))
    judge = Judge(recognizer, a.thresholds)
    rate = recognizer.config.features.sample_rate
    heads = " | ".join(f"with, {threshold:g}" for threshold in a.thresholds)
    rule = " | ".join("---" for _ in a.thresholds)

    def row(name: str, size: str, values: list[float], form: str) -> None:
        print(f"| {name} | {size} | {' | '.join(format(v, form) for v in values)} |", flush=True)

    print(f"| sound | minutes | words a minute without | {heads} |\n| --- | --- | --- | {rule} |")
    sets = [(name, [samples]) for name, samples in made_sounds(rate, np.random.default_rng(a.seed))]
    for folder in a.noise:
        recordings = []
        files = sorted(find_audio([str(folder)]))
        for path in track(files, len(files), folder.name):
            try:
                recordings.append(
                    read_audio(path, rate, warn=lambda message: None)[: LONGEST * rate]
                )
            except AsrError:  # shorter than the shortest recording
                continue
        sets.append((folder.name, recordings[: a.limit]))
    for name, recordings in sets:
        minutes = sum(len(samples) for samples in recordings) / rate / 60
        texts = [judge(samples) for samples in recordings]
        counts = [sum(len(t.split()) for t in column) for column in zip(*texts, strict=True)]
        row(name, f"{minutes:.1f}", [count / minutes for count in counts], ".1f")

    print(f"\n| speech | utterances | WER without | {heads} |\n| --- | --- | --- | {rule} |")
    for manifest in a.speech:
        utterances = read_manifest(manifest)
        chosen = np.random.default_rng(a.seed).permutation(len(utterances))[: a.limit]
        references = [recognizer.tokenizer.normalise(utterances[i].text) for i in chosen]
        texts = [judge(utterances[i]) for i in track(chosen, len(chosen), str(manifest))]
        errors = [
            jiwer.wer(references, [t or " " for t in column]) for column in zip(*texts, strict=True)
        ]
        row(str(manifest), str(len(chosen)), errors, ".2%")


if __name__ == "__main__":
    main()
