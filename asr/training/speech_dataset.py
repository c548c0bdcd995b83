"""`SpeechDataset`: training batches of augmented features and labels for a recogniser.

Everything random is a function of (seed, epoch, utterance) alone, so that a resumed training sees
exactly the batches that an uninterrupted one would have seen.
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
from asr.base.batching import pad, prefetched, shuffled_batches
from asr.base.progress import track
from asr.data.inputs import check_language, read_utterance
from asr.data.manifest import Utterance
from asr.errors import AsrError, TextError
from asr.pronunciation.phone_speller import PhoneSpeller
from asr.text.tokenizers import Tokenizer

if TYPE_CHECKING:
    from asr.base.tensorflow import tf
    from asr.networks.acoustic_config import AcousticConfig

JOINED_SECONDS = 20.0
"""Longest pair of joined utterances: the longest window in `asr.decoding.windowing`."""
SPARE_FRAMES = 4
"""Frames that augmentation must leave an utterance beyond the fewest that can hold its labels."""


@dataclass(frozen=True)
class Example:
    """An utterance with its label ids.

    Attributes:
        utterance: the manifest line.
        labels: label ids for CTC.
        phones: phone ids for the network's second head; empty without one.
    """

    utterance: Utterance
    labels: tuple[int, ...]
    phones: tuple[int, ...] = ()

    @property
    def frames_needed(self) -> int:
        """Fewest output frames that can hold the labels and the phones."""
        return max(ctc.frames_needed(self.labels), ctc.frames_needed(self.phones))


@dataclass(frozen=True)
class SpeechBatch:
    """Padded arrays of one training batch.

    Attributes:
        features: float32 [batch, frames, dimension].
        lengths: frames of each item, int32 [batch].
        labels: label ids, int32 [batch, labels].
        label_lengths: int32 [batch].
        phones: phone ids of the second head, int32 [batch, phones].
        phone_lengths: int32 [batch]; 0 without a second head.
        indices: positions of the items in the data set, int32 [batch].
        weights: 1 / batch size, float32 [batch]. The weighted losses add up to the mean, even if
            several replicas get unequal shares of the batch.
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
    """Utterances with features and labels, and the batches of any epoch.

    Utterances that cannot be trained on are left out: unreadable files, text outside the alphabet,
    more labels than frames. `skipped` lists them with the reason.

    Args:
        utterances: the training data.
        tokenizer: text → label ids.
        features: how features are computed.
        acoustic: shape of the network, for its number of output frames.
        augment: augmentation; None: none.
        seed: seed of the order of batches and of the augmentation.
        speller: text → phone ids for the second head; default: None, no second head.
        epoch_hours: hours of speech drawn per epoch; default: 0, all.
        balance: how far the draw evens out the speakers, 0 to 1; default: 0.
        cache: folder of a `FeatureCache`; default: None, no cache.

    Raises:
        TextError: no utterance can be trained on.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        tokenizer: Tokenizer,
        features: FeatureConfig,
        acoustic: AcousticConfig,
        augment: AugmentConfig | None,
        seed: int,
        *,
        speller: PhoneSpeller | None = None,
        epoch_hours: float = 0.0,
        balance: float = 0.0,
        cache: Path | None = None,
    ) -> None:
        self.features, self.acoustic = features, acoustic
        self.epoch_hours, self.balance = epoch_hours, balance
        self.space, self.speller = tokenizer.space, speller
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
        """Read an utterance's features, which every epoch needs, and check that its labels fit."""
        name = utterance.name
        check_language(utterance, tokenizer.language)
        labels = tuple(tokenizer.encode(utterance.text, name))
        if not labels:
            raise TextError(f"{name}: no text is left after normalising")
        phones = self.speller(tokenizer.normalise(utterance.text)) if self.speller else ()
        example = Example(utterance, labels, phones)
        if utterance.audio_filepath is None:
            static = load_features(utterance.path, self.features)
        else:
            static = self._recordings.static(
                utterance.audio_filepath, utterance.offset, utterance.duration, utterance.channel
            )
        frames, needed = self.acoustic.frames(len(static)), example.frames_needed
        if frames < needed:
            counts = f"{len(labels)} labels" + (f" or {len(phones)} phones" if phones else "")
            raise TextError(
                f"{name}: {frames} frames of {self.acoustic.stride} features, but its {counts} "
                f"need {needed}"
            )
        self._cache[len(self.examples), 0] = static
        self.examples.append(example)

    def digest(self) -> str:
        """SHA-256 of all features and labels in order."""
        total = hashlib.sha256()
        for i, example in enumerate(self.examples):
            total.update(self._cache[i, 0].tobytes())
            total.update(np.array(example.labels + example.phones, np.int32).tobytes())
        return total.hexdigest()

    def __len__(self) -> int:
        return len(self.examples)

    def describe(self, index: int) -> str:
        """Name of an example in error messages."""
        return self.examples[index].utterance.name

    def plan(self, epoch: int, batch_size: int) -> list[np.ndarray]:
        """Example indices of each batch of an epoch, shuffled, with similar lengths in a batch."""
        durations = np.array([self._duration(i, epoch) for i in range(len(self.examples))])
        drawn = self._drawn(durations, epoch) if self.epoch_hours else np.arange(len(durations))
        batches = shuffled_batches(durations[drawn], batch_size, (self.seed, epoch))
        return [drawn[batch] for batch in batches]

    def _duration(self, index: int, epoch: int) -> float:
        """Seconds of an example, with the one that is joined to it in this epoch."""
        return sum(self.examples[i].utterance.duration for i in self.joined(index, epoch))

    def _drawn(self, durations: np.ndarray, epoch: int) -> np.ndarray:
        """Indices of random examples that together last `epoch_hours`."""
        speakers = [example.utterance.speaker for example in self.examples]
        seconds = {
            speaker: sum(self.examples[i].utterance.duration for i in indices)
            for speaker, indices in self._by_speaker.items()
        }
        weights = np.array([seconds[speaker] for speaker in speakers]) ** -self.balance
        # Sorting exponential times draws by weight without replacement (Efraimidis & Spirakis,
        # 2006).
        times = np.random.default_rng([self.seed, epoch, 3]).exponential(size=len(weights))
        order = np.argsort(times / weights, kind="stable")
        filled = np.searchsorted(np.cumsum(durations[order]), self.epoch_hours * 3600)
        return order[: filled + 1]

    def batch(self, indices: Sequence[int] | np.ndarray, epoch: int) -> SpeechBatch:
        """One batch of examples, with the augmentation of an epoch."""
        features = [self.example_features(int(i), epoch) for i in indices]
        examples = [self.example(int(i), epoch) for i in indices]
        labels, phones = [e.labels for e in examples], [e.phones for e in examples]
        return SpeechBatch(
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
        """The example's index, and that of the example that this epoch joins to it, if any."""
        if self.augment is None or not self.augment.join:
            return (index,)
        rng = np.random.default_rng([self.seed, epoch, index, 2])
        first = self.examples[index].utterance
        if rng.random() >= self.augment.join:
            return (index,)
        same_speaker = self._by_speaker[first.speaker]
        second = same_speaker[rng.integers(len(same_speaker))]
        seconds = first.duration + self.examples[second].utterance.duration
        # Short recordings may have frames for their own labels, and not for a space between them.
        frames = self.acoustic.frames(sum(len(self._cache[i, 0]) for i in (index, second)))
        fits = frames >= self._joined_example(index, second).frames_needed
        return (index, second) if seconds <= JOINED_SECONDS and fits else (index,)

    def example(self, index: int, epoch: int) -> Example:
        """The example with the labels of the one that this epoch joins to it."""
        return self._joined_example(*self.joined(index, epoch))

    def _joined_example(self, *indices: int) -> Example:
        first, *rest = (self.examples[i] for i in indices)
        between = () if self.space is None else (self.space,)
        labels = first.labels + tuple(i for e in rest for i in (*between, *e.labels))
        phones = first.phones + tuple(i for e in rest for i in e.phones)
        return Example(first.utterance, labels, phones)

    def example_features(self, index: int, epoch: int) -> np.ndarray:
        """Normalised features [frames, dimension] of an example, with the epoch's augmentation."""
        if self.augment is None or self.warper is None:
            return expand(self._static(index, 0), self.features)
        copy = epoch % (self.augment.copies + 1)
        static = np.concatenate([self._static(i, copy) for i in self.joined(index, epoch)])
        rng = np.random.default_rng([self.seed, epoch, index])
        warped = self.warper(static, rng)
        if (
            self.acoustic.frames(len(warped))
            < self.example(index, epoch).frames_needed + SPARE_FRAMES
        ):
            warped = static
        return self.warper.jitter(expand(warped, self.features), rng)

    def _static(self, index: int, copy: int) -> np.ndarray:
        """Static cepstra of a recording (copy 0) or of one of its perturbed copies."""
        utterance = self.examples[index].utterance
        if copy == 0 or self.augment is None or utterance.audio_filepath is None:
            # Without a path the manifest has features only: there are no samples to perturb.
            return self._cache[index, 0]
        if (index, copy) not in self._cache:
            self._cache[index, copy] = self._perturbed(index, copy, utterance, self.augment)
        return self._cache[index, copy]

    def _perturbed(
        self, index: int, copy: int, utterance: Utterance, augment: AugmentConfig
    ) -> np.ndarray:
        rate = self.features.sample_rate
        rng = np.random.default_rng([self.seed, index, copy, 1])
        samples = perturb(read_utterance(utterance, rate), rate, augment, rng)
        frames = self.acoustic.frames(self.features.frames(len(samples)))
        if frames < self.examples[index].frames_needed + SPARE_FRAMES:
            return self._cache[index, 0]
        return mfcc(samples, self.features, utterance.name)

    def tf_dataset(self, epoch: int, batch_size: int, skip: int = 0) -> tf.data.Dataset:
        """The batches of an epoch, without the first `skip`, as a prefetched pipeline."""
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
