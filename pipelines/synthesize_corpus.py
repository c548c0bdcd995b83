"""Synthetic speech for training: freely licensed prose or text files, read aloud by voices.

python pipelines/synthesize_corpus.py --out data/synthetic --hours 6 --held-out data/*/test.jsonl
"""

import argparse
from pathlib import Path

from asr.base.progress import track_hours
from asr.data.manifest import write_manifest
from asr.data.prose import HeldOut
from asr.data.read_aloud import PROSE, sentences_to_read
from asr.tts.engines import DEBIAN, ENGINES, FORMATS, spoken_before, synthesize


def main() -> None:
    add = (parser := argparse.ArgumentParser(description=__doc__)).add_argument
    add("--out", type=Path, required=True, help="folder for train.jsonl and audio/")
    add("--hours", type=float, default=6.0, help="hours of speech; default: 6")
    add("--engines", nargs="+", choices=ENGINES, default=DEBIAN, help="default: Debian's three")
    add("--text", nargs="+", type=Path, default=[PROSE], help="prose (packaged) or .txt, .xz files")
    add("--words", type=int, nargs=2, default=(4, 14), help="fewest and most; default: 4 14")
    add("--held-out", nargs="*", type=Path, default=[], help="manifests or texts to leave out")
    add("--cache", type=Path, default=Path("data/prose"), help="prose; default: data/prose")
    add("--seed", type=int, default=1, help="of the order and the voices; default: 1")
    add("--jobs", type=int, default=2, help="sentences spoken at once; default: 2")
    add("--format", choices=FORMATS, default="flac", help="ogg is Opus; default: flac")
    add("--list", action="store_true", help="only write the manifest of existing files")
    a = parser.parse_args()
    texts = sentences_to_read(a.text, a.words, HeldOut.read(a.held_out), a.seed, a.cache)
    audio, voices = a.out / "audio", (a.engines, a.seed)
    if a.list:
        spoken = spoken_before(texts, audio, *voices, a.format)
    else:
        spoken = synthesize(texts, audio, a.hours * 3600, *voices, a.jobs, a.format)
    write_manifest(a.out / "train.jsonl", list(track_hours(spoken, a.hours, "speaking")))


if __name__ == "__main__":
    main()
