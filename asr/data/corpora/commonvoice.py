"""Mozilla Common Voice, one language: sentences read by volunteers, MP3. CC0 1.0."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Iterator
from pathlib import Path

from asr.audio.reading import find_audio
from asr.data.corpora.common import audio_utterance, read_lines, split_by_position
from asr.data.manifest import Utterance
from asr.errors import ManifestError

SPLITS = ("train", "dev", "test")
BY_PERSON = "validated"
"""A list that is no split: its people are dealt to the splits."""
TEXT_COLUMN = {"path": "sentence", "filename": "text"}
"""The column of the texts, by that of the files: later versions, and the first one."""


def prepare(source: Path, out: Path, skipped: list[str]) -> dict[str, list[Utterance]]:
    """`source` holds the lists of one language, and its clips beside or below them.

    The first version has cv-valid-train.csv, -dev and -test. Later ones have train.tsv, dev.tsv and
    test.tsv. Where none of these is there, as in a delta release, validated.tsv is split by person,
    90/5/5. Clips in the same folders that no list names become untranscribed.jsonl, with empty
    texts: a teacher can label them.
    """
    lists = {
        split: path
        for split in SPLITS
        for pattern in (f"{split}.tsv", f"cv-valid-{split}.csv")
        for path in sorted(source.rglob(pattern))[:1]
    }
    splits: dict[str, list[Utterance]] = {split: [] for split in (*SPLITS, "untranscribed")}
    if not lists and (validated := sorted(source.rglob("validated.tsv"))):
        lists[BY_PERSON] = validated[0]
    if not lists:
        raise ManifestError(
            f"{source}: no list of Common Voice; expected train.tsv, validated.tsv or "
            "cv-valid-train.csv"
        )
    clips = {path.name: path for path in find_audio([str(source)])}
    for split, path in lists.items():
        for name, text, person in _rows(path):
            clip = clips.get(name, path.parent / "clips" / name)
            if utterance := audio_utterance(clip, text, person[:16] or None, skipped):
                splits[_split_of(person) if split == BY_PERSON else split].append(utterance)
    for name in _named(source):
        clips.pop(name, None)
    for clip in clips.values():
        if utterance := audio_utterance(clip, "", None, skipped, silent=True):
            splits["untranscribed"].append(utterance)
    return splits


def _rows(path: Path) -> Iterator[tuple[str, str, str]]:
    """File name, text and person ("" if it is not known) of each clip of a list."""
    lines = read_lines(path, "a Common Voice list")
    if path.suffix == ".tsv":
        # Sentences hold quotation marks of their own: none is the format's.
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE, restval="")
    else:
        rows = csv.DictReader(lines, restval="")
    columns = rows.fieldnames or ()
    file = next((column for column in TEXT_COLUMN if column in columns), None)
    if file is None or TEXT_COLUMN[file] not in columns:
        raise ManifestError(f"{path}: no columns path and sentence, or filename and text")
    for row in rows:
        yield Path(row[file]).name, row[TEXT_COLUMN[file]], row.get("client_id") or ""


def _named(source: Path) -> Iterator[str]:
    """File names of every clip that a list of the corpus names, the refused ones too."""
    for path in sorted([*source.rglob("*.tsv"), *source.rglob("cv-*.csv")]):
        lines = read_lines(path, "a Common Voice list")
        if path.name not in ("clip_durations.tsv", "times.txt"):
            separator = "\t" if path.suffix == ".tsv" else ","
            columns = lines[0].split(separator)
            place = next((i for i, c in enumerate(columns) if c in TEXT_COLUMN), None)
            if place is not None:
                yield from (Path(line.split(separator)[place]).name for line in lines[1:])


def _split_of(person: str) -> str:
    """The split of a person: the same in every version of the corpus."""
    return split_by_position(zlib.crc32(person.encode()))
