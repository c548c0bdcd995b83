"""Manifests of Lhotse: recordings with supervisions, or cuts, as JSONL."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from asr.base.config import describe_problems
from asr.base.units import Seconds
from asr.data.corpora.common import ALL_CHANNELS, CorpusRecordings, find_near, into_splits
from asr.data.corpora.kaldi_pipes import parse_pipe
from asr.data.manifest import Utterance
from asr.errors import ManifestError, reason

KIND = re.compile(r"recordings|supervisions|cuts")
"""Part of a file's name that tells what is in it."""
SUFFIXES = (".jsonl", ".jsonl.gz")
WHOLE: Seconds = 1e-6
"""A supervision that lacks at most this much of its recording is the whole recording."""


class LhotseSource(BaseModel):
    """Where channels of a recording are."""

    model_config = ConfigDict(extra="ignore")

    type: str
    channels: list[int]
    source: Any = None


class LhotseRecording(BaseModel):
    """A recording."""

    model_config = ConfigDict(extra="ignore")

    id: str
    sources: list[LhotseSource]
    duration: float
    transforms: list[Any] | None = None


class LhotseSupervision(BaseModel):
    """A segment with a text; `start` counts from the start of the recording, or of the cut."""

    model_config = ConfigDict(extra="ignore")

    id: str
    recording_id: str
    start: float
    duration: float
    channel: int | list[int] = 0
    text: str | None = None
    language: str | None = None
    speaker: str | None = None


class LhotseCut(BaseModel):
    """A cut of one recording."""

    model_config = ConfigDict(extra="ignore")

    type: Annotated[Literal["MonoCut", "MultiCut", "Cut"], Field()]
    id: str
    start: float
    supervisions: list[LhotseSupervision] = []
    recording: LhotseRecording


class LhotseLine(NamedTuple):
    """A line of a file, and its place for messages."""

    where: str
    folder: Path
    values: Any


class LocatedRecording(NamedTuple):
    """A recording, and the folder of the file that lists it."""

    recording: LhotseRecording
    folder: Path


def prepare(source: Path, out: Path, skipped: list[str]) -> dict[str, list[Utterance]]:
    """Read a file of cuts, or a folder with recordings and supervisions, or with cuts.

    Each supervision with a text is an utterance. The name of a file or of its folder tells the
    split, as in corpus_supervisions_train.jsonl.gz; other sets are divided 90/5/5 by position.
    """
    files = [source] if source.is_file() else sorted(source.rglob("*.json*"))
    groups: dict[tuple[Path, str], dict[str, Path]] = defaultdict(dict)
    for path in files:
        kind = KIND.search(path.name)
        if path.name.endswith(SUFFIXES) and kind is not None:
            groups[path.parent, KIND.sub("", path.name, count=1)][kind[0]] = path
    if source.is_file() and not any("cuts" in kinds for kinds in groups.values()):
        raise ManifestError(
            f"{source}: not a file of cuts; it must have cuts in its name and end in .jsonl or "
            ".jsonl.gz. Recordings and supervisions are read from their folder"
        )
    pairs = [k for k, kinds in groups.items() if {"recordings", "supervisions"} <= kinds.keys()]
    recordings = CorpusRecordings(skipped)
    sets: dict[str, list[Utterance]] = {}
    for key, kinds in sorted(groups.items()):
        name = f"{key[1].partition('.')[0]} {key[0].absolute().name}"
        if key in pairs:
            sets[name] = _read_pair(kinds["recordings"], kinds["supervisions"], recordings, skipped)
            kinds = {kind: path for kind, path in kinds.items() if kind == "cuts"}
        elif "cuts" in kinds and not pairs:
            sets[name] = _read_cuts(kinds.pop("cuts"), recordings, skipped)
        for unread, path in kinds.items():
            why = (
                "recordings with supervisions are" if unread == "cuts" else "its counterpart is not"
            )
            skipped.append(f"{path}: not read: {why} there")
    if not sets:
        raise ManifestError(
            f"{source}: no manifests of Lhotse; expected *recordings*.jsonl.gz with "
            "*supervisions*.jsonl.gz, or *cuts*.jsonl.gz"
        )
    return into_splits(sets)


def _read_pair(
    recordings_path: Path,
    supervisions_path: Path,
    recordings: CorpusRecordings,
    skipped: list[str],
) -> list[Utterance]:
    known: dict[str, LocatedRecording] = {}
    for line in _lines(recordings_path):
        try:
            recording = LhotseRecording.model_validate(line.values)
        except ValidationError as error:
            skipped.append(f"{line.where}: {describe_problems(error)}")
            continue
        if recording.id in known:
            skipped.append(f"{line.where}: {recording.id}: another recording has this id")
        else:
            known[recording.id] = LocatedRecording(recording, line.folder)
    found, used = [], set()
    for line in _lines(supervisions_path):
        try:
            supervision = LhotseSupervision.model_validate(line.values)
            if supervision.recording_id not in known:
                raise ManifestError(
                    f"{supervision.id}: no recording {supervision.recording_id} in "
                    f"{recordings_path}"
                )
            used.add(supervision.recording_id)
            utterance = _utterance(
                line.where, known[supervision.recording_id], supervision, 0.0, recordings
            )
        except ValidationError as error:
            skipped.append(f"{line.where}: {describe_problems(error)}")
        except ManifestError as error:
            skipped.append(f"{line.where}: {error}")
        else:
            found += [utterance] if utterance else []
    skipped += [
        f"{recordings_path}: recording {id}: no supervision" for id in known if id not in used
    ]
    return found


def _read_cuts(path: Path, recordings: CorpusRecordings, skipped: list[str]) -> list[Utterance]:
    found = []
    for line in _lines(path):
        try:
            cut = LhotseCut.model_validate(line.values)
        except ValidationError as error:
            skipped.append(f"{line.where}: {describe_problems(error)}")
            continue
        if not cut.supervisions:
            skipped.append(f"{line.where}: {cut.id}: no supervision")
        for supervision in cut.supervisions:
            located = LocatedRecording(cut.recording, line.folder)
            try:
                utterance = _utterance(line.where, located, supervision, cut.start, recordings)
            except ManifestError as error:
                skipped.append(f"{line.where}: {error}")
            else:
                found += [utterance] if utterance else []
    return found


def _utterance(
    where: str,
    located: LocatedRecording,
    supervision: LhotseSupervision,
    shift: Seconds,
    recordings: CorpusRecordings,
) -> Utterance | None:
    """The utterance of a supervision whose start counts from `shift` in the recording.

    Raises:
        ManifestError: the recording cannot be used.
    """
    recording, folder = located
    if recording.transforms:
        raise ManifestError(
            f"{recording.id}: the recording has transforms, which are not computed; save the audio "
            "with Lhotse (CutSet.save_audios)"
        )
    start = round(shift + supervision.start, 9)
    whole = abs(start) <= WHOLE and abs(supervision.duration - recording.duration) <= WHOLE
    channels = supervision.channel
    path, inside = _file(recording, [channels] if isinstance(channels, int) else channels, folder)
    return recordings.utterance(
        where,
        path,
        supervision.text or "",
        supervision.speaker,
        supervision.id,
        None if whole else start,
        None if whole else round(start + supervision.duration, 9),
        inside,
        supervision.language,
    )


def _file(
    recording: LhotseRecording, channels: list[int], folder: Path
) -> tuple[Path, tuple[int, ...]]:
    """The file with some channels of a recording, and their positions in it.

    Raises:
        ManifestError: no file has all of the channels.
    """
    for source in recording.sources:
        if set(channels) <= set(source.channels):
            break
    else:
        listed = [source.channels for source in recording.sources]
        raise ManifestError(
            f"{recording.id}: channels {channels}, but its files have the channels {listed}: an "
            "utterance has channels of one file"
        )
    inside = tuple(source.channels.index(channel) for channel in channels)
    if source.type == "command" and isinstance(source.source, str):
        pipe = parse_pipe(f"{source.source.rstrip().rstrip('|')} |")
        chosen = inside if pipe.channels is None else pipe.channels
        return find_near(pipe.file, folder), chosen
    if source.type != "file" or not isinstance(source.source, str):
        raise ManifestError(
            f"{recording.id}: its audio is of type {source.type!r}; only files on disk are read: "
            "save it with Lhotse (CutSet.save_audios)"
        )
    if set(inside) == set(range(len(source.channels))):
        inside = ALL_CHANNELS
    return find_near(source.source, folder), inside


def _lines(path: Path) -> Iterator[LhotseLine]:
    """The lines of a file.

    Raises:
        ManifestError: the file cannot be read, or a line is not JSON.
    """
    number = 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield LhotseLine(f"{path}, line {number}", path.parent, json.loads(line))
    except (OSError, EOFError, zlib.error) as error:
        raise ManifestError(f"{path}: cannot be read: {reason(error)}") from None
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{path}, line {number}: not JSON: {error}") from None
