"""Checking manifests before they are trained on, and what they amount to."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from asr.audio.reading import probe
from asr.ctc.best_path import frames_needed
from asr.data.manifest import Utterance, read_manifest
from asr.errors import AudioError, TextError

DURATION_TOLERANCE = 0.1
"""Seconds by which a manifest may differ from the recording's header."""


@dataclass(frozen=True)
class ManifestFinding:
    """Something to look at: an error makes an utterance useless, a warning a result doubtful."""

    level: Literal["error", "warning"]
    where: str
    message: str


@dataclass(frozen=True)
class ManifestStatistics:
    """Of one manifest; `shortest`, `median` and `longest` are seconds."""

    utterances: int
    hours: float
    speakers: int
    words: int
    characters: int
    shortest: float
    median: float
    longest: float


@dataclass(frozen=True)
class ManifestReport:
    statistics: dict[Path, ManifestStatistics]
    findings: tuple[ManifestFinding, ...]


def check_manifests(
    paths: Sequence[Path],
    encode: Callable[[str], Sequence[int]],
    frames: Callable[[float], int],
) -> ManifestReport:
    """Check manifests one by one, and for what they share.

    Args:
        encode: text → label ids; raises TextError outside the alphabet.
        frames: seconds → frames of logits.

    Raises:
        ManifestError: a manifest cannot be read, or has a broken line.
    """
    manifests = {path: read_manifest(path) for path in paths}
    findings: list[ManifestFinding] = []
    for path, utterances in manifests.items():
        for utterance in utterances:
            findings += _file_findings(utterance)
            findings += _text_findings(utterance, encode, frames)
        findings += _repeated(path, utterances)
    findings += _leaks(manifests, "file", lambda u: str(u.path.resolve()))
    findings += _leaks(manifests, "sentence", lambda u: u.text.lower())
    findings += _leaks(manifests, "speaker", lambda u: u.speaker)
    return ManifestReport({path: _statistics(u) for path, u in manifests.items()}, tuple(findings))


def _file_findings(utterance: Utterance) -> list[ManifestFinding]:
    where = str(utterance.path)
    if utterance.audio_filepath is None:
        if utterance.path.is_file() and utterance.path.stat().st_size > 4:
            return []
        return [ManifestFinding("error", where, "feature file is missing or empty")]
    try:
        duration = probe(utterance.audio_filepath).duration
    except AudioError as error:
        return [ManifestFinding("error", where, str(error).removeprefix(f"{where}: "))]
    if abs(duration - utterance.duration) > DURATION_TOLERANCE:
        message = f"manifest says {utterance.duration:.2f} s, its header {duration:.2f} s"
        return [ManifestFinding("error", where, message)]
    return []


def _text_findings(
    utterance: Utterance,
    encode: Callable[[str], Sequence[int]],
    frames: Callable[[float], int],
) -> list[ManifestFinding]:
    where = str(utterance.path)
    try:
        labels = encode(utterance.text)
    except TextError as error:
        return [ManifestFinding("error", where, str(error).removeprefix("text: "))]
    if not labels:
        return [ManifestFinding("error", where, "no text is left after normalising")]
    available, needed = frames(utterance.duration), frames_needed(labels)
    if available < needed:
        message = f"{available} frames, its {len(labels)} labels need {needed}"
        return [ManifestFinding("error", where, message)]
    return []


def _repeated(path: Path, utterances: Sequence[Utterance]) -> list[ManifestFinding]:
    seen: dict[Path, int] = defaultdict(int)
    for utterance in utterances:
        seen[utterance.path.resolve()] += 1
    return [
        ManifestFinding("error", str(path), f"{file} stands {count} times")
        for file, count in seen.items()
        if count > 1
    ]


def _leaks(
    manifests: dict[Path, list[Utterance]], what: str, key: Callable[[Utterance], str | None]
) -> list[ManifestFinding]:
    keys = {p: {k for u in us if (k := key(u)) is not None} for p, us in manifests.items()}
    paths = list(keys)
    findings = []
    for i, a in enumerate(paths):
        for b in paths[i + 1 :]:
            if shared := sorted(keys[a] & keys[b]):
                message = f"{len(shared)} {what}(s) in both, such as {shared[0]!r}"
                findings.append(ManifestFinding("warning", f"{a} and {b}", message))
    return findings


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
