"""Prefix beam search over phones that finds the words of a `LexiconScorer`.

It is the search of `asr.ctc.prefix_beam`, computed for all prefixes of a frame at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from asr.ctc.prefix_beam import Hypothesis
from asr.decoding.hot_words import HotState
from asr.decoding.lexicon_scorer import History, LexiconScorer, PhoneState, WordEnd
from asr.decoding.pronunciation_tree import MOST_LABELS
from asr.language.word_lm import LmState
from asr.text.tokenizers import BLANK

UNKNOWN = -1
"""The number of a prefix that has none yet, and the place of ends of words that nobody needed."""
_ROOM = 1024
"""Ends of words for which there is room at first."""


class _Words(NamedTuple):
    """The complete words of a prefix, and the states behind them; see `PhoneState`."""

    history: History | None
    context: LmState
    hot: HotState


class _Prefixes:
    """All prefixes that the search has kept, by number. A prefix keeps its number when it leaves
    the beam and comes back.

    The key of a prefix is made of the number of its parent, which is the prefix without the last
    phone, of the last phone, and of the way to read it: 0 continues the parent's word; n ends it as
    the n-th word with these phones, and the phone begins the next word.

    Attributes:
        ways: ways to read a phone, at most.
        ends: the words that `add_ends` has added.
        end_scores: their scores in nats, float64; the first `len(ends)` are valid.
    """

    def __init__(self, scorer: LexiconScorer) -> None:
        self.scorer = scorer
        self.ways = scorer.lexicon.most_words + 1
        self._numbers: dict[int, int] = {}
        history, context, hot, node, _ = scorer.start()
        self._keys, self._scores = [-1], [0.0]
        self._words, self._nodes = [_Words(history, context, hot)], [node]
        self._first_ends = [UNKNOWN]
        self._shared_ends: dict[tuple[LmState, HotState, int], int] = {}
        self.ends: list[WordEnd] = []
        self.end_scores = np.zeros(_ROOM)

    def add(
        self, keys: Iterable[int], scores: Iterable[float], nodes: Iterable[int]
    ) -> tuple[list[int], list[int]]:
        """The number of each of several prefixes, new or not, and the place in `ends` of the first
        word that its last phones can spell, or `UNKNOWN`.

        Args:
            keys: see the class.
            scores: scores of the scorer, in nats.
            nodes: nodes of the lexicon for the phones of the word that is being said.
        """
        found = []
        for key, score, node in zip(keys, scores, nodes, strict=True):
            number = self._numbers.get(key)
            if number is None:
                number = self._numbers[key] = len(self._keys)
                before, way = self._parent(key), key % self.ways
                words = self._words[before]
                if way:
                    word, _, context, hot = self.ends[self._first_ends[before] + way - 1]
                    words = _Words(History(words.history, word), context, hot)
                self._keys.append(key)
                self._scores.append(score)
                self._words.append(words)
                self._nodes.append(node)
                self._first_ends.append(UNKNOWN)
            found.append(number)
        return found, [self._first_ends[number] for number in found]

    def add_ends(self, numbers: Iterable[int]) -> list[int]:
        """Add the words that the last phones of prefixes can spell to `ends`.

        Returns:
            The place in `ends` of the first word of each prefix. Prefixes that differ in earlier
            words only share them.
        """
        known, found = len(self.ends), []
        for number in numbers:
            _, context, hot = self._words[number]
            key = (context, hot, self._nodes[number])
            first = self._shared_ends.get(key)
            if first is None:
                first = self._shared_ends[key] = len(self.ends)
                self.ends += self.scorer.word_ends(*key)
            self._first_ends[number] = first
            found.append(first)
        if len(self.ends) > len(self.end_scores):
            self.end_scores = np.resize(self.end_scores, 2 * len(self.ends))
        self.end_scores[known : len(self.ends)] = [end.score for end in self.ends[known:]]
        return found

    def hypothesis(self, number: int, acoustic: float) -> Hypothesis:
        """The hypothesis of a prefix, or of its longest part that may end."""
        while not self.may_end(number) and number:
            number = self._parent(self._keys[number])
        node = self._nodes[number]
        state = PhoneState(*self._words[number], node, float(self.scorer.lookahead[node]))
        score = acoustic + self._scores[number] + self.scorer.finish(state)
        return Hypothesis(self._labels(number), score, acoustic, state)

    def may_end(self, number: int) -> bool:
        """Whether a word can end behind a prefix."""
        node = self._nodes[number]
        return not node or bool(self.scorer.lexicon.words_of(node))

    def _parent(self, key: int) -> int:
        return key // (MOST_LABELS * self.ways)

    def _labels(self, number: int) -> tuple[int, ...]:
        path = []
        while number:
            key = self._keys[number]
            path.append(key // self.ways % MOST_LABELS)
            number = self._parent(key)
        return tuple(reversed(path))


class _Beam:
    """Prefixes in the search at one frame, best first.

    Attributes:
        floats: of each prefix, the probabilities of its alignments that end in a blank, of all of
            them, and of those that end in its last phone in the current frame; the scorer's score;
            and the look-ahead within it, in nats: float64 [5, prefixes].
        integers: of each prefix, its number or `UNKNOWN`; its key; its last phone; the node of the
            lexicon; and the place of the words that its last phones can spell in `_Prefixes.ends`
            or `UNKNOWN`: int64 [5, prefixes].
    """

    def __init__(self, floats: np.ndarray, integers: np.ndarray) -> None:
        self.floats, self.integers = floats, integers
        self.blank, self.total, self.last, self.score, self.lookahead = floats
        self.number, self.key, self.label, self.node, self.first_end = integers


class _Extensions(NamedTuple):
    """Prefixes with one more phone.

    Attributes:
        pair: place of the pair of prefix and phone that each is made of; all others are of each
            extension, too.
        key: its key, see `_Prefixes`.
        label: its last phone.
        node: node of the lexicon.
        score: the scorer's score, in nats.
        lookahead: the look-ahead within the score, in nats.
    """

    pair: np.ndarray
    key: np.ndarray
    label: np.ndarray
    node: np.ndarray
    score: np.ndarray
    lookahead: np.ndarray


def lexicon_search(
    log_probabilities: np.ndarray,
    scorer: LexiconScorer,
    beam: int = 16,
    token_min: float = -7.0,
    margin: float = 15.0,
) -> list[Hypothesis]:
    """Decode one utterance by prefix beam search over phones.

    Args:
        log_probabilities: of the phones, float [frames, labels], in nats, without padding.
        scorer: lexicon and language model.
        beam, token_min, margin: see `asr.ctc.prefix_beam.beam_search`.

    Returns:
        Hypotheses of phones as `beam_search` returns them; their states are those of the scorer.
    """
    prefixes = _Prefixes(scorer)
    root = np.array([[0, -1, BLANK, 0, UNKNOWN]])
    active = _Beam(np.array([[1.0, 1.0, 0.0, 0.0, 0.0]]).T, root.T)
    scale = 0.0
    labels = np.delete(np.arange(log_probabilities.shape[1]), BLANK)
    order = labels[np.argsort(-log_probabilities[:, labels], axis=1, kind="stable")]
    ranked = np.take_along_axis(log_probabilities, order, axis=1)
    counts = np.maximum((ranked >= token_min).sum(axis=1), 1).tolist()
    with np.errstate(divide="ignore"):  # the logarithm of 0 is −inf
        for frame, names, count in zip(np.exp(log_probabilities), order, counts, strict=True):
            active = _advance(prefixes, active, frame, names[:count], beam, margin)
            largest = active.total.max()
            if largest < 1e-30:
                # The probability of a whole utterance would underflow.
                scale += math.log(largest)
                active.floats[:3] /= largest
        acoustic = (np.log(active.total) + scale).tolist()
    found = list(zip(active.number.tolist(), acoustic, strict=True))
    # If no prefix may end, use the parts that may.
    ending = [item for item in found if prefixes.may_end(item[0])] or found
    hypotheses = [prefixes.hypothesis(*item) for item in ending]
    return sorted(hypotheses, key=lambda h: (-h.score, h.labels))


def _advance(
    prefixes: _Prefixes,
    active: _Beam,
    frame: np.ndarray,
    likely: np.ndarray,
    beam: int,
    margin: float,
) -> _Beam:
    """The prefixes behind one more frame.

    Args:
        prefixes: all prefixes.
        active: the prefixes before the frame.
        frame: probabilities of the labels, float [labels].
        likely: labels that extend prefixes, the most probable first.
        beam: number of prefixes to keep.
        margin: distance to the score of the best prefix, in nats, beyond which a prefix is dropped.
    """
    # Prefixes that stay the same, by a blank or by a repetition of the last label.
    blank, last = active.total * frame[BLANK], active.last * frame[active.label]
    # No prefix below this can survive the frame.
    floor = (np.log(blank + last) + active.score).max() - margin
    gains = active.total[:, None] * frame[likely]
    # Without a blank in between, a repeated label does not extend the prefix.
    rows, columns = np.nonzero(active.label[:, None] == likely)
    gains[rows, columns] = active.blank[rows] * frame[likely[columns]]
    # The smallest probabilities that reach the floor. exp overflows beyond about 709.
    least = np.exp(np.minimum(floor - active.score, 700.0))
    parents, columns = np.nonzero((gains >= least[:, None]) & (gains > 0.0))
    if not len(parents):  # as in most frames of a pause
        floats = np.stack([blank, blank + last, last, active.score, active.lookahead])
        return _best(prefixes, _Beam(floats, active.integers), beam, margin)
    more = _extend(prefixes, active, parents, likely[columns])
    gain = gains[parents, columns][more.pair]
    # Extensions that are in the beam already.
    by_key = np.argsort(active.key)
    places = by_key[np.searchsorted(active.key, more.key, sorter=by_key) % len(by_key)]
    known = active.key[places] == more.key
    last[places[known]] += gain[known]
    new = np.flatnonzero(~known & (np.log(gain) + more.score >= floor))
    count, gain = len(blank), gain[new]
    floats = np.zeros([5, count + len(new)])
    floats[0, :count] = blank
    floats[1, :count], floats[1, count:] = blank + last, gain
    floats[2, :count], floats[2, count:] = last, gain
    floats[3, :count], floats[3, count:] = active.score, more.score[new]
    floats[4, :count], floats[4, count:] = active.lookahead, more.lookahead[new]
    integers = np.full([5, count + len(new)], UNKNOWN)
    integers[:, :count] = active.integers
    integers[1, count:], integers[2, count:] = more.key[new], more.label[new]
    integers[3, count:] = more.node[new]
    return _best(prefixes, _Beam(floats, integers), beam, margin)


def _best(prefixes: _Prefixes, candidates: _Beam, beam: int, margin: float) -> _Beam:
    """The best prefixes, each with a number; arguments as for `_advance`."""
    ranks = np.log(candidates.total) + candidates.score
    kept = np.argsort(-ranks, kind="stable")[:beam]
    kept = kept[(ranks[kept] >= ranks[kept[0]] - margin) & (candidates.total[kept] > 0.0)]
    best = _Beam(candidates.floats[:, kept], candidates.integers[:, kept])
    new = np.flatnonzero(best.number == UNKNOWN)
    if len(new):
        columns = (column[new].tolist() for column in (best.key, best.score, best.node))
        best.number[new], best.first_end[new] = prefixes.add(*columns)
    return best


def _extend(
    prefixes: _Prefixes, active: _Beam, parents: np.ndarray, labels: np.ndarray
) -> _Extensions:
    """Extend prefixes by phones, in every way to read the phones.

    Args:
        prefixes: all prefixes.
        active: the prefixes in the beam.
        parents: places in `active` of the prefixes to extend, int [pairs].
        labels: the phone of each of them, int [pairs].
    """
    tree, lookahead = prefixes.scorer.lexicon, prefixes.scorer.lookahead
    nodes = active.node[parents]
    longer, begun = tree.children(nodes, labels), tree.first_phones[labels]
    words = tree.word_counts[nodes] * (begun > 0)
    needed = parents[(active.first_end[parents] == UNKNOWN) & (words > 0)]
    if len(needed):
        places = np.unique(needed)
        active.first_end[places] = prefixes.add_ends(active.number[places].tolist())
    counts = words + (longer > 0)
    pair = np.repeat(np.arange(len(parents)), counts)
    first = np.repeat(np.cumsum(counts) - counts, counts)
    way = np.arange(len(pair)) - first + (longer[pair] == 0)
    ends_word = way > 0
    node = np.where(ends_word, begun[pair], longer[pair])
    parent = parents[pair]
    end = np.where(ends_word, active.first_end[parent] + way - 1, 0)
    reached, given = lookahead[node], active.lookahead[parent]
    word_score = prefixes.end_scores[end] - given + reached
    score = active.score[parent] + np.where(ends_word, word_score, reached - given)
    label = labels[pair]
    key = (active.number[parent] * MOST_LABELS + label) * prefixes.ways + way
    return _Extensions(pair, key, label, node, score, reached)
