"""How programs start, wait, fail and end: `run_program`, for commands and pipelines alike."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asr.base import progress
from asr.cli.app import COMMANDS, _label
from asr.cli.program import resumable

RunAsr = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).parents[2]
PRINT = """
import json, sys
from asr.cli.program import run_program
def main():
    print(json.dumps({"text": sys.argv[1]}, ensure_ascii=False))
run_program(main)
"""


def program(code: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, cwd=ROOT, **options)


@pytest.mark.parametrize("text", ["привет", "naïve £5", "한국어 😀", "a\u2028b"])
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_characters_that_stdout_cannot_encode_are_escaped_as_in_json(
    text: str, encoding: str
) -> None:
    env = {**os.environ, "PYTHONIOENCODING": encoding}
    ended = subprocess.run(
        [sys.executable, "-c", PRINT, text], capture_output=True, env=env, cwd=ROOT
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    printed = ended.stdout.decode(encoding)
    assert json.loads(printed) == {"text": text}
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        assert "\\u" in printed
    else:
        assert text in printed


def test_an_error_handler_that_the_user_chose_stays() -> None:
    env = {**os.environ, "PYTHONIOENCODING": "ascii:replace"}
    assert program(PRINT, "я", stdout=subprocess.PIPE, env=env).stdout == '{"text": "?"}\n'


@pytest.mark.parametrize("lines", [1, 100_000])
def test_a_closed_pipe_is_no_traceback(lines: int) -> None:
    code = f"""
from asr.cli.program import run_program
def main():
    for i in range({lines}):
        print(i)
run_program(main)
"""
    reading, writing = os.pipe()
    os.close(reading)
    ended = program(code, stdout=writing)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, "")


@pytest.mark.parametrize("lines", [1, 100_000])
@pytest.mark.parametrize("end", ["", "sys.exit(0)"])
def test_a_full_stdout_is_one_line(lines: int, end: str) -> None:
    code = f"""
import sys
from asr.cli.program import run_program
def main():
    for i in range({lines}):
        print(i)
    {end}
run_program(main)
"""
    with Path("/dev/full").open("w") as full:
        ended = program(code, stdout=full)
    assert ended.returncode == 1
    assert ended.stderr == "error: stdout: cannot be written (No space left on device)\n"


@pytest.mark.parametrize(
    ("raised", "status", "message"),
    [
        ("AsrError('x.wav: broken')", 1, "error: x.wav: broken\n"),
        ("FileNotFoundError(2, 'No such file', 'x.wav')", 1, "error: x.wav: No such file\n"),
        ("KeyboardInterrupt", 130, ""),
        ("Stopped(15)", 143, ""),
        ("SystemExit(3)", 3, ""),
    ],
)
def test_exceptions_become_a_line_and_a_status(raised: str, status: int, message: str) -> None:
    code = f"""
from asr.base.interrupts import Stopped
from asr.cli.program import run_program
from asr.errors import AsrError
def main():
    raise {raised}
run_program(main)
"""
    ended = program(code)
    assert (ended.returncode, ended.stderr) == (status, message)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_resumable_command_says_how_to_go_on(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["/opt/bin/asr", "train", "my model.yaml", "--out", "runs/a"])
    with pytest.raises(SystemExit) as ended, resumable():
        os.kill(os.getpid(), number)
    assert ended.value.code == 128 + number
    line = "stopped; to go on: asr train 'my model.yaml' --out runs/a\n"
    assert capsys.readouterr().err == line


def test_the_command_of_a_script_has_its_interpreter(tmp_path: Path) -> None:
    script = tmp_path / "my script.py"
    script.write_text("from asr.base.provenance import repeat_command\nprint(repeat_command('-b'))")
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(script), "a b", "-a"]
    run = subprocess.run(command, capture_output=True, text=True, env=env, check=True)
    assert shlex.split(run.stdout) == [*command, "-b"]


@pytest.mark.parametrize("command", ["train", "lm train"])
def test_a_stopped_training_names_the_command(
    command: str, asr: RunAsr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asr.training import from_yaml, train_language_model

    def stop(*arguments: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.chdir(tmp_path)
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("a b c\n")
    monkeypatch.setattr(from_yaml, "train_from_yaml", stop)
    monkeypatch.setattr(train_language_model, "train_language_model", stop)
    arguments = {
        "train": ["train", "my.yaml", "--data", "d"],
        "lm train": ["lm", "train", "a.txt", "--dev", "b.txt", "--kind", "rnn", "--out", "lm"],
    }[command]
    code, out, err = asr(*arguments)
    assert (code, out) == (130, "")
    assert err.endswith(f"stopped; to go on: asr {shlex.join(arguments)}\n")


@pytest.mark.parametrize("option", ["--out", "--max-steps", "--workers"])
def test_options_of_one_training_are_refused_for_several(option: str, asr: RunAsr) -> None:
    code, out, err = asr("train", "a.yaml", "b.yaml", option, "2")
    assert (code, out) == (1, "")
    assert err == f"error: {option}: only for one YAML file\n"


def test_every_pipeline_ends_like_a_command() -> None:
    for path in (ROOT / "pipelines").glob("*.py"):
        assert "    run_program(main)\n" in path.read_text(), path


def test_the_spinner_names_the_command() -> None:
    assert _label(["lm", "train", "x.txt"]) == "asr lm train"
    assert _label(["align", "x.wav"]) == "asr align"
    assert _label([]) == "asr"
    assert _label(["listen"]) == ""  # a person speaks
    assert _label(["serve", "--port", "0"]) == ""  # clients come when they like
    assert _label(["label", "recordings/"]) == ""


def test_every_command_shows_a_spinner_while_it_is_silent(
    asr: RunAsr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`waiting` is around all of them, whatever they show of their own."""
    seen = []

    def watch(label: str) -> Any:
        seen.append(label)
        return progress.spinner(label)

    monkeypatch.setattr("asr.cli.program.waiting", watch)
    for name in COMMANDS:
        asr(name, "--help")
    waiting_for_others = ("label", "listen", "serve")
    assert [label.split()[:2] for label in seen] == [
        ["asr", name] for name in COMMANDS if name not in waiting_for_others
    ]


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["lm", "train", "text.txt", "--out", "DIR/"], "--out"),
        (["lm", "train", "text.txt", "--out", "DIR"], "--out"),
        (["lm", "convert", "a.ngrams", "DIR/"], "lm convert"),
        (["align", "x.wav", "x", "--plot", "DIR/"], "--plot"),
        (["evaluate", "en-small", "m.jsonl", "--plot", "new/"], "--plot"),
        (["transcribe", "x.wav", "--errors", "new/"], "--errors"),
    ],
)
def test_a_folder_is_refused_where_a_file_is_needed(
    asr: RunAsr,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    option: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "DIR").mkdir()
    (tmp_path / "text.txt").write_text("a b c\n")
    code, out, err = asr(*arguments)
    assert (code, out) == (1, "")
    assert re.fullmatch(rf"error: {option} (DIR|new)/?: is a folder; .*file.*\n", err)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["DIR", "text.txt"]


def test_a_trailing_slash_means_a_folder_in_align_as_in_transcribe(
    asr: RunAsr, model: str, goforward: Path, tmp_path: Path
) -> None:
    code, out, _ = asr(
        "align", goforward, "go", "-m", model, "--format", "txt", "--out", f"{tmp_path}/new/"
    )
    assert (code, out) == (0, "")
    assert (tmp_path / "new" / "goforward.txt").read_text() == "go\n"


@pytest.mark.parametrize(
    "script", ["evaluate.py en-small m.jsonl --out", "build_lexicon.py x --out"]
)
def test_pipelines_refuse_a_folder_as_file(script: str, tmp_path: Path) -> None:
    name, *arguments = script.split()
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, ROOT / "pipelines" / name, *arguments, "new/"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env)
    assert ended.returncode == 1
    assert ended.stderr == "error: --out new/: is a folder; give the name of a file in it\n"
