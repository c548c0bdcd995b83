"""Text of Standard Ebooks for language models: a paragraph per line, in a file compressed with xz.

python pipelines/novels_text.py BOOKS/* --list pipelines/configs/spoken-lm/books.tsv \\
    --not-read-in data/librispeech-test/test.jsonl --out books.txt.xz

Each BOOK is a clone of a repository of github.com/standardebooks. A book that the recordings of
`--not-read-in` read is left out as a whole, so that no language model knows what a test set says.
"""

import argparse
import lzma
import sys
from pathlib import Path

from asr.base.files import atomic_write
from asr.base.progress import track
from asr.cli.program import run_program
from asr.data.manifest import read_manifest
from asr.data.standard_ebooks import is_read_in, read_book, text_runs
from asr.errors import TextError


def main() -> None:
    add = (parser := argparse.ArgumentParser(description=__doc__)).add_argument
    add("books", nargs="+", type=Path, metavar="BOOK", help="clones of repositories")
    manifests = "manifests of test and dev sets, whose books are left out"
    add("--not-read-in", nargs="+", type=Path, required=True, metavar="MANIFEST", help=manifests)
    add("--list", type=Path, required=True, help="file to write: book, words, commit")
    add("--out", type=Path, required=True, help="file to write, .xz")
    a = parser.parse_args()
    recordings = text_runs(u.text for path in a.not_read_in for u in read_manifest(path))
    lines: list[str] = []
    failed: list[str] = []
    rows = ["book\twords\tcommit"]
    for folder in track(sorted(a.books), len(a.books), "books"):
        try:
            book = read_book(folder)
        except TextError as error:
            failed.append(f"left out: {error}")
            continue
        if is_read_in(book, recordings):
            print(f"left out, because recordings read it: {book.name}")
            continue
        lines += book.paragraphs
        words = sum(len(paragraph.split()) for paragraph in book.paragraphs)
        rows.append(f"{book.name}\t{words}\t{book.commit}")
    with atomic_write(a.out, binary=True) as file:
        file.write(lzma.compress("\n".join(lines).encode()))
    with atomic_write(a.list) as file:
        file.write("\n".join(rows) + "\n")
    print(f"{len(rows) - 1} books, {len(lines)} paragraphs, {a.out}")
    if failed:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    run_program(main)
