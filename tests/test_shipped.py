"""What is shipped: the model en-small, and the demo with and without a network."""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path

import jiwer
import pytest

from asr.base import downloads
from asr.cli import demo
from asr.data.manifest import Utterance
from asr.decoding.decoding_options import Decoding
from asr.decoding.lm_record import LmRecord
from asr.models import MODELS
from asr.recognizer import Recognizer


@pytest.fixture(scope="module")
def en_small() -> Recognizer:
    return Recognizer.load("en-small")


def test_a_real_recording_end_to_end(en_small: Recognizer, goforward: Path) -> None:
    transcript = en_small.transcribe(goforward)
    # A stranger's voice: not without errors, but about what was said.
    assert jiwer.cer("go forward ten meters", transcript.text) <= 0.5
    assert -0.5 < transcript.score < 0
    assert "".join(t.text for t in transcript.tokens) == transcript.text
    assert 0.1 < transcript.tokens[0].start < transcript.tokens[-1].end < 2.7


@pytest.mark.parametrize("lm", ["none", "general"])
@pytest.mark.parametrize("name", ["en-small", "en-base"])
def test_its_confidences_are_calibrated_for_its_weights(name: str, lm: str) -> None:
    # After new weights: asr calibrate with its dev sets, as its card says.
    curve = Recognizer.load(name, Decoding(lm=lm)).curve
    assert curve is not None
    assert curve.slope > 1 and curve.words > 1000
    assert curve.ece_after < 0.06
    assert not any("test" in manifest for manifest in curve.manifests)


def test_words_are_where_they_are_said(en_small: Recognizer, goforward: Path) -> None:
    words = en_small.align(goforward, "go forward ten meters").words
    # As read off the spectrogram.
    expected = [(0.49, 0.66), (0.66, 1.2), (1.24, 1.55), (1.55, 2.15)]
    for word, times in zip(words, expected, strict=True):
        for found, read in zip((word.start, word.end), times, strict=True):
            assert round(abs(found - read), 6) <= 0.06


def test_what_a_card_must_say() -> None:
    folder = MODELS / "en-small"
    assert sum(p.stat().st_size for p in folder.iterdir()) < 12_000_000
    card = (folder / "README.md").read_text()
    for word in ("asr train", "seed", "commit", "CC BY-SA 4.0", "CC BY-SA 3.0", "CC0", "Limits"):
        assert word in card
    training = Recognizer.load("en-small").config.training
    assert "-dirty" not in training["commit"] and training["seed"] == 1
    assert not any("test" in name for name in training["config"]["data"]["train"])


@pytest.mark.parametrize(
    ("name", "megabytes", "sources"), [("en-small", 12, 12), ("en-base", 30, 14)]
)
def test_the_language_model_is_shipped_with_its_weights_and_origin(
    name: str, megabytes: int, sources: int, goforward: Path
) -> None:
    recognizer = Recognizer.load(name)
    assert recognizer.decoder.decoding.lm == "general" and recognizer.decoder.scorer is not None
    model = recognizer.decoder.scorer.model
    assert model is not None and model.order == 3 and len(model.vocabulary) > 40_000
    text = recognizer.transcribe(goforward).text
    assert text and set(text.split()) <= model.vocabulary
    # What novels say is likelier than the same words in disorder.
    assert model.sentence(["he", "looked", "at", "her"]) > model.sentence(
        ["at", "her", "looked", "he"]
    )
    folder = MODELS / name
    assert sum(file.stat().st_size for file in folder.iterdir()) <= megabytes * 1e6
    record = LmRecord.read(folder / "lm.ngrams")
    assert record.weights.beam == recognizer.decoder.decoding.beam
    digest = hashlib.sha256((folder / "lm.ngrams").read_bytes()).hexdigest()
    assert digest == record.made["sha256"] and "-dirty" not in record.made["commit"]
    assert len(record.made["sources"]) == sources
    assert all(source["licence"] for source in record.made["sources"].values())
    tests = {"kathleen/test.jsonl", "an4/test.jsonl", "librispeech-test/test.jsonl"}
    assert tests <= set(record.made["held_out"])
    assert record.tuned["manifests"] and not any("test" in m for m in record.tuned["manifests"])


def fallback(goforward: Path) -> Utterance:
    return Utterance("go forward ten meters", 2.786, audio_filepath=goforward)


def test_demo_without_a_network(
    goforward: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def offline(*command: str, cwd: Path | None = None) -> None:
        raise subprocess.CalledProcessError(1, command, stderr="no such host\nERROR: offline")

    monkeypatch.setattr(downloads, "run_command", offline)
    picture = demo.run(tmp_path, fallback(goforward))
    out = " ".join(capsys.readouterr().out.split())
    assert out.count("not available here") == 2 and "ERROR: offline" in out
    assert "nothing could be downloaded: transcribing the test recording" in out
    assert "go forward ten meters" in out
    for how in ("greedy decoding", "with a language model"):
        assert re.search(rf"1 recordings, {how}: WER \d+\.0% \(95 % interval", out)
    spoken = re.search(r"transcribed: ((?: ?[a-z']+)+?) (?=\S*/)", f"{out} /")
    assert spoken is not None
    text = "the boat was ready and the wind was in the west"
    assert jiwer.wer(text, spoken[1]) <= 0.2
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_demo_goes_on_without_the_source_that_is_missing(
    goforward: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def missing(folder: Path) -> list[Utterance]:
        raise OSError("apt-get is not on this machine")

    monkeypatch.setattr(
        demo, "SOURCES", {"prompts": missing, "clips": lambda folder: [fallback(goforward)]}
    )
    demo.run(tmp_path, fallback(goforward))
    out = " ".join(capsys.readouterr().out.split())
    assert "not available here: prompts: apt-get is not on this machine" in out
    assert "clips" in out and "nothing could be downloaded" not in out
