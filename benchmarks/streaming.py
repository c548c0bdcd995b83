"""Word error rate and mean latency of `Recognizer.stream`, by its settings.

    python benchmarks/streaming.py data/kathleen/dev.jsonl [--model en-small --limit 40]

Joins the utterances in a seeded order, with --gap seconds of room noise between them, and streams
them with every pair of chunk and look-ahead. Prints a Markdown table, whose first row is
`Recognizer.transcribe` of the whole recording. Latency is the time from the end of a token to the
feed that made it final. It excludes computing, which the last column has: the real-time factor.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

import jiwer
import numpy as np

from asr.data.inputs import read_utterance
from asr.data.manifest import read_manifest

if TYPE_CHECKING:
    from asr.recognizer import Recognizer

CHUNKS = (0.2, 0.5, 1.0)
LOOK_AHEADS = (0.5, 1.0, 2.0, 5.0)


def stream(
    recognizer: Recognizer, samples: np.ndarray, chunk: float, look_ahead: float
) -> tuple[str, float]:
    """Final text, and the mean latency of its tokens in seconds."""
    rate = recognizer.config.features.sample_rate
    live = recognizer.stream(chunk, look_ahead)
    texts, latencies = [], []
    block = round(chunk * rate)
    for start in range(0, len(samples) + 1, block):
        last = start + block > len(samples)
        results = live.feed(samples[start : start + block]) + (live.finish() if last else [])
        for result in results:
            if result.final:
                texts.append(result.text)
                latencies += [live.position - token.end for token in result.tokens]
    return " ".join(texts), float(np.mean(latencies))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default="en-small")
    parser.add_argument("--limit", type=int, help="number of utterances, chosen by the seed")
    parser.add_argument("--gap", type=float, default=0.6)
    parser.add_argument("--chunks", type=float, nargs="+", default=CHUNKS)
    parser.add_argument("--look-aheads", type=float, nargs="+", default=LOOK_AHEADS)
    parser.add_argument("--seed", type=int, default=1)
    a = parser.parse_args()
    from asr.decoding.decoding_options import Decoding
    from asr.recognizer import Recognizer

    recognizer = Recognizer.load(a.model, Decoding(lm="none"))
    rate = recognizer.config.features.sample_rate
    rng = np.random.default_rng(a.seed)
    utterances = rng.permutation(np.array(read_manifest(a.manifest)))[: a.limit]
    pieces = []
    for u in utterances:
        pieces += [read_utterance(u, rate), rng.normal(0, 1e-3, round(a.gap * rate))]
    samples = np.concatenate(pieces).astype(np.float32)
    seconds = len(samples) / rate
    reference = " ".join(recognizer.tokenizer.normalise(u.text) for u in utterances)
    recognizer.warm_up()

    def row(chunk: str, look_ahead: str, text: str, latency: str, started: float) -> None:
        rtf = (time.perf_counter() - started) / seconds
        wer, cer = jiwer.wer(reference, text), jiwer.cer(reference, text)
        print(
            f"| {chunk} | {look_ahead} | {wer:.1%} | {cer:.1%} | {latency} | {rtf:.2f} |",
            flush=True,
        )

    print(f"{len(utterances)} utterances, {seconds:.0f} s, {a.model}, seed {a.seed}\n")
    print("| chunk, s | look-ahead, s | WER | CER | mean latency, s | RTF |")
    print("|---|---|---|---|---|---|")
    started = time.perf_counter()
    row("", "whole recording", recognizer.transcribe(samples).text, "", started)
    for chunk in a.chunks:
        for look_ahead in a.look_aheads:
            started = time.perf_counter()
            text, latency = stream(recognizer, samples, chunk, look_ahead)
            row(f"{chunk:g}", f"{look_ahead:g}", text, f"{latency:.2f}", started)


if __name__ == "__main__":
    main()
