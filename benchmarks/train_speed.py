"""How fast recurrent layers train: forward and gradient of a stack, ours, Keras's and PyTorch's.

    pip install torch==2.13.0 --extra-index-url https://download.pytorch.org/whl/cpu
    python benchmarks/train_speed.py [--units 256 --batch 16 --layers 4 --threads 1]

They run in turn in one process; prints medians, how many times as long the others take as ours, in
float32 and in bfloat16 (products only, see asr/networks/fused.py: some processors multiply it faster), and
seconds of audio a second at 50 frames a second. --threads are inside one operation, of TensorFlow,
which runs operations beside each other as well; PyTorch, which does not, has all cores. Plain Keras
is measured with TensorFlow's own choice of threads as well: run once with --threads 0. PyTorch is
left out where it is not installed. Its backward direction knows where a sequence ends only if these
are packed, for which it has no fast kernel; with the padding taken for speech it has one.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from itertools import product
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf

from asr.networks.lstm import FusedLSTM
from asr.training.trainer import set_threads

STEPS, INPUT = 200, 78


def stack(make: Callable[[], keras.layers.Layer], layers: int, batch: int) -> Callable[[], object]:
    """A function that runs one training step of `layers` layers."""
    x = tf.random.stateless_normal([batch, STEPS, INPUT], (1, 2))
    lengths = tf.random.stateless_uniform([batch], (3, 4), STEPS // 2, STEPS + 1, tf.int32)
    mask = tf.sequence_mask(lengths, STEPS)
    stacked = [make() for _ in range(layers)]

    def forward(y: tf.Tensor) -> tf.Tensor:
        for layer in stacked:
            y = layer(y, mask=mask, training=True)
        return y

    forward(x)
    variables = [v.value for layer in stacked for v in layer.trainable_variables]

    @tf.function(input_signature=[tf.TensorSpec([None, None, INPUT])])
    def step(x: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(tf.square(tf.cast(forward(x), tf.float32)))
        return tape.gradient(total, variables)

    step(x)
    return lambda: step(x)


def torch_stacks(units: int, layers: int, batch: int) -> dict[str, Callable[[], object]]:
    """The same by torch.nn.LSTM, which has all layers in one; nothing without PyTorch."""
    if find_spec("torch") is None:
        return {}
    import torch

    torch.manual_seed(1)
    x = torch.randn(batch, STEPS, INPUT)
    lengths = torch.randint(STEPS // 2, STEPS + 1, [batch])
    lstm = torch.nn.LSTM(INPUT, units, layers, batch_first=True, bidirectional=True)

    def step(inputs: Any) -> None:
        lstm.zero_grad()
        outputs = lstm(inputs)[0]
        (outputs if inputs is x else outputs.data).square().sum().backward()

    def packed() -> None:
        step(torch.nn.utils.rnn.pack_padded_sequence(x, lengths, True, enforce_sorted=False))

    packed()
    return {"pytorch, packed": packed, "pytorch, padding as speech": lambda: step(x)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=256)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=7)
    a = parser.parse_args()
    set_threads(a.threads)

    def plain(dtype: str) -> keras.layers.Layer:
        lstm = keras.layers.LSTM(a.units, return_sequences=True, use_cudnn=False, dtype=dtype)
        return keras.layers.Bidirectional(lstm, dtype=dtype)

    steps: dict[str, Callable[[], object]] = {}
    for kind, dtype in (("", "float32"), (", bfloat16", "mixed_bfloat16")):
        steps[f"keras{kind}"] = stack(partial(plain, dtype), a.layers, a.batch)
        ours = partial(FusedLSTM, a.units, dtype=dtype)
        steps[f"ours{kind}"] = stack(ours, a.layers, a.batch)
    steps |= torch_stacks(a.units, a.layers, a.batch)
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(a.runs):
        for name, step in steps.items():
            started = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - started)
    print(f"{a.layers} x BiLSTM({a.units}), batch {a.batch}, threads an operation {a.threads}")
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"{name:26} {median:.3f} s a step, {a.batch * STEPS / 50 / median:.0f} x realtime")
    for ours, name in product(["ours", "ours, bfloat16"], [n for n in steps if "ours" not in n]):
        ratios = [other / o for other, o in zip(seconds[name], seconds[ours], strict=True)]
        print(f"{name} over {ours}: median {statistics.median(ratios):.2f}, "
              f"{min(ratios):.2f} to {max(ratios):.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
