"""The network of a voice and `Synthesizer`, with random weights."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from asr.errors import ConfigError, ModelError, TextError
from asr.networks.weights import rounded
from asr.pronunciation.pronouncer import Pronouncer
from asr.recognizer import Recognizer
from asr.tts.sentences import SYMBOLS, one_sentence
from asr.tts.synthesizer import PAUSE, Synthesizer, VoiceConfig
from asr.tts.voice_network import FRAMES_A_STEP, PITCH_POINTS, VoiceAcousticConfig, VoiceModel

LEXICON = {"the": "DH AH0", "end": "EH1 N D", "danger": "D EY1 N JH ER0", "trail": "T R EY1 L"}
SMALL = VoiceAcousticConfig(
    embedding=6, encoder_units=5, encoder_layers=1, predictor_units=7, decoder_units=8,
    decoder_layers=2, dropout=0.4,
)  # fmt: skip


@pytest.fixture(scope="module")
def voice() -> Synthesizer:
    keras.utils.set_random_seed(4)
    made = Synthesizer(VoiceConfig("tiny", acoustic=SMALL), Pronouncer(LEXICON))
    # Untrained, every symbol would last for about no time.
    made.network.duration.out.bias.assign([1.6])
    made.network.scales["mel_mean"].assign(np.linspace(-4, -6, 80))
    return made


def arguments(counts: list[int]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    longest = max(counts)
    inside = np.arange(longest) < np.array(counts)[:, None]
    shape = [len(counts), longest]
    return {
        "symbols": rng.integers(0, len(SYMBOLS), shape).astype(np.int32),
        "lengths": np.array(counts, np.int32),
        "durations": np.where(inside, rng.integers(0, 6, shape), 0).astype(np.int32),
        "pitch": rng.normal(size=[*shape, PITCH_POINTS]).astype(np.float32),
    }


def test_alone_equals_in_a_padded_batch_with_given_durations(voice: Synthesizer) -> None:
    batch = arguments([12, 5, 1])
    frames, steps, pitch = voice.network(**batch)
    for i, n in enumerate(batch["lengths"]):
        alone = {k: v[i : i + 1, :n] if v.ndim > 1 else v[i : i + 1] for k, v in batch.items()}
        f, s, p = voice.network(**alone)
        assert f.shape[1] == FRAMES_A_STEP * alone["durations"].sum()
        np.testing.assert_allclose(f[0], frames[i, : f.shape[1]], atol=1e-5)
        np.testing.assert_allclose(s[0], steps[i, :n], atol=1e-5)
        np.testing.assert_allclose(p[0], pitch[i, :n], atol=1e-5)


def test_alone_equals_in_a_padded_batch_as_said(voice: Synthesizer) -> None:
    texts = ["the danger trail", "the end", "end"]
    ids = [one_sentence(text, voice.pronounce).ids for text in texts]
    lengths = np.array([len(x) for x in ids], np.int32)
    padded = np.zeros([3, lengths.max()], np.int32)
    for row, x in zip(padded, ids, strict=True):
        row[: len(x)] = x
    one = tf.constant(1.0)
    frames, durations = voice.predict(padded, lengths, one, 0 * one)
    for i, x in enumerate(ids):
        f, d = voice.predict(np.array([x], np.int32), lengths[i : i + 1], one, 0 * one)
        np.testing.assert_array_equal(d[0], durations[i, : len(x)])
        assert not durations[i, len(x) :].numpy().any()
        np.testing.assert_allclose(f[0], frames[i, : f.shape[1]], atol=1e-5)


def test_gradients_reach_every_weight(voice: Synthesizer) -> None:
    batch = arguments([9, 4])
    with tf.GradientTape() as tape:
        outputs = voice.network(**batch, training=True)
        total = sum(tf.reduce_sum(tf.sin(x[:, :3])) for x in outputs)
    variables = voice.network.trainable_variables
    gradients = tape.gradient(total, [v.value for v in variables])
    for variable, gradient in zip(variables, gradients, strict=True):
        dense = tf.convert_to_tensor(gradient)
        assert np.isfinite(dense).all() and np.abs(dense).max() > 0, variable.path


def test_the_standard_network_is_small() -> None:
    network = VoiceModel(VoiceAcousticConfig(), len(SYMBOLS), 80)
    assert network.count_params() < 10e6


def test_speech_is_the_same_every_time_and_as_long_as_its_symbols(voice: Synthesizer) -> None:
    first, second = voice.speak("The danger trail."), voice.speak("The danger trail.")
    np.testing.assert_array_equal(first, second)
    (speech,) = voice.speak_each("The danger trail.")
    hop = voice.config.mel.hop / voice.config.mel.sample_rate
    # Frames are centred: the last one ends a hop early.
    assert speech.seconds == pytest.approx(speech.durations.sum() - hop, abs=1e-3)
    assert np.isfinite(first).all() and 0 < np.abs(first).max() <= 1


def test_sentences_are_apart(voice: Synthesizer) -> None:
    parts = [s.samples for s in voice.speak_each("The end. The danger.")]
    whole = voice.speak("The end. The danger.")
    pause = round(PAUSE * voice.config.mel.sample_rate)
    assert len(whole) == sum(map(len, parts)) + pause
    assert not whole[len(parts[0]) : len(parts[0]) + pause].any()


def test_rate(voice: Synthesizer) -> None:
    normal, fast, slow = (len(voice.speak("The danger trail.", rate=r)) for r in (1, 2, 0.5))
    assert normal / fast == pytest.approx(2, rel=0.2)
    assert slow / normal == pytest.approx(2, rel=0.2)


def test_pitch_reaches_the_decoder_in_semitones(voice: Synthesizer) -> None:
    network = voice.network
    sentence = one_sentence("the end", voice.pronounce)
    ids, lengths = np.array([sentence.ids]), np.array([len(sentence.ids)])
    encoded, quiet = network.encode(ids, lengths), np.zeros(ids.shape, bool)
    network.scales["pitch_deviation"].assign(0.2)
    one = tf.constant(1.0)
    _, level = network.plan(encoded, lengths, quiet, one, 0.0)
    _, octave = network.plan(encoded, lengths, quiet, one, 12.0)
    np.testing.assert_allclose((octave - level) * 0.2, np.log(2), atol=1e-5)


def test_a_phone_is_always_said_and_nothing_lasts_for_ever(voice: Synthesizer) -> None:
    network = voice.network
    sentence = one_sentence("the danger trail", voice.pronounce)
    ids, lengths = np.array([sentence.ids]), np.array([len(sentence.ids)])
    encoded, quiet = network.encode(ids, lengths), np.array([[s == "_" for s in sentence.symbols]])
    before = network.duration.out.bias.numpy()
    try:
        network.duration.out.bias.assign([-9.0])
        steps, _ = network.plan(encoded, lengths, quiet, tf.constant(1.0), 0.0)
        np.testing.assert_array_equal(steps, np.where(quiet, 0, 1))
        network.duration.out.bias.assign([50.0])
        steps, _ = network.plan(encoded, lengths, quiet, tf.constant(1.0), 0.0)
        assert steps.numpy().max() <= 81
    finally:
        network.duration.out.bias.assign(before)


@pytest.mark.parametrize(
    "options, message",
    [({"rate": 0.0}, "rate: 0 is out of range, 0.25 to 4"), ({"pitch": 20.0}, "pitch: 20 is out")],
)
def test_rates_and_pitches_out_of_range(voice: Synthesizer, options: dict, message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ConfigError, match=message):
        voice.speak("The end.", **options)


def test_nothing_to_say_says_why(voice: Synthesizer) -> None:
    with pytest.raises(TextError, match="the text is empty"):
        voice.speak(" ")


def test_another_vocoder_can_be_put_in(voice: Synthesizer) -> None:
    hop = voice.config.mel.hop

    def sine(frames: tf.Tensor) -> tf.Tensor:
        return tf.sin(tf.cast(tf.range((tf.shape(frames)[0] - 1) * hop), tf.float32))

    hum = Synthesizer(voice.config, voice.pronounce, voice.network, vocoder=sine)
    samples = hum.speak("The end.")
    assert len(samples) == len(voice.speak("The end."))
    assert np.abs(np.fft.rfft(samples)).argmax() == pytest.approx(len(samples) / (2 * np.pi), abs=2)


def test_saved_and_loaded_it_says_the_same(voice: Synthesizer, tmp_path: Path) -> None:
    voice.save(tmp_path / "v", "a card")
    loaded = Synthesizer.load(tmp_path / "v")
    assert loaded.pronounce.lexicon == LEXICON
    assert (tmp_path / "v" / "README.md").read_text() == "a card"
    # Weights are kept in half precision: what is loaded twice is the same, to the bit.
    again = Synthesizer.load(tmp_path / "v")
    np.testing.assert_array_equal(loaded.speak("The end."), again.speak("The end."))
    for name, variable in voice.network.named_weights().items():
        kept = rounded(variable.numpy()).astype(np.float32)
        np.testing.assert_array_equal(loaded.network.named_weights()[name], kept)


def test_damage_is_named(voice: Synthesizer, tmp_path: Path) -> None:
    folder = tmp_path / "v"
    voice.save(folder, "")
    values = json.loads((folder / "model.json").read_text())

    def write(changed: dict) -> None:  # type: ignore[type-arg]
        (folder / "model.json").write_text(json.dumps(changed))

    write({**values, "colour": "blue"})
    with pytest.raises(ConfigError, match="colour: unknown key"):
        Synthesizer.load(folder)
    write({**values, "symbols": values["symbols"][:-1]})
    with pytest.raises(ModelError, match="symbols are not those of this version"):
        Synthesizer.load(folder)
    write(values)
    (folder / "weights.npz").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="SHA-256"):
        Synthesizer.load(folder)
    with pytest.raises(ModelError, match="this is a recogniser, for asr transcribe"):
        Synthesizer.load("en-small")
    with pytest.raises(ModelError, match="this is a voice, for asr speak"):
        Recognizer.load(folder)
