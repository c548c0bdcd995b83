"""A folder of your own recordings, with a manifest of ours or NeMo's, or with a .txt file each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from asr.audio.find_audio import find_audio
from asr.audio.reading import measure
from asr.audio.segments import TOLERANCE
from asr.data.corpora.common import audio_utterance, split_by_position, split_of_name
from asr.data.manifest import Utterance, is_manifest, read_manifest
from asr.errors import AudioError, ManifestError

FIRST_LINE = 1 << 20
"""Bytes of a file that are searched for the end of its first line."""


def prepare(source: Path, out: Path, skipped: list[str]) -> dict[str, list[Utterance]]:
    """Search a folder to any depth for manifests, and for recordings with a .txt file beside them.

    A manifest's text comes before that of a .txt file. The recordings that no manifest lists take
    the name of their folder in `source` for their speaker. What no manifest's name puts into a
    split is divided 90/5/5 by name. Manifests in `out` are those of an earlier call.
    """
    splits: dict[str, list[Utterance]] = {"train": [], "dev": [], "test": []}
    unsplit: list[Utterance] = []
    listed: set[Path] = set()
    known: set[tuple[object, ...]] = set()
    manifests = list(_manifests(source))
    earlier = [path for path in manifests if path.parent.resolve() == out.resolve()]
    # Manifests with a split come first, because another one may list the same recordings.
    order = sorted(
        set(manifests).difference(earlier), key=lambda p: (split_of_name(p.stem) == "", p)
    )
    for path in order:
        for utterance in read_manifest(path):
            recording = utterance.path.resolve()
            key = (recording, utterance.offset, utterance.channel)
            listed.add(recording)
            if key not in known and (usable := _usable(utterance, skipped)):
                splits.get(split_of_name(path.stem), unsplit).append(usable)
            known.add(key)
    try:
        recordings = find_audio([str(source)])
    except AudioError:  # the manifests may list recordings in other folders
        recordings = []
        if not manifests:
            raise
    for path in recordings:
        if path.resolve() not in listed and (found := _with_text_file(path, source, skipped)):
            unsplit.append(found)
    for number, utterance in enumerate(unsplit):
        splits[split_by_position(number)].append(utterance)
    if earlier and not any(splits.values()):
        raise ManifestError(
            f"{earlier[0]}: manifests in the folder --out are not read, because they would be "
            "overwritten; give another folder as --out"
        )
    return splits


def _manifests(source: Path) -> Iterator[Path]:
    """Files in a folder, at any depth, whose first line is that of a manifest."""
    for path in sorted(path for path in source.rglob("*") if is_manifest(path.name)):
        try:
            with path.open("rb") as file:
                values = json.loads(file.read(FIRST_LINE).lstrip().split(b"\n")[0])
        except (OSError, ValueError, RecursionError):
            continue
        if not isinstance(values, dict) or not {"text", "duration"} <= set(values):
            continue
        # Results of `asr transcribe` have the same keys, and the words with their times.
        named = "audio_filepath" in values or "feature_filepath" in values
        if named and not isinstance(values.get("words"), list):
            yield path


def _usable(utterance: Utterance, skipped: list[str]) -> Utterance | None:
    """The utterance with the duration of its recording; None if it was skipped."""
    text = utterance.text.strip()
    if not text:
        skipped.append(f"{utterance.name}: no transcript")
        return None
    if utterance.audio_filepath is None:
        if not utterance.path.is_file():
            skipped.append(f"{utterance.path}: no such file")
            return None
        return replace(utterance, text=text)
    try:
        seconds = measure(utterance.path).duration
    except AudioError as error:
        skipped.append(str(error))
        return None
    # A duration that cuts the recording is a part of what the manifest means.
    if utterance.offset is None and not 0 < utterance.duration < seconds - TOLERANCE:
        return replace(utterance, text=text, duration=seconds)
    return replace(utterance, text=text)


def _with_text_file(path: Path, source: Path, skipped: list[str]) -> Utterance | None:
    """The utterance of a recording with a .txt file beside it; None if it was skipped."""
    transcript = path.with_suffix(".txt")
    if not transcript.is_file():
        skipped.append(f"{path}: {transcript.name} is missing, and no manifest lists the recording")
        return None
    try:
        text = " ".join(transcript.read_text(encoding="utf-8-sig").split())
    except (OSError, UnicodeDecodeError) as error:
        skipped.append(f"{transcript}: cannot be read as UTF-8 text: {error}")
        return None
    parts = path.relative_to(source).parts
    speaker = parts[0] if len(parts) > 1 else None
    return audio_utterance(path, text, speaker, skipped)
