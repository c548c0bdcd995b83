"""Voices beside the recordings of its speaker and other voices, as all judges hear them.

    python benchmarks/round_trip.py data/kathleen/test.jsonl [--voices en-kathleen] [--peers kokoro]

`asr evaluate-tts` with all judges: our recogniser greedily and with its language model, and the
judges from outside. RTF is the time from text to samples over their length, warm, sentence by
sentence, with one thread; flite and eSpeak NG are programs that start anew for each sentence.
"""

import argparse
from pathlib import Path

from asr.data.manifest import read_manifest
from asr.decoding.decoding_options import Decoding
from asr.evaluation.judges.catalogue import ALL, JUDGES, load_judges
from asr.evaluation.judges.listener import recognizer_listener
from asr.evaluation.round_trip import PEERS, round_trip, round_trip_text
from asr.recognizer import load_recognizer
from asr.tts.synthesizer import Synthesizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--voices", nargs="+", default=["en-kathleen"])
    parser.add_argument("--model", default="en-small")
    parser.add_argument("--judges", nargs="*", choices=(*JUDGES, ALL), default=[ALL])
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS))
    a = parser.parse_args()
    ours = [
        recognizer_listener(load_recognizer(a.model, Decoding(lm=lm))) for lm in ("none", "general")
    ]
    panel = [*ours, *load_judges(a.judges)]
    voices = {name: Synthesizer.load(name, threads=1) for name in a.voices}
    print(round_trip_text(round_trip(voices, panel, read_manifest(a.manifest), a.peers)))


if __name__ == "__main__":
    main()
