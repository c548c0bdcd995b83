"""A Hugging Face dataset on disk: a folder of `save_to_disk`, or Parquet files."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from asr.audio.writing import write_audio
from asr.base.files import atomic_write
from asr.data.arrow import import_pyarrow
from asr.data.corpora.common import CorpusRecordings, find_near, into_splits, stored_audio
from asr.data.manifest import Utterance
from asr.errors import ManifestError, explain

AUDIO = ("audio", "file", "audio_filepath", "path", "file_name")
TEXTS = (
    *("text", "sentence", "transcription", "transcript", "normalized_text"),
    *("raw_text", "raw_transcription"),
)
SPEAKERS = ("speaker", "speaker_id", "client_id")
IDS = ("id", "utterance_id", "utt_id", "audio_id", "segment_id")
LANGUAGES = ("language", "lang", "locale")
"""Names of columns; the first one that a dataset has is used."""
PERSON = 16
"""Characters of a speaker's name that are kept: Common Voice has 128."""
BATCH = 32
"""Rows that are in memory at the same time."""
STARTS = {b"RIFF": ".wav", b"fLaC": ".flac", b"OggS": ".ogg", b"ID3": ".mp3", b"\xff": ".mp3"}
"""First bytes of audio → suffix of its file."""


@dataclass(frozen=True)
class DatasetColumns:
    """The columns of a dataset that are read; None for those that it lacks.

    Attributes:
        audio, text, id, speaker, language: names of columns.
        labels: column of class labels → their names.
    """

    audio: str
    text: str
    id: str | None
    speaker: str | None
    language: str | None
    labels: Mapping[str, list[str]]


class DatasetRow(NamedTuple):
    """A row, and its file and number for messages."""

    where: str
    folder: Path
    values: dict[str, Any]


def prepare(source: Path, out: Path, skipped: list[str]) -> dict[str, list[Utterance]]:
    """Read the datasets of a folder, or one Parquet file.

    Audio that is inside the dataset is written to files in `out`/audio; audio that the dataset has
    as paths is read where it lies. The names of splits, files and folders tell the splits, and the
    utterances of others are divided 90/5/5 by position.
    """
    datasets = _find(source)
    if not datasets:
        raise ManifestError(
            f"{source}: no dataset; expected state.json or dataset_dict.json of save_to_disk, or "
            "*.parquet"
        )
    recordings = CorpusRecordings(skipped)
    sets = {
        name: _read(name, files, out, recordings, skipped)
        for name, files in sorted(datasets.items())
    }
    counts = Counter(u.id for utterances in sets.values() for u in utterances if u.id is not None)
    repeated = next((id for id, count in counts.items() if count > 1), None)
    if repeated is not None:
        skipped.append(f"{source}: the ids: they are no names of utterances, as {repeated} repeats")
        sets = {name: [replace(u, id=None) for u in found] for name, found in sets.items()}
    return into_splits(sets)


def _find(source: Path) -> dict[str, list[Path]]:
    """The data files of each dataset, by a name that tells the split."""
    if source.is_file():
        return {source.stem: [source]} if source.suffix == ".parquet" else {}
    states = [path.parent for path in sorted(source.rglob("state.json"))]
    found: dict[str, list[Path]] = {}
    for folder in states:
        try:
            state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
            names = [entry["filename"] for entry in state["_data_files"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ManifestError(
                f"{folder / 'state.json'}: not the state of a dataset: {explain(error)}"
            ) from None
        name = folder.absolute().name if folder == source else str(folder.relative_to(source))
        found[name] = [folder / name for name in names]
    if not states:
        for path in sorted(source.rglob("*.parquet")):
            name = re.sub(r"(-\d+)*(-of-\d+)?$", "", path.stem)
            place = path.parent.relative_to(source)
            found.setdefault(str(place / name), []).append(path)
    return found


def _read(
    name: str,
    files: list[Path],
    out: Path,
    recordings: CorpusRecordings,
    skipped: list[str],
) -> list[Utterance]:
    found: list[Utterance] = []
    columns: DatasetColumns | None = None
    number = 0
    set_name = name.replace("/", "-")
    for path in files:
        for schema, row in _rows(path):
            columns = columns or _columns(schema, path)
            try:
                audio = _audio(row, columns, stored_audio(out, set_name, number, "audio"))
            except (ManifestError, OSError) as error:
                skipped.append(f"{row.where}: {explain(error)}")
                audio = None
            number += 1
            if audio is None:
                continue
            text, id, speaker, language = (
                _value(row, columns, column)
                for column in (columns.text, columns.id, columns.speaker, columns.language)
            )
            utterance = recordings.utterance(
                row.where,
                audio,
                text or "",
                (speaker or "")[:PERSON] or None,
                language=language or None,
            )
            if utterance is not None:
                found.append(replace(utterance, id=id or None))
    return found


def _rows(path: Path) -> Iterator[tuple[Any, DatasetRow]]:
    """The schema and each row of a file.

    Raises:
        ManifestError: the file cannot be read.
    """
    pyarrow = import_pyarrow()
    number = 0
    try:
        if path.suffix == ".parquet":
            file = pyarrow.parquet.ParquetFile(path)
            schema, batches = file.schema_arrow, file.iter_batches(BATCH)
        else:
            # Memory-mapped: a batch on disk may have a thousand rows of audio.
            reader = pyarrow.ipc.open_stream(pyarrow.memory_map(str(path)))
            schema, batches = reader.schema, iter(reader)
        for batch in batches:
            for start in range(0, batch.num_rows, BATCH):
                for values in batch.slice(start, BATCH).to_pylist():
                    number += 1
                    yield schema, DatasetRow(f"{path}, row {number}", path.parent, values)
    except (OSError, pyarrow.ArrowException) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ManifestError(f"{path}: cannot be read after row {number}: {text}") from None


def _columns(schema: Any, path: Path) -> DatasetColumns:
    """The columns that are read.

    Raises:
        ManifestError: the audio or the text is missing.
    """
    names = list(schema.names)
    features: Any = {}
    with suppress(KeyError, ValueError, TypeError):  # a Parquet file of another program
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    kinds = {n: f.get("_type") for n, f in features.items() if isinstance(f, dict)}

    def first(candidates: tuple[str, ...]) -> str | None:
        return next((name for name in candidates if name in names), None)

    typed = [name for name in names if kinds.get(name) == "Audio"]
    audio = first(AUDIO[:1]) or (typed[0] if len(typed) == 1 else None) or first(AUDIO)
    text = first(TEXTS)
    for column, candidates, what in ((audio, AUDIO, "audio"), (text, TEXTS, "texts")):
        if column is None:
            raise ManifestError(
                f"{path}: no column with {what}; it has {', '.join(names)}: rename one "
                f"(Dataset.rename_column) to {candidates[0]}"
            )
    labels = {n: features[n]["names"] for n, kind in kinds.items() if kind == "ClassLabel"}
    assert audio is not None and text is not None
    return DatasetColumns(audio, text, first(IDS), first(SPEAKERS), first(LANGUAGES), labels)


def _value(row: DatasetRow, columns: DatasetColumns, column: str | None) -> str | None:
    value = None if column is None else row.values[column]
    if value is None or column is None:
        return None
    if isinstance(value, int) and column in columns.labels:
        names = columns.labels[column]
        return names[value] if 0 <= value < len(names) else None
    return str(value)


def _audio(row: DatasetRow, columns: DatasetColumns, target: Path) -> Path:
    """The file with the audio of a row; bytes and samples are written to `target` with a suffix.

    Raises:
        ManifestError: the row has no audio.
        OSError: the file cannot be written.
    """
    value = row.values[columns.audio]
    if row.values.get("offset"):
        raise ManifestError(
            f"offset: segments of recordings are not read from datasets; {columns.audio} must have "
            "the audio of the utterance alone"
        )
    fields = value if isinstance(value, dict) else {}
    data = value if isinstance(value, bytes) else fields.get("bytes")
    name = value if isinstance(value, str) else fields.get("path")
    if data:
        suffix = Path(name or "").suffix
        if not suffix:
            suffix = next((s for start, s in STARTS.items() if data.startswith(start)), ".wav")
        target = target.with_name(f"{target.name}{suffix}")
        with atomic_write(target, binary=True) as file:
            file.write(data)
        return target
    if fields.get("array") is not None and fields.get("sampling_rate"):
        target = target.with_name(f"{target.name}.wav")
        samples = np.asarray(fields["array"], np.float32)
        if samples.ndim != 1:
            raise ManifestError(f"{columns.audio}: expected the samples of one channel")
        write_audio(target, samples, int(fields["sampling_rate"]), "FLOAT")
        return target
    if not name:
        raise ManifestError(f"{columns.audio}: no audio")
    if "://" in name:
        raise ManifestError(f"{name}: is not on disk; download the audio into the dataset first")
    return find_near(name, row.folder)
