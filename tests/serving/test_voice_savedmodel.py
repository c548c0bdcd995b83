"""SavedModels of voices give the same samples as Python, also without asr and Keras."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from asr.errors import ModelError
from asr.pronunciation.pronouncer import Pronouncer
from asr.serving.voice_savedmodel import export_model, export_voice
from asr.tts.mel import log_mel
from asr.tts.sentences import SYMBOLS, one_sentence
from asr.tts.synthesizer import Synthesizer
from asr.tts.voice_config import VoiceAcousticConfig, VoiceConfig
from asr.tts.voice_network import VoiceModel, save_voice

TEXTS = ("The danger trail.", "Go on?")


@pytest.fixture(scope="module")
def voice() -> Synthesizer:
    return Synthesizer.load("en-kathleen")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_model("en-kathleen", tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def served(exported: Path) -> Any:
    return tf.saved_model.load(str(exported)).signatures["serving_default"]


def batch(voice: Synthesizer) -> dict[str, np.ndarray]:
    """The texts as a batch; its padding has unknown ids, which must not be read."""
    ids = [one_sentence(text, voice.pronounce).ids for text in TEXTS]
    padded = np.full([len(ids), max(map(len, ids)) + 3], 999, np.int32)
    for row, x in zip(padded, ids, strict=True):
        row[: len(x)] = x
    return {"symbols": padded, "lengths": np.array([len(x) for x in ids], np.int32)}


def test_samples_equal_pythons_alone_and_in_a_batch(voice: Synthesizer, served: Any) -> None:
    requests = batch(voice)
    together = served(**requests)
    for i, text in enumerate(TEXTS):
        expected = voice.speak_sentence(one_sentence(text, voice.pronounce)).samples
        n = requests["lengths"][i]
        alone = served(symbols=requests["symbols"][i : i + 1, :n], lengths=np.array([n], np.int32))
        assert together["lengths"][i] == alone["lengths"][0] == len(expected)
        assert not together["audio"][i].numpy()[len(expected) :].any()
        # Griffin-Lim turns rounding errors of a frame into other phases, but the sound is equal.
        for audio in (together["audio"][i].numpy()[: len(expected)], alone["audio"][0].numpy()):
            heard, wanted = (log_mel(x, voice.config.mel) for x in (audio, expected))
            assert np.abs(heard - wanted)[wanted > -4].mean() < 0.1


def test_the_exported_directory_is_complete(exported: Path) -> None:
    assert exported.parts[-2:] == ("en-kathleen", "1")
    assert (exported / "assets" / "symbols.txt").read_text().split("\n")[:-1] == list(SYMBOLS)
    assert (exported / "assets" / "lexicon.txt").read_text().count("\n") > 120_000
    assert (exported / "assets" / "model.json").is_file()
    assert (exported / "assets.extra" / "tf_serving_warmup_requests").stat().st_size > 100


def test_the_graph_has_standard_operations_only(served: Any) -> None:
    graph = served.graph.as_graph_def()
    names = {node.op for node in graph.node}
    names |= {node.op for f in graph.library.function for node in f.node_def}
    assert not {n for n in names if "Cudnn" in n or "PyFunc" in n or "EagerPy" in n}
    assert {"RFFT", "IRFFT"} <= names


@pytest.mark.parametrize(
    "change, message",
    [
        ({"lengths": np.array([99, 1], np.int32)}, "a length is beyond the symbols"),
        ({"lengths": np.array([-1, 1], np.int32)}, "a length is negative"),
        ({"symbols": np.full([2, 40], 999, np.int32)}, "symbol id"),
    ],
)
def test_an_invalid_request_says_what_is_wrong(
    voice: Synthesizer, served: Any, change: dict[str, np.ndarray], message: str
) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        served(**{**batch(voice), **change})


def test_it_runs_without_asr_and_keras(exported: Path) -> None:
    code = f"""
import sys
sys.modules["asr"] = sys.modules["keras"] = None
import tensorflow as tf
s = tf.saved_model.load({str(exported)!r}).signatures["serving_default"]
out = s(symbols=tf.constant([[0, 6, 2]]), lengths=tf.constant([3]))
print(int(out["lengths"][0]) > 1000, float(tf.reduce_max(tf.abs(out["audio"]))) > 0.01)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["True", "True"], done.stderr[-500:]


def test_a_recogniser_is_not_exported_as_a_voice(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="recogniser"):
        export_voice("en-small", tmp_path)


def test_the_speakers_of_an_exported_voice_are_those_of_python(tmp_path: Path) -> None:
    keras.utils.set_random_seed(6)
    shape = VoiceAcousticConfig(
        embedding=6, encoder_units=5, predictor_units=7, decoder_units=8, decoder_layers=1
    )
    config = VoiceConfig("pair", acoustic=shape, speakers=("ada", "ben"))
    network = VoiceModel(shape, len(SYMBOLS), config.mel, speakers=2)
    network.duration.out.bias.assign([1.6])
    network.speaker.embeddings.assign(np.outer([0, 1], np.linspace(-0.5, 0.5, 10)))
    words = Pronouncer({"go": "G OW1", "on": "AA1 N"})
    save_voice(tmp_path / "pair", config, words, network, "a card")
    exported = export_voice(tmp_path / "pair", tmp_path / "served")
    served = tf.saved_model.load(str(exported)).signatures["serving_default"]
    ids = np.array([one_sentence("Go on.", words).ids] * 2, np.int32)
    request = {"symbols": ids, "lengths": np.full(2, ids.shape[1], np.int32)}
    both = served(**request, speakers=np.array([0, 1], np.int32))
    for i, name in enumerate(config.speakers):
        said = Synthesizer.load(f"{tmp_path / 'pair'}:{name}").speak("Go on.")
        assert both["lengths"][i] == len(said)
    assert both["lengths"][0] != both["lengths"][1]
    with pytest.raises(tf.errors.InvalidArgumentError, match="a speaker is unknown"):
        served(**request, speakers=np.array([0, 2], np.int32))
