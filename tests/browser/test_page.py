"""The page of `asr serve` in Chromium."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from speech_server import Running, run_server
from typer.testing import CliRunner

from asr.cli.app import app
from asr.recognizer import Recognizer

if TYPE_CHECKING:
    from playwright.sync_api import Page

    OpenPage = Callable[..., Page]
    FindProblems = Callable[[Page], list[str]]

pytestmark = pytest.mark.browser

SPOKEN = re.compile("^[a-z]+( [a-z]+)*$")
"""Live text; the words depend on when the microphone starts."""
WORDS = ["oh", "furwor", "ten", "meaters"]
FORMATS = ("txt", "srt", "vtt", "TextGrid", "json")
LISTEN = """() => {
    const played = [];
    window.pause = new Promise((resolve) => {
        for (const name of ["play", "pause"]) {
            document.addEventListener(name, (event) => {
                played.push([name, event.target.currentTime]);
                if (name === "pause") resolve(played);
            }, true);
        }
    });
}"""
"""Notes where the next sound of the page starts and stops."""


TALLEST = """(parts) => {
    const canvas = document.querySelector(".waveform canvas");
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    const bars = new Array(width).fill(0);
    for (let i = 0; i < width * height; i++) bars[i % width] += data[4 * i + 3] > 0;
    return parts.map(([from, to]) => Math.max(...bars.slice(from * width, to * width)) / height);
}"""
"""Height of the tallest bar in parts of the waveform, over the waveform's height."""


def expect(locator: Any) -> Any:
    """Playwright's assertions, which wait for what they assert. Imported late: see conftest.py."""
    from playwright.sync_api import expect as expect_of

    return expect_of(locator)


def upload(page: Page, *paths: Path) -> Any:
    """Choose files, and wait for the words of the last one."""
    page.set_input_files("#files", paths)
    card = page.get_by_role("article", name=paths[-1].name)
    card.locator(".downloads").wait_for()
    return card


def test_files_are_transcribed_and_a_bad_one_stops_nothing(
    open_page: OpenPage, server: Running, goforward: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.wav").write_text("no audio")
    page = open_page(server.url)
    good = upload(page, tmp_path / "notes.wav", goforward)
    assert good.locator(".word").all_inner_texts() == WORDS
    bad = page.get_by_role("article", name="notes.wav")
    bad.locator(".problem").wait_for()
    assert bad.locator(".problem p").inner_text().startswith("notes.wav: not readable as audio")
    bad.get_by_role("button", name="Try again").click()
    bad.locator(".problem").wait_for()
    bad.get_by_role("button", name="Remove notes.wav").click()
    expect(page.get_by_role("article")).to_have_count(1)
    expect(page.locator("#choose")).to_be_focused()


def test_the_text_so_far_of_a_long_recording_is_shown(
    open_page: OpenPage, server: Running, goforward: Path, tmp_path: Path
) -> None:
    samples, rate = soundfile.read(goforward, dtype="int16")
    soundfile.write(tmp_path / "long.wav", np.tile(samples, 20), rate)
    page = open_page(server.url)
    page.evaluate(
        """() => {
            window.seen = [];
            new MutationObserver(() => seen.push(document.querySelector("article").innerText))
                .observe(document.getElementById("recordings"), { subtree: true, childList: true });
        }"""
    )
    card = upload(page, tmp_path / "long.wav")
    assert any("… oh" in text for text in page.evaluate("() => seen"))
    expect(card.get_by_text("… oh")).to_be_hidden()
    assert card.locator(".word").count() > 60


def test_files_are_dropped(open_page: OpenPage, server: Running, goforward: Path) -> None:
    page = open_page(server.url)
    data = page.evaluate_handle(
        """(content) => {
            const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
            const data = new DataTransfer();
            data.items.add(new File([bytes], "dropped.wav"));
            return data;
        }""",
        base64.b64encode(goforward.read_bytes()).decode(),
    )
    page.dispatch_event("main", "drop", {"dataTransfer": data})
    card = page.get_by_role("article", name="dropped.wav")
    expect(card.locator(".word")).to_have_text(WORDS)


def test_a_click_plays_a_word(
    open_page: OpenPage, server: Running, small: Recognizer, goforward: Path
) -> None:
    page = open_page(server.url)
    card = upload(page, goforward)
    page.evaluate(LISTEN)
    word = small.transcribe(goforward).words[2]
    card.get_by_role("button", name="ten", exact=True).click()
    details = card.locator(".details").first
    percent = round(100 * word.confidence)
    expect(details).to_have_text(f"ten: {word.start:.2f} to {word.end:.2f} s, {percent} % sure")
    expect(card.get_by_role("button", name="Play")).to_be_visible()
    (first, start), (last, end) = page.evaluate("() => pause")
    assert (first, last) == ("play", "pause")
    assert start == pytest.approx(word.start, abs=0.02)
    assert word.end <= end < word.end + 0.2


def test_words_are_played_by_the_keyboard(
    open_page: OpenPage, server: Running, small: Recognizer, goforward: Path
) -> None:
    page = open_page(server.url)
    card = upload(page, goforward)
    page.evaluate(LISTEN)
    expect(card.get_by_text("By sound alone also")).to_be_hidden()
    card.get_by_label("Speed").select_option("0.5")
    card.locator(".word").first.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "End", "ArrowRight"):
        page.keyboard.press(key)
    expect(card.locator(".word").last).to_be_focused()
    page.keyboard.press("Enter")
    expect(card.locator(".details").first).to_contain_text("meaters")
    expect(card.get_by_text("By sound alone also")).to_contain_text("neaters")
    expect(card.get_by_role("button", name="Play")).to_be_visible()
    word = small.transcribe(goforward).words[3]
    assert page.evaluate("() => pause")[0][1] == pytest.approx(word.start, abs=0.02)
    assert page.evaluate("() => document.querySelector('audio').playbackRate") == 0.5
    # Only one word is a stop of the tabulator.
    assert card.locator(".word[tabindex='0']").all_inner_texts() == ["meaters"]


def test_the_waveform_is_a_slider(open_page: OpenPage, server: Running, goforward: Path) -> None:
    page = open_page(server.url)
    slider = upload(page, goforward).get_by_role("slider")
    slider.focus()
    for key, time in (("ArrowRight", "1.00"), ("ArrowRight", "2.00"), ("ArrowLeft", "1.00")):
        page.keyboard.press(key)
        expect(slider).to_have_attribute("aria-valuenow", time)
    page.keyboard.press("End")
    expect(slider).to_have_attribute("aria-valuenow", "2.79")
    expect(slider).to_have_attribute("aria-valuetext", "0:02.7 / 0:02.7")
    page.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuenow", "0.00")
    silence, loudest = page.evaluate(TALLEST, [[0.02, 0.15], [0.2, 0.35]])
    assert silence < 0.1 and loudest > 0.8


@pytest.mark.parametrize("format", FORMATS)
def test_downloads_are_the_files_of_the_command(
    open_page: OpenPage,
    server: Running,
    goforward: Path,
    monkeypatch: pytest.MonkeyPatch,
    format: str,
) -> None:
    page = open_page(server.url)
    card = upload(page, goforward)
    with page.expect_download() as started:
        card.get_by_role("link", name=format, exact=True).click()
    assert started.value.suggested_filename == f"goforward.{format}"
    monkeypatch.chdir(goforward.parent)
    command = ["transcribe", goforward.name, "--model", "en-small", "--lm", "none"]
    expected = CliRunner().invoke(app, [*command, "--format", format])
    assert started.value.path().read_bytes() == expected.stdout.encode()


def test_a_recording_has_live_text_and_stays_in_the_list(
    open_page: OpenPage, server: Running, small: Recognizer, tmp_path: Path
) -> None:
    page = open_page(server.url)
    page.get_by_role("button", name="Record", exact=True).click()
    expect(page.locator("#live-text")).to_have_text(SPOKEN)
    page.get_by_role("button", name="Stop recording").click()
    card = page.get_by_role("article", name=re.compile("Recording 20"))
    card.locator(".downloads").wait_for()
    expect(page.locator("#live")).to_be_hidden()
    with page.expect_download() as started:
        card.get_by_role("link", name="Audio").click()
    started.value.save_as(tmp_path / "recording.wav")
    expected = small.transcribe(tmp_path / "recording.wav")
    assert card.locator(".word").all_inner_texts() == expected.text.split() != []


def test_hot_words_are_favoured(open_page: OpenPage, server: Running, goforward: Path) -> None:
    page = open_page(server.url)
    page.get_by_label("Words to favour").fill("meters, New York")
    card = upload(page, goforward)
    assert card.locator(".word").all_inner_texts() == ["oh", "furwor", "ten", "meters"]


def test_a_text_is_spoken_with_its_phones(open_page: OpenPage, server: Running) -> None:
    page = open_page(server.url)
    page.evaluate(LISTEN)
    page.get_by_role("tab", name="Speak").click()
    page.get_by_label("Text", exact=True).fill("one two")
    page.get_by_role("button", name="Speak", exact=True).click()
    spoken = page.locator("#spoken")
    expect(spoken.locator(".word")).to_have_text(["oneo n e", "twot w o"])
    expect(spoken.get_by_role("slider")).to_have_attribute("aria-valuemax", "1.00")
    expect(spoken.get_by_role("slider")).to_have_attribute("aria-valuenow", "1.00")
    (_, start), (_, end) = page.evaluate("() => pause")
    assert (start, end) == (0, pytest.approx(1.0, abs=0.01))
    page.evaluate(LISTEN)
    spoken.locator(".word").first.click()
    expect(spoken.get_by_role("button", name="Play")).to_be_visible()
    (_, start), (_, end) = page.evaluate("() => pause")
    assert start == pytest.approx(0, abs=0.02) and 0.5 <= end < 0.8
    page.get_by_label("Text", exact=True).fill(" ")
    page.get_by_role("button", name="Speak", exact=True).click()
    expect(page.locator("#speak-problem")).to_have_text("nothing to speak")


def test_a_server_with_a_key_asks_for_it(
    open_page: OpenPage, small: Recognizer, goforward: Path
) -> None:
    with run_server(small, api_key="a/key~?>", voice=None, workers=1) as server:
        page = open_page(server.url)
        for wrong in ("wrong", "a/key~?>"):
            dialog = page.get_by_role("dialog")
            page.get_by_label("API key").fill(wrong)
            dialog.get_by_role("button", name="Continue").click()
        expect(page.locator("#model")).to_have_text("en-small")
        expect(page.get_by_role("tab")).to_have_text(["Transcribe"])  # there is no voice
        assert upload(page, goforward).locator(".word").all_inner_texts() == WORDS
        page.get_by_role("button", name="Record", exact=True).click()
        expect(page.locator("#live-text")).to_have_text(SPOKEN)
        page.get_by_role("button", name="Stop recording").click()
        page.get_by_role("article", name=re.compile("Recording")).locator(".downloads").wait_for()


def test_a_server_that_is_gone_is_an_error_in_words(
    open_page: OpenPage, small: Recognizer, goforward: Path
) -> None:
    with run_server(small, voice=None, workers=1) as server:
        page = open_page(server.url)
        expect(page.locator("#model")).to_have_text("en-small")
    page.set_input_files("#files", goforward)
    expect(page.locator(".card .problem p")).to_have_text(
        "The server does not answer. Is asr still running?"
    )


def test_the_interface_speaks_korean(open_page: OpenPage, server: Running, goforward: Path) -> None:
    page = open_page(server.url, "ko-KR")
    assert page.evaluate("() => document.documentElement.lang") == "ko"
    expect(page.get_by_role("tab")).to_have_text(["받아쓰기", "읽어주기"])
    card = upload(page, goforward)
    expect(card.locator(".details").first).to_have_text("단어를 누르면 들립니다.")
    page.get_by_label("언어").select_option("en")
    expect(card.locator(".details").first).to_have_text("Click a word to hear it.")
    expect(card.get_by_role("button", name="Play")).to_be_visible()
    page.reload()
    expect(page.get_by_role("tab")).to_have_text(["Transcribe", "Speak"])


@pytest.mark.parametrize("locale", ["en-US", "ko-KR"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_there_are_no_barriers_and_a_phone_shows_all(
    open_page: OpenPage,
    accessibility_problems: FindProblems,
    server: Running,
    goforward: Path,
    tmp_path: Path,
    locale: str,
    scheme: str,
) -> None:
    (tmp_path / "notes.wav").write_text("no audio")
    phone = {"width": 360, "height": 740}
    page = open_page(server.url, locale, viewport=phone, color_scheme=scheme)

    def check() -> None:
        assert accessibility_problems(page) == []
        assert page.evaluate("() => document.documentElement.scrollWidth") == 360

    card = upload(page, tmp_path / "notes.wav", goforward)
    page.locator(".problem:visible").wait_for()
    card.locator(".word").nth(1).click()
    page.locator("#record").click()
    expect(page.locator("#live-text")).to_have_text(SPOKEN)
    check()
    page.locator("#record").click()
    page.locator("#speak-tab").click()
    page.locator("#text").fill("one two")
    page.locator("#speak-form button").click()
    page.locator("#spoken").wait_for()
    check()


def test_the_focus_is_visible(open_page: OpenPage, server: Running, goforward: Path) -> None:
    page = open_page(server.url)
    upload(page, goforward)
    page.locator("#language").focus()
    seen = []
    for _ in range(14):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate(
                """() => {
                    const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
                    return outlineStyle === "solid" && parseFloat(outlineWidth) >= 2;
                }"""
            )
        )
    assert all(seen)


def test_motion_is_reduced_where_the_user_wishes(open_page: OpenPage, server: Running) -> None:
    page = open_page(server.url, reduced_motion="reduce")
    name = "() => getComputedStyle(document.querySelector('.dot')).animationName"
    assert page.evaluate(name) == "none"


def test_foreign_scripts_do_not_run(server: Running, browser: Any) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.url)
    found = page.evaluate(
        """() => new Promise((resolve) => {
            window.violations = [];
            document.addEventListener("securitypolicyviolation", (event) => {
                violations.push(event.effectiveDirective);
                if (violations.length === 2) resolve(violations);
            });
            const script = document.createElement("script");
            script.textContent = "window.broken = true";
            document.body.append(script);
            const image = document.createElement("img");
            image.src = "http://127.0.0.2:1/a.png";
            document.body.append(image);
        })"""
    )
    assert sorted(found) == ["img-src", "script-src-elem"]
    assert page.evaluate("() => window.broken") is None
    context.close()
