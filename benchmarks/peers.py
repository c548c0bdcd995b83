"""Error rates and speed beside PocketSphinx, on the same recordings and in one run.

    python benchmarks/peers.py data/kathleen/test.jsonl data/fsdd/test.jsonl [--lm general]

Each system transcribes each manifest in a process of its own, one after the other: our model with
greedy decoding, with --lm if it is given, and PocketSphinx 5.1.1 with its own English model and
dictation language model (on recordings resampled to 16 kHz). RTF is that of the warm process on
this machine; memory is the peak of the process. The texts of all systems are normalised in the
same way.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def sphinx(manifest: Path) -> dict[str, Any]:
    """PocketSphinx's results on a manifest, with the same keys as `asr evaluate --json`."""
    from asr.data.inputs import read_utterance
    from asr.data.manifest import read_manifest
    from asr.evaluation.error_rates import evaluate
    from asr.evaluation.sphinx_decoder import RATE, sphinx_transcripts
    from asr.text.normalisers import normalise_english

    utterances = read_manifest(manifest)
    started = time.monotonic()
    results = list(sphinx_transcripts(read_utterance(u, RATE) for u in utterances))
    seconds = time.monotonic() - started
    return evaluate(utterances, results, normalise_english, seconds).to_dict()


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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifests", nargs="+", type=Path)
    parser.add_argument("--model", default="en-small")
    parser.add_argument("--lm", help="as for asr transcribe; default: greedy only")
    parser.add_argument("--json", action="store_true", help="one JSON object per row")
    parser.add_argument("--sphinx", action="store_true", help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.sphinx:
        print(json.dumps(sphinx(a.manifests[0])))
        return
    for manifest in a.manifests:
        ours = [sys.executable, "-m", "asr", "evaluate", a.model, str(manifest), "--json"]
        systems = {f"{a.model}, greedy": ours}
        if a.lm:
            systems[f"{a.model}, {a.lm}"] = [*ours, "--lm", a.lm]
        if "audio_filepath" in manifest.read_text(encoding="utf-8").partition("\n")[0]:
            systems["PocketSphinx 5.1.1"] = [sys.executable, __file__, str(manifest), "--sphinx"]
        for name, command in systems.items():
            r = measure(command)
            low, high = r["wer_interval_95"]
            if a.json:
                print(json.dumps({**r, "system": name, "manifest": str(manifest)}), flush=True)
                continue
            print(
                f"{manifest!s:32} {name:24} WER {r['wer']:7.2%} ({low:.1%} to {high:.1%})  "
                f"CER {r['cer']:7.2%}  RTF {r['rtf']:.4f}  peak {r['peak_mb']:.0f} MB",
                flush=True,
            )


if __name__ == "__main__":
    main()
