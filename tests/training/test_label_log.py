"""The labels of an interrupted run are kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from asr.data.inputs import RecordingRef, recording_path
from asr.data.manifest import Utterance
from asr.results import Failure
from asr.training.label_log import PART, LabelLog, Labels

SETTINGS = ("weights", None, 0.5)
RECORDINGS: list[RecordingRef] = [
    *(f"{i:03}.wav" for i in range(PART)),
    *(Utterance("?", 2.0, Path("talk.wav"), "anna", offset=float(i)) for i in range(PART)),
    *("broken.wav", "quiet.wav", "x.wav"),
]


class Labeller:
    """Labels recordings; the process "dies" once after some parts."""

    def __init__(self, parts: int) -> None:
        self.parts = parts
        self.labelled: list[RecordingRef] = []

    def __call__(self, recordings: Sequence[RecordingRef]) -> Labels:
        if not self.parts:
            raise KeyboardInterrupt
        self.parts -= 1
        self.labelled += recordings
        kept, failures = [], []
        for recording in recordings:
            name = recording_path(recording).stem
            if name == "broken":
                failures.append(Failure("broken.wav", "broken.wav: no sound"))
            elif isinstance(recording, Utterance):
                kept.append(Utterance("é", 2.0, Path("talk.wav"), "anna", offset=recording.offset))
            elif name != "quiet":
                kept.append(Utterance(f"text {name}", 1.5, Path(recording_path(recording))))
        return kept, failures


def interrupted(path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        LabelLog(path, SETTINGS).label(RECORDINGS, Labeller(parts=2))


def test_a_run_goes_on_after_the_last_finished_part(tmp_path: Path) -> None:
    path = tmp_path / "out" / "train.jsonl.part"
    whole = Labeller(parts=3)(RECORDINGS)
    assert len(whole[0]) == 2 * PART + 1 and len(whole[1]) == 1
    interrupted(path)
    again = Labeller(parts=1)
    assert LabelLog(path, SETTINGS).label(RECORDINGS, again) == whole
    assert again.labelled == RECORDINGS[-3:]
    assert LabelLog(path, SETTINGS).label(RECORDINGS, Labeller(parts=0)) == whole  # all are there
    LabelLog(path, SETTINGS).remove()
    assert not path.exists()


def test_a_torn_line_is_labelled_again(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl.part"
    interrupted(path)
    path.write_bytes(path.read_bytes()[:-9])
    again = Labeller(parts=2)
    assert LabelLog(path, SETTINGS).label(RECORDINGS, again) == Labeller(parts=1)(RECORDINGS)
    assert again.labelled == RECORDINGS[PART:]


def test_a_log_with_parts_of_another_size_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "train.jsonl.part"
    interrupted(path)
    monkeypatch.setattr("asr.training.label_log.PART", PART + 1)  # as a later version may have
    again = Labeller(parts=3)
    LabelLog(path, SETTINGS).label(RECORDINGS, again)
    assert again.labelled == RECORDINGS


@pytest.mark.parametrize("change", ["settings", "recordings"])
def test_labels_of_another_run_are_not_used(tmp_path: Path, change: str) -> None:
    path = tmp_path / "train.jsonl.part"
    interrupted(path)
    settings = ("other", None, 0.5) if change == "settings" else SETTINGS
    recordings = RECORDINGS[1:] if change == "recordings" else RECORDINGS
    again = Labeller(parts=3)
    LabelLog(path, settings).label(recordings, again)
    assert again.labelled == recordings
