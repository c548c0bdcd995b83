"""The utterances of a manifest with the ids, lengths and channels that other toolkits need."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from asr.audio.reading import AudioInfo, measure
from asr.audio.segments import TOLERANCE
from asr.base.units import Seconds
from asr.data.manifest import Utterance
from asr.errors import AudioError, ManifestError

WHITE_SPACE = re.compile("[ \t\r\n\f\v]+")
"""What separates words in files of other toolkits. Other spaces of Unicode belong to the text."""


@dataclass(frozen=True)
class ExportableUtterance:
    """An utterance that can be written.

    Attributes:
        id: its name, unique in the manifest.
        text: its text.
        speaker: its speaker, or None.
        language: its language, or None.
        info: its recording.
        start: start in the recording, in seconds.
        duration: length in seconds; the recording has it all.
        whole: whether it is the whole recording.
        channel: its only channel, counted from 0; None for the mix of all, or the only one.
    """

    id: str
    text: str
    speaker: str | None
    language: str | None
    info: AudioInfo
    start: Seconds
    duration: Seconds
    whole: bool
    channel: int | None

    @property
    def path(self) -> Path:
        """The absolute path of the recording."""
        # Only the folder is resolved: the name of a link has the suffix of the format.
        return self.info.path.parent.resolve() / self.info.path.name

    @property
    def channels(self) -> list[int]:
        """The channels that are heard, counted from 0."""
        return [*range(self.info.channels)] if self.channel is None else [self.channel]


class UniqueNames:
    """Makes names different from each other by a number behind them.

    >>> names = UniqueNames({"b"})
    >>> print(*(names.add(name) for name in ("a", "a", "b", "a-2")))
    a a-2 b-2 a-2-2

    Args:
        taken: names that are in use already.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._last: dict[str, int] = {}

    def add(self, name: str) -> str:
        """The name, with a number behind it if it is in use."""
        candidate = name
        while candidate in self._taken:
            self._last[name] = self._last.get(name, 1) + 1
            candidate = f"{name}-{self._last[name]}"
        self._taken.add(candidate)
        return candidate


def find_exportable(
    manifest: Path, utterances: Sequence[Utterance], skipped: list[str]
) -> list[ExportableUtterance]:
    """The utterances of a manifest that can be written.

    An utterance without an id gets one of its speaker and the name of its recording. It does not
    depend on which other utterances are left out.

    Args:
        manifest: file of the manifest, for messages.
        utterances: its lines.
        skipped: receives a message for each utterance without text or usable audio.

    Raises:
        ManifestError: an id occurs twice, or no utterance can be written.
    """
    given: dict[str, Utterance] = {}
    for utterance in utterances:
        if utterance.id is None:
            continue
        if (other := given.setdefault(utterance.id, utterance)) is not utterance:
            raise ManifestError(
                f"{manifest}: id {utterance.id!r} occurs twice: {other.name} and {utterance.name}"
            )
    names = UniqueNames(given)
    measured: dict[Path, AudioInfo | str] = {}
    found = []
    for utterance in utterances:
        id = utterance.id if utterance.id is not None else names.add(_new_id(utterance))
        try:
            found.append(_exportable(utterance, id, measured))
        except (AudioError, ManifestError) as error:
            skipped.append(f"{manifest}: {error}")
    if not found:
        reasons = "\n  ".join(skipped[:10])
        raise ManifestError(f"{manifest}: no utterance can be written\n  {reasons}")
    return found


def _new_id(utterance: Utterance) -> str:
    """An id of the speaker, which comes first because Kaldi sorts by both, and the recording."""
    speaker = f"{utterance.speaker}-" if utterance.speaker else ""
    return WHITE_SPACE.sub("_", f"{speaker}{utterance.result_path.stem}")


def _exportable(
    utterance: Utterance, id: str, measured: dict[Path, AudioInfo | str]
) -> ExportableUtterance:
    if utterance.audio_filepath is None:
        raise ManifestError(f"{utterance.name}: has only features; other toolkits need the audio")
    text = utterance.text.strip()
    if not text:
        raise ManifestError(f"{utterance.name}: no transcript")
    info = _measure(utterance.audio_filepath, measured)
    start, end = utterance.offset or 0.0, info.duration
    cut = utterance.duration and utterance.duration < info.duration - TOLERANCE
    whole = utterance.offset is None and not cut
    if not whole and utterance.duration:
        end = start + utterance.duration
    if not start < min(end, info.duration) or end > info.duration + TOLERANCE:
        raise AudioError(
            f"{utterance.name}: no such segment in a recording of {info.duration:.2f} s"
        )
    if utterance.channel is not None and utterance.channel >= info.channels:
        raise AudioError(
            f"{utterance.name}: no channel {utterance.channel}; the recording has {info.channels}"
        )
    return ExportableUtterance(
        id,
        text,
        utterance.speaker,
        utterance.language,
        info,
        start,
        min(end, info.duration) - start,
        whole,
        utterance.channel if info.channels > 1 else None,
    )


def _measure(path: Path, measured: dict[Path, AudioInfo | str]) -> AudioInfo:
    if path not in measured:
        try:
            measured[path] = measure(path)
        except AudioError as error:
            measured[path] = str(error)
    info = measured[path]
    if isinstance(info, str):
        raise AudioError(info)
    return info
