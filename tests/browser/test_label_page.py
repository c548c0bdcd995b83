"""The page of `asr label` in Chromium, by the keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from label_server import Labelling, run_labelling, three_recordings
from typer.testing import CliRunner

from asr.cli.app import app
from asr.recognizer import Recognizer

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    OpenPage = Callable[..., Page]
    FindProblems = Callable[[Page], list[str]]

pytestmark = pytest.mark.browser

SAID = {"forward.wav": "go forward ten meters", "ten.flac": "ten meters"}


@pytest.fixture
def labelling(small: Recognizer, tmp_path: Path) -> Iterator[Labelling]:
    folder = three_recordings(tmp_path / "recordings")
    with run_labelling(small, folder, tmp_path / "labels.jsonl") as running:
        running.wait_until_heard(3)
        yield running


def shown(page: Page) -> str:
    """Name of the recording on the page, when its sound is there."""
    page.locator("#player button:not([disabled])").wait_for()
    return page.locator("#name").inner_text()


def wait_for_status(page: Page, text: str) -> None:
    page.locator("#status", has_text=text).wait_for()


def wait_for_another(page: Page, name: str) -> None:
    from playwright.sync_api import expect

    expect(page.locator("#name")).not_to_have_text(name)


def test_three_recordings_by_the_keyboard_alone_and_a_training_on_them(
    labelling: Labelling, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page(labelling.url)
    press, write = page.keyboard.press, page.keyboard.type
    assert shown(page) == "silence.wav"  # nothing was heard: least sure
    assert page.evaluate("document.activeElement.id") == "text"
    press("Alt+x")
    page.get_by_role("dialog").wait_for()
    write("nothing is said")
    press("Enter")
    wait_for_status(page, "Saved: silence.wav")
    wait_for_another(page, "silence.wav")
    for _ in range(2):
        name = shown(page)
        press("Control+a")
        write(SAID[name])
        press("Enter")
        wait_for_status(page, f"Saved: {name}")
    page.locator("#rest", has_text="Everything is labelled").wait_for()
    labels = {Path(line["audio_filepath"]).name: line for line in labelling.lines()}
    assert {name: labels[name]["text"] for name in SAID} == SAID
    assert labels["silence.wav"]["label"]["reason"] == "nothing is said"

    with page.expect_request("**/label/open"):
        pass  # the page looks for a recording again and again
    press("Alt+u")  # the last one
    wait_for_status(page, f"Taken back: {name}")
    assert len(labelling.lines()) == 2
    assert (
        page.locator("#text").input_value()
        == labelling.session.card(
            page.evaluate("undefined")
            or next(t.id for t in labelling.session.tasks if t.name == name)
        ).heard.text
    )
    press("Enter")  # accepted as the recogniser wrote it
    wait_for_status(page, f"Saved: {name}")
    page.locator("#rest", has_text="Everything is labelled").wait_for()
    accepted = next(x for x in labelling.lines() if x["audio_filepath"].endswith(name))
    assert accepted["text"] == accepted["label"]["heard"]

    out = str(labelling.out)
    checked = CliRunner().invoke(app, ["data", "check", out, "--model", "en-small"])
    assert checked.exit_code == 0, checked.output
    config = tmp_path / "mine.yaml"
    config.write_text(
        f"name: mine\ndata: {{train: [{out}], dev: [{out}]}}\nacoustic: {{units: 8, layers: 1}}\n"
        "training: {epochs: 1, batch_size: 1}\n"  # two steps
    )
    trained = CliRunner().invoke(
        app,
        ["train", str(config), "--data", str(tmp_path), "--out", f"{tmp_path}/run"],
    )
    assert trained.exit_code == 0, trained.output
    assert (tmp_path / "run" / "model" / "model.json").is_file(), trained.output


def test_words_are_played_slower_and_selected_for_correction(
    labelling: Labelling, open_page: OpenPage
) -> None:
    page = open_page(labelling.url)
    while shown(page) != "forward.wav":
        name = page.locator("#name").inner_text()
        page.keyboard.press("Alt+n")
        wait_for_another(page, name)
    words = page.locator(".word").all_inner_texts()
    for _ in range(3):
        page.keyboard.press("Alt+,")
    assert page.evaluate("document.querySelector('audio').playbackRate") == 0.7
    assert page.evaluate("document.querySelector('audio').preservesPitch")
    page.keyboard.press("Alt+ArrowRight")
    page.keyboard.press("Alt+ArrowRight")
    field = "document.getElementById('text')"
    selected = f"{field}.value.slice({field}.selectionStart, {field}.selectionEnd)"
    assert page.evaluate(selected) == words[1]
    page.keyboard.type("forward")
    assert page.locator("#text").input_value() == " ".join([words[0], "forward", *words[2:]])
    page.keyboard.press("Alt+p")
    wait_for_another(page, "forward.wav")
    page.keyboard.press("Alt+n")
    page.locator("#name", has_text="forward.wav").wait_for()
    assert "forward" in page.locator("#text").input_value()  # typed, not saved, and still there
    page.keyboard.press("Alt+r")
    assert page.locator("#text").input_value() == " ".join(words)


def test_a_text_that_cannot_be_trained_on_is_told_while_typing(
    labelling: Labelling, open_page: OpenPage
) -> None:
    from playwright.sync_api import expect

    page = open_page(labelling.url)
    name = shown(page)
    page.keyboard.press("Control+a")
    page.keyboard.type("go вниз")
    page.locator("#text-problem", has_text="The model cannot write this: в з и н").wait_for()
    page.keyboard.press("Enter")
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    page.locator("#text-problem", has_text="There is no text").wait_for()
    assert not labelling.out.exists()
    page.keyboard.type("go on")
    expect(page.locator("#text-problem")).to_have_text("")
    page.keyboard.press("Enter")
    wait_for_status(page, f"Saved: {name}")


def test_two_tabs_cannot_overwrite_each_other(
    labelling: Labelling, open_page: OpenPage, accessibility_problems: FindProblems
) -> None:
    one, two = open_page(labelling.url), open_page(labelling.url)
    name = shown(one)
    assert shown(two) != name  # two people get different recordings
    two.keyboard.press("Alt+p")
    two.locator("#name", has_text=name).wait_for()
    for page, text in ((one, "from one"), (two, "from two")):
        page.keyboard.press("Control+a")
        page.keyboard.type(text)
    one.keyboard.press("Enter")
    wait_for_status(one, f"Saved: {name}")
    two.keyboard.press("Enter")
    dialog = two.get_by_role("dialog")
    dialog.wait_for()
    assert dialog.locator("dd").all_inner_texts() == ["from one", "from two"]
    assert accessibility_problems(two) == []
    assert [line["text"] for line in labelling.lines()] == ["from one"]
    two.keyboard.press("Tab")  # from "keep theirs" to "save yours"
    two.keyboard.press("Enter")
    wait_for_status(two, f"Saved: {name}")
    assert [line["text"] for line in labelling.lines()] == ["from two"]


def test_the_keys_are_shown_and_a_broken_file_is_named(
    labelling: Labelling, open_page: OpenPage
) -> None:
    page = open_page(labelling.url)
    shown(page)
    page.keyboard.press("Alt+Shift+Slash")
    dialog = page.get_by_role("dialog", name="Keys")
    dialog.wait_for()
    assert "Mark as unusable" in dialog.inner_text()
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    page.locator("#skip").focus()
    page.keyboard.press("?")
    dialog.wait_for()
    page.keyboard.press("Escape")
    page.locator("#failure-count", has_text="1 recordings cannot be read").click()
    assert "broken.wav" in page.locator("#failure-list").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_and_korean_without_barriers(
    labelling: Labelling,
    open_page: OpenPage,
    accessibility_problems: FindProblems,
    scheme: str,
) -> None:
    viewport = {"width": 360, "height": 740}
    page = open_page(labelling.url, "ko-KR", viewport=viewport, color_scheme=scheme)
    shown(page)
    assert page.locator("#save").inner_text() == "저장"
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert accessibility_problems(page) == []
    page.keyboard.press("Alt+Slash")
    page.get_by_role("dialog").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert accessibility_problems(page) == []
