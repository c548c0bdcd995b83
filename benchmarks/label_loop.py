"""How many words a person must still correct after 0, 10, 30, 60 minutes of corrections.

    python benchmarks/label_loop.py data/strangers/speechocean762_train.jsonl --out runs/label_loop

The known texts of a manifest stand for a person who labels with `asr label`. Some speakers are
held out: nobody corrects their recordings, and every model is measured on them. The recordings of
other speakers are corrected in blocks, least sure first as the page orders them, or in random
order. After each block, the model is trained further on all corrections so far; every eighth of
them is the dev set. The new model chooses and fills in the next block.

Each step keeps its result in --out, and the same command continues after an interruption.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from further_training import train_further
from matplotlib.figure import Figure

from asr.base.files import atomic_write
from asr.data.manifest import Utterance, read_manifest
from asr.decoding.decoding_options import Decoding
from asr.evaluation.error_rates import evaluate
from asr.labelling.order import sureness
from asr.recognizer import Recognizer
from asr.results import Failure, Transcript

LM = "general"
LEAST_SURE, RANDOM = "least sure first", "random"


def split_speakers(
    utterances: Sequence[Utterance], held_out: int, pool: int
) -> tuple[list[Utterance], list[Utterance]]:
    """Utterances of `held_out` speakers, and those of `pool` others, both evenly spread."""
    speakers = sorted({str(u.speaker) for u in utterances})
    held = set(speakers[:: len(speakers) // held_out][:held_out])
    rest = [s for s in speakers if s not in held]
    chosen = {rest[i] for i in np.linspace(0, len(rest) - 1, pool).round().astype(int)}
    return (
        [u for u in utterances if str(u.speaker) in held],
        [u for u in utterances if str(u.speaker) in chosen],
    )


class Loop:
    """Models, transcripts and results in one folder, each made once."""

    def __init__(self, a: argparse.Namespace) -> None:
        self.a, self.out = a, a.out
        self.held, self.pool = split_speakers(read_manifest(a.manifest), a.held_out, a.speakers)

    def once(self, name: str, make: Callable[[], dict]) -> dict:
        """The content of a JSON file, made if it is not there."""
        path = self.out / f"{name}.json"
        if not path.is_file():
            values = make()
            with atomic_write(path) as file:
                file.write(json.dumps(values) + "\n")
        return json.loads(path.read_text(encoding="utf-8"))

    def transcripts(self, model: str, utterances: Sequence[Utterance], lm: str = "none"):
        """A transcript of each utterance, and the recogniser."""
        recognizer = Recognizer.load(model, Decoding(lm=lm))
        return recognizer.transcribe(utterances), recognizer

    def held_out(self, model: str) -> dict:
        """Word error rates of the held-out speakers, greedy and with the language model."""
        values = {}
        for name, lm in (("greedy", "none"), ("lm", LM)):
            results, recognizer = self.transcripts(model, self.held, lm)
            e = evaluate(self.held, results, recognizer.tokenizer.normalise)
            values[name] = {
                "wer": e.wer,
                "interval": e.interval,
                "errors": len(e.scored) and e.substitutions + e.deletions + e.insertions,
                "words": e.words,
            }
        return values

    def filled_in(self, model: str, indices: Sequence[int]) -> dict:
        """Text and sureness of pool utterances by index."""
        results, _ = self.transcripts(model, [self.pool[i] for i in indices])
        return {
            str(i): ["", 0.0] if isinstance(r, Failure) else [r.text, sureness(r.words)]
            for i, r in zip(indices, results, strict=True)
        }

    def block(self, order: Sequence[int], minutes: float) -> list[int]:
        """The first of `order` that together last `minutes`."""
        ends = np.cumsum([self.pool[i].duration for i in order])
        return list(order[: int(np.searchsorted(ends, 60 * minutes)) + 1])

    def block_errors(self, block: Sequence[int], heard: dict, model: str) -> dict:
        """Word errors of the texts that the person finds filled in."""
        chosen = [self.pool[i] for i in block]
        texts = [Transcript(heard[str(i)][0], 0.0, self.pool[i].duration) for i in block]
        e = evaluate(chosen, texts, Recognizer.load(model).tokenizer.normalise)
        return {"wer": e.wer, "words": e.words, "interval": e.interval}

    def train(self, name: str, corrected: Sequence[int], initial: str) -> str:
        """Train a model further on all corrections; returns the model directory."""
        trained = self.out / name / "trained"
        if not trained.is_file():
            training = {
                "epochs": self.a.epochs,
                "learning_rate": self.a.learning_rate,
                "warmup_epochs": 0.5,
                "seed": self.a.seed,
            }
            train_further(self.out, name, [self.pool[i] for i in corrected], initial, training)
            trained.touch()
        return str(self.out / name / "run" / "model")

    def rows(self, order: str) -> list[dict]:
        """The rows of one order: minutes, and the rates with the model of that time."""
        random = np.random.default_rng(self.a.seed).permutation(len(self.pool)).tolist()
        corrected: list[int] = []
        model, before = self.a.model, 0.0
        rows = [{"minutes": 0.0, **self.once("0-held", partial(self.held_out, model))}]
        for minutes in self.a.minutes:
            name = f"{order.replace(' ', '_')}-{minutes:g}"
            left = [i for i in random if i not in set(corrected)]
            if order == RANDOM:
                block = self.block(left, minutes - before)
                heard = self.once(f"{name}-heard", partial(self.filled_in, model, block))
            else:
                heard_name = f"{name}-heard" if corrected else "0-heard"
                heard = self.once(heard_name, partial(self.filled_in, model, sorted(left)))
                by_sureness = sorted((heard[str(i)][1], i) for i in left)
                block = self.block([i for _, i in by_sureness], minutes - before)
            errors = self.once(f"{name}-block", partial(self.block_errors, block, heard, model))
            corrected += block
            model, before = self.train(name, corrected, model), minutes
            held = self.once(f"{name}-held", partial(self.held_out, model))
            rows.append({"minutes": minutes, "block": errors, "recordings": len(corrected), **held})
        return rows


def draw(results: dict[str, list[dict]], path: Path) -> None:
    """Draw words to correct in a hundred over minutes of corrections."""
    figure = Figure(figsize=(6.5, 3.8), layout="constrained")
    axes = figure.subplots()
    for order, rows in results.items():
        for kind, style in (("greedy", "--"), ("lm", "-")):
            x = [row["minutes"] for row in rows]
            y = [100 * row[kind]["wer"] for row in rows]
            low, high = np.transpose([[100 * v for v in row[kind]["interval"]] for row in rows])
            label = f"{order}, {'greedy' if kind == 'greedy' else 'language model'}"
            axes.errorbar(x, y, [y - low, high - y], fmt=f"o{style}", capsize=3, label=label)
    axes.set(
        xlabel="minutes of corrected recordings", ylabel="words to correct in 100", ylim=(0, None)
    )
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    with atomic_write(path, binary=True) as file:
        figure.savefig(file, format=path.suffix[1:], metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifest", type=Path, help="recordings with texts and speakers")
    parser.add_argument("--out", type=Path, required=True, help="folder of models and results")
    parser.add_argument("--model", default="en-small", help="recogniser to start from")
    parser.add_argument("--held-out", type=int, default=20, help="speakers that nobody corrects")
    parser.add_argument("--speakers", type=int, default=100, help="speakers to correct")
    parser.add_argument("--minutes", nargs="+", type=float, default=[10, 30, 60])
    parser.add_argument("--orders", nargs="+", default=[LEAST_SURE])
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plot", type=Path, help="SVG or PNG file")
    a = parser.parse_args()
    a.manifest, a.out = a.manifest.resolve(), a.out.resolve()
    a.out.mkdir(parents=True, exist_ok=True)
    loop = Loop(a)
    results = {order: loop.rows(order) for order in a.orders}
    hours = sum(u.duration for u in loop.held) / 3600
    words = results[a.orders[0]][0]["greedy"]["words"]
    print(
        f"{len(loop.held)} recordings of {a.held_out} held-out speakers, {60 * hours:.0f} minutes, "
        f"{words} words;\n{len(loop.pool)} recordings of {a.speakers} other speakers to correct, "
        f"{sum(u.duration for u in loop.pool) / 60:.0f} minutes\n"
    )
    print("| order | minutes corrected | recordings | words wrong in the block, per 100 | ", end="")
    print("words to correct in 100, greedy (95 %) | with language model (95 %) | in an hour |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for order, rows in results.items():
        for row in rows:
            rates = [
                f"{100 * row[kind]['wer']:.1f} ({100 * row[kind]['interval'][0]:.1f}–"
                f"{100 * row[kind]['interval'][1]:.1f})"
                for kind in ("greedy", "lm")
            ]
            block = f"{100 * row['block']['wer']:.1f}" if "block" in row else "–"
            print(
                f"| {order} | {row['minutes']:g} | {row.get('recordings', 0)} | {block} | "
                f"{' | '.join(rates)} | {row['lm']['errors'] / hours:.0f} |"
            )
    if a.plot:
        draw(results, a.plot)


if __name__ == "__main__":
    main()
