"""`write_gpu_pack`: the data of a training in one small file, for `asr.training.torch_training`.

The file is small enough to travel to a machine that has a GPU for some minutes: half an hour of
speech takes a megabyte.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from asr.audio.augmentation import CepstralAugmenter
from asr.audio.quantised_cepstra import QuantisedCepstra
from asr.base.files import atomic_write
from asr.data.manifest import count_by_teacher
from asr.errors import ConfigError
from asr.training.speech_dataset import Example, SpeechDataset
from asr.training.train_recognizer import (
    FEATURE_CACHE,
    RecognizerData,
    RecognizerExperimentConfig,
)
from asr.training.training_run import hash_data, training_record


@dataclass(frozen=True)
class GpuPackReport:
    """What `write_gpu_pack` wrote.

    Attributes:
        path: the file.
        sha256: its SHA-256.
        size: its bytes.
        train, dev: number of utterances.
        hours: hours of speech, the dev set included.
        error: root mean square of the quantisation error, in standard deviations of a coefficient.
    """

    path: Path
    sha256: str
    size: int
    train: int
    dev: int
    hours: float
    error: float

    def __str__(self) -> str:
        return (
            f"{self.path}: {self.train} utterances and {self.dev} of the dev set, {self.hours:.2f} "
            f"hours, {self.size / 1e6:.1f} MB, quantisation error {self.error:.3f} standard "
            f"deviations, SHA-256 {self.sha256}"
        )


def write_gpu_pack(
    config: RecognizerExperimentConfig,
    data: Path,
    out: Path,
    step: float = 0.25,
    say: Callable[[str], None] = print,
) -> GpuPackReport:
    """Write features, labels and settings of a training.

    The file is an .npz: `meta` is a JSON object with the configuration, the training record, the
    spelling of the labels and the sizes of the heads; `plane_00`… and `mean`, `scale` and `frames`
    are `QuantisedCepstra`; the other arrays have a row for each utterance, or label ids of all
    utterances one behind the other. The same data give the same file.

    Args:
        config: what to train, and on what.
        data: folder that the manifests' paths are relative to.
        out: the file to write.
        step: see `QuantisedCepstra.encode`; default: 0.25, an error of 0.07 standard deviations.
        say: receives messages for the user, such as the utterances that are left out.

    Raises:
        ConfigError: the configuration has a setting that the training in PyTorch has not.
        AsrError: the configuration or a manifest is wrong.
    """
    _check(config)
    read = RecognizerData.read(config, data, say)
    config, tokenizer = read.config, read.tokenizer
    dev = SpeechDataset(
        read.dev,
        tokenizer,
        config.features,
        config.acoustic,
        None,
        config.training.seed,
        speller=read.speller,
        cache=data / FEATURE_CACHE,
    )
    for problem in dev.skipped:
        say(f"left out of the dev set: {problem}")
    # A manifest that is repeated has the same utterance objects again: they are stored once.
    places: dict[int, list[int]] = {}
    for i, example in enumerate(read.train.examples):
        places.setdefault(id(example.utterance), []).append(i)
    once = [copies[0] for copies in places.values()]
    examples = [*(read.train.examples[i] for i in once), *dev.examples]
    statics = [*map(read.train.static, once), *map(dev.static, range(len(dev)))]
    quantised = QuantisedCepstra.encode(statics, step)
    hours = sum(e.utterance.duration for e in read.train.examples) / 3600
    content = {"features and labels": read.train.digest()}
    teachers = count_by_teacher(e.utterance for e in read.train.examples)
    record = training_record(config, hash_data(config, data, content), read.train, hours, teachers)
    heads = config.acoustic.head_layout(len(tokenizer)).sizes
    meta = {
        "config": record["config"],
        "record": {k: v for k, v in record.items() if k != "started"},
        "labels": tokenizer.spellings,
        "space": tokenizer.space,
        "heads": heads,
        "dimension": config.features.dimension,
        "frame_seconds": 1 / config.features.frames_per_second,
        "train": len(once),
        "quantisation_error": quantised.error.round(4).tolist(),
    }
    augmenter = CepstralAugmenter(config.features, config.augment)
    arrays: dict[str, Any] = {
        "meta": np.array(json.dumps(meta, sort_keys=True)),
        **{"frames": quantised.frames, "mean": quantised.mean, "scale": quantised.scale},
        **{f"plane_{i:02}": np.frombuffer(p, np.uint8) for i, p in enumerate(quantised.planes)},
        **_ids("label", [e.labels for e in examples]),
        **_ids("phone", [e.phones for e in examples]),
        "frames_needed": np.array([e.frames_needed for e in examples], np.int32),
        "copies": np.array([*map(len, places.values()), *[1] * len(dev)], np.int16),
        "speaker": _speakers(examples),
        **{"dct": augmenter.dct, "inverse": augmenter.inverse, "centres": augmenter.centres},
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    with atomic_write(out, binary=True) as file:
        file.write(buffer.getvalue())
    return GpuPackReport(
        path=out,
        sha256=hashlib.sha256(buffer.getvalue()).hexdigest(),
        size=buffer.getbuffer().nbytes,
        train=len(once),
        dev=len(dev),
        hours=float(quantised.frames.sum()) / config.features.frames_per_second / 3600,
        error=float(np.sqrt(np.mean(quantised.error**2))),
    )


def _check(config: RecognizerExperimentConfig) -> None:
    """Raise a `ConfigError` that names a setting that the training in PyTorch has not."""
    acoustic = config.acoustic
    for key, value, known in (
        ("acoustic.front", acoustic.front, "stack"),
        ("acoustic.cell", acoustic.cell, "lstm"),
        ("acoustic.norm", acoustic.norm, "layer"),
        ("acoustic.look_ahead", acoustic.look_ahead, 0),
        ("augment.copies", config.augment.copies, 0),
        ("data.balance", config.data.balance, 0),
        ("minimum_word_error", "given" if config.minimum_word_error else "none", "none"),
        ("distillation", "given" if config.distillation else "none", "none"),
    ):
        if value != known:
            raise ConfigError(
                f"{key}: {value}: a training in PyTorch has only {known}; change the key, or use "
                "asr train"
            )


def _ids(name: str, rows: Sequence[Sequence[int]]) -> dict[str, np.ndarray]:
    counts = np.array([len(row) for row in rows], np.int32)
    ids = np.array([i for row in rows for i in row], np.int16)
    return {f"{name}s": ids, f"{name}_counts": counts}


def _speakers(examples: Sequence[Example]) -> np.ndarray:
    """A number for each speaker; utterances without one share a number, as in `SpeechDataset`."""
    numbers: dict[str | None, int] = {}
    speakers = [numbers.setdefault(e.utterance.speaker, len(numbers)) for e in examples]
    return np.array(speakers, np.int32)
