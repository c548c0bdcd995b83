"""Output formats behind one lookup: `WRITERS[format].write(results)` yields pieces of text.

Times are rounded to the nearest millisecond in every format. Formats that can hold only one
recording say so by `many`: more than one is an error, and `--out DIR` writes a file for each.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from asr.base.files import UNSAFE, json_line
from asr.errors import ConfigError
from asr.formats.subtitles import Captions, cues, milliseconds
from asr.results import Transcript

TIMES = ("start", "end", "duration")
"""Keys of JSON that are seconds."""
COLUMNS = ("audio_filepath", "channel", "start", "end", "word", "confidence")


@dataclass(frozen=True)
class Writer:
    """A format: the suffix of its files, whether one file holds many recordings, and
    `write(results)`, which yields the file's text piece by piece."""

    suffix: str
    many: bool
    write: Callable[[Iterable[Transcript]], Iterator[str]]


def find_writer(format: str, captions: Captions | None = None) -> Writer:
    """The writer of a format; `captions` are the settings of subtitles.

    Raises:
        ConfigError: no such format, or one that has no captions to set.
    """
    if format not in WRITERS:
        raise ConfigError(f"--format {format}: not known; one of {', '.join(WRITERS)}")
    writer = WRITERS[format]
    if captions is None:
        return writer
    if writer.write not in (srt, vtt):
        raise ConfigError(f"--format {format} has no lines to set: that is for srt and vtt")
    return replace(writer, write=partial(writer.write, captions=captions))


def several(format: str) -> ConfigError:
    """The error of more than one recording in a format that holds one."""
    return ConfigError(
        f"--format {format} holds one recording a file: write a file for each with --out DIR, "
        "or take jsonl"
    )


def txt(results: Iterable[Transcript]) -> Iterator[str]:
    """The text, one recording a line; to know which recording it is, take jsonl."""
    for result in results:
        yield result.text + "\n"


def json_(results: Iterable[Transcript]) -> Iterator[str]:
    """One object with all that is known of the recording: text, words, tokens, scores."""
    for result in _one(results, "json"):
        yield json_line(_rounded({"audio_filepath": None, **asdict(result)}))


def jsonl(results: Iterable[Transcript]) -> Iterator[str]:
    """One object a recording, a line each: all but the tokens, and alternatives where they were
    asked for. Times in seconds; scores in nats; audio_filepath as given."""
    for result in results:
        values = {"audio_filepath": None, **asdict(result)}
        del values["tokens"]
        if not result.alternatives:
            del values["alternatives"]
        yield json_line(_rounded(values))


def csv_(results: Iterable[Transcript]) -> Iterator[str]:
    """A header, then a row a word; a recording without a word has a row with its name alone."""
    return _table(results, "excel")


def tsv(results: Iterable[Transcript]) -> Iterator[str]:
    """As csv, with tabs between the columns."""
    return _table(results, "excel-tab")


def srt(results: Iterable[Transcript], captions: Captions = Captions()) -> Iterator[str]:
    """SubRip captions."""
    for result in _one(results, "srt"):
        for number, cue in enumerate(cues(result.words, captions), 1):
            # The format has no escapes: an arrow in the text must not look like a line of times.
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
    """NIST's time-marked words: file, channel (1 for a mix or the first), start, duration, word,
    confidence. The file is named without folder and suffix, unless another one has that name."""
    taken: dict[str, str] = {}
    for result in results:
        path = result.audio_filepath or "samples"
        name = Path(path).stem
        if taken.setdefault(name, path) != path:
            name = str(Path(path).with_suffix(""))
        # Columns are split at spaces, and a line that begins with ;; is a comment.
        name = "_".join(_utf8(name).split()).replace(";;", "__") or "_"
        for word in result.words:
            start, end = milliseconds(word.start), milliseconds(word.end)
            text = "".join(_utf8(word.text).split())
            yield (
                f"{name} {(result.channel or 0) + 1} {start / 1000:.3f} {(end - start) / 1000:.3f} "
                f"{text} {word.confidence:.3f}\n"
            )


def textgrid(results: Iterable[Transcript]) -> Iterator[str]:
    """Praat's TextGrid, long form: a tier of words and one of tokens, silence between as ""."""
    for result in _one(results, "TextGrid"):
        end = max([milliseconds(result.duration), *(milliseconds(t.end) for t in result.tokens)])
        tiers = {
            "words": [(w.text, w.start, w.end) for w in result.words],
            # Where two words meet, the space between has no time.
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
    """Text and ms of intervals that leave nothing out, as Praat wants them."""
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
    """Hours (two digits, or more where there are more), minutes, seconds, ms."""
    seconds, ms = divmod(ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{point}{ms:03}"


def _rounded(value: Any) -> Any:
    """Times to the ms, as everywhere; scores and confidences to four digits."""
    if isinstance(value, dict):
        times = {k: milliseconds(v) / 1000 for k, v in value.items() if k in TIMES}
        return {k: times[k] if k in times else _rounded(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(v) for v in value]
    return round(value, 4) if isinstance(value, float) else value


def _utf8(text: str) -> str:
    """What UTF-8 cannot hold (file names that are not UTF-8) written as \\uXXXX."""
    return UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
