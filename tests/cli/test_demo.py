"""The demo's downloads; what it prints and draws is tested with what is shipped."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.cli import demo

NAME = "pocketsphinx-5.1.1"


def archive(folder: Path, to: Path) -> None:
    """A source archive with pocketsphinx's layout, as pip would leave it in `to`."""
    data = folder / NAME / "test/data"
    for speaker, listing in (("librivox", "transcription"), ("cards", "cards.transcription")):
        (data / speaker).mkdir(parents=True)
        (data / speaker / listing).write_text(f"<s> said in {speaker} </s> ({speaker}1)\n")
        soundfile.write(data / speaker / f"{speaker}1.wav", np.zeros(8000), 16_000)
    (data / "goforward.raw").write_bytes(np.zeros(16_000, "<i2").tobytes())
    to.mkdir(parents=True, exist_ok=True)
    with tarfile.open(to / f"{NAME}.tar.gz", "w:gz") as file:
        file.add(folder / NAME, NAME)


def test_an_archive_is_downloaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, ...]] = []

    def download(*command: str, cwd: Path | None = None) -> None:
        calls.append(command)
        archive(tmp_path / "made", Path(command[command.index("--dest") + 1]))

    monkeypatch.setattr(demo, "_run", download)
    for _ in range(2):  # the second call is what happens offline, after a first one online
        texts = [u.text for u in demo.fetch_pocketsphinx(tmp_path / "cache")]
        assert [t.strip() for t in texts] == [
            "said in librivox", "said in cards", "go forward ten meters"
        ]  # fmt: skip
    (command,) = calls
    assert command[1:4] == ("-m", "pip", "download") and command[-1] == "pocketsphinx==5.1.1"
