"""Files that a URI names, such as s3://bucket/a.wav, through fsspec."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from asr.audio.find_audio import SUFFIXES
from asr.base.extras import install_extra
from asr.base.files import atomic_write
from asr.errors import AsrError, AudioError, ConfigError, OutputError, reason

URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
"""Start of a URI; one letter would be a drive of Windows."""
GLOB = re.compile(r"[*?\[]")


class RemoteFile(NamedTuple):
    """A file in a store.

    Attributes:
        uri: its URI.
        mark: changes with the file: what the store says of its content, size and time.
    """

    uri: str
    mark: str


def is_uri(name: str) -> bool:
    """Whether a command's argument is a URI."""
    return URI.match(name) is not None


def import_fsspec() -> ModuleType:
    """Import fsspec.

    Raises:
        ConfigError: it is not installed; the message names the extra.
    """
    try:
        import fsspec
    except ImportError:
        raise ConfigError(f"URIs need fsspec: {install_extra('scale')}") from None
    return fsspec


@contextmanager
def store_errors(kind: type[AsrError], name: str) -> Iterator[None]:
    """Turn whatever a store's library raises into an error of one kind that names the file."""
    try:
        yield
    except AsrError:
        raise
    except FileNotFoundError:
        raise kind(f"{name}: no such file") from None
    except Exception as error:  # botocore, aiohttp and others have classes of their own
        text = reason(error) or type(error).__name__
        raise kind(f"{name}: {' '.join(text.split())}") from None


def open_store(uri: str) -> tuple[Any, str]:
    """The fsspec file system of a URI or a path, and the path in it.

    Raises:
        ConfigError: the store needs a package that is not installed, or is unknown.
    """
    try:
        file_system, path = import_fsspec().core.url_to_fs(uri)
    except (ImportError, ValueError) as error:
        raise ConfigError(
            f"{uri}: {' '.join(str(error).split())} (s3:// comes with {install_extra('scale')})"
        ) from None
    return file_system, str(path)


def list_uris(uri: str) -> list[RemoteFile]:
    """The files that a URI names: one file, a glob pattern, or all recordings below a folder.

    Raises:
        AudioError: it names nothing, or the store cannot be read.
        ConfigError: see `open_store`.
    """
    store, path = open_store(uri)
    with store_errors(AudioError, uri):
        if GLOB.search(path):
            found = store.glob(path, detail=True)
        elif store.isfile(path):
            found = {path: store.info(path)}
        else:
            found = {
                name: info
                for name, info in store.find(path, detail=True).items()
                if Path(name).suffix.lower() in SUFFIXES
            }
    scheme = uri.partition("://")[0]
    files = [
        # A bucket's path has no slash in front, one on a disk has.
        RemoteFile(f"{scheme}://{name if scheme == 'file' else name.lstrip('/')}", _mark(info))
        for name, info in sorted(found.items())
        if info.get("type") == "file"
    ]
    if not files:
        raise AudioError(f"{uri}: names no recording")
    return files


def mark_of(uri: str) -> str:
    """The mark of one file, see `RemoteFile`; "" if it cannot be read."""
    try:
        store, path = open_store(uri)
        return _mark(store.info(path))
    except Exception:  # reading the recording reports the error
        return ""


def _mark(info: dict[str, Any]) -> str:
    names = (
        "ETag",
        "etag",
        "md5Hash",
        "blob_id",
        "size",
        "mtime",
        "LastModified",
        "updated",
        "created",
    )
    return "|".join(f"{name}={info[name]}" for name in names if info.get(name) is not None)


def download(uri: str, target: Path) -> None:
    """Copy a file of a store to the disk.

    Raises:
        AudioError: it cannot be read.
    """
    store, path = open_store(uri)
    with store_errors(AudioError, uri):
        store.get_file(path, str(target))


class OutputStore:
    """A folder of results on a disk or in a store.

    Args:
        uri: a path or a URI.

    Raises:
        ConfigError: see `open_store`.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri.rstrip("/")
        self._store: Any = None
        self._root = self.uri
        if is_uri(uri):
            self._store, self._root = open_store(self.uri)

    def write(self, name: str, data: bytes) -> None:
        """Write a file as a whole: readers see the old one or the new one.

        Raises:
            OutputError: it cannot be written.
        """
        with store_errors(OutputError, f"{self.uri}/{name}"):
            if self._store is None:
                with atomic_write(Path(self._root, name), binary=True) as file:
                    file.write(data)
            else:
                self._store.pipe_file(f"{self._root}/{name}", data)

    def read(self, name: str) -> bytes | None:
        """A file's content; None if there is none.

        Raises:
            OutputError: it cannot be read.
        """
        with store_errors(OutputError, f"{self.uri}/{name}"):
            try:
                if self._store is None:
                    return Path(self._root, name).read_bytes()
                return bytes(self._store.cat_file(f"{self._root}/{name}"))
            except FileNotFoundError:
                return None

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        with store_errors(OutputError, f"{self.uri}/{name}"):
            if self._store is None:
                return Path(self._root, name).exists()
            return bool(self._store.exists(f"{self._root}/{name}"))

    def names(self, folder: str = "") -> list[str]:
        """Names of the files in a folder of it, without those below; none if there is no folder."""
        place = f"{self._root}/{folder}".rstrip("/")
        with store_errors(OutputError, f"{self.uri}/{folder}"):
            if self._store is None:
                path = Path(place)
                return sorted(p.name for p in path.iterdir()) if path.is_dir() else []
            self._store.invalidate_cache()  # another process may have written since
            try:
                return sorted(Path(p).name for p in self._store.ls(place, detail=False))
            except FileNotFoundError:
                return []

    def remove(self, name: str) -> None:
        """Remove a file if there is one."""
        with store_errors(OutputError, f"{self.uri}/{name}"):
            if self._store is None:
                Path(self._root, name).unlink(missing_ok=True)
            elif self._store.exists(f"{self._root}/{name}"):
                self._store.rm_file(f"{self._root}/{name}")
