"""A server on a free loopback port, once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openai import OpenAI
from pool_work import do_tone_task
from speech_server import Running, run_server

from asr.decoding.decoding_options import Decoding
from asr.recognizer import Recognizer


@pytest.fixture(scope="session")
def small() -> Recognizer:
    """The shipped recogniser, for the expected results."""
    return Recognizer.load("en-small", Decoding(lm="none"))


@pytest.fixture(scope="session")
def server() -> Iterator[Running]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asr.server.text_to_speech.do_speech_task", do_tone_task)
        with run_server(Recognizer.load("en-small", Decoding(lm="none"))) as running:
            yield running


@pytest.fixture(scope="session")
def client(server: Running) -> OpenAI:
    return server.client()
