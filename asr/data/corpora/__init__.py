"""Corpora: each module's `prepare` turns what a corpus ships into manifests; see data/README.md."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from asr.data.manifest import Utterance, write_manifest
from asr.errors import ManifestError

CORPORA = (
    "an4", "asterisk", "commonvoice", "folder", "fsdd", "kathleen", "librispeech", "ljspeech",
    "pocketsphinx",
)  # fmt: skip
"""Names that `prepare` takes; each is a module of this package."""


@dataclass(frozen=True)
class Prepared:
    """Manifests written, by split, and what was left out, each with its reason."""

    manifests: dict[str, Path]
    counts: dict[str, int]
    skipped: tuple[str, ...]


def prepare(name: str, source: Path, out: Path) -> Prepared:
    """Write `out`/{train,dev,test}.jsonl for a corpus unpacked in `source`.

    Raises:
        ManifestError: no such corpus, `source` is not what it expects, or nothing was usable.
    """
    if name not in CORPORA:
        raise ManifestError(f"{name}: no such corpus; known: {', '.join(CORPORA)}")
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
