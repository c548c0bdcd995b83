"""Datasets of Hugging Face, as `Dataset.save_to_disk` writes them."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import soundfile

from asr.audio.segments import read_segment
from asr.base.files import atomic_write
from asr.data.arrow import import_pyarrow
from asr.data.exports.exportable import ExportableUtterance

SHARD_BYTES = 500_000_000
"""Audio of one file of the dataset; Hugging Face's default is the same."""
BATCH_BYTES = 64_000_000
"""Audio that is in memory at the same time."""
VALUES = {
    "text": "string",
    "id": "string",
    "speaker": "string",
    "language": "string",
    "duration": "float64",
}
"""Columns beside the audio → their types."""
FEATURES = {
    "audio": {"_type": "Audio"},
    **{name: {"dtype": dtype, "_type": "Value"} for name, dtype in VALUES.items()},
}
SPLIT = re.compile(r"\w+(\.\w+)*")
"""A name that Hugging Face takes for a split."""


def write(sets: Mapping[str, Sequence[ExportableUtterance]], out: Path, notes: list[str]) -> None:
    """Write a dataset with one split per set.

    The audio is inside: the bytes of a file if the utterance is the whole of it, else the segment
    and the channel as FLAC at the recording's own sample rate.
    """
    for name, utterances in sets.items():
        _write_dataset(out / name, name, utterances)
    with atomic_write(out / "dataset_dict.json") as file:
        json.dump({"splits": list(sets)}, file)


def _write_dataset(folder: Path, name: str, utterances: Sequence[ExportableUtterance]) -> None:
    pyarrow = import_pyarrow()
    kinds = {"string": pyarrow.string(), "float64": pyarrow.float64()}
    audio = pyarrow.struct({"bytes": pyarrow.binary(), "path": pyarrow.string()})
    metadata = {"huggingface": json.dumps({"info": {"features": FEATURES}})}
    schema = pyarrow.schema(
        {"audio": audio, **{column: kinds[dtype] for column, dtype in VALUES.items()}}, metadata
    )
    files: list[str] = []
    fingerprint = hashlib.sha256()
    waiting = list(reversed(utterances))
    while waiting:
        files.append(f"data-{len(files):05}.arrow")
        with (
            atomic_write(folder / files[-1], binary=True) as file,
            pyarrow.ipc.new_stream(file, schema) as writer,
        ):
            written = 0
            while waiting and written < SHARD_BYTES:
                rows: list[dict[str, Any]] = []
                held = 0
                while waiting and held < BATCH_BYTES:
                    rows.append(_row(waiting.pop()))
                    data = rows[-1]["audio"]["bytes"]
                    held += len(data)
                    fingerprint.update(hashlib.sha256(data).digest())
                    fingerprint.update(json.dumps([rows[-1][c] for c in VALUES]).encode())
                writer.write_batch(pyarrow.RecordBatch.from_pylist(rows, schema))
                written += held
    split = name if SPLIT.fullmatch(name) else None
    state: dict[str, Any] = {
        "_data_files": [{"filename": file} for file in files],
        "_fingerprint": fingerprint.hexdigest()[:16],
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": split,
    }
    for file_name, values in (("dataset_info.json", {"features": FEATURES}), ("state.json", state)):
        with atomic_write(folder / file_name) as text:
            json.dump(values, text, indent=2)


def _row(utterance: ExportableUtterance) -> dict[str, Any]:
    mix = utterance.channel is None
    path = utterance.path
    if utterance.whole and mix:
        data, suffix = path.read_bytes(), path.suffix
    else:
        data, suffix = _cut(utterance), ".flac"
    return {
        "audio": {"bytes": data, "path": f"{utterance.id.replace('/', '_')}{suffix}"},
        "text": utterance.text,
        "id": utterance.id,
        "speaker": utterance.speaker,
        "language": utterance.language,
        "duration": utterance.duration,
    }


def _cut(utterance: ExportableUtterance) -> bytes:
    """The segment and channel of an utterance as a FLAC file."""
    info = utterance.info
    samples = read_segment(
        info.path, info.sample_rate, utterance.channel, utterance.start, utterance.duration
    )
    # The samples of one channel of 16 bits stay what they are; a mix needs more bits.
    exact = info.subtype == "PCM_16" and len(utterance.channels) == 1
    file = io.BytesIO()
    soundfile.write(file, samples, info.sample_rate, "PCM_16" if exact else "PCM_24", format="FLAC")
    return file.getvalue()
