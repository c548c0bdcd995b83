"""Transcription on a Ray cluster of two nodes on this machine."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fakes import FakeTranscriber, SlowTranscriber, fill_archive
from typer.testing import CliRunner

from asr.base.extras import install_extra
from asr.base.ray_cluster import import_ray
from asr.batch.shards import Shard, ShardResult, ShardSettings
from asr.batch.transcribe_files import BatchJob, Totals, transcribe_files
from asr.batch.transcribe_on_ray import RayJob, finished_shards, transcribe_on_ray
from asr.batch.workers import Transcriber
from asr.cli.app import app
from asr.errors import ConfigError, ModelError, WorkerError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "srt"}, "--format srt: with --ray, choose jsonl or parquet"),
        ({"workers": 0}, "--workers must be 1 or more"),
        ({"worker_cpus": 0.0}, "--worker-cpus must be more than 0"),
        ({"shard_size": 0}, "--shard-size must be 1 or more"),
    ],
)
def test_impossible_values_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RayJob(Transcriber("en-small"), "out", **changes)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=re.escape(install_extra("scale"))):
        import_ray()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "--ray needs --out"),
        (["--out", "x", "--errors", "e.jsonl"], "--errors, --line-length and --lines: not with"),
    ],
)
def test_options_that_do_not_go_together(options: list[str], message: str) -> None:
    done = CliRunner().invoke(app, ["transcribe", "a.wav", "--ray", "auto", *options])
    assert isinstance(done.exception, ConfigError) and message in str(done.exception)


class FakeTask:
    """A call of a remote function."""

    def __init__(self, shard: Shard, settings: ShardSettings) -> None:
        self.number = shard.number


class FakeRay:
    """Runs each task when it is waited for, oldest first.

    Args:
        errors: number of unexpected errors that each shard ends with, by its number.
    """

    class exceptions:
        """Ray's module of that name."""

        class RayError(Exception):
            """A task ended with an unexpected error."""

            cause: Exception | None = None

    def __init__(self, errors: dict[int, int] | None = None, cpus: float = 2.0) -> None:
        self.errors = errors or {}
        self.cpus = cpus
        self.options: dict[str, Any] = {}
        self.order: list[int] = []
        self.waiting: list[int] = []
        self.cancelled: list[int] = []

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": self.cpus}

    def remote(self, **options: Any) -> Any:
        self.options = options
        return lambda work: SimpleNamespace(remote=FakeTask)

    def wait(self, tasks: list[Any], num_returns: int) -> tuple[list[Any], list[Any]]:
        self.waiting.append(len(tasks))
        return tasks[:num_returns], tasks[num_returns:]

    def get(self, task: FakeTask) -> ShardResult:
        number = task.number
        self.order.append(number)
        if self.errors.get(number, 0):
            self.errors[number] -= 1
            error = self.exceptions.RayError("a long traceback")
            error.cause = ZeroDivisionError(f"in {number}\nat work")
            raise error
        return ShardResult(number, 1, error=ModelError("damaged") if number == 99 else None)

    def cancel(self, task: FakeTask) -> None:
        self.cancelled.append(task.number)


def finish(ray: Any, numbers: list[int], **options: Any) -> Generator[ShardResult]:
    job = RayJob(Transcriber("en-small"), "out", **options)
    settings = ShardSettings(job.transcriber, "out", "jsonl", "key", False)
    return finished_shards(ray, [Shard(i, ()) for i in numbers], settings, job)


@pytest.mark.parametrize(
    ("options", "most"), [({"workers": 3}, 3), ({}, 4), ({"worker_cpus": 2.0}, 2)]
)
def test_so_many_shards_are_in_ray_at_once(options: dict[str, Any], most: int) -> None:
    ray = FakeRay()
    assert [r.number for r in finish(ray, [*range(6)], **options)] == [*range(6)]
    assert max(ray.waiting) == most and ray.waiting[-1] == 1
    # Ray itself tries again if a worker or a machine is lost, as often as it has to.
    assert ray.options == {"num_cpus": options.get("worker_cpus", 1.0), "max_retries": -1}


def test_a_shard_with_an_unexpected_error_is_run_again_after_the_others() -> None:
    ray = FakeRay({0: 1})
    assert [r.number for r in finish(ray, [0, 1, 2, 3], workers=1)] == [1, 2, 3, 0]
    found = []
    with pytest.raises(
        WorkerError,
        match=r"1 of 4 shards ended with .*; part-00001 with ZeroDivisionError: in 1 at work$",
    ):
        for result in finish(FakeRay({0: 1, 1: 2}), [0, 1, 2, 3], workers=2):
            found.append(result.number)
    assert found == [2, 3, 0]


def test_shards_in_ray_are_cancelled_if_the_batch_ends_early() -> None:
    ray = FakeRay()
    with pytest.raises(ModelError, match="damaged"):
        list(finish(ray, [99, 1, 2, 3], workers=2))
    assert (ray.order, ray.cancelled) == ([99], [1])
    ray = FakeRay()
    with closing(finish(ray, [0, 1, 2, 3], workers=2)) as results:
        next(results)
    assert (ray.order, ray.cancelled) == ([0], [1])


def test_what_is_finished_is_reported_before_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ray: Any = FakeRay({1: 2})
    ray.is_initialized = lambda: True
    monkeypatch.setattr("asr.batch.transcribe_on_ray.import_ray", lambda: ray)
    folder = fill_archive(tmp_path / "archive", "0.wav", "1.wav", "2.wav")
    job = RayJob(Transcriber("en-small"), str(tmp_path / "out"), shard_size=1)
    with pytest.raises(WorkerError, match=r"; 2 of 3 recordings are finished, --resume skips them"):
        transcribe_on_ray([str(folder)], job)
    assert "3 recordings" in capsys.readouterr().err
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["transcribed"] == 2


@pytest.mark.parametrize(("failures", "starts"), [(2, 3), (9, 4)])
def test_a_cluster_that_starts_too_slowly_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failures: int, starts: int
) -> None:
    ray: Any = FakeRay()
    begun: list[dict[str, Any]] = []

    def init(**options: Any) -> None:
        begun.append(options)
        if len(begun) <= failures:
            raise Exception("The current node timed out during startup.")

    ray.is_initialized, ray.init, ray.shutdown = lambda: False, init, lambda: None
    monkeypatch.setattr("asr.batch.transcribe_on_ray.import_ray", lambda: ray)
    folder = fill_archive(tmp_path / "archive", "0.wav")
    job = RayJob(Transcriber("en-small"), str(tmp_path / "out"), address="local")
    if failures < starts:
        assert transcribe_on_ray([str(folder)], job).transcribed == 1
    else:
        with pytest.raises(ConfigError, match=r"--ray local: no cluster: .* timed out"):
            transcribe_on_ray([str(folder)], job)
    assert [options["address"] for options in begun] == ["local"] * starts


def test_a_worker_that_the_cluster_has_no_processors_for_is_an_error() -> None:
    with pytest.raises(ConfigError, match="--worker-cpus 3: the cluster has 2 processors"):
        list(finish(FakeRay(), [0], worker_cpus=3.0))


@pytest.fixture(scope="module")
def ray() -> Any:
    return pytest.importorskip("ray", reason="ray is not installed: the extra scale")


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """An S3 server on loopback, which this process and later ones find in the environment."""
    server = pytest.importorskip("moto.server", reason="moto is not installed")
    s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed: the extra scale")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        s3fs.S3FileSystem.clear_instance_cache()
        store = s3fs.S3FileSystem()
        store.mkdir("bucket")
        yield store
    running.stop()


MEMORY = 100 * 2**20
"""Bytes of a node's object store."""
TOO_BUSY = "this machine is too busy to start a node of Ray within 30 s"


@pytest.fixture(scope="module")
def cluster(ray: Any, s3: Any) -> Iterator[Any]:
    """A head without processors and two nodes of one; `ray` is connected to it."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as environment:
        # The processes of the nodes import the fakes.
        environment.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests")]))
        environment.setenv("RAY_USAGE_STATS_ENABLED", "0")
        made = Cluster()
        try:
            start(made, num_cpus=0, include_dashboard=False)
            made.lost_later = start(made)
            start(made)
            ray.init(address=made.address, log_to_driver=False)
            yield made
        finally:
            ray.shutdown()
            made.shutdown()


def start(cluster: Any, num_cpus: int = 1, **options: Any) -> Any:
    """Start a node. Ray gives it 30 s to come up, which a busy machine may exceed."""
    for _ in range(4):
        with suppress(Exception):  # Ray has no class of its own for it
            return cluster.add_node(num_cpus=num_cpus, object_store_memory=MEMORY, **options)
    pytest.skip(TOO_BUSY)


def skip_if_too_busy(printed: str) -> None:
    """Skip a test whose program could not start a node."""
    if "timed out during startup" in printed:
        pytest.skip(TOO_BUSY)


def archive(folder: Path, count: int) -> Path:
    """Recordings of 0.1 s, 3 % of which are broken."""
    names = [f"{i:04}{' broken' if i % 33 == 5 else ''}.wav" for i in range(count)]
    return fill_archive(folder, *names)


def rows(folder: Path, pattern: str = "part-?????.jsonl") -> list[dict[str, Any]]:
    found = [
        json.loads(line)
        for file in sorted(folder.glob(pattern))
        for line in file.read_text().splitlines()
    ]
    for row in found:  # the fake scores depend on the other files of a unit
        row.pop("score", None)
        row.pop("time", None)
    return found


def half_way(out: Path, act: Callable[[], None]) -> threading.Thread:
    """Call `act` once some shards are written."""

    def wait() -> None:
        while len(list(out.glob("part-?????.jsonl"))) < 4:
            time.sleep(0.05)
        act()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def check_all(folder: Path, out: Path, totals: Totals, tmp_path: Path) -> None:
    """Every recording is there once, as in a local run."""
    job = BatchJob(
        FakeTranscriber("en-small"), "jsonl", out=str(tmp_path / "local.jsonl"),
        errors=tmp_path / "errors.jsonl",
    )  # fmt: skip
    local = transcribe_files([str(folder)], job)
    assert rows(out) == rows(tmp_path, "local.jsonl")
    assert rows(out, "part-*.errors.jsonl") == rows(tmp_path, "errors.jsonl")
    assert (totals.transcribed, totals.failed) == (local.transcribed, local.failed)
    assert totals.recordings == local.recordings and totals.failed > 0


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["worker", "node"])
def test_nothing_is_lost_or_doubled_when_a_worker_or_a_node_is_lost(
    cluster: Any, tmp_path: Path, lost: str
) -> None:
    folder, out = archive(tmp_path / "archive", 120), tmp_path / "out"
    log = tmp_path / "log"

    def lose() -> None:
        if lost == "worker":
            (first, *_) = log.with_suffix(".pids").read_text().split()
            os.kill(int(first), signal.SIGKILL)
        else:
            cluster.remove_node(cluster.lost_later, allow_graceful=False)

    thread = half_way(out, lose)
    transcriber = SlowTranscriber("en-small", log=log)
    job = RayJob(transcriber, str(out), shard_size=4, resume=True)
    totals = transcribe_on_ray([str(folder)], job)
    thread.join(1.0)
    assert not thread.is_alive()
    check_all(folder, out, totals, tmp_path)
    # Each process loads the model once. Ray replaces the killed one by up to two: one for its
    # shard, and one for the shard that waited behind it.
    loads = log.with_suffix(".pids").read_text().split()
    assert len(loads) == len(set(loads)) <= 4
    log.unlink()
    before = {path: path.read_bytes() for path in out.glob("part-*")}
    again = transcribe_on_ray([str(folder)], job)
    assert not log.exists()  # nothing was transcribed
    assert (again.skipped, again.transcribed, again.failed) == (
        totals.transcribed, 0, totals.failed
    )  # fmt: skip
    assert {path: path.read_bytes() for path in out.glob("part-*")} == before


@pytest.mark.slow
def test_errors_end_the_batch_and_stale_files_are_removed(cluster: Any, tmp_path: Path) -> None:
    damaged = RayJob(FakeTranscriber("damaged"), str(tmp_path / "none"))
    folder = archive(tmp_path / "archive", 12)
    with pytest.raises(ModelError):
        transcribe_on_ray([str(folder)], damaged)
    out = tmp_path / "out"
    job = RayJob(FakeTranscriber("en-small"), str(out), shard_size=3)
    transcribe_on_ray([str(folder), str(tmp_path / "gone*.wav")], job)
    assert len(list(out.glob("part-?????.jsonl"))) == 4
    assert "matches no file" in rows(out, "errors.jsonl")[0]["error"]
    with pytest.raises(ConfigError, match=r"--out .*: has results already: give --resume"):
        transcribe_on_ray([str(folder)], job)
    few = RayJob(FakeTranscriber("en-small"), str(out), shard_size=3, resume=True)
    totals = transcribe_on_ray([str(folder / "000[0-4].wav")], few)
    assert len(list(out.glob("part-?????.jsonl"))) == 2 and totals.recordings == 5
    assert {Path(row["audio_filepath"]).name for row in rows(out)} == {
        f"{i:04}.wav" for i in range(5)
    }
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["recordings"], summary["shard_size"]) == (5, 3)


@pytest.mark.slow
def test_recordings_and_results_are_in_s3(s3: Any, cluster: Any, tmp_path: Path) -> None:
    folder = archive(tmp_path / "archive", 40)
    s3.put(str(folder), "bucket/calls", recursive=True)
    job = RayJob(FakeTranscriber("en-small"), "s3://bucket/texts", shard_size=8, resume=True)
    totals = transcribe_on_ray(["s3://bucket/calls/"], job)
    s3.get("bucket/texts/", str(tmp_path / "out"), recursive=True)
    check_names = {
        row["audio_filepath"].rpartition("/")[2]: row["text"] for row in rows(tmp_path / "out")
    }
    local = BatchJob(FakeTranscriber("en-small"), "jsonl", out=str(tmp_path / "local.jsonl"))
    transcribe_files([str(folder)], local)
    assert check_names == {
        Path(row["audio_filepath"]).name: row["text"] for row in rows(tmp_path, "local.jsonl")
    }
    errors = rows(tmp_path / "out", "part-*.errors.jsonl")
    assert [row["audio_filepath"] for row in errors] == [
        "s3://bucket/calls/0005 broken.wav", "s3://bucket/calls/0038 broken.wav"
    ]  # fmt: skip
    again = transcribe_on_ray(["s3://bucket/calls/*.wav"], job)
    assert (again.transcribed, again.skipped) == (0, totals.transcribed)


@pytest.mark.slow
def test_the_command_transcribes_as_without_ray(ray: Any, tmp_path: Path) -> None:
    recording = ROOT / "tests/fixtures/goforward.wav"
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-m", "asr", "transcribe", str(recording), str(tmp_path / "gone.wav"),
         "--ray", "local", "--out", str(out), "--workers", "1"],
        cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"},
    )  # fmt: skip
    skip_if_too_busy(done.stderr)
    assert done.returncode == 1, done.stderr
    assert "gone.wav: no such file" in done.stderr and "2 recordings" in done.stderr
    local = subprocess.run(
        [sys.executable, "-m", "asr", "transcribe", str(recording), "--format", "jsonl"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (out / "part-00000.jsonl").read_text() == local.stdout


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_batch_and_resume_goes_on(
    ray: Any, tmp_path: Path, number: signal.Signals
) -> None:
    speech = (ROOT / "tests/fixtures/goforward.wav").read_bytes()
    recordings, out = tmp_path / "recordings", tmp_path / "out"
    recordings.mkdir()
    for i in range(8):
        (recordings / f"{i:02}.wav").write_bytes(speech)
    command = [
        *(sys.executable, "-m", "asr", "transcribe", str(recordings), "--ray", "local"),
        *("--out", str(out), "--workers", "1", "--shard-size", "1"),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    batch = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    while batch.poll() is None and not list(out.glob("part-*")):
        time.sleep(0.05)
    batch.send_signal(number)
    _, printed = batch.communicate()
    skip_if_too_busy(printed)
    assert batch.returncode == 128 + number, printed
    assert "to go on: " in printed and "--resume" in printed
    done = {path: path.stat().st_mtime_ns for path in out.glob("part-*")}
    assert 0 < len(done) < 8
    again = subprocess.run(
        [*command, "--resume"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    skip_if_too_busy(again.stderr)
    assert again.returncode == 0, again.stderr
    assert len(rows(out)) == 8 and len({row["text"] for row in rows(out)}) == 1
    # A shard that was being transcribed may have been written without its ledger entry.
    changed = [path for path, time in done.items() if path.stat().st_mtime_ns != time]
    assert len(changed) <= 1
