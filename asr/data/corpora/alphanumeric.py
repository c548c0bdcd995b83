"""Alphanumeric Audio Dataset: names spelled, telephone numbers, addresses; 70 people. MIT."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from asr.data.corpora.common import audio_utterance, read_lines
from asr.data.manifest import Utterance
from asr.errors import ManifestError
from asr.text.number_words import DIGITS

COLUMNS = ("Response_ID", "file_name", "Name", "Number", "Address")


def prepare(source: Path, out: Path, skipped: list[str]) -> dict[str, list[Utterance]]:
    """Read metadata.csv and audio_data/. All recordings are the training set.

    Names are spelled letter by letter and numbers digit by digit. Addresses with digits are left
    out, because people read a house number in several ways.
    """
    table = source / "metadata.csv"
    rows = csv.DictReader(read_lines(table, "the list of recordings"), restval="")
    if missing := set(COLUMNS).difference(rows.fieldnames or ()):
        raise ManifestError(f"{table}: no column {', '.join(sorted(missing))}")
    train = []
    for person, file, name, number, address in ([row[c] for c in COLUMNS] for row in rows):
        path = source / file
        kind = path.parent.name
        if kind == "Addresses" and re.search(r"\d", address):
            skipped.append(f"{path}: an address with digits has no certain transcript: {address}")
            continue
        text = {
            "Names": " ".join(re.sub("[^a-z]", "", name.lower())),
            "Numbers": " ".join(DIGITS[int(digit)] for digit in re.findall("[0-9]", number)),
            "Addresses": address.lower(),
        }.get(kind, "")
        if utterance := audio_utterance(path, text, person, skipped):
            train.append(utterance)
    return {"train": train}
