from __future__ import annotations

import json
import math
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.data.manifest import Utterance, read_manifest, write_manifest
from asr.errors import ConfigError, PackageError
from asr.evaluation import whisper
from asr.evaluation.read_back import Reading, read_back, sample, write_misread
from asr.evaluation.whisper import Heard, Whisper, as_spoken_words, ways_to_say

NEEDS_PACKAGES = pytest.mark.skipif(
    not (whisper.cache(whisper.NAME) / "model" / "model.bin").exists(),
    reason="whisper-base is not cached",
)


class Hears:
    """A judge who hears one text after the other."""

    def __init__(self, *texts: str) -> None:
        self.texts = iter(texts)

    def hear(self, samples: np.ndarray) -> Heard:
        assert samples.shape == (16_000,) and samples.dtype == np.float32
        return Heard(next(self.texts), -0.1)


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
    assert as_spoken_words(text) == words


@pytest.mark.parametrize(
    ("text", "ways"),
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
        ("in 1905", ["in one thousand nine hundred and five", "in nineteen oh five",
                     "in one nine zero five"]),
    ],
)  # fmt: skip
def test_digits_have_all_their_readings(text: str, ways: list[str]) -> None:
    assert ways_to_say(text) == ways


def test_a_sample_has_its_part_of_each_thousand() -> None:
    rows = [Utterance(str(i), 1.0, Path(f"{i}.wav")) for i in range(2500)]
    chosen = [int(u.text) for u in sample(rows, 20, seed=1)]
    assert [sum(i // 1000 == block for i in chosen) for block in range(3)] == [20, 20, 10]
    assert chosen == sorted(set(chosen)) == [int(u.text) for u in sample(rows, 20, seed=1)]
    assert chosen != [int(u.text) for u in sample(rows, 20, seed=2)]
    assert len(sample(rows[:7], 1, 1)) == 1 and sample(rows[:7], 1000, 1) == rows[:7]
    for count in (0, 1001):
        with pytest.raises(ConfigError, match=f"--per-thousand {count}: give 1 to 1000"):
            sample(rows, count, 1)


def test_what_is_misread_is_listed(manifest: Path, tmp_path: Path) -> None:
    utterances = read_manifest(manifest)
    heard = ("Mr. Smith paid $23", "A sea calm, yes!", "")
    readings = list(read_back(utterances, Hears(*heard)))
    assert [(r.errors, r.words) for r in readings] == [(0, 6), (3, 4), (4, 4)]
    assert [r.wer for r in readings] == [0.0, 0.75, 1.0]
    assert write_misread(tmp_path / "misread.jsonl", readings, 0.3) == 2
    lines = [json.loads(line) for line in (tmp_path / "misread.jsonl").read_text().splitlines()]
    assert [line["wer"] for line in lines] == [1.0, 0.75]
    assert lines[1] == {
        "audio_filepath": str(tmp_path / "1.wav"), "text": "The sea was calm.",
        "heard": "A sea calm, yes!", "wer": 0.75, "style": "kokoro-1",
    }  # fmt: skip
    assert write_misread(tmp_path / "misread.jsonl", readings, 0.75) == 1
    silent = [Utterance("...", 1.0, utterances[0].audio_filepath)]
    assert list(read_back(silent, Hears("x"))) == []
    assert Reading(utterances[0], "", 3, 6).wer == 0.5


def test_the_pipeline_reads_back(
    manifest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    judge = Hears("Mr. Smith paid $23", "The sea was calm", "So what")
    monkeypatch.setattr(whisper, "Whisper", lambda: judge)
    pipeline = Path(__file__).parents[2] / "pipelines" / "check_synthetic.py"
    monkeypatch.setattr(sys, "argv", [str(pipeline), str(manifest), "--per-thousand", "1000"])
    runpy.run_path(str(pipeline), run_name="__main__")
    out = manifest.with_name("misread.jsonl")
    assert capsys.readouterr().out == f"3 read back, WER 21.43%; 1 above 30%: {out}\n"
    assert json.loads(out.read_text())["heard"] == "So what"


def test_without_faster_whisper_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(PackageError, match=r"pip install 'asr\[teacher\]'"):
        Whisper()


class Segment:
    def __init__(self, text: str, tokens: int, log_probability: float) -> None:
        self.text, self.tokens, self.avg_logprob = text, [0] * tokens, log_probability


def test_the_log_probability_is_by_token() -> None:
    judge = Whisper.__new__(Whisper)
    found = [Segment(" One.", 10, -0.1), Segment(" Two three.", 30, -0.5)]
    judge.model = type("Model", (), {"transcribe": lambda *_, **__: (iter(found), None)})()
    heard = judge.hear(np.zeros(16_000, np.float32))
    assert heard.text == "One. Two three."
    assert heard.log_probability == pytest.approx(-0.4)
    found.clear()
    assert judge.hear(np.zeros(16_000, np.float32)) == Heard("", -math.inf)


@NEEDS_PACKAGES
def test_the_real_judge_hears_real_speech(goforward: Path) -> None:
    pytest.importorskip("faster_whisper")
    samples, _ = soundfile.read(goforward, dtype="float32")
    heard = Whisper().hear(samples)
    assert as_spoken_words(heard.text) in ("go forward ten meters", "go forward ten metres")
    assert heard.log_probability > -1
