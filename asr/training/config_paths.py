"""Paths in YAML files: what each is relative to, and errors that say so.

Files in `data` are relative to the data folder. All other paths are relative to the working
directory. Absolute paths may be written everywhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from asr.data.packs.pack_index import is_pack
from asr.errors import ConfigError, ModelError
from asr.models import find_model


def data_files(
    key: str, names: Iterable[str], data: Path, remedy: str = "", packs: bool = False
) -> list[Path]:
    """The paths of files that a key names relative to the data folder.

    Args:
        key: the key, such as "data.train".
        names: the paths as written.
        data: the data folder.
        remedy: what to do if a file is missing, beside correcting its path; default: nothing.
        packs: whether a name may be that of a pack; default: no.

    Raises:
        ConfigError: there is no such file, or it is a pack where none is read. The message has the
            key, the path as written, the absolute path, and what it is relative to.
    """
    paths = []
    for name in names:
        path = data / name
        if is_pack(path):
            if not packs:
                raise ConfigError(f"{key}: {name}: is a pack, which only recognisers train on")
        elif not path.is_file():
            problem = _missing(key, name, path, f"the data folder {data.absolute()} (--data)")
            if not data.is_dir():
                problem += "; there is no such data folder"
            elif Path(name).is_file():
                right = os.path.relpath(Path(name).absolute(), data.absolute())
                problem += f"; write {right} for the file in the working directory"
            raise ConfigError(problem + (f"; {remedy}" if remedy else ""))
        paths.append(path)
    return paths


def working_file(key: str, name: str | Path) -> Path:
    """The path of a file that a key names relative to the working directory.

    Raises:
        ConfigError: there is no such file, see `data_files`.
    """
    path = Path(name)
    if not path.is_file():
        raise ConfigError(_missing(key, name, path, "the working directory"))
    return path


def model_folder(key: str, name: str | Path) -> Path:
    """The directory of a model that a key gives by shipped name or path.

    Raises:
        ConfigError: it is neither; the message has the shipped names, too.
    """
    try:
        return find_model(name)
    except ModelError as error:
        tried = Path(name).absolute()
        raise ConfigError(
            f"{key}: {error}; {tried} was tried, relative to the working directory"
        ) from None


def _missing(key: str, name: str | Path, path: Path, base: str) -> str:
    relative = "" if Path(name).is_absolute() else f", relative to {base}"
    return f"{key}: {name}: no such file: {os.path.abspath(path)} was tried{relative}"
