"""Checks of manifests before a training, and their statistics."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

from asr.audio.reading import AudioInfo, measure
from asr.audio.segments import TOLERANCE
from asr.base.progress import track
from asr.base.units import Seconds
from asr.ctc.best_path import frames_needed
from asr.data.inputs import check_language
from asr.data.manifest import Utterance
from asr.data.packs.pack_index import damaged_shards, read_utterances
from asr.data.packs.packed_utterance import PackedUtterance
from asr.errors import AudioError, TextError
from asr.text.languages import (
    check_language_code,
    clearly_foreign_letters,
    language_code,
    yaml_line,
)
from asr.text.tokenizers import Tokenizer, TokenizerConfig, fit_tokenizer

DURATION_TOLERANCE: Seconds = TOLERANCE
"""Largest difference between the duration in a manifest and that of the recording."""


@dataclass(frozen=True)
class ManifestFinding:
    """A problem with a manifest.

    Attributes:
        level: "error": training cannot use the utterance; "warning": evaluation may be too good.
        where: the file or files.
        message: the problem.
    """

    level: Literal["error", "warning"]
    where: str
    message: str


@dataclass(frozen=True)
class ManifestStatistics:
    """Statistics of one manifest.

    Attributes:
        utterances: number of utterances.
        hours: duration of all utterances.
        speakers: number of different speakers.
        words: number of words, separated by spaces.
        characters: number of characters, spaces included.
        shortest: duration of the shortest utterance in seconds.
        median: median duration in seconds.
        longest: duration of the longest utterance in seconds.
    """

    utterances: int
    hours: float
    speakers: int
    words: int
    characters: int
    shortest: Seconds
    median: Seconds
    longest: Seconds


@dataclass(frozen=True)
class ManifestReport:
    """Statistics of each manifest, and the problems of all of them."""

    statistics: dict[Path, ManifestStatistics]
    findings: tuple[ManifestFinding, ...]


def read_manifests(paths: Iterable[Path]) -> dict[Path, list[Utterance]]:
    """Read manifests and packs, each once: path → its utterances.

    Raises:
        ManifestError: a manifest cannot be read, or has an invalid line; or a pack is damaged.
    """
    return {path: read_utterances(path) for path in dict.fromkeys(paths)}


def check_manifests(
    manifests: Mapping[Path, Sequence[Utterance]],
    encode: Callable[[str], Sequence[int]],
    frames: Callable[[float], int],
    language: str | None = None,
) -> ManifestReport:
    """Check manifests for unusable utterances, and for files, sentences and speakers they share.

    A recording is measured once, and what is wrong with it is reported once, although a manifest
    may have many segments of it.

    Args:
        manifests: the manifests, such as those of training, dev and test set, from
            `read_manifests`.
        encode: converts a text to label ids; raises TextError for unknown characters.
        frames: converts seconds to frames of logits.
        language: language that the lines must have, such as "en"; None for any. Texts that are
            probably not English are reported for "en". Default: None.
    """
    findings: list[ManifestFinding] = []
    measured: dict[Path, AudioInfo | None] = {}
    for path, utterances in manifests.items():
        if path.is_dir():
            findings += [ManifestFinding("error", str(path), m) for m in damaged_shards(path)]
        for utterance in track(utterances, len(utterances), f"checking {path}"):
            findings += _file_findings(utterance, measured)
            findings += _language_findings(utterance, language)
            findings += _text_findings(utterance, encode, frames)
        findings += _duplicates(path, utterances)
        if language == "en":
            findings += _foreign_findings(path, utterances)
    findings += _overlaps(manifests, "file", _file_of)
    findings += _overlaps(manifests, "sentence", lambda u: u.text.lower())
    findings += _overlaps(manifests, "speaker", lambda u: u.speaker)
    return ManifestReport({path: _statistics(u) for path, u in manifests.items()}, tuple(findings))


def tokenizer_for(manifests: Mapping[Path, Sequence[Utterance]], language: str = "") -> Tokenizer:
    """A tokenizer of characters for manifests, as training would make it from their texts.

    Args:
        manifests: the manifests, from `read_manifests`. The alphabet has the letters of those
            whose name begins with train, or else of all.
        language: language of the texts; default: "", the one that the lines name, else English.

    Raises:
        ConfigError: the language is no code.
        TextError: the texts have no letters.
    """
    named = Counter(
        language_code(u.language) for us in manifests.values() for u in us if u.language
    )
    code = check_language_code(language, "--language") if language else ""
    config = TokenizerConfig(language=code or next(iter(dict(named.most_common(1))), ""))
    train = [u for p, us in manifests.items() if p.name.startswith("train") for u in us]
    everything = [u for us in manifests.values() for u in us]
    return Tokenizer(fit_tokenizer(config, [u.text for u in train or everything]))


def _language_findings(utterance: Utterance, language: str | None) -> list[ManifestFinding]:
    try:
        check_language(utterance, language)
    except TextError as error:
        message = str(error).removeprefix(f"{utterance.name}: ")
        return [ManifestFinding("error", utterance.name, message)]
    return []


def _foreign_findings(path: Path, utterances: Sequence[Utterance]) -> list[ManifestFinding]:
    found = clearly_foreign_letters(u.text for u in utterances)
    if found is None:
        return []
    message = (
        f"the texts are probably not English: they have {found.listed}; check with --language, and "
        f"train with {yaml_line(found.language)}"
    )
    return [ManifestFinding("warning", str(path), message)]


def _file_findings(
    utterance: Utterance, measured: dict[Path, AudioInfo | None]
) -> list[ManifestFinding]:
    """Problems of an utterance's file, and of its recording if this is its first utterance.

    Args:
        utterance: the utterance.
        measured: the recordings so far; None for one that cannot be read.
    """
    where = utterance.name
    if isinstance(utterance, PackedUtterance):
        return []  # the checksum of its shard is checked
    if utterance.audio_filepath is None:
        if utterance.path.is_file() and utterance.path.stat().st_size > 4:
            return []
        return [ManifestFinding("error", where, "the feature file is missing or empty")]
    findings: list[ManifestFinding] = []
    path = utterance.audio_filepath
    if path not in measured:
        measured[path], findings = _measure(path)
    if (info := measured[path]) is None:
        return findings
    duration, message = info.duration, None
    if utterance.offset is not None:
        end = utterance.offset + utterance.duration
        if end > duration + DURATION_TOLERANCE or utterance.offset >= duration:
            message = f"the segment ends at {end:.2f} s, the recording at {duration:.2f} s"
    elif abs(duration - utterance.duration) > DURATION_TOLERANCE:
        message = f"{utterance.duration:.2f} s in the manifest, {duration:.2f} s in the file"
    if message is not None:
        findings.append(ManifestFinding("error", where, message))
    return findings


def _measure(path: Path) -> tuple[AudioInfo | None, list[ManifestFinding]]:
    """Measure a recording: its length, or None if it cannot be read, and what is wrong with it."""
    try:
        info = measure(path)
    except AudioError as error:
        message = str(error).removeprefix(f"{path}: ")
        return None, [ManifestFinding("error", str(path), message)]
    messages = (message.removeprefix(f"{path}: ") for message in info.warnings)
    return info, [ManifestFinding("warning", str(path), message) for message in messages]


def _text_findings(
    utterance: Utterance,
    encode: Callable[[str], Sequence[int]],
    frames: Callable[[float], int],
) -> list[ManifestFinding]:
    problem = text_problem(utterance.text, utterance.duration, encode, frames)
    return [] if problem is None else [ManifestFinding("error", utterance.name, problem.message)]


class TextProblem(NamedTuple):
    """Why a text cannot be trained on.

    Attributes:
        kind: "letters": characters outside the alphabet; "empty": no text is left after
            normalising; "long": more labels than the audio has frames.
        message: the reason in words.
    """

    kind: Literal["letters", "empty", "long"]
    message: str


def text_problem(
    text: str,
    duration: Seconds,
    encode: Callable[[str], Sequence[int]],
    frames: Callable[[float], int],
) -> TextProblem | None:
    """Why training cannot use a text; None if it can.

    Args:
        text: the text, not normalised.
        duration: seconds of its audio.
        encode: see `check_manifests`.
        frames: see `check_manifests`.
    """
    try:
        labels = encode(text)
    except TextError as error:
        return TextProblem("letters", str(error).removeprefix("text: "))
    if not labels:
        return TextProblem("empty", "the normalised text is empty")
    available, needed = frames(duration), frames_needed(labels)
    if available < needed:
        message = f"{available} frames; the {len(labels)} labels need {needed}"
        return TextProblem("long", message)
    return None


def _duplicates(path: Path, utterances: Sequence[Utterance]) -> list[ManifestFinding]:
    seen: dict[tuple[str, int | None], int] = defaultdict(int)
    for utterance in utterances:
        if isinstance(utterance, PackedUtterance):
            resolved: Utterance = utterance
        else:
            resolved = replace(utterance, audio_filepath=utterance.path.resolve())
        seen[resolved.name, utterance.channel] += 1
    return [
        ManifestFinding("error", str(path), f"{name} occurs {count} times")
        for (name, _), count in seen.items()
        if count > 1
    ]


def _overlaps(
    manifests: Mapping[Path, Sequence[Utterance]], kind: str, key: Callable[[Utterance], str | None]
) -> list[ManifestFinding]:
    keys = {p: {k for u in us if (k := key(u)) is not None} for p, us in manifests.items()}
    paths = list(keys)
    findings = []
    for i, a in enumerate(paths):
        for b in paths[i + 1 :]:
            if shared := sorted(keys[a] & keys[b]):
                message = f"{len(shared)} {kind}(s) in both, such as {shared[0]!r}"
                findings.append(ManifestFinding("warning", f"{a} and {b}", message))
    return findings


def _file_of(utterance: Utterance) -> str:
    """What tells whether two manifests have the same recording."""
    if isinstance(utterance, PackedUtterance):
        return utterance.source
    return str(utterance.path.resolve())


def _statistics(utterances: Sequence[Utterance]) -> ManifestStatistics:
    durations = [u.duration for u in utterances]
    return ManifestStatistics(
        utterances=len(utterances),
        hours=sum(durations) / 3600,
        speakers=len({u.speaker for u in utterances if u.speaker is not None}),
        words=sum(len(u.text.split()) for u in utterances),
        characters=sum(len(u.text) for u in utterances),
        shortest=min(durations),
        median=statistics.median(durations),
        longest=max(durations),
    )
