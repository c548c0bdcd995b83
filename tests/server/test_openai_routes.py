"""OpenAI's own client gets what `Recognizer.transcribe` and `asr transcribe` give."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
import soundfile
from openai import OpenAI
from pool_work import Crash
from speech_server import Running, multipart, wait_until

from asr.decoding.decoding_options import Decoding
from asr.formats.writers import find_writer
from asr.recognizer import Recognizer
from asr.server.openai_routes import read_hot_words

GOFORWARD = Path(__file__).parents[1] / "fixtures" / "goforward.wav"
PATH = "/v1/audio/transcriptions"


def transcribe(client: OpenAI, path: Path = GOFORWARD, **options: Any) -> Any:
    with path.open("rb") as file:
        return client.audio.transcriptions.create(file=file, model="whisper-1", **options)


@pytest.fixture(scope="module")
def expected(small: Recognizer) -> Any:
    return small.transcribe(GOFORWARD)


def test_the_text_is_that_of_the_recogniser(client: OpenAI, expected: Any) -> None:
    assert transcribe(client).text == expected.text == "oh furwor ten meaters"


@pytest.mark.parametrize(("format", "writer"), [("text", "txt"), ("srt", "srt"), ("vtt", "vtt")])
def test_texts_and_captions_are_those_of_the_command_line(
    client: OpenAI, expected: Any, format: str, writer: str
) -> None:
    assert transcribe(client, response_format=format) == "".join(
        find_writer(writer).write([expected])
    )


def test_verbose_json_has_words_and_segments(client: OpenAI, expected: Any) -> None:
    found = transcribe(
        client, response_format="verbose_json", timestamp_granularities=["word", "segment"]
    )
    assert (found.text, found.language, found.duration) == (expected.text, "english", 2.786)
    assert [(w.word, w.start, w.end, w.confidence) for w in found.words] == [
        (w.text, round(w.start, 3), round(w.end, 3), round(w.confidence, 4)) for w in expected.words
    ]
    (segment,) = found.segments
    assert (segment.id, segment.text) == (0, expected.text)
    assert segment.start == round(expected.words[0].start, 3)
    assert segment.end == round(expected.words[-1].end, 3)
    assert -3 < segment.avg_logprob < 0


def test_segments_are_the_default_of_verbose_json(client: OpenAI) -> None:
    found = transcribe(client, response_format="verbose_json")
    assert found.words is None
    assert [segment.text for segment in found.segments] == [found.text]


def test_warnings_about_the_file_are_in_verbose_json(client: OpenAI) -> None:
    cut = GOFORWARD.read_bytes()[:60_000]
    file = ("a.wav", cut)
    found = client.audio.transcriptions.create(
        file=file, model="en-small", response_format="verbose_json"
    )
    (warning,) = found.model_extra["warnings"]
    assert warning.startswith("file: truncated")


def test_a_stream_has_deltas_that_join_to_the_text(
    client: OpenAI, small: Recognizer, tmp_path: Path
) -> None:
    samples, rate = soundfile.read(GOFORWARD, dtype="float32")
    path = tmp_path / "long.wav"  # several windows
    soundfile.write(path, np.concatenate([samples] * 12), rate)
    events = list(transcribe(client, path, stream=True))
    text = small.transcribe(path).text
    deltas = [event.delta for event in events[:-1]]
    assert "".join(deltas) == text
    assert len(deltas) > 1
    assert (events[-1].type, events[-1].text) == ("transcript.text.done", text)


def test_a_prompt_favours_its_words(client: OpenAI) -> None:
    hot = Recognizer.load("en-small", Decoding(lm="none", hot_words=("forward", "ten meters")))
    found = transcribe(client, prompt="forward, ten meters.")
    assert found.text == hot.transcribe(GOFORWARD).text
    assert "ten meters" in found.text


def test_a_prompt_is_cut_into_phrases() -> None:
    assert read_hot_words("New York, Anna; 3.5 times.\nYes? — ", "Anna") == (
        "New York",
        "Anna",
        "3.5 times",
        "Yes",
    )


def test_many_clients_at_once_get_their_own_texts(
    server: Running, small: Recognizer, tmp_path: Path
) -> None:
    samples, rate = soundfile.read(GOFORWARD, dtype="float32")
    paths = []
    for i in range(12):
        paths.append(tmp_path / f"{i}.flac")
        soundfile.write(paths[-1], samples[i * 1500 :], rate)
    texts = [small.transcribe(path).text for path in paths]
    assert len(set(texts)) > 6
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda path: transcribe(server.client(), path).text, paths))
    assert found == texts
    wait_until(lambda: server.engine.jobs == server.engine.waiting == 0)


def test_models_are_listed(client: OpenAI) -> None:
    assert next(iter(client.models.list())).id == "en-small"
    assert client.models.retrieve("en-small").id == "en-small"
    with pytest.raises(openai.NotFoundError, match="en-tiny"):
        client.models.retrieve("en-tiny")


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"response_format": "xml"}, "response_format"),
        ({"language": "de"}, "language"),
        ({"stream": "perhaps"}, "stream"),
        ({"stream": "true", "response_format": "srt"}, "stream"),
        ({"timestamp_granularities[]": "word"}, "timestamp_granularities"),
        (
            {"timestamp_granularities[]": "letter", "response_format": "verbose_json"},
            "timestamp_granularities",
        ),
        ({"prompt": ",".join(f"word{i}" for i in range(300))}, "prompt"),
        ({"prompt": "Ελλάδα"}, None),
    ],
)
def test_wrong_fields_are_named(server: Running, options: dict[str, str], param: str) -> None:
    body, kind = multipart(options, GOFORWARD.read_bytes())
    status, _, answer = server.request("POST", PATH, body, {"Content-Type": kind})
    error = json.loads(answer)["error"]
    assert (status, error["type"], error["param"]) == (400, "invalid_request_error", param)


def test_another_model_is_not_found(client: OpenAI) -> None:
    with GOFORWARD.open("rb") as file, pytest.raises(openai.NotFoundError) as error:
        client.audio.transcriptions.create(file=file, model="whisper-9")
    assert (error.value.code, error.value.param) == ("model_not_found", "model")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "file: empty"),
        (b"<html>refused</html>", "an HTML page"),
        (b"RIFF\xff\xff\xff\xffWAVEjunk" * 9, "not readable as audio"),
        (b"#EXTM3U\nfile:///etc/passwd\n", "a playlist"),
    ],
)
def test_files_that_are_no_audio_are_refused_with_the_reason(
    client: OpenAI, content: bytes, message: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=message) as error:
        client.audio.transcriptions.create(file=("a.wav", content), model="en-small")
    assert "/tmp" not in str(error.value) and "asr-serve" not in str(error.value)


@pytest.mark.parametrize("stream", ["true", "false"])
def test_a_request_without_a_file_is_refused(server: Running, stream: str) -> None:
    body, kind = multipart({"model": "en-small", "stream": stream}, None)
    status, _, answer = server.request("POST", PATH, body, {"Content-Type": kind})
    assert (status, json.loads(answer)["error"]["param"]) == (400, "file")


def test_other_paths_and_methods_are_errors_in_the_same_shape(server: Running) -> None:
    for method, path, status in (("GET", PATH, 405), ("POST", "/v1/audio/dance", 404)):
        found, _, answer = server.request(method, path)
        assert found == status
        assert json.loads(answer)["error"]["type"] == "invalid_request_error"


def test_a_file_that_crashes_its_decoder_is_refused(
    server: Running, client: OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The processes of the pool die one after the other, as of a fault in a decoder."""
    from asr.server import speech_to_text as module

    monkeypatch.setattr(module, "Upload", Crash)
    before = server.metric("asr_worker_restarts")
    with pytest.raises(openai.BadRequestError, match="the decoder crashed"):
        transcribe(client)
    monkeypatch.undo()
    assert server.metric("asr_worker_restarts") == before + 1
    assert transcribe(client).text == "oh furwor ten meaters"
