from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from scripts import run_script

from asr.data.inputs import recording_path
from asr.data.manifest import Utterance, read_manifest, write_manifest
from asr.errors import ConfigError
from asr.evaluation.whisper import ReferenceTranscript
from asr.recognizer import Recognizer
from asr.results import Failure, Transcript, Word
from asr.text.tokenizers import Tokenizer, TokenizerConfig
from asr.training.self_training import label_recordings, pseudo_labels, teacher_labels


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
    assert run_script(pipeline) == 1
    (utterance,) = read_manifest(out)
    assert utterance.speaker == "x" and utterance.path.resolve() == goforward.resolve()
    assert utterance.text == Recognizer.load("en-small").transcribe(goforward).text != "?"
    said = capsys.readouterr()
    assert "broken.wav" in said.err and "1 of 2 recordings kept" in said.out


class FakeTeacher:
    """A fake teacher: seconds of the recording, less 1 → text and log-probability."""

    name = "whisper-base"

    def __init__(self, *transcripts: tuple[str, float]) -> None:
        self.transcripts = transcripts

    def transcribe_all(self, recordings: Sequence[np.ndarray]) -> list[ReferenceTranscript]:
        assert all(samples.dtype == np.float32 for samples in recordings)
        texts = [self.transcripts[len(samples) // 16_000 - 1] for samples in recordings]
        return [ReferenceTranscript(*text) for text in texts]


class FakeTexts(FakeRecognizer):
    """A fake recogniser: file name without ending → its text."""

    tokenizer = Tokenizer(TokenizerConfig())

    def __init__(self, **texts: str) -> None:
        self.texts = texts

    def transcribe_each(self, audio: Sequence[Any]) -> Iterator[tuple[int, Transcript | Failure]]:
        for i in range(len(audio)):
            text = self.texts[recording_path(audio[i]).stem]
            words = tuple(Word(word, 0, 1, 0.5) for word in text.split())
            yield i, Transcript(text, 0.0, 2.0, words=words)


@pytest.fixture
def recordings(tmp_path: Path) -> list[str | Path | Utterance]:
    """Recordings a to f, of one to six seconds."""
    for i, name in enumerate("abcdef", 1):
        noise = np.random.default_rng(i).normal(0, 0.1, 16_000 * i)
        soundfile.write(tmp_path / f"{name}.wav", noise, 16_000)
    return [str(tmp_path / f"{name}.wav") for name in "abcdef"]


def test_a_teachers_text_is_kept_if_it_is_probable_and_the_recogniser_agrees(
    recordings: list[str | Path | Utterance],
) -> None:
    teacher = FakeTeacher(
        ("In 1990, Mr. Smith.", -0.2),  # the recogniser decides between the spoken variants
        ("The sea was calm.", -0.61),
        ("Thank you for watching!", -0.1),
        ("...", -0.1),
        ("The sea was calm.", -0.6),
        ("The sea was calm.", -0.1),
    )
    own = FakeTexts(
        a="in nineteen ninty mister smith",
        b="the sea was calm",
        c="go forward ten meters",
        d="so",
        e="the see was clam",
        f="",
    )
    kept, failures = teacher_labels(teacher, own, recordings)  # type: ignore[arg-type]
    assert not failures
    assert [(u.text, u.path.stem) for u in kept] == [
        ("in nineteen ninety mister smith", "a"),
        ("the sea was calm", "e"),
    ]
    assert {u.teacher for u in kept} == {"whisper-base"} and kept[0].duration == 1.0
    few, _ = teacher_labels(teacher, own, recordings, max_cer=0.05)  # type: ignore[arg-type]
    assert [u.path.stem for u in few] == ["a"]
    improbable, _ = teacher_labels(teacher, own, recordings, -9.0)  # type: ignore[arg-type]
    assert [u.path.stem for u in improbable] == ["a", "b", "e"]


def test_all_probable_texts_of_a_teacher_are_kept_if_the_recogniser_need_not_agree(
    recordings: list[str | Path | Utterance],
) -> None:
    loop = "He won't sell the see, he won't sell the see, he won't"
    teacher = FakeTeacher(
        ("In 1990.", -0.2), ("So it was.", -0.1), ("A wall.", -0.61), ("...", 0), (loop, -0.1)
    )
    own = FakeTexts(a="in nineteen ninety")  # asked for the digits alone: it has no other text
    kept, failures = teacher_labels(
        teacher,
        own,  # type: ignore[arg-type]
        recordings[:5],
        max_cer=math.inf,
    )
    assert [(u.text, u.path.stem) for u in kept] == [
        ("in nineteen ninety", "a"),
        ("so it was", "b"),
    ]
    assert not failures and kept[1].duration == 2.0


@pytest.mark.parametrize("max_cer", [0.5, math.inf])
def test_a_teacher_labels_no_recording_of_another_language(
    recordings: list[str | Path | Utterance], max_cer: float
) -> None:
    german = Utterance("", 1.0, audio_filepath=Path(str(recordings[0])), language="de")
    teacher = FakeTeacher(("Die See.", -0.1), ("So it was.", -0.1))
    own = FakeTexts(b="so it was")
    kept, (failure,) = teacher_labels(
        teacher,
        own,  # type: ignore[arg-type]
        [german, recordings[1]],
        max_cer=max_cer,
    )
    assert [u.text for u in kept] == ["so it was"]
    assert "a.wav: lang 'de' in the manifest" in failure.error


def test_a_recording_too_long_for_a_teacher_is_a_failure_and_the_others_are_labelled(
    recordings: list[str | Path | Utterance], tmp_path: Path
) -> None:
    long = tmp_path / "long.wav"
    soundfile.write(long, np.zeros(16_000 * 21), 16_000)
    teacher = FakeTeacher(("The sea was calm.", -0.1))
    own = FakeTexts(a="the sea was calm")
    kept, (failure,) = teacher_labels(teacher, own, [long, recordings[0]])  # type: ignore[arg-type]
    assert [u.path.stem for u in kept] == ["a"]
    assert failure.error == f"{long}: 21 s are too long for an utterance: cut it first"


def test_a_teacher_needs_audio(tmp_path: Path) -> None:
    utterance = Utterance("?", 1.0, speaker="x", feature_filepath=tmp_path / "a.mfc")
    own = FakeTexts(a="so")
    kept, (failure,) = teacher_labels(FakeTeacher(), own, [utterance])  # type: ignore[arg-type]
    assert kept == [] and "a.mfc: " in failure.error


def test_manifests_name_the_teacher(
    recordings: list[str | Path | Utterance], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    teacher = FakeTeacher(("The sea was calm.", -0.1))
    monkeypatch.setattr("asr.training.self_training.Whisper", lambda: teacher)
    own = FakeTexts(a="the sea was calm")
    kept, _ = label_recordings(own, recordings[:1], "whisper")  # type: ignore[arg-type]
    write_manifest(tmp_path / "labelled.jsonl", kept)
    assert '"teacher": "whisper-base"' in (tmp_path / "labelled.jsonl").read_text()
    assert read_manifest(tmp_path / "labelled.jsonl")[0].teacher == "whisper-base"
    (by_itself,), _ = label_recordings(own, recordings[:1], share=1.0)  # type: ignore[arg-type]
    assert by_itself.teacher is None and by_itself.text == "the sea was calm"
    with pytest.raises(ConfigError, match="teacher: 'siri' "):
        label_recordings(own, recordings[:1], "siri")  # type: ignore[arg-type]


def test_a_teacher_labels_no_other_language() -> None:
    own = FakeTexts()
    own.tokenizer = Tokenizer(TokenizerConfig(alphabet=" abc", language="de"))
    with pytest.raises(ConfigError, match=r"writes English only.*German \(de\)"):
        teacher_labels(FakeTeacher(), own, [])  # type: ignore[arg-type]
