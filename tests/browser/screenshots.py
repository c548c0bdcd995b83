"""Make the pictures of the pages in the documentation.

    PYTHONPATH=tests python tests/browser/screenshots.py docs/images

The server decodes with the general language model and speaks with its real voice.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from chromium import run_chromium
from speech_server import run_server

from asr.decoding.decoding_options import Decoding
from asr.recognizer import Recognizer

GOFORWARD = Path(__file__).parents[1] / "fixtures" / "goforward.wav"
SIZE = {"width": 760, "height": 880}
TEXT = "Good morning. It is twenty to nine."


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where the pictures are written")
    folder = parser.parse_args().folder
    recognizer = Recognizer.load("en-small", Decoding(lm="general"))
    with run_server(recognizer) as server, run_chromium(GOFORWARD) as browser:
        page = browser.new_page(viewport=SIZE)
        page.goto(server.url)
        page.set_input_files("#files", GOFORWARD)
        page.locator(".word").nth(1).click()
        page.get_by_role("button", name="Play").wait_for()
        page.mouse.move(0, 0)
        page.screenshot(path=folder / "page-transcribe.png")
        page.locator("#record").click()
        page.get_by_text("ten").first.wait_for()
        page.locator("#live").screenshot(path=folder / "page-record.png")
        page.locator("#record").click()
        page.locator("#speak-tab").click()
        page.locator("#text").fill(TEXT)
        page.locator("#speak-form button").click()
        page.locator("#spoken").get_by_role("button", name="Play").wait_for(timeout=600_000)
        page.screenshot(path=folder / "page-speak.png")


if __name__ == "__main__":
    main()
