"""`transcribe_files`: output folders, resuming, failures, signals and kills."""

from __future__ import annotations

import json
import os
import random
import re
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
from fakes import FakeTranscriber

from asr.base.interrupts import Stopped, stoppable
from asr.batch.ledger import LEDGER
from asr.batch.transcribe_files import BatchJob, Totals, length_text, transcribe_files
from asr.batch.workers import UNIT_FILES
from asr.decoding.decoding_options import Decoding
from asr.errors import AsrError, ConfigError, OutputError
from asr.formats.writers import WRITERS, Writer

FAKES = Path(__file__).parents[1] / "fakes.py"


def fill(folder: Path, *names: str) -> Path:
    """Write recordings of 0.1 s, each with its own noise."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        sound = np.random.default_rng(crc32(os.fsencode(name))).normal(0, 0.1, 1600)
        with path.open("wb") as file:
            soundfile.write(file, sound, 16_000, format=path.suffix[1:].upper())
    return folder


def run(source: Path | list[str], out: Path, **options: Any) -> Totals:
    """Transcribe into a folder in this process; a file beside the folder logs the recordings."""
    logging = FakeTranscriber("en-small", log=out.parent / "log")
    job = BatchJob(options.pop("transcriber", logging), out=f"{out}/", **options)
    return transcribe_files(source if isinstance(source, list) else [str(source)], job)


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
    """Every file except the summary and the ledger, which depend on times and the order of work."""
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
def test_an_unexpected_error_fails_its_recording_only(tmp_path: Path, workers: int) -> None:
    source = fill(tmp_path / "in", "a.wav", "b-crash.wav", "c.wav")
    totals = run(source, tmp_path / "out", workers=workers)
    assert (totals.transcribed, totals.failed, totals.status) == (2, 1, 1)
    assert {"a.txt", "c.txt"} <= tree(tmp_path / "out").keys()
    (failure,) = map(json.loads, (tmp_path / "out/errors.jsonl").read_text().splitlines())
    assert "b-crash.wav: ZeroDivisionError: b-crash.wav; " in failure["error"]
    assert "errors.jsonl (--errors)" in failure["error"]
    assert "in act\n" in failure["traceback"]
    (source / "b-crash.wav").rename(source / "b.wav")
    again = run(source, tmp_path / "out", resume=True)
    assert (again.skipped, again.transcribed, again.status) == (2, 1, 0)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0.0 s"), (59.9, "59.9 s"), (90, "1.5 min"), (5400, "1.50 h")]
)
def test_lengths_are_in_seconds_minutes_or_hours(seconds: float, text: str) -> None:
    assert length_text(seconds) == text


def test_resume_transcribes_changed_recordings_only(tmp_path: Path) -> None:
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

    def skipped(decoding: Decoding, channel: int | None = None) -> int:
        transcriber = FakeTranscriber("en-small", decoding, channel, log=tmp_path / "log")
        totals = run(source, out, resume=True, transcriber=transcriber)
        assert len(worked_on(out)) == totals.transcribed == 6 - totals.skipped
        return totals.skipped

    assert skipped(Decoding(4)) == 0
    assert skipped(Decoding(4, lm)) == 0
    lm.write_text("two")
    assert skipped(Decoding(4, lm)) == 0
    lm.rename(tmp_path / "renamed.arpa")
    renamed = Decoding(4, tmp_path / "renamed.arpa")
    assert skipped(renamed) == 6
    assert skipped(renamed, channel=0) == 0
    assert skipped(Decoding()) == 0
    assert run(source, out).skipped == 0 and len(worked_on(out)) == 6  # without --resume


def test_a_batch_of_other_recordings_keeps_the_entries_in_the_folder(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", "anna/1.wav", "ben/2.wav")
    out = tmp_path / "out"
    run(source / "anna", out)
    run(source / "ben", out)
    assert list(tree(out)) == ["1.txt", "2.txt"]
    assert run(source / "anna", out, resume=True).skipped == 1


def test_each_channel_has_its_own_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in"
    source.mkdir()
    sound = np.random.default_rng(1).normal(0, 0.1, (1600, 2))
    soundfile.write(source / "call.wav", sound, 16_000)
    transcriber = FakeTranscriber("en-small", split_channels=True)
    options = {"transcriber": transcriber, "format": "jsonl"}
    run(source, tmp_path / "out", **options)
    out = tree(tmp_path / "out")
    assert list(out) == ["call.ch0.jsonl", "call.ch1.jsonl"]
    left, right = (json.loads(text) for text in out.values())
    assert (left["channel"], right["channel"]) == (0, 1) and left["text"] != right["text"]
    assert run(source, tmp_path / "out", **options, resume=True).skipped == 1
    (tmp_path / "out/call.ch1.jsonl").unlink()
    assert run(source, tmp_path / "out", **options, resume=True).skipped == 0
    capsys.readouterr()
    transcribe_files([str(source)], BatchJob(transcriber))
    assert capsys.readouterr().out == f"{left['text']}\n{right['text']}\n"
    soundfile.write(source / "call.wav", np.where([1, 0], sound, np.nan), 16_000, subtype="FLOAT")
    totals = run(source, tmp_path / "out", **options, resume=True)
    assert (totals.transcribed, totals.failed) == (0, 1)
    assert "not finite" in errors(tmp_path / "out")["call.wav"]


def test_one_unreadable_file_among_a_thousand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More files than a process may usually have open at once (1,024)."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # a wait for the disk per file
    real = fill(tmp_path / "real", "a.wav", "b.wav")
    source = tmp_path / "in"
    source.mkdir()
    for i in range(1100):
        (source / f"{i:04}.wav").symlink_to(real / ("a.wav", "b.wav")[i % 2])
    (source / "0123.wav").unlink()
    (source / "0123.wav").write_text("this is no recording")
    totals = run(source, tmp_path / "out")
    assert (totals.transcribed, totals.failed, totals.status) == (1099, 1, 1)
    assert list(errors(tmp_path / "out")) == ["0123.wav"]
    assert "not readable as audio" in errors(tmp_path / "out")["0123.wav"]
    out = tree(tmp_path / "out")
    assert len(out) == 1100 and "0123.txt" not in out
    assert len({text for name, text in out.items() if name != "errors.jsonl"}) == 2


def test_unusual_too_long_and_duplicate_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    latin = os.fsdecode(b"latin-1 \xe9.wav")
    fits, too_long = "x" * 251 + ".wav", "y" * 253 + ".w"
    source = fill(tmp_path / "in", "two\nlines.wav", latin, fits, "ä b.wav")
    (source / too_long).symlink_to("ä b.wav")
    listed = [str(p) for p in sorted(source.iterdir())] + [f"{source}/../in/ä b.wav"]
    totals = run(listed, tmp_path / "out")
    assert (totals.recordings, totals.transcribed, totals.failed, totals.status) == (5, 4, 1, 1)
    assert set(tree(tmp_path / "out")) == {
        "two\nlines.txt",
        latin[:-4] + ".txt",
        fits[:-4] + ".txt",
        "ä b.txt",
        "errors.jsonl",
    }
    reasons = errors(tmp_path / "out")
    assert "File name too long" in reasons[too_long]
    assert "ä b.wav" not in reasons
    assert "/../in/ä b.wav: given twice, also as " in capsys.readouterr().err
    assert run(listed, tmp_path / "out", resume=True).skipped == 4
    (source / "two\nlines.wav").write_bytes(b"")
    run(source, tmp_path / "out")
    lines = capsys.readouterr().err.splitlines()
    assert any("two\\nlines.wav: empty" in line for line in lines)


def test_a_recording_given_twice_is_transcribed_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = fill(tmp_path / "in", "a.wav", "b.wav")
    a, b = str(source / "a.wav"), str(source / "b.wav")
    totals = run([a, b, a, str(source)], tmp_path / "out")
    assert (totals.recordings, totals.transcribed, totals.failed, totals.status) == (2, 2, 0, 0)
    assert list(tree(tmp_path / "out")) == ["a.txt", "b.txt"]
    assert worked_on(tmp_path / "out") == ["a.wav", "b.wav"]
    said = capsys.readouterr().err.splitlines()
    assert said.count(f"{a}: given twice; transcribed once") == 2
    assert said.count(f"{b}: given twice; transcribed once") == 1


def test_a_trailing_slash_means_a_folder(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", "a.wav")
    (tmp_path / "empty").mkdir()
    assert run([str(source / "a.wav")], tmp_path / "one").status == 0
    assert list(tree(tmp_path / "one")) == ["a.txt"]
    for paths in ([str(tmp_path / "empty")], ["missing.wav"]):
        totals = run(paths, tmp_path / "none")
        assert (totals.recordings, totals.failed, totals.status) == (1, 1, 1)
        assert list(tree(tmp_path / "none")) == ["errors.jsonl"]


def test_results_are_not_written_among_the_recordings(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", "a.wav", "sub/b.wav")
    (source / "a.txt").write_text("the true text")
    (source / "errors.jsonl").write_text("mine")
    (tmp_path / "link").symlink_to(source)
    before = sorted(source.rglob("*"))
    for out in (source, tmp_path / "link", source / "sub"):
        with pytest.raises(ConfigError, match=f"--out {out}"):
            run(source, out)
    assert sorted(source.rglob("*")) == before and (source / "a.txt").read_text() == "the true text"
    assert run(source, source / "text").status == 0
    assert list(tree(source / "text")) == ["a.txt", "sub/b.txt"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"transcriber": FakeTranscriber("x", Decoding(nbest=2))}, "--format txt .*--nbest"),
        ({"workers": 0}, "--workers .*0"),
        ({"resume": True}, "--resume .*--out"),
        ({"resume": True, "out": "text.txt"}, "--resume .*--out"),
        ({"format": "mp3"}, "--format mp3: .*txt"),
        ({"format": "single"}, "--format single .*--out DIR"),
        (
            {"transcriber": FakeTranscriber("x", channel=1, split_channels=True)},
            "--channel .*--split-channels",
        ),
        ({"transcriber": FakeTranscriber("en-huge"), "out": "out/"}, "en-huge: .*en-small"),
    ],
)
def test_impossible_settings_are_named_and_write_nothing(
    options: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(fill(tmp_path, "a.wav", "b.wav"))
    monkeypatch.setitem(WRITERS, "single", Writer(".one", False, WRITERS["txt"].write))
    settings = {"transcriber": FakeTranscriber("en-small"), **options}
    with pytest.raises(AsrError, match=message):
        transcribe_files(["a.wav", "b.wav"], BatchJob(**settings))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.wav", "b.wav"]


def test_a_format_of_one_recording_per_file_needs_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(WRITERS, "single", Writer(".one", False, WRITERS["txt"].write))
    source = fill(tmp_path / "in", "a.wav", "b.wav")
    run(source, tmp_path / "out", format="single")
    assert list(tree(tmp_path / "out")) == ["a.one", "b.one"]
    transcribe_files([str(source / "a.wav")], BatchJob(FakeTranscriber("en-small"), "single"))
    assert capsys.readouterr().out.encode() == tree(tmp_path / "out")["a.one"]


@pytest.fixture
def tmpfs(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB. Mounting it needs root."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting is not permitted here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_after_a_full_disk_resume_completes_the_folder(tmp_path: Path, tmpfs: Path) -> None:
    source = fill(tmp_path / "in", *(f"{i:03}.wav" for i in range(100)))
    whole = tmp_path / "whole"
    run(source, whole)
    with pytest.raises(OutputError, match=r"\.txt: .*No space left") as ended:
        run(source, tmpfs)
    kept = len([name for name in tree(tmpfs) if name.endswith(".txt")])
    done = sum(len(json.loads(line)) for line in (tmpfs / LEDGER).read_text().splitlines())
    assert f"{done} of 100 recordings" in str(ended.value) and "--resume" in str(ended.value)
    assert 16 <= done <= kept < 100
    subprocess.run(["mount", "-o", "remount,size=4m", str(tmpfs)], check=True)
    totals = run(source, tmpfs, resume=True)
    assert (totals.skipped, totals.transcribed) == (done, 100 - done)
    assert tree(tmpfs) == tree(whole)


def test_a_read_only_folder_is_named(tmp_path: Path, tmpfs: Path) -> None:
    source = fill(tmp_path / "in", "a.wav")
    subprocess.run(["mount", "-o", "remount,ro", str(tmpfs)], check=True)
    for out in (tmpfs, tmpfs / "new", Path("/proc/out")):
        with pytest.raises(OutputError, match=str(out)) as ended:
            run(source, out, transcriber=FakeTranscriber("en-small", log=tmp_path / "log"))
        assert "0 of 1 recordings" in str(ended.value) and worked_on(tmp_path / "x") == []


def batch_process(
    source: Path, out: str, log: Path | None = None, kill_at: int = 0, **settings: Any
) -> subprocess.CompletedProcess[str]:
    """Run the batch in a process and a process group of its own.

    The worker processes hold its stderr open. This function therefore returns only when all of
    them have ended, and fails if one outlives a killed batch.
    """
    options = {
        "paths": [str(source)],
        "log": str(log or ""),
        "kill_at": kill_at,
        "batch": {"out": out, **settings},
    }
    return subprocess.run(
        [sys.executable, FAKES, json.dumps(options)],
        capture_output=True,
        text=True,
        start_new_session=True,
        timeout=300,
    )


def check_kills(tmp_path: Path, kills: int, workers: int) -> None:
    """Kill a batch at random file operations, resume it each time, and compare the results."""
    source = fill(tmp_path / "in", *(f"{i % 3}/{i:03}.wav" for i in range(60)), "0/bad.wav")
    (source / "0/bad.wav").write_bytes(b"no sound")
    fill(source, "1/x.wav", "1/x.flac")
    whole = batch_process(source, f"{tmp_path}/whole/", format="jsonl", workers=workers)
    assert whole.returncode == 1
    events = int(whole.stderr.split("events: ")[1])
    expected = tree(tmp_path / "whole")
    del expected["errors.jsonl"]
    assert len(expected) == 62
    rng = random.Random(4)
    out, log = tmp_path / "out", tmp_path / "log"
    settings: dict[str, Any] = {"format": "jsonl", "resume": True}
    died = 0
    for _ in range(kills):
        # A resumed batch has fewer file operations, so some of the kills come too late.
        kill_at = rng.randrange(1, events)
        killed = batch_process(source, f"{out}/", log, kill_at, workers=workers, **settings)
        died += killed.returncode == -signal.SIGKILL
    assert died >= kills // 2
    assert run(source, out, **settings).status == 1
    assert list(errors(out)) == ["bad.wav"]
    found = tree(out)
    del found["errors.jsonl"]
    assert found == expected
    # Each kill costs at most the units in work, and every batch tries the bad recording again.
    assert len(worked_on(out)) <= 63 + (kills + 1) + died * workers * UNIT_FILES


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_and_resumed_batch_gives_the_same_results(tmp_path: Path, workers: int) -> None:
    check_kills(tmp_path, 3, workers)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 3])
def test_many_kills(tmp_path: Path, workers: int) -> None:
    check_kills(tmp_path, 25, workers)


@pytest.mark.parametrize(
    ("name", "workers", "status"),
    [("ctrl-c", 1, 130), ("ctrl-c", 2, 130), ("sigterm", 1, 143), ("sigterm", 2, 143)],
)
def test_a_signal_ends_the_batch_and_keeps_finished_results(
    tmp_path: Path, name: str, workers: int, status: int
) -> None:
    source = fill(tmp_path / "in", *(f"{i:03}.wav" for i in range(40)), f"zz-{name}.wav")
    ended = batch_process(source, f"{tmp_path}/out/", workers=workers)
    assert ended.returncode == status, ended.stderr
    assert "Traceback" not in ended.stderr
    assert signal.Signals(status - 128).name in ended.stderr
    assert re.search(r"^to go on: .*fakes\.py .* --resume$", ended.stderr, re.MULTILINE)
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert summary["signal"] == status - 128
    # Two units come before the unit that sends the signal. With two workers, the results of the
    # second unit may not be written yet.
    assert summary["transcribed"] == 32 if workers == 1 else summary["transcribed"] in (0, 16, 32)
    assert len(tree(tmp_path / "out")) == summary["transcribed"]
    (source / f"zz-{name}.wav").rename(source / "zz.wav")
    totals = run(source, tmp_path / "out", resume=True)
    assert (totals.skipped, totals.status) == (summary["transcribed"], 0)
    run(source, tmp_path / "whole")
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_a_signal_leaves_a_file_with_the_results_so_far(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", *(f"{i:03}.wav" for i in range(20)), "zz-ctrl-c.wav")
    ended = batch_process(source, f"{tmp_path}/text.txt")
    assert ended.returncode == 130 and "5 not done" in ended.stderr
    assert len((tmp_path / "text.txt").read_text().splitlines()) == 16
    assert [p.name for p in tmp_path.iterdir() if p.name.endswith(".tmp")] == []


def test_a_second_signal_kills_the_process() -> None:
    code = """
import os, signal
from asr.base.interrupts import Stopped, stoppable
with stoppable():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except Stopped as stop:
        print(stop.number, flush=True)
    os.kill(os.getpid(), signal.SIGINT)
    print("still here")
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (-2, "15\n")


def test_a_signal_waits_for_the_end_of_a_held_block() -> None:
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


def command(*arguments: str | Path) -> list[str | Path]:
    """The `asr` command with the fake recogniser."""
    code = """
import fakes, asr.batch.workers
asr.batch.workers.Transcriber = fakes.FakeTranscriber
from asr.cli.app import main
main()
"""
    return [sys.executable, "-c", code, *arguments]


def test_a_full_stdout_is_an_error(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", "a.wav", "b.wav")
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            command("transcribe", source),
            cwd=FAKES.parent,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert ended.returncode == 1 and "stdout: " in ended.stderr and "No space left" in ended.stderr
    assert "Traceback" not in ended.stderr and "ignored" not in ended.stderr


def test_a_closed_stdout_ends_the_batch_quietly(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", *(f"{i:03}.wav" for i in range(40)))
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        command("transcribe", source, "--workers", "2"),
        cwd=FAKES.parent,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, "")


def test_a_missing_file_does_not_change_the_names_of_results(tmp_path: Path) -> None:
    source, out = fill(tmp_path / "in", "anna/01.wav"), tmp_path / "out"
    totals = run([str(source), str(tmp_path / "typo.wav")], out)
    assert (totals.recordings, totals.transcribed, totals.failed, totals.status) == (2, 1, 1, 1)
    assert (out / "anna" / "01.txt").is_file()
    assert "typo.wav: no such file" in (out / "errors.jsonl").read_text()
    assert run([str(source)], out, resume=True).skipped == 1


def test_an_output_file_keeps_its_content_if_nothing_was_transcribed(tmp_path: Path) -> None:
    out = tmp_path / "text.txt"
    out.write_text("older")
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    totals = transcribe_files(
        [str(tmp_path / "bad.wav")], BatchJob(FakeTranscriber("en-small"), out=str(out))
    )
    assert totals.status == 1 and out.read_text() == "older"
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []
