"""Work units, and worker processes that die."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fakes import FakeTranscriber
from hypothesis import given
from hypothesis import strategies as st

from asr.batch import processes
from asr.batch.workers import (
    UNIT_FILES,
    UNIT_SECONDS,
    NumberedRecording,
    WorkUnit,
    make_units,
    run_workers,
)
from asr.errors import ModelError, WorkerError
from asr.results import Failure, Transcript


def make(*names: list[str]) -> list[WorkUnit]:
    """Work units of recordings, which are numbered through."""
    numbered = iter(range(100))
    return [
        WorkUnit(tuple(NumberedRecording(next(numbered), name) for name in unit)) for unit in names
    ]


def run(
    count: int, transcriber: FakeTranscriber, units: list[WorkUnit]
) -> dict[int, Transcript | Failure]:
    ready: list[int] = []
    outcomes = list(run_workers(count, transcriber, units, lambda: ready.append(1)))
    assert ready == [1]
    found = {o.index: o.results[0] for unit in outcomes for o in unit}
    assert len(found) == sum(map(len, outcomes)), "one outcome per recording"
    return found


@given(st.lists(st.floats(0, 50)))
def test_units_are_small_and_keep_the_order(seconds: list[float]) -> None:
    made = make_units((str(i), s) for i, s in enumerate(seconds))
    assert [r for unit in made for r in unit.recordings] == [
        (i, str(i)) for i in range(len(seconds))
    ]
    for unit in made:
        length = sum(seconds[i] for i, _ in unit.recordings)
        assert len(unit.recordings) == 1 or length <= UNIT_SECONDS
        assert 1 <= len(unit.recordings) <= UNIT_FILES


def test_only_a_recording_that_kills_two_workers_fails(
    tone,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,  # type: ignore[no-untyped-def]
) -> None:
    monkeypatch.setenv("ONCE", str(tmp_path / "marker"))
    names = [
        str(tone(n, 0.2)) for n in ("a.wav", "kill.wav", "b.wav", "crash.wav", "once.wav", "c.wav")
    ]
    found = run(2, FakeTranscriber("en-small"), make(names[:3], names[3:5], names[5:]))
    assert sorted(found) == [0, 1, 2, 3, 4, 5]
    killed, crashed = found[1], found[3]
    assert isinstance(killed, Failure) and isinstance(crashed, Failure)
    assert killed.error.startswith(f"{names[1]}: ") and "SIGKILL" in killed.error
    assert crashed.error.startswith(f"{names[3]}: ZeroDivisionError: crash.wav; ")
    assert crashed.traceback.endswith("ZeroDivisionError: crash.wav\n")
    for i in (0, 2, 4, 5):
        assert isinstance(found[i], Transcript) and found[i].audio_filepath == names[i]


def test_an_error_while_loading_is_raised_once() -> None:
    with pytest.raises(ModelError, match="damaged"):
        list(run_workers(2, FakeTranscriber("damaged"), make(["a.wav"], ["b.wav"]), lambda: None))


def test_the_batch_ends_if_all_workers_die_while_loading() -> None:
    with pytest.raises(WorkerError, match=r"no memory.*SIGKILL"):
        list(run_workers(2, FakeTranscriber("no memory"), make(["a.wav"], ["b.wav"]), lambda: None))


def test_workers_end_with_the_generator_of_outcomes(tone, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    work = run_workers(
        2, FakeTranscriber("en-small"), make([str(tone("a.wav"))], ["b.wav"], ["c.wav"]), print
    )
    next(work)
    assert multiprocessing.active_children()
    work.close()
    assert not multiprocessing.active_children()


def test_workers_that_were_started_ahead_do_the_work(
    tone,
    monkeypatch: pytest.MonkeyPatch,  # type: ignore[no-untyped-def]
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    before = multiprocessing.active_children()  # another test's pool may not have ended yet
    processes.start_ahead(1)
    assert set(multiprocessing.active_children()) <= set(before)
    processes.start_ahead(1000)
    ahead = multiprocessing.active_children()
    assert len(ahead) == 2
    monkeypatch.setattr(processes, "_start", None)
    found = run(2, FakeTranscriber("en-small"), make([str(tone("a.wav"))]))
    assert isinstance(found[0], Transcript)
    assert not any(process.is_alive() for process in ahead)


def test_an_error_at_the_start_of_a_worker_is_raised_when_the_worker_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(process: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("multiprocessing.context.SpawnProcess.start", refuse)
    processes.start_ahead(2)
    with pytest.raises(WorkerError, match="Resource temporarily unavailable"):
        list(run_workers(2, FakeTranscriber("en-small"), make(["a.wav"]), lambda: None))


def test_waiting_workers_end_with_a_killed_parent() -> None:
    """They hold its stderr open: `subprocess.run` returns only when all of them have ended."""
    code = "import os, asr.batch.processes as p; p.start_ahead(2); os.kill(os.getpid(), 9)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert (ended.returncode, ended.stderr) == (-9, b"")


def test_unused_workers_end_with_their_parent() -> None:
    wrong = [sys.executable, "-m", "asr", "transcribe", "a.wav", "--workers", "2", "--format", "x"]
    ended = subprocess.run(wrong, capture_output=True, text=True)
    assert ended.returncode == 1 and ended.stderr.startswith("error: --format x: ")


def test_split_channels_gives_a_result_per_channel(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, (8000, 2))
    soundfile.write(tmp_path / "stereo.wav", noise, 16_000, subtype="FLOAT")
    soundfile.write(tmp_path / "mono.wav", noise[:, 0], 16_000, subtype="FLOAT")
    noise[5, 1] = np.nan
    soundfile.write(tmp_path / "half.wav", noise, 16_000, subtype="FLOAT")
    names = [str(tmp_path / n) for n in ("stereo.wav", "mono.wav", "half.wav", "no.wav")]
    transcriber = FakeTranscriber("en-small", split_channels=True, digests=True)
    (unit,) = make(names)
    stereo, mono, half, missing = transcriber.transcribe(transcriber.load(), unit)
    left, right = stereo.results
    assert isinstance(left, Transcript) and isinstance(right, Transcript)
    assert (left.channel, right.channel) == (0, 1) and left.text != right.text
    assert [r.channel for r in mono.results] == [0] and mono.results[0].text == left.text
    assert isinstance(half.results[0], Transcript) and isinstance(half.results[1], Failure)
    assert "not finite" in half.results[1].error
    assert isinstance(missing.results[0], Failure) and "no such file" in missing.results[0].error
    assert len(stereo.audio_sha256) == 64 and missing.audio_sha256 == ""
    second = FakeTranscriber("en-small", channel=1)
    one = second.transcribe(second.load(), make(names[:1])[0])[0].results[0]
    assert isinstance(one, Transcript) and (one.text, one.channel) == (right.text, 1)
