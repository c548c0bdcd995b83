"""Distillation: a network learns the posteriors of another one, its teacher, frame by frame.

A unidirectional network with a look-ahead learns from a bidirectional one. CTC alone says which
labels an utterance has; the teacher also says where they are and which other ones sound alike
(Hinton et al., 2015; for LSTMs with CTC, Kim et al., 2018).
"""

from __future__ import annotations

from dataclasses import dataclass as plain_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field
from pydantic.dataclasses import dataclass

from asr.base.config import STRICT, to_dict
from asr.decoding.decoding_options import NO_LM, Decoding
from asr.errors import ConfigError
from asr.networks.acoustic import AcousticModel
from asr.networks.model_directory import read_model
from asr.recognizer import Recognizer
from asr.training.config_paths import model_folder

if TYPE_CHECKING:
    from asr.base.tensorflow import tf
    from asr.networks.head_layout import HeadLayout


@dataclass(frozen=True, config=STRICT)
class DistillationConfig:
    """The key `distillation` of a recogniser's YAML file."""

    teacher: str
    """Recogniser to learn from, by shipped name or directory, which is relative to the working
    directory. Its features, tokenizer, stride and phones must be those of the new one. Required."""
    ctc: float = Field(default=0.2, ge=0)
    """Weight of the CTC loss beside the cross-entropy with the teacher. Both are in nats per
    utterance. Default: 0.2."""

    def find(self, **student: Any) -> Path:
        """Find the teacher's directory, and check that its frames, features and labels fit.

        Args:
            student: the parts `features`, `tokenizer` and `acoustic` of the new recogniser.

        Raises:
            ConfigError: there is no such model, or a key of these parts is another one.
            ModelError: see `Recognizer.load`.
        """
        folder, teacher = read_model(model_folder("distillation.teacher", self.teacher))
        for part, config in student.items():
            own, others = to_dict(config), to_dict(getattr(teacher, part))
            for key in ("stride", "phones") if part == "acoustic" else own:
                if own[key] != others[key]:
                    raise ConfigError(
                        f"distillation.teacher: {self.teacher}: {part}.{key} must be that of the "
                        f"teacher: {_short(others[key])}; found {_short(own[key])}"
                    )
        return folder


def _short(value: object) -> str:
    """A value in an error message, without most of a subword model."""
    return text if len(text := str(value)) <= 60 else f"{text[:60]}…"


@plain_dataclass(frozen=True)
class TeacherNetwork:
    """A trained network that another one learns from.

    Attributes:
        network: the network, which is not trained.
        heads: the heads of both networks.
        weights_sha256: SHA-256 of its weights.
    """

    network: AcousticModel
    heads: HeadLayout
    weights_sha256: str

    @classmethod
    def load(cls, folder: Path) -> TeacherNetwork:
        """Load a recogniser's network, with the layers in the precision that Keras has now.

        Raises:
            ModelError: see `Recognizer.load`.
        """
        recognizer = Recognizer.load(folder, Decoding(lm=NO_LM), runtime="tensorflow")
        network, sha256 = recognizer.acoustic_model, recognizer.config.weights_sha256
        return cls(network, recognizer.heads, sha256)

    def loss(self, features: tf.Tensor, feature_lengths: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Cross-entropy of the student with the teacher, in nats per utterance, float32 [batch].

        Args:
            features, feature_lengths: what both networks read.
            logits: of the student.
        """
        taught, lengths = self.network(features, feature_lengths, training=False)
        return cross_entropy(logits, taught, lengths, self.heads)


def cross_entropy(
    logits: tf.Tensor, taught: tf.Tensor, lengths: tf.Tensor, layout: HeadLayout
) -> tf.Tensor:
    """Cross-entropy of the teacher's probabilities, in nats per utterance, float32 [batch].

    Args:
        logits: of the student, float32 [batch, frames, labels of all heads].
        taught: logits of the teacher, as `logits`.
        lengths: output frames, int32 [batch].
        layout: the heads, whose entropies are added.
    """
    from asr.base.tensorflow import tf

    student, teacher = layout.split(logits), layout.split(tf.stop_gradient(taught))
    pairs = [(student.labels, teacher.labels)]
    if student.phones is not None:
        pairs.append((student.phones, teacher.phones))
    frames = tf.add_n(
        [
            tf.nn.softmax_cross_entropy_with_logits(labels=tf.nn.softmax(right), logits=own)
            for own, right in pairs
        ]
    )
    mask = tf.sequence_mask(lengths, tf.shape(frames)[1], tf.float32)
    return tf.reduce_sum(frames * mask, axis=1)
