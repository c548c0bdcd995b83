from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asr.audio import feature_cache
from asr.audio.feature_cache import FeatureCache
from asr.audio.features import FeatureConfig, mfcc
from asr.audio.reading import read_audio
from asr.audio.segments import read_segment
from asr.errors import AudioError

CONFIG = FeatureConfig()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The recordings that were decoded, in order."""
    seen: list[Path] = []

    def read(path: Path, *arguments: Any) -> np.ndarray:
        seen.append(path)
        return read_segment(path, *arguments)

    monkeypatch.setattr(feature_cache, "read_segment", read)
    return seen


def test_copies_of_a_recording_are_decoded_once(
    goforward: Path, tmp_path: Path, reads: list[Path]
) -> None:
    expected = mfcc(read_audio(goforward), CONFIG)
    copy = Path(shutil.copy(goforward, tmp_path / "copy.wav"))
    for path in (goforward, copy, goforward):
        # A new cache, as in another training: only the disk remembers.
        found = FeatureCache(tmp_path / "cache", CONFIG).static(path)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == np.float32
    assert reads == [goforward]
    assert len([*(tmp_path / "cache").rglob("*.*")]) == 1


def test_other_recordings_and_configurations_are_computed_again(
    goforward: Path, tmp_path: Path, reads: list[Path]
) -> None:
    changed = tmp_path / "changed.wav"
    changed.write_bytes(goforward.read_bytes()[:-2000] + bytes(2000))
    fewer, plain = replace(CONFIG, coefficients=12), replace(CONFIG, deltas=0, normalise="none")
    cache = tmp_path / "cache"
    first = FeatureCache(cache, CONFIG).static(goforward)
    assert not np.array_equal(FeatureCache(cache, CONFIG).static(changed), first)
    assert FeatureCache(cache, fewer).static(goforward).shape == (len(first), 12)
    # Deltas and normalisation do not affect static cepstra.
    np.testing.assert_array_equal(FeatureCache(cache, plain).static(goforward), first)
    assert reads == [goforward, changed, goforward]


def test_a_broken_cache_file_is_replaced(
    goforward: Path, tmp_path: Path, reads: list[Path]
) -> None:
    cache = FeatureCache(tmp_path, CONFIG)
    expected = cache.static(goforward)
    (kept,) = tmp_path.rglob("*.npy")
    for broken in (b"", kept.read_bytes()[:200], b"no array"):
        kept.write_bytes(broken)
        np.testing.assert_array_equal(cache.static(goforward), expected)
        np.testing.assert_array_equal(np.load(kept), expected)
    assert len(reads) == 4


def test_without_a_writable_folder_every_call_decodes(
    goforward: Path, tmp_path: Path, reads: list[Path]
) -> None:
    (tmp_path / "file").write_text("a file where the folder would be")
    for folder in (None, tmp_path / "file"):
        assert len(FeatureCache(folder, CONFIG).static(goforward))
    assert reads == [goforward, goforward]


def test_errors_name_the_recording(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "cache", CONFIG)
    with pytest.raises(AudioError, match=r"gone\.wav"):
        cache.static(tmp_path / "gone.wav")
    with pytest.raises(AudioError, match=str(tmp_path)):
        cache.static(tmp_path)
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(AudioError, match=r"text\.wav"):
        cache.static(tmp_path / "text.wav")
    assert not (tmp_path / "cache").exists()
