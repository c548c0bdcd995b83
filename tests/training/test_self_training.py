from __future__ import annotations

import runpy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from asr.data.inputs import recording_path
from asr.data.manifest import Utterance, read_manifest, write_manifest
from asr.errors import ConfigError
from asr.recognizer import Recognizer
from asr.results import Failure, Transcript, Word
from asr.training.self_training import pseudo_labels


class FakeRecognizer:
    """A fake recogniser: file name without ending → confidences of its words."""

    def __init__(self, **sure: Sequence[float]) -> None:
        self.sure = sure

    def transcribe_each(self, audio: Sequence[Any]) -> Iterator[tuple[int, Transcript | Failure]]:
        for i in reversed(range(len(audio))):
            name = recording_path(audio[i]).stem
            if name == "broken":
                yield i, Failure(str(recording_path(audio[i])), "broken.wav: no sound")
                continue
            words = tuple(Word("w", 0, 1, c) for c in self.sure[name])
            seconds = 25.0 if name == "long" else 2.0
            yield i, Transcript(f"heard {name}", 0.0, seconds, words=words)


def test_the_most_confident_are_kept_in_order() -> None:
    recognizer = FakeRecognizer(a=[0.9, 0.5], b=[0.2], c=[0.8], d=[], e=[0.6, 0.6, 0.6])
    files = [f"{name}.wav" for name in "abcde"]
    kept, failures = pseudo_labels(recognizer, files, 0.75)  # type: ignore[arg-type]
    assert not failures
    # d has no words. Three of the four others are kept; the mean of a is 0.7.
    assert [u.text for u in kept] == ["heard a", "heard c", "heard e"]
    assert kept[0] == Utterance("heard a", 2.0, audio_filepath=Path("a.wav"))
    for share, count in ((0.1, 0), (0.25, 1), (1.0, 4)):
        assert len(pseudo_labels(recognizer, files, share)[0]) == count  # type: ignore[arg-type]


@pytest.mark.parametrize("share", [0.0, -0.5, 1.5, 50.0, float("nan")])
def test_a_share_out_of_range_is_an_error(share: float) -> None:
    with pytest.raises(ConfigError, match=f"share: {share:g} "):
        pseudo_labels(FakeRecognizer(a=[0.9]), ["a.wav"], share)  # type: ignore[arg-type]


def test_an_utterance_keeps_all_but_its_text() -> None:
    utterance = Utterance("secret", 1.5, speaker="anna", feature_filepath=Path("a.mfc"))
    kept, _ = pseudo_labels(FakeRecognizer(a=[0.9]), [utterance], 1.0)  # type: ignore[arg-type]
    assert kept == [replace(utterance, text="heard a")]


def test_unusable_recordings_are_named_and_the_others_are_kept() -> None:
    recognizer = FakeRecognizer(a=[0.9], long=[0.9])
    files = ["broken.wav", "a.wav", "long.wav"]
    kept, failures = pseudo_labels(recognizer, files, 1.0)  # type: ignore[arg-type]
    assert [u.text for u in kept] == ["heard a"]
    assert [f.error for f in failures] == [
        "broken.wav: no sound",
        "long.wav: 25 s are too long for an utterance: cut it first",
    ]


def test_the_pipeline_labels_recordings(
    goforward: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    broken, out = tmp_path / "broken.wav", tmp_path / "out" / "train.jsonl"
    broken.write_text("no sound")
    listed = tmp_path / "listed.jsonl"
    write_manifest(listed, [Utterance("?", 2.8, audio_filepath=goforward, speaker="x")])
    pipeline = Path(__file__).parents[2] / "pipelines" / "pseudo_label.py"
    options = ["--share", "1", "--out", str(out)]
    monkeypatch.setattr("sys.argv", [str(pipeline), "en-small", str(listed), str(broken), *options])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(pipeline), run_name="__main__")
    assert ended.value.code == 1
    (utterance,) = read_manifest(out)
    assert utterance.speaker == "x" and utterance.path.resolve() == goforward.resolve()
    assert utterance.text == Recognizer.load("en-small").transcribe(goforward).text != "?"
    said = capsys.readouterr()
    assert "broken.wav" in said.err and "1 of 2 recordings kept" in said.out
