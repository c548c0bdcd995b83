"""`LabelStore`: the manifest that a person's labels make, complete after every one of them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from asr.base.files import atomic_write, json_line, remove_leftovers
from asr.base.units import Seconds
from asr.data.manifest import read_entries
from asr.errors import AsrError, ManifestError, OutputError
from asr.labelling.label_task import LabelTask, task_id

try:
    import fcntl
except ImportError:  # Windows: two programs with one file are then found when one of them saves
    fcntl = None  # type: ignore[assignment]

NOTE = "label"
"""Key of the manifest's lines that says who wrote the text, and instead of what."""
SKIP = "_skipme"
"""NeMo's key for lines that no training uses."""


@dataclass(frozen=True)
class Label:
    """What a person says about one recording.

    Attributes:
        text: what is said; of an unusable recording, the text so far.
        revision: number of the save; each save has a larger one than all before it.
        heard: the recogniser's text that was corrected.
        model: name and weights of this recogniser, such as "en-small 98dbdfea4c28".
        unusable: why the recording cannot be used; None if it can; "" without a reason.
        duration: seconds of audio.
    """

    text: str
    revision: int
    heard: str
    model: str
    unusable: str | None = None
    duration: Seconds = 0.0

    @property
    def changed(self) -> bool:
        """Whether the person wrote another text than the recogniser."""
        return self.text != self.heard


class StaleLabel(AsrError):
    """A label was changed by someone else since it was read.

    Attributes:
        current: the label that is there; None if there is none.
        revision: its revision; 0 for a recording without label.
    """

    def __init__(self, current: Label | None, revision: int) -> None:
        super().__init__("someone else has changed this label since this page read it")
        self.current, self.revision = current, revision


class LabelStore:
    """Labels of recordings, in a manifest.

    Every change writes the whole file under a temporary name and renames it, so that a kill at any
    time leaves the labels before the change or after it. Lines of recordings that are not in the
    source stay as they are.

    A store is for one process: a lock beside the file refuses a second one, and a file that another
    program has changed is not overwritten.

    Args:
        path: the manifest; it need not exist.
        tasks: the recordings of the source.
        clock: milliseconds since 1970, from which revisions are made. They grow across restarts
            also if the last label was undone and its revision forgotten.

    Raises:
        ManifestError: the file is no manifest, or one that `asr label` did not write.
        OutputError: another process uses the file, or it cannot be written.
    """

    def __init__(
        self,
        path: Path,
        tasks: Sequence[LabelTask],
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.path, self.clock = path, clock
        self._tasks = {task.id: task for task in tasks}
        self._labels: dict[str, Label] = {}
        self._revisions: dict[str, int] = {}
        self._before: dict[str, list[Label | None]] = {}
        self._lines: dict[str, str] = {}
        self._others: list[str] = []
        self._last = 0
        self._mutex = threading.Lock()
        self._lock = _lock_beside(path)
        try:
            remove_leftovers([path])
            self._read()
            self._stamp = _stamp(path)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._lock is not None:
            self._lock.close()

    @property
    def labels(self) -> Mapping[str, Label]:
        """Label of each labelled recording of the source by id, oldest save first."""
        return dict(self._labels)

    @property
    def others(self) -> int:
        """Number of lines for recordings that are not in the source."""
        return len(self._others)

    def get(self, id: str) -> tuple[Label | None, int]:
        """The label of a recording, None for none, and its revision, 0 if it was never changed."""
        return self._labels.get(id), self._revisions.get(id, 0)

    def save(self, id: str, revision: int, label: Callable[[int], Label]) -> Label:
        """Store a label.

        Args:
            id: the recording.
            revision: the revision that the person saw.
            label: revision → the label.

        Raises:
            StaleLabel: the recording's label has another revision.
            OutputError: the file was changed by another program.
            OSError: the file cannot be written. The label is then not stored.
        """
        with self._mutex:
            new, before = label(self._next_revision(id, revision)), self._labels.get(id)
            self._change(id, new, new.revision)
            self._before.setdefault(id, []).append(before)
            return new

    def undo(self, id: str, revision: int) -> tuple[Label | None, int]:
        """Take back the last change of a recording's label.

        A label that an earlier process saved is taken back to none.

        Args:
            id: the recording.
            revision: the revision that the person saw.

        Returns:
            The label before, None for none, and its new revision.

        Raises:
            StaleLabel, OutputError, OSError: see `save`.
            AsrError: the recording has no label and had none.
        """
        with self._mutex:
            new_revision = self._next_revision(id, revision)
            history = self._before.get(id, [])
            if not history and id not in self._labels:
                raise AsrError(f"{self._tasks[id].name}: there is nothing to undo")
            old = history[-1] if history else None
            restored = None if old is None else replace(old, revision=new_revision)
            self._change(id, restored, new_revision)
            if history:
                history.pop()
            return restored, new_revision

    def _next_revision(self, id: str, seen: int) -> int:
        current = self._revisions.get(id, 0)
        if seen != current:
            raise StaleLabel(self._labels.get(id), current)
        self._last = max(self._last + 1, self.clock())
        return self._last

    def _change(self, id: str, label: Label | None, revision: int) -> None:
        """Write the file with another label, and only then keep it."""
        labels = {key: value for key, value in self._labels.items() if key != id}
        lines = {key: line for key, line in self._lines.items() if key != id}
        if label is not None:
            labels[id] = label
            lines[id] = json_line(_line(self._tasks[id], label, self.path.parent.resolve()))
        self._write(lines)
        self._labels, self._lines, self._revisions[id] = labels, lines, revision

    def _write(self, lines: Mapping[str, str]) -> None:
        if _stamp(self.path) != self._stamp:
            raise OutputError(
                f"{self.path}: was changed by another program; nothing was saved. Restart asr label"
            )
        with atomic_write(self.path) as file:
            file.writelines(self._others)
            file.writelines(lines.values())
        self._stamp = _stamp(self.path)

    def _read(self) -> None:
        if not self.path.exists() or not self.path.stat().st_size:
            return
        found: list[tuple[int, str, Label, str]] = []
        for utterance, values in read_entries(self.path, skipped_too=True):
            note = values.get(NOTE)
            if not isinstance(note, dict):
                raise ManifestError(
                    f"{self.path}: {utterance.name}: has no key {NOTE}, so asr label did not write "
                    "it; give another name as --out"
                )
            id = task_id(utterance)
            revision = note.get("revision")
            revision = revision if isinstance(revision, int) else 0
            self._last = max(self._last, revision)
            if id not in self._tasks or utterance.audio_filepath is None:
                self._others.append(json_line(values))
                continue
            label = Label(
                utterance.text,
                revision,
                str(note.get("heard", "")),
                str(note.get("model", "")),
                str(note.get("reason", "")) if values.get(SKIP) else None,
                utterance.duration,
            )
            found.append((revision, id, label, json_line(values)))
        for revision, id, label, line in sorted(found, key=lambda entry: entry[0]):
            self._labels[id], self._revisions[id], self._lines[id] = label, revision, line


def _line(task: LabelTask, label: Label, folder: Path) -> dict[str, Any]:
    """The manifest's line of a label: the source's keys, with the person's text."""
    utterance = task.utterance
    # Only the folder is resolved, as `write_manifest` does: the file may be a link whose name has
    # the suffix.
    recording = utterance.path.parent.resolve() / utterance.path.name
    kept = {
        key: value
        for key, value in task.values.items()
        if key
        not in ("audio_filepath", "feature_filepath", "duration", "text", "teacher", NOTE, SKIP)
    }
    values: dict[str, Any] = {
        "audio_filepath": os.path.relpath(recording, folder),
        "duration": round(label.duration, 3),
        "text": label.text,
        **kept,
    }
    if utterance.speaker is not None:
        values.setdefault("speaker", utterance.speaker)
    note: dict[str, Any] = {
        "by": "person",
        "model": label.model,
        "heard": label.heard,
        "revision": label.revision,
    }
    if label.unusable is not None:
        values[SKIP] = True
        note["reason"] = label.unusable
    values[NOTE] = note
    return values


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Identity of a file's content; None for no file."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return None
    return (state.st_ino, state.st_size, state.st_mtime_ns)


def lock_path(path: Path) -> Path:
    """The file beside a manifest that is locked while `asr label` runs."""
    return path.with_name(f".{path.name}.lock")


def _lock_beside(path: Path) -> IO[str] | None:
    if fcntl is None:
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    file = lock_path(path).open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise OutputError(
            f"{path}: another asr label is writing it; stop that one, or give another --out"
        ) from None
    return file
