"""Synthetic speech for training: prose or text files, read by text-to-speech voices.

python pipelines/synthesize_corpus.py --out data/synthetic --hours 6 --held-out data/*/test.jsonl
"""

import argparse
from pathlib import Path

from asr.base.progress import track_hours
from asr.cli.program import resumable, run_program
from asr.data.manifest import write_manifest
from asr.data.prose import HeldOut
from asr.data.read_aloud import PROSE, sentences_to_read
from asr.tts.engines import DEBIAN_ENGINES, ENGINES, FORMATS, existing_utterances, synthesize


def main() -> None:
    add = (parser := argparse.ArgumentParser(description=__doc__)).add_argument
    add("--out", type=Path, required=True, help="folder for train.jsonl and audio/")
    add("--hours", type=float, default=6.0, help="hours of speech; default: 6")
    add("--engines", nargs="+", choices=ENGINES, default=DEBIAN_ENGINES, help="default: Debian's 3")
    add("--text", nargs="+", type=Path, default=[PROSE], help=".txt, .xz or prose; default: prose")
    add("--words", type=int, nargs=2, default=(4, 14), help="words per sentence; default: 4 14")
    add("--held-out", nargs="*", type=Path, default=[], help="manifests or texts to leave out")
    add("--cache", type=Path, default=Path("data/prose"), help="prose; default: data/prose")
    add("--seed", type=int, default=1, help="seed of order and voices; default: 1")
    add("--jobs", type=int, default=2, help="sentences spoken at once; default: 2")
    add("--format", choices=FORMATS, default="flac", help="ogg is Opus; default: flac")
    add("--list", action="store_true", help="only write the manifest of existing files")
    a = parser.parse_args()
    texts = sentences_to_read(a.text, a.words, HeldOut.read(a.held_out), a.seed, a.cache)
    audio, voices = a.out / "audio", (a.engines, a.seed)
    if a.list:
        spoken = existing_utterances(texts, audio, *voices, a.format)
    else:
        spoken = synthesize(texts, audio, a.hours * 3600, *voices, a.jobs, a.format)
    with resumable():  # sentences that have been spoken are kept
        write_manifest(a.out / "train.jsonl", list(track_hours(spoken, a.hours, "speaking")))


if __name__ == "__main__":
    run_program(main)
