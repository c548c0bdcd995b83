"""Prefix beam search over phones that finds the words of a `LexiconScorer`.

It is the search of `asr.ctc.prefix_beam`, computed for all prefixes of a frame at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from asr.ctc.prefix_beam import Hypothesis
from asr.decoding.lexicon_scorer import History, LexiconScorer, PhoneState, WordEnd
from asr.decoding.pronunciation_tree import MOST_LABELS
from asr.text.tokenizers import BLANK

UNKNOWN = -1
"""No number yet, no ends of words looked up yet, or no word ended."""
_ROOM = 1024
"""Ends of words for which there is room at first."""
_OF_EXTENSIONS = slice(1, 6)
"""Rows of the integers of a `_Beam` that an extension has, too."""


class _Prefixes:
    """All prefixes that the search has kept, by number. A prefix keeps its number when it leaves
    the beam and comes back.

    The key of a prefix is made of the number of its parent, which is the prefix without the last
    phone, of the last phone, and of the way to read it: 0 continues the parent's word; n ends it as
    the n-th word with these phones, and the phone begins the next word.

    Prefixes share contexts, which are states of the scorer behind complete words, and the ends of
    words. Prefixes, contexts and ends are numbers, places in lists and arrays: one object for each
    prefix would take longer to make than the search takes to use it.

    Attributes:
        ways: ways to read a phone, at most.
        ends: the words that `first_ends` has added.
        end_scores: their scores in nats, float64; the first `len(ends)` are valid.
        end_contexts: numbers of the contexts behind them, int64; the first `len(ends)` are valid.
    """

    def __init__(self, scorer: LexiconScorer) -> None:
        self.scorer = scorer
        self.ways = scorer.lexicon.most_words + 1
        _, context, hot, node, _ = scorer.start()
        self._numbers: dict[int, int] = {}
        self._keys, self._scores, self._nodes = [-1], [0.0], [node]
        self._contexts, self._ended = [0], [UNKNOWN]
        self._context_states = [(context, hot)]
        self._context_numbers = {(context, hot): 0}
        self._first_ends: dict[int, int] = {}
        self.ends: list[WordEnd] = []
        self.end_scores, self.end_contexts = np.zeros(_ROOM), np.zeros(_ROOM, np.int64)

    def add(
        self,
        keys: Sequence[int],
        scores: Sequence[float],
        nodes: Sequence[int],
        contexts: Sequence[int],
        ends: Sequence[int],
    ) -> list[int]:
        """The number of each of several prefixes, new or not.

        Args:
            keys: see the class. No key occurs twice.
            scores: scores of the scorer, in nats.
            nodes: nodes of the lexicon for the phones of the word that is being said.
            contexts: numbers of the contexts behind the complete words.
            ends: place in `ends` of the word that the last phone ended, or `UNKNOWN`.
        """
        found = [self._numbers.get(key, UNKNOWN) for key in keys]
        new = [place for place, number in enumerate(found) if number == UNKNOWN]
        for number, place in enumerate(new, len(self._keys)):
            found[place] = self._numbers[keys[place]] = number
        self._keys += [keys[place] for place in new]
        self._scores += [scores[place] for place in new]
        self._nodes += [nodes[place] for place in new]
        self._contexts += [contexts[place] for place in new]
        self._ended += [ends[place] for place in new]
        return found

    def first_ends(self, contexts: np.ndarray, nodes: np.ndarray) -> np.ndarray:
        """The place in `ends` of the first word that the phones of each of several nodes can spell
        in a context. The words are added to `ends` if they are not there yet.

        Args:
            contexts: numbers of contexts, int [pairs].
            nodes: nodes of the lexicon, int [pairs].
        """
        known, found, count = len(self.ends), [], len(self.scorer.lexicon)
        keys, places = np.unique(contexts * count + nodes, return_inverse=True)
        for key in keys.tolist():
            first = self._first_ends.get(key)
            if first is None:
                first = self._first_ends[key] = len(self.ends)
                context, hot = self._context_states[key // count]
                self.ends += self.scorer.word_ends(context, hot, key % count)
            found.append(first)
        if len(self.ends) > len(self.end_scores):
            self.end_scores = np.resize(self.end_scores, 2 * len(self.ends))
            self.end_contexts = np.resize(self.end_contexts, 2 * len(self.ends))
        added, new = slice(known, len(self.ends)), self.ends[known:]
        self.end_scores[added] = [end.score for end in new]
        self.end_contexts[added] = [self._context_number(end) for end in new]
        return np.array(found)[places]

    def hypotheses(self, ending: Iterable[tuple[int, float]], most: int | None) -> list[Hypothesis]:
        """The best hypotheses of prefixes, or of the longest parts of them that may end.

        Args:
            ending: number and log-probability, in nats, of each prefix.
            most: hypotheses to return at most; None for all.
        """
        found = []
        for number, acoustic in ending:
            while not self.may_end(number) and number:
                number = self._parent(number)
            # The words do not change the score. Only those of the best are read.
            score = acoustic + self._scores[number] + self.scorer.finish(self._state(number, None))
            found.append((score, number, acoustic))
        found.sort(key=lambda item: -item[0])
        hypotheses = []
        for score, number, acoustic in found[:most]:
            labels, history = self._read(number)
            hypotheses.append(Hypothesis(labels, score, acoustic, self._state(number, history)))
        return sorted(hypotheses, key=lambda h: (-h.score, h.labels))

    def may_end(self, number: int) -> bool:
        """Whether a word can end behind a prefix."""
        node = self._nodes[number]
        return not node or bool(self.scorer.lexicon.words_of(node))

    def _context_number(self, end: WordEnd) -> int:
        states = end.context, end.hot
        number = self._context_numbers.setdefault(states, len(self._context_states))
        if number == len(self._context_states):
            self._context_states.append(states)
        return number

    def _state(self, number: int, history: History | None) -> PhoneState:
        node = self._nodes[number]
        states = self._context_states[self._contexts[number]]
        return PhoneState(history, *states, node, float(self.scorer.lookahead[node]))

    def _parent(self, number: int) -> int:
        return self._keys[number] // (MOST_LABELS * self.ways)

    def _read(self, number: int) -> tuple[tuple[int, ...], History | None]:
        """The labels and the complete words of a prefix."""
        labels, words = [], []
        while number:
            labels.append(self._keys[number] // self.ways % MOST_LABELS)
            if self._ended[number] != UNKNOWN:
                words.append(self.ends[self._ended[number]].word)
            number = self._parent(number)
        history = None
        for word in reversed(words):
            history = History(history, word)
        return tuple(reversed(labels)), history


class _Beam:
    """Prefixes in the search at one frame, best first.

    Attributes:
        floats: of each prefix, the probabilities of its alignments that end in a blank, of all of
            them, and of those that end in its last phone in the current frame; the scorer's score;
            and the look-ahead within it, in nats: float64 [5, prefixes].
        integers: of each prefix, its number or `UNKNOWN`; its key; its last phone; the node of the
            lexicon; the number of the context behind its complete words; the place in
            `_Prefixes.ends` of the word that its last phone ended, or `UNKNOWN`; and that of the
            first word that its last phones can spell, or `UNKNOWN`: int64 [7, prefixes].
    """

    def __init__(self, floats: np.ndarray, integers: np.ndarray) -> None:
        self.floats, self.integers = floats, integers
        self.blank, self.total, self.last, self.score, self.lookahead = floats
        self.number, self.key, self.label, self.node, self.context, _, self.first_end = integers


class _Extensions(NamedTuple):
    """Prefixes with one more phone.

    Attributes:
        pair: place of the pair of prefix and phone that each is made of, int64 [extensions].
        integers: of each extension, its key, see `_Prefixes`; its last phone; node of the lexicon;
            number of the context behind the complete words; and the place in `_Prefixes.ends` of
            the word that the phone ends, or `UNKNOWN`: int64 [5, extensions]. They are the rows
            `_OF_EXTENSIONS` of a `_Beam`.
        score: the scorer's score, in nats, float64 [extensions].
        lookahead: the look-ahead within the score, in nats, float64 [extensions].
    """

    pair: np.ndarray
    integers: np.ndarray
    score: np.ndarray
    lookahead: np.ndarray

    @property
    def key(self) -> np.ndarray:
        """The keys, int64 [extensions]."""
        return self.integers[0]


def lexicon_search(
    log_probabilities: np.ndarray,
    scorer: LexiconScorer,
    beam: int = 16,
    token_min: float = -7.0,
    margin: float = 15.0,
    most: int | None = None,
) -> list[Hypothesis]:
    """Decode one utterance by prefix beam search over phones.

    Args:
        log_probabilities: of the phones, float [frames, labels], in nats, without padding.
        scorer: lexicon and language model.
        beam, token_min, margin: see `asr.ctc.prefix_beam.beam_search`.
        most: hypotheses, each a sequence of phones, to return at most. Default: all.

    Returns:
        Hypotheses of phones as `beam_search` returns them; their states are those of the scorer.
    """
    prefixes = _Prefixes(scorer)
    root = np.array([[0, -1, BLANK, 0, 0, UNKNOWN, UNKNOWN]])
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
    return prefixes.hypotheses([item for item in found if prefixes.may_end(item[0])] or found, most)


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
    integers = np.full([7, count + len(new)], UNKNOWN)
    integers[:, :count] = active.integers
    integers[_OF_EXTENSIONS, count:] = more.integers[:, new]
    return _best(prefixes, _Beam(floats, integers), beam, margin)


def _best(prefixes: _Prefixes, candidates: _Beam, beam: int, margin: float) -> _Beam:
    """The best prefixes, each with a number; arguments as for `_advance`."""
    ranks = np.log(candidates.total) + candidates.score
    kept = np.argsort(-ranks, kind="stable")[:beam]
    kept = kept[(ranks[kept] >= ranks[kept[0]] - margin) & (candidates.total[kept] > 0.0)]
    best = _Beam(candidates.floats[:, kept], candidates.integers[:, kept])
    new = np.flatnonzero(best.number == UNKNOWN)
    if len(new):
        key, _, node, context, end = best.integers[_OF_EXTENSIONS, new].tolist()
        best.number[new] = prefixes.add(key, best.score[new].tolist(), node, context, end)
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
        active.first_end[places] = prefixes.first_ends(active.context[places], active.node[places])
    counts = words + (longer > 0)
    pair = np.repeat(np.arange(len(parents)), counts)
    first = np.repeat(np.cumsum(counts) - counts, counts)
    way = np.arange(len(pair)) - first + (longer[pair] == 0)
    ends_word = way > 0
    node = np.where(ends_word, begun[pair], longer[pair])
    parent, label = parents[pair], labels[pair]
    end = np.where(ends_word, active.first_end[parent] + way - 1, UNKNOWN)
    reached, given = lookahead[node], active.lookahead[parent]
    word_score = prefixes.end_scores[end] - given + reached
    score = active.score[parent] + np.where(ends_word, word_score, reached - given)
    context = np.where(ends_word, prefixes.end_contexts[end], active.context[parent])
    key = (active.number[parent] * MOST_LABELS + label) * prefixes.ways + way
    integers = np.stack([key, label, node, context, end])
    return _Extensions(pair, integers, score, reached)
