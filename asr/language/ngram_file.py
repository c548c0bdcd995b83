"""Files of n-gram models: the binary form, which is mapped instead of parsed, and its ARPA file.

A binary file, `NAME.ngrams`, has the same n-grams and values as the ARPA file that it is made from,
to the bit. It may stand beside `NAME.arpa` or `NAME.arpa.gz`, or alone.

Layout, little-endian: `MAGIC`, the SHA-256 of everything behind it (32 bytes), the length of the
header (8 bytes), the header in JSON, and the arrays of `asr.language.ngram.Level`, each at a
multiple of 8 bytes.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from asr.base.files import atomic_write
from asr.errors import AsrWarning, ModelError, reason
from asr.language.arpa import read_arpa, write_arpa
from asr.language.ngram import Level, NgramModel

BINARY_SUFFIX = ".ngrams"
ARPA_SUFFIXES = (".arpa.gz", ".arpa")
MAGIC = b"asr n-grams v02\n"
"""First bytes of a binary file; other versions of the format have another number."""
_START = len(MAGIC) + hashlib.sha256().digest_size
_ALIGNMENT = 8


def base_name(path: Path) -> str:
    """The name of an n-gram model's file without its suffixes, which both forms share."""
    return path.name.removesuffix(".gz").removesuffix(".arpa").removesuffix(BINARY_SUFFIX)


def read_ngrams(path: Path) -> NgramModel:
    """Read an n-gram model from its binary file, or from its ARPA file.

    Either file may be given. If both exist, the binary file is mapped if it was made from the ARPA
    file as it is now. If not, or if the binary file is damaged, an `AsrWarning` says so and the
    ARPA file is parsed.

    Args:
        path: a binary file, whose name ends in .ngrams, or an ARPA file, plain or gzip.

    Raises:
        ModelError: the file cannot be read or is damaged; the error names it.
    """
    binary = path.with_name(base_name(path) + BINARY_SUFFIX)
    if path.suffix == BINARY_SUFFIX:
        arpas = [path.with_name(base_name(path) + suffix) for suffix in ARPA_SUFFIXES]
        arpa = next(filter(Path.is_file, arpas), None)
    else:
        arpa = path
        if not binary.is_file():
            return read_arpa(path)
    if arpa is None:
        return _map(binary)
    try:
        return _map(binary, _sha256(arpa))
    except ModelError as error:
        model = read_arpa(arpa)
        warnings.warn(f"{error}; {arpa.name} is read instead", AsrWarning, stacklevel=2)
        return model


def write_ngrams(arpa: Path, path: Path) -> NgramModel:
    """Write the binary file of an ARPA file.

    Args:
        arpa: the ARPA file, plain or gzip.
        path: the binary file, whose name ends in .ngrams.

    Returns:
        The model.

    Raises:
        ModelError: the ARPA file cannot be read; the error names it.
    """
    model = read_arpa(arpa)
    with atomic_write(path, binary=True) as file:
        file.write(encode(model, _sha256(arpa)))
    return model


MIXED_DIGITS = 2
"""Digits behind the point of an interpolated model's log10 probabilities, for `write_model`; more
make a larger file, not a better one."""


def write_model(model: NgramModel, path: Path, digits: int | None = 6) -> None:
    """Write a model as an ARPA file with the binary file beside it, or as a binary file alone.

    The values are rounded for an ARPA file in both cases, so that both forms have the same.

    Args:
        model: the model.
        path: the ARPA file, or the binary file if its name ends in .ngrams.
        digits: see `asr.language.arpa.write_arpa`. Default 6.
    """
    binary = path.with_name(base_name(path) + BINARY_SUFFIX)
    if path.suffix != BINARY_SUFFIX:
        write_arpa(model, path, digits)
        write_ngrams(path, binary)
        return
    with tempfile.TemporaryDirectory() as folder:
        arpa = Path(folder, base_name(path) + ARPA_SUFFIXES[0])
        write_arpa(model, arpa, digits)
        write_ngrams(arpa, binary)


def encode(model: NgramModel, arpa_sha256: str) -> bytes:
    """The content of a model's binary file.

    Args:
        model: the model.
        arpa_sha256: SHA-256 of its ARPA file, in hexadecimal digits.
    """
    words = np.frombuffer("\n".join(model.words).encode(), np.uint8)
    arrays = [words, *(array for level in model.levels for array in level)]
    header = {
        "arpa_sha256": arpa_sha256,
        "order": model.order,
        "arrays": [[_little_endian(array).str, len(array)] for array in arrays],
    }
    text = json.dumps(header).encode()
    parts = [len(text).to_bytes(8, "little"), text]
    place = _START + 8 + len(text)
    for array in arrays:
        parts += [b"\0" * (-place % _ALIGNMENT), array.astype(_little_endian(array)).tobytes()]
        place += sum(map(len, parts[-2:]))
    content = b"".join(parts)
    return MAGIC + hashlib.sha256(content).digest() + content


def _map(path: Path, arpa_sha256: str | None = None) -> NgramModel:
    """Map a binary file.

    Args:
        path: the file.
        arpa_sha256: SHA-256 of the ARPA file beside it; None without one.

    Raises:
        ModelError: the file cannot be read, is damaged, or was made from another ARPA file.
    """
    try:
        with path.open("rb") as file:
            magic, expected = file.read(len(MAGIC)), file.read(_START - len(MAGIC))
            if magic != MAGIC:
                raise ModelError(f"{path}: {_foreign(magic)}; {_remedy(path)}")
            # Read, not mapped: the pages of a mapping would count as memory of this process.
            if hashlib.file_digest(file, "sha256").digest() != expected:
                raise ModelError(
                    f"{path}: damaged: its SHA-256 is not the one it was written with; "
                    f"{_remedy(path)}"
                )
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read as an n-gram model: {reason(error)}") from None
    size = int.from_bytes(content[_START : _START + 8], "little")
    end = _START + 8 + size
    header: dict[str, Any] = json.loads(content[_START + 8 : end])
    if arpa_sha256 not in (None, header["arpa_sha256"]):
        raise ModelError(
            f"{path}: out of date: made from another ARPA file than the one beside it; "
            f"{_remedy(path)}"
        )
    words, *arrays = _arrays(content, end, header["arrays"])
    width = len(Level._fields)
    levels = [Level(*arrays[i * width : (i + 1) * width]) for i in range(header["order"])]
    return NgramModel(words.tobytes().decode().split("\n"), levels)


def _arrays(content: mmap.mmap, place: int, kinds: Sequence[tuple[str, int]]) -> list[np.ndarray]:
    """The arrays of a binary file, as views of the mapping.

    Args:
        content: the file.
        place: end of the header.
        kinds: numpy's name of the type, and the length, of each array.
    """
    arrays = []
    for kind, count in kinds:
        place += -place % _ALIGNMENT
        array = np.frombuffer(content, kind, count, place)
        place += array.nbytes
        # A copy only where the processor is big-endian.
        arrays.append(array.astype(array.dtype.newbyteorder("="), copy=False))
    return arrays


def _little_endian(array: np.ndarray) -> np.dtype[Any]:
    return array.dtype.newbyteorder("<")


def _foreign(magic: bytes) -> str:
    if magic[:-4] == MAGIC[:-4]:
        return "made by another version of this package"
    return "not a binary n-gram model of this package"


def _remedy(path: Path) -> str:
    return (
        f"copy it again, or make it again from its texts or its ARPA file: asr lm convert "
        f"{base_name(path)}{ARPA_SUFFIXES[0]} {path}"
    )


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read as an ARPA file: {reason(error)}") from None
