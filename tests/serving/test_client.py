"""Clients and `RemoteRecognizer` against tests/server.py, and their errors."""

from __future__ import annotations

import json
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import server
import soundfile
from hypothesis import example, given
from hypothesis import strategies as st

from asr.audio.reading import read_audio
from asr.batch.transcribe_files import BatchJob, transcribe_files
from asr.batch.workers import Transcriber
from asr.data.manifest import Utterance
from asr.decoding.decoding_options import Decoding
from asr.errors import ConfigError, ServerError
from asr.recognizer import Recognizer
from asr.serving import client
from asr.serving.client import Address, RemoteRecognizer, connect


@pytest.fixture
def model(tiny_folder: Path) -> str:
    return str(tiny_folder)


@pytest.fixture(scope="module")
def urls(exported: Path) -> Iterator[dict[str, str]]:
    """URLs of a test server with `tiny`, by scheme."""
    rest, grpc_server, *ports = server.serve(server.Models(exported.parents[1]))
    yield {s: f"{s}://127.0.0.1:{p}" for s, p in zip(("http", "grpc"), ports, strict=True)}
    rest.shutdown()
    rest.server_close()
    grpc_server.stop(None)


@pytest.fixture(params=["http", "grpc"])
def url(urls: dict[str, str], request: pytest.FixtureRequest) -> str:
    return urls[request.param]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []
    monkeypatch.setattr(client.time, "sleep", waited.append)
    return waited


def same(found: Any, expected: Any) -> None:
    assert (found.text, found.duration) == (expected.text, expected.duration)
    assert found.score == pytest.approx(expected.score, abs=1e-4)
    assert [t.text for t in found.tokens] == [t.text for t in expected.tokens]
    for one, other in zip(found.words, expected.words, strict=True):
        assert (one.text, one.start, one.end) == (other.text, other.start, other.end)
        assert one.confidence == pytest.approx(other.confidence, abs=1e-4)


def test_transcripts_equal_those_of_a_local_recogniser(
    url: str, model: str, goforward: Path, tmp_path: Path
) -> None:
    speech = read_audio(goforward)
    long = tmp_path / "long.wav"  # cut into windows, with seams
    soundfile.write(long, np.tile(speech, 9), 16_000)
    cepstra = Utterance("x", 2.78, feature_filepath=goforward.with_suffix(".mfc"))
    for decoding in (Decoding(), Decoding(beam=4, nbest=3, hot_words=("ten",))):
        local, remote = (
            Recognizer.load(model, decoding),
            RemoteRecognizer.connect(url, model, decoding),
        )
        recordings = [goforward, long, cepstra, speech[:3000], "nowhere.wav"]
        expected, found = local.transcribe(recordings), remote.transcribe(recordings)
        assert found[-1] == expected[-1] and "no such file" in found[-1].error
        for one, other in zip(found[:-1], expected[:-1], strict=True):
            same(one, other)
            assert [a.text for a in one.alternatives] == [a.text for a in other.alternatives]
    same(remote.align(goforward, "go"), local.align(goforward, "go"))
    streams = [recognizer.stream() for recognizer in (local, remote)]
    heard = [[p.text for p in (*s.feed(speech), *s.finish())] for s in streams]
    assert heard[0] == heard[1] != []


def test_a_remote_recogniser_can_be_pickled(url: str, model: str, goforward: Path) -> None:
    remote = RemoteRecognizer.connect(url, model, Decoding(beam=4))
    again = pickle.loads(pickle.dumps(remote))
    assert type(again) is RemoteRecognizer and again.origin == remote.origin
    assert again.decoder.decoding == remote.decoder.decoding
    same(again.transcribe(goforward), remote.transcribe(goforward))


def test_served_texts_are_equal_by_rest_and_grpc(
    urls: dict[str, str], model: str, goforward: Path
) -> None:
    speech = read_audio(goforward)
    batch = np.zeros([2, len(speech)], np.float32)
    batch[0], batch[1, :20_000] = speech, speech[:20_000]
    lengths = np.array([len(speech), 20_000], np.int32)
    expected = [t.text for t in Recognizer.load(model).transcribe([speech, speech[:20_000]])]
    texts = {
        scheme: connect(url, "tiny").predict(
            "serving_default", {"samples": batch, "lengths": lengths}
        )["text"]
        for scheme, url in urls.items()
    }
    assert list(texts["http"]) == expected
    assert [text.decode() for text in texts["grpc"]] == expected


def test_status_and_metadata(url: str) -> None:
    client = connect(url, "tiny")
    assert client.status() == {1: "AVAILABLE"}
    found = client.metadata()
    assert sorted(found) == ["features", "logits", "normalised", "serving_default"]
    assert found["serving_default"]["inputs"]["samples"]["dtype"] == "DT_FLOAT"
    assert connect(f"{url}/v1/models/tiny/versions/1", "x").status() == {1: "AVAILABLE"}


@pytest.mark.parametrize(
    ("signature", "change", "message"),
    [
        ("serving_default", {"lengths": [5000]}, "a length is beyond the samples"),
        ("serving_default", {"lengths": [-1]}, "a length is negative"),
        ("serving_default", {"lengths": [1, 1]}, "differ in batch size"),
        ("serving_default", {"lengths": None}, r"\['lengths', 'samples'\] needed"),
        ("nothing", {}, "signature 'nothing' is not in the model"),
    ],
)
def test_an_invalid_request_fails_without_a_second_attempt(
    url: str, signature: str, change: dict[str, Any], message: str, no_waiting: list[float]
) -> None:
    inputs = {"samples": np.zeros([1, 4000], np.float32), "lengths": np.array([4000], np.int32)}
    for name, value in change.items():
        if value is None:
            del inputs[name]
        else:
            inputs[name] = np.array(value, np.int32)
    with pytest.raises(ServerError, match=rf"127\.0\.0\.1:\d+/v1/models/tiny: .*{message}"):
        connect(url, "tiny").predict(signature, inputs)
    assert no_waiting == []


def test_a_server_with_another_model_is_refused(url: str, model: str) -> None:
    with pytest.raises(ServerError, match="en-small"):
        RemoteRecognizer.connect(url)
    values = json.loads((Path(model) / "model.json").read_text())
    other = Path(model).parent / "other"
    other.mkdir(exist_ok=True)
    values["tokenizer"]["alphabet"] = " ab"
    (other / "model.json").write_text(json.dumps(values))
    with pytest.raises(ServerError, match=r"39 .*29 .*39 .*4"):
        RemoteRecognizer.connect(url, str(other))


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_missing_server_is_tried_five_times_and_named(
    scheme: str, model: str, no_waiting: list[float]
) -> None:
    url = f"{scheme}://127.0.0.1:{free_port()}"
    with pytest.raises(ServerError, match=rf"{url}/v1/models/tiny: .* 5 attempts: .+"):
        RemoteRecognizer.connect(url, model)
    assert len(no_waiting) == 4
    for n, seconds in enumerate(no_waiting):
        assert 0.125 * 2**n <= seconds <= 0.25 * 2**n


class Answers(BaseHTTPRequestHandler):
    """Gives the answers of a script, one per request."""

    script: list[tuple[int, bytes]]

    def do_GET(self) -> None:
        status, body = self.script.pop(0)
        if not status:  # hangs up
            self.close_connection = True
            return
        if status == 1:  # says nothing
            threading.Event().wait(1)
            return
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def scripted() -> Iterator[Any]:
    handler = type("Handler", (Answers,), {"script": []})
    host = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    host.daemon_threads = True
    threading.Thread(target=host.serve_forever, daemon=True).start()

    def answers(*script: tuple[int, bytes]) -> str:
        handler.script[:] = script  # type: ignore[attr-defined]
        return f"http://127.0.0.1:{host.server_port}"

    yield answers
    host.shutdown()
    host.server_close()


GOOD = json.dumps({"model_version_status": [{"version": "3", "state": "LOADING"}]}).encode()


def test_a_busy_server_is_tried_again(scripted: Any, no_waiting: list[float]) -> None:
    url = scripted((503, b""), (0, b""), (429, b'{"error": "full"}'), (200, GOOD))
    assert connect(url, "x").status() == {3: "LOADING"}
    assert len(no_waiting) == 3
    url = scripted(*[(429, b'{"error": "full"}')] * 5)
    with pytest.raises(ServerError, match="5 attempts: HTTP 429: full"):
        connect(url, "x").status()


def test_answers_that_no_model_server_gives_are_errors(
    scripted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ServerError, match="HTTP 404: <p>nginx</p>"):
        connect(scripted((404, b"<p>nginx</p>")), "x").status()
    with pytest.raises(ServerError, match=r"127\.0\.0\.1.*JSON"):
        connect(scripted((200, b"<p>nginx</p>")), "x").status()
    monkeypatch.setattr("asr.serving.client.DEADLINE", 0.2)
    with pytest.raises(ServerError, match=r"127\.0\.0\.1.* 0 s"):
        connect(scripted((1, b"")), "x").status()


def test_grpc_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as silent:  # takes connections and says nothing
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setattr("asr.serving.client.DEADLINE", 0.2)
        client = connect(f"grpc://127.0.0.1:{silent.getsockname()[1]}", "x")
        with pytest.raises(ServerError, match=r"127\.0\.0\.1"):
            client.status()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://host", Address("http", "host", 8501, "m")),
        ("grpc://[::1]:9000/", Address("grpc", "::1", 9000, "m")),
        ("https://host/v1/models/x", Address("https", "host", 443, "x")),
        ("grpc://host/v1/models/x/versions/2", Address("grpc", "host", 8500, "x", 2)),
    ],
)
def test_urls_are_parsed(url: str, expected: Address) -> None:
    assert Address.parse(url, "m") == expected
    assert Address.parse(str(expected), "other") == expected


@pytest.mark.parametrize("url", ["host:8501", "ftp://host", "http://", "http://host/v2", ""])
def test_other_urls_are_errors(url: str) -> None:
    with pytest.raises(ConfigError, match=f"--server {url}: .*http://HOST:8501"):
        Address.parse(url, "m")


def asr(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "asr", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_command_line_gives_the_same_output_without_tensorflow(
    urls: dict[str, str], model: str, goforward: Path
) -> None:
    arguments = ["transcribe", str(goforward), "-m", model, "--format", "srt"]
    code = (
        "import sys\n"
        "for name in ('tensorflow', 'keras', 'onnx', 'onnxruntime'): sys.modules[name] = None\n"
        f"sys.argv = ['asr', *{arguments!r}, '--server', {urls['http']!r}]\n"
        "from asr.cli.app import main\n"
        "main()"
    )
    local = asr(*arguments)
    served = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert local.stdout.startswith("1\n00:00:0") and served.stdout == local.stdout
    wrong = asr(*arguments, "--server", urls["http"], "--runtime", "onnx")
    assert wrong.returncode == 1 and "--runtime onnx" in wrong.stderr


@pytest.mark.parametrize("workers", [1, 2])
def test_a_batch_ends_if_the_server_does_not_answer(
    workers: int, model: str, goforward: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asr.serving.client.ATTEMPTS", 1)
    transcriber = Transcriber(model, server=f"http://127.0.0.1:{free_port()}")
    job = BatchJob(transcriber, out=f"{tmp_path}/out/", workers=workers)
    with pytest.raises(ServerError, match=r"0 of 1 recordings .*--resume"):
        transcribe_files([str(goforward)], job)


def test_the_test_server_batches_requests(exported: Path, model: str, goforward: Path) -> None:
    models = server.Models(exported.parents[1], batch=8, timeout=0.1)
    servable, speech = models.find("tiny"), read_audio(goforward)
    clips = [speech[: 16_000 + 3000 * i] for i in range(6)]
    sizes = []
    original = servable.batchers["serving_default"].call

    def counted(**inputs: Any) -> Any:
        sizes.append(len(inputs["lengths"]))
        return original(**inputs)

    servable.batchers["serving_default"].call = counted

    def ask(clip: np.ndarray) -> str:
        request = {"samples": clip[None], "lengths": np.array([len(clip)], np.int32)}
        return str(servable.predict("serving_default", request)["text"][0].decode())

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(ask, clips))
    assert found == [t.text for t in Recognizer.load(model).transcribe(clips)]
    assert sum(sizes) == 6 and len(sizes) < 6


def test_grpc_without_its_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
    with pytest.raises(ConfigError, match=r"pip install 'keras-asr-toolkit\[serving\]'"):
        connect("grpc://127.0.0.1:1", "x")
    assert grpc.StatusCode.UNAVAILABLE  # grpc itself is installed


@given(st.lists(st.floats(width=32)))
@example([0.1, -0.0, 1e-45, 3.4028234663852886e38, 0.9999999403953552, float("inf"), float("nan")])
def test_rounded_numbers_are_read_as_the_same_float32(values: list[float]) -> None:
    exact = np.array(values, np.float32)
    written = json.dumps(client.short(exact).tolist())
    np.testing.assert_array_equal(np.array(json.loads(written), np.float32), exact)


@given(st.lists(st.floats(2**-33, 2**26, width=32)))
def test_features_are_sent_in_nine_digits(values: list[float]) -> None:
    written = json.dumps(client.short(np.array(values, np.float32)).tolist())
    for number in written.strip("[]").split(","):
        assert len(number.split("e")[0].replace(".", "").strip(" 0")) <= 9


def test_whole_numbers_are_not_rounded() -> None:
    lengths = np.array([123456789012, 3])
    assert client.short(lengths) is lengths
