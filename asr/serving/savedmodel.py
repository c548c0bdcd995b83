"""SavedModels of recognisers, which TensorFlow Serving runs without this project's code.

The graph computes features, normalises them, runs the network, decodes greedily and joins labels to
text. It contains standard TensorFlow operations only. Clients read recordings, mix them to mono at
the model's sample rate, and scale samples to −1…1.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from asr.audio.feature_layer import MfccLayer
from asr.base.extras import install_extra
from asr.base.tensorflow import tensorflow_writes, tf
from asr.decoding.decoding_options import NO_LM, Decoding
from asr.errors import ModelError
from asr.models import find_model
from asr.recognizer import Recognizer
from asr.text.tokenizers import BLANK, Tokenizer

LEAD, VOWEL, TRAIL, SYLLABLE = 0x1100, 0x1161, 0x11A7, 0xAC00
"""Bases of Hangul composition (Unicode standard, section 3.12).

The first leading consonant, the first vowel, the code point before the first trailing consonant,
and the first syllable.
"""


class ServedRecognizer(tf.Module):
    """The graph of a recogniser.

    An invalid request (a length beyond the audio or negative, samples that are not finite) ends
    with an InvalidArgumentError that says what is wrong. An utterance shorter than one frame has an
    empty text.

    Args:
        recognizer: a recogniser with the TensorFlow runtime.

    Attributes:
        endpoints: the signatures that a server offers, by name.
    """

    def __init__(self, recognizer: Recognizer) -> None:
        super().__init__(name="recognizer")
        config = recognizer.config
        front, network = MfccLayer(config.features), recognizer.acoustic_model
        # Only variables and functions become attributes: Keras layers would be exported as models.
        self.weights = [variable.value for variable in network.trainable_variables]
        self.front, self.expand, self.network = front.call, front.expand, network.call
        self.window = config.features.window
        self.speller = _Speller(recognizer.tokenizer)
        self.heads = recognizer.heads
        waves = (
            tf.TensorSpec([None, None], tf.float32, name="samples"),
            tf.TensorSpec([None], tf.int32, name="lengths"),
        )
        cepstra = (
            tf.TensorSpec([None, None, config.features.coefficients], tf.float32, name="features"),
            tf.TensorSpec([None], tf.int32, name="lengths"),
        )
        normalised = (
            tf.TensorSpec([None, None, config.features.dimension], tf.float32, name="features"),
            tf.TensorSpec([None], tf.int32, name="lengths"),
        )
        self.endpoints = {
            "serving_default": tf.function(self._text, input_signature=waves),
            "logits": tf.function(self._logits, input_signature=waves),
            "features": tf.function(self._from_features, input_signature=cepstra),
            "normalised": tf.function(self._from_normalised, input_signature=normalised),
        }

    def _text(self, samples: tf.Tensor, lengths: tf.Tensor) -> dict[str, tf.Tensor]:
        """Transcribe samples [batch, time] in −1…1 at the model's rate.

        Returns:
            text [batch], score [batch] in nats per frame, and logits_length [batch].
        """
        logits = self._logits(samples, lengths)
        decoded = self._decode(logits["logits"], logits["logits_length"])
        return {**decoded, "logits_length": logits["logits_length"]}

    def _logits(self, samples: tf.Tensor, lengths: tf.Tensor) -> dict[str, tf.Tensor]:
        """Compute the logits of samples, for a beam search by the client.

        Returns:
            logits float32 [batch, frames', labels], and logits_length [batch]. The logits of a
            network with two heads stand side by side.
        """
        with tf.control_dependencies(checks(samples, lengths, "samples")):
            # Pad by one window: a batch of too short recordings would have no frame otherwise.
            padded = tf.pad(samples, [[0, 0], [0, self.window]])
            features, counts = self.front(padded, lengths)
        return self._run(features, counts)

    def _from_features(self, features: tf.Tensor, lengths: tf.Tensor) -> dict[str, tf.Tensor]:
        """Transcribe static cepstra [batch, frames, coefficients].

        Returns:
            text, score, logits and logits_length.
        """
        with tf.control_dependencies(checks(features, lengths, "features")):
            padded = tf.pad(features, [[0, 0], [0, 1], [0, 0]])
            logits = self._run(self.expand(padded, lengths), lengths)
        return {**logits, **self._decode(logits["logits"], logits["logits_length"])}

    def _from_normalised(self, features: tf.Tensor, lengths: tf.Tensor) -> dict[str, tf.Tensor]:
        """Compute the logits of normalised cepstra with deltas [batch, frames, dimension].

        For a client that normalises features itself, such as `asr.serving.client`.

        Returns:
            logits and logits_length.
        """
        with tf.control_dependencies(checks(features, lengths, "features")):
            return self._run(tf.pad(features, [[0, 0], [0, 1], [0, 0]]), lengths)

    def _run(self, features: tf.Tensor, counts: tf.Tensor) -> dict[str, tf.Tensor]:
        logits, lengths = self.network(features, counts, training=False)
        return {"logits": logits[:, : tf.reduce_max(lengths)], "logits_length": lengths}

    def _decode(self, logits: tf.Tensor, lengths: tf.Tensor) -> dict[str, tf.Tensor]:
        """Decode the best path, as `ctc.greedy` and `Tokenizer.decode` do."""
        logits = self.heads.tokenizer_logits(logits)
        valid = tf.sequence_mask(lengths, tf.shape(logits)[1])
        top = tf.reduce_max(tf.nn.log_softmax(tf.cast(logits, tf.float64)), axis=2)
        total = tf.reduce_sum(tf.where(valid, top, 0.0), axis=1)
        best = tf.argmax(logits, axis=2, output_type=tf.int32)
        before = tf.pad(best[:, :-1], [[0, 0], [1, 0]], constant_values=BLANK)
        kept = valid & (best != BLANK) & (best != before)
        score = total / tf.cast(tf.maximum(lengths, 1), tf.float64)
        return {
            "text": self.speller(tf.ragged.boolean_mask(best, kept)),
            "score": tf.cast(score, tf.float32),
        }


def export_recognizer(model: str, out: Path) -> Path:
    """Write the SavedModel of a recogniser, with the labels in assets/labels.txt.

    Args:
        model: shipped name or model directory.
        out: folder of exported models.

    Returns:
        The folder of the new version, `out`/NAME/VERSION.

    Raises:
        ModelError: there is no such model, it cannot be loaded, or see `write_saved_model`.
    """
    recognizer = Recognizer.load(model, Decoding(lm=NO_LM), runtime="tensorflow")
    second = recognizer.config.features.sample_rate
    return write_saved_model(
        lambda: ServedRecognizer(recognizer),
        recognizer.config.name,
        find_model(model),
        out,
        # The blank is the first line, which is empty.
        assets={"labels.txt": "".join(f"{label}\n" for label in recognizer.tokenizer.labels)},
        warm_up={
            "samples": np.zeros([1, second], np.float32),
            "lengths": np.array([second], np.int32),
        },
    )


def write_saved_model(
    make: Callable[[], Any],
    name: str,
    source: Path,
    out: Path,
    assets: Mapping[str, str],
    warm_up: Mapping[str, np.ndarray],
) -> Path:
    """Write a new version of a SavedModel, `out`/NAME/VERSION.

    The version is the next free whole number. The folder is renamed into place when it is complete,
    so a server may watch `out`. assets/ contains model.json, the model card and `assets`.
    assets.extra/ contains a request with which TensorFlow Serving warms up.

    Args:
        make: creates the tf.Module, whose `endpoints` are the signatures by name.
        name: name of the model.
        source: the model directory.
        out: folder of exported models.
        assets: contents of further text files in assets/, by file name.
        warm_up: inputs of the signature serving_default for the warm-up request.

    Returns:
        The folder of the new version.

    Raises:
        ModelError: the extra `serving` is not installed.
        OutputError: the folder cannot be written, as on a full disk; nothing is left in it.
    """
    if find_spec("tensorflow_serving") is None:
        raise ModelError(
            f"exporting needs TensorFlow Serving's protocol: {install_extra('serving')}"
        )
    folder, served = out / name, make()
    with tensorflow_writes(folder):
        made_folders = [f for f in (folder, *folder.parents) if not f.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        try:
            return _write_version(served, name, source, folder, assets, warm_up)
        except BaseException:
            for empty in made_folders:
                empty.rmdir()
            raise


def _write_version(
    served: Any,
    name: str,
    source: Path,
    folder: Path,
    assets: Mapping[str, str],
    warm_up: Mapping[str, np.ndarray],
) -> Path:
    """Write the tf.Module `served` as the next version in `folder`; see `write_saved_model`."""
    with tempfile.TemporaryDirectory(prefix=".export-", dir=folder) as temporary:
        made = Path(temporary, "model")
        tf.saved_model.save(served, str(made), signatures=served.endpoints)
        (made / "assets").mkdir(exist_ok=True)
        for file in ("model.json", "README.md"):
            shutil.copy(source / file, made / "assets" / file)
        for file, content in assets.items():
            (made / "assets" / file).write_text(content, encoding="utf-8")
        _write_warm_up(made, name, warm_up)
        versions = [int(p.name) for p in folder.iterdir() if p.name.isdecimal()]
        target = folder / str(max(versions, default=0) + 1)
        os.rename(made, target)
    return target


def checks(values: tf.Tensor, lengths: tf.Tensor, name: str) -> list[tf.Operation]:
    """Checks of a request.

    Args:
        values: [batch, time, …].
        lengths: [batch].
        name: name of the values in error messages.
    """
    time = tf.shape(values)[1]
    shapes = [
        tf.debugging.assert_equal(
            tf.shape(values)[0], tf.shape(lengths)[0], f"{name} and lengths differ in batch size"
        ),
        tf.debugging.assert_non_negative(lengths, "a length is negative"),
        tf.debugging.assert_less_equal(lengths, time, f"a length is beyond the {name}"),
    ]
    # After the checks of shapes: wrong shapes would make these operations fail differently.
    with tf.control_dependencies(shapes):
        valid = tf.sequence_mask(lengths, time)
        shape = tf.concat([tf.shape(valid), tf.ones([tf.rank(values) - 2], tf.int32)], axis=0)
        finite = tf.math.is_finite(values) | ~tf.reshape(valid, shape)
        reason = f"{name} are not finite (NaN or infinite)"
        return [*shapes, tf.debugging.Assert(tf.reduce_all(finite), [reason])]


class _Speller(tf.Module):
    """Joins label ids (ragged [batch, labels]) to UTF-8 texts [batch], as `Tokenizer.decode`."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__(name="speller")
        self.kind = tokenizer.config.kind
        self.units = tf.constant(tokenizer.spellings)
        self.points = tf.constant([ord(label[:1] or "\0") for label in tokenizer.labels])

    def __call__(self, ids: tf.RaggedTensor) -> tf.Tensor:
        if self.kind == "jamo":
            points = self._compose(tf.gather(self.points, ids.to_tensor()))
            text = tf.strings.unicode_encode(tf.ragged.boolean_mask(points, points > 0), "UTF-8")
        else:
            text = tf.strings.reduce_join(tf.gather(self.units, ids), axis=1)
        return tf.strings.strip(tf.strings.regex_replace(text, " +", " "))

    def _compose(self, points: tf.Tensor) -> tf.Tensor:
        """Compose jamo to syllables; code points that a syllable absorbs become 0."""
        after = tf.pad(points[:, 1:], [[0, 0], [0, 1]])
        later = tf.pad(points[:, 2:], [[0, 0], [0, 2]])[:, : tf.shape(points)[1]]

        def inside(x: tf.Tensor, low: int, count: int) -> tf.Tensor:
            return (x >= low) & (x < low + count)

        pair = inside(points, LEAD, 19) & inside(after, VOWEL, 21)
        triple = pair & inside(later, TRAIL + 1, 27)
        whole = SYLLABLE + ((points - LEAD) * 21 + after - VOWEL) * 28
        whole += tf.where(triple, later - TRAIL, 0)

        def shifted(x: tf.Tensor, by: int) -> tf.Tensor:
            return tf.pad(x, [[0, 0], [by, 0]])[:, : tf.shape(x)[1]]

        return tf.where(pair, whole, tf.where(shifted(pair, 1) | shifted(triple, 2), 0, points))


def _write_warm_up(made: Path, name: str, inputs: Mapping[str, np.ndarray]) -> None:
    from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2

    request = predict_pb2.PredictRequest(
        model_spec=model_pb2.ModelSpec(name=name, signature_name="serving_default"),
        inputs={key: tf.make_tensor_proto(value) for key, value in inputs.items()},
    )
    log = prediction_log_pb2.PredictionLog(
        predict_log=prediction_log_pb2.PredictLog(request=request)
    )
    (made / "assets.extra").mkdir()
    with tf.io.TFRecordWriter(str(made / "assets.extra" / "tf_serving_warmup_requests")) as file:
        file.write(log.SerializeToString())
