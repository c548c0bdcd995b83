"""The voice of a server, and the speaker that is chosen of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from asr.errors import ModelError
from asr.models import MODELS
from asr.server.text_to_speech import TextToSpeech


@pytest.fixture
def choir(tmp_path: Path) -> Path:
    """A model.json with two speakers; a server reads no more of a voice before it speaks."""
    shutil.copytree(MODELS / "en-kathleen", tmp_path / "choir")
    path = tmp_path / "choir/model.json"
    text = path.read_text().replace('"speakers": []', '"speakers": ["ada", "ben"]')
    path.write_text(text)
    return tmp_path / "choir"


def test_a_voice_has_the_name_of_its_directory_or_of_the_chosen_speaker(choir: Path) -> None:
    for given, name, voice in (
        ("en-kathleen", "en-kathleen", str(MODELS / "en-kathleen")),
        (str(choir), "choir", f"{choir}:ada"),
        (f"{choir}:ben", "ben", f"{choir}:ben"),
    ):
        served = TextToSpeech(given)
        assert (served.name, served.voice) == (name, voice)
        served.close()


def test_an_unknown_speaker_is_reported_before_the_server_starts(choir: Path) -> None:
    with pytest.raises(ModelError, match="no speaker 'dan'; speakers: ada, ben"):
        TextToSpeech(f"{choir}:dan")
