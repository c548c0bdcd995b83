"""How far labelling is, and how often the recogniser was wrong so far."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from asr.base.units import Seconds
from asr.data.manifest import Utterance
from asr.evaluation.error_rates import evaluate
from asr.labelling.label_store import Label
from asr.results import Transcript

EVERY = 20
"""Number of labels after which a person is told how often the recogniser was wrong."""


@dataclass(frozen=True)
class LabelProgress:
    """How far labelling is.

    Attributes:
        recordings: number of recordings that can be labelled.
        heard: number of those that are transcribed.
        labelled: number of those with a text by a person.
        unusable: number of those marked as unusable.
        done: seconds of audio of the two.
        left: seconds of audio of the others; where the length of a recording is unknown until it is
            transcribed, the mean of the known ones.
    """

    recordings: int
    heard: int
    labelled: int
    unusable: int
    done: Seconds
    left: Seconds


def measure_progress(
    durations: Mapping[str, Seconds], labels: Mapping[str, Label], heard: int
) -> LabelProgress:
    """Count labels and minutes.

    Args:
        durations: length of each recording that can be labelled by id; 0 if it is unknown.
        labels: the labels by id; those of other recordings are not counted.
        heard: number of recordings that are transcribed.
    """
    known = [seconds for seconds in durations.values() if seconds]
    mean = sum(known) / len(known) if known else 0.0
    seconds = {id: duration or mean for id, duration in durations.items()}
    marked = [label for id, label in labels.items() if id in durations]
    done = sum(seconds[id] for id in labels if id in durations)
    unusable = sum(label.unusable is not None for label in marked)
    return LabelProgress(
        recordings=len(durations),
        heard=heard,
        labelled=len(marked) - unusable,
        unusable=unusable,
        done=done,
        left=max(0.0, sum(seconds.values()) - done),
    )


@dataclass(frozen=True)
class HeardErrors:
    """Word errors of the texts that were filled in, against those of the person.

    Attributes:
        labels: number of recordings.
        changed: number of those whose text the person changed.
        words: number of words that were said.
        wer: word error rate.
        interval: its 95 % bootstrap interval over recordings.
    """

    labels: int
    changed: int
    words: int
    wer: float
    interval: tuple[float, float]


def heard_errors(
    labels: Iterable[Label], model: str, normalise: Callable[[str], str]
) -> HeardErrors | None:
    """Compare what a recogniser heard with what a person wrote.

    Args:
        labels: the labels; unusable recordings, and texts filled in by other recognisers, are left
            out.
        model: the recogniser, as in `Label.model`.
        normalise: applied to both texts.

    Returns:
        The errors; None if nothing can be compared.
    """
    chosen: Sequence[Label] = [x for x in labels if x.unusable is None and x.model == model]
    if not chosen:
        return None
    said = [Utterance(x.text, x.duration, audio_filepath=Path("label")) for x in chosen]
    result = evaluate(said, [Transcript(x.heard, 0.0, x.duration) for x in chosen], normalise)
    return HeardErrors(
        labels=len(chosen),
        changed=sum(x.changed for x in chosen),
        words=result.words,
        wer=result.wer,
        interval=result.interval,
    )
