"""Speed of decoding alone: greedy, beam search, and beam search with a language model.

    python benchmarks/decode_speed.py data/kathleen/test.jsonl [--model en-small --lm general]

The network runs once, before the measurement. The decoders then run in turn, in one process and one
thread; the language model with the given beam and with the beam that it was tuned for. Prints the
time for loading the language model and medians of the real-time factor. Times are processor times,
so that other processes on the machine matter little.
"""

import argparse
import statistics
import time
from pathlib import Path

from asr.data.manifest import read_manifest
from asr.decoding.decoder import Decoder
from asr.decoding.decoding_options import Decoding
from asr.recognizer import load_recognizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default="en-small")
    parser.add_argument("--lm", default="general")
    parser.add_argument("--beam", type=int, default=16)
    parser.add_argument("--runs", type=int, default=5)
    a = parser.parse_args()
    recognizer = load_recognizer(a.model)
    utterances = read_manifest(a.manifest)
    outputs = [recognizer.outputs([recognizer.features(u)[0]])[0] for u in utterances]
    tuned = Decoding(lm=a.lm).resolve(recognizer.folder)
    seconds = sum(u.duration for u in utterances)
    settings = {
        "greedy": Decoding(0),
        f"beam {a.beam}": Decoding(a.beam, "none"),
        f"beam {a.beam}, {a.lm}": Decoding(a.beam, a.lm),
        f"beam {tuned.beam}, {a.lm}": tuned,
    }
    decoders = {}
    for name, decoding in settings.items():
        started = time.process_time()
        decoders[name] = Decoder(
            recognizer.tokenizer, decoding, recognizer.folder, recognizer.heads
        )
        if decoding.has_lm:
            print(f"loading {a.lm}: {time.process_time() - started:.2f} s")
    factors: dict[str, list[float]] = {name: [] for name in decoders}
    for _ in range(a.runs):
        for name, decoder in decoders.items():
            started = time.process_time()
            for row in outputs:
                decoder(row)
            factors[name].append((time.process_time() - started) / seconds)
    print(f"{len(utterances)} utterances, {seconds:.0f} s, median of {a.runs} runs")
    for name, values in factors.items():
        print(
            f"{name:24} RTF {statistics.median(values):.5f} ({min(values):.5f}–{max(values):.5f})"
        )


if __name__ == "__main__":
    main()
