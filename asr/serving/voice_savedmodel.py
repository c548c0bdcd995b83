"""SavedModels of voices, which TensorFlow Serving runs without this project's code.

The graph turns symbol ids into samples. The client turns text into symbol ids (assets/symbols.txt,
`asr speak --phones`), because pronunciation depends on a lexicon and on rules outside the graph.
"""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path

import numpy as np

from asr.base.tensorflow import tf
from asr.models import find_model
from asr.networks.model_directory import LEXICON_FILE, is_voice
from asr.serving.savedmodel import checks, export_recognizer, write_saved_model
from asr.tts.sentences import GAP, START
from asr.tts.source_filter_network import (
    SourceFilterGraph,
    VocoderNetwork,
    load_vocoder_network,
)
from asr.tts.synthesizer import Synthesizer
from asr.tts.vocoder_graph import GriffinLimGraph, finish_graph
from asr.tts.voice_config import FRAMES_PER_STEP, VoiceConfig
from asr.tts.voice_network import VoiceModel, load_voice_network


class ServedVoice(tf.Module):
    """The graph of a voice.

    An invalid request (a length beyond the symbols or negative, an unknown symbol id or speaker)
    ends with an InvalidArgumentError that says what is wrong.

    Args:
        config: the voice's configuration.
        network: its network.
        vocoder: the network of its trained vocoder; None for Griffin-Lim.

    Attributes:
        endpoints: the signatures that a server offers, by name.
    """

    def __init__(
        self, config: VoiceConfig, network: VoiceModel, vocoder: VocoderNetwork | None
    ) -> None:
        super().__init__(name="voice")
        # Only variables and functions become attributes: Keras layers would be exported as models.
        self.weights = [v.value for v in network.named_weights().values()]
        self.predict = network.predict_frames
        self.vocoder: Callable[[tf.Tensor], tf.Tensor]
        if vocoder is None:
            self.vocoder = GriffinLimGraph(config.mel)
        else:
            self.weights += [v.value for v in vocoder.named_weights().values()]
            self.vocoder = SourceFilterGraph(config.mel, vocoder)
        self.mel, self.count = config.mel, len(config.symbols)
        self.speakers = len(config.speakers)
        signature = [
            tf.TensorSpec([None, None], tf.int32, name="symbols"),
            tf.TensorSpec([None], tf.int32, name="lengths"),
        ]
        if self.speakers:
            signature.append(tf.TensorSpec([None], tf.int32, name="speakers"))
        self.endpoints = {
            "serving_default": tf.function(self._speak, input_signature=tuple(signature))
        }

    def _speak(
        self, symbols: tf.Tensor, lengths: tf.Tensor, speakers: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Speak symbol ids [batch, symbols].

        Args:
            symbols: ids, int32 [batch, symbols].
            lengths: symbols of each sentence, int32 [batch].
            speakers: place of each sentence's speaker in the voice's list, int32 [batch]; None if
                it has one only.

        Returns:
            audio float32 [batch, samples], zero-padded, and lengths [batch] in samples.
        """
        inside = tf.sequence_mask(lengths, tf.shape(symbols)[1])
        known = ((symbols >= 0) & (symbols < self.count)) | ~inside
        with tf.control_dependencies(checks(tf.cast(symbols, tf.float32), lengths, "symbols")):
            right = tf.debugging.Assert(tf.reduce_all(known), ["a symbol id is unknown"])
        asserted = [right]
        if speakers is None:
            speakers = tf.zeros_like(lengths)
        else:
            there = (speakers >= 0) & (speakers < self.speakers)
            asserted.append(tf.debugging.Assert(tf.reduce_all(there), ["a speaker is unknown"]))
        with tf.control_dependencies(asserted):
            read, speakers = tf.where(inside, symbols, 0), tf.identity(speakers)
        frames, durations = self.predict(
            read, lengths, speakers, tf.constant(1.0), tf.constant(0.0)
        )
        counts = FRAMES_PER_STEP * tf.reduce_sum(durations, axis=1)
        longest = tf.maximum(tf.reduce_max(counts) - 1, 0) * self.mel.hop

        def one(item: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
            row, count = item
            # One utterance at a time: padding would change the phases that Griffin-Lim finds, and
            # what the recurrent network of a trained vocoder reads.
            samples = finish_graph(self.vocoder(row[:count]), self.mel.sample_rate)
            return tf.pad(samples, [[0, longest - tf.shape(samples)[0]]])

        audio = tf.map_fn(one, (frames, counts), fn_output_signature=tf.float32)
        return {"audio": audio, "lengths": tf.maximum(counts - 1, 0) * self.mel.hop}


def export_voice(model: str | PathLike[str], out: Path) -> Path:
    """Write the SavedModel of a voice.

    assets/symbols.txt has one symbol per line, in the order of their ids; assets/lexicon.txt is the
    voice's lexicon.

    Args:
        model: shipped name or directory of a voice.
        out: folder of exported models.

    Returns:
        The folder of the new version, `out`/NAME/VERSION.

    Raises:
        ModelError: there is no such voice, it cannot be loaded, or see `write_saved_model`.
    """
    voice = Synthesizer.load(model)  # checks the symbols, too
    folder, config = find_model(model), voice.config
    network = load_voice_network(folder, config)
    vocoder = None
    if config.vocoder is not None:
        vocoder = load_vocoder_network(folder, config.vocoder, config.mel)
    symbols = config.symbols
    ids = np.array([[symbols.index(s) for s in (START, "AA1", GAP, "AA1", ".")]], np.int32)
    lexicon = "".join(f"{word} {phones}\n" for word, phones in voice.pronounce.lexicon.items())
    return write_saved_model(
        lambda: ServedVoice(config, network, vocoder),
        config.voice,
        folder,
        out,
        assets={
            "symbols.txt": "".join(f"{symbol}\n" for symbol in symbols),
            LEXICON_FILE.removesuffix(".gz"): lexicon,
        },
        warm_up={
            "symbols": ids,
            "lengths": np.array([ids.shape[1]], np.int32),
            **({"speakers": np.zeros(1, np.int32)} if config.speakers else {}),
        },
    )


def export_model(model: str, out: Path) -> Path:
    """Write the SavedModel of a recogniser or a voice.

    See `export_recognizer` and `export_voice`.
    """
    if is_voice(find_model(model)):
        return export_voice(model, out)
    return export_recognizer(model, out)
