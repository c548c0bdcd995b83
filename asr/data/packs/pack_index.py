"""Reading packs: `read_utterances`, `read_pack`, `damaged_shards`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asr.base.progress import track
from asr.data.manifest import Utterance, read_manifest
from asr.data.packs.packed_utterance import REMEDY, PackedUtterance
from asr.errors import ManifestError, reason

PACK_FILE = "pack.json"
"""Settings of a pack and its list of shards."""
FORMAT = 1
"""Version of the layout, the key `format` of `PACK_FILE`."""


def is_pack(path: Path) -> bool:
    """Whether a path is the folder of a pack, finished or not."""
    return (path / PACK_FILE).is_file()


def read_utterances(path: Path) -> list[Utterance]:
    """Read a manifest or a pack.

    Args:
        path: a .jsonl file, or the folder of a pack.

    Raises:
        ManifestError: see `read_manifest` and `read_pack`.
    """
    return list(read_pack(path)) if path.is_dir() else read_manifest(path)


def read_pack(folder: Path) -> list[PackedUtterance]:
    """Read the index of a pack. The shards' lengths are checked, not their contents.

    Args:
        folder: folder of the pack.

    Returns:
        The utterances, in the order of the shards.

    Raises:
        ManifestError: the folder is not a finished pack, or an index or a shard is missing or
            damaged; the message names the file.
    """
    values = read_pack_file(folder)
    if not values["complete"]:
        raise ManifestError(
            f"{folder}: the pack is not finished; run its `asr data pack` command again"
        )
    utterances: list[PackedUtterance] = []
    for entry in values["shards"]:
        shard, index = shard_files(folder, entry["shard"])
        try:
            size, lines = shard.stat().st_size, index.read_bytes()
        except OSError as error:
            raise ManifestError(f"{error.filename}: {reason(error)}; {REMEDY}") from None
        if size != entry["bytes"]:
            raise ManifestError(
                f"{shard}: damaged: it has {size} bytes instead of {entry['bytes']}; {REMEDY}"
            )
        if hashlib.sha256(lines).hexdigest() != entry["index_sha256"]:
            raise ManifestError(f"{index}: damaged: it has another checksum; {REMEDY}")
        for line in lines.decode().split("\n")[1:-1]:
            utterances.append(_utterance(json.loads(line), shard, values["features"]))
    if not utterances:
        raise ManifestError(f"{folder}: has no utterances")
    return utterances


def read_pack_file(folder: Path) -> dict[str, Any]:
    """The content of `PACK_FILE`.

    Raises:
        ManifestError: it is missing or damaged, or has another format.
    """
    path = folder / PACK_FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ManifestError(
            f"{folder}: is a folder without {PACK_FILE}; name a manifest, or a folder that `asr "
            "data pack` has written"
        ) from None
    except (OSError, ValueError) as error:
        raise ManifestError(f"{path}: cannot be read ({reason(error)}); {REMEDY}") from None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ManifestError(f"{path}: not a pack of format {FORMAT}; pack the manifests again")
    return values


def shard_files(folder: Path, name: str) -> tuple[Path, Path]:
    """The tar file and the index of a shard, such as "shard-00000"."""
    return folder / f"{name}.tar", folder / f"{name}.jsonl"


def damaged_shards(folder: Path) -> list[str]:
    """Read all shards and compare their checksums.

    Returns:
        A message for each shard that is damaged.

    Raises:
        ManifestError: see `read_pack_file`.
    """
    entries, found = read_pack_file(folder)["shards"], []
    for entry in track(entries, len(entries), f"checking {folder}"):
        shard, _ = shard_files(folder, entry["shard"])
        try:
            digest = file_sha256(shard)
        except OSError as error:
            found.append(f"{shard}: cannot be read ({reason(error)}); {REMEDY}")
            continue
        if digest != entry["sha256"]:
            found.append(f"{shard}: damaged: it has another checksum; {REMEDY}")
    return found


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, or of the `PACK_FILE` of a pack, which has the digests of its files.

    Raises:
        OSError: the file cannot be read.
    """
    with (path / PACK_FILE if path.is_dir() else path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _utterance(
    line: Mapping[str, Any], shard: Path, settings: Mapping[str, Any] | None
) -> PackedUtterance:
    return PackedUtterance(
        text=line["text"],
        duration=line["duration"],
        speaker=line.get("speaker"),
        teacher=line.get("teacher"),
        language=line.get("lang"),
        id=line.get("id"),
        shard=shard,
        member=line["member"],
        start=line["start"],
        size=line["size"],
        sha256=bytes.fromhex(line["sha256"]),
        count=line["count"],
        sample_rate=line["sample_rate"],
        source=line["source"],
        settings=settings if line["computed"] else None,
    )
