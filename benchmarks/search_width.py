"""Word errors and time of the search with several widths of its pruning, on dev sets.

    python benchmarks/search_width.py data/kathleen/dev.jsonl data/an4/dev.jsonl
        --widths 400,10,-7 300,12,-8 [--model en-base]

A width is a beam, a margin and a token_min, see `asr.decoding.decoder.Pruning`; everything else is
as tuned. The network runs once for each utterance, outside of the measured time. Prints the word
error rate of each manifest, their mean, and the processor time of the search per second of audio.
The widths search each utterance in turn, every time another one first, so that other work on the
machine and empty caches slow all of them.
"""

import argparse
import time
from copy import copy
from dataclasses import replace
from pathlib import Path

import jiwer
import numpy as np

from asr.data.manifest import read_manifest
from asr.decoding.decoder import Decoder, Pruning
from asr.recognizer import load_recognizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifests", type=Path, nargs="+")
    parser.add_argument("--widths", nargs="+", required=True, metavar="BEAM,MARGIN,TOKEN_MIN")
    parser.add_argument("--model", default="en-base")
    a = parser.parse_args()
    recognizer = load_recognizer(a.model)
    normalise, decode = recognizer.tokenizer.normalise, recognizer.tokenizer.decode
    decoders = {width: with_width(recognizer.decoder, width) for width in a.widths}
    seconds, used = 0.0, dict.fromkeys(decoders, 0.0)
    rates: dict[str, list[float]] = {width: [] for width in decoders}
    for manifest in a.manifests:
        utterances = read_manifest(manifest)
        references = [normalise(u.text) for u in utterances]
        found: dict[str, list[str]] = {width: [] for width in decoders}
        for utterance in utterances:
            logits = recognizer.voiced_outputs(utterance)
            seconds += utterance.duration
            for width in a.widths:
                started = time.process_time()
                labels = decoders[width](logits).labels
                used[width] += time.process_time() - started
                found[width].append(decode(labels))
            a.widths.append(a.widths.pop(0))
        for width, texts in found.items():
            rates[width].append(jiwer.wer(references, texts))
    print("WER of", ", ".join(map(str, a.manifests)), "and their mean; RTF of the search")
    for width, values in rates.items():
        row = "  ".join(f"{value:6.2%}" for value in [*values, float(np.mean(values))])
        print(f"{width:12} {row}  {used[width] / seconds:.4f}")


def with_width(decoder: Decoder, width: str) -> Decoder:
    """A decoder that shares everything with another but the width of its search."""
    beam, margin, token_min = map(float, width.split(","))
    decoder = copy(decoder)
    decoder.decoding = replace(decoder.decoding, beam=int(beam))
    decoder.one_text = Pruning(margin, token_min)
    return decoder


if __name__ == "__main__":
    main()
