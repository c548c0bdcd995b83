"""Manifests of Lhotse."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from asr.base.files import atomic_write, json_line
from asr.data.exports.exportable import ExportableUtterance, UniqueNames


def write(sets: Mapping[str, Sequence[ExportableUtterance]], out: Path, notes: list[str]) -> None:
    """Write recordings_NAME.jsonl.gz and supervisions_NAME.jsonl.gz for each set.

    `lhotse.CutSet.from_manifests` makes cuts of them.
    """
    for name, utterances in sets.items():
        ids: dict[Path, str] = {}
        names = UniqueNames()
        recordings = []
        for utterance in utterances:
            if utterance.path not in ids:
                ids[utterance.path] = names.add(utterance.path.stem)
                recordings.append(_recording(utterance, ids[utterance.path]))
        _write_lines(out / f"recordings_{name}.jsonl.gz", recordings)
        supervisions = (_supervision(u, ids[u.path]) for u in utterances)
        _write_lines(out / f"supervisions_{name}.jsonl.gz", supervisions)


def _recording(utterance: ExportableUtterance, id: str) -> dict[str, Any]:
    info = utterance.info
    channels = [*range(info.channels)]
    return {
        "id": id,
        "sources": [{"type": "file", "channels": channels, "source": str(utterance.path)}],
        "sampling_rate": info.sample_rate,
        "num_samples": info.frames,
        "duration": info.duration,
        "channel_ids": channels,
    }


def _supervision(utterance: ExportableUtterance, recording: str) -> dict[str, Any]:
    channels = utterance.channels
    values = {
        "id": utterance.id,
        "recording_id": recording,
        "start": round(utterance.start, 8),
        "duration": round(utterance.duration, 8),
        "channel": channels[0] if len(channels) == 1 else channels,
        "text": utterance.text,
        "language": utterance.language,
        "speaker": utterance.speaker,
    }
    return {key: value for key, value in values.items() if value is not None}


def _write_lines(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    # No time of writing: the same manifest gives the same bytes.
    with (
        atomic_write(path, binary=True) as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed,
    ):
        for line in lines:
            packed.write(json_line(line).encode())
