"""Least sure first; what was opened keeps its place; nothing is lost or offered twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from asr.labelling.order import LabelOrder, sureness
from asr.results import Word


def words(*confidences: float) -> tuple[Word, ...]:
    return tuple(Word("w", i, i + 1, c) for i, c in enumerate(confidences))


def test_sureness_is_the_mean_confidence_and_silence_comes_first() -> None:
    assert sureness(words(0.5, 1.0)) == 0.75
    assert sureness(()) == 0.0


def test_the_least_sure_comes_next_and_equal_ones_as_in_the_source() -> None:
    order = LabelOrder()
    for id, sure, position in (("c", 0.5, 2), ("a", 0.9, 0), ("d", 0.1, 3), ("b", 0.5, 1)):
        order.add(id, sure, position)
    assert list(order) == ["d", "b", "c", "a"]
    assert order.next(done=()) == "d"


def test_a_recording_that_is_transcribed_later_comes_behind_the_open_one() -> None:
    order = LabelOrder()
    order.add("a", 0.5, 0)
    order.open("a")
    order.add("b", 0.9, 1)
    order.add("c", 0.1, 2)
    assert list(order) == ["a", "c", "b"]
    assert order.next(done={"a"}, current="a") == "c"
    order.open("c")
    assert order.previous("c") == "a"
    assert order.previous("a") is None
    assert order.previous(None) == "c"


def test_skipped_recordings_come_again_at_the_end() -> None:
    order = LabelOrder()
    for number, id in enumerate("abc"):
        order.add(id, number / 10, number)
    for id in "abc":
        order.open(id)
    assert order.next(done={"b", "c"}, current="c") == "a"
    assert order.next(done={"a", "b", "c"}, current="c") is None
    assert order.next(done={"a", "b"}, current="c") is None  # the open one alone is left


def test_what_someone_else_has_open_comes_last() -> None:
    order = LabelOrder()
    for number, id in enumerate("ab"):
        order.add(id, number / 10, number)
    assert order.next(done=(), busy={"a"}) == "b"
    assert order.next(done={"b"}, busy={"a"}) == "a"


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.integers(0, 20), st.floats(0, 1)),
            st.tuples(st.just("open"), st.integers(0, 20), st.just(0.0)),
        ),
        max_size=60,
    )
)
def test_the_rule_holds_whatever_arrives_when(steps: list[tuple[str, int, float]]) -> None:
    order, opened, sure = LabelOrder(), [], {}
    for step, number, value in steps:
        id = str(number)
        before = list(order)
        if step == "add":
            order.add(id, value, number)
            sure.setdefault(id, value)
            assert [x for x in order if x in before] == before  # nothing that is there moves
        elif id in order:
            order.open(id)
            opened += [id] if id not in opened else []
        now = list(order)
        assert len(now) == len(set(now)) == len(order)
        assert now[: len(opened)] == opened
        rest = now[len(opened) :]
        assert rest == sorted(rest, key=lambda x: (sure[x], int(x)))
    seen, current, done = [], None, set()
    while (following := order.next(done, current)) is not None:
        seen.append(following)
        done.add(following)
        current = following
    assert sorted(seen) == sorted(order)
