"""The page of `asr serve` in Chromium: time to the first text, and equality of texts.

    python benchmarks/page.py data/kathleen/test.jsonl [--model en-small --clips 50 --starts 10]

Serves the model with the command `asr serve` in a process of its own. The microphone of a headless
Chromium plays one recording after the other, each from its first loud sample, and the script prints
percentiles of the time from the microphone's start to the first text on the page. Then it chooses
recordings as files, and compares the words on the page with `Recognizer.transcribe`. Needs the
extra `browser` and an installed Chromium.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from playwright.sync_api import Browser, Playwright, sync_playwright
from server import served

from asr.audio.reading import read_audio
from asr.data.manifest import read_manifest
from asr.recognizer import Recognizer

OPTIONS = (
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"),
)
LOUD = 0.1
"""Share of the largest sample from which a sample is loud."""
NOTE_TIMES = """
    window.times = {};
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wanted) => {
        const stream = await ask(wanted);
        times.start = performance.now();
        return stream;
    };
    addEventListener("click", () => (times.click ??= performance.now()), true);
    new MutationObserver(() => {
        const text = document.getElementById("live-text")?.textContent;
        if (times.start && text && !text.startsWith("Listening")) times.text ??= performance.now();
    }).observe(document, { subtree: true, childList: true, characterData: true });
"""
"""Notes in `times`, in ms: the click, the start of the microphone, and the first text."""


def launch(playwright: Playwright, *options: str) -> Browser:
    return playwright.chromium.launch(
        executable_path=shutil.which("chromium"), args=[*OPTIONS, *options], chromium_sandbox=False
    )


def first_text(playwright: Playwright, url: str, recording: Path) -> tuple[float, float]:
    """Seconds from the microphone's start, and from the click, to the first text."""
    browser = launch(playwright, f"--use-file-for-fake-audio-capture={recording}%noloop")
    page = browser.new_page(locale="en-US")
    page.add_init_script(NOTE_TIMES)
    page.goto(url)
    page.locator("#model:text('en')").wait_for()
    page.locator("#record").click()
    page.locator("#live-text").filter(has_not_text="Listening").wait_for()
    times = page.evaluate("() => times")
    browser.close()
    return (times["text"] - times["start"]) / 1000, (times["text"] - times["click"]) / 1000


def texts_on_page(playwright: Playwright, url: str, paths: list[Path]) -> list[str]:
    """The words that the page shows for each of some files."""
    browser = launch(playwright)
    page = browser.new_page(locale="en-US")
    page.goto(url)
    found = []
    for path in paths:
        page.set_input_files("#files", path.resolve())  # Playwright follows no links
        card = page.get_by_role("article")
        card.locator(".downloads").wait_for()
        found.append(" ".join(card.locator(".word").all_inner_texts()))
        card.locator("button.icon").click()
    browser.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default="en-small")
    parser.add_argument("--clips", type=int, default=50)
    parser.add_argument("--starts", type=int, default=10)
    arguments = parser.parse_args()
    paths = [u.path for u in read_manifest(arguments.manifest) if u.audio_filepath is not None]
    recognizer = Recognizer.load(arguments.model)
    rate = recognizer.config.features.sample_rate
    clips = paths[: arguments.clips]
    with (
        tempfile.TemporaryDirectory() as folder,
        served(arguments.model) as (port, _),
        sync_playwright() as playwright,
    ):
        url, times = f"http://127.0.0.1:{port}/", []
        for path in paths[: arguments.starts]:
            samples = read_audio(path, rate)
            loud = np.flatnonzero(np.abs(samples) > LOUD * np.abs(samples).max())
            soundfile.write(f"{folder}/a.wav", samples[loud[0] :], rate, subtype="PCM_16")
            times.append(first_text(playwright, url, Path(folder, "a.wav")))
        shown = texts_on_page(playwright, url, clips)
    expected = [" ".join(recognizer.transcribe(path).text.split()) for path in clips]
    equal = sum(a == b for a, b in zip(shown, expected, strict=True))
    starts = ("the microphone starts", "the click")
    for name, values in zip(starts, np.transpose(times), strict=True):
        middle, high = np.percentile(values, [50, 95])
        print(
            f"first text after {name}: median {middle:.2f} s, percentile 95 {high:.2f} s, "
            f"slowest {max(values):.2f} s ({len(values)} recordings)"
        )
    print(f"words on the page equal to Recognizer.transcribe: {equal} of {len(clips)} recordings")


if __name__ == "__main__":
    main()
