from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scripts import run_script

from asr.data.manifest import Utterance, read_manifest, write_manifest
from asr.errors import ConfigError, PackageError
from asr.evaluation import whisper
from asr.evaluation.read_back import ReadBack, read_back, sample, write_misread
from asr.evaluation.whisper import (
    ReferenceTranscript,
    Whisper,
    normalise_transcript,
    spoken_variants,
)

NEEDS_PACKAGES = pytest.mark.skipif(
    not (whisper.cache_folder(whisper.NAME) / "model" / "model.bin").exists(),
    reason="whisper-base is not cached",
)


class FakeWhisper:
    """A recogniser that returns one text after the other."""

    name = "fake"

    def __init__(self, *texts: str) -> None:
        self.texts = iter(texts)

    def transcribe(self, samples: np.ndarray) -> ReferenceTranscript:
        assert samples.shape == (16_000,) and samples.dtype == np.float32
        return ReferenceTranscript(next(self.texts), -0.1)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Three utterances of a second at 24 kHz."""
    texts = ("Mister Smith paid twenty-three dollars.", "The sea was calm.", "So be it, then.")
    rows = []
    for i, text in enumerate(texts):
        noise = np.random.default_rng(i).normal(0, 0.1, 24_000)
        soundfile.write(tmp_path / f"{i}.wav", noise, 24_000)
        rows.append(Utterance(text, 1.0, tmp_path / f"{i}.wav", speaker=f"kokoro-{i}"))
    write_manifest(tmp_path / "train.jsonl", rows)
    return tmp_path / "train.jsonl"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Mr. Smith paid $23.", "mister smith paid twenty three dollars"),
        ("Mrs Jones, Dr. No", "missus jones doctor no"),
        ("Mister Drake", "mister drake"),
    ],
)
def test_titles_and_numbers_are_in_words(text: str, words: str) -> None:
    assert normalise_transcript(text) == words


@pytest.mark.parametrize(
    ("text", "variants"),
    [
        ("No digits.", ["no digits"]),
        (
            "In 1990.",
            [
                "in one thousand nine hundred and ninety",
                "in nineteen ninety",
                "in one nine nine zero",
            ],
        ),
        ("Room 23", ["room twenty three", "room two three"]),
        ("20,000 at 5:30", ["twenty thousand at five thirty"]),
        ("$1,200", ["one thousand two hundred dollars"]),
        (
            "in 1905",
            [
                "in one thousand nine hundred and five",
                "in nineteen oh five",
                "in one nine zero five",
            ],
        ),
    ],
)
def test_digits_have_all_spoken_variants(text: str, variants: list[str]) -> None:
    assert spoken_variants(text) == variants


def test_a_sample_is_spread_over_the_corpus() -> None:
    rows = [Utterance(str(i), 1.0, Path(f"{i}.wav")) for i in range(2500)]
    chosen = [int(u.text) for u in sample(rows, 20, seed=1)]
    assert [sum(i // 1000 == block for i in chosen) for block in range(3)] == [20, 20, 10]
    assert chosen == sorted(set(chosen)) == [int(u.text) for u in sample(rows, 20, seed=1)]
    assert chosen != [int(u.text) for u in sample(rows, 20, seed=2)]
    assert len(sample(rows[:7], 1, 1)) == 1 and sample(rows[:7], 1000, 1) == rows[:7]
    for count in (0, 1001):
        with pytest.raises(ConfigError, match=f"--per-thousand {count}: "):
            sample(rows, count, 1)


def test_utterances_above_the_limit_are_listed(manifest: Path, tmp_path: Path) -> None:
    utterances = read_manifest(manifest)
    texts = ("Mr. Smith paid $23", "A sea calm, yes!", "")
    readings = list(read_back(utterances, FakeWhisper(*texts)))
    assert [(r.errors, r.words) for r in readings] == [(0, 6), (3, 4), (4, 4)]
    assert [r.wer for r in readings] == [0.0, 0.75, 1.0]
    assert write_misread(tmp_path / "misread.jsonl", readings, 0.3) == 2
    lines = [json.loads(line) for line in (tmp_path / "misread.jsonl").read_text().splitlines()]
    assert [line["wer"] for line in lines] == [1.0, 0.75]
    assert lines[1] == {
        "audio_filepath": str(tmp_path / "1.wav"),
        "text": "The sea was calm.",
        "transcript": "A sea calm, yes!",
        "wer": 0.75,
        "voice": "kokoro-1",
    }
    assert write_misread(tmp_path / "misread.jsonl", readings, 0.75) == 1
    silent = [Utterance("...", 1.0, utterances[0].audio_filepath)]
    assert list(read_back(silent, FakeWhisper("x"))) == []
    assert ReadBack(utterances[0], "", 3, 6).wer == 0.5


def test_the_pipeline_prints_wer_and_writes_the_list(
    manifest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recognizer = FakeWhisper("Mr. Smith paid $23", "The sea was calm", "So what")
    monkeypatch.setattr(whisper, "Whisper", lambda: recognizer)
    pipeline = Path(__file__).parents[2] / "pipelines" / "check_synthetic.py"
    monkeypatch.setattr(sys, "argv", [str(pipeline), str(manifest), "--per-thousand", "1000"])
    assert run_script(pipeline) == 0
    out = manifest.with_name("misread.jsonl")
    assert capsys.readouterr().out == f"3 utterances, WER 21.43%; 1 above 30%: {out}\n"
    assert json.loads(out.read_text())["transcript"] == "So what"


def test_without_faster_whisper_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(PackageError, match=r"pip install 'keras-asr-toolkit\[teacher\]'"):
        Whisper()


class Segment:
    def __init__(self, text: str, tokens: int, log_probability: float) -> None:
        self.text, self.tokens, self.avg_logprob = text, [0] * tokens, log_probability


def test_the_log_probability_is_an_average_over_tokens() -> None:
    recognizer = Whisper.__new__(Whisper)
    found = [Segment(" One.", 10, -0.1), Segment(" Two three.", 30, -0.5)]
    recognizer.model = type("Model", (), {"transcribe": lambda *_, **__: (iter(found), None)})()
    transcript = recognizer.transcribe(np.zeros(16_000, np.float32))
    assert transcript.text == "One. Two three."
    assert transcript.log_probability == pytest.approx(-0.4)
    found.clear()
    silence = recognizer.transcribe(np.zeros(16_000, np.float32))
    assert silence == ReferenceTranscript("", -math.inf)


@NEEDS_PACKAGES
def test_whisper_transcribes_real_speech(goforward: Path) -> None:
    pytest.importorskip("faster_whisper")
    samples, _ = soundfile.read(goforward, dtype="float32")
    transcript = Whisper().transcribe(samples)
    assert normalise_transcript(transcript.text) in (
        "go forward ten meters",
        "go forward ten metres",
    )
    assert transcript.log_probability > -1


@NEEDS_PACKAGES
def test_recordings_that_whisper_transcribes_together_keep_their_order(goforward: Path) -> None:
    pytest.importorskip("faster_whisper")
    samples, _ = soundfile.read(goforward, dtype="float32")
    nothing = np.zeros(0, np.float32)
    long = np.concatenate([samples, np.zeros(26 * 16_000, np.float32)])
    recordings = [samples, long, nothing, samples[: len(samples) // 2], samples]
    first, alone, silence, half, last = Whisper().transcribe_all(recordings)
    texts = [normalise_transcript(transcript.text) for transcript in (first, half, last)]
    assert texts[0] == texts[2] and texts[0].startswith(f"{texts[1]} ")
    assert texts[0] in ("go forward ten meters", "go forward ten metres")
    assert first.log_probability == last.log_probability > -1
    assert normalise_transcript(alone.text).startswith("go forward ten met")
    assert silence.log_probability < -0.6  # such a text is no label
