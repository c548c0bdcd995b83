"""Starts Chromium for the tests of the pages, and for the pictures in the documentation."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

OPTIONS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"),
)
"""No network of its own, and a microphone that is allowed and plays a file."""


def find_chromium() -> str | None:
    """Path of the browser; None if it is not installed."""
    return shutil.which("chromium") or shutil.which("google-chrome")


@contextmanager
def run_chromium(microphone: Path) -> Iterator[Browser]:
    """Chromium until the block ends.

    Args:
        microphone: WAV file that the microphone plays once.
    """
    # Here, because make test collects the tests of the pages without the extra `browser`.
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=30_000)  # a busy machine is no failure
    plays = f"--use-file-for-fake-audio-capture={microphone}%noloop"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=[*OPTIONS, plays], chromium_sandbox=False
        )
        yield browser
        browser.close()
