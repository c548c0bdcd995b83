from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asr.decoding.lm_record import LmRecord
from asr.errors import AsrWarning, ModelError
from asr.language.arpa import read_arpa, write_arpa
from asr.language.kneser_ney import estimate
from asr.language.ngram import BLOCK, NgramModel, Ngrams
from asr.language.ngram_file import MAGIC, base_name, encode, read_ngrams, write_model, write_ngrams
from asr.language.word_lm import END, NEVER, START, UNKNOWN
from asr.models import MODELS

WORDS = [START, END, UNKNOWN, "go", "tén", "o'clock"]
MODEL = estimate([["go", "forward", "ten"], ["go", "back"], ["ten", "go"]] * 2, 3)
Values = dict[tuple[str, ...], tuple[float, float]]


@st.composite
def small_models(draw: st.DrawFn) -> Values:
    """Probability and back-off of n-grams. The contexts of long n-grams may be missing, as a pruned
    ARPA file allows, and the values need not sum to one."""
    words = WORDS if draw(st.booleans()) else [w for w in WORDS if w != UNKNOWN]
    order = draw(st.integers(1, 4))
    value = st.floats(-5, 0, width=32)
    found: Values = {(w,): (draw(value), 0.0 if order == 1 else draw(value)) for w in words}
    for n in range(2, order + 1):
        for ngram in draw(
            st.lists(st.tuples(*[st.sampled_from(words)] * n), min_size=1, max_size=12, unique=True)
        ):
            found[ngram] = draw(value), 0.0 if n == order else draw(value)
    return found


def write_values(values: Values, path: Path) -> None:
    """An ARPA file as another tool writes it: unsorted, with as many digits as needed."""
    order = max(map(len, values))
    lines = ["\\data\\"]
    for n in range(1, order + 1):
        lines.append(f"ngram {n}={sum(len(ngram) == n for ngram in values)}")
    for n in range(1, order + 1):
        lines.append(f"\n\\{n}-grams:")
        for ngram, (probability, back_off) in values.items():
            if len(ngram) == n:
                lines.append(f"{probability!r}\t{' '.join(ngram)}\t{back_off!r}")
    path.write_text("\n".join([*lines, "", "\\end\\", ""]), encoding="utf-8")


def by_definition(values: Values, word: str, context: tuple[str, ...]) -> float:
    """Katz's definition of back-off: add the back-offs of the contexts, from the longest on, until
    there is an n-gram."""
    word = word if (word,) in values else UNKNOWN
    if (word,) not in values:
        return NEVER
    weight = 0.0
    while context and (*context, word) not in values:
        weight += values.get(context, (0.0, 0.0))[1]
        context = context[1:]
    return weight + values[(*context, word)][0]


@settings(max_examples=150, deadline=None)
@given(small_models(), st.lists(st.sampled_from([*WORDS, "never"]), max_size=12))
@example({(w,): (-1.0, -0.5) for w in WORDS} | {("go", "go", "go"): (-0.125, 0.0)}, ["go"] * 4)
def test_scores_and_states_are_those_of_the_arpa_file_to_the_bit(
    tmp_path_factory: pytest.TempPathFactory, values: Values, words: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("lm")
    write_values(values, folder / "x.arpa")
    parsed = read_arpa(folder / "x.arpa")
    write_ngrams(folder / "x.arpa", folder / "x.ngrams")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mapped = read_ngrams(folder / "x.arpa")
    assert mapped.words == parsed.words and len(mapped) == len(parsed) == len(values)
    order = max(map(len, values))
    assert mapped.order == order
    assert mapped.unigrams.tolist() == [values[w,][0] for w in mapped.words]
    # Every n-gram of the model, then the words of a sentence.
    for sentence in (*values, [START, *words]):
        states = [parsed.start() if sentence[0] == START else ()]
        heard: list[str] = [START] if sentence[0] == START else []
        for word in sentence[1 if sentence[0] == START else 0 :]:
            score, following = parsed.step(states[-1], word)
            assert mapped.step(states[-1], word) == (score, following)
            known = [w if (w,) in values else UNKNOWN for w in heard]
            if UNKNOWN not in known or (UNKNOWN,) in values:
                context = tuple(known[-(order - 1) :]) if order > 1 else ()
                assert score == by_definition(values, word, context)
            states.append(following)
            heard.append(word)
    # An n-gram of the model has its own probability, wherever its words come from.
    for ngram, (probability, _) in values.items():
        assert mapped.score(ngram[-1], ngram[:-1]) == probability


@settings(max_examples=25, deadline=None)
@given(small_models())
def test_no_ngram_is_lost_on_the_way_back_to_arpa(
    tmp_path_factory: pytest.TempPathFactory, values: Values
) -> None:
    folder = tmp_path_factory.mktemp("lm")
    write_values(values, folder / "x.arpa")
    write_ngrams(folder / "x.arpa", folder / "x.ngrams")
    (folder / "x.arpa").unlink()
    write_arpa(read_ngrams(folder / "x.ngrams"), folder / "y.arpa", digits=None)
    again = read_arpa(folder / "y.arpa")
    found = {
        tuple(again.words[i] for i in row): (float(p), float(b))
        for grams in again.ngrams()
        for row, p, b in zip(*grams, strict=True)
    }
    assert found == values


def test_histories_that_leave_the_same_contexts_are_one_state(tmp_path: Path) -> None:
    values: Values = {(w,): (-1.0, -0.5) for w in (START, END, "go", "on", "back")}
    values |= {("go", "on"): (-0.25, -0.125), ("back", "on"): (-0.25, 0.0)}
    values |= {("go", "on", "on"): (-0.75, 0.0), ("go", "back"): (-0.5, 0.0)}
    write_values(values, tmp_path / "x.arpa")
    model = read_arpa(tmp_path / "x.arpa")
    alone = model.step((), "on")[1]
    assert model.step(model.step((), "back")[1], "on")[1] == alone  # a leaf: nothing follows it
    after_go = model.step(model.step((), "go")[1], "on")[1]
    assert after_go != alone
    assert model.step(after_go, "on")[0] == -0.75
    assert model.step(after_go, "back")[0] == -0.125 - 0.5 - 1.0


@example((0, 0))
@example((2, 0))
@example((0, 2))
@given(st.tuples(st.integers(0, 3), st.integers(0, 3)))
def test_orders_may_be_empty(counts: tuple[int, int]) -> None:
    names = [START, END, "go", "on"]
    rows = np.array([[2, 3, 3], [3, 2, 2], [2, 2, 3]], np.int32)
    orders = [
        Ngrams(r, np.full(len(r), -n, np.float32), np.zeros(len(r), np.float32))
        for n, r in enumerate(
            [np.arange(4, dtype=np.int32)[:, None], rows[: counts[0], :2], rows[: counts[1]]]
        )
    ]
    model = NgramModel.from_ngrams(names, orders)
    assert len(model) == 4 + sum(counts)
    found = [sorted(map(tuple, grams.words.tolist())) for grams in model.ngrams()]
    assert found == [sorted(map(tuple, grams.words.tolist())) for grams in orders]
    for n, grams in enumerate(orders):
        for row in grams.words:
            assert model.score(names[row[-1]], [names[i] for i in row[:-1]]) == -n


def test_a_state_keeps_a_long_context_above_a_missing_short_one(tmp_path: Path) -> None:
    values: Values = {(w,): (-1.0, 0.0) for w in (START, END, "a", "b", "c", "d")}
    values[("a", "b", "c", "d")] = (-0.25, 0.0)
    write_values(values, tmp_path / "x.arpa")
    model = read_arpa(tmp_path / "x.arpa")
    state = ()
    for word in ("a", "b", "c"):
        state = model.step(state, word)[1]
    assert state == (0, -1, model.ids["c"])  # a b c, not b c, c
    assert model.step(state, "d") == (-0.25, (model.ids["d"],))
    assert model.step(model.step((), "c")[1], "d")[0] == -1.0


def large(words: int, values: int) -> NgramModel:
    """A bigram model in which one word has every other word behind it."""
    rng = np.random.default_rng(1)
    names = [START, END, *(f"w{i}" for i in range(words - 2))]
    bigrams = np.stack([np.full(words, 2), np.arange(words)], axis=1)
    more = np.unique(rng.integers(3, words, (5 * BLOCK, 2)), axis=0)
    both = np.concatenate([bigrams, more]).astype(np.int32)

    def numbers(count: int) -> np.ndarray:
        return (-rng.integers(1, values, count) / values).astype(np.float32)

    ones = Ngrams(np.arange(words, dtype=np.int32)[:, None], numbers(words), numbers(words))
    twos = Ngrams(both, numbers(len(both)), np.zeros(len(both), np.float32))
    return NgramModel.from_ngrams(names, [ones, twos])


@pytest.mark.parametrize(
    ("words", "values", "kinds"),
    [
        (300, 10, ("uint16", "uint8", 4)),
        (300, 1 << 20, ("uint16", "uint16", 4)),
        (70_000, 1 << 20, ("uint32", "uint16", 4)),  # more words than 16 bits can number
    ],
)
def test_large_vocabularies_and_many_values(
    tmp_path: Path, words: int, values: int, kinds: tuple[str, str, int]
) -> None:
    model = large(words, values)
    two = model.levels[1]
    assert two.leaf_words.dtype == kinds[0] and two.leaf_probabilities.itemsize == kinds[2]
    assert two.leaf_codes.dtype == kinds[1]
    # More values than 16 bits can number are stored one by one.
    assert len(model.levels[0].codes) == (0 if words > 1 << 16 else words)
    (tmp_path / "x.ngrams").write_bytes(encode(model, ""))
    mapped = read_ngrams(tmp_path / "x.ngrams")
    one, two = model.ngrams()
    for row, probability in list(zip(two.words, two.probabilities, strict=True))[:: words // 100]:
        context, word = (model.words[i] for i in row)
        assert mapped.score(word, (context,)) == probability
        assert mapped.step(model.start(), word) == model.step(model.start(), word)
    for before, after in zip(model.ngrams(), mapped.ngrams(), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert one.words[-1] == [words - 1]


@pytest.mark.slow  # the file's SHA-256 is checked by tests/test_shipped.py
def test_the_shipped_file_equals_its_rebuild_from_arpa(tmp_path: Path) -> None:
    shipped = MODELS / "en-small" / "lm.ngrams"
    model = read_ngrams(shipped)
    # The ARPA file is not shipped: the binary file has all that is in it.
    write_arpa(model, tmp_path / "lm.arpa", digits=2)
    rebuilt = read_arpa(tmp_path / "lm.arpa")
    content = shipped.read_bytes()
    place = len(MAGIC) + 32  # behind the checksum: length of the header, and the header
    length = int.from_bytes(content[place : place + 8], "little")
    header = json.loads(content[place + 8 : place + 8 + length])
    assert encode(rebuilt, header["arpa_sha256"]) == content
    assert len(rebuilt) == LmRecord.read(shipped).made["ngrams"]


def test_mapped_memory_belongs_to_the_file() -> None:
    model = read_ngrams(MODELS / "en-small" / "lm.ngrams")
    for level in model.levels:
        assert not any(array.flags.owndata or array.flags.writeable for array in level)


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    write_model(MODEL, tmp_path / "my.arpa.gz")
    return tmp_path / "my.arpa.gz"


def test_both_files_have_one_name_and_one_record(pair: Path) -> None:
    assert sorted(file.name for file in pair.parent.iterdir()) == ["my.arpa.gz", "my.ngrams"]
    binary = pair.with_name("my.ngrams")
    assert base_name(pair) == base_name(binary) == base_name(Path("my.arpa")) == "my"
    assert LmRecord.path(pair) == LmRecord.path(binary) == pair.with_name("my.json")


@pytest.mark.parametrize("given", ["my.arpa.gz", "my.ngrams"])
@pytest.mark.parametrize("damage", ["stale", "cut", "bit", "version", "foreign", "empty"])
def test_a_binary_file_that_does_not_fit_is_named_and_not_used(
    pair: Path, damage: str, given: str
) -> None:
    binary = pair.with_name("my.ngrams")
    data = binary.read_bytes()
    expected = MODEL.words
    if damage == "stale":
        write_arpa(estimate([["stop", "now"]], 2), pair)
        expected = [END, START, UNKNOWN, "now", "stop"]
    changed = {
        "stale": data,
        "cut": data[:-100],
        "bit": data[:-100] + bytes([data[-100] ^ 1]) + data[-99:],
        "version": MAGIC[:-3] + b"99\n" + data[len(MAGIC) :],
        "foreign": b"mmap lm http://kheafield.com/code format version 5\n\0" + data,
        "empty": b"",
    }
    binary.write_bytes(changed[damage])
    reasons = {"stale": "another ARPA file", "cut": "damaged", "bit": "damaged"}
    reason = reasons.get(damage, "another version" if damage == "version" else "not a binary")
    with pytest.warns(
        AsrWarning, match=rf"my\.ngrams: .*{reason}.*asr lm convert.*my\.arpa\.gz is"
    ):
        model = read_ngrams(pair.with_name(given))
    assert sorted(model.words) == sorted(expected)
    pair.unlink()
    if damage != "stale":  # without its ARPA file, nothing says that it is out of date
        with pytest.raises(ModelError, match=rf"my\.ngrams: .*{reason}"):
            read_ngrams(binary)


def test_missing_files_are_named(pair: Path) -> None:
    pair.with_name("my.ngrams").unlink()
    assert read_ngrams(pair).sentence(["go"]) == pytest.approx(MODEL.sentence(["go"]), abs=1e-4)
    with pytest.raises(ModelError, match=r"other\.ngrams: .*No such file"):
        read_ngrams(pair.with_name("other.ngrams"))
    with pytest.raises(ModelError, match=r"other\.arpa: .*No such file"):
        read_ngrams(pair.with_name("other.arpa"))


def test_a_gzipped_file_and_its_plain_copy_are_two_files(pair: Path) -> None:
    # The hash is the one of the file beside it; who unpacks it converts it again.
    pair.with_name("my.arpa").write_bytes(gzip.decompress(pair.read_bytes()))
    pair.unlink()
    with pytest.warns(AsrWarning, match="out of date"):
        assert read_ngrams(pair.with_name("my.arpa")).words == sorted(MODEL.words)


def test_commands_convert_and_write_both_forms(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("go forward\ngo back ten\n")

    def asr(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "asr", "lm", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)

    assert "4 words" in asr("train", "text.txt", "--out", "a.arpa").stdout
    assert {"a.arpa", "a.ngrams"} <= {file.name for file in tmp_path.iterdir()}
    assert asr("train", "text.txt", "--out", "b/a.ngrams").returncode == 0
    assert [file.name for file in (tmp_path / "b").iterdir()] == ["a.ngrams"]
    assert asr("convert", "b/a.ngrams", "c.arpa").returncode == 0
    assert (tmp_path / "c.arpa").read_bytes() == (tmp_path / "a.arpa").read_bytes()
    assert asr("convert", "a.arpa", "d.ngrams").returncode == 0
    assert (tmp_path / "d.ngrams").read_bytes() == (tmp_path / "a.ngrams").read_bytes()
    shutil.copy(tmp_path / "a.ngrams", tmp_path / "e.ngrams")
    refused = asr("convert", "a.arpa", "f.arpa")
    assert refused.returncode == 1 and ".ngrams" in refused.stderr
    found = asr("evaluate", "text.txt", "--lm", "e.ngrams")
    assert "0 words unknown" in found.stdout
