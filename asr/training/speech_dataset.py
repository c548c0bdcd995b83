"""Training data: utterances → augmented features → batches of like length, the same every time.

Everything random is a function of (seed, epoch, utterance), never of what was read before: so a
resumed run sees exactly the batches that an uninterrupted one would have seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from asr import ctc
from asr.audio.augmentation import AugmentConfig, CepstralAugmenter, perturb
from asr.audio.feature_cache import FeatureCache
from asr.audio.features import FeatureConfig, expand, load_features, mfcc
from asr.audio.reading import read_audio
from asr.base.batching import pad, prefetched, shuffled_batches
from asr.base.progress import track
from asr.data.manifest import Utterance
from asr.errors import AsrError, TextError
from asr.pronunciation.phone_speller import PhoneSpeller
from asr.text.tokenizers import Tokenizer

if TYPE_CHECKING:
    from asr.base.tensorflow import tf
    from asr.networks.acoustic_config import AcousticConfig

JOINED_SECONDS = 20.0
"""Two utterances that are joined at most: a window of a long recording (`asr.decoding.longform`)."""
SLACK = 4
"""Frames an augmented utterance must keep beyond the fewest that can hold its labels."""


@dataclass(frozen=True)
class Example:
    """An utterance ready for training; `labels` are its CTC label ids, `phones` those of a
    network's second head, if it has one."""

    utterance: Utterance
    labels: tuple[int, ...]
    phones: tuple[int, ...] = ()

    @property
    def frames_needed(self) -> int:
        """Fewest output frames that can hold it."""
        return max(ctc.frames_needed(self.labels), ctc.frames_needed(self.phones))


@dataclass(frozen=True)
class Batch:
    """Padded arrays; `indices` [batch] say which examples these are.

    features: float32 [batch, frames, dimension]; lengths: int32 [batch]; labels: int32
    [batch, units]; label_lengths: int32 [batch]; phones, phone_lengths: the same of a second head,
    of length 0 where there is none; weights: float32 [batch], each 1 / batch, so that
    replicas which get unequal shares still add up to the mean.
    """

    features: np.ndarray
    lengths: np.ndarray
    labels: np.ndarray
    label_lengths: np.ndarray
    phones: np.ndarray
    phone_lengths: np.ndarray
    indices: np.ndarray
    weights: np.ndarray


class SpeechDataset:
    """Examples with cached static features; makes any epoch's batches.

    Utterances that cannot be trained on (unreadable, text outside the alphabet, more labels than
    frames) are left out and listed, with the reason, in `skipped`.

    Args:
        epoch_hours, balance: see `asr.training.train_recognizer.DataConfig`.
        cache: folder of a `FeatureCache`; None for none.

    Raises:
        TextError: none is left.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        tokenizer: Tokenizer,
        features: FeatureConfig,
        acoustic: AcousticConfig,
        augment: AugmentConfig | None,
        seed: int,
        phones: PhoneSpeller | None = None,
        epoch_hours: float = 0.0,
        balance: float = 0.0,
        cache: Path | None = None,
    ) -> None:
        self.features, self.acoustic = features, acoustic
        self.epoch_hours, self.balance = epoch_hours, balance
        self.space, self.phones = tokenizer.space, phones
        self.augment, self.seed = augment, seed
        self.warper = CepstralAugmenter(features, augment) if augment else None
        self.examples: list[Example] = []
        self._cache: dict[tuple[int, int], np.ndarray] = {}
        self._recordings = FeatureCache(cache, features)
        skipped: list[str] = []
        for utterance in track(utterances, len(utterances), "reading"):
            try:
                self._add(utterance, tokenizer)
            except AsrError as error:
                skipped.append(str(error))
        self.skipped = tuple(skipped)
        self._by_speaker: dict[str | None, list[int]] = {}
        for i, example in enumerate(self.examples):
            self._by_speaker.setdefault(example.utterance.speaker, []).append(i)
        if not self.examples:
            listed = "\n  ".join(skipped[:20])
            raise TextError(f"no utterance can be trained on:\n  {listed}")

    def _add(self, utterance: Utterance, tokenizer: Tokenizer) -> None:
        """Read an utterance, whose features every epoch needs, and check that it can be learnt."""
        name = str(utterance.path)
        labels = tuple(tokenizer.encode(utterance.text, name))
        if not labels:
            raise TextError(f"{name}: no text is left after normalising")
        phones = self.phones(tokenizer.normalise(utterance.text)) if self.phones else ()
        example = Example(utterance, labels, phones)
        if utterance.audio_filepath is None:
            static = load_features(utterance.path, self.features)
        else:
            static = self._recordings.static(utterance.audio_filepath)
        frames, needed = self.acoustic.frames(len(static)), example.frames_needed
        if frames < needed:
            said = f"{len(labels)} labels" + (f" or {len(phones)} phones" if phones else "")
            raise TextError(
                f"{name}: {frames} frames of {self.acoustic.stride} features, its {said} need "
                f"{needed}"
            )
        self._cache[len(self.examples), 0] = static
        self.examples.append(example)

    def digest(self) -> str:
        """SHA-256 of everything that is trained on: features and labels, in their order."""
        total = hashlib.sha256()
        for i, example in enumerate(self.examples):
            total.update(self._cache[i, 0].tobytes())
            total.update(np.array(example.labels + example.phones, np.int32).tobytes())
        return total.hexdigest()

    def __len__(self) -> int:
        return len(self.examples)

    def describe(self, index: int) -> str:
        """What an example is called in errors."""
        return str(self.examples[index].utterance.path)

    def plan(self, epoch: int, batch_size: int) -> list[np.ndarray]:
        """The epoch's batches as arrays of example indices."""
        durations = np.array([
            sum(self.examples[j].utterance.duration for j in self.joined(i, epoch))
            for i in range(len(self.examples))
        ])  # fmt: skip
        heard = self._drawn(durations, epoch) if self.epoch_hours else np.arange(len(durations))
        batches = shuffled_batches(durations[heard], batch_size, (self.seed, epoch))
        return [heard[batch] for batch in batches]

    def _drawn(self, durations: np.ndarray, epoch: int) -> np.ndarray:
        """Indices of so many examples as fill an epoch's hours."""
        speakers = [example.utterance.speaker for example in self.examples]
        seconds = {
            speaker: sum(self.examples[i].utterance.duration for i in indices)
            for speaker, indices in self._by_speaker.items()
        }
        weights = np.array([seconds[speaker] for speaker in speakers]) ** -self.balance
        # The first of exponential times: a draw by weight, without replacement (Efraimidis &
        # Spirakis, 2006).
        times = np.random.default_rng([self.seed, epoch, 3]).exponential(size=len(weights))
        order = np.argsort(times / weights, kind="stable")
        filled = np.searchsorted(np.cumsum(durations[order]), self.epoch_hours * 3600)
        return order[: filled + 1]

    def batch(self, indices: Sequence[int] | np.ndarray, epoch: int) -> Batch:
        """Features as this epoch hears them, padded."""
        features = [self.example_features(int(i), epoch) for i in indices]
        heard = [self.example(int(i), epoch) for i in indices]
        labels, phones = [e.labels for e in heard], [e.phones for e in heard]
        return Batch(
            features=pad(features, np.float32, (self.features.dimension,)),
            lengths=np.array([len(f) for f in features], np.int32),
            labels=pad([np.array(ids, np.int32) for ids in labels], np.int32),
            label_lengths=np.array([len(ids) for ids in labels], np.int32),
            phones=pad([np.array(ids, np.int32) for ids in phones], np.int32),
            phone_lengths=np.array([len(ids) for ids in phones], np.int32),
            indices=np.asarray(indices, np.int32),
            weights=np.full(len(features), 1 / len(features), np.float32),
        )

    def joined(self, index: int, epoch: int) -> tuple[int, ...]:
        """The example by itself, or with the one that it goes on with in this epoch."""
        if self.augment is None or not self.augment.join:
            return (index,)
        rng = np.random.default_rng([self.seed, epoch, index, 2])
        first = self.examples[index].utterance
        if rng.random() >= self.augment.join:
            return (index,)
        others = self._by_speaker[first.speaker]
        second = others[rng.integers(len(others))]
        seconds = first.duration + self.examples[second].utterance.duration
        return (index, second) if seconds <= JOINED_SECONDS else (index,)

    def example(self, index: int, epoch: int) -> Example:
        """What is said in this epoch."""
        first, *rest = (self.examples[i] for i in self.joined(index, epoch))
        between = () if self.space is None else (self.space,)
        labels = first.labels + tuple(i for e in rest for i in (*between, *e.labels))
        phones = first.phones + tuple(i for e in rest for i in e.phones)
        return Example(first.utterance, labels, phones)

    def example_features(self, index: int, epoch: int) -> np.ndarray:
        """Normalised features [frames, dimension] of one example, as this epoch hears it."""
        if self.augment is None or self.warper is None:
            return expand(self._static(index, 0), self.features)
        copy = epoch % (self.augment.copies + 1)
        static = np.concatenate([self._static(i, copy) for i in self.joined(index, epoch)])
        rng = np.random.default_rng([self.seed, epoch, index])
        warped = self.warper(static, rng)
        if self.acoustic.frames(len(warped)) < self.example(index, epoch).frames_needed + SLACK:
            warped = static
        return self.warper.jitter(expand(warped, self.features), rng)

    def _static(self, index: int, copy: int) -> np.ndarray:
        """Static cepstra of the recording (copy 0) or of one of its perturbed versions."""
        if self.examples[index].utterance.audio_filepath is None:
            # Features only: there are no samples to perturb, every copy is the recording.
            copy = 0
        if (index, copy) not in self._cache:
            self._cache[index, copy] = self._perturbed(index, copy)
        return self._cache[index, copy]

    def _perturbed(self, index: int, copy: int) -> np.ndarray:
        path = self.examples[index].utterance.audio_filepath
        assert path is not None and self.augment is not None
        rate = self.features.sample_rate
        rng = np.random.default_rng([self.seed, index, copy, 1])
        samples = perturb(read_audio(path, rate), rate, self.augment, rng)
        frames = self.acoustic.frames(self.features.frames(len(samples)))
        if frames < self.examples[index].frames_needed + SLACK:
            return self._cache[index, 0]
        return mfcc(samples, self.features, str(path))

    def tf_dataset(self, epoch: int, batch_size: int, skip: int = 0) -> tf.data.Dataset:
        """The epoch's batches from number `skip` on, as a prefetched tf.data pipeline."""
        from asr.base.tensorflow import tf

        signature = {
            "features": tf.TensorSpec([None, None, self.features.dimension], tf.float32),
            "lengths": tf.TensorSpec([None], tf.int32),
            "labels": tf.TensorSpec([None, None], tf.int32),
            "label_lengths": tf.TensorSpec([None], tf.int32),
            "phones": tf.TensorSpec([None, None], tf.int32),
            "phone_lengths": tf.TensorSpec([None], tf.int32),
            "indices": tf.TensorSpec([None], tf.int32),
            "weights": tf.TensorSpec([None], tf.float32),
        }
        plan = self.plan(epoch, batch_size)[skip:]
        return prefetched(lambda: (vars(self.batch(i, epoch)) for i in plan), signature)
