"""Paragraphs of a book out of a git repository of Standard Ebooks (CC0 1.0).

A repository may be a clone or bare: the text is read from its last commit.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from asr.data.prose import RUN_WORDS
from asr.data.spoken_text import spoken_phrases
from asr.errors import TextError

TEXT_FOLDER = "src/epub/text"
READ_RUNS = 5
"""Runs of `RUN_WORDS` words that a book shares with the sentences of recordings of itself.

Other books share one or two, such as quotations.
"""

_XHTML = "{http://www.w3.org/1999/xhtml}"
_TYPE = "{http://www.idpf.org/2007/ops}type"
# Typographic signs, and the signs that the sentence splitter knows.
_PLAIN = str.maketrans(
    {"’": "'", "‘": "'", "“": '"', "”": '"', "—": " -- ", "…": "... ", "\u2060": "", "\xa0": " "}
    | dict.fromkeys("\u200a\u202f\u2009", " ")
)

Run = tuple[str, ...]
"""`RUN_WORDS` words in a row."""


@dataclass(frozen=True)
class Book:
    """A book's text.

    Attributes:
        name: name of the repository's folder.
        commit: the commit that was read.
        paragraphs: the paragraphs of its chapters, without headings and notes.
    """

    name: str
    commit: str
    paragraphs: tuple[str, ...]

    def runs(self) -> set[Run]:
        """All `RUN_WORDS` words in a row of its sentences."""
        return word_runs(words for text in self.paragraphs for words in spoken_phrases(text))


def word_runs(sentences: Iterator[Sequence[str]]) -> set[Run]:
    """All `RUN_WORDS` words in a row of sentences."""
    return {
        tuple(words[i : i + RUN_WORDS])
        for words in sentences
        for i in range(len(words) - RUN_WORDS + 1)
    }


def is_read_in(book: Book, recordings: Collection[Run]) -> bool:
    """Whether recordings read the book aloud.

    Args:
        book: the book.
        recordings: `word_runs` of the transcripts.
    """
    return len(book.runs().intersection(recordings)) >= READ_RUNS


def read_book(repository: Path) -> Book:
    """The text of a book.

    Args:
        repository: a clone, or a bare repository, of github.com/standardebooks.

    Raises:
        TextError: it is no such repository, or a chapter is no XHTML.
    """
    commit = _git(repository, "rev-parse", "HEAD").decode().strip()
    archive = io.BytesIO(_git(repository, "archive", "HEAD", TEXT_FOLDER))
    paragraphs: list[str] = []
    with tarfile.open(fileobj=archive) as chapters:
        for member in sorted(chapters, key=lambda m: m.name):
            if file := chapters.extractfile(member):
                try:
                    page = ElementTree.fromstring(file.read())
                except ElementTree.ParseError as error:
                    raise TextError(f"{repository}: {member.name}: no XHTML: {error}") from None
                paragraphs += _paragraphs(page)
    return Book(repository.name, commit, tuple(paragraphs))


def _git(repository: Path, *arguments: str) -> bytes:
    try:
        command = ["git", "-C", str(repository), *arguments]
        return subprocess.run(command, check=True, capture_output=True).stdout
    except OSError as error:
        raise TextError(f"{repository}: git cannot be started: {error}") from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines() or ["git failed"]
        raise TextError(f"{repository}: no repository of Standard Ebooks: {said[-1]}") from None


def _paragraphs(page: ElementTree.Element) -> Iterator[str]:
    body = page.find(f"{_XHTML}body")
    if body is None or "bodymatter" not in body.get(_TYPE, ""):
        return
    for paragraph in body.iter(f"{_XHTML}p"):
        if text := " ".join("".join(_texts(paragraph)).translate(_PLAIN).split()):
            yield text


def _texts(element: ElementTree.Element) -> Iterator[str]:
    """The text of an element without references to notes."""
    yield element.text or ""
    for child in element:
        if child.tag == f"{_XHTML}br":
            yield " "
        elif "noteref" not in child.get(_TYPE, ""):
            yield from _texts(child)
        yield child.tail or ""
