"""Reading and writing JSONL manifests with NVIDIA NeMo's field names.

Each line is an object with `audio_filepath` or `feature_filepath` or both (absolute, or relative to
the manifest's folder), `duration` in seconds, `text`, and optionally `id`, `speaker`, `offset`,
`channel`, `lang` and `teacher`, the model that wrote the text. data/README.md lists the keys that
are obeyed and those that are refused.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from asr.audio.segments import segment_name
from asr.base.config import describe_problems
from asr.base.files import atomic_write, json_line
from asr.base.units import Seconds
from asr.errors import ManifestError, reason
from asr.text.languages import language_code

REFUSED_KEYS = {
    "target_channel": "write the channel to read as channel",
    "target_channel_selector": "write the channel to read as channel",
    "input_channel_selector": "write the channel to read as channel",
    "reference_channel": "write the channel to read as channel",
}
"""Keys that select samples in ways that are not supported → the remedy."""
LANGUAGE_KEYS = ("lang", "language", "source_lang", "target_lang")
"""Keys for the language of the speech or of the text."""
TASK_KEYS = ("taskname", "task")
TRANSCRIPTION_TASKS = frozenset({"asr", "transcribe", "transcription"})
"""Values of `TASK_KEYS` for which the text is in the language of the speech."""


@dataclass(frozen=True)
class Utterance:
    """A recording or a segment of one, or its features, and its text.

    >>> utterance = Utterance("go forward", 1.5, audio_filepath=Path("a.wav"), speaker="anna")
    >>> utterance.path.name, utterance.duration
    ('a.wav', 1.5)

    Attributes:
        text: the text as the corpus has it, not normalised.
        duration: seconds. If the recording is longer by more than 0.1 s, only this much of it is
            read; 0 stands for all of it.
        audio_filepath: the recording; None if there are only features.
        speaker: any name; None if unknown.
        feature_filepath: a Sphinx feature file; None if there are none.
        teacher: name of the model that wrote the text; None if a person did.
        offset: start of the segment in the recording, in seconds; None for a recording of its own.
        channel: the only channel with this text, counted from 0; None for a mix of all channels.
        language: language of speech and text, such as "en"; None if unknown.
        id: name of the utterance in the corpus, as Kaldi and Lhotse have it; None for none.
    """

    text: str
    duration: Seconds
    audio_filepath: Path | None = None
    speaker: str | None = None
    feature_filepath: Path | None = None
    teacher: str | None = None
    offset: Seconds | None = None
    channel: int | None = None
    language: str | None = None
    id: str | None = None

    @property
    def name(self) -> str:
        """Name in messages: the path, with the times of a segment."""
        if self.offset is None or self.audio_filepath is None:
            return str(self.path)
        return segment_name(self.path, self.offset, self.duration)

    @property
    def has_audio(self) -> bool:
        """Whether there is a recording, not only features."""
        return self.audio_filepath is not None

    @property
    def result_path(self) -> Path:
        """The path, with the times of a segment and the channel in the file name.

        Results of several segments of a recording are named after these paths.
        """
        path, marks = self.path, ""
        if self.offset is not None and self.audio_filepath is not None:
            start, end = (round(1000 * t) for t in (self.offset, self.offset + self.duration))
            marks += f"@{start}-{end}ms"
        if self.channel is not None:
            marks += f".ch{self.channel}"
        return path.with_name(f"{path.stem}{marks}{path.suffix}") if marks else path

    @property
    def path(self) -> Path:
        """The recording, or the feature file if there is no recording.

        Raises:
            ManifestError: the utterance has neither.
        """
        path = self.audio_filepath or self.feature_filepath
        if path is None:
            raise ManifestError(f"{self.text!r}: has no audio_filepath and no feature_filepath")
        return path


def _without_nul(path: str | None) -> str | None:
    if path and "\0" in path:
        raise PydanticCustomError("nul_in_path", "a path cannot hold a NUL character")
    return path


FilePath = Annotated[str | None, AfterValidator(_without_nul)]


class ManifestLine(BaseModel):
    """The keys of one line.

    Keys that are neither here nor in `REFUSED_KEYS` are notes of other programs, such as `pnc` or
    `orig_sample_rate`, and are ignored.
    """

    model_config = ConfigDict(strict=True, extra="ignore")

    text: str
    duration: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    audio_filepath: FilePath = None
    feature_filepath: FilePath = None
    id: str | int | None = None  # NeMo's manifests may have numbers
    speaker: str | None = None
    teacher: str | None = None
    offset: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    channel: Annotated[int, Field(ge=0)] | None = None
    channel_selector: Annotated[int, Field(ge=0)] | Literal["average"] | None = None
    lang: str | None = None
    language: str | None = None
    source_lang: str | None = None
    target_lang: str | None = None
    taskname: str | None = None
    task: str | None = None

    def utterance(self, folder: Path) -> Utterance:
        """The utterance, with paths relative to `folder` resolved."""
        return Utterance(
            text=self.text,
            duration=self.duration,
            audio_filepath=folder / self.audio_filepath if self.audio_filepath else None,
            speaker=self.speaker,
            feature_filepath=folder / self.feature_filepath if self.feature_filepath else None,
            teacher=self.teacher,
            offset=self.offset if self.audio_filepath else None,
            channel=self.chosen_channel(),
            language=self.spoken_language(),
            id=str(self.id) if self.id is not None else None,
        )

    def chosen_channel(self) -> int | None:
        """The channel of `channel` or `channel_selector`; None for a mix.

        Raises:
            ManifestError: the two keys differ.
        """
        selected = None if self.channel_selector == "average" else self.channel_selector
        if self.channel is None or self.channel_selector is None:
            return selected if self.channel is None else self.channel
        if selected != self.channel:
            raise ManifestError(
                f"channel {self.channel} and channel_selector {self.channel_selector} differ; "
                "leave one of them out"
            )
        return self.channel

    def spoken_language(self) -> str | None:
        """The language of `LANGUAGE_KEYS`; None if there is none.

        Raises:
            ManifestError: the languages differ, or the text is a translation.
        """
        for key in TASK_KEYS:
            task = getattr(self, key)
            if task and task.lower() not in TRANSCRIPTION_TASKS:
                raise ManifestError(
                    f"{key} {task!r}: the text must be the transcript of the speech; only "
                    f"{key} 'asr' is supported"
                )
        named = {key: value for key in LANGUAGE_KEYS if (value := getattr(self, key))}
        if len({language_code(value) for value in named.values()}) > 1:
            listed = ", ".join(f"{key} {value!r}" for key, value in named.items())
            raise ManifestError(f"{listed}: differ; speech and text must have one language")
        return next(iter(named.values()), None)


class ManifestEntry(NamedTuple):
    """A line of a manifest.

    Attributes:
        utterance: the utterance, with paths joined to the manifest's folder.
        values: all keys of the line, also those that nothing here reads.
    """

    utterance: Utterance
    values: dict[str, Any]


def is_manifest(name: str) -> bool:
    """Whether a command's argument names a manifest: .jsonl, or .json as NeMo calls them."""
    return name.lower().endswith((".jsonl", ".json"))


def read_manifest(path: Path) -> list[Utterance]:
    """Read a manifest.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "train.jsonl")
    ...     write_manifest(path, [Utterance("go forward", 1.5, Path(folder, "a.wav"))])
    ...     (utterance,) = read_manifest(path)
    ...     utterance.text, utterance.duration, utterance.path == Path(folder, "a.wav")
    ('go forward', 1.5, True)

    Args:
        path: a .jsonl file.

    Returns:
        The utterances in the order of their lines, without those that NeMo's key `_skipme` drops;
        paths are joined to the manifest's folder.

    Raises:
        ManifestError: the file cannot be read or has no line, or a line is invalid or has a key
            that cannot be obeyed; the message has the file, the number of the line, and the key.
    """
    utterances = [entry.utterance for entry in read_entries(Path(path))]
    if not utterances:
        raise ManifestError(f"{path}: has no utterances")
    return utterances


def read_entries(
    path: Path, needs_text: bool = True, skipped_too: bool = False
) -> Iterator[ManifestEntry]:
    """Read a manifest with all keys of its lines.

    Args:
        path: a .jsonl file.
        needs_text: whether a line without the key `text` is an error; else its text is "". Default
            True.
        skipped_too: whether lines that `_skipme` drops are read, too. Default False.

    Yields:
        The entries in the order of their lines.

    Raises:
        ManifestError: see `read_manifest`; a file without lines is no error.
    """
    try:
        # Not splitlines, which also splits at characters that JSON leaves as they are: U+2028.
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: cannot be read: {reason(error)}") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        values = _parse_object(line, where)
        if values.get("_skipme") and not skipped_too:
            continue
        checked = values if needs_text else {"text": "", **values}
        yield ManifestEntry(_parse_values(checked, where, path.parent), values)


def write_manifest(
    path: Path, utterances: Sequence[Utterance], notes: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Write a manifest. Its paths become relative to its own folder.

    Args:
        path: the file to write; its folder is created if needed.
        utterances: the lines, in order. Durations and offsets are rounded to microseconds,
            which tells samples apart.
        notes: more keys of each line, which `read_manifest` ignores. Default: none.

    Raises:
        OSError: the file cannot be written.
    """
    path = Path(path)
    folder = path.parent.resolve()
    more = notes or [{}] * len(utterances)
    with atomic_write(path) as file:
        for utterance, note in zip(utterances, more, strict=True):
            file.write(json_line({**_line_values(utterance, folder), **note}))


def count_by_teacher(utterances: Iterable[Utterance]) -> dict[str, dict[str, float]]:
    """Count the utterances and hours of each teacher. Texts by people are not counted.

    >>> count_by_teacher([Utterance("a", 36.0, teacher="whisper-base"), Utterance("b", 5.0)])
    {'whisper-base': {'utterances': 1, 'hours': 0.01}}
    """
    counts: dict[str, dict[str, float]] = {}
    for utterance in utterances:
        if utterance.teacher is not None:
            count = counts.setdefault(utterance.teacher, {"utterances": 0, "hours": 0.0})
            count["utterances"] += 1
            count["hours"] += utterance.duration / 3600
    return counts


def _line_values(utterance: Utterance, folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key in ("audio_filepath", "feature_filepath"):
        if (target := getattr(utterance, key)) is not None:
            # Only the folder is resolved. The file may be a link into a store of files that are
            # named by their contents, and the link's name has the suffix.
            target = Path(target).parent.resolve() / Path(target).name
            values[key] = os.path.relpath(target, folder)
    values |= {"duration": round(utterance.duration, 6), "text": utterance.text}
    for key in ("id", "speaker", "teacher"):
        if (name := getattr(utterance, key)) is not None:
            values[key] = name
    if utterance.offset is not None:
        values["offset"] = round(utterance.offset, 6)
    if utterance.channel is not None:
        values["channel"] = utterance.channel
    if utterance.language is not None:
        values["lang"] = utterance.language
    return values


def _parse_object(text: str, where: str) -> dict[str, Any]:
    """Parse a line; `where` names it in errors."""
    try:
        # Not `model_validate_json`, which refuses file names that are not UTF-8 ("\udce9").
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{where}: not JSON: {error}") from None
    if not isinstance(values, dict):
        raise ManifestError(f"{where}: expected an object, found {type(values).__name__}")
    return values


def _parse_values(values: dict[str, Any], where: str, folder: Path) -> Utterance:
    """Check the keys of a line."""
    try:
        line = ManifestLine.model_validate(values)
    except ValidationError as error:
        raise ManifestError(f"{where}: {describe_problems(error)}") from None
    if not (line.audio_filepath or line.feature_filepath):
        raise ManifestError(f"{where}: missing key audio_filepath (or feature_filepath)")
    for key, remedy in REFUSED_KEYS.items():
        if values.get(key) is not None:
            raise ManifestError(f"{where}: {key}: not supported; {remedy}")
    if not line.audio_filepath and line.offset:
        raise ManifestError(
            f"{where}: offset: needs audio_filepath; feature files are read as a whole"
        )
    try:
        return line.utterance(folder)
    except ManifestError as error:
        raise ManifestError(f"{where}: {error}") from None
