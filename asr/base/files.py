"""Atomic writes: after a crash a file is either complete or unchanged."""

from __future__ import annotations

import errno
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from asr.errors import ConfigError

UNSAFE_IN_JSONL = re.compile("[\ud800-\udfff\x85\u2028\u2029]")
"""Characters that `json_line` escapes.

Surrogates, with which Python represents file names that are not UTF-8, cannot be encoded. U+0085,
U+2028 and U+2029 are line ends to some readers.
"""

LASTING_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO})
"""Errors of a write that the next write would meet as well: a full disk, a limit, a lost device."""

MAX_NAME_BYTES = 200
"""Bytes of a file's name that its temporary name keeps; file systems allow 255 in all."""
TEMPORARY_NAME = re.compile(r"\.(.*)\.\w{8}\.tmp", re.DOTALL)
"""Name of a temporary file of `atomic_write`; the group is the start of the final name."""


def names_folder(name: str) -> bool:
    """Whether an output is a folder: a name that ends in /, or that of an existing folder."""
    return name.endswith("/") or os.path.isdir(name)


def output_file(name: str, option: str = "--out") -> Path:
    """The path of an output that has to be a file.

    Args:
        name: as the user gave it; `Path` would lose a slash at its end.
        option: named by the error. Default "--out".

    Raises:
        ConfigError: the name is that of a folder.
    """
    if names_folder(name):
        raise ConfigError(f"{option} {name}: is a folder; give the name of a file in it")
    return Path(name)


@contextmanager
def atomic_write(path: Path, binary: bool = False) -> Iterator[IO[Any]]:
    """Open a temporary file beside `path` and rename it to `path` at the end of the block.

    If the block raises an exception, `path` stays as it was. A link stays a link; the file that it
    points to is replaced. A pipe or a device, such as /dev/stdout, is written directly, because
    replacing it would break it for other programs.

    Args:
        path: the file to write; its folder is created if needed.
        binary: whether the file takes bytes; default: text, written as UTF-8.

    Raises:
        OSError: the file cannot be written, before the block starts or at any write; it has `path`
            as its file name.
    """
    path = Path(path).resolve()
    if path.exists() and not path.is_file():
        with (
            _named(path),
            path.open("wb" if binary else "w", encoding=None if binary else "utf-8") as f,
        ):
            yield f
        return
    prefix = f".{os.fsdecode(os.fsencode(path.name)[:MAX_NAME_BYTES])}."
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=prefix, suffix=".tmp", dir=path.parent)
    except OSError as error:
        error.filename = str(path)  # the user knows this name, not the temporary one
        raise
    try:
        with (
            _named(path),
            os.fdopen(handle, "wb" if binary else "w", encoding=None if binary else "utf-8") as f,
        ):
            yield f
            f.flush()
            os.fsync(f.fileno())
        # mkstemp makes private files. Give the file the permissions of any other new file.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def append(path: Path, text: str) -> None:
    """Append text to a file, durably. If the disk is full, the file keeps its old content.

    Args:
        path: the file; it and its folder are created if needed.
        text: written as UTF-8.

    Raises:
        OSError: the file cannot be written; `path` is its file name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    with _named(path), path.open("ab", buffering=0) as file:
        size, data = file.seek(0, os.SEEK_END), text.encode()
        try:
            while data:  # a write may be partial, above all the last one that fits
                data = data[file.write(data) :]
            if path.is_file():
                os.fsync(file.fileno())
        except OSError:
            if path.is_file():
                file.truncate(size)
                if is_new:
                    path.unlink()
            raise


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Give an error of a write the name of its file: the operating system tells none."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno in LASTING_ERRORS:
            error.filename = str(path)
        raise


def json_line(values: Any) -> str:
    """A line of a JSONL file; only the characters of `UNSAFE_IN_JSONL` are escaped."""
    text = json.dumps(values, ensure_ascii=False)
    return UNSAFE_IN_JSONL.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n"


def remove_leftovers(paths: Iterable[Path]) -> None:
    """Remove temporary files that a killed process left when it was writing `paths`."""
    names: dict[Path, set[bytes]] = {}
    for path in paths:
        names.setdefault(path.parent, set()).add(os.fsencode(path.name)[:MAX_NAME_BYTES])
    for folder, known in names.items():
        for file in folder.iterdir() if folder.is_dir() else ():
            match = TEMPORARY_NAME.fullmatch(file.name)
            if match and os.fsencode(match[1]) in known:
                file.unlink(missing_ok=True)
