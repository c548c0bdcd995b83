"""Word error rate and latencies of `Recognizer.stream`, by model and settings.

    python benchmarks/streaming.py data/kathleen/dev.jsonl [--models en-small en-base --limit 40]

Joins the utterances in a seeded order, with --gap seconds of room noise between them, and streams
them with every model and pair of chunk and look-ahead. Prints a Markdown table. The first row of a
model is `Recognizer.transcribe` of the whole recording.

The latencies are means, in seconds of audio, without the time to compute: "first word" from the end
of the first word of an utterance to the first result with a word, which may still change; "last
word" from the end of its last word to the result that is final; "all" from the end of a token to
the result that made it final. The last column is processor time per second of audio.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import jiwer
import numpy as np

from asr.data.inputs import read_utterance
from asr.data.manifest import read_manifest

if TYPE_CHECKING:
    from asr.recognizer import Recognizer
    from asr.results import Partial, Word

CHUNKS = (0.2, 0.5, 1.0)
LOOK_AHEADS = (0.5, 1.0, 2.0, 5.0)


@dataclass
class Heard:
    """The results of a stream.

    Attributes:
        texts: the final texts.
        first, last, every: latencies, in seconds (see above).
    """

    texts: list[str] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    last: list[float] = field(default_factory=list)
    every: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._shown: float | None = None
        self._words: list[Word] = []

    def add(self, result: Partial, position: float) -> None:
        """Add a result that the stream gave at `position`, in seconds."""
        if result.text and self._shown is None:
            self._shown = position
        if not result.final:
            if not result.text and not self._words:
                self._shown = None  # it was no word
            return
        if result.text:
            self.texts.append(result.text)
        self.every += [position - token.end for token in result.tokens]
        self._words += result.words
        if result.pause:
            if self._words and self._shown is not None:
                first, last = self._words[0], self._words[-1]
                if self._shown > first.start:  # else it was shown for a noise before
                    self.first.append(self._shown - first.end)
                self.last.append(position - last.end)
            self._shown, self._words = None, []


def stream(recognizer: Recognizer, samples: np.ndarray, chunk: float, look_ahead: float) -> Heard:
    """Stream the samples in blocks of `chunk` seconds."""
    rate = recognizer.config.features.sample_rate
    live, heard = recognizer.stream(chunk, look_ahead), Heard()
    block = round(chunk * rate)
    for start in range(0, len(samples) + 1, block):
        last = start + block > len(samples)
        for result in live.feed(samples[start : start + block]) + (live.finish() if last else []):
            heard.add(result, live.position)
    return heard


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--models", nargs="+", default=["en-small"])
    parser.add_argument("--lm", help="as of asr transcribe; none decodes greedily")
    parser.add_argument("--limit", type=int, help="number of utterances, chosen by the seed")
    parser.add_argument("--gap", type=float, default=0.6)
    parser.add_argument("--chunks", type=float, nargs="+", default=CHUNKS)
    parser.add_argument("--look-aheads", type=float, nargs="+", default=LOOK_AHEADS)
    parser.add_argument("--seed", type=int, default=1)
    a = parser.parse_args()
    from asr.decoding.decoding_options import Decoding
    from asr.recognizer import Recognizer

    recognizers = {name: Recognizer.load(name, Decoding(lm=a.lm)) for name in a.models}
    some = next(iter(recognizers.values()))
    rate, normalise = some.config.features.sample_rate, some.tokenizer.normalise
    for name, recognizer in recognizers.items():
        if recognizer.config.features.sample_rate != rate:
            parser.error(f"{name} has another sample rate than {a.models[0]}")
        if recognizer.config.tokenizer != some.config.tokenizer:
            parser.error(f"{name} has another tokenizer than {a.models[0]}")
    rng = np.random.default_rng(a.seed)
    utterances = rng.permutation(np.array(read_manifest(a.manifest)))[: a.limit]
    pieces = []
    for u in utterances:
        pieces += [read_utterance(u, rate), rng.normal(0, 1e-3, round(a.gap * rate))]
    samples = np.concatenate(pieces).astype(np.float32)
    seconds = len(samples) / rate
    reference = " ".join(normalise(u.text) for u in utterances)

    def row(name: str, setting: str, text: str, latencies: str, started: float) -> None:
        rtf = (time.process_time() - started) / seconds
        wer, cer = jiwer.wer(reference, text), jiwer.cer(reference, text)
        print(
            f"| {name} | {setting} | {wer:.1%} | {cer:.1%} | {latencies} | {rtf:.2f} |", flush=True
        )

    print(f"{len(utterances)} utterances, {seconds:.0f} s, seed {a.seed}\n")
    print(
        "| model | chunk, s | look-ahead, s | WER | CER | first word, s | last word | all | cost |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name, recognizer in recognizers.items():
        recognizer.warm_up()
        started = time.process_time()
        row(name, " | whole recording", recognizer.transcribe(samples).text, " | | ", started)
        for chunk in a.chunks:
            for look_ahead in a.look_aheads:
                started = time.process_time()
                heard = stream(recognizer, samples, chunk, look_ahead)
                means = [
                    f"{fmean(x):.2f}" if x else "" for x in (heard.first, heard.last, heard.every)
                ]
                setting = f"{chunk:g} | {look_ahead:g}"
                row(name, setting, " ".join(heard.texts), " | ".join(means), started)


if __name__ == "__main__":
    main()
