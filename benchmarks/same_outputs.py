"""Compare what two checkouts of asr write, byte for byte: after a change that must change nothing.

    python benchmarks/same_outputs.py ../before . --manifests data/kathleen/test.jsonl

Each command below runs once with each checkout's code, in an empty folder. Its stdout and its files
are compared, and so are the files of the shipped models. The names in a SavedModel's graph differ
from run to run: its variables are compared as files, its outputs as numbers.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from asr.base.progress import track

RECORDING = Path(__file__).resolve().parents[1] / "tests" / "fixtures" / "goforward.wav"
FORMATS = ("txt", "jsonl", "json", "srt", "vtt", "csv", "tsv", "ctm", "TextGrid")
VARYING = re.compile(rb'"(command|commit|started|seconds|rtf|versions|date)": ("[^"]*"|[\d.e+-]+)')
"""JSON fields that differ between any two runs."""
SERVED = """
import sys, soundfile, tensorflow as tf
model = tf.saved_model.load("served/en-small/1")
samples = soundfile.read(sys.argv[1], dtype="float32")[0][None]
lengths = tf.constant([samples.shape[1]])
found = model.signatures["serving_default"](samples=tf.constant(samples), lengths=lengths)
print(sorted(model.signatures), {key: found[key].numpy().tolist() for key in sorted(found)})
"""


def commands(manifests: list[Path]) -> dict[str, list[str]]:
    """Commands by name; each writes to stdout or into the working directory."""
    asr, clip = [sys.executable, "-m", "asr"], str(RECORDING)
    found = {
        **{
            f"transcribe {f}": [*asr, "transcribe", clip, "--lm", "none", "--format", f]
            for f in FORMATS
        },
        "transcribe, language model": [*asr, "transcribe", clip, "--lm", "general"],
        "transcribe, n-best": [
            *(*asr, "transcribe", clip, "--lm", "general", "--nbest", "5", "--format", "json"),
        ],
        "transcribe, written": [*asr, "transcribe", clip, "--lm", "general", "--written"],
        "align": [*asr, "align", clip, "go forward ten meters", "--format", "json"],
        "speak": [*asr, "speak", "Dr. Smith paid $23.50 to Zyxel.", "--out", "said.wav"],
        "speak, phones": [*asr, "speak", "Dr. Smith paid $23.50 to Zyxel.", "--phones"],
        "generate": [*asr, "lm", "generate", "en-general", "--prompt", "the old man"],
        "export onnx": [*asr, "export", "en-small", "served", "--format", "onnx"],
        "export onnx-int8": [*asr, "export", "en-small", "served8", "--format", "onnx-int8"],
        "export savedmodel": [*asr, "export", "en-small", "served"],
        "served": [sys.executable, "-c", SERVED, clip],
    }
    for path in manifests:
        each = [*asr, "transcribe", str(path), "--format", "jsonl"]
        found[f"{path}, greedy"] = [*each, "--lm", "none"]
        found[f"{path}, language model"] = [*each, "--lm", "general"]
    return found


def run(checkout: Path, command: list[str], folder: Path) -> dict[str, str]:
    """What a command wrote: digests by file, and stdout as text."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True)
    wrote = {"exit status": str(done.returncode)}
    wrote["stdout"] = VARYING.sub(rb"", done.stdout).replace(str(folder).encode(), b"").decode()
    if done.returncode:
        wrote["stderr"] = done.stderr.decode()[-500:]
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".pb" and "assets" not in path.parts:
            data = VARYING.sub(rb"", path.read_bytes())
            wrote[str(path.relative_to(folder))] = hashlib.sha256(data).hexdigest()
    return wrote


def shipped(checkout: Path) -> dict[str, str]:
    """Digests of the shipped models' files; cards and licences are prose."""
    folder = checkout / "asr" / "models"
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".npz", ".json", ".gz", ".jsonl")
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path, help="checkout of asr")
    parser.add_argument("after", type=Path, help="another checkout")
    parser.add_argument("--manifests", type=Path, nargs="*", default=[], help="to transcribe")
    a = parser.parse_args()
    different = int(shipped(a.before) != shipped(a.after))
    print(f"{'DIFFERENT' if different else 'same':9}  shipped models")
    manifests = [path.resolve() for path in a.manifests]
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        listed = commands(manifests)
        for name, command in track(listed.items(), len(listed), "comparing"):
            before = run(a.before.resolve(), command, Path(one))
            after = run(a.after.resolve(), command, Path(two))
            same = before == after and before["exit status"] == "0"
            different += not same
            print(f"{'same' if same else 'DIFFERENT':9}  {name}", flush=True)
            for key in sorted(before.keys() | after.keys()) if not same else ():
                if before.get(key) != after.get(key) or key == "stderr":
                    print(f"  {key}: {before.get(key)!r:.300}\n  {key}: {after.get(key)!r:.300}")
    print(f"{different} different")
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
