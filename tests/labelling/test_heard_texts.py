"""A restart computes nothing again, unless the recogniser or the file has changed."""

from __future__ import annotations

from pathlib import Path

from asr.labelling.heard_texts import Heard, HeardTexts, file_stamp
from asr.results import Transcript, Word

HEARD = Heard("go ten", (Word("go", 0.1, 0.25, 0.5), Word("ten", 0.3, 0.5, 1.0)), 1.25, ("cut",))


def test_a_text_comes_back_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / ".labels.jsonl.heard"
    HeardTexts(path, "model").add("r1", (10, 20), HEARD)
    again = HeardTexts(path, "model")
    assert again.get("r1", (10, 20)) == HEARD
    assert again.get("r1", (11, 20)) is None  # another file
    assert HeardTexts(path, "better model").get("r1", (10, 20)) is None


def test_the_text_of_a_transcript_and_its_sureness() -> None:
    transcript = Transcript("go ten", -0.1, 1.25, words=HEARD.words, warnings=("cut",))
    assert Heard.of(transcript) == HEARD
    assert HEARD.sure == 0.75


def test_a_torn_line_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "cache"
    HeardTexts(path, "m").add("r1", (1, 1), HEARD)
    whole = path.read_bytes()
    for end in range(len(whole) + 1):
        path.write_bytes(whole + whole.replace(b"r1", b"r2")[:end])
        cache = HeardTexts(path, "m")
        cache.add("r3", (1, 1), HEARD)
        again = HeardTexts(path, "m")
        assert again.get("r1", (1, 1)) == again.get("r3", (1, 1)) == HEARD
        assert (again.get("r2", (1, 1)) == HEARD) == (end >= len(whole) - 1)
    path.write_bytes(b'[1]\n{"key": "m"}\n{"key": "m", "id": "a", "file": 3, "heard": {}}\n\xff\n')
    assert HeardTexts(path, "m").get("a", (1, 1)) is None


def test_a_missing_file_has_no_stamp(tmp_path: Path) -> None:
    assert file_stamp(tmp_path / "none.wav") == (0, 0)
    (tmp_path / "a.wav").write_bytes(b"abc")
    assert file_stamp(tmp_path / "a.wav")[0] == 3
