"""`write_pack`: manifests → a pack, one complete shard after the other."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
import soundfile

from asr.audio.feature_cache import FeatureCache, static_settings
from asr.audio.features import FeatureConfig, load_features
from asr.audio.mono import to_mono
from asr.audio.reading import probe
from asr.audio.segments import read_segment
from asr.base.files import atomic_write, json_line, remove_leftovers
from asr.base.progress import track
from asr.base.units import Hertz
from asr.data.manifest import Utterance
from asr.data.packs.pack_index import (
    FORMAT,
    PACK_FILE,
    file_sha256,
    is_pack,
    read_pack_file,
    read_utterances,
    shard_files,
)
from asr.data.packs.packed_utterance import (
    FEATURES_SUFFIX,
    PackedUtterance,
    decode_audio,
    encode_flac,
    frames_or_samples,
)
from asr.errors import AsrError, AudioError, ManifestError, OutputError, reason

SUMS_FILE = "SHA256SUMS"
"""Checksums in the format of sha256sum."""
TAR_BLOCK = 512
COPIED_FORMATS = {"FLAC": ".flac", "OGG": ".ogg", "MP3": ".mp3"}
"""Formats of libsndfile that are copied, if the whole recording is packed → suffix."""


@dataclass(frozen=True)
class PackSettings:
    """What `write_pack` writes.

    Attributes:
        content: "audio", or "features": static cepstra.
        features: settings of the features; not used for audio.
        sample_rate: recordings with a higher rate are resampled to it, in Hz; 0: none are.
        shard_megabytes: a shard ends when it has this many MB.
    """

    content: Literal["audio", "features"] = "audio"
    features: FeatureConfig = field(default_factory=FeatureConfig)
    sample_rate: Hertz = 0
    shard_megabytes: float = 256


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
    manifests: Sequence[Path], out: Path, settings: PackSettings, workers: int = 1
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
    return _Writer(ordered, out, settings, header, workers).write()


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


@dataclass(frozen=True)
class EncodedUtterance:
    """The member of an utterance.

    Attributes:
        suffix: of the member's name: the format.
        data: its bytes.
        computed: whether they are features that were computed from audio.
    """

    suffix: str
    data: bytes
    computed: bool = False


def encode_utterance(utterance: Utterance, settings: PackSettings) -> EncodedUtterance:
    """Read an utterance and encode it.

    Raises:
        AsrError: it cannot be read; the message names the file.
    """
    if isinstance(utterance, PackedUtterance) and not utterance.has_audio:
        if settings.content == "features":
            utterance.check_features(settings.features)
        return EncodedUtterance(FEATURES_SUFFIX, utterance.read(), utterance.settings is not None)
    if not isinstance(utterance, PackedUtterance) and utterance.audio_filepath is None:
        return EncodedUtterance(
            FEATURES_SUFFIX, _npy(load_features(utterance.path, settings.features))
        )
    if settings.content == "features":
        if isinstance(utterance, PackedUtterance):
            static = utterance.static(settings.features)
        else:
            static = FeatureCache(None, settings.features).static(
                utterance.path, utterance.offset, utterance.duration, utterance.channel
            )
        return EncodedUtterance(FEATURES_SUFFIX, _npy(static), computed=True)
    return _encode_audio(utterance, settings)


def _encode_audio(utterance: Utterance, settings: PackSettings) -> EncodedUtterance:
    if isinstance(utterance, PackedUtterance):
        raw, suffix = utterance.read(), Path(utterance.member).suffix
        rate, subtype = utterance.sample_rate, ""
        samples = utterance.samples(rate)
    else:
        info = probe(utterance.path)
        rate, subtype, suffix = info.sample_rate, info.subtype, ""
        samples = read_segment(
            utterance.path, rate, utterance.channel, utterance.offset, utterance.duration
        )
        raw = b"" if utterance.offset else utterance.path.read_bytes()
    if settings.sample_rate and rate > settings.sample_rate:
        samples = to_mono(samples, rate, settings.sample_rate, None, utterance.name)
        rate = settings.sample_rate
    elif suffix or (suffix := _copied_as(raw, samples, rate, utterance.name)):
        return EncodedUtterance(suffix, raw)
    try:
        return EncodedUtterance(".flac", encode_flac(samples, rate, subtype))
    except soundfile.SoundFileError as error:
        raise AudioError(f"{utterance.name}: cannot be written as FLAC: {error}") from None


def _copied_as(raw: bytes, samples: np.ndarray, rate: Hertz, name: str) -> str:
    """Suffix for a copy of a recording's file; "" if a copy would not have the same samples."""
    try:
        with soundfile.SoundFile(BytesIO(raw)) as file:
            suffix = COPIED_FORMATS.get(file.format, "")
        if suffix:
            decoded, decoded_rate = decode_audio(raw)
            same = np.array_equal(to_mono(decoded, decoded_rate, rate, None, name), samples)
            return suffix if same else ""
    except (soundfile.SoundFileError, AudioError):
        pass  # FFmpeg has read what libsndfile cannot
    return ""


def _npy(static: np.ndarray) -> bytes:
    file = BytesIO()
    np.save(file, static)
    return file.getvalue()


class _Writer:
    """Writes the shards of a pack."""

    def __init__(
        self,
        utterances: Sequence[Utterance],
        out: Path,
        settings: PackSettings,
        header: dict[str, Any],
        workers: int,
    ) -> None:
        self.utterances, self.out, self.settings = utterances, out, settings
        self.header, self.workers = header, workers
        self.belongs = hashlib.sha256(json.dumps(header, sort_keys=True).encode()).hexdigest()
        """What a shard of these manifests and settings has as its key `pack`."""
        self.started = False
        """Whether this call has changed the pack."""

    def write(self) -> PackSummary:
        entries: list[dict[str, Any]] = []
        failed: list[str] = []
        kept, first, number = 0, 0, 0
        encoded: Iterator[EncodedUtterance | str] | None = None
        with ThreadPoolExecutor(self.workers) as pool:
            while first < len(self.utterances):
                entry = self._kept(number, first)
                if entry is not None:
                    kept, encoded = kept + 1, None
                else:
                    self._begin()
                    encoded = encoded or self._encoded(pool, first)
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
                if not isinstance(self._encode(int(position)), str):
                    return None
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            return None
        return entry

    def _encode(self, position: int) -> EncodedUtterance | str:
        """The member of an utterance, or the message why there is none."""
        utterance = self.utterances[position]
        try:
            return encode_utterance(utterance, self.settings)
        except AsrError as error:
            return str(error)
        except OSError as error:
            return f"{utterance.name}: cannot be read ({reason(error)})"

    def _encoded(self, pool: ThreadPoolExecutor, first: int) -> Iterator[EncodedUtterance | str]:
        """Members from position `first` on; a few are encoded ahead."""
        ahead: deque[Future[EncodedUtterance | str]] = deque()
        for position in track(
            range(first, len(self.utterances)), len(self.utterances) - first, "packing"
        ):
            ahead.append(pool.submit(self._encode, position))
            if len(ahead) > 4 * self.workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()

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
