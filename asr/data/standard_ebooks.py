"""Paragraphs of a book out of a git repository of Standard Ebooks (CC0 1.0).

A repository may be a clone or bare: the text is read from its last commit.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from asr.data.prose import RUN_WORDS, word_runs
from asr.data.spoken_text import spoken_phrases
from asr.errors import TextError

TEXT_FOLDER = "src/epub/text"
READ_RUNS = 5
"""A book that shares so many runs of `RUN_WORDS` words with recordings is read in them. Other books
share one or two, such as quotations."""

_XHTML = "{http://www.w3.org/1999/xhtml}"
_TYPE = "{http://www.idpf.org/2007/ops}type"
# Typographic signs, and those that they stand for. U+2060 forbids a line break.
_PLAIN = str.maketrans(
    {"’": "'", "‘": "'", "“": '"', "”": '"', "—": " -- ", "…": "... ", "\u2060": ""}
)


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


def text_runs(texts: Iterable[str]) -> set[tuple[str, ...]]:
    """All runs of `RUN_WORDS` words of the sentences of texts."""
    return {
        run
        for text in texts
        for words in spoken_phrases(text)
        for run in word_runs(words, RUN_WORDS)
    }


def is_read_in(book: Book, recordings: Collection[tuple[str, ...]]) -> bool:
    """Whether recordings read the book aloud.

    Args:
        book: the book.
        recordings: `text_runs` of the transcripts.
    """
    return len(text_runs(book.paragraphs).intersection(recordings)) >= READ_RUNS


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
