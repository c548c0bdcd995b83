"""`write_pack`: manifests → a pack, one complete shard after the other."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from asr.audio.feature_cache import static_settings
from asr.base.files import atomic_write, json_line, remove_leftovers
from asr.base.progress import track
from asr.data.manifest import Utterance
from asr.data.packs.encoding import EncodedUtterance, PackSettings, encode_or_explain
from asr.data.packs.pack_index import (
    FORMAT,
    PACK_FILE,
    file_sha256,
    is_pack,
    read_pack_file,
    read_utterances,
    shard_files,
)
from asr.data.packs.packed_utterance import PackedUtterance, frames_or_samples
from asr.errors import ManifestError, OutputError

SUMS_FILE = "SHA256SUMS"
"""Checksums in the format of sha256sum."""
TAR_BLOCK = 512
EncodeAll = Callable[[Sequence[Utterance], PackSettings], Iterator[EncodedUtterance | str]]
"""Encodes utterances in their order; a message stands for one that cannot be read."""


@dataclass(frozen=True)
class PackSummary:
    """What a pack has.

    Attributes:
        utterances: number of utterances.
        hours: their duration.
        size: bytes of all shards.
        shards: number of shards.
        kept: shards that were finished before and are unharmed.
        failed: a message with file and reason for each utterance that could not be packed.
    """

    utterances: int
    hours: float
    size: int
    shards: int
    kept: int
    failed: tuple[str, ...]


def write_pack(
    manifests: Sequence[Path],
    out: Path,
    settings: PackSettings,
    workers: int = 1,
    encode_all: EncodeAll | None = None,
) -> PackSummary:
    """Pack the utterances of manifests, or go on with a pack that was interrupted.

    The recordings are packed in random order, the segments of one recording in theirs. Finished
    shards are kept if their checksums are right. A shard with utterances that failed is written
    again if one of them can be read now.

    Args:
        manifests: manifests or packs.
        out: folder of the pack; a new or empty one, or that of the same manifests and settings.
        settings: what to write.
        workers: threads that read and encode.
        encode_all: reads and encodes in another way, such as `EncodeOnRay`. Default: in threads.

    Raises:
        ManifestError: a manifest cannot be read, or no utterance can be packed.
        OutputError: `out` has other files, or a pack of other manifests or settings.
        OSError: a file cannot be written.
    """
    utterances = [u for path in manifests for u in read_utterances(path)]
    ordered = [utterances[i] for i in _packing_order(utterances)]
    features = settings.content == "features"
    header = {
        "format": FORMAT,
        "content": settings.content,
        "features": static_settings(settings.features) if features else None,
        "sample_rate": settings.sample_rate,
        "shard_megabytes": settings.shard_megabytes,
        "manifests": [file_sha256(path) for path in manifests],
    }
    _check_folder(out, header)
    return _Writer(
        ordered, out, settings, header, encode_all or partial(_encode_in_threads, workers)
    ).write()


def _packing_order(utterances: Sequence[Utterance]) -> list[int]:
    """Positions in random order of the recordings. Segments of one follow each other: formats
    without quick seeking are decoded once."""
    recordings: dict[Path | int, list[int]] = {}
    for i, utterance in enumerate(utterances):
        single = isinstance(utterance, PackedUtterance)
        recordings.setdefault(i if single else utterance.path, []).append(i)
    groups = list(recordings.values())
    return [i for g in np.random.default_rng(0).permutation(len(groups)) for i in groups[g]]


def _check_folder(out: Path, header: dict[str, Any]) -> None:
    if not is_pack(out):
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise OutputError(f"--out {out}: exists already; give a new folder")
        return
    try:
        found = read_pack_file(out)
    except ManifestError:
        return  # it is damaged; each shard says for itself what it belongs to
    different = [key for key in header if found.get(key) != header[key]]
    if different:
        raise OutputError(
            f"--out {out}: is a pack with other {', '.join(different)}; give a new folder, or the "
            "same manifests and options"
        )


class _Writer:
    """Writes the shards of a pack."""

    def __init__(
        self,
        utterances: Sequence[Utterance],
        out: Path,
        settings: PackSettings,
        header: dict[str, Any],
        encode_all: EncodeAll,
    ) -> None:
        self.utterances, self.out, self.settings = utterances, out, settings
        self.header, self.encode_all = header, encode_all
        self.belongs = hashlib.sha256(json.dumps(header, sort_keys=True).encode()).hexdigest()
        """What a shard of these manifests and settings has as its key `pack`."""
        self.started = False
        """Whether this call has changed the pack."""

    def write(self) -> PackSummary:
        entries: list[dict[str, Any]] = []
        failed: list[str] = []
        kept, first, number = 0, 0, 0
        encoded: Iterator[EncodedUtterance | str] | None = None
        while first < len(self.utterances):
            entry = self._kept(number, first)
            if entry is not None:
                kept, encoded = kept + 1, None
            else:
                self._begin()
                encoded = encoded or self._encoded(first)
                entry = self._write_shard(number, first, encoded)
            entries.append(entry)
            failed += entry["failed"].values()
            first, number = entry["next"], number + 1
        if not any(entry["utterances"] for entry in entries):
            listed = "\n  ".join(failed[:20])
            raise ManifestError(f"no utterance can be packed:\n  {listed}")
        self._finish(entries)
        return PackSummary(
            utterances=sum(e["utterances"] for e in entries),
            hours=sum(e["hours"] for e in entries),
            size=sum(e["bytes"] for e in entries),
            shards=len(entries),
            kept=kept,
            failed=tuple(failed),
        )

    def _kept(self, number: int, first: int) -> dict[str, Any] | None:
        """The entry of a shard that needs not be written again; None if it must be."""
        shard, index = shard_files(self.out, _name(number))
        try:
            lines = index.read_bytes()
            entry = json.loads(lines.partition(b"\n")[0])
            if entry["pack"] != self.belongs or entry["first"] != first:
                return None
            if file_sha256(shard) != entry["sha256"]:
                return None
            if hashlib.sha256(lines.partition(b"\n")[2]).hexdigest() != entry["lines_sha256"]:
                return None
            for position in entry["failed"]:
                utterance = self.utterances[int(position)]
                if not isinstance(encode_or_explain(utterance, self.settings), str):
                    return None
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            return None
        return entry

    def _encoded(self, first: int) -> Iterator[EncodedUtterance | str]:
        """Members from position `first` on, or messages why there are none."""
        left = self.utterances[first:]
        return track(self.encode_all(left, self.settings), len(left), "packing")

    def _begin(self) -> None:
        """Mark the pack as unfinished before its first change."""
        if self.started:
            return
        self.started = True
        self.out.mkdir(parents=True, exist_ok=True)
        names = [_name(n) for n in range(len(list(self.out.glob("*.tar"))) + 2)]
        remove_leftovers(path for name in names for path in shard_files(self.out, name))
        self._write_pack_file(complete=False, shards=[], failed=0)

    def _write_pack_file(self, **values: Any) -> None:
        with atomic_write(self.out / PACK_FILE) as file:
            file.write(json.dumps({**self.header, **values}, indent=1) + "\n")

    def _write_shard(
        self, number: int, first: int, encoded: Iterator[EncodedUtterance | str]
    ) -> dict[str, Any]:
        """Write the shard and then its index, whose first line says that the shard is complete."""
        shard, index = shard_files(self.out, _name(number))
        limit = self.settings.shard_megabytes * 1_000_000
        lines: list[str] = []
        failed: dict[str, str] = {}
        seconds, position = 0.0, first
        digest = hashlib.sha256()
        with atomic_write(shard, binary=True) as file:
            for member in encoded:
                if isinstance(member, str):
                    failed[str(position)] = member
                else:
                    utterance = self.utterances[position]
                    count, rate = frames_or_samples(member.data, member.suffix)
                    duration = count / (rate or self.settings.features.frames_per_second)
                    utterance = replace(utterance, duration=duration)
                    values = _values(utterance)
                    key, seconds = f"{position:09d}", seconds + duration
                    texts = json_line(values).encode()
                    blocks = _tar_member(f"{key}.json", texts)
                    start = file.tell() + len(blocks) + TAR_BLOCK
                    blocks += _tar_member(key + member.suffix, member.data)
                    file.write(blocks)
                    digest.update(blocks)
                    line = {
                        **values,
                        "member": key + member.suffix,
                        "start": start,
                        "size": len(member.data),
                        "sha256": hashlib.sha256(member.data).hexdigest(),
                        "count": count,
                        "sample_rate": rate,
                        "computed": member.computed,
                    }
                    lines.append(json_line(line))
                position += 1
                if file.tell() >= limit:
                    break
            end = bytes(2 * TAR_BLOCK)
            file.write(end)
            digest.update(end)
            size = file.tell()
        text = "".join(lines)
        entry = {
            "pack": self.belongs,
            "shard": _name(number),
            "first": first,
            "next": position,
            "utterances": len(lines),
            "hours": seconds / 3600,
            "bytes": size,
            "sha256": digest.hexdigest(),
            "lines_sha256": hashlib.sha256(text.encode()).hexdigest(),
            "failed": failed,
        }
        with atomic_write(index) as file:
            file.write(json_line(entry) + text)
        return entry

    def _finish(self, entries: Sequence[dict[str, Any]]) -> None:
        """Write the list of shards and the checksums, if they are not there."""
        keys = ("shard", "utterances", "hours", "bytes", "sha256")
        shards = []
        for entry in entries:
            digest = file_sha256(shard_files(self.out, entry["shard"])[1])
            shards.append({**{key: entry[key] for key in keys}, "index_sha256": digest})
        for stale in {*self.out.glob("shard-*.tar"), *self.out.glob("shard-*.jsonl")}:
            if stale.stem not in {entry["shard"] for entry in entries}:
                stale.unlink()
        with atomic_write(self.out / SUMS_FILE) as file:
            for entry in shards:
                file.write(f"{entry['sha256']}  {entry['shard']}.tar\n")
                file.write(f"{entry['index_sha256']}  {entry['shard']}.jsonl\n")
        failed = sum(len(entry["failed"]) for entry in entries)
        self._write_pack_file(complete=True, shards=shards, failed=failed)


def _encode_in_threads(
    workers: int, utterances: Sequence[Utterance], settings: PackSettings
) -> Iterator[EncodedUtterance | str]:
    ahead: deque[Future[EncodedUtterance | str]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for utterance in utterances:
            ahead.append(pool.submit(encode_or_explain, utterance, settings))
            if len(ahead) > 4 * workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _name(number: int) -> str:
    return f"shard-{number:05d}"


def _values(utterance: Utterance) -> dict[str, Any]:
    """The JSON file of an utterance, and the first keys of its line in the index."""
    source = utterance.source if isinstance(utterance, PackedUtterance) else utterance.name
    values: dict[str, Any] = {"text": utterance.text, "duration": round(utterance.duration, 6)}
    for key in ("id", "speaker", "teacher"):
        if (name := getattr(utterance, key)) is not None:
            values[key] = name
    if utterance.language is not None:
        values["lang"] = utterance.language
    return {**values, "source": source}


def _tar_member(name: str, data: bytes) -> bytes:
    """A file in a tar archive: a header of `TAR_BLOCK` bytes, the content, and padding."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o644
    return info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % TAR_BLOCK)
