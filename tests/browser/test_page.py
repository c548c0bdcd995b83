"""The page of `asr serve` in Chromium."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from speech_server import Running

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    OpenPage = Callable[..., Page]

pytestmark = pytest.mark.browser

WORDS = ["oh", "furwor", "ten", "meaters"]


def test_files_are_transcribed_and_a_bad_one_stops_nothing(
    open_page: OpenPage, server: Running, goforward: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.wav").write_text("no audio")
    page = open_page(server.url)
    page.set_input_files("#files", [tmp_path / "notes.wav", goforward])
    good = page.get_by_role("article", name="goforward.wav")
    good.locator(".word").first.wait_for()
    assert good.locator(".word").all_inner_texts() == WORDS
    problem = page.get_by_role("article", name="notes.wav").locator(".problem")
    problem.wait_for()
    assert problem.inner_text().startswith("notes.wav: not readable as audio")
