"""Spinners and bars on a terminal."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from asr.base import progress
from asr.base.progress import spinner, track, waiting


class Terminal(io.StringIO):
    """Keeps what a terminal would get."""

    encoding = "utf-8"
    errors = "strict"

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        raise OSError


@pytest.fixture
def open_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Terminal]]:
    """Makes stderr a terminal. A test calls it: pytest replaces stderr behind its fixtures."""

    def open_one() -> Terminal:
        shown = Terminal()
        monkeypatch.setattr(sys, "stderr", shown)
        return shown

    monkeypatch.setenv("TERM", "xterm")
    progress._own_stream.cache_clear()
    yield open_one
    progress._own_stream.cache_clear()
    assert progress._shown == []


def test_nothing_is_shown_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with waiting("asr train"), spinner("loading"):
        time.sleep(progress.QUIET_SECONDS + 2 * progress.CHECK_SECONDS)
        assert list(track("ab", 2, "letters")) == ["a", "b"]
    assert capsys.readouterr() == ("", "")


def test_one_display_is_shown_at_a_time(open_terminal: Callable[[], Terminal]) -> None:
    terminal = open_terminal()
    with spinner("outer"):
        for _ in track("ab", 2, "letters"):
            assert [d.live.is_started for d in progress._shown] == [False, True]
            with spinner("inner"):
                assert [d.live.is_started for d in progress._shown] == [False, False, True]
        assert [d.live.is_started for d in progress._shown] == [True]
    text = terminal.getvalue()
    assert "outer" in text and "letters" in text and "inner" in text


def test_a_display_that_is_left_early_ends(open_terminal: Callable[[], Terminal]) -> None:
    open_terminal()
    items = track("ab", 2, "letters")
    assert next(items) == "a" and len(progress._shown) == 1
    with spinner("later"):
        items.close()  # type: ignore[attr-defined]
        assert [d.live.is_started for d in progress._shown] == [True]


def test_a_spinner_appears_in_silence_and_disappears_before_a_text(
    open_terminal: Callable[[], Terminal],
) -> None:
    terminal = open_terminal()
    with waiting("asr lm train"):
        print("early", file=sys.stderr)
        quiet = progress.QUIET_SECONDS + 5 * progress.CHECK_SECONDS
        time.sleep(quiet)
        assert "asr lm train" in terminal.getvalue().partition("early\n")[2]
        print("a result", file=sys.stderr)
        assert progress._shown == []
        # The line of the spinner is erased before the text begins.
        assert terminal.getvalue().endswith("\x1b[2Ka result\n")
        with spinner("own display"):
            time.sleep(quiet)
            assert len(progress._shown) == 1
    assert sys.stderr is terminal


def test_a_spinner_is_shown_while_stderr_is_silenced() -> None:
    code = """
import sys, time
from unittest.mock import MagicMock
sys.modules["keras"] = sys.modules["tensorflow"] = MagicMock()  # their import takes seconds
from asr.base.progress import spinner
from asr.base.tensorflow import _silent_stderr
with spinner("reading"), _silent_stderr():
    time.sleep(0.5)
"""
    leader, follower = os.openpty()
    subprocess.run([sys.executable, "-c", code], stderr=follower, check=True)
    shown = os.read(leader, 1 << 16).decode()
    os.close(follower)
    os.close(leader)
    assert shown.count("reading") > 2  # it moves


def test_labels_are_no_markup(open_terminal: Callable[[], Terminal]) -> None:
    terminal = open_terminal()
    with spinner("aligning [b]talk.wav"):
        pass
    assert "aligning [b]talk.wav" in terminal.getvalue()


def test_a_terminal_without_unicode_has_a_plain_spinner(
    open_terminal: Callable[[], Terminal],
) -> None:
    terminal = open_terminal()
    terminal.encoding = "ascii"  # type: ignore[misc]
    with spinner("loading"):
        pass
    assert terminal.getvalue().isascii()
