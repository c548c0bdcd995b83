"""Mozilla Common Voice, one language: sentences read by volunteers, MP3. CC0 1.0."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from asr.audio.find_audio import find_audio
from asr.data.corpora.common import audio_utterance, read_lines, split_by_position
from asr.data.manifest import Utterance
from asr.errors import ManifestError

SPLITS = ("train", "dev", "test")
BY_PERSON = "validated"
"""Key of a list without splits; it is split by person."""
TEXT_COLUMNS = {"path": "sentence", "filename": "text"}
"""Column of the file names → column of the texts, in later versions and in the first version."""


def prepare(source: Path, out: Path, skipped: list[str]) -> dict[str, list[Utterance]]:
    """Read the lists of one language, and the clips beside or below them.

    The first version has the splits cv-valid-train.csv, cv-valid-dev.csv and cv-valid-test.csv.
    Later versions have train.tsv, dev.tsv and test.tsv. A delta release has neither, so its
    validated.tsv is split by person, 90/5/5. Clips that are in no list are written to
    untranscribed.jsonl with empty texts, for self-training.
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
        for name, text, person, language in _rows(path):
            clip = clips.get(name, path.parent / "clips" / name)
            if utterance := audio_utterance(clip, text, person[:16] or None, skipped):
                utterance = replace(utterance, language=language or None)
                splits[_split_of(person) if split == BY_PERSON else split].append(utterance)
    for name in _listed_names(source):
        clips.pop(name, None)
    for clip in clips.values():
        if utterance := audio_utterance(clip, "", None, skipped, silent=True):
            splits["untranscribed"].append(utterance)
    return splits


def _rows(path: Path) -> Iterator[tuple[str, str, str, str]]:
    """File name, text, person and language ("" if unknown) of each clip in a list."""
    rows, file = _read_list(path)
    if file is None or TEXT_COLUMNS[file] not in (rows.fieldnames or ()):
        raise ManifestError(f"{path}: expected the columns path and sentence, or filename and text")
    for row in rows:
        person, language = (row.get(column) or "" for column in ("client_id", "locale"))
        yield Path(row[file]).name, row[TEXT_COLUMNS[file]], person, language


def _listed_names(source: Path) -> Iterator[str]:
    """File names of the clips in all lists, also in that of the rejected clips."""
    for path in sorted([*source.rglob("*.tsv"), *source.rglob("cv-*.csv")]):
        rows, file = _read_list(path)
        if file is not None:  # not a table of something else, such as clip_durations.tsv
            yield from (Path(row[file]).name for row in rows)


def _read_list(path: Path) -> tuple[csv.DictReader[str], str | None]:
    """The rows of a list, and the name of the column with the file names, if there is one."""
    lines = read_lines(path, "a Common Voice list")
    if path.suffix == ".tsv":
        # Quotation marks belong to the sentences, not to the format.
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE, restval="")
    else:
        rows = csv.DictReader(lines, restval="")
    columns = rows.fieldnames or ()
    return rows, next((column for column in TEXT_COLUMNS if column in columns), None)


def _split_of(person: str) -> str:
    """The split of a person. It is the same in every version of the corpus."""
    return split_by_position(zlib.crc32(person.encode()))
