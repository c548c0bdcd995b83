"""English sentences for language models and synthetic voices, out of freely licensed prose.

`python pipelines/build_lm.py` estimates the general language model from the normalised sentences.
Text-to-speech voices read the plain sentences aloud.
"""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from asr.data.manifest import read_manifest
from asr.data.prose_sources import SOURCES, ProseSource, fetch_text
from asr.errors import TextError, reason
from asr.text.normalisers import normalise_english

MIN_CONTAINED_WORDS = 3
"""Length from which a held-out sentence is looked for inside other sentences.

One or two words, such as "go on", occur in too many sentences.
"""
MIN_PART_WORDS = 5
"""Length from which a sentence is looked for inside held-out sentences."""
RUN_WORDS = 8
"""Words in a row that a sentence must not share with a held-out sentence."""

_ABBREVIATIONS = re.compile(r"\b(Mr|Mrs|Dr|St|Messrs|Capt|Col|Rev|Gen|Lt|Hon|Esq|vs|etc|viz)\.")
_PHRASE_END = re.compile(r"[.!?;:]+|--+|\n\s*\n|\n%\n")
_SENTENCE_END = re.compile(r"(?<=[.!?;])[\"')\]]*\s+(?=[\"'(\[]*[A-Z0-9])|\s--+\s|--+|\n\s*\n")
_LETTERS = re.compile(r"[A-Za-z']+")


def normalised_sentences(text: str) -> Iterator[list[str]]:
    """Normalised words of each sentence, for language models.

    Colons, semicolons and dashes end a sentence too. Sentences of one word, and sentences with
    letters outside ASCII, are left out.
    """
    for sentence in _PHRASE_END.split(_ABBREVIATIONS.sub(r"\1", text)):
        words = normalise_english(sentence).split()
        if len(words) > 1 and all(word.isascii() for word in words):
            yield words


def plain_sentences(text: str, min_words: int, max_words: int) -> Iterator[str]:
    """Sentences as they are written, for voices.

    Only sentences of `min_words` to `max_words` words that hold nothing but words and punctuation.
    """
    for sentence in _SENTENCE_END.split(_ABBREVIATIONS.sub(r"\1", text.replace("_", ""))):
        words = sentence.split()
        plain = all(_LETTERS.fullmatch(word.strip(".,;:!?'\"()-")) for word in words)
        if plain and min_words <= len(words) <= max_words:
            yield " ".join(words)


def read_lines(path: Path) -> list[str]:
    """Read the lines of a UTF-8 text file, or of one that is compressed with xz (.xz).

    Raises:
        TextError: the file cannot be read.
    """
    try:
        # Not splitlines, which also splits at characters such as U+2028.
        if path.suffix == ".xz":
            return lzma.decompress(path.read_bytes()).decode().split("\n")
        return path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError, lzma.LZMAError) as error:
        raise TextError(f"{path}: cannot be read: {reason(error)}") from None


def word_runs(words: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    """All runs of `size` words in a row of a sentence."""
    return (tuple(words[i : i + size]) for i in range(len(words) - size + 1))


class HeldOut:
    """Sentences of evaluation data, which training text must not contain.

    Attributes:
        sentences: normalised words of each sentence.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self.sentences = {tuple(normalise_english(text).split()) for text in texts}
        self._by_start: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
        self._runs: set[tuple[str, ...]] = set()
        for sentence in self.sentences:
            for size in range(MIN_PART_WORDS, RUN_WORDS + 1):
                self._runs.update(word_runs(sentence, size))
            if len(sentence) >= MIN_CONTAINED_WORDS:
                start = sentence[:MIN_CONTAINED_WORDS]
                self._by_start.setdefault(start, []).append(sentence)

    @classmethod
    def read(cls, paths: Iterable[Path]) -> HeldOut:
        """Take the texts of manifests (.jsonl), the lines of text files (.txt, .xz), and the
        transcripts of Kaldi's files named `text`, which begin with the name of an utterance.

        Raises:
            ManifestError: a manifest cannot be read.
            TextError: a text file cannot be read.
        """

        def texts(path: Path) -> list[str]:
            if path.suffix == ".jsonl":
                return [utterance.text for utterance in read_manifest(path)]
            lines = read_lines(path)
            return [line.partition("\t")[2] for line in lines] if path.name == "text" else lines

        return cls(text for path in paths for text in texts(path))

    def matches(self, words: Sequence[str]) -> bool:
        """Whether the words are a held-out sentence, or contain one of three words or more."""
        return tuple(words) in self.sentences or any(
            tuple(words[i : i + len(sentence)]) == sentence
            for i in range(len(words) - MIN_CONTAINED_WORDS + 1)
            for sentence in self._by_start.get(tuple(words[i : i + MIN_CONTAINED_WORDS]), ())
        )

    def overlaps(self, words: Sequence[str]) -> bool:
        """Whether `matches`, or shares `RUN_WORDS` words in a row with a held-out sentence, or has
        `MIN_PART_WORDS` words or more that are all a part of one."""
        size = min(len(words), RUN_WORDS)
        return self.matches(words) or (
            size >= MIN_PART_WORDS and any(r in self._runs for r in word_runs(words, size))
        )


def collect_sentences(
    folder: Path, held_out: HeldOut, sources: Collection[ProseSource] | None = None
) -> tuple[list[list[str]], dict[str, dict[str, str | int]]]:
    """Download all sources and return their sentences, less those that are held out.

    Args:
        folder: cache of downloads.
        held_out: sentences to leave out.
        sources: default: `SOURCES`.

    Returns:
        The words of each sentence, and for each source its provenance and the numbers of words
        kept and sentences left out.

    Raises:
        OSError, subprocess.SubprocessError: see `fetch_text`.
    """
    kept: list[list[str]] = []
    records: dict[str, dict[str, str | int]] = {}
    for source in sources or SOURCES:
        text, provenance = fetch_text(source, folder)
        found = list(normalised_sentences(text))
        good = [words for words in found if not held_out.matches(words)]
        kept += good
        counts = {"words": sum(map(len, good)), "held_out": len(found) - len(good)}
        records[source.name] = {**provenance, **counts}
        print(json.dumps(records[source.name], ensure_ascii=False))
    return kept, records
