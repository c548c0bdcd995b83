"""Output formats: `WRITERS[format].write(results)` yields the text of a file piece by piece.

Every format rounds times to the nearest millisecond.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from asr.base.files import UNSAFE_IN_JSONL, json_line
from asr.errors import ConfigError
from asr.formats.subtitles import Captions, cues, milliseconds
from asr.results import Transcript

TIMES = ("start", "end", "duration", "offset")
"""JSON keys whose values are seconds."""
COLUMNS = ("audio_filepath", "channel", "start", "end", "word", "confidence")
"""Columns of csv and tsv."""


@dataclass(frozen=True)
class Writer:
    """An output format.

    Attributes:
        suffix: suffix of its files, such as .txt.
        many: whether a file can hold more than one recording.
        write: yields the text of a file with these results, piece by piece. It raises a
            ConfigError for a second result if `many` is false.
    """

    suffix: str
    many: bool
    write: Callable[[Iterable[Transcript]], Iterator[str]]


def find_writer(format: str, captions: Captions | None = None) -> Writer:
    """Find the writer of a format.

    Args:
        format: a key of `WRITERS`.
        captions: settings of captions, for srt and vtt only; None means the defaults.

    Raises:
        ConfigError: the format is unknown, or has no captions.
    """
    if format not in WRITERS:
        raise ConfigError(f"--format {format}: unknown; choose one of {', '.join(WRITERS)}")
    writer = WRITERS[format]
    if captions is None:
        return writer
    if writer.write not in (srt, vtt):
        raise ConfigError(
            f"--format {format} has no captions: --line-length and --lines are for srt and vtt"
        )
    return replace(writer, write=partial(writer.write, captions=captions))


def several(format: str) -> ConfigError:
    """The error for several recordings in a format with one recording per file."""
    return ConfigError(
        f"--format {format} holds one recording per file: write one file per recording with "
        "--out DIR/, or choose jsonl"
    )


def txt(results: Iterable[Transcript]) -> Iterator[str]:
    """The texts, one recording per line, without the names of the recordings."""
    for result in results:
        yield result.text + "\n"


def json_(results: Iterable[Transcript]) -> Iterator[str]:
    """One JSON object with all fields of a `Transcript`; warnings only if there are any."""
    for result in _one(results, "json"):
        yield json_line(_rounded(_values(result)))


def jsonl(results: Iterable[Transcript]) -> Iterator[str]:
    """One JSON object per line and recording.

    Has all fields of a `Transcript` except tokens; alternatives and warnings only if there are any.
    Times are in seconds, scores in nats, and audio_filepath is as given by the caller.
    """
    for result in results:
        values = _values(result)
        del values["tokens"]
        if not result.alternatives:
            del values["alternatives"]
        yield json_line(_rounded(values))


def csv_(results: Iterable[Transcript]) -> Iterator[str]:
    """A header, then one row per word. A recording without words has a row with its name only."""
    return _table(results, "excel")


def tsv(results: Iterable[Transcript]) -> Iterator[str]:
    """Like csv, with tabs between the columns."""
    return _table(results, "excel-tab")


def srt(results: Iterable[Transcript], captions: Captions = Captions()) -> Iterator[str]:
    """SubRip captions."""
    for result in _one(results, "srt"):
        for number, cue in enumerate(cues(result.words, captions), 1):
            # The format has no escapes, and an arrow in the text would look like a line of times.
            text = _utf8("\n".join(cue.lines)).replace("-->", "-- >")
            yield f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{text}\n\n"


def vtt(results: Iterable[Transcript], captions: Captions = Captions()) -> Iterator[str]:
    """WebVTT captions."""
    yield "WEBVTT\n"
    for result in _one(results, "vtt"):
        for cue in cues(result.words, captions):
            text = _utf8("\n".join(cue.lines))
            for character, escape in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
                text = text.replace(character, escape)
            yield f"\n{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{text}\n"


def ctm(results: Iterable[Transcript]) -> Iterator[str]:
    """NIST's time-marked words: file, channel, start, duration, word, confidence.

    The channel is 1 for the first channel and for a mix. The file is named without folder and
    suffix, unless an earlier file has the same name; then it is named with its folder.
    """
    taken: dict[str, str] = {}
    for result in results:
        path = result.audio_filepath or "samples"
        name = Path(path).stem
        if taken.setdefault(name, path) != path:
            name = str(Path(path).with_suffix(""))
        # Spaces separate columns, and ;; starts a comment.
        name = "_".join(_utf8(name).split()).replace(";;", "__") or "_"
        for word in result.words:
            start, end = milliseconds(word.start), milliseconds(word.end)
            text = "".join(_utf8(word.text).split())
            yield (
                f"{name} {(result.channel or 0) + 1} {start / 1000:.3f} {(end - start) / 1000:.3f} "
                f"{text} {word.confidence:.3f}\n"
            )


def textgrid(results: Iterable[Transcript]) -> Iterator[str]:
    """Praat's TextGrid in its long form: a tier of words and one of tokens; silence is ""."""
    for result in _one(results, "TextGrid"):
        end = milliseconds(result.offset + result.duration)
        end = max([end, *(milliseconds(t.end) for t in result.tokens)])
        tiers = {
            "words": [(w.text, w.start, w.end) for w in result.words],
            # The space between two words has no duration if the words follow each other at once.
            "tokens": [(t.text, t.start, t.end) for t in result.tokens if t.end > t.start],
        }
        yield (
            'File type = "ooTextFile"\nObject class = "TextGrid"\n\n'
            f"xmin = 0\nxmax = {end / 1000:.3f}\ntiers? <exists>\nsize = {len(tiers)}\nitem []:\n"
        )
        for number, (name, timed) in enumerate(tiers.items(), 1):
            intervals = list(_tiled(timed, end))
            yield (
                f'    item [{number}]:\n        class = "IntervalTier"\n        name = "{name}"\n'
                f"        xmin = 0\n        xmax = {end / 1000:.3f}\n"
                f"        intervals: size = {len(intervals)}\n"
            )
            for i, (text, a, b) in enumerate(intervals, 1):
                quoted = _utf8(text).replace('"', '""')
                yield (
                    f"        intervals [{i}]:\n            xmin = {a / 1000:.3f}\n"
                    f"            xmax = {b / 1000:.3f}\n"
                    f'            text = "{quoted}"\n'
                )


WRITERS: dict[str, Writer] = {
    "txt": Writer(".txt", True, txt),
    "jsonl": Writer(".jsonl", True, jsonl),
    "json": Writer(".json", False, json_),
    "srt": Writer(".srt", False, srt),
    "vtt": Writer(".vtt", False, vtt),
    "csv": Writer(".csv", True, csv_),
    "tsv": Writer(".tsv", True, tsv),
    "ctm": Writer(".ctm", True, ctm),
    "TextGrid": Writer(".TextGrid", False, textgrid),
}


def _values(result: Transcript) -> dict[str, Any]:
    """All fields for JSON; `offset` only of a segment, and warnings only if there are any."""
    values = {"audio_filepath": None, **asdict(result)}
    for key in ("offset", "warnings"):
        if not values[key]:
            del values[key]
    return values


def _one(results: Iterable[Transcript], format: str) -> Iterator[Transcript]:
    for i, result in enumerate(results):
        if i:
            raise several(format)
        yield result


def _table(results: Iterable[Transcript], dialect: str) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer, dialect, lineterminator="\n")

    def row(*values: Any) -> str:
        buffer.seek(0)
        buffer.truncate()
        writer.writerow(values)
        return buffer.getvalue()

    yield row(*COLUMNS)
    for result in results:
        name = None if result.audio_filepath is None else _utf8(result.audio_filepath)
        for w in result.words:
            times = (f"{milliseconds(t) / 1000:.3f}" for t in (w.start, w.end))
            yield row(name, result.channel, *times, _utf8(w.text), f"{w.confidence:.3f}")
        if not result.words:
            yield row(name, result.channel, None, None, None, None)


def _tiled(timed: Iterable[tuple[str, float, float]], end: int) -> Iterator[tuple[str, int, int]]:
    """Intervals in ms that cover the recording without gaps, as Praat requires; silence is ""."""
    at = 0
    for text, start, stop in timed:
        a, b = milliseconds(start), milliseconds(stop)
        if a > at:
            yield "", at, a
        yield text, a, b
        at = b
    if at < end:
        yield "", at, end


def _clock(ms: int, point: str) -> str:
    """A time as HH:MM:SS and milliseconds; hours have more digits if necessary."""
    seconds, ms = divmod(ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{point}{ms:03}"


def _rounded(value: Any) -> Any:
    """Round times to milliseconds, scores and confidences to four decimals."""
    if isinstance(value, dict):
        times = {k: milliseconds(v) / 1000 for k, v in value.items() if k in TIMES}
        return {k: times[k] if k in times else _rounded(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(v) for v in value]
    return round(value, 4) if isinstance(value, float) else value


def _utf8(text: str) -> str:
    """Escape characters that UTF-8 cannot encode (from file names) as \\uXXXX."""
    return UNSAFE_IN_JSONL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
