from __future__ import annotations

import lzma
import subprocess
import sys
from pathlib import Path

import pytest

from asr.data.manifest import Utterance, write_manifest
from asr.data.standard_ebooks import TEXT_FOLDER, is_read_in, read_book, text_runs
from asr.errors import TextError

SCRIPT = Path(__file__).parents[2] / "pipelines" / "novels_text.py"
CHAPTER = """<?xml version="1.0" encoding="utf-8"?>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops">
<body epub:type="{kind}"><section><h2>Chapter I</h2>{paragraphs}</section></body></html>"""
PARAGRAPHS = """<p>“It’s <i>late</i>,” said Mr.\u00a0Hill;<a epub:type="noteref">1</a> “go on!”</p>
<p><span>The sea,</span><br/><span>the sea\u2060—and I.</span></p>"""

HILL = '"It\'s late," said Mr. Hill; "go on!"'


def make_book(folder: Path, chapters: dict[str, str]) -> Path:
    """A repository in the layout of Standard Ebooks."""
    text = folder / TEXT_FOLDER
    text.mkdir(parents=True)
    for name, content in chapters.items():
        (text / name).write_text(content, encoding="utf-8")
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *command], check=True)
    return folder


def chapter(paragraphs: str, kind: str = "bodymatter z3998:fiction") -> str:
    return CHAPTER.format(kind=kind, paragraphs=paragraphs)


def test_a_book_is_its_chapters_without_notes_and_headings(tmp_path: Path) -> None:
    chapters = {
        "chapter-1.xhtml": chapter(PARAGRAPHS),
        "imprint.xhtml": chapter("<p>This ebook</p>", "frontmatter"),
    }
    book = read_book(make_book(tmp_path / "hill", chapters))
    assert book.name == "hill"
    assert len(book.commit) == 40
    assert book.paragraphs == (HILL, "The sea, the sea -- and I.")


def test_recordings_of_a_book_are_recognised_by_runs_of_words(tmp_path: Path) -> None:
    sentence = "one two three four five six seven eight nine ten eleven twelve"
    book = read_book(make_book(tmp_path / "b", {"c.xhtml": chapter(f"<p>{sentence}.</p>")}))
    assert is_read_in(book, text_runs([sentence]))
    quoted = " ".join(sentence.split()[:9])
    assert not is_read_in(book, text_runs([quoted]))


@pytest.mark.parametrize(
    ("chapters", "message"),
    [({"c.xhtml": "<p>"}, "c.xhtml: no XHTML"), ({}, "no repository of Standard Ebooks")],
)
def test_broken_repositories_are_named(
    tmp_path: Path, chapters: dict[str, str], message: str
) -> None:
    folder = make_book(tmp_path / "b", chapters) if chapters else tmp_path / "b"
    with pytest.raises(TextError, match=message):
        read_book(folder)


def test_the_pipeline_leaves_out_read_and_broken_books(tmp_path: Path) -> None:
    sentence = "one two three four five six seven eight nine ten eleven twelve"
    books = [
        make_book(tmp_path / "read", {"c.xhtml": chapter(f"<p>{sentence}.</p>")}),
        make_book(tmp_path / "good", {"c.xhtml": chapter(PARAGRAPHS)}),
        make_book(tmp_path / "bad", {"c.xhtml": "<p>"}),
    ]
    write_manifest(tmp_path / "test.jsonl", [Utterance(sentence, 1.0, tmp_path / "x.wav")])
    command = [sys.executable, str(SCRIPT), *map(str, books), "--not-read-in"]
    command += [str(tmp_path / "test.jsonl"), "--list", str(tmp_path / "l.tsv")]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "o.xz")], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "bad: c.xhtml" in done.stderr.replace(f"{TEXT_FOLDER}/", "")
    assert "left out, because recordings read it: read" in done.stdout
    text = lzma.decompress((tmp_path / "o.xz").read_bytes()).decode()
    assert text.split("\n")[0] == HILL
    listed = (tmp_path / "l.tsv").read_text().split("\n")
    assert [line.split("\t")[:2] for line in listed[1:-1]] == [["good", "14"]]
