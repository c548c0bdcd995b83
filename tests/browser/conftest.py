"""Chromium with a microphone that plays a recording, and a server for its pages.

The tests run with `make test-browser`, because they need Playwright (the extra `browser`) and an
installed Chromium. A page that logs an error, breaks its content security policy, misses a file or
asks another server for anything fails its test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from chromium import find_chromium, run_chromium
from pool_work import do_tone_task
from speech_server import Running, run_server

from asr.decoding.decoding_options import Decoding
from asr.recognizer import Recognizer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Response

ENGLISH, KOREAN = "en-US", "ko-KR"
"""Languages of the browser, which choose the language of a page."""
SERIOUS = ("serious", "critical")
"""Impacts of axe's rules that no page may have."""

OpenPage = Callable[..., "Page"]


@pytest.fixture(scope="session")
def browser(goforward: Path) -> Iterator[Browser]:
    """Chromium whose microphone plays "go forward ten meters" once."""
    if find_chromium() is None:
        pytest.fail("make test-browser needs Chromium, such as Debian's package chromium")
    with run_chromium(goforward) as running:
        yield running


@pytest.fixture(scope="session")
def small() -> Recognizer:
    """The shipped recogniser, for the expected results."""
    return Recognizer.load("en-small", Decoding(lm="none"))


@pytest.fixture(scope="session")
def server(small: Recognizer) -> Iterator[Running]:
    """`asr serve` without a key; its voice speaks tones, whose phones are letters."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asr.server.text_to_speech.do_speech_task", do_tone_task)
        with run_server(small) as running:
            yield running


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """`open_page(url, locale=…, **options)` opens a page in a browser of its own.

    The options are those of Playwright's `Browser.new_context`, such as `viewport`. The test fails
    at its end if a page had a problem.
    """
    problems: list[str] = []
    contexts = []

    def open_(url: str, locale: str = ENGLISH, **options: Any) -> Page:
        context = browser.new_context(locale=locale, **options)
        contexts.append(context)
        page = context.new_page()
        watch(page, problems)
        page.goto(url)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert problems == []


def watch(page: Page, problems: list[str]) -> None:
    """Note everything that is wrong with a page."""

    def note_message(message: ConsoleMessage) -> None:
        # Failed requests of scripts are expected by some tests; `note_response` sees the others.
        refused = message.text.startswith("Failed to load resource: ")
        if message.type in ("error", "warning") and not refused:
            problems.append(f"{message.type}: {message.text}")

    def note_response(response: Response) -> None:
        if response.status >= 400 and response.request.resource_type != "fetch":
            problems.append(f"{response.url}: {response.status}")

    def note_request(url: str) -> None:
        address = urlsplit(url)
        if address.scheme != "blob" and address.hostname != "127.0.0.1":
            problems.append(f"a request to {url}")

    page.on("console", note_message)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("response", note_response)
    page.on("request", lambda request: note_request(request.url))


@pytest.fixture(scope="session")
def accessibility_problems() -> Callable[[Page], list[str]]:
    """`accessibility_problems(page)` is what axe finds serious or critical."""
    from axe_playwright_python.sync_playwright import Axe

    axe = Axe()

    def find(page: Page) -> list[str]:
        return [
            f"{rule['id']}: {node['html']}: {node['failureSummary']}"
            for rule in axe.run(page).response["violations"]
            if rule["impact"] in SERIOUS
            for node in rule["nodes"]
        ]

    return find
