"""Expanding folders and glob patterns to recordings."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from pathlib import Path

from asr.errors import AudioError

AUDIO_SUFFIXES = (
    "3ga aac ac3 aif aifc aiff amr ape au awb caf dss flac gsm m4a m4b m4r mka mp1 mp2 mp3 mpc "
    "mpga oga ogg opus qcp ra rf64 snd spx tta voc w64 wav wave weba wma wv"
)
VIDEO_SUFFIXES = "3g2 3gp asf avi flv m2ts m4v mkv mov mp4 mpeg mpg mts ogv rm rmvb vob webm wmv"
SUFFIXES = frozenset(f".{name}" for name in f"{AUDIO_SUFFIXES} {VIDEO_SUFFIXES}".split())
"""Suffixes of audio and video files. Some of the formats cannot be opened: a folder's recordings in
such a format are reported as failed, instead of being passed over."""


def find_audio(paths: Iterable[str]) -> list[Path]:
    """Expand folders and glob patterns to recordings.

    Args:
        paths: files, which need not exist; folders, which are searched to any depth for files with
            one of `SUFFIXES`; and glob patterns.

    Returns:
        The recordings, each once, sorted within each folder and pattern.

    Raises:
        AudioError: a path is empty, a pattern matches no file, or a folder holds no recording.
    """
    found: list[Path] = []
    for item in paths:
        if not item:
            raise AudioError("an empty path names no recording; write . for this folder")
        path = Path(item)
        if path.is_dir():
            inside = _walk(path)
            if not inside:
                raise AudioError(
                    f"{path}: this folder holds no recordings ({' '.join(sorted(SUFFIXES))})"
                )
            found += inside
        elif path.exists() or not glob.has_magic(item):
            # A missing file is no error here: it is reported when it is read, and does not stop the
            # other files.
            found.append(path)
        else:
            matches = sorted(Path(p) for p in glob.glob(item, recursive=True))
            inside = [q for p in matches for q in (_walk(p) if p.is_dir() else [p])]
            if not inside:
                raise AudioError(f"{item}: matches no file")
            found += inside
    return list(dict.fromkeys(found))


def _walk(folder: Path) -> list[Path]:
    """Recordings at any depth, sorted.

    Folders that cannot be listed are included, so that reading them reports their names.
    """
    found: list[Path] = []
    seen: set[str] = set()
    for parent, folders, names in os.walk(
        folder, onerror=lambda e: found.append(Path(e.filename)), followlinks=True
    ):
        real = os.path.realpath(parent)
        if real in seen:  # reached through a link before
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        found.extend(
            Path(parent, name)
            for name in names
            # macOS writes a file ._NAME, which is no audio, beside NAME.
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith("._")
        )
    return sorted(found)
