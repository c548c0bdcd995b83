"""Shards: some recordings whose results are one file, written by any worker on any machine.

The names of a shard's files depend on its number alone, and its results on its recordings alone. A
shard that is transcribed twice, because a worker or its machine was lost, has its files replaced by
the same ones.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from asr.base.files import json_line
from asr.batch.ledger import digest
from asr.batch.uris import OutputStore, download, is_uri, mark_of
from asr.batch.workers import Outcome, Transcriber, WorkUnit, make_units, run_workers
from asr.data.arrow import import_pyarrow
from asr.data.inputs import RecordingRef, duration_and_channels
from asr.data.manifest import Utterance
from asr.errors import AsrError, AudioError
from asr.formats.writers import find_writer
from asr.results import Failure, Transcript

if TYPE_CHECKING:
    from asr.recognizer import Recognizer

ShardFormat = Literal["jsonl", "parquet"]
LEDGER_FOLDER = ".asr-batch"
"""Folder in the output for the records of finished shards."""


@dataclass(frozen=True)
class ShardRecording:
    """A recording or a segment of one.

    Attributes:
        name: path or URI as the caller gave it, for results and messages.
        location: absolute path or URI, which is the same on all machines.
        line: the line of a manifest; None for a recording as a whole.
    """

    name: str
    location: str
    line: Utterance | None = None


@dataclass(frozen=True)
class Shard:
    """Recordings whose results are one file.

    Attributes:
        number: position among all shards, from 0.
        recordings: the recordings, in the order of the batch.
    """

    number: int
    recordings: tuple[ShardRecording, ...]

    @property
    def name(self) -> str:
        """Name of its files without suffix, such as part-00007."""
        return f"part-{self.number:05}"


@dataclass(frozen=True)
class ShardResult:
    """What became of a shard.

    Attributes:
        number: the shard.
        transcribed: recordings that have all their results.
        failed: recordings that lack a result.
        skipped: whether its results were complete before.
        audio_seconds: length of the audio that was transcribed.
        began: when its worker had the model and began, in seconds since 1970.
        failures: the failures.
        error: why no shard can be transcribed, such as a damaged model; None for none.
    """

    number: int
    transcribed: int = 0
    failed: int = 0
    skipped: bool = False
    audio_seconds: float = 0.0
    began: float = 0.0
    failures: tuple[Failure, ...] = ()
    error: AsrError | None = None


@dataclass(frozen=True)
class ShardSettings:
    """What a worker needs to know.

    Attributes:
        transcriber: model, decoding and channels.
        out: path or URI of the output folder.
        format: format of the results.
        key: `Transcriber.results_key`.
        resume: skip shards whose results are complete and up to date.
        threads: number of threads of the runtime.
    """

    transcriber: Transcriber
    out: str
    format: ShardFormat
    key: str
    resume: bool
    threads: int = 1


def make_shards(recordings: Iterable[ShardRecording], size: int) -> list[Shard]:
    """Divide recordings into shards, in their order; a recording that comes again is left out."""
    every = list(dict.fromkeys(recordings))
    starts = range(0, len(every), size)
    return [Shard(i, tuple(every[s : s + size])) for i, s in enumerate(starts)]


class ShardWorker:
    """Transcribes shards and writes their results. The model is loaded once, with the first one.

    Args:
        settings: what to do.
    """

    def __init__(self, settings: ShardSettings) -> None:
        self.settings = settings
        self.store = OutputStore(settings.out)
        self._recognizer: Recognizer | None = None
        self._began = 0.0

    def work(self, shard: Shard) -> ShardResult:
        """Transcribe a shard, unless its results are complete.

        An error that every shard would meet is in the result.
        """
        self._began = time.time()
        try:
            result = self._work(shard)
        except AsrError as error:
            result = ShardResult(shard.number, error=error)
        return replace(result, began=self._began)

    def _work(self, shard: Shard) -> ShardResult:
        inputs = _inputs_digest(shard)
        record = self._record(shard)
        if self.settings.resume and self._is_complete(record, inputs):
            return replace(_recorded(shard, record), skipped=True)
        # A record that is there while its shard is transcribed has the key "": a worker that finds
        # it follows one that died, perhaps of a recording. So may a shard that was not final.
        retried = record.get("key") == "" or record.get("final") is False
        self._write_record(shard, {"key": ""})
        with tempfile.TemporaryDirectory(prefix="asr-", ignore_cleanup_errors=True) as folder:
            local = _Local(shard, Path(folder))
            outcomes = local.with_names(self._transcribe(local.units(), retried))
            outcomes += local.unread
        return self._write(shard, sorted(outcomes, key=lambda outcome: outcome.index), inputs)

    def _transcribe(self, units: Sequence[WorkUnit], retried: bool) -> list[Outcome]:
        transcriber = self.settings.transcriber
        if retried:
            # In a process of its own, a recording that crashes it is found and named.
            batches = run_workers(1, transcriber, units, lambda: None)
            return [outcome for outcomes in batches for outcome in outcomes]
        if self._recognizer is None and units:
            self._recognizer = transcriber.load(self.settings.threads)
            self._began = time.time()
        found: list[Outcome] = []
        for unit in units:
            assert self._recognizer is not None
            found += transcriber.transcribe(self._recognizer, unit)
        return found

    def _record(self, shard: Shard) -> dict[str, Any]:
        try:
            record = json.loads(self.store.read(f"{LEDGER_FOLDER}/{shard.name}.json") or b"{}")
        except ValueError:
            return {}
        return record if isinstance(record, dict) else {}

    def _is_complete(self, record: dict[str, Any], inputs: str) -> bool:
        return (
            record.get("key") == self.settings.key
            and record.get("inputs") == inputs
            and bool(record.get("final"))
            and all(self.store.exists(name) for name in record.get("files", ()))
        )

    def _write_record(self, shard: Shard, record: dict[str, Any]) -> None:
        data = json.dumps(record).encode()
        self.store.write(f"{LEDGER_FOLDER}/{shard.name}.json", data)

    def _write(self, shard: Shard, outcomes: Sequence[Outcome], inputs: str) -> ShardResult:
        results = [result for outcome in outcomes for result in outcome.results]
        transcripts = [result for result in results if isinstance(result, Transcript)]
        failures = tuple(result for result in results if isinstance(result, Failure))
        failed = sum(any(isinstance(r, Failure) for r in o.results) for o in outcomes)
        lengths = [
            max((r.duration for r in o.results if isinstance(r, Transcript)), default=0.0)
            for o in outcomes
        ]
        name = f"{shard.name}.{self.settings.format}"
        errors = f"{shard.name}.errors.jsonl"
        self.store.write(name, _encode(transcripts, self.settings.format))
        if failures:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            rows = (json_line({**failure.to_dict(), "time": now}) for failure in failures)
            self.store.write(errors, "".join(rows).encode())
        else:
            self.store.remove(errors)
        record = {
            "key": self.settings.key,
            "inputs": inputs,
            "files": [name, errors] if failures else [name],
            "transcribed": len(outcomes) - failed,
            "failed": failed,
            "audio_seconds": sum(lengths),
            # What failed for a reason of its own content fails again; a lost connection, a dead
            # worker or a bug may not.
            "final": not any(f.traceback or _may_pass(f) for f in failures),
        }
        self._write_record(shard, record)
        return replace(_recorded(shard, record), failures=failures)


def _recorded(shard: Shard, record: dict[str, Any]) -> ShardResult:
    return ShardResult(
        shard.number,
        int(record["transcribed"]),
        int(record["failed"]),
        audio_seconds=float(record["audio_seconds"]),
    )


def _may_pass(failure: Failure) -> bool:
    return "worker processes died" in failure.error or failure.error.startswith(UNREAD)


UNREAD = "cannot be fetched: "
"""Start of the message of a recording that a store did not give."""


class _Local:
    """The recordings of a shard as files of this machine."""

    def __init__(self, shard: Shard, folder: Path) -> None:
        self.unread: list[Outcome] = []
        self._recordings: list[tuple[int, RecordingRef]] = []
        self._names: dict[int, tuple[str, str]] = {}
        fetched: dict[str, str | AudioError] = {}
        for i, recording in enumerate(shard.recordings):
            location = recording.location
            if is_uri(location):
                if location not in fetched:
                    fetched[location] = _fetch(location, folder, len(fetched))
                path = fetched[location]
                if isinstance(path, AudioError):
                    failure = Failure(recording.name, f"{UNREAD}{path}")
                    self.unread.append(Outcome(i, (failure,)))
                    continue
            else:
                path = location
            ref: RecordingRef = path
            if recording.line is not None:
                if recording.line.audio_filepath is None:
                    ref = replace(recording.line, feature_filepath=Path(path))
                else:
                    ref = replace(recording.line, audio_filepath=Path(path))
            self._names[i] = (path, recording.name)
            self._recordings.append((i, ref))

    def units(self) -> list[WorkUnit]:
        """The work units; positions are those in the shard."""
        units = make_units(
            (ref, duration_and_channels(ref).duration) for _, ref in self._recordings
        )
        positions = [i for i, _ in self._recordings]
        return [
            WorkUnit(tuple(r._replace(position=positions[r.position]) for r in unit.recordings))
            for unit in units
        ]

    def with_names(self, outcomes: Iterable[Outcome]) -> list[Outcome]:
        """The outcomes with the names that the caller gave instead of local paths."""
        return [
            replace(o, results=tuple(_renamed(r, *self._names[o.index]) for r in o.results))
            for o in outcomes
        ]


def _fetch(uri: str, folder: Path, number: int) -> str | AudioError:
    target = folder / f"{number}{Path(uri).suffix}"
    try:
        download(uri, target)
    except AudioError as error:
        return error
    return str(target)


def _renamed(result: Transcript | Failure, path: str, name: str) -> Transcript | Failure:
    if isinstance(result, Failure):
        return replace(result, audio_filepath=name, error=result.error.replace(path, name))
    warnings = tuple(warning.replace(path, name) for warning in result.warnings)
    return replace(result, audio_filepath=name, warnings=warnings)


def _inputs_digest(shard: Shard) -> str:
    """SHA-256 of the names, the segments and the content of a shard's recordings."""
    marks: dict[str, str] = {}
    total = hashlib.sha256()
    for recording in shard.recordings:
        location = recording.location
        if location not in marks:
            marks[location] = mark_of(location) if is_uri(location) else digest(Path(location))
        line = recording.line and [str(v) for v in dataclasses.astuple(recording.line)]
        total.update(json.dumps([recording.name, line, marks[location]]).encode())
    return total.hexdigest()


def _encode(transcripts: Sequence[Transcript], format: ShardFormat) -> bytes:
    """The lines that the format jsonl has, as they are or as the rows of a Parquet file."""
    lines = list(find_writer("jsonl").write(transcripts))
    if format == "jsonl":
        return "".join(lines).encode()
    pyarrow = import_pyarrow()
    text, number = pyarrow.string(), pyarrow.float64()
    word = {"text": text, "start": number, "end": number, "confidence": number}
    alternative = {"text": text, "score": number}
    schema = pyarrow.schema(
        {
            "audio_filepath": text,
            "text": text,
            "score": number,
            "duration": number,
            "words": pyarrow.list_(pyarrow.struct(word)),
            "channel": pyarrow.int64(),
            "alternatives": pyarrow.list_(pyarrow.struct(alternative)),
            "offset": number,
            "warnings": pyarrow.list_(text),
        }
    )
    file = io.BytesIO()
    table = pyarrow.Table.from_pylist([json.loads(line) for line in lines], schema)
    pyarrow.parquet.write_table(table, file, compression="zstd")
    return file.getvalue()
