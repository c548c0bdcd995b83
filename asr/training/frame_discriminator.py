"""`FrameDiscriminator`: tells predicted from recorded mel frames, to train a voice against.

The error of frames alone is smallest for frames that are too smooth: the mean of everything that a
recording could have been. A discriminator sees that they are smooth.
"""

from __future__ import annotations

from typing import NamedTuple

from asr.base.tensorflow import keras, tf

CROP = 64
"""Frames of each sentence that the discriminator sees."""
LAYERS = ((5, 16, (1, 2)), (5, 32, (2, 2)), (5, 64, (2, 2)), (3, 1, (1, 1)))
"""Size of the kernel, channels, and strides over frames and bands of each convolution."""
SLOPE = 0.2
"""Slope of the leaky rectifiers for negative values."""
FEATURE_WEIGHT = 2.0
"""Weight of the differences of features beside the discriminator's verdict."""


class RivalLosses(NamedTuple):
    """Losses of each item of a batch, float32 [batch].

    voice: for the voice, whose frames should pass for recorded ones. discriminator: for the
    discriminator.
    """

    voice: tf.Tensor
    discriminator: tf.Tensor


class FrameDiscriminator(keras.layers.Layer):
    """Convolutions over frames and bands, whose outputs are logits of "recorded".

    Each output sees a patch of the frames only, and so texture rather than words (Isola et al.,
    2017).

    Args:
        mels: number of mel bands.
    """

    def __init__(self, mels: int) -> None:
        super().__init__(name="discriminator")
        self.mels = mels
        self.kernels: list[keras.Variable] = []
        self.biases: list[keras.Variable] = []
        self.build((None, None, mels))

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        inputs = 1
        for i, (size, outputs, _) in enumerate(LAYERS):
            self.kernels.append(
                self.add_weight(
                    shape=(size, size, inputs, outputs),
                    initializer="glorot_uniform",
                    name=f"kernel_{i}",
                )
            )
            self.biases.append(
                self.add_weight(shape=(outputs,), initializer="zeros", name=f"bias_{i}")
            )
            inputs = outputs
        self.built = True

    def call(self, frames: tf.Tensor, frozen: bool = False) -> list[tf.Tensor]:
        """Outputs of every layer; those of the last one are the logits.

        Args:
            frames: standardised frames, float32 [batch, frames, mels].
            frozen: whether gradients pass to the frames only.
        """
        outputs: list[tf.Tensor] = []
        x = frames[..., None]
        for kernel, bias, (_, _, strides) in zip(self.kernels, self.biases, LAYERS, strict=True):
            weights = (kernel.value, bias.value)
            if frozen:
                weights = tuple(tf.stop_gradient(w) for w in weights)
            if outputs:
                x = tf.nn.leaky_relu(x, SLOPE)
            x = tf.nn.conv2d(x, weights[0], strides, "SAME") + weights[1]
            outputs.append(x)
        return outputs


def rival_losses(
    discriminator: FrameDiscriminator,
    predicted: tf.Tensor,
    recorded: tf.Tensor,
    lengths: tf.Tensor,
    places: tf.Tensor,
) -> RivalLosses:
    """Losses of a voice and its discriminator (Goodfellow et al., 2014), non-saturating.

    The voice's loss has the differences of the discriminator's features, too (Kumar et al., 2019).

    Args:
        discriminator: the discriminator.
        predicted, recorded: standardised frames, float32 [batch, frames, mels].
        lengths: frames of each sentence, int32 [batch].
        places: where each sentence is cut, from 0 at its start to 1 at its end, float32 [batch].
    """
    room = tf.cast(tf.maximum(lengths - CROP, 0), tf.float32)
    chosen = tf.cast(places * room, tf.int32)[:, None] + tf.range(CROP)
    chosen = tf.minimum(chosen, tf.shape(predicted)[1] - 1)
    made, real = (tf.gather(x, chosen, batch_dims=1) for x in (predicted, recorded))
    *features, verdict = discriminator(made, frozen=True)
    *wanted, right = discriminator(real)
    wrong = discriminator(tf.stop_gradient(made))[-1]
    apart = tf.add_n(
        [_mean(tf.abs(f - tf.stop_gradient(w))) for f, w in zip(features, wanted, strict=True)]
    )
    return RivalLosses(
        voice=_mean(tf.nn.softplus(-verdict)) + FEATURE_WEIGHT * apart,
        discriminator=_mean(tf.nn.softplus(-right)) + _mean(tf.nn.softplus(wrong)),
    )


def _mean(values: tf.Tensor) -> tf.Tensor:
    """Mean of each item [batch, …]."""
    return tf.reduce_mean(values, axis=[1, 2, 3])
