"""Pairs, the networks in numpy and in Keras, and the search."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr import ctc
from asr.errors import ManifestError, ModelError, TextError
from asr.networks.model_directory import write_model
from asr.networks.weights import weights_file
from asr.seq2seq.converter import Converter, Decoder
from asr.seq2seq.converter_config import ConverterConfig, Seq2SeqConfig
from asr.seq2seq.pairs import (
    END,
    FIRST,
    UNKNOWN,
    Pair,
    Vocabulary,
    read_pairs,
    split,
    symbols,
    write_pairs,
)
from asr.seq2seq.search import search
from asr.training.pair_dataset import PairDataset

LETTERS = "abcdefg"
PHONES = ("AA1", "B", "K", "D")

words = st.text(LETTERS, min_size=1, max_size=9)


def test_pairs_come_back_as_they_were(tmp_path: Path) -> None:
    pairs = [Pair("résumé", "R EH1"), Pair("twenty three", "23"), Pair("a", "가")]
    write_pairs(tmp_path / "pairs.tsv", pairs)
    assert (tmp_path / "pairs.tsv").read_text(encoding="utf-8").startswith("résumé\tR EH1\n")
    assert read_pairs(tmp_path / "pairs.tsv") == pairs


@pytest.mark.parametrize(
    "content, message",
    [
        ("a\tb\n\nc d\n", r"pairs.tsv, line 3: 'c d': expected a source, one tab and a target"),
        ("a\tb\tc\n", "line 1"),
        ("a\t \n", "line 1"),
        ("\n", "holds no pairs"),
        (None, "cannot be read"),
    ],
)
def test_what_is_wrong_in_a_file_of_pairs_is_named(
    tmp_path: Path, content: str | None, message: str
) -> None:
    if content is not None:
        (tmp_path / "pairs.tsv").write_text(content)
    with pytest.raises(ManifestError, match=message):
        read_pairs(tmp_path / "pairs.tsv")


@given(st.lists(st.tuples(words, words)), st.lists(words), st.integers(0, 3))
def test_a_source_is_in_one_part_whatever_else_there_is(
    pairs: list[tuple[str, str]], more: list[str], seed: int
) -> None:
    def place(given: list[Pair]) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, part in split(given, seed).items():
            for pair in part:
                assert found.setdefault(pair.source, name) == name
        return found

    first = [Pair(*pair) for pair in pairs]
    both = place([*(Pair(word, "x") for word in more), *first])
    assert {word: both[word] for word in place(first)} == place(first)


def test_the_split_has_the_shares_it_says_and_stays() -> None:
    parts = split(Pair(f"word{i}", "x") for i in range(20000))
    assert [len(parts[name]) / 20000 for name in ("train", "dev", "test")] == pytest.approx(
        [0.9, 0.05, 0.05], abs=0.005
    )
    assert [pair.source for pair in parts["test"][:3]] == ["word0", "word39", "word62"]


def test_ids_and_symbols() -> None:
    vocabulary = Vocabulary.of([symbols("ba", "characters"), symbols("c b", "words")])
    assert vocabulary.known == ("a", "b", "c") and len(vocabulary) == 6
    assert vocabulary.ids(("b", "x", "a")) == [FIRST + 1, UNKNOWN, FIRST]
    assert vocabulary.symbols([FIRST + 2, FIRST]) == ("c", "a")


def dataset(pairs: list[Pair], **options: float) -> PairDataset:
    return PairDataset(
        pairs, "characters", "words", Vocabulary(LETTERS), Vocabulary(PHONES), 1, **options
    )  # type: ignore[arg-type]


def test_a_batch_has_ends_behind_its_targets_and_lengths_without_them() -> None:
    batch = dataset([Pair("ab", "B"), Pair("cax", "K AA1 B")]).batch([0, 1], 0)
    assert batch["sources"].tolist() == [[3, 4, 0], [5, 3, UNKNOWN]]
    assert batch["targets"].tolist() == [[4, END, 0, 0], [5, 3, 4, END]]
    assert (batch["lengths"].tolist(), batch["target_lengths"].tolist()) == ([2, 3], [1, 3])


def test_an_epoch_has_every_pair_once_in_batches_of_like_length() -> None:
    rng = np.random.default_rng(0)
    pairs = [Pair("a" * n, "B") for n in rng.integers(1, 20, 300)]
    data = dataset(pairs)
    plan = data.plan(3, 16)
    assert sorted(np.concatenate(plan)) == list(range(300))
    assert [p.tolist() for p in plan] == [p.tolist() for p in data.plan(3, 16)]
    assert [p.tolist() for p in plan] != [p.tolist() for p in data.plan(4, 16)]
    assert max(np.ptp([len(pairs[i].source) for i in batch]) for batch in plan) <= 2


def test_hidden_symbols_differ_by_epoch_only() -> None:
    data = dataset([Pair("abcdefg", "B")] * 40, hidden=0.25)
    first, again, other = (data.batch(range(40), epoch)["sources"] for epoch in (0, 0, 1))
    assert (first == again).all() and (first != other).any()
    assert (first == UNKNOWN).mean() == pytest.approx(0.25, abs=0.06)
    assert (data.batch(range(40), None)["sources"] != UNKNOWN).all()


def test_ctc_leaves_out_what_its_frames_cannot_hold() -> None:
    pairs = [Pair("a", "B K"), Pair("a", "B B"), Pair("ab", "B B K"), Pair("a", "B K D")]
    data = dataset(pairs, frames=2)
    assert [pair.target for pair in data.pairs] == ["B K", "B B K"]
    assert data.skipped[0] == "'a': 1 symbols have too few frames for 2"


@pytest.fixture(scope="module", params=["gru", "lstm", "rnn", "ctc"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    """A network with random weights, and the converter that its directory is read as."""
    import keras

    from asr.seq2seq.encoder_decoder import make_network

    keras.utils.set_random_seed(5)
    if request.param == "ctc":
        shape = Seq2SeqConfig("ctc", "gru", 5, 6, 2, frames=2)
    else:
        shape = Seq2SeqConfig("attention", request.param, 5, 6, 2, 7)
    network = make_network(shape, FIRST + len(LETTERS), FIRST + len(PHONES))
    for variable in network.trainable_variables:
        variable.assign(variable + keras.random.normal(variable.shape, stddev=0.3))
    folder = tmp_path_factory.mktemp(request.param)
    config = ConverterConfig("tiny", "characters", "words", tuple(LETTERS), PHONES, 6, shape)
    write_model(folder, config, weights_file(network, half=False), "")
    return network, Converter.load(folder)


PAIRS = [Pair("abcdefg", "AA1 B K D"), Pair("g", "B"), Pair("aaca", "D D"), Pair("cx", "K B K")]


def test_numpy_and_keras_say_the_same(both) -> None:  # type: ignore[no-untyped-def]
    network, converter = both
    batch = dataset(PAIRS).batch(range(len(PAIRS)), None)
    outputs, second = (np.array(x) for x in network(batch))
    lengths = batch["lengths"]
    encoded = converter.encoder.run(converter.embedding[batch["sources"]], lengths)
    if converter.config.network.kind == "ctc":
        logits = (encoded @ converter.head[0] + converter.head[1]).reshape(outputs.shape)
        for ours, theirs, frames in zip(logits, outputs, second, strict=True):
            assert ours[:frames] == pytest.approx(theirs[:frames], abs=1e-4)
        return
    decoder = Decoder(converter, encoded, lengths)
    known = [*range(END, UNKNOWN), *range(FIRST, FIRST + len(PHONES))]
    last = None
    for t in range(batch["targets"].shape[1]):
        logs, attention = decoder.step(last)
        expected = ctc.log_softmax(outputs[:, t])
        assert logs[:, 0, known] == pytest.approx(expected[:, known], abs=1e-4)
        assert attention[:, 0] == pytest.approx(second[:, t], abs=1e-5)
        last = batch["targets"][:, t : t + 1]


@settings(max_examples=20)
@given(sources=st.lists(words, min_size=1, max_size=5), beam=st.integers(1, 4))
def test_a_result_does_not_depend_on_its_neighbours(both, sources: list[str], beam: int) -> None:  # type: ignore[no-untyped-def]
    _, converter = both
    together = converter.convert(sources, beam, beam, length_penalty=0.5)
    for source, found in zip(sources, together, strict=True):
        (alone,) = converter.convert([source], beam, beam, length_penalty=0.5)
        assert [f.symbols for f in found] == [f.symbols for f in alone]
        assert [f.score for f in found] == pytest.approx([f.score for f in alone], abs=1e-4)


def likelihood(converter: Converter, source: str, target: tuple[str, ...]) -> float:
    """Of one target, step by step."""
    ids = converter.sources.ids(source)
    encoded = converter.encoder.run(converter.embedding[[ids]], np.array([len(ids)]))
    decoder = Decoder(converter, encoded, np.array([len(ids)]))
    total, last = 0.0, None
    for symbol in [*converter.targets.ids(target), END]:
        total += float(decoder.step(last)[0][0, 0, symbol])
        last = np.array([[symbol]])
    return total


@pytest.mark.parametrize("both", ["gru"], indirect=True)
@settings(max_examples=20)
@given(source=words, beam=st.integers(1, 6))
def test_what_the_search_returns(both, source: str, beam: int) -> None:  # type: ignore[no-untyped-def]
    _, converter = both
    (found,) = converter.convert([source], beam, nbest=beam)
    assert 1 <= len(found) <= beam
    assert len({f.symbols for f in found}) == len(found)
    assert [f.score for f in found] == sorted((f.score for f in found), reverse=True)
    for f in found:
        assert f.text == " ".join(f.symbols) and len(f.symbols) <= converter.config.longest
        assert f.attention is not None
        assert f.attention.shape == (len(f.symbols) + 1, len(source))
        assert f.attention.sum(axis=1) == pytest.approx(1, abs=1e-5)
        if len(f.symbols) < converter.config.longest:
            assert f.score == pytest.approx(likelihood(converter, source, f.symbols), abs=1e-4)


@pytest.mark.parametrize("both", ["gru"], indirect=True)
@settings(max_examples=20)
@given(source=words)
def test_a_beam_of_one_is_greedy(both, source: str) -> None:  # type: ignore[no-untyped-def]
    _, converter = both
    ids = converter.sources.ids(source)
    encoded = converter.encoder.run(converter.embedding[[ids]], np.array([len(ids)]))
    decoder, last, symbols = Decoder(converter, encoded, np.array([len(ids)])), None, []
    while len(symbols) < converter.config.longest:
        best = int(decoder.step(last)[0][0, 0].argmax())
        if best == END:
            break
        symbols.append(best)
        last = np.array([[best]])
    assert converter.convert([source])[0][0].symbols == converter.targets.symbols(symbols)


class Chain:
    """A decoder whose next symbol depends on the last alone: log-probabilities [last, next]."""

    def __init__(self, logs: np.ndarray, sources: int) -> None:
        self.logs, self.sources = logs, sources

    def step(self, last: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        last = np.zeros((self.sources, 1), int) if last is None else last
        return self.logs[last], np.ones((*last.shape, 1))

    def select(self, sources: np.ndarray, hypotheses: np.ndarray) -> None:
        self.sources = len(sources)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6), kinds=st.integers(1, 3), longest=st.integers(1, 4),
    penalty=st.sampled_from([0.0, 1.0]),
)  # fmt: skip
def test_a_beam_that_holds_everything_finds_the_best(
    seed: int, kinds: int, longest: int, penalty: float
) -> None:
    logs = ctc.log_softmax(np.random.default_rng(seed).normal(0, 2, [FIRST + kinds] * 2))
    logs[:, [0, UNKNOWN]] = -np.inf

    def score(ids: tuple[int, ...]) -> float:
        return sum(logs[a, b] for a, b in itertools.pairwise((0, *ids, END)))

    every = [
        ids
        for length in range(longest + 1)
        for ids in itertools.product(range(FIRST, FIRST + kinds), repeat=length)
    ]
    best = max(every, key=lambda ids: score(ids) / ((5 + len(ids)) / 6) ** penalty)
    one, two = search(Chain(logs, 2), 2, len(every) + 1, 1, longest, penalty)
    assert one[0].ids == two[0].ids == best
    assert one[0].score == pytest.approx(score(best))


def test_unlikely_targets_that_end_early_do_not_end_the_search() -> None:
    # Every symbol is followed by the next one, nearly always; else by the end.
    logs = np.full((FIRST + 6, FIRST + 6), -np.inf)
    logs[0, FIRST], logs[0, END] = np.log([0.99, 0.01])
    for symbol in range(FIRST, FIRST + 5):
        logs[symbol, symbol + 1], logs[symbol, END] = np.log([0.99, 0.01])
    logs[FIRST + 5, END] = 0.0
    for beam in (1, 2, 4):
        ((found,),) = search(Chain(logs, 1), 1, beam, 1, 20)
        assert found.ids == tuple(range(FIRST, FIRST + 6))
        assert found.score == pytest.approx(6 * np.log(0.99))


@pytest.mark.parametrize("both", ["ctc"], indirect=True)
def test_a_wider_beam_of_ctc_adds_up_the_alignments(both) -> None:  # type: ignore[no-untyped-def]
    _, converter = both
    (found,) = converter.convert(["ag"], beam=50, nbest=3)
    ids = np.array([converter.sources.ids("ag")])
    encoded = converter.encoder.run(converter.embedding[ids], np.array([2]))[0]
    logits = (encoded @ converter.head[0] + converter.head[1]).reshape(4, -1)
    texts = [converter.targets.ids(f.symbols) for f in found]
    expected = ctc.log_likelihoods(ctc.log_softmax(logits), texts)
    assert [f.score for f in found] == pytest.approx(expected, abs=0.01)
    assert found[0].attention is None


@pytest.mark.parametrize("both", ["gru"], indirect=True)
def test_what_cannot_be_converted_or_read_is_an_error(both, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    _, converter = both
    with pytest.raises(TextError, match="''"):
        converter.convert(["a", ""])
    assert converter.convert([]) == []
    with pytest.raises(ModelError, match="no model directory"):
        Converter.load(tmp_path)
    with pytest.raises(ModelError, match="this is a recogniser, for asr transcribe"):
        Converter.load("en-small")
