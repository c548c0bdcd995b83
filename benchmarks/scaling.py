"""How `asr transcribe --ray` scales: measured with one and two workers, simulated beyond.

    python benchmarks/scaling.py [--files 400 --rtf 0.004 --file-ms 2 --json]
    python benchmarks/scaling.py --shard-ms 30 --driver-ms 10       # the simulation alone

Measures on this machine: the throughput of one and of two workers of a Ray cluster of its own on
short recordings, on the same ones (strong scaling) and on twice as many (weak scaling); what a
shard costs the driver and a worker beside its speech, with recordings that are not transcribed; and
what a recording costs the driver, with a manifest of 20,000.

Then simulates the archive of a call centre, by default a million recordings and 80,000 hours, with
1 to 4,096 workers. Each worker takes the next shard when it is free. The driver hands out one shard
at a time, and all workers share the bandwidth of the store: two queues, in which shards wait. The
processor time of speech is --rtf (core-seconds per second) and --file-ms per recording; take both
from benchmarks/cost_per_hour.py. The lengths of recordings are log-normal. The store's bandwidth is
an assumption (--store-gbit), not a measurement.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ray_workers import make_recordings

from asr.base.files import json_line
from asr.base.provenance import environment, git_commit
from asr.base.ray_cluster import import_ray
from asr.batch.find_shards import find_shard_recordings
from asr.batch.shards import make_shards
from asr.batch.transcribe_on_ray import RayJob, transcribe_on_ray
from asr.batch.workers import Outcome, Transcriber, WorkUnit
from asr.decoding.decoding_options import Decoding
from asr.results import Transcript

LISTED = 20_000
EMPTY_SHARDS = 100
WORKERS = (1, 2, 16, 128, 512, 1024, 2048, 4096)


@dataclass(frozen=True)
class NoTranscriber(Transcriber):
    """Gives empty texts without a model: what is left is the cost of a shard."""

    def load(self, threads: int = 0) -> Any:
        return self

    def transcribe(self, recognizer: Any, unit: WorkUnit, *rest: Any) -> list[Outcome]:
        return [
            Outcome(position, (Transcript("", 0.0, 0.2, (), str(recording)),))
            for position, recording in unit.recordings
        ]


class ShardCost(NamedTuple):
    """What a shard costs beside its speech, in seconds."""

    driver: float
    elapsed: float


def shard_cost() -> ShardCost:
    """Transcribe shards of one recording without a model, with one worker."""
    with tempfile.TemporaryDirectory() as folder:
        recordings = Path(folder, "recordings")
        recordings.mkdir()
        make_recordings(recordings, EMPTY_SHARDS, 0.2, 0.3)
        job = RayJob(NoTranscriber("en-small"), f"{folder}/out", workers=1, shard_size=1)
        transcribe_on_ray([str(next(recordings.iterdir()))], replace(job, out=f"{folder}/first"))
        started = time.process_time()
        totals = transcribe_on_ray([str(recordings)], job)
        driver = time.process_time() - started
        return ShardCost(driver / EMPTY_SHARDS, totals.seconds / EMPTY_SHARDS)


def listing_cost() -> tuple[float, float]:
    """Processor seconds and bytes that the driver needs for each recording of a manifest."""
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder, "list.jsonl")
        line = {"text": "", "duration": 288.0}
        names = (f"calls/2026/11/29/{i:08}.wav" for i in range(LISTED))
        manifest.write_text(
            "".join(json_line({"audio_filepath": name, **line}) for name in names), encoding="utf-8"
        )
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started = time.process_time()
        shards = make_shards(find_shard_recordings([str(manifest)])[0], 64)
        seconds = time.process_time() - started
        assert sum(len(shard.recordings) for shard in shards) == LISTED
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        return seconds / LISTED, 1024 * grown / LISTED


def warm_seconds(recordings: Sequence[Path], workers: int, shard_size: int) -> float:
    """Time from the first loaded model to the last result."""
    with tempfile.TemporaryDirectory() as folder:
        job = RayJob(
            Transcriber("en-small", Decoding(lm="none")),
            folder,
            workers=workers,
            shard_size=shard_size,
        )
        return transcribe_on_ray([str(path) for path in recordings], job).seconds


class Archive(NamedTuple):
    """An archive and the machines for it.

    Attributes:
        hours: length of each recording.
        shard_size: recordings per shard.
        cpu: core-seconds per hour of speech.
        file: core-seconds per recording.
        bytes: size of an hour of speech.
        driver: seconds of the driver per shard.
        shard: seconds of a worker per shard, beside the recordings.
        store: bytes per second that the store gives to all workers together.
    """

    hours: np.ndarray
    shard_size: int
    cpu: float
    file: float
    bytes: float
    driver: float
    shard: float
    store: float


class Simulated(NamedTuple):
    """A simulated batch: its hours, the share of the workers' time that is work, and how busy the
    driver and the store were."""

    hours: float
    efficiency: float
    driver: float
    store: float

    @property
    def limit(self) -> str:
        """What keeps more workers from being faster."""
        if self.efficiency > 0.9:
            return "nothing"
        busy = {"driver": self.driver, "store": self.store}
        most = max(busy, key=lambda name: busy[name])
        return most if busy[most] > 0.8 else "the last shards"


def simulate(archive: Archive, workers: int) -> Simulated:
    """Give the shards of an archive to workers, one after the other."""
    starts = range(0, len(archive.hours), archive.shard_size)
    lengths = np.add.reduceat(archive.hours, np.array(starts))
    counts = np.diff([*starts, len(archive.hours)])
    work = archive.shard + archive.file * counts + archive.cpu * lengths
    fetch = archive.bytes * lengths / archive.store
    free = [0.0] * workers
    driver = store = end = 0.0
    for seconds, fetching in zip(work.tolist(), fetch.tolist(), strict=True):
        driver = max(heapq.heappop(free), driver) + archive.driver
        store = max(driver, store) + fetching
        heapq.heappush(free, store + seconds)
        end = max(end, store + seconds)
    return Simulated(
        end / 3600,
        float(work.sum()) / (workers * end),
        len(work) * archive.driver / end,
        float(fetch.sum()) / end,
    )


def measure(files: int) -> dict[str, float]:
    """Measure with one and two workers of a Ray cluster on this machine."""
    ray = import_ray()
    ray.init(address="local", include_dashboard=False, logging_level="WARNING", log_to_driver=False)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        make_recordings(Path(folder), files)
        every = sorted(Path(folder).iterdir())
        size = max(1, files // 32)
        one, two = (warm_seconds(every, workers, size) for workers in (1, 2))
        half = warm_seconds(every[: files // 2], 1, size)
    shard = shard_cost()
    ray.shutdown()
    listing, listed_bytes = listing_cost()
    return {
        **{"files": files, "load": load, "one": one, "two": two, "half": half},
        **{"strong": one / two / 2, "weak": half / two},
        **{"driver_ms": 1000 * shard.driver, "shard_ms": 1000 * shard.elapsed},
        **{"listing_us": 1e6 * listing, "listing_bytes": listed_bytes},
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--files", type=int, default=400, help="recordings to measure with; default: %(default)s")
    add("--shard-ms", type=float, help="of a worker per shard; default: measure")
    add("--driver-ms", type=float, default=10.0, help="with --shard-ms; default: %(default)s")
    add("--rtf", type=float, default=0.004, help="default: %(default)s")
    add("--file-ms", type=float, default=2.0, help="core-ms per recording; default: %(default)s")
    add("--megabytes", type=float, default=57.6, help="of an hour; default: 8 kHz, 16 bit")
    add("--store-gbit", type=float, default=10.0, help="bandwidth of the store; default: 10")
    add("--archive-files", type=int, default=1_000_000, help="default: %(default)s")
    add("--archive-hours", type=float, default=80_000.0, help="default: %(default)s")
    add("--json", action="store_true", help="one JSON object on stdout")
    a = parser.parse_args()
    measured = None if a.shard_ms else measure(a.files)
    driver = measured["driver_ms"] if measured else a.driver_ms
    shard = measured["shard_ms"] if measured else a.shard_ms
    rng = np.random.default_rng(1)
    hours = rng.lognormal(0.0, 1.0, a.archive_files)
    hours *= a.archive_hours / hours.sum()
    base = Archive(
        hours, 64, 3600 * a.rtf, a.file_ms / 1000, 1e6 * a.megabytes, driver / 1000, shard / 1000,
        a.store_gbit * 1e9 / 8,
    )  # fmt: skip
    opus = base._replace(bytes=base.bytes / 10)
    variants = {
        "64 recordings a shard": base,
        "64 a shard, files of a tenth (Opus)": opus,
        "64 a shard, Opus, ten times the store": opus._replace(store=10 * base.store),
        "16 a shard, Opus, ten times the store": opus._replace(
            shard_size=16, store=10 * base.store
        ),
    }
    strong = {
        name: {workers: simulate(archive, workers) for workers in WORKERS}
        for name, archive in variants.items()
    }
    per_worker = max(1, a.archive_files // max(WORKERS))
    weak = {
        workers: simulate(
            opus._replace(hours=hours[: workers * per_worker], shard_size=16), workers
        )
        for workers in WORKERS
    }
    if a.json:
        record = {"measured": measured, "strong": strong, "weak": weak}
        print(json.dumps({**record, "commit": git_commit(), **environment()}))
        return
    if measured:
        print(
            f"measured, {a.files} files, load {measured['load']:.1f}: 1 worker "
            f"{measured['one']:.1f} s, 2 workers {measured['two']:.1f} s (strong scaling "
            f"{measured['strong']:.2f}), 1 worker on half of them {measured['half']:.1f} s (weak "
            f"scaling {measured['weak']:.2f})"
        )
        print(
            f"measured: a shard costs the driver {driver:.1f} core-ms and takes {shard:.1f} ms "
            f"without speech; a recording of a list costs the driver "
            f"{measured['listing_us']:.0f} core-us and {measured['listing_bytes']:.0f} bytes"
        )
    print(
        f"simulated: {a.archive_files} files, {a.archive_hours:.0f} h, {a.megabytes} MB an hour, "
        f"store {a.store_gbit:.0f} Gbit/s, RTF {a.rtf}, {a.file_ms} ms a file"
    )
    for name, runs in strong.items():
        print(f"strong scaling, {name}")
        for workers, run in runs.items():
            print(
                f"{workers:6} workers {run.hours:9.3f} h  efficiency {run.efficiency:4.0%}  "
                f"driver {run.driver:4.0%} busy  store {run.store:4.0%} busy  limit: {run.limit}"
            )
    print(f"weak scaling, 16 a shard, Opus, {per_worker} recordings a worker")
    for workers, run in weak.items():
        print(
            f"{workers:6} workers {run.hours:9.3f} h  efficiency {run.efficiency:4.0%}  "
            f"limit: {run.limit}"
        )


if __name__ == "__main__":
    main()
