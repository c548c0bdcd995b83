"""Every label is in the manifest at once; nothing overwrites what another page has saved."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from asr.data.manifest import Utterance, read_manifest
from asr.errors import AsrError, ManifestError, OutputError
from asr.labelling.label_store import Label, LabelStore, StaleLabel, lock_path
from asr.labelling.label_task import LabelTask, task_id


def task(folder: Path, name: str, **keys: object) -> LabelTask:
    utterance = Utterance("a script", 1.5, audio_filepath=folder / name, speaker="anna")
    values = {"audio_filepath": name, "duration": 1.5, "text": "a script", **keys}
    return LabelTask(task_id(utterance), utterance, values, name)


def label(text: str = "go forward", unusable: str | None = None, heard: str = "oh furwor"):
    return lambda revision: Label(text, revision, heard, "en-small 98db", unusable, 1.5)


@pytest.fixture
def tasks(tmp_path: Path) -> list[LabelTask]:
    return [task(tmp_path, "a.wav", pnc="yes", teacher="whisper"), task(tmp_path, "b.wav")]


@pytest.fixture
def store(tmp_path: Path, tasks: list[LabelTask]) -> Iterator[LabelStore]:
    with LabelStore(tmp_path / "labels.jsonl", tasks) as opened:
        yield opened


def lines(store: LabelStore) -> list[dict]:
    return [json.loads(line) for line in store.path.read_text(encoding="utf-8").splitlines()]


def test_a_label_is_a_line_with_the_keys_of_the_source(
    store: LabelStore, tasks: list[LabelTask]
) -> None:
    saved = store.save(tasks[0].id, 0, label())
    (line,) = lines(store)
    assert line == {
        "audio_filepath": "a.wav",
        "duration": 1.5,
        "text": "go forward",
        "pnc": "yes",  # but no teacher: a person wrote the text
        "speaker": "anna",
        "label": {
            "by": "person",
            "model": "en-small 98db",
            "heard": "oh furwor",
            "revision": saved.revision,
        },
    }
    (utterance,) = read_manifest(store.path)
    assert (utterance.text, utterance.teacher, utterance.speaker) == ("go forward", None, "anna")


def test_an_unusable_recording_is_kept_but_not_trained_on(
    store: LabelStore, tasks: list[LabelTask]
) -> None:
    store.save(tasks[0].id, 0, label("", unusable="cut off"))
    store.save(tasks[1].id, 0, label())
    assert [line.get("_skipme") for line in lines(store)] == [True, None]
    assert lines(store)[0]["label"]["reason"] == "cut off"
    assert [u.path.name for u in read_manifest(store.path)] == ["b.wav"]


def test_a_restart_has_all_labels_in_their_order(tmp_path: Path, tasks: list[LabelTask]) -> None:
    path = tmp_path / "labels.jsonl"
    with LabelStore(path, tasks) as store:
        store.save(tasks[1].id, 0, label("b"))
        store.save(tasks[0].id, 0, label("", unusable="noise"))
        before, content = store.labels, path.read_bytes()
    with LabelStore(path, tasks) as store:
        assert store.labels == before
        assert list(store.labels) == [tasks[1].id, tasks[0].id]
        assert path.read_bytes() == content
        store.undo(tasks[0].id, before[tasks[0].id].revision)  # a label of the earlier process
        assert [line["text"] for line in lines(store)] == ["b"]


def test_a_stale_save_is_refused_with_what_is_there(
    store: LabelStore, tasks: list[LabelTask]
) -> None:
    first = store.save(tasks[0].id, 0, label("mine"))
    content = store.path.read_bytes()
    with pytest.raises(StaleLabel) as refused:
        store.save(tasks[0].id, 0, label("yours"))
    assert refused.value.current == first
    assert refused.value.revision == first.revision
    with pytest.raises(StaleLabel):
        store.undo(tasks[0].id, 0)
    assert store.path.read_bytes() == content


def test_undo_goes_back_step_by_step(store: LabelStore, tasks: list[LabelTask]) -> None:
    id = tasks[0].id
    first = store.save(id, 0, label("one"))
    second = store.save(id, first.revision, label("two"))
    back, revision = store.undo(id, second.revision)
    assert back is not None
    assert (back.text, revision > second.revision) == ("one", True)
    back, revision = store.undo(id, revision)
    assert (back, lines(store)) == (None, [])
    with pytest.raises(AsrError, match=r"a\.wav: there is nothing to undo"):
        store.undo(id, revision)


def test_a_page_of_an_earlier_process_is_refused_although_the_label_was_undone(
    tmp_path: Path, tasks: list[LabelTask]
) -> None:
    path, clock = tmp_path / "labels.jsonl", count(1000)
    with LabelStore(path, tasks, lambda: next(clock)) as store:
        seen = store.save(tasks[0].id, 0, label("one")).revision
        store.undo(tasks[0].id, seen)
    with LabelStore(path, tasks, lambda: next(clock)) as store:
        store.save(tasks[0].id, 0, label("other"))
        with pytest.raises(StaleLabel):
            store.save(tasks[0].id, seen, label("late"))


def test_revisions_grow_although_the_clock_stands(tmp_path: Path, tasks: list[LabelTask]) -> None:
    with LabelStore(tmp_path / "labels.jsonl", tasks, lambda: 5) as store:
        first = store.save(tasks[0].id, 0, label())
        assert store.save(tasks[1].id, 0, label()).revision > first.revision == 5


def test_lines_of_recordings_that_are_not_in_the_source_stay(
    tmp_path: Path, tasks: list[LabelTask]
) -> None:
    path = tmp_path / "labels.jsonl"
    with LabelStore(path, tasks) as store:
        store.save(tasks[0].id, 0, label("a"))
    with LabelStore(path, tasks[1:]) as store:
        assert (store.others, len(store.labels)) == (1, 0)
        store.save(tasks[1].id, 0, label("b"))
    with LabelStore(path, tasks) as store:
        assert [x.text for x in store.labels.values()] == ["a", "b"]


def test_a_manifest_of_another_program_is_not_taken_over(
    tmp_path: Path, tasks: list[LabelTask]
) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text('{"audio_filepath": "a.wav", "duration": 1, "text": "dear"}\n')
    with pytest.raises(ManifestError, match=r"labels\.jsonl.*no key label.*--out"):
        LabelStore(path, tasks)
    path.write_text("oops\n")
    with pytest.raises(ManifestError, match=r"labels\.jsonl, line 1: not JSON"):
        LabelStore(path, tasks)
    assert path.read_text() == "oops\n"


def test_a_file_that_was_changed_meanwhile_is_not_overwritten(
    store: LabelStore, tasks: list[LabelTask]
) -> None:
    first = store.save(tasks[0].id, 0, label())
    store.path.write_text("edited by hand\n")
    with pytest.raises(OutputError, match=r"labels\.jsonl: was changed by another program"):
        store.save(tasks[1].id, 0, label())
    assert store.path.read_text() == "edited by hand\n"
    assert store.get(tasks[1].id) == (None, 0)
    assert store.get(tasks[0].id) == (first, first.revision)


@pytest.mark.skipif(os.name == "nt", reason="needs flock")
def test_a_second_process_is_refused(store: LabelStore, tasks: list[LabelTask]) -> None:
    with pytest.raises(OutputError, match=r"labels\.jsonl: another asr label is writing it"):
        LabelStore(store.path, tasks)
    store.close()
    LabelStore(store.path, tasks).close()
    assert lock_path(store.path).name == ".labels.jsonl.lock"


def test_a_label_that_cannot_be_written_is_not_kept(
    store: LabelStore, tasks: list[LabelTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = store.save(tasks[0].id, 0, label("one"))
    content = store.path.read_bytes()

    def full(*paths: object) -> None:
        raise OSError(28, "No space left on device", str(store.path))

    with monkeypatch.context() as patch:
        patch.setattr("asr.base.files.os.replace", full)
        with pytest.raises(OSError, match="No space"):
            store.save(tasks[0].id, first.revision, label("two"))
    assert (store.path.read_bytes(), store.get(tasks[0].id)) == (content, (first, first.revision))
    assert store.save(tasks[0].id, first.revision, label("three")).text == "three"


SAVER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from labelling.test_label_store import label, task
from asr.labelling.label_store import LabelStore
folder = Path(sys.argv[1])
tasks = [task(folder, f"{n}.wav") for n in range(500)]
with LabelStore(folder / "labels.jsonl", tasks) as store:
    for number, one in enumerate(tasks):
        store.save(one.id, 0, label(f"text {number}"))
        print(number, flush=True)
"""


def test_a_kill_at_any_time_loses_no_saved_label(tmp_path: Path) -> None:
    tests = str(Path(__file__).parents[1])
    for kill_after in (1, 7):
        for left in tmp_path.iterdir():
            left.unlink()
        process = subprocess.Popen(
            [sys.executable, "-c", SAVER, tmp_path, tests], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for _ in range(kill_after):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        reported = kill_after + len(process.stdout.read().splitlines())
        process.wait()
        tasks = [task(tmp_path, f"{n}.wav") for n in range(500)]
        with LabelStore(tmp_path / "labels.jsonl", tasks) as store:
            texts = [x.text for x in store.labels.values()]
        assert texts == [f"text {n}" for n in range(len(texts))]
        assert reported <= len(texts) <= reported + 1
        assert not list(tmp_path.glob(".labels.jsonl.*.tmp"))


class StoreMachine(RuleBasedStateMachine):
    """Two pages save, undo and restart; the file always has exactly what was answered."""

    seen = Bundle("seen")

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.tasks = [task(self.folder, f"{n}.wav") for n in range(3)]
        self.path, self.clock = self.folder / "labels.jsonl", count(1)
        self.histories: dict[str, list[str | None]] = {t.id: [None] for t in self.tasks}
        self.revisions = {t.id: 0 for t in self.tasks}
        self._start()

    def _start(self) -> None:
        self.store = LabelStore(self.path, self.tasks, lambda: next(self.clock))

    @rule(target=seen, number=st.integers(0, 2))
    def read(self, number: int) -> tuple[str, int]:
        id = self.tasks[number].id
        return id, self.store.get(id)[1]

    @rule(page=seen, text=st.text("ab", min_size=1, max_size=3))
    def save(self, page: tuple[str, int], text: str) -> None:
        id, revision = page
        if revision == self.revisions[id]:
            self.revisions[id] = self.store.save(id, revision, label(text)).revision
            self.histories[id].append(text)
        else:
            with pytest.raises(StaleLabel):
                self.store.save(id, revision, label(text))

    @rule(number=st.integers(0, 2))
    def undo(self, number: int) -> None:
        id = self.tasks[number].id
        if len(self.histories[id]) == 1:
            with pytest.raises(AsrError):
                self.store.undo(id, self.revisions[id])
            return
        self.histories[id].pop()
        back, self.revisions[id] = self.store.undo(id, self.revisions[id])
        assert (back and back.text) == self.histories[id][-1]

    @rule()
    def restart(self) -> None:
        self.store.close()
        self._start()
        for t in self.tasks:  # a new process knows the last text only
            last = self.histories[t.id][-1]
            self.histories[t.id] = [None] if last is None else [None, last]
            if last is None:
                self.revisions[t.id] = 0

    @invariant()
    def the_file_has_the_last_texts(self) -> None:
        if not hasattr(self, "store"):
            return
        found = {}
        if self.path.exists() and self.path.stat().st_size:
            found = {task_id(u): u.text for u in read_manifest(self.path)}
        expected = {id: texts[-1] for id, texts in self.histories.items() if texts[-1] is not None}
        assert found == expected

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.folder)


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
