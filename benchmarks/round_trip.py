"""Intelligibility of a voice: `asr evaluate-tts` with greedy decoding and with the language model.

    python benchmarks/round_trip.py data/kathleen/test.jsonl [--voice en-kathleen]

Recognisers transcribe the voice, the natural recordings, flite and eSpeak NG. RTF is the time from
text to samples over their length: on this machine, warm, sentence by sentence.
"""

import argparse
from pathlib import Path

from asr.data.manifest import read_manifest
from asr.decoding.decoding_options import Decoding
from asr.evaluation.round_trip import round_trip, round_trip_text
from asr.recognizer import load_recognizer
from asr.tts.synthesizer import Synthesizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--voice", default="en-kathleen")
    parser.add_argument("--model", default="en-small")
    a = parser.parse_args()
    utterances = read_manifest(a.manifest)
    for lm in (None, "general"):
        recognizer = load_recognizer(a.model, Decoding(lm=lm))
        print(f"{a.model} decodes {f'with --lm {lm}' if lm else 'greedily'}")
        print(round_trip_text(round_trip(Synthesizer.load(a.voice), recognizer, utterances)), "\n")


if __name__ == "__main__":
    main()
