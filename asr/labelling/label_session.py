"""`LabelSession`: recordings, texts, order and labels of one `asr label`."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from asr.audio.segments import TOLERANCE
from asr.base.units import Seconds
from asr.data.manifest_check import TextProblem, text_problem
from asr.errors import AsrError
from asr.labelling.heard_texts import Heard
from asr.labelling.label_progress import (
    EVERY,
    HeardErrors,
    LabelProgress,
    heard_errors,
    measure_progress,
)
from asr.labelling.label_store import Label, LabelStore
from asr.labelling.label_task import LabelTask
from asr.labelling.order import LabelOrder
from asr.networks.model_directory import RecognizerConfig
from asr.results import Failure
from asr.text.tokenizers import Tokenizer

LONGEST_TEXT = 10_000
"""Characters of a text or a reason at most."""


class UnknownRecording(AsrError):
    """A request names a recording that is not in the source, or is not transcribed yet."""


class UnusableText(AsrError):
    """A text cannot be trained on.

    Attributes:
        problem: why.
    """

    def __init__(self, problem: TextProblem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(frozen=True)
class LabelCard:
    """All that the page shows of one recording.

    Attributes:
        task: the recording.
        heard: the recogniser's text.
        label: the label; None without one.
        revision: the label's revision.
    """

    task: LabelTask
    heard: Heard
    label: Label | None
    revision: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        label = self.label
        return {
            "id": self.task.id,
            "name": self.task.name,
            "speaker": self.task.utterance.speaker,
            "given": self.task.given,
            **self.heard.to_dict(),
            "revision": self.revision,
            "label": None if label is None else {"text": label.text, "unusable": label.unusable},
        }


class LabelSession:
    """The state behind the page. Its methods may be called from any thread.

    Args:
        tasks: the recordings.
        failures: recordings of the source that cannot be labelled.
        store: the labels.
        config: the recogniser's `model.json`.
    """

    def __init__(
        self,
        tasks: Sequence[LabelTask],
        failures: Sequence[Failure],
        store: LabelStore,
        config: RecognizerConfig,
    ) -> None:
        self.store = store
        self.model = f"{config.name} {config.weights_sha256[:12]}"
        self._config, self._tokenizer = config, Tokenizer(config.tokenizer)
        self._tasks = {task.id: task for task in tasks}
        self._positions = {task.id: number for number, task in enumerate(tasks)}
        self._failures = list(failures)
        self._failed: set[str] = set()
        self._heard: dict[str, Heard] = {}
        self._order = LabelOrder()
        self._open: dict[str, str] = {}
        self._mutex = threading.Lock()

    @property
    def tasks(self) -> list[LabelTask]:
        """The recordings in the order of the source."""
        return list(self._tasks.values())

    @property
    def failures(self) -> list[Failure]:
        """The recordings that cannot be labelled so far."""
        return list(self._failures)

    def fill_in(self, id: str, heard: Heard) -> None:
        """Take the recogniser's text of a recording."""
        with self._mutex:
            self._heard[id] = heard
            if self.store.get(id)[0] is None:
                self._order.add(id, heard.sure, self._positions[id])
            else:
                self._order.open(id)

    def fail(self, id: str, message: str) -> None:
        """Take the error of a recording that cannot be read."""
        with self._mutex:
            self._failed.add(id)
            self._failures.append(Failure(self._tasks[id].name, message))

    def task(self, id: str) -> LabelTask:
        """A recording by its id.

        Raises:
            UnknownRecording: there is none.
        """
        try:
            return self._tasks[id]
        except KeyError:
            raise UnknownRecording("no such recording; reload the page") from None

    def card(self, id: str) -> LabelCard:
        """What the page shows of a recording.

        Raises:
            UnknownRecording: there is none, or it is not transcribed yet.
        """
        task = self.task(id)
        if (heard := self._heard.get(id)) is None:
            raise UnknownRecording(f"{task.name}: is not transcribed yet; try again later")
        return LabelCard(task, heard, *self.store.get(id))

    def open(
        self, page: str, way: Literal["next", "previous", "this"], current: str | None
    ) -> LabelCard | None:
        """Open a recording on a page.

        Args:
            page: a name of the page, so that two of them do not get the same recording.
            way: "next" or "previous", seen from `current`; "this" opens `current` itself.
            current: the recording that is open on the page; None: none.

        Returns:
            The recording; None if there is none in that direction.

        Raises:
            UnknownRecording: see `card`.
        """
        with self._mutex:
            if way == "this":
                id = current
            elif way == "previous":
                id = self._order.previous(current)
            else:
                busy = {other for key, other in self._open.items() if key != page}
                id = self._order.next(self.store.labels.keys(), current, busy)
            if id is None:
                return None
            card = self.card(id)
            self._order.open(id)
            self._open[page] = id
            return card

    def save(self, id: str, revision: int, text: str, unusable: str | None) -> LabelCard:
        """Store a label.

        Args:
            id: the recording.
            revision: the revision that the person saw.
            text: the text; runs of white space become one space.
            unusable: why the recording cannot be used; None if it can.

        Raises:
            UnusableText: the text cannot be trained on. An unusable recording may have any text.
            UnknownRecording: see `card`.
            StaleLabel, OutputError, OSError: see `LabelStore.save`.
        """
        card, text = self.card(id), " ".join(text.split())
        if unusable is None and (problem := self.problem(id, text)) is not None:
            raise UnusableText(problem)
        heard, seconds = card.heard.text, self._duration(card)

        def label(revision: int) -> Label:
            return Label(text, revision, heard, self.model, unusable, seconds)

        self.store.save(id, revision, label)
        with self._mutex:
            self._order.open(id)
        return self.card(id)

    def undo(self, id: str, revision: int) -> LabelCard:
        """Take back the last change of a label.

        Raises:
            UnknownRecording: see `card`.
            StaleLabel, OutputError, OSError, AsrError: see `LabelStore.undo`.
        """
        self.card(id)
        self.store.undo(id, revision)
        return self.card(id)

    def last_labelled(self) -> list[tuple[str, int]]:
        """Id and revision of each label that can be shown, oldest save first."""
        return [(id, x.revision) for id, x in self.store.labels.items() if id in self._heard]

    def problem(self, id: str, text: str) -> TextProblem | None:
        """Why a text of a recording cannot be trained on; None if it can.

        Raises:
            UnknownRecording: see `card`.
        """
        features, stride = self._config.features, self._config.acoustic.stride
        return text_problem(
            text,
            self._duration(self.card(id)),
            self._tokenizer.encode,
            lambda seconds: int(seconds * features.frames_per_second) // stride,
        )

    def unwritable(self, text: str) -> list[str]:
        """The characters of a text that the model cannot write, sorted."""
        return sorted(self._tokenizer.unknown(text))

    def progress(self) -> LabelProgress:
        """How far labelling is."""
        with self._mutex:
            durations = {
                id: heard.duration
                if (heard := self._heard.get(id)) is not None
                else task.utterance.duration
                for id, task in self._tasks.items()
                if id not in self._failed
            }
            return measure_progress(durations, self.store.labels, len(self._heard))

    def errors(self) -> HeardErrors | None:
        """How often this recogniser was wrong so far; None before the first label."""
        labels = self.store.labels.values()
        return heard_errors(labels, self.model, self._tokenizer.normalise)

    def milestone(self) -> HeardErrors | None:
        """`errors` after every `EVERY` labels; None in between."""
        labels = self.store.labels.values()
        count = sum(x.unusable is None and x.model == self.model for x in labels)
        return self.errors() if count and count % EVERY == 0 else None

    def state(self) -> dict[str, Any]:
        """Progress and failures for JSON."""
        return {
            "model": self._config.name,
            "out": str(self.store.path),
            "progress": asdict(self.progress()),
            "failures": [failure.to_dict() for failure in self.failures],
        }

    def _duration(self, card: LabelCard) -> Seconds:
        """The duration of the manifest, or that of the recording where the two disagree."""
        stated, found = card.task.utterance.duration, card.heard.duration
        segment = card.task.utterance.offset is not None and stated > 0
        return stated if segment or abs(stated - found) <= TOLERANCE else found


def cache_path(out: Path) -> Path:
    """The file beside a manifest of labels that keeps what the recogniser heard."""
    return out.with_name(f".{out.name}.heard")
