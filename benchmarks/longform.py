"""Errors caused by cutting long recordings: single utterances against one joined recording.

    python benchmarks/longform.py data/kathleen/dev.jsonl [--model en-small --repeats 2]
    python benchmarks/longform.py data/kathleen/dev.jsonl --memory 1 [--align]
    python benchmarks/longform.py data/kathleen/dev.jsonl --memory 1

Joins the utterances of each manifest in a seeded order, with gaps of 0, 0.3 and 1 s of digital
silence or of room noise (−60 dB). Prints the word and character error rates of the single
utterances and of the joined recordings. --memory HOURS compares the peak memory of a process that
transcribes ten seconds with that of a process that transcribes HOURS; with --align, of processes
that align the recordings with their texts. The other options set `Windowing`; choose its values on
dev sets.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import jiwer
import numpy as np
import soundfile

from asr.data.inputs import read_utterance
from asr.data.manifest import read_manifest
from asr.decoding.windowing import Windowing

if TYPE_CHECKING:
    from asr.recognizer import Recognizer

NOISE = 1e-3
GAPS = ((0.0, 0.0), (0.3, 0.0), (1.0, 0.0), (0.3, NOISE), (1.0, NOISE))
"""Seconds between utterances, and the standard deviation of the noise there."""
PEAK = """
import re, sys
from pathlib import Path
from asr.decoding.decoding_options import Decoding
from asr.recognizer import Recognizer
recognizer = Recognizer.load(sys.argv[1], Decoding(lm="none"))
recording, text = sys.argv[2], Path(sys.argv[3])
if text.is_file():
    result = recognizer.align(recording, text.read_text())
else:
    result = recognizer.transcribe(recording)
# Not ru_maxrss: a new process inherits that of its parent.
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1], result.duration)
"""


def join(recordings: list[np.ndarray], rate: int, gap: float, noise: float, seed: int):
    """Join recordings in a shuffled order, `gap` seconds apart; returns samples and order."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(recordings))
    pieces = []
    for i in order:
        pieces += [recordings[i], rng.normal(0, noise, round(gap * rate)).astype(np.float32)]
    return np.concatenate(pieces), order


def rates(references: list[str], hypotheses: list[str]) -> str:
    wer, cer = jiwer.wer(references, hypotheses), jiwer.cer(references, hypotheses)
    return f"WER {wer:7.2%}  CER {cer:7.2%}"


def compare(recognizer: Recognizer, manifest: Path, limit: int | None, repeats: int) -> None:
    rate = recognizer.config.features.sample_rate
    utterances = read_manifest(manifest)[:limit]
    recordings = [read_utterance(u, rate) for u in utterances]
    references = [recognizer.tokenizer.normalise(u.text) for u in utterances]
    separate = [t.text for t in recognizer.transcribe(recordings)]
    print(f"{manifest}: {len(utterances)} utterances, {sum(map(len, recordings)) / rate:.0f} s")
    print(f"  separate              {rates(references, separate)}")
    for gap, noise in GAPS:
        texts, heard = [], []
        for seed in range(repeats):
            samples, order = join(recordings, rate, gap, noise, seed)
            texts.append(" ".join(references[i] for i in order))
            heard.append(recognizer.transcribe(samples).text)
        kind = "room" if noise else "digital" if gap else ""
        print(f"  joined {gap:3.1f} s {kind:8}  {rates(texts, heard)}", flush=True)


def memory(model: str, manifest: Path, hours: float, align: bool) -> None:
    """Peak resident memory of whole processes. The utterances are repeated, as whole ones."""
    utterances = read_manifest(manifest)
    with tempfile.TemporaryDirectory() as folder:
        peaks = []
        for seconds in (10.0, 3600 * hours):
            path, text = Path(folder) / f"{seconds:.0f}.wav", Path(folder) / f"{seconds:.0f}.txt"
            said = []
            with soundfile.SoundFile(path, "w", 16_000, 1, "PCM_16") as file:
                for utterance in cycle(utterances):
                    if file.tell() >= seconds * 16_000:
                        break
                    file.write(read_utterance(utterance, 16_000))
                    said.append(utterance.text)
            if align:
                text.write_text(" ".join(said), encoding="utf-8")
            started = time.perf_counter()
            command = [sys.executable, "-c", PEAK, model, str(path), str(text)]
            out = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
            peaks.append(int(out[0]) / 1024)
            taken = time.perf_counter() - started
            print(f"{float(out[1]):7.1f} s of audio: peak {peaks[-1]:.0f} MiB, {taken:.1f} s")
    print(f"difference {peaks[1] - peaks[0]:.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifests", nargs="+", type=Path)
    parser.add_argument("--model", default="en-small")
    parser.add_argument(
        "--limit", type=int, help="number of utterances, the first of each manifest"
    )
    parser.add_argument(
        "--repeats", type=int, default=2, help="number of orders in which to join them"
    )
    parser.add_argument("--memory", type=float, metavar="HOURS")
    parser.add_argument("--align", action="store_true", help="with --memory: align, not transcribe")
    for name, value in vars(Windowing()).items():
        parser.add_argument(f"--{name}", type=float, default=value)
    a = parser.parse_args()
    from asr.decoding.decoding_options import Decoding
    from asr.recognizer import Recognizer

    if a.memory:
        memory(a.model, a.manifests[0], a.memory, a.align)
        return
    recognizer = Recognizer.load(a.model, Decoding(lm="none"))
    recognizer.windowing = Windowing(**{name: getattr(a, name) for name in vars(Windowing())})
    print(recognizer.windowing)
    for manifest in a.manifests:
        compare(recognizer, manifest, a.limit, a.repeats)


if __name__ == "__main__":
    main()
