"""Worker processes that live, die, and die again."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from pathlib import Path

import pytest
from fakes import Fake
from hypothesis import given
from hypothesis import strategies as st

from asr.batch import processes
from asr.batch.workers import JOB_FILES, JOB_SECONDS, Job, make_jobs, run_workers
from asr.errors import ModelError, WorkerError
from asr.results import Failure, Transcript


def jobs(*names: list[str]) -> list[Job]:
    numbered = iter(range(100))
    return [Job(tuple((next(numbered), name) for name in of_one)) for of_one in names]


def run(count: int, how: Fake, work: list[Job]) -> dict[int, Transcript | Failure]:
    ready: list[int] = []
    outcomes = list(run_workers(count, how, work, lambda: ready.append(1)))
    assert ready == [1]
    found = {o.index: o.results[0] for of_one in outcomes for o in of_one}
    assert len(found) == sum(map(len, outcomes)), "one outcome a recording"
    return found


@given(st.lists(st.floats(0, 50)))
def test_jobs_are_small_and_keep_the_order(seconds: list[float]) -> None:
    made = make_jobs((str(i), s) for i, s in enumerate(seconds))
    assert [r for job in made for r in job.recordings] == [(i, str(i)) for i in range(len(seconds))]
    for job in made:
        length = sum(seconds[i] for i, _ in job.recordings)
        assert len(job.recordings) == 1 or length <= JOB_SECONDS
        assert 1 <= len(job.recordings) <= JOB_FILES


def test_a_recording_that_kills_its_worker_twice_fails_and_no_other(
    tone,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,  # type: ignore[no-untyped-def]
) -> None:
    monkeypatch.setenv("ONCE", str(tmp_path / "marker"))
    names = [
        str(tone(n, 0.2)) for n in ("a.wav", "kill.wav", "b.wav", "crash.wav", "once.wav", "c.wav")
    ]
    found = run(2, Fake("en-small"), jobs(names[:3], names[3:5], names[5:]))
    assert sorted(found) == [0, 1, 2, 3, 4, 5]
    killed, crashed = found[1], found[3]
    assert isinstance(killed, Failure) and isinstance(crashed, Failure)
    assert killed.error.startswith(f"{names[1]}: two worker processes died of it")
    assert "SIGKILL" in killed.error
    assert crashed.error.startswith(f"{names[3]}: ZeroDivisionError: crash.wav; a mistake of asr")
    assert crashed.traceback.endswith("ZeroDivisionError: crash.wav\n")
    for i in (0, 2, 4, 5):
        assert isinstance(found[i], Transcript) and found[i].audio_filepath == names[i]


def test_what_is_wrong_with_the_model_is_told_once() -> None:
    with pytest.raises(ModelError, match="damaged: is damaged"):
        list(run_workers(2, Fake("damaged"), jobs(["a.wav"], ["b.wav"]), lambda: None))


def test_workers_that_die_while_loading_end_it() -> None:
    with pytest.raises(
        WorkerError, match=r"every worker process died while loading no memory.*SIGKILL"
    ):
        list(run_workers(2, Fake("no memory"), jobs(["a.wav"], ["b.wav"]), lambda: None))


def test_workers_end_when_the_batch_is_given_up(tone, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    work = run_workers(2, Fake("en-small"), jobs([str(tone("a.wav"))], ["b.wav"], ["c.wav"]), print)
    next(work)
    assert multiprocessing.active_children()
    work.close()
    assert not multiprocessing.active_children()


def test_workers_that_were_started_ahead_do_the_work(
    tone,
    monkeypatch: pytest.MonkeyPatch,  # type: ignore[no-untyped-def]
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    processes.start_ahead(1)
    assert not multiprocessing.active_children()
    processes.start_ahead(1000)
    ahead = multiprocessing.active_children()
    assert len(ahead) == 2
    monkeypatch.setattr(processes, "_start", None)
    found = run(2, Fake("en-small"), jobs([str(tone("a.wav"))]))
    assert isinstance(found[0], Transcript)
    assert not any(process.is_alive() for process in ahead)


def test_workers_that_cannot_be_started_are_told_of_when_they_are_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(process: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("multiprocessing.context.SpawnProcess.start", refuse)
    processes.start_ahead(2)
    with pytest.raises(WorkerError, match=r"cannot be started \(Resource temporarily unavailable"):
        list(run_workers(2, Fake("en-small"), jobs(["a.wav"]), lambda: None))


def test_workers_that_wait_for_work_end_with_a_killed_parent() -> None:
    """They hold its stderr, which is at its end only when all have ended."""
    code = "import asr.batch.processes, os; asr.batch.processes.start_ahead(2); os.kill(os.getpid(), 9)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert (ended.returncode, ended.stderr) == (-9, b"")


def test_workers_without_work_end_with_their_parent() -> None:
    wrong = [sys.executable, "-m", "asr", "transcribe", "a.wav", "--workers", "2", "--format", "x"]
    ended = subprocess.run(wrong, capture_output=True, text=True)
    assert ended.returncode == 1 and ended.stderr.startswith("error: --format x: not known")


def test_channels_apart(tmp_path: Path) -> None:
    import numpy as np
    import soundfile

    noise = np.random.default_rng(1).normal(0, 0.1, (8000, 2))
    soundfile.write(tmp_path / "stereo.wav", noise, 16_000, subtype="FLOAT")
    soundfile.write(tmp_path / "mono.wav", noise[:, 0], 16_000, subtype="FLOAT")
    noise[5, 1] = np.nan
    soundfile.write(tmp_path / "half.wav", noise, 16_000, subtype="FLOAT")
    names = [str(tmp_path / n) for n in ("stereo.wav", "mono.wav", "half.wav", "no.wav")]
    how = Fake("en-small", split_channels=True, digests=True)
    (work,) = jobs(names)
    stereo, mono, half, missing = how.transcribe(how.load(), work)
    left, right = stereo.results
    assert isinstance(left, Transcript) and isinstance(right, Transcript)
    assert (left.channel, right.channel) == (0, 1) and left.text != right.text
    assert [r.channel for r in mono.results] == [0] and mono.results[0].text == left.text
    assert isinstance(half.results[0], Transcript) and isinstance(half.results[1], Failure)
    assert "not finite" in half.results[1].error
    assert isinstance(missing.results[0], Failure) and "no such file" in missing.results[0].error
    assert len(stereo.audio_sha256) == 64 and missing.audio_sha256 == ""
    one = Fake("en-small", channel=1).transcribe(how.load(), jobs(names[:1])[0])[0].results[0]
    assert isinstance(one, Transcript) and (one.text, one.channel) == (right.text, 1)
