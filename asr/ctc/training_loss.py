"""The CTC loss (Graves et al., 2006) with true lengths."""

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
    """Negative log-likelihood in nats of each utterance's labels: float32 [batch].

    Args:
        logits: float [batch, frames, labels]; cast to float32 (half precision is wrong here).
        logit_lengths: int32 [batch], true frame counts; frames beyond are not read.
        labels: int32 [batch, units], padded with anything behind `label_lengths`.
        label_lengths: int32 [batch].
        smoothing: share of the loss that is the frames' cross entropy with all labels equally
            likely, against CTC's habit of being sure (Kim et al., 2018).

    Raises:
        InvalidArgumentError: a logit length beyond the logits, or fewer frames than labels. With
            enough for the labels but not for `frames_needed(labels)` the loss is infinite.
    """
    from asr.base.tensorflow import tf

    tf.debugging.assert_less_equal(
        logit_lengths, tf.shape(logits)[1], message="a logit length is beyond the logits"
    )
    # Sparse labels take TensorFlow's C++ kernel; dense ones its much slower graph of scans.
    valid = tf.sequence_mask(label_lengths, tf.shape(labels)[1])
    sparse = tf.SparseTensor(
        tf.where(valid), tf.boolean_mask(labels, valid), tf.shape(labels, out_type=tf.int64)
    )
    logits = tf.cast(logits, tf.float32)
    unlikely = tf.nn.ctc_loss(
        labels=tf.cast(sparse, tf.int32),
        logits=tf.transpose(logits, [1, 0, 2]),
        label_length=None,
        logit_length=logit_lengths,
        blank_index=BLANK,
    )
    if not smoothing:
        return unlikely
    frames = tf.sequence_mask(logit_lengths, tf.shape(logits)[1], tf.float32)
    uneven = -tf.reduce_mean(tf.nn.log_softmax(logits), axis=2)
    return (1 - smoothing) * unlikely + smoothing * tf.reduce_sum(uneven * frames, axis=1)
