from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.errors import ConfigError
from asr.formats.subtitles import GAP, MAX_DURATION, PAUSE, Captions, Cue, cues, milliseconds
from asr.results import Word


def speech(text: str, start: float = 0.0, each: float = 0.3) -> list[Word]:
    return [
        Word(w, start + i * each, start + (i + 1) * each, 0.9) for i, w in enumerate(text.split())
    ]


def test_lines_are_as_long_as_allowed_and_alike() -> None:
    words = speech("the quick brown fox jumps over the lazy dog and runs away")
    (cue,) = cues(words, Captions(42, 2))
    assert cue.lines == ("the quick brown fox jumps over", "the lazy dog and runs away")
    first, second = cues(words, Captions(20, 2))
    assert first.lines == ("the quick brown fox", "jumps over the lazy") and second.start == 2400
    assert second.lines == ("dog and runs away",)
    assert [c.lines for c in cues(speech("a b c"), Captions(1, 1))] == [("a",), ("b",), ("c",)]


def test_a_word_longer_than_a_line_is_not_split() -> None:
    assert cues(speech("a incomprehensibilities b"), Captions(10, 3))[0].lines == (
        "a", "incomprehensibilities", "b",
    )  # fmt: skip


def test_a_pause_ends_a_caption_and_a_short_one_stays_for_a_second() -> None:
    pause = PAUSE / 1000
    words = [Word("go", 1.0, 1.2, 1.0), Word("on", 1.2 + pause, 1.5 + pause, 1.0)]
    # The first would stay until 2.0 s, but must be gone before the second comes at 1.9 s.
    assert cues(words) == [Cue(("go",), 1000, 1900 - GAP), Cue(("on",), 1900, 2900)]
    nearer = [words[0], Word("on", 1.19 + pause, 1.5 + pause, 1.0)]
    assert [c.lines for c in cues(nearer)] == [("go on",)]


def test_no_caption_stays_too_long() -> None:
    found = cues(speech("a b c d e f g h i j", each=1.5))
    assert len(found) == 3 and all(c.end - c.start <= MAX_DURATION for c in found)
    assert cues([Word("hm", 0, 60, 0.5)]) == [Cue(("hm",), 0, MAX_DURATION)]


@given(
    st.lists(
        st.tuples(st.text(min_size=1, max_size=30), st.integers(0, 1500), st.integers(20, 3000)),
        max_size=40,
    ),
    st.integers(1, 50),
    st.integers(1, 3),
)
def test_captions_of_any_words(drawn: list[tuple[str, int, int]], width: int, lines: int) -> None:
    words, at = [], 0
    for text, before, length in drawn:
        text = "".join(text.split()) or "x"
        words.append(Word(text, (at + before) / 1000, (at + before + length) / 1000, 0.5))
        at += before + length
    found = cues(words, Captions(width, lines))
    spoken = [w for cue in found for line in cue.lines for w in line.split(" ")]
    assert spoken == [w.text for w in words]  # none lost, doubled or split
    for cue in found:
        assert cue.start < cue.end <= cue.start + MAX_DURATION
        assert len(cue.lines) <= lines
        assert all(len(line) <= width or " " not in line for line in cue.lines)
    for a, b in pairwise(found):
        assert a.end <= b.start - min(GAP, (b.start - a.start) // 2)
    assert [c.start for c in found] == sorted(c.start for c in found)
    starts = {milliseconds(w.start) for w in words}
    assert all(c.start in starts for c in found)


def test_impossible_settings_are_named() -> None:
    with pytest.raises(ConfigError, match="--line-length must be 1 or more, found 0"):
        Captions(line_length=0)
    with pytest.raises(ConfigError, match="--lines must be 1 or more, found -1"):
        Captions(lines=-1)
