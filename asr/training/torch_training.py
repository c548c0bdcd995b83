"""Trains a recogniser's network with PyTorch, on a machine that has a GPU for some minutes.

This file needs PyTorch and NumPy, and no other file of this package, so that it can be copied to
such a machine together with the output of `pipelines/pack_for_gpu.py`:

    python torch_training.py pack.npz --minutes 9 --out out

`pipelines/model_from_gpu.py` makes a model directory from the folder `out`. The network, the
augmentation and the loss are those of `asr train`; tests compare the logits. All data lie in the
memory of the GPU. The learning rate follows the clock, so that the training ends in time.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import io
import json
import os
import shlex
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence

NORM_EPSILON = 1e-3
"""As in `asr.networks.acoustic_config`."""
STD_FLOOR = 1e-3
"""As in `asr.audio.features`."""
JOINED_FRAMES = 2000
"""Longest pair of joined utterances, as in `asr.training.speech_dataset`."""
SPARE_FRAMES = 4
"""As in `asr.training.speech_dataset`."""
BUCKET_BATCHES = 50
"""Batches in a bucket, which is sorted by length."""
LOSS_STEPS = 20
"""Steps between two looks at the loss: each look waits for the GPU."""
PART_BYTES = 15 * 2**20
"""Largest file: larger weights are cut, for machines that limit the size of what is returned."""


class GpuPack:
    """The file of `asr.training.gpu_pack`, in memory.

    Attributes:
        meta: see `asr.training.gpu_pack.write_gpu_pack`.
        sha256: SHA-256 of the file.
        arrays: the other arrays by name.
        values: quantised cepstra of all utterances, int8 [frames, coefficients].
        train: number of utterances to train on, which come first; the others are the dev set.
    """

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        self.sha256 = hashlib.sha256(data).hexdigest()
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            self.arrays = {name: arrays[name] for name in arrays.files}
        self.meta = json.loads(str(self.arrays.pop("meta")))
        planes = [self.arrays.pop(name) for name in sorted(self.arrays) if "plane_" in name]
        with ThreadPoolExecutor() as pool:
            self.values = np.stack(list(pool.map(_plane, planes)), axis=1)
        self.train = int(self.meta["train"])


def _plane(packed: np.ndarray) -> np.ndarray:
    differences = np.frombuffer(zlib.decompress(packed.tobytes()), np.uint8)
    return np.cumsum(differences, dtype=np.uint8).view(np.int8)


def upload(array: np.ndarray, device: torch.device) -> torch.Tensor:
    """Copy an array to the device. The processor does not wait for a GPU that is still busy."""
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


@dataclass(frozen=True)
class PlannedBatch:
    """The utterances of a batch, longest first.

    Attributes:
        first: utterances, int64 [batch].
        second: the utterance that is joined to each, or −1; int64 [batch].
        frames: feature frames after stretching, int64 [batch].
    """

    first: np.ndarray
    second: np.ndarray
    frames: np.ndarray


class Corpus:
    """All utterances in the memory of the device; makes augmented features and labels.

    Args:
        pack: the utterances.
        device: where they are stored.
        seed: seed of the batches and the augmentation.
        augment: strengths of the augmentation, as in the configuration.
    """

    def __init__(
        self, pack: GpuPack, device: torch.device, seed: int, augment: dict[str, Any]
    ) -> None:
        self.device, self.seed, self.train = device, seed, pack.train
        self.meta, a = pack.meta, pack.arrays
        config = pack.meta["config"]
        self.features, self.augment = config["features"], augment
        self.stride, self.space = config["acoustic"]["stride"], pack.meta["space"]
        self.frames = a["frames"].astype(np.int64)
        self.copies, self.speaker = a["copies"], a["speaker"]
        self.need = a["frames_needed"].astype(np.int64)
        self.labels = _rows(a["labels"], a["label_counts"])
        self.phones = _rows(a["phones"], a["phone_counts"])
        self.counts = {"labels": a["label_counts"], "phones": a["phone_counts"]}
        # The utterances of a speaker stand together in `_order`.
        self._order = np.argsort(self.speaker[: self.train], kind="stable")
        self._group_start = np.searchsorted(self.speaker[self._order], self.speaker[: self.train])
        sizes = np.bincount(self.speaker[: self.train])
        self._group_size = sizes[self.speaker[: self.train]]

        def put(array: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(device, dtype)

        self.values = put(pack.values, torch.int8)
        self.starts = put(np.cumsum(self.frames) - self.frames, torch.int64)
        self.lengths = put(self.frames, torch.int64)
        self.mean = put(a["mean"].astype(np.float32), torch.float32)
        self.scale = put(a["scale"].astype(np.float32), torch.float32)
        self.dct, self.inverse = (put(a[n], torch.float32) for n in ("dct", "inverse"))
        self.centres = put(a["centres"], torch.float32)
        self.ids = {n: put(getattr(self, n), torch.int64) for n in ("labels", "phones")}
        self.random = torch.Generator(device)
        self.random.manual_seed(seed)

    def plan(self, epoch: int, batch: int, padded: int) -> list[PlannedBatch]:
        """The batches of an epoch, shuffled, with similar lengths in a batch.

        Args:
            epoch: the epoch; the plan is a function of the seed and the epoch alone.
            batch: most utterances in a batch.
            padded: limit of (utterances × longest) in a batch, in frames.
        """
        rng = np.random.default_rng([self.seed, epoch])
        first = rng.permutation(np.repeat(np.arange(self.train), self.copies[: self.train]))
        pick = (rng.random(len(first)) * self._group_size[first]).astype(np.int64)
        second = self._order[self._group_start[first] + pick]
        total = self.frames[first] + self.frames[second]
        # One frame more than both need: for a space, or between two equal labels.
        needed = self.need[first] + self.need[second] + 1
        joined = rng.random(len(first)) < self.augment["join"]
        joined &= (total <= JOINED_FRAMES) & (self._out(total) >= needed)
        second = np.where(joined, second, -1)
        total = np.where(joined, total, self.frames[first])
        needed = np.where(joined, needed, self.need[first])
        stretch = self.augment["stretch"]
        factor = rng.uniform(1 - stretch, 1 + stretch, len(first))
        frames = np.maximum(2, np.rint(total * factor)).astype(np.int64)
        frames = np.where(self._out(frames) < needed + SPARE_FRAMES, total, frames)
        batches = []
        for start in range(0, len(first), batch * BUCKET_BATCHES):
            bucket = np.arange(start, min(start + batch * BUCKET_BATCHES, len(first)))
            bucket = bucket[np.argsort(-frames[bucket], kind="stable")]
            begin = 0
            while begin < len(bucket):
                size = max(1, min(batch, padded // int(frames[bucket[begin]])))
                part = bucket[begin : begin + size]
                batches.append(PlannedBatch(first[part], second[part], frames[part]))
                begin += size
        return [batches[i] for i in rng.permutation(len(batches))]

    def _out(self, frames: np.ndarray) -> np.ndarray:
        return -(-frames // self.stride)

    def dev_batches(self, batch: int) -> Iterator[PlannedBatch]:
        """The dev set, longest first."""
        order = np.arange(self.train, len(self.frames))
        order = order[np.argsort(-self.frames[order], kind="stable")]
        for start in range(0, len(order), batch):
            part = order[start : start + batch]
            yield PlannedBatch(part, np.full(len(part), -1), self.frames[part])

    def batch_features(self, batch: PlannedBatch, augment: bool) -> torch.Tensor:
        """Normalised features, float32 [batch, frames, dimension], zero in the padding.

        Args:
            batch: the utterances.
            augment: whether to change them at random; lengths are in the plan.
        """
        first, second, frames = (
            upload(x, self.device) for x in (batch.first, batch.second, batch.frames)
        )
        static = self._stretched(first, second, frames, int(batch.frames.max()))
        valid = (torch.arange(static.shape[1], device=self.device) < frames[:, None])[:, :, None]
        if augment:
            static = self._augmented(static, frames, valid)
        return self._expanded(static, frames, valid, self.augment["jitter"] if augment else 0.0)

    def _stretched(
        self, first: torch.Tensor, second: torch.Tensor, frames: torch.Tensor, longest: int
    ) -> torch.Tensor:
        """Static cepstra of the joined utterances, interpolated to `frames` frames."""
        length = self.lengths[first]
        last = length + torch.where(second >= 0, self.lengths[second], 0) - 1
        time = torch.arange(longest, device=self.device)
        place = time * (last / (frames - 1).clamp(min=1))[:, None]
        low = place.floor().long().minimum(last[:, None])
        high = (low + 1).minimum(last[:, None])

        def static(position: torch.Tensor) -> torch.Tensor:
            inside = position < length[:, None]
            utterance = torch.where(inside, first[:, None], second[:, None])
            row = self.starts[utterance] + position - torch.where(inside, 0, length[:, None])
            return self.values[row] * self.scale[utterance] + self.mean[utterance]

        share = (place - low).clamp(0, 1)[:, :, None]
        return static(low) * (1 - share) + static(high) * share

    def _uniform(self, low: float, high: float, count: int) -> torch.Tensor:
        drawn = torch.rand(count, generator=self.random, device=self.device)
        return low + (high - low) * drawn

    def _augmented(
        self, static: torch.Tensor, frames: torch.Tensor, valid: torch.Tensor
    ) -> torch.Tensor:
        """As `asr.audio.augmentation.CepstralAugmenter`."""
        c, count = self.augment, len(static)
        energies = static @ self.inverse
        changed = energies
        if c["warp"]:
            factors = self._uniform(1 - c["warp"], 1 + c["warp"], count)
            changed = changed @ self._warps(factors)
        if c["frame_noise"]:
            chosen = self._uniform(0, 1, count) < c["frame_noise"]
            noise = self._noise(changed, frames, valid)
            changed = torch.where(chosen[:, None, None], changed.logaddexp(noise), changed)
        if c["band_limit"]:
            chosen = self._uniform(0, 1, count) < c["band_limit"]
            above = chosen[:, None] & (self.centres > self._uniform(3400, 4000, count)[:, None])
            changed = changed.masked_fill(above[:, None, :], np.log(self.features["log_floor"]))
        if c["time_masks"] or c["band_masks"]:
            changed = self._masked(changed, frames, valid)
        return static + (changed - energies) @ self.dct

    def _warps(self, factors: torch.Tensor) -> torch.Tensor:
        """A matrix for each utterance that moves energies between filters, [batch, mels, mels]."""
        centres, mels = self.centres, len(self.centres)
        wanted = (centres * factors[:, None]).clamp(centres[0], centres[-1])
        low = (torch.searchsorted(centres, wanted.contiguous(), right=True) - 1).clamp(0, mels - 2)
        share = (wanted - centres[low]) / (centres[low + 1] - centres[low])
        matrix = torch.zeros(len(factors), mels, mels, device=self.device)
        matrix.scatter_(1, low[:, None, :], (1 - share)[:, None, :])
        return matrix.scatter_(1, low[:, None, :] + 1, share[:, None, :])

    def _noise(
        self, energies: torch.Tensor, frames: torch.Tensor, valid: torch.Tensor
    ) -> torch.Tensor:
        level = energies.mean(dim=2).masked_fill(~valid[:, :, 0], -torch.inf).sort(dim=1).values
        # The frames that are valid come last.
        at = level.shape[1] - frames + (0.95 * (frames - 1)).round().long()
        loud = level.gather(1, at[:, None])
        count, _, mels = energies.shape
        level = loud - self._uniform(5, 30, count)[:, None] * (np.log(10) / 10)
        tilt = 1.5 * torch.randn(count, 1, generator=self.random, device=self.device)
        slope = tilt * torch.linspace(-1, 1, mels, device=self.device)
        shape = energies.shape
        rough = 0.5 * torch.randn(shape, generator=self.random, device=self.device)
        return (level + slope)[:, None, :] + rough

    def _masked(
        self, energies: torch.Tensor, frames: torch.Tensor, valid: torch.Tensor
    ) -> torch.Tensor:
        c, (count, length, mels) = self.augment, energies.shape
        mean = (energies * valid).sum(dim=1, keepdim=True) / frames[:, None, None]

        def stretch(size: torch.Tensor, limit: torch.Tensor, places: int) -> torch.Tensor:
            width = (self._uniform(0, 1, count) * (limit + 1)).long()
            start = (self._uniform(0, 1, count) * (size - width + 1)).long()
            place = torch.arange(places, device=self.device)
            return (place >= start[:, None]) & (place < (start + width)[:, None])

        for _ in range(c["time_masks"]):
            limit = (frames // 5).clamp(max=c["time_mask_frames"])
            mask = stretch(frames, limit, length)[:, :, None]
            energies = torch.where(mask, mean, energies)
        for _ in range(c["band_masks"]):
            size = torch.full_like(frames, mels)
            mask = stretch(size, torch.full_like(frames, c["band_mask_mels"]), mels)[:, None, :]
            energies = torch.where(mask, mean, energies)
        return energies

    def _expanded(
        self, static: torch.Tensor, frames: torch.Tensor, valid: torch.Tensor, jitter: float
    ) -> torch.Tensor:
        """Deltas, normalisation and noise, as `asr.audio.features.expand`."""
        c = self.features
        time = torch.arange(static.shape[1], device=self.device)
        last = (frames - 1)[:, None]

        def delta(x: torch.Tensor) -> torch.Tensor:
            def shifted(n: int) -> torch.Tensor:
                index = (time + n).clamp(min=0).minimum(last)
                return x.gather(1, index[:, :, None].expand_as(x))

            offsets = range(1, c["delta_width"] + 1)
            slopes = [n * (shifted(n) - shifted(-n)) for n in offsets]
            return torch.stack(slopes).sum(dim=0) / (2 * sum(n * n for n in offsets))

        parts = [static]
        for _ in range(c["deltas"]):
            parts.append(delta(parts[-1]))
        x = torch.cat(parts, dim=2)
        total = frames[:, None, None]
        if c["normalise"] != "none":
            x = (x - (x * valid).sum(dim=1, keepdim=True) / total) * valid
        if c["normalise"] == "mean_variance":
            x = x / (x.square().sum(dim=1, keepdim=True) / total).sqrt().clamp(min=STD_FLOOR)
        if jitter:
            x = x + jitter * torch.randn(x.shape, generator=self.random, device=self.device)
        return x * valid

    def batch_ids(self, name: str, batch: PlannedBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """Label ids of a batch, int64 [batch, labels], and their numbers, int64 [batch] on the CPU.

        Args:
            name: "labels" or "phones". Joined labels have a space between them.
            batch: the utterances.
        """
        ids, counts = self.ids[name], self.counts[name].astype(np.int64)
        joined = batch.second >= 0
        gap = joined & (name == "labels" and self.space is not None)
        one, two = counts[batch.first], np.where(joined, counts[batch.second], 0)
        total = one + gap + two
        place = np.arange(max(int(total.max()), 1))
        behind = place - (one + gap)[:, None]
        row = np.where(behind >= 0, batch.second[:, None], batch.first[:, None])
        column = np.where(behind >= 0, behind, place).clip(0, ids.shape[1] - 1)
        between = gap[:, None] & (place == one[:, None])
        at, column, spaces = (upload(x, self.device) for x in (row, column, between))
        chosen = ids[at, column]
        return chosen.masked_fill(spaces, self.space or 0), torch.from_numpy(total)


def _rows(ids: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Ids of all utterances, one behind the other → int16 [utterances, most ids]."""
    rows = np.zeros([len(counts), max(int(counts.max(initial=0)), 1)], np.int16)
    rows[np.arange(rows.shape[1]) < counts[:, None]] = ids
    return rows


class TorchAcoustic(torch.nn.Module):
    """The network of `asr.networks.acoustic.AcousticModel` with stacked frames and LSTM layers.

    Args:
        acoustic: the key `acoustic` of the configuration.
        dimension: number of features in a frame.
        heads: number of labels of each head, by name.
    """

    def __init__(self, acoustic: dict[str, Any], dimension: int, heads: dict[str, int]) -> None:
        super().__init__()
        self.stride, self.dropout = acoustic["stride"], acoustic["dropout"]
        units, both = acoustic["units"], acoustic["bidirectional"]
        width = units * (2 if both else 1)
        sizes = [self.stride * dimension] + [width] * (acoustic["layers"] - 1)
        self.recurrent = torch.nn.ModuleList(
            torch.nn.LSTM(size, units, bidirectional=both) for size in sizes
        )
        self.norms = torch.nn.ModuleList(torch.nn.LayerNorm(width, NORM_EPSILON) for _ in sizes)
        self.heads = torch.nn.ModuleDict({n: torch.nn.Linear(width, k) for n, k in heads.items()})
        for layer in self.recurrent:
            for name, weight in layer.named_parameters():
                if name.startswith("weight_ih"):
                    torch.nn.init.xavier_uniform_(weight)
                elif name.startswith("weight_hh"):
                    torch.nn.init.orthogonal_(weight)
                else:
                    torch.nn.init.zeros_(weight)
                    # cuDNN adds two biases and Keras has one: the second stays zero.
                    weight.requires_grad = name.startswith("bias_ih")
                    if weight.requires_grad:
                        weight.data[units : 2 * units] = 1.0  # of the forget gate
        for head in self.heads.values():
            torch.nn.init.xavier_uniform_(head.weight)
            torch.nn.init.zeros_(head.bias)

    def forward(self, features: torch.Tensor, frames: np.ndarray) -> dict[str, torch.Tensor]:
        """Logits of each head, float32 [frames', batch, labels], zero in the padding.

        Args:
            features: [batch, frames, dimension], zero in the padding.
            frames: frames of each utterance, the longest first.
        """
        out = -(-frames // self.stride)
        count, length, dimension = features.shape
        steps = int(out[0])
        x = functional.pad(features, (0, 0, 0, steps * self.stride - length))
        x = x.reshape(count, steps, self.stride * dimension).transpose(0, 1)
        # Only valid steps, in the order of a PackedSequence: padding is never computed.
        valid = np.arange(steps)[:, None] < out
        places = upload(np.flatnonzero(valid), features.device)
        sizes = torch.from_numpy(valid.sum(axis=1))
        x = x.reshape(steps * count, -1)[places]
        for layer, norm in zip(self.recurrent, self.norms, strict=True):
            x = norm(layer(PackedSequence(x, sizes))[0].data)
            x = functional.dropout(x, self.dropout, self.training)
        return {
            name: head.weight.new_zeros(steps * count, head.out_features)
            .index_copy(0, places, head(x))
            .view(steps, count, -1)
            for name, head in self.heads.items()
        }

    def keras_arrays(self) -> dict[str, np.ndarray]:
        """The weights by the paths that `weights.npz` has, float32."""
        arrays: dict[str, torch.Tensor] = {}
        for i, (layer, norm) in enumerate(zip(self.recurrent, self.norms, strict=True)):
            ends = ("", "_reverse") if layer.bidirectional else ("",)

            def stacked(*names: str, layer: Any = layer, ends: Any = ends) -> torch.Tensor:
                return torch.stack(
                    [
                        sum(getattr(layer, f"{name}_l0{end}").movedim(0, -1) for name in names)
                        for end in ends
                    ]
                )

            path = f"acoustic/stack/lstm_{i}"
            arrays[f"{path}/kernel"] = stacked("weight_ih")
            arrays[f"{path}/recurrent_kernel"] = stacked("weight_hh")
            arrays[f"{path}/bias"] = stacked("bias_ih", "bias_hh")
            arrays[f"acoustic/stack/norm_{i}/gamma"] = norm.weight
            arrays[f"acoustic/stack/norm_{i}/beta"] = norm.bias
        for name, head in self.heads.items():
            arrays[f"acoustic/{name}/kernel"] = head.weight.T
            arrays[f"acoustic/{name}/bias"] = head.bias
        return {path: array.detach().float().cpu().numpy() for path, array in arrays.items()}

    def load_keras_arrays(self, arrays: dict[str, np.ndarray]) -> None:
        """Assign weights by the paths that `weights.npz` has.

        Raises:
            ValueError: a weight is missing, is left over or has another shape.
        """
        own = {path: array.shape for path, array in self.keras_arrays().items()}
        given = {path: array.shape for path, array in arrays.items()}
        if own != given:
            wrong = sorted(p for p in own.keys() | given.keys() if own.get(p) != given.get(p))
            raise ValueError("weights do not fit the network: " + ", ".join(wrong))

        def put(target: torch.Tensor, array: np.ndarray) -> None:
            target.copy_(torch.from_numpy(np.array(array, np.float32)))

        with torch.no_grad():
            for i, (layer, norm) in enumerate(zip(self.recurrent, self.norms, strict=True)):
                for d, end in enumerate(("", "_reverse") if layer.bidirectional else ("",)):
                    path = f"acoustic/stack/lstm_{i}"
                    put(getattr(layer, f"weight_ih_l0{end}"), arrays[f"{path}/kernel"][d].T)
                    recurrent = arrays[f"{path}/recurrent_kernel"][d].T
                    put(getattr(layer, f"weight_hh_l0{end}"), recurrent)
                    put(getattr(layer, f"bias_ih_l0{end}"), arrays[f"{path}/bias"][d])
                    getattr(layer, f"bias_hh_l0{end}").zero_()
                put(norm.weight, arrays[f"acoustic/stack/norm_{i}/gamma"])
                put(norm.bias, arrays[f"acoustic/stack/norm_{i}/beta"])
            for name, head in self.heads.items():
                put(head.weight, arrays[f"acoustic/{name}/kernel"].T)
                put(head.bias, arrays[f"acoustic/{name}/bias"])


def ctc_losses(
    logits: torch.Tensor,
    frames: torch.Tensor,
    labels: torch.Tensor,
    counts: torch.Tensor,
    smoothing: float,
) -> torch.Tensor:
    """As `asr.ctc.loss`: [batch], from logits [frames, batch, labels].

    `frames` and `counts` are on the CPU, where PyTorch reads them.
    """
    logs = logits.float().log_softmax(dim=2)
    losses = functional.ctc_loss(logs, labels, frames, counts, blank=0, reduction="none")
    if not smoothing:
        return losses
    valid = torch.arange(len(logs))[:, None] < frames
    uniform = -(logs.mean(dim=2) * valid.to(logs.device)).sum(dim=0)
    return (1 - smoothing) * losses + smoothing * uniform


def best_path(logits: torch.Tensor, frames: Sequence[int]) -> list[list[int]]:
    """Greedy decoding of logits [frames, batch, labels]."""
    found = []
    for row, length in zip(logits.argmax(dim=2).T.cpu().numpy(), frames, strict=True):
        ids = row[:length]
        kept = ids[np.diff(ids, prepend=-1) != 0]
        found.append([int(i) for i in kept if i])
    return found


def edit_distance(reference: Sequence[Any], found: Sequence[Any]) -> int:
    """Fewest insertions, deletions and substitutions between two sequences."""
    known = {item: i for i, item in enumerate(dict.fromkeys([*reference, *found]))}
    a, b = ([known[item] for item in items] for items in (reference, found))
    places, other = np.arange(len(b) + 1), np.array(b, np.int64)
    row = places.copy()
    for item in a:
        best = np.minimum(row[:-1] + (other != item), row[1:] + 1)
        row = np.minimum.accumulate(np.concatenate([[row[0] + 1], best]) - places) + places
    return int(row[-1])


class GpuTraining:
    """A training that ends in time, and writes what it has learned once a minute.

    Args:
        pack: the data.
        options: the parsed command line.
    """

    def __init__(self, pack: GpuPack, options: argparse.Namespace) -> None:
        self.pack, self.options, config = pack, options, pack.meta["config"]
        self.device = torch.device(options.device)
        torch.manual_seed(options.seed)
        # cuDNN's LSTM has no bfloat16 in PyTorch. TF32 has its speed and the range of float32.
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        self.acoustic = dict(config["acoustic"])
        self.augment = changed_augment(config["augment"], options.augment)
        for key in ("units", "layers", "dropout"):
            if getattr(options, key) is not None:
                self.acoustic[key] = getattr(options, key)
        self.rate = options.learning_rate or config["training"]["learning_rate"]
        self.average = options.average or config["training"]["average"]
        self.clip, self.smoothing = config["training"]["clip_norm"], config["label_smoothing"]
        self.corpus = Corpus(pack, self.device, options.seed, self.augment)
        network = TorchAcoustic(self.acoustic, pack.meta["dimension"], pack.meta["heads"])
        if options.initial:
            with np.load(options.initial, allow_pickle=False) as arrays:
                network.load_keras_arrays(dict(arrays))
        self.network = network.to(self.device)
        self.averaged = copy.deepcopy(self.network).eval().requires_grad_(False)
        for layer in self.averaged.recurrent:
            layer.flatten_parameters()  # otherwise cuDNN copies them together in each call
        trained = [p for p in self.network.parameters() if p.requires_grad]
        decay = config["training"]["weight_decay"]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": [p for p in trained if p.ndim > 1], "weight_decay": decay},
                {"params": [p for p in trained if p.ndim == 1], "weight_decay": 0.0},
            ],
            lr=self.rate,
            eps=1e-7,  # as in Keras
            fused=self.device.type == "cuda",
        )
        self.step = self.epoch = self.batch = 0
        self.seconds = self.heard = 0.0
        self.history: list[dict[str, Any]] = []
        self.started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

    @property
    def progress(self) -> float:
        """Share of the training that is over."""
        o = self.options
        return max(self.seconds / (60 * o.minutes), self.step / o.steps if o.steps else 0.0)

    def learning_rate(self) -> float:
        """A linear rise, then a cosine to zero."""
        warmup = self.options.warmup
        if self.progress < warmup:
            return self.rate * max(self.progress, 1e-3) / warmup
        turn = np.pi * (self.progress - warmup) / (1 - warmup)
        return float(self.rate * 0.5 * (1 + np.cos(turn)))

    def train(self) -> None:
        """Train until the time is over.

        Raises:
            RuntimeError: the loss is not finite.
        """
        o = self.options
        begun, before = time.monotonic(), self.seconds
        reported, losses = self.seconds, []
        while self.progress < 1:
            plan = self.corpus.plan(self.epoch, o.batch, o.padded or 400 * o.batch)
            for batch in plan[self.batch :]:
                losses.append(self._train_on(batch))
                self.step, self.batch = self.step + 1, self.batch + 1
                self.heard += float(batch.frames.sum()) * self.corpus.meta["frame_seconds"]
                if self.step % LOSS_STEPS == 0 and not torch.isfinite(losses[-1]):
                    raise RuntimeError(
                        f"step {self.step}: the loss is not finite; lower --learning-rate. The "
                        f"weights of the last report are in {o.out}"
                    )
                self.seconds = before + time.monotonic() - begun
                if self.seconds - reported > o.report or self.progress >= 1:
                    self.report(float(torch.stack(losses).mean()))
                    self.seconds = reported = before + time.monotonic() - begun
                    losses = []
                if self.progress >= 1:
                    return
            self.epoch, self.batch = self.epoch + 1, 0

    def _train_on(self, batch: PlannedBatch) -> torch.Tensor:
        self.network.train()
        with torch.no_grad():
            features = self.corpus.batch_features(batch, augment=True)
        frames = torch.from_numpy(-(-batch.frames // self.corpus.stride))
        loss = torch.zeros([], device=self.device)
        for name, logits in self.network(features, batch.frames).items():
            ids, counts = self.corpus.batch_ids("labels" if name == "head" else name, batch)
            loss = loss + ctc_losses(logits, frames, ids, counts, self.smoothing).mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate()
        self.optimizer.step()
        decay = min(self.average, (2 + self.step) / (11 + self.step))
        with torch.no_grad():
            for average, weight in zip(
                self.averaged.parameters(), self.network.parameters(), strict=True
            ):
                average.lerp_(weight, 1 - decay)
        return loss.detach()

    @torch.no_grad()
    def dev_scores(self) -> dict[str, float]:
        """Word, character and phone error rates of greedy decoding with the averaged weights."""
        spelled = self.pack.meta["labels"]

        def text(ids: Sequence[int]) -> str:
            return "".join(spelled[int(i)] for i in ids).strip()

        wrong = {"wer": 0, "cer": 0, "per": 0}
        total = dict.fromkeys(wrong, 0)

        def count(score: str, reference: Sequence[Any], found: Sequence[Any]) -> None:
            wrong[score] += edit_distance(reference, found)
            total[score] += len(reference)

        for batch in self.corpus.dev_batches(128):
            features = self.corpus.batch_features(batch, augment=False)
            outputs = self.averaged(features, batch.frames)
            out = -(-batch.frames // self.corpus.stride)
            for i, ids in zip(batch.first, best_path(outputs["head"], out), strict=True):
                labels = self.corpus.labels[i][: self.corpus.counts["labels"][i]]
                reference, found = text(labels), text(ids)
                count("wer", reference.split(), found.split())
                count("cer", reference, found)
            if "phones" in outputs:
                for i, ids in zip(batch.first, best_path(outputs["phones"], out), strict=True):
                    phones = self.corpus.phones[i][: self.corpus.counts["phones"][i]]
                    count("per", phones.tolist(), ids)
        scores = {f"dev_{name}": wrong[name] / max(total[name], 1) for name in wrong}
        if "phones" not in self.pack.meta["heads"]:
            del scores["dev_per"]
        return {**scores, "error": scores["dev_wer"] + scores["dev_cer"]}

    def report(self, loss: float) -> None:
        """Evaluate; write the history, and the weights if they are the best so far."""
        row = {
            "epoch": self.epoch + 1,
            "step": self.step,
            "loss": loss,
            "learning_rate": self.learning_rate(),
            "seconds": self.seconds,
            "x_realtime": self.heard / max(self.seconds, 1e-9),
            **self.dev_scores(),
        }
        self.history.append(row)
        print(json.dumps(row), flush=True)
        out = Path(self.options.out)
        lines = "".join(json.dumps(r) + "\n" for r in self.history)
        _write(out / "history.jsonl", lines.encode())
        if row["error"] <= min(r["error"] for r in self.history):
            self._keep(row, out)
        if self.options.checkpoint:
            self._save(Path(self.options.checkpoint))

    def _keep(self, row: dict[str, Any], out: Path) -> None:
        buffer = io.BytesIO()
        arrays = self.averaged.keras_arrays()
        np.savez_compressed(buffer, **{n: a.astype(np.float16) for n, a in arrays.items()})
        data = buffer.getvalue()
        older = list(out.glob("weights-*"))
        names = []
        for start in range(0, len(data), PART_BYTES):
            names.append(f"weights-{len(self.history):04d}-{start // PART_BYTES}.npz")
            _write(out / names[-1], data[start : start + PART_BYTES])
        gpu = torch.cuda.get_device_name() if self.device.type == "cuda" else "CPU"
        result = {
            "weights": names,
            "weights_sha256": hashlib.sha256(data).hexdigest(),
            "pack_sha256": self.pack.sha256,
            "acoustic": self.acoustic,
            "augment": self.augment,
            "seed": self.options.seed,
            "started": self.started,
            "command": shlex.join([Path(sys.argv[0]).name, *self.options.arguments]),
            "training": {
                "learning_rate": self.rate,
                "average": self.average,
                "batch_size": self.options.batch,
            },
            "minutes": self.seconds / 60,
            "hours_heard": self.heard / 3600,
            "device": gpu,
            "torch": torch.__version__,
            "best": row,
        }
        # The old weights go when the new description is there: at any time, one pair is complete.
        _write(out / "result.json", (json.dumps(result, indent=2) + "\n").encode())
        for path in older:
            if path.name not in names:
                path.unlink()

    def _save(self, path: Path) -> None:
        buffer = io.BytesIO()
        state = {name: getattr(self, name) for name in _POSITION}
        modules = {name: getattr(self, name).state_dict() for name in _MODULES}
        random = [torch.get_rng_state(), self.corpus.random.get_state()]
        torch.save({**state, **modules, "random": random, "pack": self.pack.sha256}, buffer)
        _write(path, buffer.getvalue())

    def resume(self, path: Path) -> None:
        """Continue from a checkpoint of the same data and network.

        Raises:
            ValueError: it was made with other data.
        """
        saved = torch.load(path, map_location=self.device, weights_only=True)
        if saved["pack"] != self.pack.sha256:
            raise ValueError(f"{path}: was made with other data; give another --checkpoint")
        for name in _POSITION:
            setattr(self, name, saved[name])
        for name in _MODULES:
            getattr(self, name).load_state_dict(saved[name])
        torch.set_rng_state(saved["random"][0].cpu())
        self.corpus.random.set_state(saved["random"][1].cpu())


_POSITION = ("started", "step", "epoch", "batch", "seconds", "heard", "history")
_MODULES = ("network", "averaged", "optimizer")


def _write(path: Path, data: bytes) -> None:
    """Write a file under a temporary name, then rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(data)
    os.replace(temporary, path)


IN_CEPSTRA = {
    **dict.fromkeys(("stretch", "warp", "band_limit", "frame_noise", "join", "jitter"), float),
    **dict.fromkeys(("time_masks", "time_mask_frames", "band_masks", "band_mask_mels"), int),
}
"""Keys of `augment` that the training here obeys, and their types."""


def changed_augment(augment: dict[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """The key `augment` of the configuration after changes such as "time_masks=2".

    Raises:
        ValueError: a change has no such key, or no number.
    """
    changed = dict(augment)
    for change in changes:
        key, _, value = change.partition("=")
        if key not in IN_CEPSTRA:
            raise ValueError(f"--augment {change}: KEY=NUMBER, with one of {', '.join(IN_CEPSTRA)}")
        changed[key] = IN_CEPSTRA[key](value)
    return changed


def parse_options(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("pack", type=Path, help="file of pipelines/pack_for_gpu.py")
    add("--out", required=True, help="folder of the weights and the history")
    add("--minutes", type=float, default=9.0, help="length of the training; default: %(default)s")
    add("--steps", type=int, default=0, help="end after this many batches; default: by time")
    add("--initial", help="weights.npz of a model to start from; default: random weights")
    add("--units", type=int, help="units of a direction; default: of the configuration")
    add("--layers", type=int, help="recurrent layers; default: of the configuration")
    add("--dropout", type=float, help="share of outputs to drop; default: of the configuration")
    strengths = "strengths such as time_masks=2 jitter=0.2; default: of the configuration"
    add("--augment", nargs="*", default=[], metavar="KEY=NUMBER", help=strengths)
    add("--batch", type=int, default=256, help="most utterances in a batch; default: %(default)s")
    add("--padded", type=int, default=0, help="most frames in a batch; default: 400 × --batch")
    add("--learning-rate", type=float, help="peak of AdamW; default: of the configuration")
    add("--average", type=float, help="decay of averaged weights; default: of the configuration")
    add("--warmup", type=float, default=0.03, help="share of the training; default: %(default)s")
    add("--report", type=float, default=60.0, help="seconds between reports; default: %(default)s")
    add("--checkpoint", help="file to continue from, written at each report; default: none")
    add("--seed", type=int, default=1, help="seed of everything random; default: %(default)s")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    add("--device", default=device, help="cuda or cpu; default here: %(default)s")
    options = parser.parse_args(arguments)
    options.arguments = list(arguments)
    return options


def main(arguments: Sequence[str]) -> GpuTraining:
    """Train as the command line says; returns the finished training."""
    options = parse_options(arguments)
    training = GpuTraining(GpuPack(options.pack), options)
    if options.checkpoint and Path(options.checkpoint).is_file():
        training.resume(Path(options.checkpoint))
    training.train()
    return training


if __name__ == "__main__":
    main(sys.argv[1:])
