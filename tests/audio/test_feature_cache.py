from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from asr.audio import feature_cache
from asr.audio.feature_cache import FeatureCache
from asr.audio.features import FeatureConfig, mfcc
from asr.audio.reading import read_audio
from asr.errors import AudioError

CONFIG = FeatureConfig()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The recordings that are decoded."""
    seen: list[Path] = []

    def read(path: Path, rate: int) -> np.ndarray:
        seen.append(path)
        return read_audio(path, rate)

    monkeypatch.setattr(feature_cache, "read_audio", read)
    return seen


def test_a_recording_is_decoded_once_wherever_it_lies(
    goforward: Path, tmp_path: Path, reads: list[Path]
) -> None:
    expected = mfcc(read_audio(goforward), CONFIG)
    copy = Path(shutil.copy(goforward, tmp_path / "copy.wav"))
    for path in (goforward, copy, goforward):
        # Another training's: nothing is remembered but what is on disk.
        found = FeatureCache(tmp_path / "cache", CONFIG).static(path)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == np.float32
    assert reads == [goforward]
    assert len([*(tmp_path / "cache").rglob("*.*")]) == 1


def test_other_sound_or_other_static_features_are_made_anew(
    goforward: Path, tmp_path: Path, reads: list[Path]
) -> None:
    changed = tmp_path / "changed.wav"
    changed.write_bytes(goforward.read_bytes()[:-2000] + bytes(2000))
    fewer, plain = replace(CONFIG, coefficients=12), replace(CONFIG, deltas=0, normalise="none")
    cache = tmp_path / "cache"
    first = FeatureCache(cache, CONFIG).static(goforward)
    assert not np.array_equal(FeatureCache(cache, CONFIG).static(changed), first)
    assert FeatureCache(cache, fewer).static(goforward).shape == (len(first), 12)
    # What is made of static cepstra later does not matter to them.
    np.testing.assert_array_equal(FeatureCache(cache, plain).static(goforward), first)
    assert reads == [goforward, changed, goforward]


def test_a_broken_file_is_made_anew(goforward: Path, tmp_path: Path, reads: list[Path]) -> None:
    cache = FeatureCache(tmp_path, CONFIG)
    expected = cache.static(goforward)
    (kept,) = tmp_path.rglob("*.npy")
    for broken in (b"", kept.read_bytes()[:200], b"no array"):
        kept.write_bytes(broken)
        np.testing.assert_array_equal(cache.static(goforward), expected)
        np.testing.assert_array_equal(np.load(kept), expected)
    assert len(reads) == 4


def test_nothing_is_kept_where_nothing_can_be(
    goforward: Path, tmp_path: Path, reads: list[Path]
) -> None:
    (tmp_path / "file").write_text("a file where the folder would be")
    for folder in (None, tmp_path / "file"):
        assert len(FeatureCache(folder, CONFIG).static(goforward))
    assert reads == [goforward, goforward]


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "cache", CONFIG)
    with pytest.raises(AudioError, match=r"gone\.wav"):
        cache.static(tmp_path / "gone.wav")
    with pytest.raises(AudioError, match="is a folder"):
        cache.static(tmp_path)
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(AudioError, match=r"text\.wav"):
        cache.static(tmp_path / "text.wav")
    assert not (tmp_path / "cache").exists()
