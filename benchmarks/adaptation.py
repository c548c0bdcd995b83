"""How much a recogniser gains from minutes of your speakers, or from texts alone.

    python benchmarks/adaptation.py data/adaptation/yours.jsonl data/adaptation/others.jsonl \\
        --out runs/adaptation --minutes 10 18

The first manifest stands for your data, the second for the people who will use the recogniser. A
training for each amount starts from the recogniser (`initial_model`) and reads equally much audio;
an eighth of the recordings chooses the epoch. "Texts" is the recogniser as shipped, with a language
model that also knows all texts of the first manifest (`asr lm train --base`). "Hot words" are all
words of the second manifest with eight letters or more: the most that a list of terms can bring.

Each step keeps its result in --out, and the same command continues after an interruption.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from further_training import train_further

from asr.base.files import atomic_write
from asr.data.manifest import Utterance, read_manifest
from asr.data.manifest_recipe import Selection, select
from asr.decoding.decoding_options import Decoding
from asr.evaluation.error_rates import evaluate_manifest

LONG = 8
"""Letters of the shortest hot word."""


def mixed(a: argparse.Namespace) -> Path:
    """A language model that knows the texts of the first manifest, too."""
    made = a.out / "texts.ngrams"
    if not made.is_file():
        command = [sys.executable, "-m", "asr", "lm", "train", a.manifest, "--base", a.model]
        subprocess.run([*command, "--out", made], check=True, stdout=sys.stderr)
    return made


def trained(name: str, chosen: list[Utterance], a: argparse.Namespace) -> tuple[str, float]:
    """The model directory of a training on these recordings, and its minutes."""
    done = a.out / name / "minutes.json"
    if not done.is_file():
        training = {
            "epochs": a.epochs,
            "learning_rate": a.learning_rate,
            "warmup_epochs": 0.5,
            "average": 0.99,
            "seed": 1,
        }
        started = time.monotonic()
        train_further(a.out, name, chosen, a.model, training)
        with atomic_write(done) as file:
            file.write(json.dumps((time.monotonic() - started) / 60))
    return str(a.out / name / "run/model"), json.loads(done.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifest", type=Path, help="your recordings with texts")
    parser.add_argument("test", type=Path, help="recordings of other people")
    parser.add_argument("--out", type=Path, required=True, help="folder of models and results")
    parser.add_argument("--model", default="en-base", help="recogniser to start from")
    parser.add_argument("--minutes", nargs="+", type=float, default=[10, 30, 60])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    a = parser.parse_args()
    a.manifest, a.test, a.out = (path.resolve() for path in (a.manifest, a.test, a.out))

    utterances = read_manifest(a.test)
    long_words = {w for u in utterances for w in u.text.lower().split() if len(w) >= LONG}
    texts = mixed(a)
    plain = Decoding()
    rows: list[tuple[str, str, float, Decoding]] = [
        ("as shipped", a.model, 0.0, plain),
        ("as shipped, texts", a.model, 0.0, Decoding(lm=texts)),
        ("as shipped, hot words", a.model, 0.0, Decoding(hot_words=tuple(sorted(long_words)))),
    ]
    for minutes in a.minutes:
        chosen = select(
            Selection(manifests=(a.manifest.name,), minutes=minutes), a.out, a.manifest.parent
        )
        model, took = trained(f"{minutes:g}-minutes", chosen, a)
        rows.append((f"{minutes:g} minutes of recordings", model, took, plain))
    rows.append((f"{minutes:g} minutes of recordings, texts", model, took, Decoding(lm=texts)))
    print(
        f"{a.test.name}: {len(utterances)} utterances, "
        f"{sum(u.duration for u in utterances) / 60:.0f} minutes, "
        f"{len({u.speaker for u in utterances})} speakers\n"
    )
    print("| | minutes of training | word error rate (95 %) |")
    print("| --- | --- | --- |")
    for name, model, took, decoding in rows:
        result, _ = evaluate_manifest(model, a.test, decoding)
        low, high = result.interval
        rate = f"{100 * result.wer:.1f} ({100 * low:.1f}–{100 * high:.1f})"
        print(f"| {name} | {took:.1f} | {rate} |", flush=True)


if __name__ == "__main__":
    main()
