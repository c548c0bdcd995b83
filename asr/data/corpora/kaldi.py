"""A data directory of Kaldi: wav.scp, text, and optionally segments, utt2spk, utt2dur, utt2lang."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from asr.audio.segments import TOLERANCE
from asr.base.files import atomic_write
from asr.base.units import Seconds
from asr.data.corpora.common import (
    CorpusRecordings,
    TableRow,
    find_near,
    into_splits,
    read_kaldi_table,
    stored_audio,
)
from asr.data.corpora.kaldi_pipes import parse_pipe
from asr.data.manifest import Utterance
from asr.errors import ManifestError
from asr.text.languages import UNKNOWN_LANGUAGE

FIRST_CHANNEL = (0,)
"""What Kaldi hears of a recording with several channels if nothing chooses one."""
OFFSET = re.compile(r"(.+):(\d+)", re.DOTALL)
"""An archive and the position of an entry in it, in bytes."""
RIFF_HEADER = 12
"""Bytes of a WAV file that tell its length and kind."""


class KaldiSegment(NamedTuple):
    """A line of segments, or an utterance that is a recording of its own.

    Attributes:
        where: file and line, for messages.
        recording: name of the recording in wav.scp.
        start: seconds; None for a recording of its own.
        end: seconds; None for the end of the recording.
        channel: counted from 0; None if the line has none.
    """

    where: str
    recording: str
    start: Seconds | None
    end: Seconds | None
    channel: int | None


class ScpRecording(NamedTuple):
    """A recording of wav.scp, and the channels that its pipe keeps; None if it keeps them apart."""

    path: Path
    channels: tuple[int, ...] | None


def prepare(source: Path, out: Path, skipped: list[str]) -> dict[str, list[Utterance]]:
    """Read one data directory, or a folder of data directories such as data/ of a recipe.

    The name of a data directory tells its split, as in train_clean or dev; the utterances of others
    are divided 90/5/5 by position. Recordings in archives are written to `out` as WAV files.
    """
    folders = [path.parent for path in sorted([*source.glob("*/wav.scp")])]
    if (source / "wav.scp").exists():
        folders = [source]
    if not folders:
        raise ManifestError(
            f"{source}: no wav.scp; expected a data directory of Kaldi, or a folder of them"
        )
    recordings = CorpusRecordings(skipped)
    return into_splits(
        {f.absolute().name: _read_directory(f, out, recordings, skipped) for f in folders}
    )


def _read_directory(
    folder: Path, out: Path, recordings: CorpusRecordings, skipped: list[str]
) -> list[Utterance]:
    def table(name: str) -> dict[str, TableRow] | None:
        path = folder / name
        return read_kaldi_table(path, "a table", skipped) if path.exists() else None

    scp = read_kaldi_table(folder / "wav.scp", "a table of recordings", skipped)
    texts = read_kaldi_table(folder / "text", "a table of transcripts", skipped)
    speakers, durations, languages = (table(name) for name in ("utt2spk", "utt2dur", "utt2lang"))
    audio = _Audio(scp, folder, out)
    segments = _segments(table("segments"), scp, skipped)
    found: list[Utterance] = []
    for id, segment in segments.items():
        try:
            if id not in texts:
                raise ManifestError(f"{id}: not in {folder / 'text'}: no transcript")
            if speakers is not None and id not in speakers:
                raise ManifestError(f"{id}: not in {folder / 'utt2spk'}")
            path, kept = audio.find(segment.recording)
            if segment.channel is not None and kept is not None:
                raise ManifestError(f"{id}: the segment has a channel, and so has the pipe")
        except ManifestError as error:
            skipped.append(f"{segment.where}: {error}")
            continue
        speaker = speakers[id].value if speakers else None
        language = languages[id].value if languages and id in languages else None
        channels = FIRST_CHANNEL if kept is None else kept
        utterance = recordings.utterance(
            segment.where,
            path,
            texts[id].value,
            None if speaker == id else speaker,  # Kaldi's sign of an unknown speaker
            id,
            segment.start,
            segment.end,
            channels if segment.channel is None else (segment.channel,),
            language if language not in UNKNOWN_LANGUAGE else None,
        )
        if utterance is not None and _has_duration(utterance, durations, skipped):
            found.append(utterance)
    listed = folder / ("segments" if (folder / "segments").exists() else "wav.scp")
    skipped += [
        f"{row.where}: {id}: not in {listed}, or left out there"
        for id, row in texts.items()
        if id not in segments
    ]
    return found


def _segments(
    table: dict[str, TableRow] | None, scp: dict[str, TableRow], skipped: list[str]
) -> dict[str, KaldiSegment]:
    """The segments by id; without the file, each recording is an utterance."""
    if table is None:
        return {id: KaldiSegment(row.where, id, None, None, None) for id, row in scp.items()}
    segments = {}
    for id, row in table.items():
        try:
            recording, start, end, *channel = re.split("[ \t]+", row.value)
            segments[id] = KaldiSegment(
                row.where,
                recording,
                float(start),
                None if float(end) == -1 else float(end),
                int(*channel) if channel else None,
            )
        except (TypeError, ValueError):
            skipped.append(
                f"{row.where}: {id}: expected a recording, a start, an end and optionally a "
                f"channel, found {row.value!r}"
            )
    return segments


def _has_duration(
    utterance: Utterance, durations: dict[str, TableRow] | None, skipped: list[str]
) -> bool:
    """Whether an utterance is as long as utt2dur says; if not, its recording was probably cut."""
    row = (durations or {}).get(utterance.id or "")
    if row is None:
        return True
    try:
        same = abs(float(row.value) - utterance.duration) <= TOLERANCE
    except ValueError:
        skipped.append(f"{row.where}: {utterance.id}: {row.value!r} is no number of seconds")
        return False
    if not same:
        skipped.append(
            f"{row.where}: {utterance.id}: {row.value} s, but {utterance.name} has "
            f"{utterance.duration:.2f} s"
        )
    return same


class _Audio:
    """The recordings of a data directory by name."""

    def __init__(self, scp: dict[str, TableRow], folder: Path, out: Path) -> None:
        self.scp, self.folder, self.out = scp, folder, out
        self._numbers = {name: number for number, name in enumerate(scp)}
        self._found: dict[str, ScpRecording | str] = {}

    def find(self, name: str) -> ScpRecording:
        """A recording.

        Raises:
            ManifestError: wav.scp lacks it, or has no file and no pipe that is understood.
        """
        if name not in self._found:
            try:
                self._found[name] = self._find(name)
            except ManifestError as error:
                self._found[name] = str(error)
        found = self._found[name]
        if isinstance(found, str):
            raise ManifestError(found)
        return found

    def _find(self, name: str) -> ScpRecording:
        if name not in self.scp:
            raise ManifestError(f"{name}: no such recording in {self.folder / 'wav.scp'}")
        where, value = self.scp[name]
        if value.endswith("|"):
            file, channels = (pipe := parse_pipe(value)).file, pipe.channels
            return ScpRecording(find_near(file, self.folder), channels)
        path = find_near(value, self.folder)
        if not path.exists() and (entry := OFFSET.fullmatch(value)):
            archive = find_near(entry[1], self.folder)
            stored = stored_audio(
                self.out, self.folder.absolute().name, self._numbers[name], f"{name}.wav"
            )
            try:
                _copy_entry(archive, int(entry[2]), stored)
            except OSError as error:
                raise ManifestError(f"{where}: {archive}: {error.strerror}") from None
            return ScpRecording(stored, None)
        return ScpRecording(path, None)


def _copy_entry(archive: Path, position: int, target: Path) -> None:
    """Copy a WAV file out of an archive.

    Raises:
        ManifestError: there is no complete WAV file at `position`.
        OSError: a file cannot be read or written.
    """
    with archive.open("rb") as file:
        file.seek(position)
        header = file.read(RIFF_HEADER)
        size = int.from_bytes(header[4:8], "little") + 8 - RIFF_HEADER
        rest = file.read(size) if header[:4] == b"RIFF" and header[8:] == b"WAVE" else b""
    if not rest or len(rest) != size:
        raise ManifestError(f"{archive}: no complete WAV file at byte {position}")
    with atomic_write(target, binary=True) as copy:
        copy.write(header + rest)
