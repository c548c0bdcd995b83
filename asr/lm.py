"""Word n-gram language models: ARPA files read and written, estimated, and fused into a search."""

from __future__ import annotations

import gzip
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from asr.errors import ConfigError, ModelError
from asr.files import atomic_write
from asr.manifest import read_manifest
from asr.text import NORMALISERS, Tokenizer

START, END, UNKNOWN = "<s>", "</s>", "<unk>"
Ngram = tuple[str, ...]
NEVER = -99.0
"""What ARPA files write for a log10 probability of zero, as that of <s>."""


@dataclass(frozen=True)
class NgramModel:
    """A back-off n-gram model: for each n-gram its log10 probability and log10 back-off weight."""

    order: int
    table: dict[Ngram, tuple[float, float]]

    @property
    def vocabulary(self) -> set[str]:
        """Words that the model knows, without its marks."""
        return {n[0] for n in self.table if len(n) == 1} - {START, END, UNKNOWN}

    def score(self, word: str, context: Ngram) -> float:
        """Log10 probability of `word` after `context` (Katz, 1987); of <unk> if it is unknown.

        A model without <unk> gives an unknown word `NEVER`.
        """
        if (word,) not in self.table:
            word = UNKNOWN
        context = context[max(0, len(context) - self.order + 1) :]
        weight = 0.0
        for i in range(len(context) + 1):
            found = self.table.get((*context[i:], word))
            if found is not None:
                return weight + found[0]
            weight += self.table.get(context[i:], (0.0, 0.0))[1]
        return NEVER

    def sentence(self, words: Sequence[str]) -> float:
        """Log10 probability of a whole sentence, its end included."""
        context: Ngram = (START,)
        total = 0.0
        for word in (*words, END):
            total += self.score(word, context)
            context = (*context, word if (word,) in self.table else UNKNOWN)[-self.order :]
        return total


def read_arpa(path: Path) -> NgramModel:
    """Read an ARPA file, plain or gzip.

    Raises:
        ModelError: the file cannot be read, or a line (named) is broken or missing.
    """
    try:
        opened: TextIO
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with (
            gzip.open(path, "rt", encoding="utf-8")
            if packed
            else path.open(encoding="utf-8") as opened
        ):
            return _parse(opened, str(path))
    except (OSError, UnicodeDecodeError, EOFError) as error:
        raise ModelError(f"{path}: cannot be read as an ARPA file: {error}") from None


def _parse(lines: Iterable[str], name: str) -> NgramModel:
    promised: dict[int, int] = {}
    table: dict[Ngram, tuple[float, float]] = {}
    section: int | None = None
    ended = False
    for number, raw in enumerate(lines, 1):
        line = raw.strip()
        if not line or ended:
            continue
        try:
            if line == "\\data\\":
                section = 0
            elif line == "\\end\\":
                ended = True
            elif line.startswith("\\"):
                section = int(line.removeprefix("\\").removesuffix("-grams:"))
            elif section == 0:
                order, count = line.removeprefix("ngram ").split("=")
                promised[int(order)] = int(count)
            elif section:
                fields = line.split()
                words = tuple(fields[1 : section + 1])
                if len(words) != section or len(fields) > section + 2:
                    raise ValueError(f"expected {section} words")
                back_off = float(fields[section + 1]) if len(fields) == section + 2 else 0.0
                table[words] = (float(fields[0]), back_off)
        except ValueError as error:
            raise ModelError(f"{name}, line {number}: {error}: {line!r}") from None
    sizes = Counter(len(ngram) for ngram in table)
    if not promised or not ended:
        missing = "\\end\\" if promised else "\\data\\"
        raise ModelError(f"{name}: not a whole ARPA file: {missing} is missing")
    for n, expected in promised.items():
        if sizes[n] != expected:
            raise ModelError(f"{name}: {expected} {n}-grams promised, {sizes[n]} found")
    return NgramModel(max(promised), table)


def write_arpa(model: NgramModel, path: Path) -> None:
    """Write an ARPA file; gzip if the name ends in .gz."""
    lines = ["\\data\\"]
    by_order: dict[int, list[Ngram]] = defaultdict(list)
    for ngram in model.table:
        by_order[len(ngram)].append(ngram)
    lines += [f"ngram {order}={len(by_order[order])}" for order in sorted(by_order)]
    for order in sorted(by_order):
        lines += ["", f"\\{order}-grams:"]
        for ngram in sorted(by_order[order]):
            probability, back_off = model.table[ngram]
            line = f"{probability:.6f}\t{' '.join(ngram)}"
            lines.append(f"{line}\t{back_off:.6f}" if order < model.order else line)
    data = ("\n".join([*lines, "", "\\end\\"]) + "\n").encode()
    with atomic_write(path, binary=True) as file:
        # No time stamp inside: the same text gives the same file.
        file.write(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def estimate(sentences: Iterable[Sequence[str]], order: int) -> NgramModel:
    """Interpolated modified Kneser-Ney estimate (Chen & Goodman, 1998), in back-off form.

    Raises:
        ConfigError: an order below 1, or no words.
    """
    counts = _adjusted_counts(sentences, order)
    vocabulary = {n[0] for n in counts[0]} - {START} | {UNKNOWN}
    if vocabulary <= {END, UNKNOWN}:
        raise ConfigError("language model: the text has no words")
    probabilities: dict[Ngram, float] = {}
    weights: dict[Ngram, float] = {}
    for grams in counts:
        discounts = _discounts(grams)
        totals: dict[Ngram, int] = defaultdict(int)
        held: dict[Ngram, float] = defaultdict(float)
        for ngram, count in grams.items():
            totals[ngram[:-1]] += count
            held[ngram[:-1]] += discounts[min(count, 3)]
        for context, total in totals.items():
            weights[context] = held[context] / total
        for ngram, count in grams.items():
            context = ngram[:-1]
            lower = probabilities[ngram[1:]] if context else 1 / len(vocabulary)
            kept = count - discounts[min(count, 3)]
            probabilities[ngram] = kept / totals[context] + weights[context] * lower
        if grams is counts[0]:
            probabilities[(UNKNOWN,)] = weights[()] / len(vocabulary)
    table = {
        ngram: (math.log10(p), math.log10(weights[ngram]) if weights.get(ngram) else 0.0)
        for ngram, p in probabilities.items()
    }
    table[(START,)] = (NEVER, math.log10(weights[(START,)]) if weights.get((START,)) else 0.0)
    return NgramModel(order, table)


def read_sentences(paths: Sequence[Path], normaliser: str) -> list[list[str]]:
    """Words of each line of text files, or of each utterance of .jsonl manifests, normalised.

    Raises:
        ConfigError: an unknown normaliser, or a file that cannot be read.
        ManifestError: a broken manifest.
    """
    if normaliser not in NORMALISERS:
        raise ConfigError(f"normaliser {normaliser}: not known; one of {', '.join(NORMALISERS)}")
    lines: list[str] = []
    for path in paths:
        if path.suffix == ".jsonl":
            lines += [u.text for u in read_manifest(path)]
            continue
        try:
            lines += path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: cannot be read as text: {error}") from None
    return [words for line in lines if (words := NORMALISERS[normaliser](line).split())]


def _adjusted_counts(sentences: Iterable[Sequence[str]], order: int) -> list[Counter[Ngram]]:
    """Per order: occurrences for the highest, for the others in how many words' company.

    An n-gram at a sentence's start has nothing before it and keeps its occurrences.
    """
    if order < 1:
        raise ConfigError(f"language model: order must be 1 or more, found {order}")
    raw: list[Counter[Ngram]] = [Counter() for _ in range(order)]
    for words in sentences:
        marked = (START, *words, END)
        for n in range(1, order + 1):
            raw[n - 1].update(marked[i : i + n] for i in range(len(marked) - n + 1))
    del raw[0][(START,)]
    adjusted = [raw[-1]]
    for n in range(order - 1, 0, -1):
        grams: Counter[Ngram] = Counter(ngram[1:] for ngram in raw[n])
        grams.update({g: c for g, c in raw[n - 1].items() if g[0] == START})
        adjusted.insert(0, grams)
    return adjusted


def _discounts(grams: Counter[Ngram]) -> tuple[float, float, float, float]:
    """What is taken from counts of 0, 1, 2 and 3 or more."""
    n = Counter(grams.values())
    if not (n[1] and n[2] and n[3]):
        return (0.0, 0.5, 1.0, 1.5)  # too little text for its counts of counts to say
    y = n[1] / (n[1] + 2 * n[2])
    values = (1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3])
    bounded = [min(max(value, 0.0), i + 1.0) for i, value in enumerate(values)]
    return (0.0, bounded[0], bounded[1], bounded[2])


class WordScorer:
    """Adds a word model to a beam search over characters, at the end of each word.

    Args:
        model: the n-gram model.
        tokenizer: what the labels mean; a space ends a word.
        alpha: weight of the model's log-probability.
        beta: added for each word, against the model's liking for few.
        unknown: added (negative) as soon as a word cannot become one that the model knows.

    Raises:
        ConfigError: no word of the model can be spelled by the tokenizer.
    """

    def __init__(
        self,
        model: NgramModel,
        tokenizer: Tokenizer,
        alpha: float = 0.5,
        beta: float = 1.0,
        unknown: float = -5.0,
    ) -> None:
        spelled = {w for w in model.vocabulary if not tokenizer.unknown(w)}
        if not spelled:
            raise ConfigError(
                "language model: none of its words can be spelled by the recogniser's alphabet "
                f"({', '.join(sorted(model.vocabulary)[:3])}, …)"
            )
        self.model, self.alpha, self.beta, self.unknown = model, alpha, beta, unknown
        self.text = tokenizer.labels
        self.prefixes = {w[:i] for w in spelled for i in range(len(w) + 1)}

    def start(self) -> tuple[Ngram, str]:
        """Words so far (as many as matter), and the letters of the word that is being spelled."""
        return (START,), ""

    def extend(self, state: tuple[Ngram, str], label: int) -> tuple[float, tuple[Ngram, str]]:
        context, partial = state
        character = self.text[label]
        if character != " ":
            longer = partial + character
            lost = partial in self.prefixes and longer not in self.prefixes
            return (self.unknown if lost else 0.0), (context, longer)
        if not partial:
            return 0.0, state
        score = self._word(partial, context)
        word = partial if (partial,) in self.model.table else UNKNOWN
        return score, ((*context, word)[-self.model.order :], "")

    def finish(self, state: tuple[Ngram, str]) -> float:
        context, partial = state
        score = 0.0
        if partial:
            score, (context, _) = self.extend(state, self.text.index(" "))
        return score + self.alpha * math.log(10) * self.model.score(END, context)

    def _word(self, word: str, context: Ngram) -> float:
        return self.alpha * math.log(10) * self.model.score(word, context) + self.beta
