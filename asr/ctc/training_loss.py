"""The CTC loss (Graves et al., 2006) with true lengths and optional smoothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr.text.tokenizers import BLANK

if TYPE_CHECKING:
    from asr.base.tensorflow import tf


def loss(
    logits: tf.Tensor,
    logit_lengths: tf.Tensor,
    labels: tf.Tensor,
    label_lengths: tf.Tensor,
    smoothing: float = 0.0,
) -> tf.Tensor:
    """Negative log-likelihood of each utterance's labels.

    Args:
        logits: float [batch, frames, labels]; cast to float32 (half precision is wrong here).
        logit_lengths: number of frames of each utterance, int32 [batch]; later frames are ignored.
        labels: int32 [batch, units]; values beyond `label_lengths` are ignored.
        label_lengths: number of labels of each utterance, int32 [batch].
        smoothing: weight of the cross entropy with the uniform distribution over labels, which
            makes the model less overconfident (Kim et al., 2018); 0 by default.

    Returns:
        Loss in nats, float32 [batch]. It is infinite where there are at least as many frames as
        labels, but fewer than `frames_needed(labels)`.

    Raises:
        InvalidArgumentError: a logit length is beyond the logits, or there are fewer frames than
            labels.
    """
    from asr.base.tensorflow import tf

    tf.debugging.assert_less_equal(
        logit_lengths, tf.shape(logits)[1], message="a logit length is beyond the logits"
    )
    # TensorFlow has a fast C++ kernel for sparse labels, and only a slow loop for dense ones.
    valid = tf.sequence_mask(label_lengths, tf.shape(labels)[1])
    sparse = tf.SparseTensor(
        tf.where(valid), tf.boolean_mask(labels, valid), tf.shape(labels, out_type=tf.int64)
    )
    logits = tf.cast(logits, tf.float32)
    negative_log_likelihood = tf.nn.ctc_loss(
        labels=tf.cast(sparse, tf.int32),
        logits=tf.transpose(logits, [1, 0, 2]),
        label_length=None,
        logit_length=logit_lengths,
        blank_index=BLANK,
    )
    if not smoothing:
        return negative_log_likelihood
    frames = tf.sequence_mask(logit_lengths, tf.shape(logits)[1], tf.float32)
    cross_entropy = -tf.reduce_mean(tf.nn.log_softmax(logits), axis=2)
    return (1 - smoothing) * negative_log_likelihood + smoothing * tf.reduce_sum(
        cross_entropy * frames, axis=1
    )
