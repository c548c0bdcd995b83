"""Round trips: the intelligibility of the shipped voice, and mel cepstral distortion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from asr.audio.reading import read_audio
from asr.data.manifest import Utterance
from asr.evaluation.round_trip import mcd, round_trip, round_trip_text
from asr.models import MODELS
from asr.recognizer import Recognizer
from asr.tts.mel import MelConfig
from asr.tts.synthesizer import Synthesizer
from asr.tts.voice_network import load_voice_network

SENTENCES = (
    "The boat was ready by the morning.",
    "Nobody had seen her since the summer.",
    "He took the letter and walked away.",
    "There were seven houses on the hill.",
    "We shall wait until the rain is over.",
)
"""Sentences that are in no training corpus."""


@pytest.fixture(scope="module")
def voice() -> Synthesizer:
    return Synthesizer.load("en-kathleen")


@pytest.mark.slow
def test_mel_cepstral_distortion(goforward: Path) -> None:
    mel = MelConfig()
    samples = read_audio(goforward, mel.sample_rate)
    assert mcd(samples, samples, mel) == 0
    # Loudness and silence at the ends do not count.
    around = np.concatenate([np.zeros(9000, np.float32), 0.5 * samples, np.zeros(500, np.float32)])
    assert mcd(around, samples, mel) < 1
    noise = np.random.default_rng(1).normal(0, 0.1, len(samples)).astype(np.float32)
    assert mcd(noise, samples, mel) > 10


def test_recogniser_understands_the_voice(
    voice: Synthesizer, goforward: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asr.evaluation.round_trip.sphinx_installed", lambda: False)
    monkeypatch.setattr("asr.evaluation.round_trip.PEERS", {})
    # The natural recording is the same for all sentences, because only the voice is tested.
    utterances = [Utterance(text, 2.786, audio_filepath=goforward) for text in SENTENCES]
    result = round_trip(voice, Recognizer.load("en-small"), utterances)
    natural, ours = result.results
    assert (natural.speaker, ours.speaker) == ("natural", "en-kathleen")
    assert result.sentences == len(SENTENCES) and result.rtf > 0 and result.mcd > 3
    assert ours.result.cer <= GATE
    assert natural.result.cer > 0.5
    text = round_trip_text(result)
    assert f"en-kathleen        en-small       {ours.result.cer:8.2%}" in text


GATE = 0.2
"""Largest character error rate of the voice on SENTENCES: above the rate when it was chosen."""


def test_shipped_voice_is_small_and_documented(voice: Synthesizer) -> None:
    folder = MODELS / "en-kathleen"
    assert sum(p.stat().st_size for p in folder.iterdir()) < 20e6
    training = voice.config.training
    assert training["commit"] and "dirty" not in training["commit"]
    assert training["command"] in (folder / "README.md").read_text()
    network = load_voice_network(MODELS / "en-kathleen", voice.config)
    assert network.count_params() < 10e6
    assert len(voice.pronounce.lexicon) > 120_000
