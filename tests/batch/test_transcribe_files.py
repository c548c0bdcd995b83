"""Batches into folders: what is kept, what is made again, and what ends them."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
import soundfile
from fakes import Fake

from asr.base.interrupts import Stopped, stoppable
from asr.batch.ledger import LEDGER
from asr.batch.transcribe_files import Batch, Totals, length_text, transcribe_files
from asr.decoding.decoder import Decoding
from asr.errors import ConfigError, OutputError
from asr.formats.writers import WRITERS, Writer

FAKES = Path(__file__).parents[1] / "fakes.py"


def fill(folder: Path, *names: str) -> Path:
    """Short recordings, each another noise."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        sound = np.random.default_rng(crc32(os.fsencode(name))).normal(0, 0.1, 1600)
        with path.open("wb") as file:
            soundfile.write(file, sound, 16_000, format=path.suffix[1:].upper())
    return folder


def run(source: Path | list[str], out: Path, **options: Any) -> Totals:
    how = options.pop("how", Fake("en-small", log=out.parent / "log"))
    paths = source if isinstance(source, list) else [str(source)]
    return transcribe_files(paths, Batch(how, out=f"{out}/", **options))


def worked_on(out: Path) -> list[str]:
    """Recordings given to the recogniser since the last call."""
    log = out.parent / "log"
    names = (
        [Path(json.loads(line)).name for line in log.read_text().splitlines()]
        if log.exists()
        else []
    )
    log.unlink(missing_ok=True)
    return sorted(names)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file but the summary and the ledger, which hold times and the order of work."""
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name not in ("summary.json", LEDGER)
    }


def errors(out: Path) -> dict[str, str]:
    lines = (out / "errors.jsonl").read_text().splitlines()
    values = [json.loads(line) for line in lines]
    assert all(v["time"].endswith("+00:00") for v in values)
    return {Path(v["audio_filepath"]).name: v["error"] for v in values}


def test_a_folder_mirrors_its_recordings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = fill(tmp_path / "in", "a.wav", "anna/01.wav", "anna/02.wav", "anna/02.flac")
    totals = run(source, tmp_path / "out")
    assert totals == Totals(4, 4, 0, 0, 0.4, totals.seconds, 0) and totals.status == 0
    out = tree(tmp_path / "out")
    assert list(out) == ["a.txt", "anna/01.txt", "anna/02.flac.txt", "anna/02.wav.txt"]
    assert len(set(out.values())) == 4 and all(len(text) == 17 for text in out.values())
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert summary["transcribed"] == 4 and summary["rtf"] > 0 and summary["model"] == "en-small"
    assert "4 recordings, 0.4 s, 0 failed" in capsys.readouterr().err


@pytest.mark.parametrize("workers", [1, 2])
def test_a_mistake_of_ours_fails_its_recording_and_no_other(tmp_path: Path, workers: int) -> None:
    source = fill(tmp_path / "in", "a.wav", "b-crash.wav", "c.wav")
    totals = run(source, tmp_path / "out", workers=workers)
    assert (totals.transcribed, totals.failed, totals.status) == (2, 1, 1)
    assert {"a.txt", "c.txt"} <= tree(tmp_path / "out").keys()
    (failure,) = map(json.loads, (tmp_path / "out/errors.jsonl").read_text().splitlines())
    assert failure["error"].endswith(
        "b-crash.wav: ZeroDivisionError: b-crash.wav; a mistake of asr and not of the recording: "
        "please report it with the traceback in errors.jsonl (--errors)"
    )
    assert "in act\n" in failure["traceback"]
    (source / "b-crash.wav").rename(source / "b.wav")
    again = run(source, tmp_path / "out", resume=True)
    assert (again.skipped, again.transcribed, again.status) == (2, 1, 0)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0.0 s"), (59.9, "59.9 s"), (90, "1.5 min"), (5400, "1.50 h")]
)
def test_lengths_are_told_in_what_says_most(seconds: float, text: str) -> None:
    assert length_text(seconds) == text


def test_resume_makes_again_what_changed_and_nothing_else(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", "a.wav", "b.wav", "c.wav", "d.wav")
    (source / "bad.wav").write_bytes(b"")
    out, lm = tmp_path / "out", tmp_path / "lm.arpa"
    lm.write_text("one")
    names = ["a.wav", "b.wav", "bad.wav", "c.wav", "d.wav"]
    assert run(source, out).status == 1
    assert worked_on(out) == names and list(errors(out)) == ["bad.wav"]
    first = tree(out)

    totals = run(source, out, resume=True)
    assert (totals.skipped, totals.failed, totals.recordings, totals.status) == (4, 1, 5, 1)
    assert worked_on(out) == ["bad.wav"]

    fill(source, "bad.wav", "e.wav")  # repaired, and new
    (source / "b.wav").write_bytes((source / "a.wav").read_bytes())
    (out / "c.txt").unlink()
    totals = run(source, out, resume=True)
    assert worked_on(out) == ["b.wav", "bad.wav", "c.wav", "e.wav"]
    assert (totals.skipped, totals.transcribed, totals.failed, totals.status) == (2, 4, 0, 0)
    assert not (out / "errors.jsonl").exists()
    second = tree(out)
    assert list(second) == ["a.txt", "b.txt", "bad.txt", "c.txt", "d.txt", "e.txt"]
    assert second["b.txt"] == first["a.txt"] == second["a.txt"]
    assert (second["c.txt"], second["d.txt"]) == (first["c.txt"], first["d.txt"])
    assert run(source, out, resume=True).skipped == 6 and worked_on(out) == []

    for how in (Decoding(4), Decoding(4, lm)):
        totals = run(source, out, resume=True, how=Fake("en-small", how, log=tmp_path / "log"))
        assert totals.skipped == 0 and len(worked_on(out)) == 6
    lm.write_text("two")
    assert run(source, out, resume=True, how=Fake("en-small", how)).skipped == 0
    lm.rename(tmp_path / "renamed.arpa")
    how = Decoding(4, tmp_path / "renamed.arpa")
    assert run(source, out, resume=True, how=Fake("en-small", how)).skipped == 6
    assert run(source, out, resume=True, how=Fake("en-small", how, channel=0)).skipped == 0
    assert run(source, out, resume=True).skipped == 0  # and back
    worked_on(out)
    assert run(source, out).skipped == 0 and len(worked_on(out)) == 6  # all, when not asked to


def test_other_results_in_the_folder_are_remembered(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", "anna/1.wav", "ben/2.wav")
    out = tmp_path / "out"
    run(source / "anna", out)
    run(source / "ben", out)
    assert list(tree(out)) == ["1.txt", "2.txt"]
    assert run(source / "anna", out, resume=True).skipped == 1


def test_channels_have_results_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in"
    source.mkdir()
    sound = np.random.default_rng(1).normal(0, 0.1, (1600, 2))
    soundfile.write(source / "call.wav", sound, 16_000)
    how = Fake("en-small", split_channels=True)
    run(source, tmp_path / "out", how=how, format="jsonl")
    out = tree(tmp_path / "out")
    assert list(out) == ["call.ch0.jsonl", "call.ch1.jsonl"]
    left, right = (json.loads(text) for text in out.values())
    assert (left["channel"], right["channel"]) == (0, 1) and left["text"] != right["text"]
    assert run(source, tmp_path / "out", how=how, format="jsonl", resume=True).skipped == 1
    (tmp_path / "out/call.ch1.jsonl").unlink()
    assert run(source, tmp_path / "out", how=how, format="jsonl", resume=True).skipped == 0
    capsys.readouterr()
    transcribe_files([str(source)], Batch(how))
    assert capsys.readouterr().out == f"{left['text']}\n{right['text']}\n"
    soundfile.write(source / "call.wav", np.where([1, 0], sound, np.nan), 16_000, subtype="FLOAT")
    totals = run(source, tmp_path / "out", how=how, format="jsonl", resume=True)
    assert (totals.transcribed, totals.failed) == (0, 1)
    assert "not finite" in errors(tmp_path / "out")["call.wav"]


def test_one_unreadable_file_among_thousands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # 2,000 waits for the disk
    real = fill(tmp_path / "real", "a.wav", "b.wav")
    source = tmp_path / "in"
    source.mkdir()
    for i in range(2000):
        (source / f"{i:04}.wav").symlink_to(real / ("a.wav", "b.wav")[i % 2])
    (source / "1234.wav").unlink()
    (source / "1234.wav").write_text("this is no recording")
    totals = run(source, tmp_path / "out")
    assert (totals.transcribed, totals.failed, totals.status) == (1999, 1, 1)
    assert list(errors(tmp_path / "out")) == ["1234.wav"]
    assert "not readable as audio" in errors(tmp_path / "out")["1234.wav"]
    out = tree(tmp_path / "out")
    assert len(out) == 2000 and "1234.txt" not in out
    assert len({text for name, text in out.items() if name != "errors.jsonl"}) == 2


def test_names_that_are_odd_or_too_long_or_given_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    latin = os.fsdecode(b"latin-1 \xe9.wav")
    fits, too_long = "x" * 251 + ".wav", "y" * 253 + ".w"
    source = fill(tmp_path / "in", "two\nlines.wav", latin, fits, "ä b.wav")
    (source / too_long).symlink_to("ä b.wav")
    listed = [str(p) for p in sorted(source.iterdir())] + [f"{source}/../in/ä b.wav"]
    totals = run(listed, tmp_path / "out")
    assert (totals.recordings, totals.transcribed, totals.failed, totals.status) == (6, 4, 2, 1)
    assert set(tree(tmp_path / "out")) == {
        "two\nlines.txt", latin[:-4] + ".txt", fits[:-4] + ".txt", "ä b.txt", "errors.jsonl",
    }  # fmt: skip
    why = errors(tmp_path / "out")
    assert "File name too long" in why[too_long] and "given twice" in why["ä b.wav"]
    assert run(listed, tmp_path / "out", resume=True).skipped == 4
    (source / "two\nlines.wav").write_bytes(b"")
    run(source, tmp_path / "out")
    lines = capsys.readouterr().err.splitlines()
    assert any("two\\nlines.wav: empty" in line for line in lines)


def test_results_do_not_stand_among_the_recordings(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", "a.wav", "sub/b.wav")
    (source / "a.txt").write_text("the true text")
    (source / "errors.jsonl").write_text("mine")
    (tmp_path / "link").symlink_to(source)
    before = sorted(source.rglob("*"))
    for out in (source, tmp_path / "link", source / "sub"):
        with pytest.raises(ConfigError, match="among the recordings"):
            run(source, out)
    assert sorted(source.rglob("*")) == before and (source / "a.txt").read_text() == "the true text"
    assert run(source, source / "text").status == 0
    assert list(tree(source / "text")) == ["a.txt", "sub/b.txt"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"transcriber": Fake("x", Decoding(nbest=2))}, "--format txt holds no alternatives"),
        ({"workers": 0}, "--workers 0: at least 1"),
        ({"resume": True}, "--resume goes on in a folder"),
        ({"resume": True, "out": "text.txt"}, "--resume goes on in a folder"),
        ({"format": "mp3"}, "--format mp3: not known; one of txt"),
        ({"format": "single"}, "--format single holds one recording a file"),
        ({"transcriber": Fake("x", channel=1, split_channels=True)}, "give one of them"),
        ({"transcriber": Fake("en-huge"), "out": "out/"}, "en-huge: no model directory"),
    ],
)
def test_options_that_cannot_be(
    options: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(fill(tmp_path, "a.wav", "b.wav"))
    monkeypatch.setitem(WRITERS, "single", Writer(".one", False, WRITERS["txt"].write))
    with pytest.raises(Exception, match=message):
        transcribe_files(["a.wav", "b.wav"], Batch(**{"transcriber": Fake("en-small"), **options}))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.wav", "b.wav"]


def test_a_format_of_one_recording_goes_to_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(WRITERS, "single", Writer(".one", False, WRITERS["txt"].write))
    source = fill(tmp_path / "in", "a.wav", "b.wav")
    run(source, tmp_path / "out", format="single")
    assert list(tree(tmp_path / "out")) == ["a.one", "b.one"]
    transcribe_files([str(source / "a.wav")], Batch(Fake("en-small"), "single"))
    assert capsys.readouterr().out.encode() == tree(tmp_path / "out")["a.one"]


@pytest.fixture
def tmpfs(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB; to mount one, root is needed."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting is not permitted here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_ends_it_and_resume_goes_on(tmp_path: Path, tmpfs: Path) -> None:
    source = fill(tmp_path / "in", *(f"{i:03}.wav" for i in range(100)))
    whole = tmp_path / "whole"
    run(source, whole)
    with pytest.raises(OutputError, match=r"\.txt: cannot be written \(No space left") as ended:
        run(source, tmpfs)
    kept = len([name for name in tree(tmpfs) if name.endswith(".txt")])
    done = sum(len(json.loads(line)) for line in (tmpfs / LEDGER).read_text().splitlines())
    assert f"{done} of 100 recordings are finished, --resume goes on" in str(ended.value)
    assert 16 <= done <= kept < 100
    subprocess.run(["mount", "-o", "remount,size=4m", str(tmpfs)], check=True)
    totals = run(source, tmpfs, resume=True)
    assert (totals.skipped, totals.transcribed) == (done, 100 - done)
    assert tree(tmpfs) == tree(whole)


def test_a_folder_that_cannot_be_written(tmp_path: Path, tmpfs: Path) -> None:
    source = fill(tmp_path / "in", "a.wav")
    subprocess.run(["mount", "-o", "remount,ro", str(tmpfs)], check=True)
    for out in (tmpfs, tmpfs / "new", Path("/proc/out")):
        with pytest.raises(OutputError, match=f"{out}.*: cannot be") as ended:
            run(source, out, how=Fake("en-small", log=tmp_path / "log"))
        assert "0 of 1 recordings" in str(ended.value) and worked_on(tmp_path / "x") == []


def batch(
    source: Path | list[str], out: str, log: Path | None = None, kill_at: int = 0, **options: Any
) -> subprocess.CompletedProcess[str]:
    """The batch in a process of its own, in a process group of its own."""
    asked = {"paths": source if isinstance(source, list) else [str(source)], "log": str(log or ""),
             "kill_at": kill_at, "batch": {"out": out, **options}}  # fmt: skip
    return subprocess.run(
        [sys.executable, FAKES, json.dumps(asked)],
        capture_output=True, text=True, start_new_session=True,
    )  # fmt: skip


def killed_and_resumed(tmp_path: Path, kills: int, workers: int) -> None:
    source = fill(tmp_path / "in", *(f"{i % 3}/{i:03}.wav" for i in range(60)), "0/bad.wav")
    (source / "0/bad.wav").write_bytes(b"no sound")
    fill(source, "1/x.wav", "1/x.flac")
    whole = batch(source, f"{tmp_path}/whole/", format="jsonl", workers=workers)
    assert whole.returncode == 1
    events = int(whole.stderr.split("events: ")[1])
    expected = tree(tmp_path / "whole")
    del expected["errors.jsonl"]
    assert len(expected) == 62
    rng = random.Random(4)
    out, log = tmp_path / "out", tmp_path / "log"
    died = 0
    for _ in range(kills):
        # A run that goes on from others has fewer events: some of the kills come too late.
        died += batch(source, f"{out}/", log, rng.randrange(1, events), format="jsonl", resume=True,
                      workers=workers).returncode == -9  # fmt: skip
    assert died >= kills // 2
    assert (
        batch(source, f"{out}/", log, format="jsonl", resume=True, workers=workers).returncode == 1
    )
    assert list(errors(out)) == ["bad.wav"]
    found = tree(out)
    del found["errors.jsonl"]
    assert found == expected
    # Each kill cost no more than the jobs in work; the bad one is tried each time.
    assert len(worked_on(out)) <= 63 + (kills + 1) + died * workers * 16


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_at_random_points_and_resumed_it_is_as_if_never_killed(
    tmp_path: Path, workers: int
) -> None:
    killed_and_resumed(tmp_path, 4, workers)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 3])
def test_killed_many_times(tmp_path: Path, workers: int) -> None:
    killed_and_resumed(tmp_path, 25, workers)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(("how", "status"), [("ctrl-c", 130), ("sigterm", 143)])
def test_a_signal_ends_it_cleanly(tmp_path: Path, how: str, status: int, workers: int) -> None:
    source = fill(tmp_path / "in", *(f"{i:03}.wav" for i in range(40)), f"zz-{how}.wav")
    ended = batch(source, f"{tmp_path}/out/", workers=workers)
    assert ended.returncode == status, ended.stderr
    assert "Traceback" not in ended.stderr
    assert ("stopped by SIGINT" if how == "ctrl-c" else "stopped by SIGTERM") in ended.stderr
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert summary["signal"] == status - 128
    # Two jobs before the one that brings the signal; another worker's may not be written yet.
    assert summary["transcribed"] == 32 if workers == 1 else summary["transcribed"] in (0, 16, 32)
    assert len(tree(tmp_path / "out")) == summary["transcribed"]
    (source / f"zz-{how}.wav").rename(source / "zz.wav")
    ended = batch(source, f"{tmp_path}/out/", resume=True, workers=workers)
    assert ended.returncode == 0 and f"{summary['transcribed']} done before" in ended.stderr
    batch(source, f"{tmp_path}/whole/", workers=workers)
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_a_signal_leaves_a_file_with_the_results_so_far(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", *(f"{i:03}.wav" for i in range(20)), "zz-ctrl-c.wav")
    ended = batch(source, f"{tmp_path}/text.txt")
    assert ended.returncode == 130 and "5 not done" in ended.stderr
    assert len((tmp_path / "text.txt").read_text().splitlines()) == 16
    assert [p.name for p in tmp_path.iterdir() if p.name.endswith(".tmp")] == []


def test_a_second_signal_kills() -> None:
    code = ("import os, signal\nfrom asr.base.interrupts import *\nwith stoppable():\n"
            "    try: os.kill(os.getpid(), signal.SIGTERM)\n"
            "    except Stopped as stop: print(stop.number, flush=True)\n"
            "    os.kill(os.getpid(), signal.SIGINT)\n    print('still here')")  # fmt: skip
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (-2, "15\n")


def test_a_signal_waits_for_what_is_not_to_be_cut() -> None:
    done = []
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(Stopped) as stop, stoppable() as stopper:
        with stopper.hold():
            done.append("before")
            os.kill(os.getpid(), signal.SIGINT)
            done.append("after")
        done.append("too late")
    assert stop.value.number == signal.SIGINT and done == ["before", "after"]
    assert signal.getsignal(signal.SIGINT) is handler


def test_workers_do_not_outlive_a_killed_batch(tmp_path: Path) -> None:
    """They hold the batch's stderr: it is only closed, and `batch` back, when all have ended."""
    source = fill(tmp_path / "in", *(f"{i:03}.wav" for i in range(40)))
    events = int(batch(source, f"{tmp_path}/a/", workers=2).stderr.split("events: ")[1])
    assert batch(source, f"{tmp_path}/b/", kill_at=events // 2, workers=2).returncode == -9


def command(*arguments: str | Path) -> list[str | Path]:
    """The `asr` command with the fake recogniser."""
    code = ("import fakes, asr.batch.workers\nasr.batch.workers.Transcriber = fakes.Fake\n"
            "from asr.cli.app import main\nmain()")  # fmt: skip
    return [sys.executable, "-c", code, *arguments]


def test_a_full_stdout_is_an_error(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", "a.wav", "b.wav")
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            command("transcribe", source), cwd=FAKES.parent,
            stdout=full, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    assert ended.returncode == 1 and "stdout: cannot be written (No space left" in ended.stderr
    assert "Traceback" not in ended.stderr and "ignored" not in ended.stderr


def test_a_reader_that_leaves_ends_it_quietly(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", *(f"{i:03}.wav" for i in range(40)))
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        command("transcribe", source, "--workers", "2"), cwd=FAKES.parent,
        stdout=writing, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, "")


def test_a_name_that_is_not_there_does_not_change_the_others_names(tmp_path: Path) -> None:
    source, out = fill(tmp_path / "in", "anna/01.wav"), tmp_path / "out"
    totals = run([str(source), str(tmp_path / "typo.wav")], out)
    assert (totals.recordings, totals.transcribed, totals.failed, totals.status) == (2, 1, 1, 1)
    assert (out / "anna" / "01.txt").is_file()
    assert "typo.wav: no such file" in (out / "errors.jsonl").read_text()
    assert run([str(source)], out, resume=True).skipped == 1


def test_a_file_stays_where_nothing_was_transcribed(tmp_path: Path) -> None:
    out = tmp_path / "text.txt"
    out.write_text("older")
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    totals = transcribe_files([str(tmp_path / "bad.wav")], Batch(Fake("en-small"), out=str(out)))
    assert totals.status == 1 and out.read_text() == "older"
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []
