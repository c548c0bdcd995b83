"""`ManifestRecipe`: corpora to prepare, and manifests to select from theirs, as a YAML file.

A training on many corpora needs manifests with some utterances of several corpora. A recipe makes
them from the unpacked corpora by one command, and so anybody can repeat the training.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass as config_class

from asr.base.config import STRICT
from asr.data.corpora import CORPORA, prepare
from asr.data.manifest import Utterance, read_manifest, write_manifest
from asr.errors import ConfigError, ManifestError
from asr.text.normalisers import normalise_english

SPLIT_FILES = ("train.jsonl", "dev.jsonl", "test.jsonl")
"""Manifests that the name of a folder stands for."""


@config_class(frozen=True, config=STRICT)
class CorpusSource:
    """A corpus to prepare as `asr data prepare` does."""

    corpus: str
    """Name of the corpus, one of `asr.data.corpora.CORPORA`. Required."""
    source: str
    """Folder of the unpacked corpus below one of the folders of corpora. Required."""

    def __post_init__(self) -> None:
        if self.corpus not in CORPORA:
            raise ValueError(f"unknown corpus; known: {', '.join(CORPORA)}")


@config_class(frozen=True, config=STRICT)
class Selection:
    """Which utterances of other manifests a manifest has. The keys apply in the order below."""

    manifests: tuple[str, ...] = Field(min_length=1)
    """Manifests to select from, in order, relative to the output folder. The name of a folder
    stands for those of its train.jsonl, dev.jsonl and test.jsonl that exist. Required."""
    only: tuple[str, ...] = ()
    """Speakers, and names of recordings without suffix, to keep, in this order. The name of a .txt
    file beside the recipe stands for its lines. Default: all, in the order of the manifests."""
    without: tuple[str, ...] = ()
    """Speakers and recordings to leave out, written as in `only`. Default: none."""
    apart_from: tuple[str, ...] = ()
    """Manifests whose speakers, recordings and sentences are left out. Default: none."""
    longest: float = Field(default=0.0, ge=0)
    """Longest utterance to keep, in seconds. Default: 0, no limit."""
    first: int = Field(default=0, ge=0)
    """How many utterances to keep of the first. Default: 0, all."""
    spread: int = Field(default=0, ge=0)
    """How many utterances to keep, in equal steps from the first on. Default: 0, all."""
    minutes: float = Field(default=0.0, ge=0)
    """How many minutes to keep: utterances in a random but fixed order, until the next one would
    be too long. A smaller selection is a part of a larger one. Default: 0, all."""


@config_class(frozen=True, config=STRICT)
class ManifestRecipe:
    """Contents of the YAML file."""

    corpora: dict[str, CorpusSource]
    """Folder of the manifests, relative to the output folder → corpus. Required."""
    selections: dict[str, Selection]
    """Manifest to write, relative to the output folder → selection, which may use the manifests
    above it. Required."""


@dataclass
class MadeManifests:
    """The manifests that a recipe made.

    Attributes:
        counts: number of utterances by path, in the order of writing.
        skipped: a message with file and reason for each unusable utterance of a corpus.
        failed: a message for each corpus and selection that could not be made.
    """

    counts: dict[Path, int] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def make_manifests(
    recipe: ManifestRecipe,
    lists: Path,
    raw: Sequence[Path],
    out: Path,
    corpora: Collection[str] | None = None,
) -> MadeManifests:
    """Prepare corpora and write selections. What cannot be made does not stop the rest.

    Args:
        recipe: what to make.
        lists: folder of the recipe's .txt files.
        raw: folders of unpacked corpora; the first that has a corpus is used.
        out: folder of the manifests.
        corpora: names of the corpora to prepare; those of an earlier call are used as they are.
            Default: all.

    Raises:
        ConfigError: the recipe has no corpus of a name in `corpora`, or a .txt file is missing.
        OSError: a manifest cannot be written.
    """
    if unknown := sorted(set(corpora or ()).difference(recipe.corpora)):
        raise ConfigError(
            f"{', '.join(unknown)}: not in the recipe, which has {', '.join(recipe.corpora)}"
        )
    made = MadeManifests()
    for name in recipe.corpora if corpora is None else corpora:
        corpus = recipe.corpora[name]
        source = next((f for folder in raw if (f := folder / corpus.source).exists()), None)
        if source is None:
            folders = ", ".join(map(str, raw))
            made.failed.append(
                f"{name}: no folder {corpus.source} in {folders}; data/README.md says where the "
                "corpus comes from"
            )
            continue
        try:
            prepared = prepare(corpus.corpus, source, out / name)
        except ManifestError as error:
            made.failed.append(f"{name}: {error}")
            continue
        made.skipped += prepared.skipped
        made.counts |= {path: prepared.counts[split] for split, path in prepared.manifests.items()}
    for file, selection in recipe.selections.items():
        try:
            chosen = select(selection, lists, out)
        except ManifestError as error:
            made.failed.append(f"{file}: {error}")
            continue
        write_manifest(out / file, chosen)
        made.counts[out / file] = len(chosen)
    return made


def select(selection: Selection, lists: Path, folder: Path) -> list[Utterance]:
    """The utterances of a selection.

    Args:
        selection: what to select.
        lists: folder of the .txt files that `only` and `without` name.
        folder: folder of the manifests.

    Raises:
        ConfigError: a .txt file cannot be read.
        ManifestError: a manifest is missing, a name in `only` matches no utterance, or nothing is
            left.
    """
    chosen = _read(selection.manifests, folder)
    if selection.only:
        chosen = _in_order(chosen, _names(selection.only, lists))
    unwanted = set(_names(selection.without, lists))
    others = _Contents.of(_read(selection.apart_from, folder))
    tests: list[Callable[[Utterance], bool]] = [
        lambda u: not unwanted.intersection(_names_of(u)),
        lambda u: not others.share(u),
        lambda u: not selection.longest or u.duration <= selection.longest,
    ]
    chosen = [utterance for utterance in chosen if all(test(utterance) for test in tests)]
    chosen = chosen[: selection.first or None]
    if selection.spread:
        chosen = chosen[:: max(1, len(chosen) // selection.spread)][: selection.spread]
    if selection.minutes:
        order = np.random.default_rng(0).permutation(len(chosen))
        ends = np.cumsum([chosen[i].duration for i in order])
        if ends[-1] < 60 * selection.minutes:
            raise ManifestError(
                f"{selection.minutes:g} minutes are asked for, but there are {ends[-1] / 60:.1f}"
            )
        count = np.searchsorted(ends, 60 * selection.minutes, side="right")
        chosen = [chosen[i] for i in sorted(order[:count])]
    if not chosen:
        raise ManifestError("no utterance is left")
    return chosen


class _Contents(NamedTuple):
    """Speakers, recordings and sentences of manifests."""

    names: set[str]
    sentences: set[str]

    @classmethod
    def of(cls, utterances: Iterable[Utterance]) -> _Contents:
        contents = cls(set(), set())
        for utterance in utterances:
            contents.names.update(_names_of(utterance))
            contents.sentences.add(normalise_english(utterance.text))
        return contents

    def share(self, utterance: Utterance) -> bool:
        shared = self.names.intersection(_names_of(utterance))
        return bool(shared) or normalise_english(utterance.text) in self.sentences


def _names_of(utterance: Utterance) -> tuple[str, ...]:
    """Name of the recording without suffix, and the speaker if known."""
    return tuple(name for name in (utterance.path.stem, utterance.speaker) if name is not None)


def _in_order(utterances: Sequence[Utterance], names: Sequence[str]) -> list[Utterance]:
    """The utterances with a speaker or recording of these names, in the order of the names."""
    found: dict[str, list[Utterance]] = {name: [] for name in names}
    for utterance in utterances:
        if name := next((n for n in _names_of(utterance) if n in found), None):
            found[name].append(utterance)
    if missing := [name for name, some in found.items() if not some]:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise ManifestError(f"no utterance of {', '.join(missing[:3])}{more}")
    return [utterance for some in found.values() for utterance in some]


def _read(names: Iterable[str], folder: Path) -> list[Utterance]:
    """The utterances of manifests, or of folders of manifests."""
    paths: list[Path] = []
    for name in names:
        path = folder / name
        found = [path / file for file in SPLIT_FILES if (path / file).is_file()]
        paths += found if path.is_dir() else [path]
        if path.is_dir() and not found:
            raise ManifestError(f"{path}: has no train.jsonl, dev.jsonl or test.jsonl")
    return [utterance for path in paths for utterance in read_manifest(path)]


def _names(entries: Iterable[str], lists: Path) -> list[str]:
    """Names, with the lines of .txt files in their place. Lines that begin with # are comments."""
    names: list[str] = []
    for entry in entries:
        if not entry.endswith(".txt"):
            names.append(entry)
            continue
        try:
            text = (lists / entry).read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{lists / entry}: cannot be read ({error.strerror})") from None
        lines = (line.strip() for line in text.split("\n"))
        names += [line for line in lines if line and not line.startswith("#")]
    return names
