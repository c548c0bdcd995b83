"""Helpers of the corpus modules."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from asr.audio.reading import AudioInfo, measure
from asr.audio.segments import TOLERANCE, segment_name
from asr.base.units import Seconds
from asr.data.manifest import Utterance
from asr.errors import AudioError, ManifestError

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "val": "dev",
    "valid": "dev",
    "validation": "dev",
    "test": "test",
    "testing": "test",
    "eval": "test",
}
"""Words in the name of a set of utterances → its split. All other sets are split by position."""
ALL_CHANNELS: tuple[int, ...] = ()
"""Channels of an utterance that is the mix of all channels."""


class TableRow(NamedTuple):
    """A row of a table in Kaldi's format.

    Attributes:
        where: file and line, for messages.
        value: what follows the name.
    """

    where: str
    value: str


def expect(path: Path, contents: str) -> Path:
    """Check that a file or folder exists, and return its path.

    Args:
        path: the file or folder.
        contents: what it should hold, for the error message.

    Raises:
        ManifestError: it does not exist.
    """
    if not path.exists():
        raise ManifestError(f"{path}: not found; expected {contents}")
    return path


def read_lines(path: Path, contents: str) -> list[str]:
    """Read the lines of a text file that are not empty.

    Args:
        path: the file.
        contents: what it should hold, for the error message.

    Raises:
        ManifestError: the file does not exist.
    """
    text = expect(path, contents).read_text(encoding="utf-8-sig", errors="replace")
    return [line for line in text.split("\n") if line.strip()]


def read_kaldi_table(path: Path, contents: str, skipped: list[str]) -> dict[str, TableRow]:
    """Read a table in Kaldi's format: each line is a name, spaces or tabs, and a value.

    Args:
        path: the file.
        contents: what it should hold, for the error message.
        skipped: receives a message with file and line for each line that is not UTF-8, and for each
            name that occurs again. Of a name with two values neither is kept.

    Returns:
        Name → row, in the order of the lines.

    Raises:
        ManifestError: the file does not exist.
    """
    rows: dict[str, TableRow] = {}
    repeated: set[str] = set()
    for number, line in enumerate(expect(path, contents).read_bytes().split(b"\n"), 1):
        where = f"{path}, line {number}"
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip(" \t\r")
        except UnicodeDecodeError as error:
            skipped.append(f"{where}: not UTF-8: {error.reason} at byte {error.start}")
            continue
        # Not str.split() alone, which also splits at spaces that belong to a text, such as U+3000.
        name, *rest = re.split("[ \t]+", text, maxsplit=1)
        row = TableRow(where, "".join(rest))
        if not name:
            continue
        if name not in rows:
            rows[name] = row
        elif rows[name].value == row.value:
            skipped.append(f"{where}: {name} again, as in line {_line_of(rows[name])}")
        else:
            skipped.append(
                f"{where}: {name} again, but not as in line {_line_of(rows[name])}; neither is used"
            )
            repeated.add(name)
    return {name: row for name, row in rows.items() if name not in repeated}


def _line_of(row: TableRow) -> str:
    return row.where.rpartition(" ")[2]


def audio_utterance(
    path: Path, text: str, speaker: str | None, skipped: list[str], silent: bool = False
) -> Utterance | None:
    """Make an utterance, with the duration that `measure` finds.

    Args:
        path: the recording.
        text: its text.
        speaker: its speaker, or None.
        skipped: receives a message with file and reason if the recording is not usable.
        silent: whether the text may be empty, as for noise and for recordings without transcript;
            default: no.

    Returns:
        The utterance, or None if it was skipped.
    """
    if not text.strip() and not silent:
        skipped.append(f"{path}: no transcript")
        return None
    try:
        duration = measure(path).duration
    except AudioError as error:
        skipped.append(str(error))
        return None
    return Utterance(text.strip(), duration, audio_filepath=path, speaker=speaker)


class CorpusRecordings:
    """Makes the utterances of recordings that several utterances may share.

    Each recording is measured once.

    Args:
        skipped: receives a message with file, line and reason for each utterance that is not
            usable.
    """

    def __init__(self, skipped: list[str]) -> None:
        self.skipped = skipped
        self._measured: dict[Path, AudioInfo | str] = {}
        self._ids: set[str] = set()

    def utterance(
        self,
        where: str,
        path: Path,
        text: str,
        speaker: str | None,
        id: str | None = None,
        start: Seconds | None = None,
        end: Seconds | None = None,
        channels: Collection[int] = ALL_CHANNELS,
        language: str | None = None,
    ) -> Utterance | None:
        """Make an utterance.

        Args:
            where: file and line that describe the utterance, for messages.
            path: the recording.
            text: its text.
            speaker: its speaker, or None.
            id: its name, which no other utterance may have; default: none.
            start: start of the segment in the recording, in seconds; default: no segment.
            end: end of the segment, in seconds; default: that of the recording.
            channels: the channels that are heard, counted from 0; default: the mix of all.
            language: language of speech and text, or None.

        Returns:
            The utterance, or None if it was skipped.
        """
        try:
            return self._utterance(
                path, text, speaker, id, start, end, frozenset(channels), language
            )
        except (AudioError, ManifestError) as error:
            self.skipped.append(f"{where}: {error}")
            return None

    def _utterance(
        self,
        path: Path,
        text: str,
        speaker: str | None,
        id: str | None,
        start: Seconds | None,
        end: Seconds | None,
        channels: frozenset[int],
        language: str | None,
    ) -> Utterance:
        text = text.strip()
        if not text:
            raise ManifestError(f"{id or path}: no transcript")
        if id in self._ids:
            raise ManifestError(f"{id}: another utterance has this id")
        info = self._measure(path)
        duration = info.duration
        if start is not None:
            end = duration if end is None else end
            if not 0 <= start < min(end, duration) or end > duration + TOLERANCE:
                raise ManifestError(
                    f"{segment_name(path, start, end - start)}: no such segment in a recording of "
                    f"{duration:.2f} s"
                )
            duration = end - start
        channel = _chosen_channel(info, channels)
        if id is not None:
            self._ids.add(id)
        return Utterance(
            text, duration, path, speaker, offset=start, channel=channel, language=language, id=id
        )

    def _measure(self, path: Path) -> AudioInfo:
        if path not in self._measured:
            try:
                self._measured[path] = measure(path)
            except AudioError as error:
                self._measured[path] = str(error)
        info = self._measured[path]
        if isinstance(info, str):
            raise AudioError(info)
        return info


def _chosen_channel(info: AudioInfo, channels: frozenset[int]) -> int | None:
    """The channel of a recording; None for its only channel, and for the mix of all."""
    if max(channels, default=0) >= info.channels:
        raise ManifestError(
            f"{info.path}: no channel {max(channels)}; the recording has {info.channels}, counted "
            "from 0"
        )
    if not channels or len(channels) == info.channels:
        return None
    if len(channels) > 1:
        listed = ", ".join(map(str, sorted(channels)))
        raise ManifestError(
            f"{info.path}: channels {listed} of {info.channels}: an utterance has one channel, or "
            "the mix of all"
        )
    return next(iter(channels))


def find_near(name: str, folder: Path) -> Path:
    """The file of a relative path in a list that another program wrote.

    Such paths are relative to the folder where that program ran, which is often above the list.

    Args:
        name: an absolute or relative path.
        folder: folder of the list.

    Returns:
        The first file of that path below `folder`, the three folders above it, or the current
        folder; the path below `folder` if there is none.
    """
    folder = folder.absolute()
    for base in (folder, *folder.parents[:3], Path.cwd()):
        if (base / name).exists():
            return base / name
    return folder / name


def stored_audio(out: Path, set_name: str, number: int, name: str) -> Path:
    """Where to store audio that a corpus has inside another file.

    Args:
        out: folder of the manifests.
        set_name: name of the set of utterances.
        number: position of the audio in the set, which keeps names apart.
        name: name of the audio, with the suffix of its format.
    """
    safe = re.sub(r"[/\\\0]", "_", name)
    stem, suffix = Path(safe).stem, Path(safe).suffix
    return out / "audio" / set_name / f"{number:07}-{stem[:40]}{suffix}"


def into_splits(sets: dict[str, list[Utterance]]) -> dict[str, list[Utterance]]:
    """Divide sets of utterances into splits.

    Args:
        sets: name of each set → its utterances. A name with a word of `SPLIT_NAMES` tells the
            split. All other sets are divided 90/5/5 by position.
    """
    splits: dict[str, list[Utterance]] = {"train": [], "dev": [], "test": []}
    for name, utterances in sets.items():
        split = split_of_name(name)
        for number, utterance in enumerate(utterances):
            splits[split or split_by_position(number)].append(utterance)
    return splits


def split_of_name(name: str) -> str:
    """The split that the name of a set of utterances tells; "" for none.

    >>> split_of_name("librispeech_train-clean-100"), split_of_name("talks")
    ('train', '')
    """
    words = re.split(r"[^a-z]+", name.lower())
    return next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), "")


def move_to_dev(train: list[Utterance], count: int) -> tuple[list[Utterance], list[Utterance]]:
    """Divide a train set into a train and a dev set.

    >>> train, dev = move_to_dev([Utterance(t, 1.0) for t in "abcdef"], 2)
    >>> print(*(utterance.text for utterance in train), "|", *(utterance.text for utterance in dev))
    a c d f | b e

    Args:
        train: the train set.
        count: utterances of the dev set, evenly spread over the train set.

    Raises:
        ManifestError: no utterance would be left to train on.
    """
    if count >= len(train):
        raise ManifestError(
            f"--dev {count}: the train set has {len(train)} utterances, and at least one must stay"
        )
    chosen = {(2 * i + 1) * len(train) // (2 * count) for i in range(count)}
    kept = [utterance for i, utterance in enumerate(train) if i not in chosen]
    return kept, [train[i] for i in sorted(chosen)]


def split_by_position(number: int) -> str:
    """Split of an utterance by its position: train 90 %, dev 5 %, test 5 %.

    For corpora without splits of their own.

    Args:
        number: position in the corpus, from 0.
    """
    return {9: "test", 19: "dev"}.get(number % 20, "train")
