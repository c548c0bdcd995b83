"""Atomic writes: after a crash a file is either complete or unchanged."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

UNSAFE_IN_JSONL = re.compile("[\ud800-\udfff\x85\u2028\u2029]")
"""Characters that `json_line` escapes.

Surrogates, with which Python represents file names that are not UTF-8, cannot be encoded. U+0085,
U+2028 and U+2029 are line ends to some readers.
"""

MAX_NAME_BYTES = 200
"""Bytes of a file's name that its temporary name keeps; file systems allow 255 in all."""
TEMPORARY_NAME = re.compile(r"\.(.*)\.\w{8}\.tmp", re.DOTALL)
"""Name of a temporary file of `atomic_write`; the group is the start of the final name."""


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
        OSError: the file cannot be written; raised before the block starts, with `path` as its
            file name.
    """
    path = Path(path).resolve()
    if path.exists() and not path.is_file():
        with path.open("wb" if binary else "w", encoding=None if binary else "utf-8") as f:
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
        with os.fdopen(handle, "wb" if binary else "w", encoding=None if binary else "utf-8") as f:
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
