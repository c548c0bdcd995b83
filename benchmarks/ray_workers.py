"""Speed of `asr transcribe --ray` relative to `--workers` on this machine, and memory of a worker.

    python benchmarks/ray_workers.py [--files 2000 --workers 2 --runs 1 --model en-small --json]
    python benchmarks/ray_workers.py --memory [--files 20000]

Cuts short recordings (0.8 to 2.8 s) out of tests/fixtures/goforward.wav, and transcribes them with
worker processes and with as many workers of a Ray cluster of its own, in turn, or, with --together,
at the same time. Prints two times of each: "whole" from start to exit, and "warm" from the first
loaded model to the last result; the processor seconds of all their processes, Ray's own ones
included, in the warm time; the speed of Ray relative to the processes; and whether all texts are
the same. On a machine that other programs use now more, now less, only the processor seconds of
--together are comparable.

With --memory, one worker of a Ray cluster transcribes recordings of 0.2 to 0.8 s. Prints its
resident memory after 2,000 of them and after all of them, and in how many processes the model was
loaded.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from asr.audio.reading import read_audio
from asr.audio.writing import write_audio
from asr.base.provenance import environment as machine
from asr.base.provenance import git_commit
from asr.batch.transcribe_on_ray import RayJob, transcribe_on_ray
from asr.batch.workers import Outcome, Transcriber, WorkUnit
from asr.decoding.decoding_options import Decoding
from asr.recognizer import Recognizer

SPEECH = Path(__file__).parents[1] / "tests" / "fixtures" / "goforward.wav"
RATE = 16_000
FEW = 2000


class BatchTimes(NamedTuple):
    """Times of one run in seconds, and its texts by recording. `processor` belongs to `warm`."""

    whole: float
    warm: float
    processor: float
    texts: dict[str, str]


def make_recordings(
    folder: Path, count: int, shortest: float = 0.8, longest: float = math.inf
) -> float:
    """Write recordings of speech of different lengths and loudness; returns their seconds.

    Args:
        folder: where to.
        count: how many.
        shortest: least length in seconds.
        longest: greatest length in seconds; that of goforward.wav if it is shorter.
    """
    speech, rng = read_audio(SPEECH, RATE), np.random.default_rng(0)
    most = int(min(longest * RATE, len(speech)))
    total = 0
    for i in range(count):
        length = int(rng.integers(int(shortest * RATE), most))
        start = int(rng.integers(0, len(speech) - length + 1))
        samples = speech[start : start + length] * rng.uniform(0.3, 1.0)
        write_audio(folder / f"{i:06}.wav", samples, RATE, "PCM_16")
        total += length
    return total / RATE


class ProcessorWatch(threading.Thread):
    """Adds up the processor seconds of a process and all below it, also of those that end.

    Args:
        root: process id.
    """

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.root = root
        self.ended = threading.Event()
        self.samples: list[tuple[float, float]] = []
        self._spent: dict[int, float] = {}

    def run(self) -> None:
        while not self.ended.wait(0.25):
            self._look()
            self.samples.append((time.time(), sum(self._spent.values())))

    def _look(self) -> None:
        parents, spent = {}, {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(folder.name)] = int(fields[1])
            spent[int(folder.name)] = int(fields[11]) + int(fields[12])
        for process, ticks in spent.items():
            above = process
            while above not in (0, self.root):
                above = parents.get(above, 0)
            if above == self.root or process in self._spent:
                self._spent[process] = ticks / os.sysconf("SC_CLK_TCK")

    def between(self, start: float, end: float) -> float:
        """Processor seconds between two times, in seconds since 1970."""

        def until(moment: float) -> float:
            return max((spent for at, spent in self.samples if at <= moment), default=0.0)

        return until(end) - until(start)


def transcribe(recordings: Path, model: str, options: list[str], pattern: str) -> BatchTimes:
    """Run `asr transcribe` once."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "asr", "transcribe", str(recordings), "--model", model]
        command += ["--lm", "none", "--format", "jsonl", "--out", f"{out}/", *options]
        started = time.perf_counter()
        # Ray gives its workers a low priority, which would count as slow beside other programs.
        environment = {**os.environ, "RAY_worker_niceness": "0"}
        with subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env=environment
        ) as process:
            watch = ProcessorWatch(process.pid)
            watch.start()
            printed = process.communicate()[1]
            watch.ended.set()
            watch.join()
        if process.returncode:
            sys.exit(printed)
        whole = time.perf_counter() - started
        warm = json.loads((Path(out) / "summary.json").read_text())["seconds"]
        results = sorted(Path(out).glob(pattern))
        end = max(file.stat().st_mtime for file in results)
        rows = [
            json.loads(line)
            for file in results
            for line in file.read_text(encoding="utf-8").splitlines()
        ]
        texts = {row["audio_filepath"]: row["text"] for row in rows}
        return BatchTimes(whole, warm, watch.between(end - warm, end), texts)


@dataclass(frozen=True)
class WatchedTranscriber(Transcriber):
    """Writes what its process does into a file.

    Attributes:
        log: file for lines of JSON: process, number of recordings (0 for a loaded model), and
            resident memory in MB.
    """

    log: str = ""

    def load(self, threads: int = 0) -> Recognizer:
        recognizer = super().load(threads)
        self.write(0)
        return recognizer

    def transcribe(self, recognizer: Recognizer, unit: WorkUnit, *rest: Any) -> list[Outcome]:
        outcomes = super().transcribe(recognizer, unit, *rest)
        self.write(len(unit.recordings))
        return outcomes

    def write(self, recordings: int) -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        row = [os.getpid(), recordings, pages * os.sysconf("SC_PAGE_SIZE") / 1e6]
        with open(self.log, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def measure_memory(files: int, model: str) -> dict[str, Any]:
    """Transcribe short recordings with one worker of a Ray cluster and watch it."""
    with tempfile.TemporaryDirectory() as folder:
        recordings = Path(folder) / "recordings"
        recordings.mkdir()
        audio = make_recordings(recordings, files, 0.2, 0.8)
        log = Path(folder) / "log"
        transcriber = WatchedTranscriber(model, Decoding(lm="none"), log=str(log))
        job = RayJob(transcriber, f"{folder}/out", address="local", workers=1)
        totals = transcribe_on_ray([str(recordings)], job)
        rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    done, memory = 0, {}
    for _, count, megabytes in rows:
        before, done = done, done + count
        if before < FEW <= done:
            memory["few"] = megabytes
    processes = [process for process, count, _ in rows if not count]
    memory |= {"loaded": rows[0][2], "all": rows[-1][2], "peak": max(row[2] for row in rows)}
    return {
        **{"files": files, "audio_seconds": audio, "transcribed": totals.transcribed},
        **{"loads": len(processes), "processes": len({*processes}), "memory_mb": memory},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--files", type=int, help="number of recordings; default: 2000, with --memory 20000")
    add("--workers", type=int, default=2, help="of each kind; default: %(default)s")
    add("--runs", type=int, default=1, help="of each kind, in turn; default: %(default)s")
    add("--together", action="store_true", help="both kinds at the same time; default: in turn")
    add("--model", default="en-small", help="recogniser; default: %(default)s")
    add("--memory", action="store_true", help="measure memory instead of speed")
    add("--json", action="store_true", help="one JSON object on stdout")
    a = parser.parse_args()
    a.files = a.files or (20_000 if a.memory else 2000)
    if a.memory:
        record = measure_memory(a.files, a.model)
        if a.json:
            print(json.dumps({**record, "commit": git_commit(), **machine()}))
            return
        memory = record["memory_mb"]
        print(f"{a.files} files, {record['audio_seconds']:.0f} s, 1 worker of Ray")
        print(f"transcribed: {record['transcribed']}")
        print(f"models loaded: {record['loads']}, in {record['processes']} processes")
        print(
            f"memory: model loaded {memory['loaded']:.0f} MB, after {FEW} files "
            f"{memory['few']:.0f} MB, after {a.files} files {memory['all']:.0f} MB, "
            f"largest {memory['peak']:.0f} MB"
        )
        return
    workers = ["--workers", str(a.workers)]
    kinds = {"processes": (workers, "*.jsonl"), "ray": ([*workers, "--ray", "local"], "part-*l")}
    found: dict[str, list[BatchTimes]] = {kind: [] for kind in kinds}
    with tempfile.TemporaryDirectory() as folder:
        audio = make_recordings(Path(folder), a.files)
        with ThreadPoolExecutor(len(kinds) if a.together else 1) as pool:
            for _ in range(a.runs):
                runs = {
                    kind: pool.submit(transcribe, Path(folder), a.model, options, pattern)
                    for kind, (options, pattern) in kinds.items()
                }
                for kind, run in runs.items():
                    found[kind].append(run.result())
    whole, warm, processor = (
        {
            kind: statistics.median(getattr(run, name) for run in runs)
            for kind, runs in found.items()
        }
        for name in ("whole", "warm", "processor")
    )
    same = all(run.texts == found["processes"][0].texts for runs in found.values() for run in runs)
    record = {
        **{"files": a.files, "audio_seconds": audio, "workers": a.workers, "runs": a.runs},
        **{"whole": whole, "warm": warm, "same_texts": same, "load": os.getloadavg()[0]},
        **{"warm_speed": warm["processes"] / warm["ray"], "processor": processor},
        "processor_speed": processor["processes"] / processor["ray"],
    }
    if a.json:
        print(json.dumps({**record, "commit": git_commit(), **machine()}))
        return
    print(f"{a.files} files, {audio:.0f} s, {a.workers} workers, load {os.getloadavg()[0]:.1f}")
    for kind in kinds:
        speed = audio / warm[kind]
        print(
            f"{kind}: whole {whole[kind]:.1f} s, warm {warm[kind]:.1f} s ({speed:.0f} x real time),"
            f" processor {processor[kind]:.1f} s"
        )
    print(
        f"Ray over processes, warm: {record['warm_speed']:.2f} x, by processor seconds "
        f"{record['processor_speed']:.2f} x; same texts: {same}"
    )


if __name__ == "__main__":
    main()
