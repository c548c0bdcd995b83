"""The network of a voice and `Synthesizer`, with random weights."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from asr.errors import ConfigError, ModelError, TextError
from asr.models import MODELS
from asr.networks.weights import range_step, rounded
from asr.pronunciation.pronouncer import Pronouncer
from asr.recognizer import Recognizer
from asr.tts.mel import MelConfig
from asr.tts.sentences import SYMBOLS, one_sentence
from asr.tts.synthesizer import PAUSE, Synthesizer
from asr.tts.vocoder import GriffinLim
from asr.tts.voice_config import FRAMES_PER_STEP, VoiceAcousticConfig, VoiceConfig
from asr.tts.voice_network import VoiceModel, load_voice_network, save_voice

LEXICON = {"the": "DH AH0", "end": "EH1 N D", "danger": "D EY1 N JH ER0", "trail": "T R EY1 L"}
SMALL = VoiceAcousticConfig(
    embedding=6,
    encoder_units=5,
    encoder_layers=1,
    predictor_units=7,
    decoder_units=8,
    decoder_layers=2,
    dropout=0.4,
)


CONFIG = VoiceConfig("tiny", acoustic=SMALL)
NOBODY = np.zeros(1, np.int32)
"""The speakers of a batch of one sentence, for a voice of one speaker."""


def tiny_network() -> VoiceModel:
    keras.utils.set_random_seed(4)
    made = VoiceModel(SMALL, len(SYMBOLS), CONFIG.mel)
    # Without a bias, the durations of an untrained network are close to zero.
    made.duration.out.bias.assign([1.6])
    made.scales["mel_mean"].assign(np.linspace(-4, -6, 80))
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("voice") / "tiny"
    save_voice(made, CONFIG, Pronouncer(LEXICON), tiny_network(), "a card")
    return made


@pytest.fixture(scope="module")
def voice(folder: Path) -> Synthesizer:
    return Synthesizer.load(folder)


@pytest.fixture(scope="module")
def network(folder: Path, voice: Synthesizer) -> VoiceModel:
    """The Keras network, with the weights of `voice`."""
    return load_voice_network(folder, voice.config)


def arguments(counts: list[int]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    longest = max(counts)
    inside = np.arange(longest) < np.array(counts)[:, None]
    shape = [len(counts), longest]
    durations = np.where(inside, rng.integers(1, 6, shape), 0).astype(np.int32)
    steps = durations.sum(axis=1).max()
    return {
        "symbols": rng.integers(0, len(SYMBOLS), shape).astype(np.int32),
        "lengths": np.array(counts, np.int32),
        "speakers": np.zeros(len(counts), np.int32),
        "durations": durations,
        "heights": rng.normal(size=[len(counts), steps]).astype(np.float32),
    }


def test_given_durations_a_padded_batch_equals_single_sentences(network: VoiceModel) -> None:
    batch = arguments([12, 5, 1])
    frames, steps, pitch = network(**batch)
    for i, n in enumerate(batch["lengths"]):
        sizes = {"symbols": n, "durations": n, "heights": batch["durations"][i].sum()}
        alone = {k: v[i : i + 1, : sizes[k]] for k, v in batch.items() if k in sizes}
        alone |= {k: batch[k][i : i + 1] for k in ("lengths", "speakers")}
        f, s, p = network(**alone)
        assert f.shape[1] == FRAMES_PER_STEP * alone["durations"].sum()
        np.testing.assert_allclose(f[0], frames[i, : f.shape[1]], atol=1e-5)
        np.testing.assert_allclose(s[0], steps[i, :n], atol=1e-5)
        np.testing.assert_allclose(p[0], pitch[i, :n], atol=1e-5)


def test_predicted_speech_of_a_padded_batch_equals_single_sentences(
    voice: Synthesizer, network: VoiceModel
) -> None:
    texts = ["the danger trail", "the end", "end"]
    ids = [one_sentence(text, voice.pronounce).ids for text in texts]
    lengths = np.array([len(x) for x in ids], np.int32)
    padded = np.zeros([3, lengths.max()], np.int32)
    for row, x in zip(padded, ids, strict=True):
        row[: len(x)] = x
    one = tf.constant(1.0)
    nobody = np.zeros(3, np.int32)
    frames, durations = network.predict_frames(padded, lengths, nobody, one, 0 * one)
    for i, x in enumerate(ids):
        alone = (np.array([x], np.int32), lengths[i : i + 1], nobody[:1])
        f, d = network.predict_frames(*alone, one, 0 * one)
        np.testing.assert_array_equal(d[0], durations[i, : len(x)])
        assert not durations[i, len(x) :].numpy().any()
        np.testing.assert_allclose(f[0], frames[i, : f.shape[1]], atol=1e-5)


def test_gradients_reach_every_weight(network: VoiceModel) -> None:
    batch = arguments([9, 4])
    with tf.GradientTape() as tape:
        outputs = network(**batch, training=True)
        total = sum(tf.reduce_sum(tf.sin(x[:, :3])) for x in outputs)
    variables = network.trainable_variables
    gradients = tape.gradient(total, [v.value for v in variables])
    for variable, gradient in zip(variables, gradients, strict=True):
        dense = tf.convert_to_tensor(gradient)
        assert np.isfinite(dense).all() and np.abs(dense).max() > 0, variable.path


def test_the_standard_network_is_small() -> None:
    network = VoiceModel(VoiceAcousticConfig(), len(SYMBOLS), MelConfig())
    assert network.count_params() < 10e6


def test_speech_is_deterministic_and_as_long_as_its_symbols(voice: Synthesizer) -> None:
    first, second = voice.speak("The danger trail."), voice.speak("The danger trail.")
    np.testing.assert_array_equal(first, second)
    (speech,) = voice.speak_each("The danger trail.")
    hop = voice.config.mel.hop / voice.config.mel.sample_rate
    # Frames are centred: the last one ends a hop early.
    assert speech.seconds == pytest.approx(speech.durations.sum() - hop, abs=1e-3)
    assert np.isfinite(first).all() and 0 < np.abs(first).max() <= 1


def test_there_is_a_pause_between_sentences(voice: Synthesizer) -> None:
    parts = [s.samples for s in voice.speak_each("The end. The danger.")]
    whole = voice.speak("The end. The danger.")
    pause = round(PAUSE * voice.config.mel.sample_rate)
    assert len(whole) == sum(map(len, parts)) + pause
    assert not whole[len(parts[0]) : len(parts[0]) + pause].any()


def test_rate_changes_the_length(voice: Synthesizer) -> None:
    normal, fast, slow = (len(voice.speak("The danger trail.", rate=r)) for r in (1, 2, 0.5))
    assert normal / fast == pytest.approx(2, rel=0.2)
    assert slow / normal == pytest.approx(2, rel=0.2)


def test_twelve_semitones_double_the_pitch(voice: Synthesizer, network: VoiceModel) -> None:
    sentence = one_sentence("the end", voice.pronounce)
    ids, lengths = np.array([sentence.ids]), np.array([len(sentence.ids)])
    encoded, quiet = network.encode(ids, lengths, NOBODY), np.zeros(ids.shape, bool)
    one = tf.constant(1.0)
    _, level = network.plan(encoded, lengths, quiet, one, 0.0)
    _, octave = network.plan(encoded, lengths, quiet, one, 12.0)
    np.testing.assert_allclose(octave - level, np.log(2), atol=1e-5)  # the deviation is 1


def test_phones_last_at_least_one_step_and_symbols_at_most_the_limit(
    voice: Synthesizer, network: VoiceModel
) -> None:
    sentence = one_sentence("the danger trail", voice.pronounce)
    ids, lengths = np.array([sentence.ids]), np.array([len(sentence.ids)])
    encoded = network.encode(ids, lengths, NOBODY)
    quiet = np.array([[s == "_" for s in sentence.symbols]])
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
def test_rates_and_pitches_out_of_range_are_errors(
    voice: Synthesizer, options: dict, message: str
) -> None:  # type: ignore[type-arg]
    with pytest.raises(ConfigError, match=message):
        voice.speak("The end.", **options)


def test_an_empty_text_is_an_error(voice: Synthesizer) -> None:
    with pytest.raises(TextError, match="the text is empty"):
        voice.speak(" ")


def test_another_vocoder_can_be_used(voice: Synthesizer) -> None:
    hop = voice.config.mel.hop

    def sine(frames: np.ndarray) -> np.ndarray:
        return np.sin(np.arange((len(frames) - 1) * hop, dtype=np.float32))

    hum = Synthesizer(voice.config, voice.pronounce, voice.network, vocoder=sine)
    samples = hum.speak("The end.")
    assert len(samples) == len(voice.speak("The end."))
    assert np.abs(np.fft.rfft(samples)).argmax() == pytest.approx(len(samples) / (2 * np.pi), abs=2)


def test_a_saved_and_loaded_voice_has_the_same_weights(folder: Path, voice: Synthesizer) -> None:
    assert voice.pronounce.lexicon == LEXICON
    assert (folder / "README.md").read_text() == "a card"
    again = Synthesizer.load(folder)
    np.testing.assert_array_equal(voice.speak("The end."), again.speak("The end."))
    # Weights are saved in half precision.
    loaded = load_voice_network(folder, voice.config).named_weights()
    for name, variable in tiny_network().named_weights().items():
        np.testing.assert_array_equal(
            loaded[name], rounded(variable.numpy(), range_step).astype(np.float32)
        )


@pytest.mark.parametrize("rate, shift", [(1.0, 0.0), (1.7, -3.0)])
@pytest.mark.parametrize("name", ["tiny", "en-kathleen"])
def test_onnx_runtime_computes_what_keras_computes(
    folder: Path, name: str, rate: float, shift: float
) -> None:
    place = folder if name == "tiny" else MODELS / name
    voice = Synthesizer.load(place, threads=1)
    keras_network = load_voice_network(place, voice.config)
    ids = one_sentence("the danger trail, the end", voice.pronounce).ids
    plan = voice.network.plan(np.array(ids, np.int32), rate, shift)
    expected, durations = keras_network.predict_frames(
        np.array([ids], np.int32),
        np.array([len(ids)], np.int32),
        NOBODY,
        tf.constant(rate, tf.float32),
        tf.constant(shift, tf.float32),
    )
    np.testing.assert_array_equal(plan.durations, durations[0])
    np.testing.assert_allclose(voice.network.frames(plan), expected[0], atol=1e-4)


def test_each_symbol_may_have_its_own_speed_and_pitch(voice: Synthesizer) -> None:
    ids = np.array(one_sentence("the danger trail", voice.pronounce).ids, np.int32)
    level = voice.network.plan(ids)
    half = np.arange(len(ids)) < len(ids) // 2
    slow = voice.network.plan(ids, np.where(half, 1.0, 0.5), np.where(half, 0.0, 12.0))
    np.testing.assert_array_equal(slow.durations[half], level.durations[half])
    assert slow.durations[~half].sum() == pytest.approx(2 * level.durations[~half].sum(), abs=2)
    raised = np.where(half, 0.0, np.log(2)).astype(np.float32)
    np.testing.assert_allclose((slow.pitch - level.pitch)[:, 0], raised, atol=1e-5)


def test_damaged_model_directories_are_errors(tmp_path: Path) -> None:
    folder = tmp_path / "v"
    save_voice(folder, CONFIG, Pronouncer(LEXICON), tiny_network(), "")
    values = json.loads((folder / "model.json").read_text())

    def write(changed: dict) -> None:  # type: ignore[type-arg]
        (folder / "model.json").write_text(json.dumps(changed))

    write({**values, "colour": "blue"})
    with pytest.raises(ConfigError, match="colour: unknown key"):
        Synthesizer.load(folder)
    write({**values, "symbols": values["symbols"][:-1]})
    with pytest.raises(ModelError, match=r"model\.json: symbols"):
        Synthesizer.load(folder)
    write(values)
    (folder / "weights.npz").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="SHA-256"):
        Synthesizer.load(folder)
    with pytest.raises(ModelError, match="this is a recogniser, for asr transcribe"):
        Synthesizer.load("en-small")
    with pytest.raises(ModelError, match="this is a voice, for asr speak"):
        Recognizer.load(folder)


def test_keras_and_onnx_runtime_predict_the_same_frames_with_and_without_harmonics(
    tmp_path: Path,
) -> None:
    for harmonics in (True, False):
        keras.utils.set_random_seed(5)
        config = replace(CONFIG, acoustic=replace(SMALL, harmonics=harmonics))
        made = VoiceModel(config.acoustic, len(SYMBOLS), config.mel)
        made.duration.out.bias.assign([1.6])
        made.scales["pitch_mean"].assign(np.log(180))
        made.scales["pitch_deviation"].assign(0.2)
        folder = tmp_path / str(harmonics)
        save_voice(folder, config, Pronouncer(LEXICON), made, "a card")
        speaker = Synthesizer.load(folder)
        network = load_voice_network(folder, speaker.config)
        ids = one_sentence("the danger trail", speaker.pronounce).ids
        symbols = np.array([ids], np.int32)
        one = tf.constant(1.0)
        inputs = (symbols, np.array([len(ids)]), NOBODY)
        frames, durations = network.predict_frames(*inputs, one, 0 * one)
        plan = speaker.network.plan(symbols[0])
        np.testing.assert_array_equal(plan.durations, durations[0])
        np.testing.assert_allclose(speaker.network.frames(plan), frames[0], atol=1e-3)


def test_a_voice_of_an_older_version_has_neither_harmonics_nor_a_vocoder(tmp_path: Path) -> None:
    config = replace(CONFIG, acoustic=replace(SMALL, harmonics=False))
    network = VoiceModel(config.acoustic, len(SYMBOLS), config.mel)
    save_voice(tmp_path, config, Pronouncer(LEXICON), network, "a card")
    path = tmp_path / "model.json"
    values = json.loads(path.read_text())
    del values["vocoder"], values["speakers"], values["acoustic"]["harmonics"]
    path.write_text(json.dumps(values))
    voice = Synthesizer.load(tmp_path)
    assert voice.config == replace(
        config, weights_sha256=voice.config.weights_sha256, versions=voice.config.versions
    )
    assert isinstance(voice.vocoder, GriffinLim)


@pytest.fixture(scope="module")
def choir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A voice of three speakers, of whom the second has another vector."""
    keras.utils.set_random_seed(6)
    config = replace(CONFIG, speakers=("ada", "ben", "cleo"))
    made = VoiceModel(config.acoustic, len(SYMBOLS), config.mel, speakers=3)
    assert not made.speaker.embeddings.numpy().any()
    made.duration.out.bias.assign([1.6])
    made.speaker.embeddings.assign(np.outer([0, 1, 0], np.linspace(-0.1, 0.1, 10)))
    folder = tmp_path_factory.mktemp("choir") / "choir"
    save_voice(folder, config, Pronouncer(LEXICON), made, "a card")
    return folder


def test_speakers_have_voices_of_their_own_which_are_chosen_by_name(choir: Path) -> None:
    first = Synthesizer.load(choir)
    ada, ben, cleo = (Synthesizer.load(f"{choir}:{name}") for name in ("ada", "ben", "cleo"))
    said = [voice.speak("The danger trail.") for voice in (first, ada, cleo, ben)]
    np.testing.assert_array_equal(said[0], said[1])
    np.testing.assert_array_equal(said[0], said[2])
    assert len(said[3]) != len(said[0]) or np.abs(said[3] - said[0]).max() > 0.01
    with pytest.raises(ModelError, match="no speaker 'dan'; speakers: ada, ben, cleo"):
        Synthesizer.load(f"{choir}:dan")
    with pytest.raises(ModelError, match="no speaker 'ada'; speakers: none"):
        Synthesizer.load("en-kathleen:ada")
    with pytest.raises(ModelError, match="no model directory"):
        Synthesizer.load("nobody:ada")


def test_a_directory_may_have_a_colon_in_its_name(choir: Path, tmp_path: Path) -> None:
    shutil.copytree(choir, tmp_path / "a:ben")
    assert Synthesizer.load(tmp_path / "a:ben").speaker == 0
    assert Synthesizer.load(f"{tmp_path / 'a:ben'}:ben").speaker == 1


def test_onnx_runtime_and_keras_agree_for_each_speaker(choir: Path) -> None:
    voice = Synthesizer.load(choir)
    network = load_voice_network(choir, voice.config)
    ids = one_sentence("the danger trail", voice.pronounce).ids
    symbols, one = np.array([ids] * 3, np.int32), tf.constant(1.0)
    lengths, speakers = np.full(3, len(ids), np.int32), np.arange(3, dtype=np.int32)
    frames, durations = network.predict_frames(symbols, lengths, speakers, one, 0 * one)
    for i in range(3):
        plan = voice.network.plan(symbols[0], speaker=i)
        np.testing.assert_array_equal(plan.durations, durations[i])
        count = 2 * int(plan.durations.sum())
        np.testing.assert_allclose(voice.network.frames(plan), frames[i, :count], atol=1e-3)
