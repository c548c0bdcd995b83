"""Manifests for other toolkits: data directories of Kaldi, manifests of Lhotse, datasets of
Hugging Face.

`asr data prepare` reads each of them back. May import `asr.audio`, `asr.text` and below, and
`asr.data.manifest`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from asr.data.exports.exportable import find_exportable
from asr.data.manifest import read_manifest
from asr.errors import ConfigError, ManifestError, OutputError

EXPORTS = ("kaldi", "lhotse", "hf")
"""Toolkits; the module of each is NAME_export in this package."""


@dataclass(frozen=True)
class Exported:
    """What `export` wrote.

    Attributes:
        counts: number of utterances by name of the manifest without suffix.
        skipped: a message with file and reason for each utterance that was left out.
        notes: what was written in another way than the manifest has it.
    """

    counts: dict[str, int]
    skipped: tuple[str, ...]
    notes: tuple[str, ...]


def export(to: str, manifests: Sequence[Path], out: Path) -> Exported:
    """Write manifests for another toolkit.

    Args:
        to: one of `EXPORTS`.
        manifests: the manifests; each becomes a set of the name of its file, such as train.
        out: folder to write; it must be new or empty.

    Raises:
        ConfigError: the toolkit is unknown, or pyarrow is missing for hf.
        ManifestError: a manifest cannot be read, has no usable utterance or an id twice, or two
            manifests have the same name.
        OutputError: the folder has files already.
        OSError: a file cannot be written.
    """
    if to not in EXPORTS:
        raise ConfigError(f"--to {to}: unknown; known: {', '.join(EXPORTS)}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(f"--out {out}: exists already; give a new folder")
    module = import_module(f"asr.data.exports.{to}_export")
    skipped: list[str] = []
    notes: list[str] = []
    sets = {}
    for path in manifests:
        if path.stem in sets:
            raise ManifestError(f"{path}: another manifest is called {path.stem} as well")
        sets[path.stem] = find_exportable(path, read_manifest(path), skipped)
    module.write(sets, out, notes)
    counts = {name: len(utterances) for name, utterances in sets.items()}
    return Exported(counts, tuple(skipped), tuple(notes))
