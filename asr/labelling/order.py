"""`LabelOrder`: least sure first, although recordings are still being transcribed."""

from __future__ import annotations

from bisect import insort
from collections.abc import Collection, Iterable, Iterator, Sequence

from asr.results import Word


def sureness(words: Sequence[Word]) -> float:
    """How sure a recogniser is of a text: the mean confidence of its words, from 0 to 1.

    A recording without words is 0: either the recogniser missed the speech, or there is none and
    the recording is unusable. A person should see both first.
    """
    return sum(word.confidence for word in words) / len(words) if words else 0.0


class LabelOrder:
    """The order of recordings.

    Recordings that were opened come first, in the order in which they were first opened. They never
    move, so that "previous" always finds the same one. All others follow, least sure first, and as
    in the source if they are equally sure. A recording that is transcribed later is sorted in among
    the ones that nobody has opened.

    Args:
        opened: ids of recordings that were opened earlier, in their order.
    """

    def __init__(self, opened: Iterable[str] = ()) -> None:
        self._opened = dict.fromkeys(opened)
        self._waiting: list[tuple[float, int, str]] = []
        self._known = set(self._opened)

    def __iter__(self) -> Iterator[str]:
        yield from self._opened
        yield from (id for _, _, id in self._waiting)

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, id: str) -> bool:
        return id in self._known

    def add(self, id: str, sure: float, position: int) -> None:
        """Sort in a recording that has been transcribed; one that is known already stays.

        Args:
            id: its id.
            sure: `sureness` of its text.
            position: its place in the source.
        """
        if id not in self._known:
            self._known.add(id)
            insort(self._waiting, (sure, position, id))

    def open(self, id: str) -> None:
        """Give a recording its lasting place behind all that were opened before."""
        if id not in self._opened:
            self._opened[id] = None
            self._waiting = [entry for entry in self._waiting if entry[2] != id]
            self._known.add(id)

    def next(
        self, done: Collection[str], current: str | None = None, busy: Collection[str] = ()
    ) -> str | None:
        """The recording to label after another one.

        The first one behind `current` that is not done; behind the last one it begins again, with
        those that were opened and left. Recordings that someone else has open come last.

        Args:
            done: recordings with a label.
            current: the one that is open now; None: none.
            busy: those that others have open.

        Returns:
            Its id; None if there is no other.
        """
        order = list(self)
        at = order.index(current) + 1 if current in self._known and current is not None else 0
        rest = [id for id in order[at:] + order[:at] if id not in done and id != current]
        return next((id for id in rest if id not in busy), rest[0] if rest else None)

    def previous(self, current: str | None) -> str | None:
        """The recording that was opened before another one, with a label or without.

        Args:
            current: the one that is open now; None: none, and the last one is meant.
        """
        opened = list(self._opened)
        at = opened.index(current) if current in self._opened and current is not None else None
        before = opened if at is None else opened[:at]
        return before[-1] if before else None
