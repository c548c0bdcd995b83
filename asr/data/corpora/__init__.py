"""Known corpora. Each module's `prepare` makes manifests from the files of its corpus.

data/README.md lists the corpora with their licences and the files that `prepare` expects.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from asr.data.manifest import Utterance, write_manifest
from asr.errors import ManifestError

CORPORA = (
    "an4",
    "asterisk",
    "commonvoice",
    "folder",
    "fsdd",
    "kathleen",
    "librispeech",
    "ljspeech",
    "pocketsphinx",
    "speech_commands",
    "speechocean762",
)
"""Names of corpora; each is a module of this package."""


@dataclass(frozen=True)
class Prepared:
    """The manifests of a corpus.

    Attributes:
        manifests: path of each manifest, by split ("train", "dev", "test").
        counts: number of utterances, by split.
        skipped: a message with file and reason for each utterance that was left out.
    """

    manifests: dict[str, Path]
    counts: dict[str, int]
    skipped: tuple[str, ...]


def prepare(name: str, source: Path, out: Path) -> Prepared:
    """Write the manifests of a corpus.

    Args:
        name: one of `CORPORA`.
        source: folder of the unpacked corpus.
        out: folder of the manifests train.jsonl, dev.jsonl and test.jsonl.

    Raises:
        ManifestError: the corpus is unknown, `source` lacks its files, or no utterance is usable.
    """
    if name not in CORPORA:
        raise ManifestError(f"{name}: unknown corpus; known: {', '.join(CORPORA)}")
    if not source.is_dir():
        raise ManifestError(f"{source}: no such folder")
    module = import_module(f"asr.data.corpora.{name}")
    skipped: list[str] = []
    splits: dict[str, list[Utterance]] = module.prepare(source, out, skipped)
    splits = {split: utterances for split, utterances in splits.items() if utterances}
    if not splits:
        reasons = "\n  ".join(skipped[:10])
        raise ManifestError(f"{source}: no usable utterance found for {name}\n  {reasons}")
    manifests = {split: out / f"{split}.jsonl" for split in splits}
    for split, utterances in splits.items():
        write_manifest(manifests[split], utterances)
    return Prepared(manifests, {s: len(u) for s, u in splits.items()}, tuple(skipped))
