"""The requests of `asr label`: texts, labels, revisions and audio."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from label_server import GOFORWARD, Labelling, run_labelling, three_recordings
from speech_server import wait_until
from typer.testing import CliRunner

from asr.cli.app import app
from asr.data.manifest import Utterance, read_manifest
from asr.labelling.label_session import LabelSession
from asr.recognizer import Recognizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return three_recordings(tmp_path_factory.mktemp("recordings"))


@pytest.fixture(scope="module")
def unchanged(
    small: Recognizer, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Labelling]:
    """A server for tests that save nothing."""
    with run_labelling(small, folder, tmp_path_factory.mktemp("out") / "labels.jsonl") as running:
        running.wait_until_heard(3)
        yield running


@pytest.fixture
def labelling(small: Recognizer, folder: Path, tmp_path: Path) -> Iterator[Labelling]:
    with run_labelling(small, folder, tmp_path / "labels.jsonl") as running:
        running.wait_until_heard(3)
        yield running


def opened(labelling: Labelling, way: str = "next", id: str = "", page: str = "one") -> dict:
    status, answer = labelling.post("/label/open", page=page, way=way, id=id)
    assert status == 200
    return answer["recording"]


def by_name(labelling: Labelling, name: str) -> dict:
    (id,) = [task.id for task in labelling.session.tasks if task.name == name]
    return opened(labelling, "this", id)


def test_texts_are_those_of_transcribe_and_the_least_sure_comes_first(
    labelling: Labelling, small: Recognizer
) -> None:
    names, last = [], ""
    while len(names) < 3:
        recording = opened(labelling, "next", last)
        names.append(recording["name"])
        last = recording["id"]
    assert names == ["silence.wav", *names[1:]]
    assert set(names) == {"silence.wav", "ten.flac", "forward.wav"}
    forward, expected = by_name(labelling, "forward.wav"), small.transcribe(GOFORWARD)
    assert forward["text"] == expected.text
    assert [word[0] for word in forward["words"]] == expected.text.split()
    assert forward["words"][0][1:] == pytest.approx(
        [expected.words[0].start, expected.words[0].end, expected.words[0].confidence], abs=1e-3
    )
    assert (forward["label"], forward["revision"]) == (None, 0)


def test_a_broken_file_is_named_and_stops_nothing(unchanged: Labelling) -> None:
    wait_until(lambda: unchanged.session.failures)
    state = unchanged.get("/label/state")
    (failure,) = state["failures"]
    assert "broken.wav" in failure["error"]
    assert state["progress"]["recordings"] == state["progress"]["heard"] == 3


def test_a_label_is_in_the_manifest_when_the_answer_comes(labelling: Labelling) -> None:
    forward = by_name(labelling, "forward.wav")
    text = "  go forward\nten meters "
    status, answer = labelling.post("/label/save", id=forward["id"], revision=0, text=text)
    assert status == 200
    assert answer["recording"]["label"] == {"text": "go forward ten meters", "unusable": None}
    assert answer["progress"]["labelled"] == 1
    assert answer["progress"]["done"] == pytest.approx(2.786, abs=0.01)
    assert answer["milestone"] is None
    (line,) = labelling.lines()
    assert line["text"] == "go forward ten meters"
    assert line["label"]["heard"] == forward["text"]
    assert line["label"]["model"].startswith("en-small ")
    (utterance,) = read_manifest(labelling.out)
    assert utterance.path.samefile(labelling.session.tasks[1].utterance.path)
    result = CliRunner().invoke(app, ["data", "check", str(labelling.out), "--model", "en-small"])
    assert result.exit_code == 0, result.output
    source, out = str(labelling.out.parent), str(labelling.out.parent / "data")
    result = CliRunner().invoke(
        app, ["data", "prepare", "folder", "--source", source, "--out", out]
    )
    assert result.exit_code == 0, result.output
    (utterance,) = read_manifest(Path(out, "train.jsonl"))
    assert (utterance.text, utterance.path.name) == ("go forward ten meters", "forward.wav")


def test_a_recording_that_fails_unexpectedly_stops_nothing(
    small: Recognizer, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = "asr.server.label_filler.check_language"

    def fail(utterance: Utterance, language: str) -> None:
        if utterance.path.name == "silence.wav":
            raise RuntimeError("secret")

    monkeypatch.setattr(check, fail)
    with run_labelling(small, folder, tmp_path / "labels.jsonl") as labelling:
        labelling.wait_until_heard(2)
        wait_until(lambda: len(labelling.session.failures) == 2)
        errors = [failure.error for failure in labelling.session.failures]
    assert "silence.wav: unexpected error; the log has its place" in errors


def test_a_stale_save_is_refused_with_the_other_text(labelling: Labelling) -> None:
    id = by_name(labelling, "forward.wav")["id"]
    first = labelling.post("/label/save", id=id, revision=0, text="mine")[1]["recording"]
    status, answer = labelling.post("/label/save", id=id, revision=0, text="yours")
    assert (status, answer["error"]["code"]) == (409, "stale")
    assert answer["recording"]["label"]["text"] == "mine"
    assert answer["recording"]["revision"] == first["revision"]
    assert labelling.post("/label/undo", id=id, revision=0)[0] == 409
    assert [line["text"] for line in labelling.lines()] == ["mine"]
    revision = first["revision"]
    assert labelling.post("/label/save", id=id, revision=revision, text="yours")[0] == 200
    assert [line["text"] for line in labelling.lines()] == ["yours"]


def test_unusable_and_undo(labelling: Labelling) -> None:
    id = by_name(labelling, "silence.wav")["id"]
    body = {"id": id, "revision": 0, "text": "", "unusable": "nothing is said"}
    status, answer = labelling.post("/label/save", **body)
    assert (status, answer["progress"]["unusable"]) == (200, 1)
    (line,) = labelling.lines()
    assert (line["_skipme"], line["label"]["reason"]) == (True, "nothing is said")
    revision = answer["recording"]["revision"]
    assert labelling.get("/label/labelled") == {"labelled": [{"id": id, "revision": revision}]}
    status, answer = labelling.post("/label/undo", id=id, revision=revision)
    assert (status, answer["recording"]["label"], labelling.lines()) == (200, None, [])
    revision = answer["recording"]["revision"]
    status, answer = labelling.post("/label/undo", id=id, revision=revision)
    assert (status, "nothing to undo" in answer["error"]["message"]) == (400, True)


@pytest.mark.parametrize(
    ("text", "kind", "characters"),
    [
        ("", "empty", []),
        (" … ", "empty", []),
        ("go вперёд", "letters", ["в", "д", "е", "п", "р"]),
        ("go " * 400, "long", []),
    ],
)
def test_texts_that_cannot_be_trained_on_are_told_and_not_saved(
    unchanged: Labelling, text: str, kind: str, characters: list[str]
) -> None:
    id = by_name(unchanged, "forward.wav")["id"]
    problem = unchanged.post("/label/check", id=id, text=text)[1]["problem"]
    assert problem["kind"] == kind
    assert problem["characters"] == characters
    status, answer = unchanged.post("/label/save", id=id, revision=0, text=text)
    assert (status, answer["error"]["code"]) == (422, f"text_{kind}")
    assert not unchanged.out.exists()
    assert unchanged.post("/label/check", id=id, text="Go forward!")[1] == {"problem": None}


def test_two_pages_get_different_recordings(labelling: Labelling) -> None:
    one, two = opened(labelling, page="one"), opened(labelling, page="two")
    assert one["id"] != two["id"]
    third = opened(labelling, page="one", id=one["id"])
    assert third["id"] not in (one["id"], two["id"])
    assert opened(labelling, "previous", third["id"])["id"] == two["id"]


def test_audio_is_wav_that_can_be_read_in_parts(unchanged: Labelling) -> None:
    for name, rate, seconds in (("forward.wav", 16000, 2.786), ("silence.wav", 16000, 2.0)):
        id = by_name(unchanged, name)["id"]
        path = f"/label/recordings/{id}/audio"
        status, headers, body = unchanged.running.request("GET", path)
        assert (status, headers["content-type"]) == (200, "audio/wav")
        samples, found = soundfile.read(io.BytesIO(body))
        assert (found, samples.ndim) == (rate, 1)
        assert len(samples) / found == pytest.approx(seconds, abs=0.001)
        part = unchanged.running.request("GET", path, headers={"Range": "bytes=100-199"})
        assert (part[0], part[2]) == (206, body[100:200])


def test_a_segment_and_its_channel_are_heard_and_shown(
    small: Recognizer, folder: Path, tmp_path: Path
) -> None:
    samples, rate = soundfile.read(GOFORWARD)
    stereo = np.stack([np.zeros_like(samples), samples], axis=1)
    soundfile.write(tmp_path / "two.wav", stereo, rate)
    line = {"audio_filepath": "two.wav", "duration": 1.2, "offset": 1.5, "channel": 1, "id": 7}
    source = tmp_path / "in.jsonl"
    source.write_text(json.dumps(line) + "\n")
    with run_labelling(small, source, tmp_path / "labels.jsonl") as labelling:
        labelling.wait_until_heard(1)
        recording = opened(labelling)
        assert recording["name"] == "two.wav, 1.50 s to 2.70 s"
        assert recording["words"][0][1] < 1.2  # counted from the segment's start
        path = f"/label/recordings/{recording['id']}/audio"
        heard, _ = soundfile.read(io.BytesIO(labelling.running.request("GET", path)[2]))
        first = round(1.5 * rate)
        np.testing.assert_allclose(heard, samples[first : first + len(heard)], atol=1e-3)
        assert len(heard) == round(1.2 * rate)
        body = {"id": recording["id"], "revision": 0, "text": "ten meters"}
        assert labelling.post("/label/save", **body)[0] == 200
        (saved,) = labelling.lines()
        assert {**line, "text": "ten meters"}.items() <= saved.items()


def test_a_restart_transcribes_nothing_again(
    small: Recognizer, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "labels.jsonl"
    with run_labelling(small, folder, out) as labelling:
        labelling.wait_until_heard(3)
        forward = by_name(labelling, "forward.wav")
        labelling.post("/label/save", id=forward["id"], revision=0, text="go")
    filled: list[str] = []
    fill_in = LabelSession.fill_in
    monkeypatch.setattr(
        LabelSession,
        "fill_in",
        lambda self, id, heard: (filled.append(id), fill_in(self, id, heard)),
    )
    with run_labelling(small, folder, out) as labelling:
        assert len(filled) == 3  # before the server answers
        assert by_name(labelling, "forward.wav")["label"] == {"text": "go", "unusable": None}
        assert opened(labelling, page="two")["name"] != "forward.wav"


def test_every_twentieth_text_says_how_often_the_recogniser_was_wrong(
    labelling: Labelling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asr.labelling.label_session.EVERY", 2)
    words = by_name(labelling, "forward.wav")["text"].split()
    corrected = " ".join(["go", *words[1:]])
    texts = {"ten.flac": by_name(labelling, "ten.flac")["text"], "forward.wav": corrected}
    assert labelling.get("/label/errors") == {"errors": None}
    milestones = []
    for name, text in texts.items():
        id = by_name(labelling, name)["id"]
        milestones.append(
            labelling.post("/label/save", id=id, revision=0, text=text)[1]["milestone"]
        )
    assert milestones[0] is None
    said = sum(len(text.split()) for text in texts.values())
    assert milestones[1]["labels"] == 2
    assert (milestones[1]["changed"], milestones[1]["words"]) == (1, said)
    assert milestones[1]["wer"] == pytest.approx(1 / said)
    assert labelling.get("/label/errors")["errors"] == milestones[1]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/label/open", {"page": "one", "way": "sideways"}, 400),
        ("/label/open", {"way": "next"}, 400),
        ("/label/open", {"page": "one", "way": "this", "id": "../../etc/passwd"}, 404),
        ("/label/open", {"page": "x" * 101, "way": "next"}, 400),
        ("/label/save", {"id": "none", "revision": 0, "text": "go"}, 404),
        ("/label/save", {"id": "none", "text": "go"}, 400),
        ("/label/save", {"id": "none", "revision": "0", "text": "go"}, 400),
        ("/label/save", {"id": "none", "revision": 0, "text": "x" * 10_001}, 400),
        ("/label/save", {"id": "none", "revision": 0, "text": "go", "unusable": 5}, 400),
        ("/label/undo", {"id": "none", "revision": 0}, 404),
        ("/label/check", {"id": "none", "text": "go"}, 404),
        ("/label/check", {"id": "none", "text": 5}, 400),
    ],
)
def test_wrong_requests_are_refused(
    unchanged: Labelling, path: str, body: dict, status: int
) -> None:
    found, answer = unchanged.post(path, **body)
    assert (found, bool(answer["error"]["message"])) == (status, True)


def test_a_full_disk_is_told_and_nothing_is_kept(
    labelling: Labelling, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = by_name(labelling, "forward.wav")["id"]

    def full(*paths: object) -> None:
        raise OSError(28, "No space left on device", "labels.jsonl")

    with monkeypatch.context() as patch:
        patch.setattr("asr.base.files.os.replace", full)
        status, answer = labelling.post("/label/save", id=id, revision=0, text="go")
    assert (status, answer["error"]["code"]) == (507, "not_saved")
    assert answer["error"]["message"] == "labels.jsonl: No space left on device"
    assert labelling.post("/label/save", id=id, revision=0, text="go")[0] == 200


def test_strangers_are_refused(unchanged: Labelling) -> None:
    id = unchanged.session.tasks[0].id
    for path in ("/", "/label/state", f"/label/recordings/{id}/audio"):
        for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
            assert unchanged.running.request("GET", path, headers=headers)[0] == 403
    for path in ("/label/recordings/..%2F..%2Fetc%2Fpasswd/audio", "/label/recordings/x/audio"):
        assert unchanged.running.request("GET", path)[0] == 404
    policy = unchanged.running.request("GET", "/")[1]["content-security-policy"]
    assert policy.startswith("default-src 'self'")
