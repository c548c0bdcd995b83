"""`asr label` from start to Ctrl-C."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from label_server import three_recordings


def request(url: str, values: dict | None = None) -> dict:
    data = None if values is None else json.dumps(values).encode()
    asked = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return json.load(answer)


def test_labels_are_saved_and_the_end_says_how_far_it_is(tmp_path: Path) -> None:
    three_recordings(tmp_path / "in")
    command = [
        sys.executable,
        "-m",
        "asr",
        "label",
        "in",
        "--port",
        "0",
        "--out",
        "out/labels.jsonl",
    ]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        first = process.stderr.readline()
        assert first.startswith("4 recordings, labels in out/labels.jsonl")
        (url,) = re.findall(r"http://127\.0\.0\.1:\d+/", first)
        opened = None
        while opened is None:
            answer = request(f"{url}label/open", {"page": "p", "way": "next"})
            opened = answer["recording"]
        body = {"id": opened["id"], "revision": 0, "text": "go on"}
        assert request(f"{url}label/save", body)["progress"]["labelled"] == 1
        while len(request(f"{url}label/state")["failures"]) < 1:
            pass
    finally:
        process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=60)[1]
    assert process.returncode == 1, rest  # broken.wav
    assert "error: " in rest
    assert "broken.wav" in rest
    assert re.search(r"1 recordings labelled, 0 unusable: 0\.\d minutes done, 0\.\d left", rest)
    assert re.search(r"[\d.]+% of the words that were filled in were wrong", rest)
    (line,) = (tmp_path / "out" / "labels.jsonl").read_text().splitlines()
    assert json.loads(line)["text"] == "go on"


def test_a_server_that_is_killed_loses_nothing(tmp_path: Path) -> None:
    three_recordings(tmp_path / "in")
    command = [sys.executable, "-m", "asr", "label", "in", "--port", "0"]
    for round_ in range(2):
        process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        (url,) = re.findall(r"http://\S+/", process.stderr.readline())
        opened = None
        while opened is None:
            opened = request(f"{url}label/open", {"page": "p", "way": "next"})["recording"]
        assert len(request(f"{url}label/labelled")["labelled"]) == round_
        request(f"{url}label/save", {"id": opened["id"], "revision": 0, "text": "go on"})
        process.kill()
        process.communicate()
    assert len((tmp_path / "labels.jsonl").read_text().splitlines()) == 2
