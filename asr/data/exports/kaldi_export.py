"""Data directories of Kaldi."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from asr.audio.reading import AudioInfo
from asr.base.files import atomic_write
from asr.data.exports.exportable import WHITE_SPACE, ExportableUtterance, UniqueNames
from asr.errors import ManifestError

PLAIN = "PCM_16"
"""Encoding that Kaldi reads without a program."""


def write(sets: Mapping[str, Sequence[ExportableUtterance]], out: Path, notes: list[str]) -> None:
    """Write a data directory for each set.

    The files are sorted as Kaldi needs them. Mono WAV files of 16 bits are listed by their absolute
    path, all others by a command of ffmpeg. White space in ids and speakers becomes `_`.
    """
    for name, utterances in sets.items():
        _write_directory(out / name, utterances, notes)


def _write_directory(
    folder: Path, utterances: Sequence[ExportableUtterance], notes: list[str]
) -> None:
    ids = _names([u.id for u in utterances], "id", folder, notes)
    speakers = _names(
        [u.speaker for u in utterances if u.speaker is not None], "speaker", folder, notes
    )
    any_language = any(u.language for u in utterances)
    segmented = any(not u.whole for u in utterances)
    scp: dict[str, str] = {}
    tables: dict[str, dict[str, str]] = defaultdict(dict)
    recordings: dict[tuple[Path, int | None], str] = {}
    people: dict[str, list[str]] = defaultdict(list)
    names = UniqueNames()
    for utterance in utterances:
        id = ids[utterance.id]
        # An utterance of an unknown speaker is its own speaker.
        speaker = id if utterance.speaker is None else speakers[utterance.speaker]
        key = (utterance.path, utterance.channel)
        recording = id
        if segmented:
            if key not in recordings:
                recordings[key] = names.add(WHITE_SPACE.sub("_", utterance.path.stem))
            recording = recordings[key]
            end = utterance.start + utterance.duration
            tables["segments"][id] = f"{recording} {utterance.start:.6f} {end:.6f}"
        scp[recording] = _audio(utterance.path, utterance.info, utterance.channel)
        tables["text"][id] = WHITE_SPACE.sub(" ", utterance.text)
        tables["utt2spk"][id] = speaker
        tables["utt2dur"][id] = f"{utterance.duration:.6f}"
        people[speaker].append(id)
        if any_language:  # readers want a line for every utterance
            tables["utt2lang"][id] = WHITE_SPACE.sub("_", utterance.language or "und")
    tables["wav.scp"] = scp
    tables["spk2utt"] = {
        speaker: " ".join(sorted(of, key=str.encode)) for speaker, of in people.items()
    }
    if any(not ids[u.id].startswith(speakers[u.speaker]) for u in utterances if u.speaker):
        notes.append(
            f"{folder}: some ids do not begin with their speaker, which Kaldi's "
            "validate_data_dir.sh asks for"
        )
    for table, rows in tables.items():
        with atomic_write(folder / table) as file:
            file.writelines(f"{key} {rows[key]}\n" for key in sorted(rows, key=str.encode))


def _names(given: Sequence[str], kind: str, folder: Path, notes: list[str]) -> dict[str, str]:
    """A name without white space for each given one.

    Raises:
        ManifestError: two of them would have the same name.
    """
    names = {name: WHITE_SPACE.sub("_", name) for name in given}
    owners: dict[str, str] = {}
    for name, written in names.items():
        if owners.setdefault(written, name) != name:
            raise ManifestError(
                f"{folder}: the {kind}s {owners[written]!r} and {name!r} would both be {written}, "
                "because Kaldi's names have no white space; rename one"
            )
    changed = [name for name, written in names.items() if name != written]
    if changed:
        notes.append(
            f"{folder}: {len(changed)} {kind}(s) with white space, which Kaldi's names cannot "
            f"have, such as {changed[0]!r}: written with _"
        )
    return names


def _audio(path: Path, info: AudioInfo, channel: int | None) -> str:
    """The path of a recording, or a command that decodes it.

    Raises:
        ManifestError: the path has a line end.
    """
    name = str(path)
    if any(end in name for end in "\n\r"):
        raise ManifestError(f"{name!r}: wav.scp cannot have a path with a line end")
    readable = name == name.strip() and not name.endswith("|")
    if info.channels == 1 and info.subtype == PLAIN and _is_wav(path) and readable:
        return name
    pan = []
    if info.channels > 1:
        heard = [*range(info.channels)] if channel is None else [channel]
        weights = "+".join(f"{1 / len(heard):.6f}*c{c}" for c in heard)
        pan = ["-af", f"pan=mono|c0={weights if channel is None else f'c{channel}'}"]
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", name, *pan, "-f", "wav", "-"]
    return f"{shlex.join(command)} |"


def _is_wav(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"RIFF"
