"""Recurrent language models: numpy against Keras, training, interpolation, rescoring."""

from __future__ import annotations

import json
import math
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.decoding.decoder import Decoder
from asr.decoding.decoding_options import Decoding
from asr.errors import ConfigError, TextError
from asr.language.arpa import write_arpa
from asr.language.kneser_ney import estimate
from asr.language.mixture import Mixture
from asr.language.perplexity import SPELLING_BITS, compare
from asr.language.recurrent_lm import (
    BOUNDARY,
    LanguageConfig,
    LanguageNetworkConfig,
    RecurrentLM,
)
from asr.language.recurrent_network import LanguageNetwork
from asr.language.word_lm import END
from asr.networks.model_directory import write_model
from asr.networks.weights import weights_file
from asr.text.tokenizers import ENGLISH_ALPHABET, Tokenizer, TokenizerConfig, train_subwords
from asr.training.train_language_model import (
    LanguageExperimentConfig,
    TextDataConfig,
    TextDataset,
    train_language_model,
)
from asr.training.trainer import TrainingConfig

SENTENCES = [
    ["the", "cat", "sat", "on", "the", "mat"],
    ["the", "dog", "sat", "on", "the", "mat"],
    ["a", "cat", "ran"],
    ["a", "dog", "ran", "home"],
    ["the", "old", "dog", "slept"],
    ["it's", "late"],
]


def saved(folder: Path, tokenizer: TokenizerConfig, cell: str = "gru") -> LanguageNetwork:
    """An untrained network, also as a model directory."""
    keras.utils.set_random_seed(2)
    shape = LanguageNetworkConfig(cell=cell, units=12, layers=2, embedding=8)  # type: ignore[arg-type]
    network = LanguageNetwork(shape, len(Tokenizer(tokenizer)))
    for v in network.trainable_variables:
        v.assign(v + keras.random.normal(v.shape, stddev=0.3))
    config = LanguageConfig("small", tokenizer, shape)
    write_model(folder, config, weights_file(network, half=False), "")
    return network


@pytest.fixture(params=["characters", "subwords"])
def tokenizer(request) -> TokenizerConfig:  # type: ignore[no-untyped-def]
    if request.param == "characters":
        return TokenizerConfig()
    return train_subwords([" ".join(words) for words in SENTENCES], 22)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_numpy_equals_keras(tmp_path, tokenizer, cell) -> None:  # type: ignore[no-untyped-def]
    network = saved(tmp_path, tokenizer, cell)
    lm = RecurrentLM.load(tmp_path)
    batch = TextDataset(SENTENCES, lm.tokenizer, 1).batch(range(len(SENTENCES)))
    logits = network(batch["inputs"], batch["lengths"])
    following = keras.ops.log_softmax(logits).numpy()
    for i, scores in enumerate(lm.word_scores(SENTENCES)):
        n = batch["lengths"][i]
        expected = following[i, range(n), batch["targets"][i, :n]].sum() / math.log(10)
        assert len(scores) == len(SENTENCES[i]) + 1
        np.testing.assert_allclose(scores.sum(), expected, atol=1e-4)


def test_step_equals_word_scores(tmp_path, tokenizer) -> None:  # type: ignore[no-untyped-def]
    saved(tmp_path, tokenizer)
    lm = RecurrentLM.load(tmp_path)
    for words, scores in zip(SENTENCES, lm.word_scores(SENTENCES), strict=True):
        state = lm.start()
        for word, expected in zip((*words, END), scores, strict=True):
            score, state = lm.step(state, word)
            np.testing.assert_allclose(score, expected, atol=1e-4)
        np.testing.assert_allclose(lm.sentence(words), scores.sum(), atol=1e-4)


def test_next_label_is_a_distribution(tmp_path) -> None:  # type: ignore[no-untyped-def]
    saved(tmp_path, TokenizerConfig(alphabet=" ab"))
    lm = RecurrentLM.load(tmp_path)
    first = {c: lm.next_label((BOUNDARY, lm.tokenizer.encode(c)[0])) for c in "ab"}
    for following in first.values():
        np.testing.assert_allclose(np.exp(following).sum(), 1, atol=1e-5)
    ended = lm.next_label((BOUNDARY,))[BOUNDARY]
    np.testing.assert_allclose(lm.sentence([]), ended / math.log(10), atol=1e-5)


def test_states_dropped_from_the_cache_are_computed_again(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    saved(tmp_path, TokenizerConfig())
    expected = RecurrentLM.load(tmp_path).sentence(SENTENCES[0])
    monkeypatch.setattr("asr.language.recurrent_lm.CACHE_SIZE", 2)
    lm = RecurrentLM.load(tmp_path)
    state, total = lm.start(), 0.0
    for word in (*SENTENCES[0], END):
        score, state = lm.step(state, word)
        total += score
    assert len(lm._cache) <= 2
    np.testing.assert_allclose(total, expected, atol=1e-4)


@pytest.mark.slow
def test_training_learns_and_resumes_exactly(tmp_path) -> None:  # type: ignore[no-untyped-def]
    text = tmp_path / "text.txt"
    text.write_text("".join(" ".join(words) + "\n" for words in SENTENCES * 4))
    config = LanguageExperimentConfig(
        "cats",
        TextDataConfig((text.name,), (text.name,)),
        LanguageNetworkConfig(units=32, embedding=16, dropout=0.1),
        TrainingConfig(epochs=30, batch_size=4, learning_rate=1e-2, average=0.9),
    )
    quiet = {"say": lambda message: None}
    folder = train_language_model(config, tmp_path, tmp_path / "whole", **quiet)
    lm = RecurrentLM.load(folder)
    assert lm.tokenizer.config.alphabet == ENGLISH_ALPHABET
    assert compare(SENTENCES, recurrent=lm).predictions[0].bits_per_character < 0.5
    assert lm.generate("the cat", temperature=0.1) == "the cat sat on the mat"
    train_language_model(config, tmp_path, tmp_path / "parts", max_steps=17, **quiet)
    train_language_model(config, tmp_path, tmp_path / "parts", **quiet)
    whole, parts = (
        [json.loads(line) for line in (tmp_path / name / "history.jsonl").read_text().splitlines()]
        for name in ("whole", "parts")
    )
    assert [row["dev_bits"] for row in whole] == [row["dev_bits"] for row in parts]


def test_generated_text_depends_on_the_seed_only(tmp_path) -> None:  # type: ignore[no-untyped-def]
    saved(tmp_path, TokenizerConfig())
    lm = RecurrentLM.load(tmp_path)
    texts = [lm.generate("a", 1.0, 0.9, seed, max_labels=30) for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]
    assert all(text.startswith("a") for text in texts)
    # A temperature near 0 and a nucleus of one label both give the likeliest label.
    assert lm.generate("a", 1e-3, 1.0, 1, 30) == lm.generate("a", 1.0, 1e-6, 5, 30)
    for temperature, top_p in ((0.0, 1.0), (1.0, 0.0), (1.0, 1.5), (math.nan, 1.0)):
        with pytest.raises(ConfigError, match="temperature"):
            lm.generate("", temperature, top_p)
    with pytest.raises(TextError, match="prompt"):
        lm.generate("жар")


NGRAM = estimate(SENTENCES, 2)


@settings(max_examples=20)
@given(
    st.floats(0, 1),
    st.lists(st.sampled_from(["the", "cat", "sat", "late", "unheard"]), min_size=1, max_size=4),
)
def test_mixture_is_the_weighted_mean_of_its_models(tmp_path_factory, share, words) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path_factory.getbasetemp() / "mixed"
    if not folder.exists():
        saved(folder, TokenizerConfig())
    lm = RecurrentLM.load(folder)
    mixture = Mixture(NGRAM, lm, share)
    state, states, total = mixture.start(), (NGRAM.start(), lm.start()), 0.0
    for word in (*words, END):
        by_ngram, first = NGRAM.step(states[0], word)
        by_recurrent, second = lm.step(states[1], word)
        states = first, second
        score, state = mixture.step(state, word)
        expected = math.log10((1 - share) * 10**by_ngram + share * 10**by_recurrent)
        assert math.isclose(score, expected, abs_tol=1e-4)
        assert min(by_ngram, by_recurrent) - 1e-4 <= score <= max(by_ngram, by_recurrent) + 1e-4
        total += score
    gain = mixture.gains([words])[0]
    assert math.isclose(gain, total - NGRAM.sentence(words), abs_tol=1e-3)


def test_bits_and_perplexity_by_hand(tmp_path) -> None:  # type: ignore[no-untyped-def]
    saved(tmp_path, TokenizerConfig())
    lm = RecurrentLM.load(tmp_path)
    text = [["the", "cat", "sat"], ["the", "zebra"]]
    found = compare(text, NGRAM, lm, share=0.0)
    assert (found.sentences, found.words, found.characters) == (2, 5, 12 + 10)
    assert (found.unknown, found.known_sentences) == (1, 1)
    by_ngram, by_recurrent, mixed = found.predictions
    known = -NGRAM.sentence(text[0]) * math.log2(10)
    both = known - NGRAM.sentence(text[1]) * math.log2(10) + 6 * SPELLING_BITS
    assert math.isclose(by_ngram.bits_per_character, both / 22, rel_tol=1e-6)
    assert math.isclose(by_ngram.known_bits_per_character, known / 12, rel_tol=1e-6)
    assert math.isclose(by_ngram.perplexity, 2 ** (known / 4), rel_tol=1e-6)
    assert mixed.bits_per_character == by_ngram.bits_per_character
    total = sum(map(lm.sentence, text)) * -math.log2(10)
    assert math.isclose(by_recurrent.bits_per_character, total / 22, rel_tol=1e-5)


class Prefers(RecurrentLM):
    """A model in which one word is likely and all others are not."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.tokenizer = Tokenizer(TokenizerConfig())

    def start(self):  # type: ignore[no-untyped-def]
        return ()

    def step(self, state, word):  # type: ignore[no-untyped-def]
        return -0.1 if word in (self.word, END) else -9.0, ()

    def word_scores(self, sentences):  # type: ignore[no-untyped-def]
        return [np.array([self.step((), w)[0] for w in (*words, END)]) for words in sentences]


@pytest.mark.parametrize("fusion", ["rescore", "shallow"])
def test_recurrent_model_changes_the_text(tmp_path, monkeypatch, fusion) -> None:  # type: ignore[no-untyped-def]
    write_arpa(estimate([["cat"], ["cat"], ["cut"]], 2), tmp_path / "x.arpa")
    saved(tmp_path / "rnn", TokenizerConfig())
    tokenizer = Tokenizer(TokenizerConfig())
    logits = np.full((6, len(tokenizer)), -8.0)
    for t, labels in enumerate(("c", "", "au", "", "t", "")):
        for c in labels or [""]:
            logits[t, tokenizer.labels.index(c)] = 0.0
    texts = {}
    for word in ("cat", "cut"):
        monkeypatch.setattr(RecurrentLM, "load", lambda model, word=word: Prefers(word))
        for share in (0.0, 0.9):
            how = Decoding(
                16, tmp_path / "x.arpa", rnn_lm=tmp_path / "rnn", fusion=fusion, share=share
            )
            path = Decoder(tokenizer, how)(logits)
            texts[word, share] = tokenizer.decode(path.labels)
    assert texts == {
        ("cat", 0.0): "cat",
        ("cut", 0.0): "cat",
        ("cat", 0.9): "cat",
        ("cut", 0.9): "cut",
    }


def test_invalid_combinations_are_named(tmp_path) -> None:  # type: ignore[no-untyped-def]
    write_arpa(estimate(SENTENCES, 2), tmp_path / "x.arpa")
    saved(tmp_path / "rnn", TokenizerConfig(alphabet=" abc"))
    with pytest.raises(ConfigError, match=r"--rnn-lm .*--lm"):
        Decoding(lm="none", rnn_lm=tmp_path / "rnn")
    with pytest.raises(ConfigError, match=r"--rnn-lm .*--lm"):
        Decoding(rnn_lm=tmp_path / "rnn").resolve(tmp_path)
    with pytest.raises(ConfigError, match=r"share and fusion .*--rnn-lm"):
        Decoding(lm=tmp_path / "x.arpa", share=0.3)
    with pytest.raises(ConfigError, match=r"share .*1\.5"):
        Decoding(lm=tmp_path / "x.arpa", rnn_lm="x", share=1.5)
    how = Decoding(lm=tmp_path / "x.arpa", rnn_lm=tmp_path / "rnn")
    with pytest.raises(ConfigError, match=r"--rnn-lm .*\"'\", 'd'"):
        Decoder(Tokenizer(TokenizerConfig()), how)
    settled = how.resolve()
    assert (settled.fusion, settled.share, settled.beam) == ("rescore", 0.5, 16)
    assert Decoding(lm=tmp_path / "x.arpa").resolve().share is None
