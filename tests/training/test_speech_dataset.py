from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import FIXTURES
from no_augmentation import NO_AUGMENTATION

from asr.audio.augmentation import AugmentConfig
from asr.audio.features import FeatureConfig
from asr.ctc import frames_needed
from asr.data.manifest import Utterance, write_manifest
from asr.data.packs.encoding import PackSettings
from asr.data.packs.pack_index import read_pack
from asr.data.packs.pack_writer import write_pack
from asr.errors import TextError
from asr.networks.acoustic_config import AcousticConfig
from asr.pronunciation.phone_speller import PhoneSpeller
from asr.pronunciation.pronouncer import Pronouncer
from asr.text.tokenizers import Tokenizer, TokenizerConfig
from asr.training.speech_dataset import SpeechDataset

FEATURES = FeatureConfig()


def dataset(
    count: int = 1, augment: AugmentConfig | None = NO_AUGMENTATION, seed: int = 1
) -> SpeechDataset:
    durations = np.random.default_rng(0).uniform(3, 9, count)
    utterances = [
        Utterance("go", d, audio_filepath=FIXTURES / "goforward.wav", speaker=str(i))
        for i, d in enumerate(durations)
    ]
    tokenizer = Tokenizer(TokenizerConfig())
    return SpeechDataset(utterances, tokenizer, FEATURES, AcousticConfig(), augment, seed)


def test_an_epoch_has_each_utterance_once_in_batches_of_similar_length() -> None:
    data = dataset(1000)
    durations = np.array([e.utterance.duration for e in data.examples])
    plan = data.plan(3, 16)
    assert sorted(np.concatenate(plan).tolist()) == list(range(1000))
    spread = np.mean([np.ptp(durations[b]) for b in plan])
    assert spread < 0.1 * np.ptp(durations)
    assert max(len(b) for b in plan) == 16
    again, other = data.plan(3, 16), data.plan(4, 16)
    assert all(np.array_equal(a, b) for a, b in zip(plan, again, strict=True))
    assert not np.array_equal(plan[0], other[0])


def drawn(hours: float, balance: float, epoch: int = 0) -> tuple[SpeechDataset, list[int]]:
    """A data set with ten utterances by "many" for each by "few", and one epoch's indices."""
    speakers = ["few" if i % 11 == 0 else "many" for i in range(1100)]
    utterances = [
        Utterance("go", 1.0, audio_filepath=FIXTURES / "goforward.wav", speaker=s) for s in speakers
    ]
    data = SpeechDataset(
        utterances,
        Tokenizer(TokenizerConfig()),
        FEATURES,
        AcousticConfig(),
        NO_AUGMENTATION,
        seed=1,
        epoch_hours=hours,
        balance=balance,
    )
    return data, [int(i) for batch in data.plan(epoch, 16) for i in batch]


def test_an_epoch_draws_its_hours_without_replacement() -> None:
    data, first = drawn(200 / 3600, 0.0)
    assert len(first) == len(set(first)) == 200
    assert first == [int(i) for batch in data.plan(0, 16) for i in batch]
    second = [int(i) for batch in data.plan(1, 16) for i in batch]
    assert 20 < len(set(first) & set(second)) < 55  # 36 are expected by chance
    assert len(drawn(1.0, 0.0)[1]) == 1100  # all utterances, each once


def test_a_balanced_draw_has_equal_shares_of_the_speakers() -> None:
    share = [np.mean([i % 11 == 0 for i in drawn(100 / 3600, b)[1]]) for b in (0.0, 1.0)]
    assert share[0] == pytest.approx(1 / 11, abs=0.06)
    assert share[1] == pytest.approx(1 / 2, abs=0.12)


def test_a_batch_is_bounded_by_its_padded_length() -> None:
    data = dataset(100)
    durations = np.array([e.utterance.duration for e in data.examples])
    for batch in data.plan(0, 64):
        assert durations[batch].max() * len(batch) <= 240


def test_a_pipeline_can_start_at_any_batch() -> None:
    data = dataset(30, AugmentConfig(copies=1))
    whole = [batch["indices"].numpy().tolist() for batch in data.tf_dataset(2, 8)]
    assert whole == [b.tolist() for b in data.plan(2, 8)] and len(whole) == 4
    (last,) = data.tf_dataset(2, 8, skip=3)
    assert last["indices"].numpy().tolist() == whole[3]
    np.testing.assert_array_equal(last["features"], data.batch(whole[3], 2).features)


def test_the_digest_depends_on_the_data_but_not_on_augmentation_or_seed() -> None:
    assert dataset(2).digest() == dataset(2, AugmentConfig(), seed=5).digest()
    assert dataset(2).digest() != dataset(1).digest()


def test_augmentation_never_makes_an_utterance_too_short_for_its_labels(tone) -> None:  # type: ignore[no-untyped-def]
    # 29 frames, 15 after stacking, the fewest for 11 labels and SPARE_FRAMES.
    path = tone("short.wav", 0.315)
    utterance = Utterance("a dcb dcb a", 0.315, audio_filepath=path)
    augment = AugmentConfig(copies=2, speed=0.4, stretch=0.4)
    data = SpeechDataset(
        [utterance], Tokenizer(TokenizerConfig()), FEATURES, AcousticConfig(), augment, 1
    )
    lengths = [len(data.example_features(0, epoch)) for epoch in range(30)]
    assert min(lengths) >= 29 and max(lengths) > 30


def test_batches_are_padded_and_weighted() -> None:
    batch = dataset(3).batch([2, 0], 0)
    assert batch.features.shape == (2, 277, 39) and batch.features.dtype == np.float32
    assert batch.lengths.tolist() == [277, 277] and batch.label_lengths.tolist() == [2, 2]
    assert batch.indices.tolist() == [2, 0] and batch.weights.tolist() == [0.5, 0.5]
    np.testing.assert_array_equal(batch.labels[0], Tokenizer(TokenizerConfig()).encode("go"))


def test_augmentation_is_a_function_of_seed_epoch_and_utterance() -> None:
    augment = AugmentConfig(copies=2)
    one, two = dataset(2, augment), dataset(2, augment)
    two.example_features(0, 7)  # earlier reads must not matter
    np.testing.assert_array_equal(one.example_features(1, 1), two.example_features(1, 1))
    assert not np.array_equal(one.example_features(1, 1)[:50], one.example_features(1, 4)[:50])
    other = dataset(2, augment, seed=2).example_features(1, 1)
    assert not np.array_equal(one.example_features(1, 1)[:50], other[:50])


def test_without_augmentation_the_features_are_those_of_the_recording() -> None:
    np.testing.assert_allclose(
        dataset(1, NO_AUGMENTATION).example_features(0, 5),
        dataset(1, None).example_features(0, 0),
        atol=1e-5,
    )


def test_unusable_utterances_are_listed_with_the_reason() -> None:
    path = FIXTURES / "goforward.wav"
    utterances = [
        Utterance("go forward", 2.8, audio_filepath=path),
        Utterance("жук", 2.8, audio_filepath=path),
        Utterance("a" * 80, 2.8, audio_filepath=path),
        Utterance("?!", 2.8, audio_filepath=path),
        Utterance("go", 2.8, audio_filepath=FIXTURES / "gone.wav"),
    ]
    tokenizer = Tokenizer(TokenizerConfig())
    data = SpeechDataset(utterances, tokenizer, FEATURES, AcousticConfig(), None, 1)
    assert len(data) == 1
    unknown, short, empty, gone = data.skipped
    assert "goforward.wav" in unknown and "'ж' (U+0436) × 1" in unknown
    assert "goforward.wav" in short and "139 frames" in short and "80 labels need 159" in short
    assert "no text is left" in empty
    assert "gone.wav: no such file" in gone
    with pytest.raises(TextError, match="no utterance can be trained on"):
        SpeechDataset(utterances[1:], tokenizer, FEATURES, AcousticConfig(), None, 1)


def test_only_utterances_of_the_same_speaker_are_joined() -> None:
    durations = np.random.default_rng(0).uniform(3, 9, 40)
    utterances = [
        Utterance("go" if i % 2 else "ten", d, FIXTURES / "goforward.wav", speaker=str(i % 2))
        for i, d in enumerate(durations)
    ]
    tokenizer = Tokenizer(TokenizerConfig())
    phones = PhoneSpeller(Pronouncer({"go": "G OW1", "ten": "T EH1 N"}))
    augment = replace(NO_AUGMENTATION, join=0.5)
    data = SpeechDataset(
        utterances, tokenizer, FEATURES, AcousticConfig(phones=True), augment, 1, speller=phones
    )
    every = [data.joined(i, 3) for i in range(40)]
    two = [joined for joined in every if len(joined) == 2]
    assert 10 <= len(two) <= 30 and all(a % 2 == b % 2 for a, b in two)
    assert all(durations[list(joined)].sum() <= 20 for joined in two)
    assert every == [data.joined(i, 3) for i in range(40)] != [data.joined(i, 4) for i in range(40)]
    index = next(i for i in range(40) if len(every[i]) == 2)
    batch = data.batch([index, next(i for i in range(40) if len(every[i]) == 1)], 3)
    word = "go" if index % 2 else "ten"
    assert tokenizer.decode(batch.labels[0, : batch.label_lengths[0]]) == f"{word} {word}"
    assert batch.phones[0, : batch.phone_lengths[0]].tolist() == 2 * list(phones(word))
    assert batch.lengths[0] == 2 * batch.lengths[1]
    seconds = [sum(durations[i] for i in joined) for joined in every]
    assert max(len(b) * max(seconds[i] for i in b) for b in data.plan(3, 64)) <= 240


@pytest.mark.parametrize("text, joined", [("abcdefghij", 1), ("abcdefghi", 2)])
def test_recordings_are_joined_only_if_the_space_between_them_has_a_frame(
    text: str, joined: int
) -> None:
    path = FIXTURES / "goforward.wav"  # segments of 20 ms × 10 frames
    utterances = [Utterance(text, 0.21, path, offset=0.3 * i, speaker="a") for i in range(4)]
    augment, tokenizer = replace(NO_AUGMENTATION, join=1.0), Tokenizer(TokenizerConfig())
    data = SpeechDataset(utterances, tokenizer, FEATURES, AcousticConfig(), augment, 1)
    assert len(data) == 4 and {len(data.joined(i, 1)) for i in range(4)} == {joined}
    batch = data.batch(range(4), 1)
    needed = [
        frames_needed(row[:n]) for row, n in zip(batch.labels, batch.label_lengths, strict=True)
    ]
    assert all(AcousticConfig().frames(n) >= k for n, k in zip(batch.lengths, needed, strict=True))


def test_a_text_with_more_phones_than_frames_is_left_out() -> None:
    # 277 frames of 10 ms. The name of the letter W has seven phones.
    utterances = [Utterance("w" * n, 2.8, FIXTURES / "goforward.wav") for n in (10, 45)]
    tokenizer, config = Tokenizer(TokenizerConfig()), AcousticConfig(phones=True)
    speller = PhoneSpeller(Pronouncer({}))
    data = SpeechDataset(
        utterances, tokenizer, FEATURES, config, NO_AUGMENTATION, 1, speller=speller
    )
    assert len(data) == 1 and "139 frames" in data.skipped[0]


def packed(folder: Path, count: int, augment: AugmentConfig, **options: float) -> SpeechDataset:
    """A data set of a pack of segments of one recording, in shards of about four."""
    rng = np.random.default_rng(0)
    path = FIXTURES / "goforward.wav"
    utterances = [
        Utterance("go", rng.uniform(0.5, 1.5), path, offset=rng.uniform(0, 1), speaker=str(i % 3))
        for i in range(count)
    ]
    if not (folder / "pack").exists():
        write_manifest(folder / "m.jsonl", utterances)
        write_pack([folder / "m.jsonl"], folder / "pack", PackSettings(shard_megabytes=0.08))
    read = read_pack(folder / "pack")
    assert len({u.shard for u in read}) > 3
    tokenizer = Tokenizer(TokenizerConfig())
    return SpeechDataset(read, tokenizer, FEATURES, AcousticConfig(), augment, 1, **options)


def test_packs_are_read_in_buffers_with_the_features_of_the_recordings(tmp_path: Path) -> None:
    """Copies and joins included; a pipeline that starts in the middle reads only the rest."""
    augment = AugmentConfig(copies=1, join=0.5)
    data = packed(tmp_path, 30, augment, shuffle_hours=8 / 3600)
    plan = data.plan(1, 4)
    assert sorted(np.concatenate(plan).tolist()) == list(range(30))
    assert len(data._plan(1, 4)) == 3
    whole = list(data.tf_dataset(1, 4).as_numpy_iterator())
    assert [batch["indices"].tolist() for batch in whole] == [b.tolist() for b in plan]
    partner = [data.joined(i, 1) for i in range(30)]
    assert sum(len(p) == 2 for p in partner) > 5
    buffers = data._buffers(1).indices
    for pair in partner:
        assert len({data.examples[i].utterance.speaker for i in pair}) == 1
        assert any(set(pair) <= set(b.tolist()) for b in buffers)
    # Only a buffer is held, and what is not in it is read from the shard: the same features.
    assert 0 < len(data._buffer) < 30
    fresh = packed(tmp_path, 30, augment, shuffle_hours=8 / 3600)
    for batch in (0, len(plan) - 1):
        np.testing.assert_array_equal(
            fresh.batch(plan[batch], 1).features, whole[batch]["features"]
        )
    rest = list(fresh.tf_dataset(1, 4, skip=len(plan) - 3).as_numpy_iterator())
    for expected, found in zip(whole[-3:], rest, strict=True):
        np.testing.assert_array_equal(found["features"], expected["features"])
        np.testing.assert_array_equal(found["labels"], expected["labels"])


def test_a_draw_of_a_pack_reads_part_of_it_and_manifests_are_mixed_in(tmp_path: Path) -> None:
    data = packed(tmp_path, 30, NO_AUGMENTATION, epoch_hours=10 / 3600, shuffle_hours=4 / 3600)
    plan = [int(i) for batch in data.plan(0, 4) for i in batch]
    seconds = sum(data.examples[i].utterance.duration for i in plan)
    assert 10 <= seconds < 11.5 and len(plan) == len(set(plan)) < 30
    read = [example.utterance for example in data.examples]
    loose = [Utterance("go", 2.8, FIXTURES / "goforward.wav") for _ in range(4)]
    tokenizer = Tokenizer(TokenizerConfig())
    mixed = SpeechDataset(
        [*read, *loose, *read], tokenizer, FEATURES, AcousticConfig(), NO_AUGMENTATION, 1
    )
    # A pack that is repeated is read twice; the buffer of four hours takes all of it.
    assert len(mixed._shards) == 2 * len(data._shards)
    (batches,) = mixed._plan(0, 4)
    assert sorted(np.concatenate(batches).tolist()) == list(range(64))
    assert mixed.digest() != data.digest() == packed(tmp_path, 30, NO_AUGMENTATION).digest()
    features = mixed.batch([32], 0).features
    np.testing.assert_allclose(features[0], dataset(1).batch([0], 0).features[0], atol=1e-5)
