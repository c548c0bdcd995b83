"""The recordings of a batch on many machines: paths, manifests, Parquet files, and stores."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from asr.batch.shards import ShardRecording
from asr.batch.uris import download, is_uri, list_uris
from asr.data.arrow import import_pyarrow
from asr.data.in_memory import TemporaryRecording
from asr.data.inputs import RecordingRef, find_recordings
from asr.data.manifest import Utterance, is_manifest, read_manifest
from asr.errors import AsrError, ManifestError
from asr.results import Failure

PATH_COLUMNS = ("audio_filepath", "path", "file", "uri", "url")
"""Names of the column of a Parquet file with the recordings; the first one that it has is used."""
INSIDE_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/(?=[^/])")
"""Start of a URI that was taken for a relative path, which has single slashes."""


def find_shard_recordings(
    paths: Iterable[str],
) -> tuple[list[ShardRecording], list[Failure]]:
    """Find the recordings that the arguments of `asr transcribe --ray` name.

    Args:
        paths: what `find_recordings` takes, but no recording on stdin; URIs of files, folders, glob
            patterns and manifests; and Parquet files with a column of `PATH_COLUMNS`, and
            optionally `offset`, `duration` and `channel`.

    Returns:
        The recordings, and a failure for each argument that names none or cannot be read.
    """
    found: list[ShardRecording] = []
    failures: list[Failure] = []
    for item in paths:
        try:
            if item.lower().endswith(".parquet"):
                found += _listed(item, _read_parquet)
            elif is_uri(item) and is_manifest(item):
                found += _listed(item, read_manifest)
            elif is_uri(item):
                found += [ShardRecording(file.uri, file.uri) for file in list_uris(item)]
            elif is_manifest(item):
                found += _located(read_manifest(Path(item)), Path(item).parent, None)
            else:
                recordings, wrong = find_recordings([item], audio_on_stdin=False)
                found += [_whole(recording) for recording in recordings]
                failures += wrong
        except AsrError as error:
            failures.append(Failure(item, str(error)))
    return found, failures


def _whole(recording: RecordingRef) -> ShardRecording:
    assert not isinstance(recording, (Utterance, TemporaryRecording))
    return ShardRecording(str(recording), os.path.abspath(recording))


def _listed(item: str, read: Any) -> list[ShardRecording]:
    """The recordings of a list on a disk or in a store; its paths are relative to its folder."""
    if not is_uri(item):
        return _located(read(Path(item)), Path(item).parent, None)
    with tempfile.TemporaryDirectory(prefix="asr-") as folder:
        copy = Path(folder, item.rpartition("/")[2])
        download(item, copy)
        try:
            return _located(read(copy), copy.parent, item.rpartition("/")[0])
        except ManifestError as error:
            raise ManifestError(str(error).replace(str(copy), item)) from None


def _located(
    utterances: Iterable[Utterance], folder: Path, base: str | None
) -> list[ShardRecording]:
    """The recordings of a list.

    Args:
        utterances: its lines, with relative paths joined to `folder`.
        folder: folder of the list on this machine.
        base: URI of the folder; None for the folder itself.
    """
    found = []
    for utterance in utterances:
        path = utterance.path
        inside = str(path.relative_to(folder)) if path.is_relative_to(folder) else None
        if inside is not None and (scheme := INSIDE_URI.match(inside)):
            name = f"{scheme[1]}://{inside[scheme.end() :]}"
        elif inside is not None and base is not None:
            name = f"{base}/{inside}"
        else:
            name = str(path)
        location = name if is_uri(name) else os.path.abspath(name)
        bare = Utterance(utterance.text, 0.0, path)
        whole = replace(utterance, duration=0.0, speaker=None, id=None) == bare
        line = None if whole and not utterance.duration else utterance
        found.append(ShardRecording(name, location, line))
    return found


def _read_parquet(path: Path) -> list[Utterance]:
    """The rows of a Parquet file as lines of a manifest."""
    pyarrow = import_pyarrow()
    try:
        table = pyarrow.parquet.read_table(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise ManifestError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None
    column = next((name for name in PATH_COLUMNS if name in table.column_names), None)
    if column is None:
        raise ManifestError(
            f"{path}: no column with paths; it has {', '.join(table.column_names)}: rename one to "
            f"{PATH_COLUMNS[0]}"
        )
    keys = [k for k in ("offset", "duration", "channel") if k in table.column_names]
    found = []
    for number, row in enumerate(table.select([column, *keys]).to_pylist(), 1):
        name = row[column]
        if not isinstance(name, str) or not name:
            raise ManifestError(f"{path}, row {number}: {column}: expected a path, found {name!r}")
        offset, duration, channel = (row.get(k) for k in ("offset", "duration", "channel"))
        found.append(
            Utterance("", duration or 0.0, path.parent / name, offset=offset, channel=channel)
        )
    return found
