"""Every format read back by a library that is not ours, with any text at any time."""

from __future__ import annotations

import csv
import io
import json
from itertools import pairwise
from pathlib import Path

import pytest
import srt
import webvtt
from hypothesis import example, given, settings
from hypothesis import strategies as st
from praatio import textgrid

from asr.errors import ConfigError
from asr.formats.subtitles import Captions, cues, milliseconds
from asr.formats.writers import WRITERS, find_writer
from asr.results import Token, Transcript, Word

NASTY = [
    "-->",
    "&",
    "&amp;",
    "<b>",
    '"',
    '""',
    "a,b",
    ";",
    "😀",
    "Straße",
    "안녕",
    "it's",
    "\\n",
    "''",
]
LONG = 100 * 3600_000
"""Over a hundred hours, in ms."""


def written(format: str, *results: Transcript, captions: Captions | None = None) -> str:
    return "".join(find_writer(format, captions).write(results))


@st.composite
def transcripts(draw: st.DrawFn) -> Transcript:
    """Words as a tokenizer may have them: any text without whitespace, any times in order."""
    word = st.sampled_from(NASTY) | st.text(
        st.characters(blacklist_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=8
    )
    at = draw(st.integers(0, LONG) | st.integers(0, 999))
    words = []
    for text in draw(st.lists(word, max_size=12)):
        start = at + draw(st.integers(0, 2000) | st.just(0))
        at = start + draw(st.integers(1, 2000))
        words.append(Word(text, start / 1000, at / 1000, draw(st.floats(0, 1))))
    name = draw(st.sampled_from(["a.wav", "dir/b c.wav", 'x",\t\n.flac', "\udce9.wav"]))
    tokens = tuple(Token(w.text, w.start, w.end, -0.5) for w in words)
    text = " ".join(w.text for w in words)
    channel = draw(st.none() | st.integers(0, 3))
    return Transcript(text, -0.5, (at + 5) / 1000, tokens, name, tuple(words), channel)


def stretches(result: Transcript) -> list[tuple[int, int, str]]:
    return [(milliseconds(w.start), milliseconds(w.end), w.text) for w in result.words]


EMPTY = Transcript("", -1.0, 2.0, audio_filepath="quiet.wav")
ONE = Transcript(
    "go", -0.12345, 1.23456, (Token("g", 0.5, 0.6, -0.1), Token("o", 0.6, 0.9, -0.2)), "ä.wav",
    (Word("go", 0.5, 0.9, 0.87654),), 1,
)  # fmt: skip


def test_the_lookup_says_what_each_format_holds() -> None:
    assert list(WRITERS) == ["txt", "jsonl", "json", "srt", "vtt", "csv", "tsv", "ctm", "TextGrid"]
    assert [f for f, w in WRITERS.items() if not w.many] == ["json", "srt", "vtt", "TextGrid"]
    assert all(w.suffix == f".{f}" for f, w in WRITERS.items())
    with pytest.raises(ConfigError, match="--format doc: not known; one of txt, jsonl, json, srt"):
        find_writer("doc")
    with pytest.raises(ConfigError, match="--format ctm has no lines to set"):
        find_writer("ctm", Captions())


@pytest.mark.parametrize("format", [f for f, w in WRITERS.items() if not w.many])
def test_a_second_recording_is_an_error_that_says_what_to_do(format: str) -> None:
    with pytest.raises(ConfigError, match=f"--format {format} holds one recording.*--out DIR"):
        written(format, ONE, EMPTY)


def test_txt_and_jsonl() -> None:
    assert written("txt", ONE, EMPTY) == "go\n\n"
    assert [json.loads(line) for line in written("jsonl", ONE, EMPTY).splitlines()] == [
        {
            "audio_filepath": "ä.wav", "channel": 1, "text": "go", "duration": 1.235,
            "score": -0.1235,
            "words": [{"text": "go", "start": 0.5, "end": 0.9, "confidence": 0.8765}],
        },
        {
            "audio_filepath": "quiet.wav", "channel": None, "text": "", "duration": 2.0,
            "score": -1.0, "words": [],
        },
    ]  # fmt: skip


def test_json_has_everything() -> None:
    assert json.loads(written("json", ONE)) == {
        "audio_filepath": "ä.wav", "channel": 1, "text": "go", "duration": 1.235, "score": -0.1235,
        "words": [{"text": "go", "start": 0.5, "end": 0.9, "confidence": 0.8765}],
        "tokens": [
            {"text": "g", "start": 0.5, "end": 0.6, "score": -0.1},
            {"text": "o", "start": 0.6, "end": 0.9, "score": -0.2},
        ],
        "alternatives": [],
    }  # fmt: skip


@given(transcripts())
def test_json_and_jsonl_read_back(result: Transcript) -> None:
    for format in ("json", "jsonl"):
        line = written(format, result)
        line.encode()  # a file name may hold what UTF-8 cannot
        assert line.count("\n") == 1
        values = json.loads(line)
        assert values["audio_filepath"] == result.audio_filepath and values["text"] == result.text
        assert [
            (round(w["start"] * 1000), round(w["end"] * 1000), w["text"]) for w in values["words"]
        ] == stretches(result)


@given(st.lists(transcripts(), max_size=3))
def test_csv_and_tsv_read_back(results: list[Transcript]) -> None:
    for format, dialect in (("csv", "excel"), ("tsv", "excel-tab")):
        text = written(format, *results)
        text.encode()
        rows = list(csv.DictReader(io.StringIO(text, newline=""), dialect=dialect))
        read = [(*(row[k] for k in ("audio_filepath", "channel", "word")), ms(row)) for row in rows]
        assert read == [
            (
                str(r.audio_filepath).replace("\udce9", "\\udce9"),
                "" if r.channel is None else str(r.channel),
                word,
                times,
            )
            for r in results
            for *times, word in (stretches(r) or [(None, None, "")])
        ]


def ms(row: dict[str, str]) -> list[int | None]:
    return [round(1000 * float(row[k])) if row[k] else None for k in ("start", "end")]


@given(transcripts(), st.integers(1, 50), st.integers(1, 3))
@example(EMPTY, 42, 2)
@settings(max_examples=60)
def test_srt_reads_back(result: Transcript, width: int, lines: int) -> None:
    captions = Captions(width, lines)
    text = written("srt", result, captions=captions)
    found = [
        (c.index, c.start.total_seconds(), c.end.total_seconds(), c.content)
        for c in srt.parse(text)
    ]
    assert found == [
        (i, c.start / 1000, c.end / 1000, "\n".join(c.lines).replace("-->", "-- >"))
        for i, c in enumerate(cues(result.words, captions), 1)
    ]


@given(transcripts(), st.integers(1, 50), st.integers(1, 3))
@example(EMPTY, 42, 2)
@settings(max_examples=60)
def test_vtt_reads_back(result: Transcript, width: int, lines: int) -> None:
    captions = Captions(width, lines)
    text = written("vtt", result, captions=captions)
    parsed = webvtt.from_buffer(io.StringIO(text))
    assert [(in_ms(c.start), in_ms(c.end), c.raw_text.split("\n")) for c in parsed] == [
        (c.start, c.end, [escaped(line) for line in c.lines]) for c in cues(result.words, captions)
    ]


def in_ms(clock: str) -> int:
    hours, minutes, seconds = clock.split(":")
    return round(1000 * (int(hours) * 3600 + int(minutes) * 60 + float(seconds)))


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@given(st.lists(transcripts(), max_size=3))
def test_ctm_has_six_columns_a_word(results: list[Transcript]) -> None:
    text = written("ctm", *results)
    text.encode()
    rows = [line.split(" ") for line in text.splitlines()]
    assert all(len(row) == 6 and not row[0].startswith(";;") for row in rows)
    assert [
        (int(row[1]), round(1000 * float(row[2])), round(1000 * (float(row[2]) + float(row[3]))),
         row[4]) for row in rows
    ] == [((r.channel or 0) + 1, *w) for r in results for w in stretches(r)]  # fmt: skip
    assert all(0 <= float(row[5]) <= 1 for row in rows)


def test_ctm_tells_recordings_of_one_name_apart() -> None:
    word = (Word("go", 0.5, 0.9, 0.5),)
    results = [Transcript("go", 0, 1, (), name, word) for name in ("a/x y.wav", "b/x y.wav", None)]
    assert written("ctm", *results) == (
        "x_y 1 0.500 0.400 go 0.500\nb/x_y 1 0.500 0.400 go 0.500\nsamples 1 0.500 0.400 go 0.500\n"
    )


@given(transcripts())
@example(EMPTY)
@settings(max_examples=60)
def test_textgrid_reads_back(tmp_path_factory: pytest.TempPathFactory, result: Transcript) -> None:
    path = Path(tmp_path_factory.getbasetemp()) / "x.TextGrid"
    path.write_text(written("TextGrid", result), encoding="utf-8")
    grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=True)
    assert grid.tierNames == ("words", "tokens")
    assert round(1000 * grid.maxTimestamp) == milliseconds(result.duration)
    for name in grid.tierNames:
        entries = grid.getTier(name).entries
        assert [
            (round(1000 * e.start), round(1000 * e.end), e.label) for e in entries if e.label
        ] == stretches(result)
        # Nothing is left out: Praat wants each interval to begin where the last one ends.
        assert entries[0].start == 0 and entries[-1].end == grid.maxTimestamp
        assert all(a.end == b.start for a, b in pairwise(entries))
