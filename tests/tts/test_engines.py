from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.errors import AudioError
from asr.recognizer import Recognizer
from asr.tts import engines as module
from asr.tts.engines import ENGINES, VOICES, existing_utterances, synthesize
from asr.tts.kokoro import choose_style

THREE = ("flite", "espeak-ng", "festival")


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Engines that write a second of noise, or fail at "bad"; the texts that they were given."""
    spoken: list[str] = []

    def speak(text: str, voice: str, speed: float, pitch: float, path: Path) -> None:
        spoken.append(text)
        if text == "bad":
            raise subprocess.CalledProcessError(1, "engine")
        noise = np.random.default_rng(len(text)).normal(0, 0.01, 22_050)
        soundfile.write(path, noise, 22_050)

    monkeypatch.setattr("asr.tts.engines.ENGINES", {v.engine: speak for v in VOICES})
    monkeypatch.setattr("shutil.which", lambda name: name)
    return spoken


def test_it_goes_on_where_it_was_stopped(engines: list[str], tmp_path: Path) -> None:
    texts = [*"abcd", "bad", "e"]
    first = list(synthesize(texts, tmp_path, 100, THREE))
    assert [u.text for u in first] == ["a", "b", "c", "d", "e"]
    assert len({u.speaker for u in first}) > 1
    assert all(u.duration == 1.0 for u in first)
    samples, rate = soundfile.read(first[0].path)
    assert rate == 16_000 and np.abs(samples).max() == pytest.approx(0.7, abs=0.01)
    first[2].path.unlink()
    engines.clear()
    assert list(synthesize(["new", *texts], tmp_path, 100, THREE))[1:] == first
    assert sorted(engines) == ["bad", "c", "new"]
    assert len(list(tmp_path.iterdir())) == 6


def test_it_ends_when_there_is_enough(engines: list[str], tmp_path: Path) -> None:
    spoken = list(synthesize([f"a{i}" for i in range(200)], tmp_path, 40, THREE, jobs=1))
    assert len(spoken) == 40


def test_an_engine_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None if name == "flite" else name)
    with pytest.raises(AudioError, match="not installed: flite; apt-get install"):
        list(synthesize(["a"], tmp_path, 1, THREE))


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_a_real_engine_speaks_faster_when_told_to(tmp_path: Path) -> None:
    for speed in (0.8, 1.2):
        text = "-- author of the danger trail"
        ENGINES["espeak-ng"](text, "en-us", speed, 1.0, tmp_path / f"{speed}")
    slow, fast = (soundfile.info(tmp_path / name).duration for name in ("0.8", "1.2"))
    assert slow > 1.2 * fast > 1.2


def test_an_engine_that_nobody_knows_is_named(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="engine 'siri' is not known; one of flite"):
        list(synthesize(["a"], tmp_path, 1, ("siri",)))


def test_our_own_voice_reads_too(tmp_path: Path) -> None:
    (utterance,) = synthesize(["the sea was calm"], tmp_path, 1, ("asr",))
    assert utterance.speaker == "asr-en-kathleen"
    assert Recognizer.load("en-small").transcribe(utterance).text.split()[0] == "the"


def test_every_engine_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(AudioError, match="not installed: espeak-ng, festival, flite; apt-get"):
        list(synthesize(["a"], tmp_path, 1, (*THREE, "asr")))


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run Kokoro's jobs in threads, which use the engines of the tests, and without packages."""
    monkeypatch.setattr(module.kokoro, "fetch_voice", lambda: Path("unused"))
    monkeypatch.setattr(
        module,
        "ProcessPoolExecutor",
        lambda jobs, *_, **__: module.ThreadPoolExecutor(jobs),
    )


def test_the_text_determines_kokoros_style_and_file_name(
    engines: list[str], threads: None, tmp_path: Path
) -> None:
    """These must not change: the synthesis of an existing corpus resumes with them."""
    text = "That doesn't matter."
    (utterance,) = synthesize([text], tmp_path, 100, ["kokoro"], format="ogg")
    assert utterance.path.name == "da6f7a35e9a9ca31.ogg"
    assert utterance.speaker == "kokoro-af_alloy:0.5+zm_yunxia"
    assert utterance.speaker == f"kokoro-{choose_style(0xDA6F7A35E9A9CA31).name}"
    info = soundfile.info(utterance.path)
    assert (info.format, info.subtype, info.samplerate) == ("OGG", "OPUS", 24_000)
    assert utterance.duration == pytest.approx(1.0, abs=0.01)


def test_a_synthesis_of_opus_files_resumes(
    engines: list[str], threads: None, tmp_path: Path
) -> None:
    texts = [*"abcdef", "bad", "g"]
    options = {"seed": 3, "format": "ogg"}
    first = list(synthesize(texts, tmp_path, 100, ["kokoro"], **options))  # type: ignore[arg-type]
    first[1].path.unlink()
    engines.clear()
    before = list(existing_utterances(texts, tmp_path, ["kokoro"], **options))  # type: ignore[arg-type]
    assert before == [first[0], *first[2:]] and engines == []
    again = list(synthesize(texts, tmp_path, 100, ["kokoro"], **options))  # type: ignore[arg-type]
    assert again == first and sorted(engines) == ["b", "bad"]
    # The search ends soon after the last file, because the list of sentences may be long.
    looked = iter([*texts, *map(str, range(module.MAX_MISSING)), "h"])
    found = existing_utterances(looked, tmp_path, ["kokoro"], **options)  # type: ignore[arg-type]
    assert list(found) == first
    assert next(looked) == "h"
    # Another seed gives other file names.
    assert not list(existing_utterances(texts, tmp_path, ["kokoro"], seed=4, format="ogg"))


def test_an_unknown_format_is_an_error(engines: list[str], tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="format 'mp3' is not known; one of flac, ogg"):
        list(synthesize(["a"], tmp_path, 1, THREE, format="mp3"))


def test_a_worker_ends_with_its_parent(tmp_path: Path) -> None:
    """A parent that is killed leaves no worker behind."""
    code = (
        "import os, time, sys\nfrom asr.tts.engines import exit_with_parent\n"
        "parent = os.getpid()\n"
        "if os.fork():\n    time.sleep(0.5); os.kill(parent, 9)\n"
        "exit_with_parent(parent)\nprint(os.getpid(), flush=True)\ntime.sleep(60)\n"
    )
    # The pipe closes when both processes have ended.
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=30)
    assert ended.returncode == -9 and ended.stdout.strip().isdigit()
