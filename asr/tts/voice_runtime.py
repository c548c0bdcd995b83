"""`VoiceRuntime`: the network of a voice in ONNX Runtime, without TensorFlow.

Two graphs are built from the weights, as for recognisers: the encoder with the predictors, and the
decoder. Between them, numpy plans durations and pitch, so that every symbol may have a speed and a
pitch of its own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from asr.networks.onnx_graph import (
    OnnxGraph,
    open_session,
    recurrent_stack,
    stack_between_layers,
)
from asr.networks.weights import WeightArrays
from asr.tts.harmonic_bands import harmonics_at
from asr.tts.scales import take_scales
from asr.tts.sentences import SILENT
from asr.tts.voice_config import (
    FRAMES_PER_STEP,
    MAX_STEPS,
    PITCH_BINS,
    PITCH_POINTS,
    POSITION_FEATURES,
    SPEAKER_SCALE,
    VoiceConfig,
)


class VoicePlan(NamedTuple):
    """How a sentence will be spoken.

    Attributes:
        durations: steps of each symbol, int32 [symbols].
        pitch: standardised pitch, float32 [symbols, PITCH_POINTS].
        encoded: the encoder's output, float32 [symbols, width].
    """

    durations: np.ndarray
    pitch: np.ndarray
    encoded: np.ndarray


class VoiceRuntime:
    """Symbols → plan → log-mel frames, one sentence at a time.

    Args:
        config: the voice's configuration.
        weights: arrays of the voice.
        threads: number of threads; 0 lets the runtime choose.

    Attributes:
        scales: means and standard deviations of mel frames and pitch, by name, float32.

    Raises:
        ModelError: the weights do not fit the configuration.
    """

    def __init__(self, config: VoiceConfig, weights: WeightArrays, threads: int = 0) -> None:
        self.scales = take_scales(weights, "voice", config.mel.mels)
        self.mel, self.harmonics = config.mel, config.acoustic.harmonics
        self._several = bool(config.speakers)
        self.quiet = np.array([symbol in SILENT for symbol in config.symbols])
        encoder, decoder = _encoder(config, weights), _decoder(config, weights)
        weights.finish()
        self._encoder = open_session(encoder, threads)
        self._decoder = open_session(decoder, threads)

    def plan(
        self,
        ids: np.ndarray,
        rate: float | np.ndarray = 1.0,
        shift: float | np.ndarray = 0.0,
        speaker: int = 0,
    ) -> VoicePlan:
        """Predict durations and pitch.

        Args:
            ids: symbol ids, int32 [symbols].
            rate: speed of the sentence, or of each symbol; 1 as learnt, 2 twice as fast.
            shift: semitones by which the pitch is raised, of the sentence or of each symbol.
            speaker: place of the speaker in `config.speakers`.
        """
        inputs = {"symbols": ids}
        if self._several:
            inputs["speaker"] = np.array([speaker], np.int32)
        encoded, log_steps, pitch = self._encoder.run(None, inputs)
        steps = (np.exp(log_steps) - np.float32(1)) / np.asarray(rate, np.float32)
        # Rounding the running total keeps the length of the sentence.
        total = np.cumsum(np.clip(steps, 0, MAX_STEPS), dtype=np.float32)
        rounded = np.diff(np.round(total).astype(np.int32), prepend=0)
        durations = np.maximum(rounded, np.where(self.quiet[ids], 0, 1)).astype(np.int32)
        octaves = np.atleast_1d(np.asarray(shift, np.float32))[:, None] / np.float32(12)
        raised = pitch + octaves * np.float32(np.log(2)) / self.scales["pitch_deviation"]
        return VoicePlan(durations, raised, encoded)

    def frames(self, plan: VoicePlan) -> np.ndarray:
        """Log-mel frames of a plan, float32 [steps × FRAMES_PER_STEP, mels]."""
        durations = plan.durations
        owner = np.repeat(np.arange(len(durations)), durations)
        starts = np.cumsum(durations) - durations
        length = durations[owner].astype(np.float32)
        done = (np.arange(len(owner)) - starts[owner]).astype(np.float32) + np.float32(0.5)
        place = done / length
        # The pitch is linear between the middles of both halves, and constant outside them.
        share = np.clip(2 * place - np.float32(0.5), 0, 1)
        first, second = plan.pitch[owner].T
        height = ((1 - share) * first + share * second)[:, None]
        centres = np.linspace(-3, 3, PITCH_BINS, dtype=np.float32)
        bumps = np.exp(-np.square((height - centres) * np.float32(PITCH_BINS / 6)) / 2)
        where = np.stack(
            [place, np.log(length), 1 / (0.5 + done), 1 / (0.5 + length - done)], axis=1
        )
        x = np.concatenate([plan.encoded[owner], where, height, bumps], axis=1)
        (frames,) = self._decoder.run(None, {"steps": x.astype(np.float32, copy=False)})
        frames = frames.reshape(FRAMES_PER_STEP * len(owner), -1)
        if self.harmonics:
            envelope, depth = np.split(frames, 2, axis=1)
            frames = envelope + depth * self._harmonics(height[:, 0])
        return frames * self.scales["mel_deviation"] + self.scales["mel_mean"]

    def _harmonics(self, height: np.ndarray) -> np.ndarray:
        """`harmonics_at` the pitch of each frame, for the standardised pitch of each step."""
        # The first frame of a step has its pitch; towards the next step it is linear.
        following = np.append(height[1:], height[-1:])[:, None]
        share = np.arange(FRAMES_PER_STEP, dtype=np.float32) / np.float32(FRAMES_PER_STEP)
        frames = (height[:, None] * (1 - share) + following * share).reshape(-1)
        log_pitch = frames * self.scales["pitch_deviation"] + self.scales["pitch_mean"]
        return harmonics_at(log_pitch, self.mel)


def _encoder(config: VoiceConfig, weights: WeightArrays) -> bytes:
    """int32 `symbols` [symbols] → `encoded`, `log_steps` and `pitch`.

    If the voice has several speakers, it reads int32 `speaker` [1], too.
    """
    c, graph = config.acoustic, OnnxGraph()
    table = graph.weight(
        weights.take("voice/embedding/embeddings", len(config.symbols), c.embedding)
    )
    x = graph("Unsqueeze", graph("Gather", table, "symbols"), graph.integers(1))
    x, width = recurrent_stack(
        graph,
        weights,
        "voice/encoder",
        x,
        c.embedding,
        cell=c.cell,
        units=c.encoder_units,
        layers=c.encoder_layers,
    )
    x = graph("Squeeze", x, graph.integers(1))
    inputs: dict[str, tuple[str, list[str | int]]] = {"symbols": ("int32", ["symbols"])}
    if config.speakers:
        vectors = SPEAKER_SCALE * weights.take(
            "voice/speaker/embeddings", len(config.speakers), width
        ).astype(np.float32)
        x = graph("Add", x, graph("Gather", graph.weight(vectors), "speaker"))
        inputs["speaker"] = ("int32", [1])
    graph.name_output("encoded", x)
    for name, outputs in (("duration", 1), ("pitch", PITCH_POINTS)):
        hidden = graph.dense(x, weights, f"voice/{name}/hidden", width, c.predictor_units)
        made = graph.dense(
            graph("Relu", hidden), weights, f"voice/{name}/out", c.predictor_units, outputs
        )
        if name == "duration":
            graph.name_output("log_steps", graph("Squeeze", made, graph.integers(1)))
        else:
            graph.name_output("pitch", made)
    return graph.model(
        "encoder",
        inputs,
        {
            "encoded": ("float32", ["symbols", width]),
            "log_steps": ("float32", ["symbols"]),
            "pitch": ("float32", ["symbols", PITCH_POINTS]),
        },
    )


def _decoder(config: VoiceConfig, weights: WeightArrays) -> bytes:
    """float32 `steps` [steps, features] → `frames` [steps, FRAMES_PER_STEP × parts × mels]."""
    c = config.acoustic
    return stack_between_layers(
        "decoder",
        weights,
        ("voice/prenet", "voice/decoder", "voice/head"),
        ("steps", "frames"),
        "steps",
        (
            2 * c.encoder_units + POSITION_FEATURES + 1 + PITCH_BINS,
            FRAMES_PER_STEP * (2 if c.harmonics else 1) * config.mel.mels,
        ),
        cell=c.cell,
        units=c.decoder_units,
        layers=c.decoder_layers,
    )
