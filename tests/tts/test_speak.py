"""`asr speak` and its functions, with the shipped voice."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from asr.cli.app import app
from asr.data.corpora import prepare
from asr.data.manifest import read_manifest
from asr.errors import ConfigError, TextError
from asr.tts import speak
from asr.tts.synthesizer import Synthesizer

RUN = CliRunner()


@pytest.fixture(scope="module")
def voice() -> Synthesizer:
    return Synthesizer.load("en-kathleen")


@pytest.mark.parametrize("suffix, kind", [(".wav", "WAV"), (".flac", "FLAC"), (".ogg", "OGG")])
def test_a_file_has_the_format_of_its_ending(
    voice: Synthesizer, tmp_path: Path, suffix: str, kind: str
) -> None:
    path = tmp_path / f"said{suffix}"
    said = speak.speak_to_file(voice, "The danger trail. The end.", path, 1.0, 0.0)
    info = soundfile.info(path)
    assert (info.format, info.samplerate, info.channels) == (kind, 22_050, 1)
    assert info.duration == pytest.approx(said.duration, abs=1e-3)
    samples, _ = soundfile.read(path, dtype="float32")
    expected = voice.speak("The danger trail. The end.")
    assert np.corrcoef(samples, expected)[0, 1] > 0.99


def test_raw_samples_equal_those_of_a_file(voice: Synthesizer) -> None:
    raw = io.BytesIO()
    speak.speak_raw(voice, "The danger trail. The end.", raw, 1.0, 0.0)
    samples = np.frombuffer(raw.getvalue(), "<i2") / 32767
    np.testing.assert_allclose(samples, voice.speak("The danger trail. The end."), atol=1e-4)


def test_lines_to_a_folder_with_a_manifest(tmp_path: Path) -> None:
    lines = "The end.\n\n...\nThe 😀 danger trail\n"
    done = RUN.invoke(app, ["speak", "-", "--out", f"{tmp_path}/said/", "--json"], input=lines)
    assert done.exit_code == 1
    assert "failed: line 3: nothing in '...' can be spoken" in done.stderr
    assert "warning: skipped: 😀 (grinning face)" in done.stderr
    assert "3 lines, 1 failed" in done.stderr
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    assert [p["text"] for p in printed] == ["The end.", "The 😀 danger trail"]
    # The manifest has the spoken words, which are the text to train a recogniser on.
    utterances = read_manifest(tmp_path / "said" / "manifest.jsonl")
    assert [u.path.name for u in utterances] == ["00001.wav", "00004.wav"]
    prepared = prepare("folder", tmp_path / "said", tmp_path / "out")
    assert prepared.skipped == ()
    (trained, again) = read_manifest(prepared.manifests["train"])
    assert (trained.text, again.text) == tuple(u.text for u in utterances)
    assert trained.path.resolve() == utterances[0].path and trained.speaker == "en-kathleen"
    assert [u.text for u in utterances] == ["the end", "the danger trail"]
    for u, p in zip(utterances, printed, strict=True):
        assert soundfile.info(u.path).duration == pytest.approx(u.duration) == p["duration"]
        assert u.speaker == "en-kathleen"
    checked = RUN.invoke(app, ["data", "check", str(tmp_path / "said" / "manifest.jsonl")])
    assert checked.exit_code == 0 and "2 utterances" in checked.stdout
    empty = RUN.invoke(app, ["speak", "-", "--out", f"{tmp_path}/none/"], input="\n")
    assert empty.exit_code == 1 and "no line" in str(empty.exception)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("name", ["NOTES.TXT", "notes.md", "a b.markdown"])
def test_text_files_of_any_suffix_are_read_and_must_exist(tmp_path: Path, name: str) -> None:
    with pytest.raises(TextError, match=f"{name}: cannot be read: No such file"):
        speak.read_text(str(tmp_path / name))
    (tmp_path / name).write_text("The end.")
    assert speak.read_text(str(tmp_path / name)) == "The end."


def test_other_files_are_refused_and_texts_are_texts(tmp_path: Path) -> None:
    (tmp_path / "notes.pdf").write_bytes(b"%PDF")
    with pytest.raises(TextError, match=r"notes\.pdf: is a file"):
        speak.read_text(str(tmp_path / "notes.pdf"))
    for text in ("and/or", "Mr. Smith", "a" * 5000, "a\0b", "the end.\nof notes.txt\nit"):
        assert speak.read_text(text) == text


def test_phones_of_a_text_file(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("The end.\nOf it?")
    done = RUN.invoke(app, ["speak", str(tmp_path / "text.txt"), "--phones"])
    assert done.exit_code == 0
    assert done.stdout.splitlines() == ["^ DH AH0 _ EH1 N D .", "^ AH1 V _ IH1 T ?"]


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "the text is empty"),
        ("?!", "'?!'"),
        ("😀", "no letters a–z"),
        ("привет", "no letters a–z"),
        ("\x00\x07", "can be spoken"),
        ("missing.txt", "missing.txt: cannot be read"),
    ],
)
def test_a_text_that_cannot_be_spoken_leaves_no_file(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "said.wav"
    done = RUN.invoke(app, ["speak", text, "--out", str(path)])
    assert done.exit_code != 0 and isinstance(done.exception, TextError)
    assert message in str(done.exception)
    assert list(tmp_path.iterdir()) == []


def test_speaking_imports_no_tensorflow(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    code = (
        "import sys\n"
        "for name in ('tensorflow', 'keras', 'librosa', 'num2words'): sys.modules[name] = None\n"
        f"sys.argv = ['asr', 'speak', 'Dr. 5', '--out', {str(path)!r}, '--threads', '1']\n"
        "from asr.cli.app import main\n"
        "main()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert soundfile.info(path).duration > 0.5


@pytest.mark.parametrize(
    "options, message",
    [
        (["--format", "flac"], "--format "),
        (["--out", "-", "--json"], "--json "),
        (["--phones", "--json"], "--json "),
    ],
)
def test_options_without_effect_are_errors(options: list[str], message: str) -> None:
    done = RUN.invoke(app, ["speak", "The end.", *options])
    assert isinstance(done.exception, ConfigError) and message in str(done.exception)


def test_wrong_formats_rates_and_encodings_are_named(voice: Synthesizer, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"said\.mp3: .*\.wav"):
        speak.speak_to_file(voice, "The end.", tmp_path / "said.mp3", 1.0, 0.0)
    with pytest.raises(ConfigError, match="format: 'mp3' is not known; one of wav"):
        speak.speak_lines(voice, ["The end."], tmp_path, ".mp3", 1.0, 0.0)
    with pytest.raises(ConfigError, match="rate: 9 is out of range"):
        speak.speak_lines(voice, ["The end."], tmp_path, ".wav", 9.0, 0.0)
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    with pytest.raises(TextError, match=r"latin.txt: is not UTF-8 text"):
        speak.read_text(str(tmp_path / "latin.txt"))
