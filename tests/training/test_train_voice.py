"""Training a voice on one real recording: resume, cache, durations, pitch and errors."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import soundfile
import tensorflow as tf

from asr.base.config import parse
from asr.data.manifest import Utterance, read_manifest, write_manifest
from asr.decoding.decoding_options import Decoding
from asr.errors import ConfigError, TextError
from asr.pronunciation.pronouncer import Pronouncer, read_lexicon
from asr.recognizer import Recognizer
from asr.training.from_yaml import train_from_yaml
from asr.training.train_voice import (
    VoiceExperimentConfig,
    settle_pace,
    start_from,
    train_voice,
)
from asr.training.voice_dataset import VoiceDataset
from asr.training.voice_measurements import measure_pitch, measure_recordings
from asr.tts.mel import MelConfig
from asr.tts.sentences import SILENT, SYMBOLS
from asr.tts.synthesizer import Synthesizer
from asr.tts.voice_config import VoiceAcousticConfig
from asr.tts.voice_network import VoiceModel

TEXT = "go forward ten meters"


@pytest.fixture
def corpus(tmp_path: Path, goforward: Path) -> Path:
    folder = tmp_path / "data"
    (tmp_path / "lexicon.txt").write_text(
        "go G OW1\nforward F AO1 R W ER0 D\nten T EH1 N\nmeters M IY1 T ER0 Z\n"
    )
    spoken = Utterance(TEXT, 2.786, audio_filepath=goforward)
    nothing = Utterance("...", 2.786, audio_filepath=goforward)
    write_manifest(folder / "train.jsonl", [spoken, spoken, nothing, spoken])
    write_manifest(folder / "dev.jsonl", [spoken])
    return folder


def experiment(corpus: Path, **keys: object) -> VoiceExperimentConfig:
    training = {"epochs": 2, "batch_size": 2, "threads": 0}
    values = {
        "voice": "tiny",
        "data": {"train": ["train.jsonl"], "dev": ["dev.jsonl"]},
        "lexicon": str(corpus.parent / "lexicon.txt"),
        "acoustic": {"embedding": 6, "encoder_units": 5, "decoder_units": 8, "decoder_layers": 1},
        "training": training,
        **keys,
    }
    return parse(VoiceExperimentConfig, values, "test")


def state(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "checkpoint.npz") as arrays:
        return {name: arrays[name] for name in arrays.files if name != "position"}


@pytest.mark.slow
def test_training_resumes_exactly_and_leaves_a_voice(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    said: list[str] = []
    train_voice(experiment(corpus), corpus, whole, say=said.append)
    (left_out,) = said
    assert "goforward.wav: nothing in '...' can be spoken" in left_out
    train_voice(experiment(corpus), corpus, parts, max_steps=3, say=said.append)
    # The second call must read durations and pitch from the file of the first one.
    monkeypatch.setattr("asr.training.voice_dataset.measure_recordings", _fails)
    train_voice(experiment(corpus), corpus, parts, say=said.append)
    assert said[-1] == "resumed at epoch 2, batch 2"
    first, second = state(whole), state(parts)
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)

    history = [json.loads(line) for line in (whole / "history.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in history] == [1, 2]
    assert history[1]["dev_mel"] < history[0]["dev_mel"]
    samples, rate = soundfile.read(whole / "sample-0.wav")
    assert rate == 22_050 and len(samples) > 2000
    for name in ("curves.png", "alignment-0.png", "sample-0.png", "model/README.md"):
        assert (whole / name).stat().st_size > 500, name
    voice = Synthesizer.load(whole / "model")
    assert voice.config.training["seed"] == 1
    assert voice.config.training["best"]["epoch"] == 2
    assert len(voice.config.training["left_out"]) == 1


@pytest.mark.slow
def test_training_against_a_discriminator_starts_from_a_voice_and_resumes_exactly(
    corpus: Path, tmp_path: Path
) -> None:
    quiet = {"say": lambda _: None}
    train_voice(experiment(corpus), corpus, tmp_path / "smooth", **quiet)  # type: ignore[arg-type]
    rough = dataclasses.replace(
        experiment(corpus), adversarial_weight=0.5, initial_voice=str(tmp_path / "smooth/model")
    )
    train_voice(rough, corpus, tmp_path / "whole", **quiet)  # type: ignore[arg-type]
    train_voice(rough, corpus, tmp_path / "parts", max_steps=3, **quiet)  # type: ignore[arg-type]
    train_voice(rough, corpus, tmp_path / "parts", **quiet)  # type: ignore[arg-type]
    first, second = state(tmp_path / "whole"), state(tmp_path / "parts")
    assert len(first) > len(state(tmp_path / "smooth"))  # it has the discriminator
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)
    (*_, row) = (tmp_path / "whole/history.jsonl").read_text().splitlines()
    scores = json.loads(row)
    assert scores["error"] > scores["dev_texture"] > 0
    # The model has the voice's weights only, and it starts from those of the first one.
    starts, ends = (
        np.load(tmp_path / folder / "model/weights.npz") for folder in ("smooth", "whole")
    )
    assert starts.files == ends.files
    np.testing.assert_array_equal(starts["voice/mel_mean"], ends["voice/mel_mean"])
    distance = np.abs(starts["voice/head/kernel"] - ends["voice/head/kernel"]).max()
    assert 0 < distance < 0.1


def test_an_initial_voice_has_the_same_shape(corpus: Path, tmp_path: Path) -> None:
    other = dataclasses.replace(experiment(corpus), initial_voice="en-kathleen")
    with pytest.raises(ConfigError, match=r"initial_voice: .* other keys `mel` or `acoustic`"):
        train_voice(other, corpus, tmp_path / "out", say=lambda _: None)


def test_speakers_are_several_and_different(corpus: Path) -> None:
    for names in (["ada"], ["ada", "ada"]):
        with pytest.raises(ConfigError, match="speakers: give two or more different names"):
            experiment(corpus, speakers=names)


def test_a_recording_of_another_speaker_is_an_error(corpus: Path, tmp_path: Path) -> None:
    several = experiment(corpus, speakers=["ada", "ben"])
    with pytest.raises(ConfigError, match=r"goforward.wav is of no speaker, .* list: ada, ben"):
        train_voice(several, corpus, tmp_path / "out", say=lambda _: None)


def test_a_network_starts_from_another_one_and_its_speakers_from_their_vectors() -> None:
    keras.utils.set_random_seed(7)
    shape = VoiceAcousticConfig(
        embedding=6, encoder_units=5, decoder_units=8, decoder_layers=1, predictor_units=7
    )
    alone, pair, three = (VoiceModel(shape, len(SYMBOLS), MelConfig(), n) for n in (1, 2, 3))
    symbols, lengths = np.arange(1, 10)[None], np.array([9])
    expected = alone.encode(symbols, lengths, np.array([0]))
    start_from(alone, (), pair, ("ada", "ben"))
    for speaker in (0, 1):
        encoded = pair.encode(symbols, lengths, np.array([speaker]))
        np.testing.assert_array_equal(encoded, expected)
    vectors = np.stack([np.full(10, 0.5), np.full(10, -0.25)]).astype(np.float32)
    pair.speaker.embeddings.assign(vectors)
    start_from(pair, ("ada", "ben"), three, ("ben", "cleo", "ada"))
    wanted = np.stack([vectors[1], vectors.mean(axis=0), vectors[0]])
    np.testing.assert_allclose(three.speaker.embeddings, wanted)
    np.testing.assert_array_equal(three.head.kernel, alone.head.kernel)


def test_every_batch_has_all_speakers() -> None:
    data = object.__new__(VoiceDataset)
    data.seed, data.mel = 1, MelConfig()
    rng = np.random.default_rng(2)
    data.examples = [
        SimpleNamespace(speaker=speaker, durations=rng.integers(1, 4, size * (1 + 4 * speaker)))
        for speaker, count in ((0, 100), (1, 300))
        for size in rng.integers(5, 25, count)
    ]  # type: ignore[assignment]  # speaker 1 says sentences that are five times as long
    batches = data.plan(0, 20)
    assert sorted(np.concatenate(batches)) == list(range(400))
    shares = [np.mean([data.examples[i].speaker for i in batch]) for batch in batches]
    assert min(shares) > 0.4 and max(shares) < 1
    steps = [[data.examples[i].durations.sum() for i in b if i >= 100] for b in batches]
    spread = np.mean([np.std(s) for s in steps]) / np.std(np.concatenate(steps))
    assert spread < 0.3  # the lengths of a speaker's are similar


def test_speech_lasts_as_long_as_the_recordings() -> None:
    keras.utils.set_random_seed(8)
    shape = VoiceAcousticConfig(
        embedding=6, encoder_units=5, decoder_units=8, decoder_layers=1, predictor_units=7
    )
    network = VoiceModel(shape, len(SYMBOLS), MelConfig())
    network.duration.out.bias.assign([1.2])
    rng = np.random.default_rng(9)
    batch = {
        "symbols": rng.integers(0, len(SYMBOLS), (5, 12)).astype(np.int32),
        "lengths": np.array([12, 7, 9, 12, 1], np.int32),
        "speakers": np.zeros(5, np.int32),
    }
    inside = np.arange(12) < batch["lengths"][:, None]
    batch["durations"] = np.where(inside, rng.integers(0, 15, (5, 12)), 0).astype(np.int32)
    settle_pace(network, [batch])
    encoded = network.encode(batch["symbols"], batch["lengths"], batch["speakers"])
    silent, one, level = np.zeros((5, 12), bool), tf.constant(1.0), tf.constant(0.0)
    planned, _ = network.plan(encoded, batch["lengths"], silent, one, level)
    assert planned.numpy().sum() == pytest.approx(batch["durations"].sum(), abs=5)


@pytest.mark.slow
def test_a_second_speaker_joins_a_voice(corpus: Path, tmp_path: Path) -> None:
    quiet = {"say": lambda _: None}
    train_voice(experiment(corpus), corpus, tmp_path / "one", **quiet)  # type: ignore[arg-type]
    spoken = read_manifest(corpus / "dev.jsonl")[0]
    pair = [dataclasses.replace(spoken, speaker=name) for name in ("ada", "ben")]
    write_manifest(corpus / "pair.jsonl", [*pair, *pair])
    several = experiment(
        corpus,
        data={"train": ["pair.jsonl"], "dev": ["pair.jsonl"]},
        speakers=["ben", "ada"],
        initial_voice=str(tmp_path / "one/model"),
    )
    train_voice(several, corpus, tmp_path / "two", **quiet)  # type: ignore[arg-type]
    one = dataclasses.replace(experiment(corpus), initial_voice=str(tmp_path / "two/model"))
    with pytest.raises(ConfigError, match=r"speakers: name those of .*two/model: ben, ada"):
        train_voice(one, corpus, tmp_path / "three", **quiet)  # type: ignore[arg-type]
    voice = Synthesizer.load(tmp_path / "two/model:ada")
    assert voice.config.speakers == ("ben", "ada") and voice.speaker == 1
    assert "Its speakers: ben, ada." in (tmp_path / "two/model/README.md").read_text()
    with np.load(tmp_path / "two/model/weights.npz") as arrays:
        vectors = arrays["voice/speaker/embeddings"]
    assert vectors.shape == (2, 10) and np.abs(vectors).max() > 0  # both were trained


def _fails(*_: object) -> None:
    raise AssertionError("measured again")


@pytest.mark.slow
def test_a_changed_lexicon_invalidates_the_cached_durations(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_voice(experiment(corpus), corpus, tmp_path / "out", max_steps=1, say=lambda _: None)
    lexicon = corpus.parent / "lexicon.txt"
    lexicon.write_text(lexicon.read_text().replace("G OW1", "G OW1 OW0"))
    monkeypatch.setattr("asr.training.voice_dataset.measure_recordings", _fails)
    with pytest.raises(AssertionError, match="measured again"):
        train_voice(experiment(corpus), corpus, tmp_path / "out", say=lambda _: None)


def test_a_voice_is_trained_in_float32(corpus: Path) -> None:
    with pytest.raises(ConfigError, match=r"training\.precision: "):
        experiment(corpus, training={"precision": "mixed_float16"})


def test_durations_and_pitch_of_a_real_recording(corpus: Path, tmp_path: Path) -> None:
    utterances = read_manifest(corpus / "dev.jsonl")
    pronounce = Pronouncer(read_lexicon(corpus.parent / "lexicon.txt"))
    recognizer = Recognizer.load("en-small")
    # Twice, because a Gaussian needs more than one frame.
    dataset = VoiceDataset(
        utterances * 2, utterances, recognizer, pronounce, MelConfig(), 1, tmp_path / "d.npz"
    )
    example = dataset.examples[0]
    spans = {}
    ends = np.cumsum(example.durations) * dataset.seconds_per_step + example.start
    starts = ends - example.durations * dataset.seconds_per_step
    for word in example.sentence.words:
        spans[word.text] = (starts[word.first], ends[word.last - 1])
    # As read off the spectrogram (test_shipped.py).
    for text, times in (("go", (0.49, 0.66)), ("ten", (1.24, 1.55)), ("meters", (1.55, 2.15))):
        assert spans[text] == pytest.approx(times, abs=0.1), text
    # A man's voice.
    assert len(example.pitch.steps) == example.durations.sum()
    for pitch in example.pitch:
        assert np.exp(pitch).min() > 70 and np.exp(pitch).max() < 200
    assert len(example.frames) == 2 * example.durations.sum()


def test_the_phones_of_each_speaker_are_aligned_apart(
    corpus: Path, tmp_path: Path, goforward: Path
) -> None:
    samples, rate = soundfile.read(goforward)
    other = np.convolve(samples, np.hanning(41) / 20)[20:-20]  # as through a wall
    soundfile.write(tmp_path / "wall.wav", other, rate)
    ada = [Utterance(TEXT, 2.786, goforward, speaker="ada")] * 2
    ben = [Utterance(TEXT, 2.786, tmp_path / "wall.wav", speaker="ben")] * 2
    pronounce = Pronouncer(read_lexicon(corpus.parent / "lexicon.txt"))
    recognizer = Recognizer.load("en-small", Decoding(lm="none"))
    alone = measure_recordings(ada, [0, 0], recognizer, pronounce, MelConfig())
    both = measure_recordings([*ada, *ben], [0, 0, 1, 1], recognizer, pronounce, MelConfig())
    together = measure_recordings([*ada, *ben], [0] * 4, recognizer, pronounce, MelConfig())
    first = both.measures[0].durations
    np.testing.assert_array_equal(first, alone.measures[0].durations)
    assert (first != together.measures[0].durations).any()


def test_pitch_follows_a_gliding_tone() -> None:
    mel = MelConfig()
    time = np.arange(mel.sample_rate) / mel.sample_rate
    hertz = 120 * 2 ** (time / 1.0)
    phase = 2 * np.pi * np.cumsum(hertz) / mel.sample_rate
    samples = sum(np.sin(k * phase) / k for k in range(1, 6)).astype(np.float32)
    steps = np.array([4, 10, 5, 20, 4])
    pitch = np.exp(measure_pitch(samples, ["^", "AA1", "S", "IY1", "."], steps, mel).symbols)
    step = 2 * mel.hop / mel.sample_rate
    assert pitch[1, 0] == pytest.approx(120 * 2 ** (6.5 * step), rel=0.03)
    assert pitch[3, 1] == pytest.approx(120 * 2 ** (34 * step), rel=0.03)
    # The unvoiced S is between its neighbours.
    assert pitch[1, 1] < pitch[2, 0] < pitch[3, 0]
    assert "S" not in SILENT


def test_a_train_set_without_usable_recordings_is_an_error(
    corpus: Path, tmp_path: Path, goforward: Path
) -> None:
    write_manifest(corpus / "train.jsonl", [Utterance("?!", 2.786, audio_filepath=goforward)])
    with pytest.raises(TextError, match="train or dev: "):
        train_voice(experiment(corpus), corpus, tmp_path / "out", say=lambda _: None)


def test_wrong_keys_of_a_voice_config_are_named(tmp_path: Path) -> None:
    config = tmp_path / "voice.yaml"
    config.write_text("voice: v\ndata: {train: [a.jsonl], dev: [b.jsonl], repeat: {}}\n")
    with pytest.raises(ConfigError, match=r"data\.repeat: "):
        train_from_yaml(config, tmp_path, tmp_path / "out")
