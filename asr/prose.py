"""English sentences from text that Debian packages: for language models and synthetic speech.

Austen's novels (r-cran-janeaustenr), the examples of WordNet (dict-wn), Bierce's dictionary
(dict-devil) and fortunes: free, prose rather than manuals, and many words in few megabytes.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from asr.errors import TextError

PACKAGES = ("r-cran-janeaustenr", "dict-wn", "dict-devil", "fortunes", "fortunes-min")
"""To be unpacked into one folder: apt-get download NAME, dpkg --extract NAME*.deb FOLDER."""

_ABBREVIATION = re.compile(r"\b(Mr|Mrs|Messrs|Dr|St|Jr|Sr|vs|etc|i\.e|e\.g)\.")
_END = re.compile(r"(?<=[.!?;])[\"')\]]*\s+(?=[\"'(\[]*[A-Z0-9])|\s--+\s|--+|\n\s*\n")
_LETTERS = re.compile(r"[A-Za-z']+")
_R_STRING = re.compile(rb"\x00\x04\x00\x09(?=\x00)", re.S)
"""Before each string in R's serialised form: flags of a character element; then its length."""


def sentences(folder: Path) -> Iterator[str]:
    """Sentences of all packages unpacked in `folder`, as written, on one line each.

    Raises:
        TextError: a package is not there.
    """
    for pattern, read in _SOURCES:
        paths = sorted(p for p in folder.glob(pattern) if p.is_file())
        if not paths:
            raise TextError(f"{folder}: no {pattern}; unpack {', '.join(PACKAGES)} into it")
        for path in paths:
            yield from read(path)


def speakable(lines: Iterable[str], fewest: int, most: int) -> Iterator[str]:
    """Those of `fewest` to `most` words that hold words and common punctuation only, once each."""
    seen: set[str] = set()
    for line in lines:
        words = line.split()
        plain = all(_LETTERS.fullmatch(word.strip('.,;:!?"()-')) for word in words)
        if plain and fewest <= len(words) <= most and line.lower() not in seen:
            seen.add(line.lower())
            yield line


def split(text: str) -> Iterator[str]:
    """Sentences of running text, white space folded."""
    for sentence in _END.split(_ABBREVIATION.sub(r"\1", text.replace("_", ""))):
        if sentence := " ".join(sentence.split()):
            yield sentence


def _novels(path: Path) -> Iterator[str]:
    """R's lazy-load file: for each novel a length and a zlib stream, holding its lines."""
    data = path.read_bytes()
    while data:
        stream = zlib.decompressobj()
        raw = stream.decompress(data[4:])
        data = stream.unused_data
        lines = []
        for match in _R_STRING.finditer(raw):
            size = int.from_bytes(raw[match.end() : match.end() + 4], "big")
            lines.append(raw[match.end() + 4 : match.end() + 4 + size].decode("utf-8"))
        yield from split("\n".join(lines))


def _examples(path: Path) -> Iterator[str]:
    """What stands in quotation marks in WordNet's entries."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        text = file.read()
    for example in re.findall(r'"([^"]{2,200})"', text):
        yield " ".join(example.split())


def _entries(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from split(file.read())


def _fortunes(path: Path) -> Iterator[str]:
    if path.suffix:  # the index, and the copy in another encoding, beside each file
        return
    for fortune in path.read_text(encoding="utf-8").split("\n%\n"):
        yield from split(re.sub(r"\n\s*-- .*", "", fortune, flags=re.S))


_SOURCES: tuple[tuple[str, Callable[[Path], Iterator[str]]], ...] = (
    ("**/janeaustenr/data/Rdata.rdb", _novels),
    ("**/dictd/wn.dict.dz", _examples),
    ("**/dictd/devil.dict.dz", _entries),
    ("**/games/fortunes/*", _fortunes),
)
