"""SavedModels of voices: symbols in, samples out, without this project's code.

The front end stays with the client: which symbol ids a text has (`asr speak --phones`,
assets/symbols.txt) depends on a lexicon and on rules that no graph holds.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np

from asr.base.tensorflow import tf
from asr.models import find_model
from asr.networks.model_directory import is_voice
from asr.serving.savedmodel import checks, export_recognizer, write_saved_model
from asr.tts.sentences import GAP, START
from asr.tts.synthesizer import LEXICON, Synthesizer
from asr.tts.vocoder import finish
from asr.tts.voice_network import FRAMES_A_STEP


class ServedVoice(tf.Module):
    """The graph of a voice; `endpoints` are what a server offers.

    A request that cannot be meant (a length beyond the symbols or negative, an id of no symbol)
    ends with an InvalidArgumentError that says what is wrong.
    """

    def __init__(self, voice: Synthesizer) -> None:
        super().__init__(name="voice")
        # Keras's layers, were they attributes, would be exported as models of their own.
        self.weights = [v.value for v in voice.network.named_weights().values()]
        self.predict, self.vocoder = voice.predict, voice.vocoder
        self.mel, self.count = voice.config.mel, len(voice.config.symbols)
        self.endpoints = {
            "serving_default": tf.function(
                self._speak,
                input_signature=(
                    tf.TensorSpec([None, None], tf.int32, name="symbols"),
                    tf.TensorSpec([None], tf.int32, name="lengths"),
                ),
            )
        }

    def _speak(self, symbols: tf.Tensor, lengths: tf.Tensor) -> dict[str, tf.Tensor]:
        """Ids [batch, symbols] → float32 audio [batch, samples], zero-padded, and its lengths."""
        inside = tf.sequence_mask(lengths, tf.shape(symbols)[1])
        known = ((symbols >= 0) & (symbols < self.count)) | ~inside
        with tf.control_dependencies(checks(tf.cast(symbols, tf.float32), lengths, "symbols")):
            right = tf.debugging.Assert(tf.reduce_all(known), ["an id is that of no symbol"])
        with tf.control_dependencies([right]):
            read = tf.where(inside, symbols, 0)
        frames, durations = self.predict(read, lengths, tf.constant(1.0), tf.constant(0.0))
        counts = FRAMES_A_STEP * tf.reduce_sum(durations, axis=1)
        longest = tf.maximum(tf.reduce_max(counts) - 1, 0) * self.mel.hop

        def one(item: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
            row, count = item
            # By itself: the search for phases would see the padding.
            samples = finish(self.vocoder(row[:count]), self.mel.sample_rate)
            return tf.pad(samples, [[0, longest - tf.shape(samples)[0]]])

        audio = tf.map_fn(one, (frames, counts), fn_output_signature=tf.float32)
        return {"audio": audio, "lengths": tf.maximum(counts - 1, 0) * self.mel.hop}


def export_voice(model: str | PathLike[str], out: Path) -> Path:
    """Write a voice by `write_saved_model`; assets/ has its symbols, a line each in the order of
    their ids, and its lexicon.

    Raises:
        ModelError: no such voice, it cannot be loaded, or see `write_saved_model`.
    """
    voice = Synthesizer.load(model)
    symbols = voice.config.symbols
    ids = np.array([[symbols.index(s) for s in (START, "AA1", GAP, "AA1", ".")]], np.int32)
    lexicon = "".join(f"{word} {phones}\n" for word, phones in voice.pronounce.lexicon.items())
    return write_saved_model(
        lambda: ServedVoice(voice), voice.config.voice, find_model(model), out,
        {"symbols.txt": "".join(f"{s}\n" for s in symbols), LEXICON.removesuffix(".gz"): lexicon},
        {"symbols": ids, "lengths": np.array([ids.shape[1]], np.int32)},
    )  # fmt: skip


def export_model(model: str, out: Path) -> Path:
    """`export_voice` or `export_recognizer`, whichever the model is for."""
    return (export_voice if is_voice(find_model(model)) else export_recognizer)(model, out)
