from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from asr.audio.features import FeatureConfig, mfcc
from asr.audio.reading import read_audio
from asr.cli.app import app
from asr.decoding.decoding_options import Decoding
from asr.decoding.voice_activity import (
    HOP,
    VoiceActivity,
    has_voice_activity,
    voiced_frames,
    without_voice,
)
from asr.networks.head_layout import HeadLayout
from asr.recognizer import Recognizer
from asr.results import Transcript
from asr.training.train_voice_activity import network

ROOT = Path(__file__).parents[2]
BENCHMARK = runpy.run_path(str(ROOT / "benchmarks" / "voice_activity.py"))
SOUNDS = dict(BENCHMARK["made_sounds"](16_000, np.random.default_rng(7)))
CONFIG = FeatureConfig()


@pytest.fixture(scope="module")
def greedy() -> Recognizer:
    return Recognizer.load("en-small")


@pytest.mark.parametrize("name", SOUNDS)
def test_sounds_without_a_voice_give_no_words(name: str, greedy: Recognizer) -> None:
    words = greedy.transcribe(SOUNDS[name]).text.split()
    assert len(words) <= (2 if name == "melody" else 0)  # 30 s


def test_without_it_the_network_hears_words_in_some_of_them() -> None:
    recognizer = Recognizer.load("en-small", Decoding(vad=False))
    results = recognizer.transcribe([SOUNDS[name] for name in ("barking", "melody", "ringing")])
    assert [bool(r.text) for r in results if isinstance(r, Transcript)] == [True] * 3


def test_speech_keeps_its_text_also_between_such_sounds(
    greedy: Recognizer, goforward: Path
) -> None:
    recognizer = Recognizer.load("en-small", Decoding(vad=False))
    speech = read_audio(goforward)
    text = recognizer.transcribe(speech).text
    assert greedy.transcribe(speech).text == text
    for gain in (0.01, 3.0):  # the level does not decide
        quiet = np.clip(gain * speech, -1, 1)
        assert greedy.transcribe(quiet).text == recognizer.transcribe(quiet).text
    ringing = SOUNDS["ringing"][: 3 * 16_000]
    result = greedy.transcribe(np.concatenate([ringing, speech, ringing]))
    assert result.words[0].start >= 2.6
    assert result.words[-1].end <= 4.0 + len(speech) / 16_000


def test_a_recording_of_one_word_is_not_judged(greedy: Recognizer, goforward: Path) -> None:
    off = Recognizer.load("en-small", Decoding(vad=False))
    for part in (SOUNDS["white noise"][:7000], read_audio(goforward)[8000:15_000]):
        assert greedy.transcribe(part).text == off.transcribe(part).text != ""
    assert greedy.transcribe(SOUNDS["white noise"][:9000]).text == ""


def test_an_alignment_is_not_judged(greedy: Recognizer, goforward: Path) -> None:
    text = "go forward ten meters"
    audio = np.concatenate([read_audio(goforward), SOUNDS["barking"][:32_000]])
    off = Recognizer.load("en-small", Decoding(vad=False))
    assert greedy.align(audio, text) == off.align(audio, text)
    assert greedy.align(SOUNDS["barking"], text).score > -50


def test_a_stream_gives_no_words_either(greedy: Recognizer, goforward: Path) -> None:
    stream = greedy.stream()
    assert [r for r in stream.feed(SOUNDS["barking"]) + stream.finish() if r.final] == []
    texts = []
    for recognizer in (greedy, Recognizer.load("en-small", Decoding(vad=False))):
        stream = recognizer.stream()
        results = stream.feed(read_audio(goforward)) + stream.finish()
        texts.append(" ".join(r.text for r in results if r.final))
    assert texts[0] == texts[1] != ""


def test_the_command_line_can_switch_it_off(tmp_path: Path) -> None:
    path = tmp_path / "dog.wav"
    soundfile.write(path, SOUNDS["barking"][: 5 * 16_000], 16_000)
    for option, heard in (("--vad", False), ("--no-vad", True)):
        result = CliRunner().invoke(app, ["transcribe", str(path), option])
        assert result.exit_code == 0
        assert bool(result.stdout.strip()) is heard


def test_only_the_blank_is_left_where_there_is_no_voice() -> None:
    layout = HeadLayout(labels=3, phones=2)
    logits = np.arange(20, dtype=np.float32).reshape(4, 5)
    before = logits.copy()
    voiced = np.array([True, False, True, False])
    masked = without_voice(logits, voiced, layout)
    np.testing.assert_array_equal(logits, before)
    np.testing.assert_array_equal(masked[voiced], before[voiced])
    assert (masked[~voiced] == [0, -100, -100, 0, -100]).all()


def test_a_decision_covers_each_output_frame(goforward: Path) -> None:
    static = mfcc(read_audio(goforward), CONFIG)
    for count in (0, 1, 3, 4, 5, len(static)):
        for stride in (1, 3, 4):
            voiced = voiced_frames(static[:count], CONFIG, stride)
            assert voiced.dtype == bool
            assert len(voiced) == -(-count // stride)
    assert voiced_frames(static, CONFIG, 3)[20:80].all()


def test_models_with_other_cepstra_keep_their_logits(greedy: Recognizer) -> None:
    assert has_voice_activity(replace(CONFIG, deltas=0, normalise="mean"))
    assert not has_voice_activity(replace(CONFIG, coefficients=12))
    assert not has_voice_activity(replace(CONFIG, sample_rate=8000, high_hz=3800.0))


def test_the_package_computes_what_keras_trained() -> None:
    model = network(13)
    rng = np.random.default_rng(0)
    weights = {"mean": np.zeros(13), "scale": np.ones(13)}
    layers = [layer for layer in model.layers if layer.weights and "conv" in layer.name]
    for i, layer in enumerate(layers):
        kernel, bias = (rng.normal(0, 0.2, w.shape).astype(np.float32) for w in layer.weights)
        layer.set_weights([kernel, bias])
        weights[f"kernel_{i}"], weights[f"bias_{i}"] = kernel, bias
    x = rng.normal(0, 1, [400, 13]).astype(np.float32)
    expected = model(x[None])[0, :, 0].numpy()
    found = VoiceActivity(weights)(x)
    assert found.shape == (400 // HOP,)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)
