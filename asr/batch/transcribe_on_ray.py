"""`transcribe_on_ray`: a batch on the machines of a Ray cluster."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from types import ModuleType
from typing import Any, get_args

from asr.base.files import json_line
from asr.base.interrupts import Stopped, stoppable
from asr.base.progress import track
from asr.base.provenance import git_commit, repeat_command, this_command
from asr.base.ray_cluster import import_ray, ray_cluster
from asr.batch.find_shards import find_shard_recordings
from asr.batch.outputs import ERRORS, SUMMARY
from asr.batch.shards import (
    LEDGER_FOLDER,
    Shard,
    ShardFormat,
    ShardResult,
    ShardSettings,
    ShardWorker,
    make_shards,
)
from asr.batch.transcribe_files import Totals
from asr.batch.uris import OutputStore, is_uri
from asr.batch.workers import Transcriber
from asr.errors import ConfigError, OutputError, ServerError, WorkerError
from asr.results import Failure

WORKER_CPUS = 1.0
"""Default number of processors of a worker."""
SHARD_SIZE = 64
"""Default number of recordings of a shard."""
SHOWN = 50
"""Failures that are printed; all of them are in the error files."""


@dataclass(frozen=True)
class RayJob:
    """Settings of one call of `transcribe_on_ray`.

    Attributes:
        transcriber: model, decoding and channels. The model must be a shipped one, or in a folder
            that every machine has.
        out: output folder: a path that every machine has, or a URI.
        format: jsonl or parquet.
        address: "auto" for the cluster that this machine belongs to, or a new one on this machine;
            "local" for a new one; or HOST:PORT or ray://HOST:PORT.
        workers: largest number of workers; None for as many as the cluster has processors for.
        worker_cpus: processors of each worker.
        shard_size: recordings per result file.
        resume: skip shards whose results are complete and up to date.

    Raises:
        ConfigError: a value is impossible.
    """

    transcriber: Transcriber
    out: str
    format: str = "jsonl"
    address: str = "auto"
    workers: int | None = None
    worker_cpus: float = WORKER_CPUS
    shard_size: int = SHARD_SIZE
    resume: bool = False

    def __post_init__(self) -> None:
        if self.format not in get_args(ShardFormat):
            raise ConfigError(f"--format {self.format}: with --ray, choose jsonl or parquet")
        if self.workers is not None and self.workers < 1:
            raise ConfigError(f"--workers must be 1 or more, found {self.workers}")
        if self.worker_cpus <= 0:
            raise ConfigError(f"--worker-cpus must be more than 0, found {self.worker_cpus}")
        if self.shard_size < 1:
            raise ConfigError(f"--shard-size must be 1 or more, found {self.shard_size}")
        if self.transcriber.split_channels and self.transcriber.channel is not None:
            raise ConfigError(
                "--channel uses one channel and --split-channels all of them: give one of the two"
            )


def transcribe_on_ray(paths: Sequence[str], job: RayJob) -> Totals:
    """Transcribe all recordings that `paths` name on a Ray cluster.

    The results are files part-NNNNN.jsonl (or .parquet) in the output folder, with the fields of
    the format jsonl; failures are in part-NNNNN.errors.jsonl. Failures and totals are printed on
    stderr.

    Args:
        paths: see `find_shard_recordings`.
        job: what to do with them.

    Raises:
        ConfigError: Ray is missing or its cluster cannot be reached, or the folder has results and
            `resume` is false.
        AsrError: the settings or the model are wrong.
        OutputError: a result cannot be written.
        ServerError: the model server does not answer.
        WorkerError: a shard ended with an unexpected error twice.
    """
    ray = import_ray()
    recordings, wrong = find_shard_recordings(paths)
    shards = make_shards(recordings, job.shard_size)
    out = job.out if is_uri(job.out) else os.path.abspath(job.out)
    store = OutputStore(out)
    _check_folder(store, job)
    totals = Totals(sum(len(s.recordings) for s in shards) + len(wrong), failed=len(wrong))
    settings = ShardSettings(
        job.transcriber.anywhere(),
        out,
        "parquet" if job.format == "parquet" else "jsonl",
        job.transcriber.results_key(job.format),
        job.resume,
        max(1, int(job.worker_cpus)),
    )
    failures = list(wrong)
    if wrong:
        store.write(ERRORS, "".join(json_line(f.to_dict()) for f in wrong).encode())
    else:
        store.remove(ERRORS)
    try:
        # In this order: Ray has a handler of its own.
        with ray_cluster(ray, job.address), stoppable():
            # Results may wait on their way, so the clock of the workers says when work began.
            began = math.inf
            with closing(finished_shards(ray, shards, settings, job)) as results:
                for result in track(results, len(shards), "transcribing"):
                    failures += _count(totals, result)
                    began = min(began, result.began)
                    totals.seconds = time.time() - began
    except Stopped as stop:
        totals.signal = stop.number
    except (OutputError, ServerError, WorkerError) as error:
        with suppress(OutputError):  # report the first error, not one that follows from it
            _report(store, totals, failures, job)
        done = totals.transcribed + totals.skipped
        raise type(error)(
            f"{error}; {done} of {totals.recordings} recordings are finished, --resume skips them"
        ) from None
    if not totals.signal:
        _remove_stale(store, len(shards))
    _report(store, totals, failures, job)
    return totals


def _count(totals: Totals, result: ShardResult) -> tuple[Failure, ...]:
    totals.failed += result.failed
    if result.skipped:
        totals.skipped += result.transcribed
    else:
        totals.transcribed += result.transcribed
        totals.audio_seconds += result.audio_seconds
    return result.failures


class _OfProcess:
    """The worker of a process of the cluster, which keeps its model from shard to shard."""

    worker: ShardWorker | None = None


def _work(shard: Shard, settings: ShardSettings) -> ShardResult:
    """What Ray calls in a process of the cluster."""
    if _OfProcess.worker is None or _OfProcess.worker.settings != settings:
        _OfProcess.worker = ShardWorker(settings)
    return _OfProcess.worker.work(shard)


def finished_shards(
    ray: ModuleType, shards: Sequence[Shard], settings: ShardSettings, job: RayJob
) -> Generator[ShardResult]:
    """The results of all shards, as they finish.

    Ray runs a shard again if its worker or its machine is lost. A shard that ends with an
    unexpected error is run once more, after all others.

    Raises:
        ConfigError: the cluster has too few processors for one worker.
        AsrError: see `ShardResult.error`.
        WorkerError: shards ended with an unexpected error twice.
    """
    if not _capacity(ray, job):
        cpus = ray.cluster_resources().get("CPU", 0.0)
        raise ConfigError(f"--worker-cpus {job.worker_cpus:g}: the cluster has {cpus:g} processors")
    work = ray.remote(num_cpus=job.worker_cpus, max_retries=-1)(_work)
    waiting = deque(shards)
    running: dict[Any, Shard] = {}
    first: dict[int, str] = {}  # the first error of a shard is the plainer one
    lost: list[str] = []
    try:
        while waiting or running:
            # A worker takes up the next shard at once if one waits in Ray's own queue. Shards in
            # that queue also make a cluster grow that can.
            most = job.workers or 2 * max(1, _capacity(ray, job))
            while waiting and len(running) < most:
                shard = waiting.popleft()
                running[work.remote(shard, settings)] = shard
            (done,), _ = ray.wait([*running], num_returns=1)
            shard = running.pop(done)
            try:
                result: ShardResult = ray.get(done)
            except ray.exceptions.RayError as error:
                if shard.number in first:
                    lost.append(first[shard.number])
                else:
                    cause = getattr(error, "cause", None) or error
                    text = " ".join(str(cause).split())
                    first[shard.number] = f"{shard.name} with {type(cause).__name__}: {text}"
                    waiting.append(shard)
                continue
            if result.error is not None:
                raise result.error
            yield result
    finally:
        for task in running:
            ray.cancel(task)
    if lost:
        raise WorkerError(
            f"{len(lost)} of {len(shards)} shards ended with an unexpected error, twice: this is a "
            f"bug in asr, or a machine lacks a package; {lost[-1]}"
        )


def _capacity(ray: ModuleType, job: RayJob) -> int:
    """How many workers the cluster has processors for, now."""
    return int(ray.cluster_resources().get("CPU", 0.0) / job.worker_cpus)


def _check_folder(store: OutputStore, job: RayJob) -> None:
    if not job.resume and any(name.startswith("part-") for name in store.names()):
        raise ConfigError(
            f"--out {job.out}: has results already: give --resume to skip those that are up to "
            "date, or another folder"
        )


def _remove_stale(store: OutputStore, shards: int) -> None:
    """Remove files of an earlier batch that had more shards, or another format."""
    kept: set[str] = set()
    for number in range(shards):
        record = json.loads(store.read(f"{LEDGER_FOLDER}/{Shard(number, ()).name}.json") or b"{}")
        kept |= {*record.get("files", ()), f"{Shard(number, ()).name}.json"}
    for folder in ("", f"{LEDGER_FOLDER}/"):
        for name in store.names(folder):
            if name.startswith("part-") and name not in kept:
                store.remove(f"{folder}{name}")


def _report(store: OutputStore, totals: Totals, failures: Sequence[Failure], job: RayJob) -> None:
    """Print failures and totals, and write summary.json."""
    for failure in failures[:SHOWN]:
        print("failed: " + failure.error.replace("\n", "\\n"), file=sys.stderr)
    if len(failures) > SHOWN:
        more = len(failures) - SHOWN
        print(f"failed: {more} more, in {store.uri}/part-*.errors.jsonl", file=sys.stderr)
    print(totals, file=sys.stderr)
    if totals.signal:
        print(f"to go on: {repeat_command('--resume')}", file=sys.stderr)
    record = {
        **asdict(totals),
        "rtf": totals.rtf,
        "model": job.transcriber.model,
        "format": job.format,
        "workers": job.workers,
        "worker_cpus": job.worker_cpus,
        "shard_size": job.shard_size,
        "ray": job.address,
        "command": this_command(),
        "commit": git_commit(),
    }
    store.write(SUMMARY, (json.dumps(record, indent=2) + "\n").encode())
