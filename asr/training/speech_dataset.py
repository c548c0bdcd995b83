"""`SpeechDataset`: training batches of augmented features and labels for a recogniser.

Everything random is a function of (seed, epoch, utterance) alone, so that a resumed training sees
exactly the batches that an uninterrupted one would have seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import numpy as np

from asr import ctc
from asr.audio.augmentation import AugmentConfig, CepstralAugmenter, perturb
from asr.audio.feature_cache import FeatureCache
from asr.audio.features import FeatureConfig, expand, load_features, mfcc
from asr.base.batching import pad, prefetched, read_ahead, shuffled_batches
from asr.base.progress import track
from asr.data.inputs import check_language, read_utterance
from asr.data.manifest import Utterance
from asr.data.packs.packed_utterance import PackedUtterance, ShardFiles
from asr.errors import AsrError, ConfigError, TextError
from asr.pronunciation.phone_speller import PhoneSpeller
from asr.text.tokenizers import Tokenizer
from asr.training.shuffle_buffer import shuffle_buffers
from asr.training.worker_place import WorkerPlace

if TYPE_CHECKING:
    from asr.base.tensorflow import tf
    from asr.networks.acoustic_config import AcousticConfig
    from asr.training.minimum_word_error import NBestLists

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
        frames: frames of its features, without augmentation; 0 if two utterances are joined.
    """

    utterance: Utterance
    labels: tuple[int, ...]
    phones: tuple[int, ...] = ()
    frames: int = 0

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
        lists: n-best list of each utterance, added to the batches; needs `augment.join` 0.
            Default: None, no lists.
        epoch_hours: hours of speech drawn per epoch; default: 0, all.
        balance: how far the draw evens out the speakers, 0 to 1; default: 0.
        shuffle_hours: hours of packed speech in a shuffle buffer; default: 4. See
            `shuffle_buffers`.
        cache: folder of a `FeatureCache`; default: None, no cache.
        place: this worker among all; `tf_dataset` gives its part of each batch. Default: the only
            worker.

    Features of manifests stay in memory. Those of packs are read again in every epoch: one buffer
    is read while batches are made of the one before.

    Raises:
        TextError: no utterance can be trained on.
        ConfigError: a pack has features of other settings.
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
        lists: NBestLists | None = None,
        epoch_hours: float = 0.0,
        balance: float = 0.0,
        shuffle_hours: float = 4.0,
        cache: Path | None = None,
        place: WorkerPlace = WorkerPlace(),
    ) -> None:
        self.features, self.acoustic = features, acoustic
        self.epoch_hours, self.balance = epoch_hours, balance
        self.shuffle_hours, self.place = shuffle_hours, place
        self.space, self.speller, self.lists = tokenizer.space, speller, lists
        self.augment, self.seed = augment, seed
        self.warper = CepstralAugmenter(features, augment) if augment else None
        self.examples: list[Example] = []
        self._cache: dict[tuple[int, int], np.ndarray] = {}
        self._buffer: dict[tuple[int, int], np.ndarray] = {}
        """As `_cache`, for the packed utterances that batches are made of now."""
        self._shuffled: _EpochBuffers | None = None
        self._recordings = FeatureCache(cache, features)
        skipped: list[str] = []
        if speller is not None:
            texts = {utterance.text for utterance in utterances}
            speller.learn({word for text in texts for word in tokenizer.normalise(text).split()})
        for utterance in track(utterances, len(utterances), "reading"):
            try:
                self._add(utterance, tokenizer)
            except ConfigError:
                raise
            except AsrError as error:
                skipped.append(str(error))
        self.skipped = tuple(skipped)
        self._by_speaker: dict[str | None, list[int]] = {}
        for i, example in enumerate(self.examples):
            self._by_speaker.setdefault(example.utterance.speaker, []).append(i)
        self._shards = _shards_of(self.examples)
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
        static: np.ndarray | None = None
        if isinstance(utterance, PackedUtterance):
            utterance.check_features(self.features)
            length = utterance.frames(self.features)
        else:
            static = self._static_of_manifest(utterance)
            length = len(static)
        frames, needed = self.acoustic.frames(length), example.frames_needed
        if frames < needed:
            counts = f"{len(labels)} labels" + (f" or {len(phones)} phones" if phones else "")
            raise TextError(
                f"{name}: {frames} frames of {self.acoustic.stride} features, but its {counts} "
                f"need {needed}"
            )
        if static is not None:
            self._cache[len(self.examples), 0] = static
        self.examples.append(replace(example, frames=length))

    def _static_of_manifest(self, utterance: Utterance) -> np.ndarray:
        if utterance.audio_filepath is None:
            return load_features(utterance.path, self.features)
        return self._recordings.static(
            utterance.audio_filepath, utterance.offset, utterance.duration, utterance.channel
        )

    def digest(self) -> str:
        """SHA-256 of all features and labels in order; of a pack, of the checksums of its index."""
        total = hashlib.sha256()
        for i, example in enumerate(self.examples):
            if isinstance(example.utterance, PackedUtterance):
                total.update(example.utterance.sha256)
            else:
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
        return [batch for part in self._plan(epoch, batch_size) for batch in part]

    def _plan(self, epoch: int, batch_size: int) -> list[list[np.ndarray]]:
        """The batches of each shuffle buffer; without packs, there is one."""
        if self._shards:
            buffers = self._buffers(epoch).indices
            seeds: list[tuple[int, ...]] = [
                (self.seed, epoch, 5, number) for number in range(len(buffers))
            ]
            seconds = [np.array([self._duration(int(i), epoch) for i in b]) for b in buffers]
        else:
            every = np.array([self._duration(i, epoch) for i in range(len(self.examples))])
            drawn = self._drawn(every, epoch) if self.epoch_hours else np.arange(len(every))
            buffers, seeds, seconds = [drawn], [(self.seed, epoch)], [every[drawn]]
        plans = [
            [buffer[batch] for batch in shuffled_batches(durations, batch_size, seed)]
            for buffer, durations, seed in zip(buffers, seconds, seeds, strict=True)
        ]
        if getattr(self, "easy_first", False) and epoch == 0:
            every = np.array([self._duration(i, epoch) for i in range(len(self.examples))])
            plans = [sorted(plan, key=lambda b: every[b].mean()) for plan in plans]
        return plans

    def _buffers(self, epoch: int) -> _EpochBuffers:
        """The shuffle buffers of an epoch; those of the last one are kept."""
        found = self._shuffled
        if found is None or found.epoch != epoch:
            durations = np.array([e.utterance.duration for e in self.examples])
            taken = np.ones(len(durations), bool)
            if self.epoch_hours:
                taken[:] = False
                taken[self._drawn(durations, epoch)] = True
            shards = [part for shard in self._shards if len(part := shard[taken[shard]])]
            taken[np.concatenate(self._shards)] = False
            seconds = self.shuffle_hours * 3600
            indices = shuffle_buffers(
                shards, np.flatnonzero(taken), durations, seconds, (self.seed, epoch)
            )
            found = self._shuffled = _EpochBuffers(epoch, indices, self._speakers_of(indices))
        return found

    def _speakers_of(self, buffers: Sequence[np.ndarray]) -> dict[int, list[int]]:
        """For each example the examples of its speaker in its buffer."""
        same: dict[int, list[int]] = {}
        for buffer in buffers:
            by_speaker: dict[str | None, list[int]] = {}
            for i in buffer:
                speaker = self.examples[i].utterance.speaker
                same[int(i)] = by_speaker.setdefault(speaker, [])
                same[int(i)].append(int(i))
        return same

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

    def batch(
        self, indices: Sequence[int] | np.ndarray, epoch: int, total: int | None = None
    ) -> SpeechBatch:
        """One batch of examples, with the augmentation of an epoch.

        Args:
            indices: the examples.
            epoch: the epoch.
            total: examples of the whole batch, of which these are a worker's part; default: these
                are all. With 0, these only fill a batch of which the worker has no part.
        """
        features = [self.example_features(int(i), epoch) for i in indices]
        examples = [self.example(int(i), epoch) for i in indices]
        labels, phones = [e.labels for e in examples], [e.phones for e in examples]
        total = len(features) if total is None else total
        weight = 1 / total if total else 0.0
        return SpeechBatch(
            features=pad(features, np.float32, (self.features.dimension,)),
            lengths=np.array([len(f) for f in features], np.int32),
            labels=pad([np.array(ids, np.int32) for ids in labels], np.int32),
            label_lengths=np.array([len(ids) for ids in labels], np.int32),
            phones=pad([np.array(ids, np.int32) for ids in phones], np.int32),
            phone_lengths=np.array([len(ids) for ids in phones], np.int32),
            indices=np.asarray(indices, np.int32),
            weights=np.full(len(features), weight, np.float32),
        )

    def _nbest(self, batch: SpeechBatch) -> dict[str, np.ndarray]:
        """The n-best lists of a batch; empty without lists."""
        if self.lists is None:
            return {}
        examples = [self.examples[i] for i in batch.indices]
        return self.lists.arrays(
            [e.utterance for e in examples],
            [e.labels for e in examples],
            [e.phones for e in examples],
            [self.acoustic.frames(int(n)) for n in batch.lengths],
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
        if self._shards:
            same_speaker = self._buffers(epoch).same_speaker.get(index, [index])
        second = same_speaker[rng.integers(len(same_speaker))]
        seconds = first.duration + self.examples[second].utterance.duration
        # Short recordings may have frames for their own labels, and not for a space between them.
        frames = self.acoustic.frames(sum(self.examples[i].frames for i in (index, second)))
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
        copy = self._copy(epoch)
        static = np.concatenate([self._static(i, copy) for i in self.joined(index, epoch)])
        rng = np.random.default_rng([self.seed, epoch, index])
        warped = self.warper(static, rng)
        if (
            self.acoustic.frames(len(warped))
            < self.example(index, epoch).frames_needed + SPARE_FRAMES
        ):
            warped = static
        return self.warper.jitter(expand(warped, self.features), rng)

    def static(self, index: int) -> np.ndarray:
        """Static cepstra [frames, coefficients] of an example, without augmentation."""
        return self._static(index, 0)

    def _copy(self, epoch: int) -> int:
        """The copy that an epoch uses: 0 for the recordings, or the number of perturbed ones."""
        return epoch % (self.augment.copies + 1) if self.augment is not None else 0

    def _static(self, index: int, copy: int) -> np.ndarray:
        """Static cepstra of a recording (copy 0) or of one of its perturbed copies."""
        utterance = self.examples[index].utterance
        if not utterance.has_audio:
            copy = 0  # there are no samples to perturb
        if isinstance(utterance, PackedUtterance):
            found = self._buffer.get((index, copy))
            return self._packed(index, copy, None) if found is None else found
        if (index, copy) not in self._cache:
            samples = read_utterance(utterance, self.features.sample_rate)
            perturbed = self._perturbed(index, copy, samples)
            self._cache[index, copy] = self._cache[index, 0] if perturbed is None else perturbed
        return self._cache[index, copy]

    def _packed(self, index: int, copy: int, files: ShardFiles | None) -> np.ndarray:
        """As `_static`, read from a shard."""
        utterance = self.examples[index].utterance
        assert isinstance(utterance, PackedUtterance)
        if copy:
            samples = utterance.samples(self.features.sample_rate, files)
            if (perturbed := self._perturbed(index, copy, samples)) is not None:
                return perturbed
        return utterance.static(self.features, files)

    def _perturbed(self, index: int, copy: int, samples: np.ndarray) -> np.ndarray | None:
        """Static cepstra of perturbed samples; None if they are too short for the labels."""
        assert self.augment is not None
        rng = np.random.default_rng([self.seed, index, copy, 1])
        samples = perturb(samples, self.features.sample_rate, self.augment, rng)
        frames = self.acoustic.frames(self.features.frames(len(samples)))
        if frames < self.examples[index].frames_needed + SPARE_FRAMES:
            return None
        return mfcc(samples, self.features, self.describe(index))

    def _read_buffer(
        self, batches: Sequence[np.ndarray], epoch: int, files: ShardFiles, stopped: Event
    ) -> dict[tuple[int, int], np.ndarray]:
        """Static cepstra of this worker's packed utterances, read in the shards' order."""
        mine = {int(i) for batch in batches for i in self._part(batch)[0]}
        used = {i for first in mine for i in self.joined(first, epoch)}
        places = []
        for i in used:
            if isinstance(utterance := self.examples[i].utterance, PackedUtterance):
                copy = self._copy(epoch) if utterance.has_audio else 0
                places.append((str(utterance.shard), utterance.start, i, copy))
        read: dict[tuple[int, int], np.ndarray] = {}
        for _, _, i, copy in sorted(places):
            if stopped.is_set():
                break
            read[i, copy] = self._packed(i, copy, files)
        return read

    def _part(self, batch: np.ndarray) -> tuple[np.ndarray, int]:
        """This worker's part of a batch, and the `total` that `batch` takes.

        Without an item for this worker it has the first one, because CTC fails without items.
        """
        part = self.place.part(len(batch))
        return (batch[part], len(batch)) if part else (batch[:1], 0)

    def tf_dataset(self, epoch: int, batch_size: int, skip: int = 0) -> tf.data.Dataset:
        """This worker's part of the batches of an epoch, without the first `skip`.

        The result is a prefetched pipeline.
        """
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
            **(self.lists.signature if self.lists else {}),
        }
        parts: list[list[np.ndarray]] = []
        for part in self._plan(epoch, batch_size):
            if len(part) > skip:
                parts.append(part[skip:])
            skip = max(skip - len(part), 0)

        def batches() -> Iterator[dict[str, np.ndarray]]:
            with closing(ShardFiles()) as files:

                def load(
                    part: list[np.ndarray], stopped: Event
                ) -> dict[tuple[int, int], np.ndarray]:
                    return self._read_buffer(part, epoch, files, stopped)

                # Closed before the files are: the thread that loads must not use them any more.
                with closing(read_ahead(parts, load)) as loaded:
                    for part, self._buffer in loaded:
                        for whole in part:
                            indices, total = self._part(whole)
                            batch = self.batch(indices, epoch, total)
                            yield vars(batch) | self._nbest(batch)

        return prefetched(batches, signature)


@dataclass(frozen=True)
class _EpochBuffers:
    """The shuffle buffers of an epoch.

    Attributes:
        epoch: the epoch.
        indices: the examples of each buffer.
        same_speaker: example → examples of its speaker in its buffer.
    """

    epoch: int
    indices: list[np.ndarray]
    same_speaker: dict[int, list[int]]


def _shards_of(examples: Sequence[Example]) -> list[np.ndarray]:
    """Indices of the packed examples of each shard. A shard that is repeated counts again."""
    shards: list[list[int]] = []
    last: PackedUtterance | None = None
    for i, example in enumerate(examples):
        if not isinstance(utterance := example.utterance, PackedUtterance):
            continue
        if last is None or utterance.shard != last.shard or utterance.start <= last.start:
            shards.append([])
        shards[-1].append(i)
        last = utterance
    return [np.array(shard) for shard in shards]
