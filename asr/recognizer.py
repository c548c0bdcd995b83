"""`Recognizer`: a model directory that turns recordings into text.

A model directory holds `model.json` (all configuration, training summary, versions), `weights.npz`
(float16 or float32 arrays by variable path, no pickle) and its card, `README.md`.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from pydantic import Field
from pydantic.dataclasses import dataclass

from asr import ctc
from asr.acoustic import AcousticConfig, AcousticModel
from asr.audio import prepare, read_audio
from asr.config import STRICT, parse, to_dict
from asr.decoding import Decoder, Decoding
from asr.errors import AsrError, ConfigError, ModelError
from asr.features import FeatureConfig, expand, extract, load_features
from asr.files import atomic_write
from asr.manifest import Utterance
from asr.results import Alternative, Failure, Token, Transcript
from asr.text import Tokenizer, TokenizerConfig

MODELS = Path(__file__).parent / "models"
BATCH_SECONDS = 240.0
"""Padded audio in one batch: bounds memory, and is where more no longer makes it faster."""
READ_AHEAD = 128
"""Inputs read before they are sorted by length into batches."""

AudioLike = str | PathLike[str] | np.ndarray | Utterance


@dataclass(frozen=True, config=STRICT)
class RecognizerConfig:
    """The content of `model.json`."""

    name: str
    features: FeatureConfig = Field(default_factory=FeatureConfig)
    tokenizer: TokenizerConfig = Field(default_factory=TokenizerConfig)
    acoustic: AcousticConfig = Field(default_factory=AcousticConfig)
    training: dict[str, Any] = Field(default_factory=dict)
    """Summary of the run that made the weights: command, seed, data, commit, scores."""
    versions: dict[str, str] = Field(default_factory=dict)
    weights_sha256: str = ""
    format: int = 1


class Recognizer:
    """Speech to text with one model.

    Attributes:
        config: everything that `model.json` says.
        tokenizer: text ↔ label ids.
        network: the Keras model, features → logits.
        decoder: logits → labels.
        folder: the model directory, if it has one.
    """

    def __init__(
        self,
        config: RecognizerConfig,
        network: AcousticModel | None = None,
        decoding: Decoding = Decoding(),
        folder: Path | None = None,
    ) -> None:
        self.config, self.folder = config, folder
        self.tokenizer = Tokenizer(config.tokenizer)
        self.decoder = Decoder(self.tokenizer, decoding, folder)
        self.network = network or AcousticModel(
            config.acoustic, config.features.dimension, len(self.tokenizer)
        )
        # One signature with open shapes: otherwise every new shape is traced again.
        self._forward = tf.function(
            lambda features, lengths: self.network(features, lengths, training=False)[0],
            input_signature=[
                tf.TensorSpec([None, None, config.features.dimension], tf.float32),
                tf.TensorSpec([None], tf.int32),
            ],
        )

    @property
    def seconds_per_frame(self) -> float:
        """Duration of one frame of logits."""
        return self._samples_per_frame / self.config.features.sample_rate

    @property
    def _samples_per_frame(self) -> int:
        return self.config.features.hop * self.config.acoustic.stride

    @classmethod
    def load(cls, model: str | PathLike[str], decoding: Decoding = Decoding()) -> Recognizer:
        """Load a shipped model by its name or any model by its directory; decode greedily or as
        `decoding` says.

        Raises:
            ModelError: a file is missing, damaged, or does not fit the configuration.
            ConfigError: `model.json` has an unknown, missing or impossible key.
        """
        folder = find_model(model)
        try:
            values = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ModelError(f"{folder / 'model.json'}: cannot be read: {error}") from None
        if not isinstance(values, dict):
            raise ModelError(f"{folder / 'model.json'}: expected one JSON object")
        config = parse(RecognizerConfig, values, str(folder / "model.json"), complete=True)
        if config.format != 1:
            raise ConfigError(
                f"{folder / 'model.json'}: format {config.format} is not known to this version"
            )
        recognizer = cls(config, decoding=decoding, folder=folder)
        _load_weights(recognizer.network, folder / "weights.npz", config.weights_sha256)
        return recognizer

    def save(self, folder: Path, card: str, half: bool = True) -> None:
        """Write the model directory; weights as float16 when `half`, else float32."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {
            path: variable.numpy().astype(np.float16 if half else np.float32)
            for path, variable in self.network.named_weights().items()
        }
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        values = {
            **to_dict(self.config),
            "versions": {
                "asr": version("asr"),
                "keras": version("keras"),
                "python": platform.python_version(),
                "tensorflow": version("tensorflow"),
            },
            "weights_sha256": hashlib.sha256(buffer.getvalue()).hexdigest(),
        }
        with atomic_write(folder / "weights.npz", binary=True) as file:
            file.write(buffer.getvalue())
        with atomic_write(folder / "README.md") as file:
            file.write(card)
        with atomic_write(folder / "model.json") as file:
            file.write(json.dumps(values, indent=2, ensure_ascii=False) + "\n")

    def transcribe(
        self,
        audio: AudioLike | Iterable[AudioLike],
        sample_rate: int | None = None,
        channel: int | None = None,
    ) -> Any:
        """Transcribe one recording, or many.

        Args:
            audio: a path, samples ([n] or [n, channels] in −1…1, with `sample_rate`), a manifest's
                `Utterance`, or a list of these.
            sample_rate: of samples given as arrays; the model's own rate by default.
            channel: the channel to use, from 0; all are mixed by default.

        Returns:
            A `Transcript`; for a list, a list with a `Transcript` or `Failure` for each.

        Raises:
            AsrError: the one recording asked for cannot be used (in a list it is a `Failure`).
        """
        if isinstance(audio, (str, PathLike, np.ndarray, Utterance)):
            features = self.features(audio, sample_rate, channel)
            (logits,) = self.logits([features[0]])
            return self._transcript(logits, features[1], _name(audio))
        results = dict(self.transcribe_each(list(audio), sample_rate, channel))
        return [results[i] for i in range(len(results))]

    def transcribe_each(
        self,
        audio: Sequence[AudioLike],
        sample_rate: int | None = None,
        channel: int | None = None,
    ) -> Iterator[tuple[int, Transcript | Failure]]:
        """Transcribe many; yields (index, result) as batches finish, batched by length."""
        for start in range(0, len(audio), READ_AHEAD):
            ready: list[tuple[int, np.ndarray, float]] = []
            for i in range(start, min(start + READ_AHEAD, len(audio))):
                try:
                    ready.append((i, *self.features(audio[i], sample_rate, channel)))
                except AsrError as error:
                    yield i, Failure(_name(audio[i]) or f"input {i}", str(error))
            ready.sort(key=lambda item: len(item[1]))
            for batch in self._batches(ready):
                for (i, _, duration), logits in zip(
                    batch, self.logits([item[1] for item in batch]), strict=True
                ):
                    yield i, self._transcript(logits, duration, _name(audio[i]))

    def features(
        self, audio: AudioLike, sample_rate: int | None = None, channel: int | None = None
    ) -> tuple[np.ndarray, float]:
        """Normalised features [frames, dimension] and duration in seconds of one recording."""
        config = self.config.features
        if isinstance(audio, Utterance) and audio.audio_filepath is None:
            assert audio.feature_filepath is not None
            static = load_features(audio.feature_filepath, config)
            return expand(static, config), len(static) * config.hop / config.sample_rate
        if isinstance(audio, np.ndarray):
            name = "samples"
            samples = prepare(
                audio, sample_rate or config.sample_rate, config.sample_rate, channel, name
            )
        else:
            path = audio.audio_filepath if isinstance(audio, Utterance) else Path(audio)
            assert path is not None
            name, samples = str(path), read_audio(path, config.sample_rate, channel)
        return extract(samples, config, name), len(samples) / config.sample_rate

    def logits(self, features: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Logits [frames', labels] of each utterance's features, computed as one padded batch."""
        lengths = [len(f) for f in features]
        padded = np.zeros([len(features), max(lengths), self.config.features.dimension], np.float32)
        for row, f in zip(padded, features, strict=True):
            row[: len(f)] = f
        logits = self._forward(padded, np.array(lengths, np.int32)).numpy()
        frames = self.config.acoustic.frames
        return [row[: frames(n)] for row, n in zip(logits, lengths, strict=True)]

    def warm_up(self) -> None:
        """Trace the graph, which the first call would otherwise do."""
        self.logits([np.zeros([10, self.config.features.dimension], np.float32)])

    def posteriors(self, audio: AudioLike) -> tuple[np.ndarray, float]:
        """Label probabilities [frames', labels] of one recording, and the seconds of one frame."""
        (logits,) = self.logits([self.features(audio)[0]])
        return np.exp(ctc.log_softmax(logits)), self.seconds_per_frame

    def _transcript(self, logits: np.ndarray, duration: float, name: str | None) -> Transcript:
        path = self.decoder(logits)
        step, rate = self._samples_per_frame, self.config.features.sample_rate
        # Times from whole sample counts: accumulated floats drift.
        tokens = tuple(
            Token(
                self.tokenizer.labels[label],
                start * step / rate,
                min(end * step / rate, duration),
                score,
            )
            for label, start, end, score in zip(
                path.labels, path.starts, path.ends, path.scores, strict=True
            )
        )
        return Transcript(
            text=self.tokenizer.decode(path.labels),
            score=path.score / max(len(logits), 1),
            duration=duration,
            tokens=tokens,
            audio_filepath=name,
            alternatives=tuple(
                Alternative(self.tokenizer.decode(labels), score) for labels, score in path.others
            ),
        )

    def _batches(
        self, ready: list[tuple[int, np.ndarray, float]]
    ) -> Iterator[list[tuple[int, np.ndarray, float]]]:
        """Split a list sorted by length, so that no batch pads to more than `BATCH_SECONDS`."""
        limit = BATCH_SECONDS * self.config.features.frames_per_second
        batch: list[tuple[int, np.ndarray, float]] = []
        for item in ready:
            if batch and len(item[1]) * (len(batch) + 1) > limit:
                yield batch
                batch = []
            batch.append(item)
        if batch:
            yield batch


def find_model(model: str | PathLike[str]) -> Path:
    """The directory of a model given by shipped name or path.

    Raises:
        ModelError: neither; the message lists the shipped names.
    """
    for folder in (Path(model), MODELS / fspath(model)):
        if (folder / "model.json").is_file():
            return folder
    shipped = ", ".join(sorted(p.parent.name for p in MODELS.glob("*/model.json"))) or "none"
    raise ModelError(f"{fspath(model)}: no model directory (no model.json) and no shipped model "
                     f"of this name; shipped: {shipped}")  # fmt: skip


def _name(audio: AudioLike) -> str | None:
    if isinstance(audio, np.ndarray):
        return None
    return str(audio.path) if isinstance(audio, Utterance) else fspath(audio)


def _load_weights(network: AcousticModel, path: Path, sha256: str) -> None:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from None
    # Before it is read: what NumPy makes of a damaged file is not only a ValueError.
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ModelError(f"{path}: its SHA-256 is not the one in model.json: damaged or replaced")
    variables = network.named_weights()
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path}: not a weights file: {error}") from None
    problems = [f"{name} is missing" for name in variables.keys() - found.keys()]
    problems += [f"{name} is not part of the model" for name in found.keys() - variables.keys()]
    problems += [
        f"{name} has shape {found[name].shape}, model.json asks for {tuple(variable.shape)}"
        for name, variable in variables.items()
        if name in found and found[name].shape != tuple(variable.shape)
    ]
    if problems:
        raise ModelError(f"{path}: " + "; ".join(sorted(problems)))
    for name, variable in variables.items():
        variable.assign(found[name].astype(np.float32))
