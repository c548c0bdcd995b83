"""Writing files so that a reader, or a restart, never meets half of one."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

UNSAFE = re.compile("[\ud800-\udfff\x85\u2028\u2029]")
"""Halves of characters, as Python reads file names that are not UTF-8, and odd line ends."""

LONGEST = 200
"""Bytes of a file's name in its temporary name, which may not be longer than 255."""
TEMPORARY = re.compile(r"\.(.*)\.\w{8}\.tmp", re.DOTALL)
"""What a killed `atomic_write` leaves behind; the group starts the name of its file."""


@contextmanager
def atomic_write(path: Path, binary: bool = False) -> Iterator[IO[Any]]:
    """Open a temporary file beside `path` that takes its name only when all went well.

    A link stays a link: the file it names is replaced. A pipe or device, such as /dev/stdout, is
    written to directly, for replacing it would take it away from everyone.

    Raises:
        OSError: nothing can be written there; known before any work is done, and names `path`.
    """
    path = Path(path).resolve()
    if path.exists() and not path.is_file():
        with path.open("wb" if binary else "w", encoding=None if binary else "utf-8") as f:
            yield f
        return
    prefix = f".{os.fsdecode(os.fsencode(path.name)[:LONGEST])}."
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=prefix, suffix=".tmp", dir=path.parent)
    except OSError as error:
        error.filename = str(path)  # nobody asked for the temporary one
        raise
    try:
        with os.fdopen(handle, "wb" if binary else "w", encoding=None if binary else "utf-8") as f:
            yield f
            f.flush()
            os.fsync(f.fileno())
        # mkstemp makes files private; a result is to have the permissions of any other file.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def json_line(values: Any) -> str:
    """One line of JSONL, readable as it is but for what UTF-8 cannot hold or readers split at."""
    text = json.dumps(values, ensure_ascii=False)
    return UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n"


def remove_leftovers(paths: Iterable[Path]) -> None:
    """Remove the temporary files that killed writers of `paths` left beside them."""
    names: dict[Path, set[bytes]] = {}
    for path in paths:
        names.setdefault(path.parent, set()).add(os.fsencode(path.name)[:LONGEST])
    for folder, known in names.items():
        for file in folder.iterdir() if folder.is_dir() else ():
            match = TEMPORARY.fullmatch(file.name)
            if match and os.fsencode(match[1]) in known:
                file.unlink(missing_ok=True)
