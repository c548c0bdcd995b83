"""Training a vocoder on one real recording: resume, the voice it leaves, pulses and errors."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import soundfile
import tensorflow as tf

from asr.audio.reading import read_audio
from asr.base.config import parse
from asr.data.manifest import Utterance, write_manifest
from asr.errors import ConfigError, ModelError
from asr.pronunciation.pronouncer import Pronouncer
from asr.serving.voice_savedmodel import export_voice
from asr.training.from_yaml import train_from_yaml
from asr.training.train_vocoder import VocoderExperimentConfig, train_vocoder
from asr.training.vocoder_dataset import locked_pulses
from asr.training.voice_measurements import pitch_track
from asr.tts.mel import MelConfig, log_mel
from asr.tts.sentences import SYMBOLS
from asr.tts.source_filter import SourceFilter, pulses
from asr.tts.synthesizer import Synthesizer
from asr.tts.voice_config import VOCODER_FILE, VoiceAcousticConfig, VoiceConfig
from asr.tts.voice_network import VoiceModel, save_voice

TEXT = "go forward ten meters"
LEXICON = {"go": "G OW1", "forward": "F AO1 R W ER0 D", "ten": "T EH1 N", "meters": "M IY1 T ER0 Z"}
MEL = MelConfig()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, goforward: Path) -> Path:
    folder = tmp_path_factory.mktemp("vocoder")
    spoken = Utterance(TEXT, 2.786, audio_filepath=goforward)
    write_manifest(folder / "data/train.jsonl", [spoken] * 3)
    write_manifest(folder / "data/dev.jsonl", [spoken])
    config = VoiceConfig(
        "tiny",
        acoustic=VoiceAcousticConfig(
            embedding=6, encoder_units=5, decoder_units=8, decoder_layers=1
        ),
    )
    keras.utils.set_random_seed(2)
    network = VoiceModel(config.acoustic, len(SYMBOLS), config.mel)
    network.duration.out.bias.assign([1.6])
    network.scales["mel_mean"].assign(np.full(80, -5.0))
    network.scales["pitch_mean"].assign(np.log(110))
    network.scales["pitch_deviation"].assign(0.2)
    save_voice(folder / "voice", config, Pronouncer(LEXICON), network, "a card")
    return folder


def experiment(corpus: Path, **keys: object) -> VocoderExperimentConfig:
    values = {
        "vocoder": "tiny-vocoder",
        "voice": str(corpus / "voice"),
        "data": {"train": ["train.jsonl"], "dev": ["dev.jsonl"]},
        "shape": {"units": 8, "layers": 1, "harmonic_bands": 20, "noise_bands": 8},
        "training": {
            "epochs": 5,
            "batch_size": 2,
            "learning_rate": 5e-3,
            "warmup_epochs": 0.0,
            "threads": 0,
            "average": 0.0,
        },
        "crop": 40,
        **keys,
    }
    return parse(VocoderExperimentConfig, values, "test")


@pytest.mark.slow
def test_training_resumes_exactly_and_leaves_a_voice_that_exports(
    corpus: Path, tmp_path: Path
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    said: list[str] = []
    train_vocoder(experiment(corpus), corpus / "data", whole, say=said.append)
    train_vocoder(experiment(corpus), corpus / "data", parts, max_steps=3, say=said.append)
    train_vocoder(experiment(corpus), corpus / "data", parts, say=said.append)
    assert said == ["resumed at epoch 2, batch 2"]
    states = []
    for folder in (whole, parts):
        with np.load(folder / "checkpoint.npz") as arrays:
            states.append({n: arrays[n] for n in arrays.files if n != "position"})
    for name, value in states[0].items():
        np.testing.assert_array_equal(value, states[1][name], err_msg=name)
    history = [json.loads(line) for line in (whole / "history.jsonl").read_text().splitlines()]
    assert history[-1]["dev_spectrum"] < history[0]["dev_spectrum"]
    assert soundfile.info(whole / "sample-0.wav").samplerate == 22_050

    voice = Synthesizer.load(whole / "model")
    assert isinstance(voice.vocoder, SourceFilter)
    assert voice.config.vocoder is not None and voice.config.vocoder.training["seed"] == 1
    assert "source-filter vocoder of 1 × BiGRU(8)" in (whole / "model/README.md").read_text()
    samples = voice.speak(TEXT)
    served = tf.saved_model.load(str(export_voice(whole / "model", tmp_path / "exported")))
    (sentence,) = voice.sentences(TEXT)
    out = served.signatures["serving_default"](
        symbols=tf.constant([sentence.ids], tf.int32),
        lengths=tf.constant([len(sentence.ids)], tf.int32),
    )
    assert int(out["lengths"][0]) == len(samples)
    # A phase adds up the rounding errors of the pitch, so that high harmonics differ most.
    np.testing.assert_allclose(out["audio"][0], samples, atol=0.05 * np.abs(samples).max())

    (whole / "model" / VOCODER_FILE).unlink()
    with pytest.raises(ModelError, match=rf"{VOCODER_FILE}: cannot be read"):
        Synthesizer.load(whole / "model")


@pytest.mark.slow
def test_a_vocoder_starts_from_another_one(corpus: Path, tmp_path: Path) -> None:
    train_vocoder(experiment(corpus), corpus / "data", tmp_path / "a", say=lambda _: None)
    still = {"epochs": 1, "batch_size": 2, "learning_rate": 1e-9, "threads": 0, "average": 0.0}
    config = experiment(corpus, initial_vocoder=str(tmp_path / "a/model"), training=still)
    train_vocoder(config, corpus / "data", tmp_path / "b", say=lambda _: None)
    first, second = (
        json.loads((tmp_path / name / "history.jsonl").read_text().splitlines()[-1])
        for name in "ab"
    )
    assert second["dev_spectrum"] == pytest.approx(first["dev_spectrum"], abs=2e-3)


@pytest.mark.parametrize(
    "start, message",
    [("en-kathleen", "has another shape of its vocoder"), ("voice", "has no trained vocoder")],
)
def test_an_initial_vocoder_has_the_same_shape(
    corpus: Path, tmp_path: Path, start: str, message: str
) -> None:
    initial = start if start == "en-kathleen" else str(corpus / start)
    config = experiment(corpus, initial_vocoder=initial)
    with pytest.raises(ConfigError, match=f"initial_vocoder: .* {message}"):
        train_vocoder(config, corpus / "data", tmp_path / "out", say=lambda _: None)


def test_locked_pulses_follow_a_recording_whose_pitch_is_measured_wrongly(goforward: Path) -> None:
    time = np.arange(2 * MEL.sample_rate) / MEL.sample_rate
    phase = np.cumsum(180 * 1.02 ** np.sin(2 * np.pi * time) / MEL.sample_rate)
    voice = sum(np.cos(2 * np.pi * k * phase) / k for k in range(1, 20)).astype(np.float32) * 0.1
    frames = log_mel(voice, MEL)
    voice = voice[: (len(frames) - 1) * MEL.hop]
    track = pitch_track(voice, np.ones(len(frames), bool), MEL.hop, MEL)
    wrong = replace(track, log_pitch=track.log_pitch + np.float32(0.01))
    middle = slice(len(voice) // 4, 3 * len(voice) // 4)

    def likeness(train: np.ndarray) -> float:
        """Correlation with the pulses of the voice's true phase."""
        true = sum(np.cos(2 * np.pi * k * phase[: len(train)]) for k in range(1, 20))
        return float(np.corrcoef(train[middle], true[middle])[0, 1])

    assert likeness(pulses(wrong.log_pitch, MEL)) < 0.3
    assert likeness(locked_pulses(voice, wrong, MEL)) > 0.5


@pytest.mark.slow
def test_recordings_shorter_than_a_crop_are_followed_by_silence(
    corpus: Path, tmp_path: Path
) -> None:
    config = experiment(corpus, crop=400)
    train_vocoder(config, corpus / "data", tmp_path / "out", max_steps=1, say=lambda _: None)
    assert (tmp_path / "out/checkpoint.npz").is_file()


def test_wrong_keys_of_a_vocoder_config_are_named(tmp_path: Path, corpus: Path) -> None:
    path = tmp_path / "vocoder.yaml"
    path.write_text("vocoder: v\nvoice: en-kathleen\ndata: {train: [a.jsonl]}\n")
    with pytest.raises(ConfigError, match=r"data\.dev: missing key"):
        train_from_yaml(path, tmp_path, tmp_path / "out")
    with pytest.raises(ConfigError, match=r"training\.precision: a vocoder needs float32"):
        experiment(corpus, training={"precision": "mixed_bfloat16"})


def test_pitch_is_measured_where_a_voice_is(goforward: Path) -> None:
    samples = read_audio(goforward, MEL.sample_rate)
    frames = log_mel(samples, MEL)
    voiced = frames.max(axis=1) > -1
    track = pitch_track(samples, voiced, MEL.hop, MEL)
    assert track.log_pitch.shape == track.measured.shape == (len(frames),)
    assert track.measured.sum() > 0.5 * voiced.sum() and not track.measured[~voiced].any()
    assert 70 < np.exp(np.median(track.log_pitch[track.measured])) < 200
