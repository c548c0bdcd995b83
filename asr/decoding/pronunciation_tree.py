"""`PronunciationTree`: the pronunciations of a lexicon's words as a tree of phones, in arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

MOST_LABELS = 64
"""More than the label ids of phones."""


class PronunciationTree:
    """A tree of phones. A node stands for the phones on the way from the root, which is node 0.

    Nodes are sorted by depth, then by parent, then by phone.

    Args:
        words: the word of each pronunciation. A word may have several. One without phones is left
            out.
        phones: label ids of the phones of all pronunciations, one behind the other.
        starts: where each pronunciation begins in `phones`, and the end of the last.

    Attributes:
        words: the words by node, then alphabetically.
        word_starts: the words with exactly the phones of node n are those from `word_starts[n]` to
            `word_starts[n + 1]`: int32 [nodes + 1].
        word_counts: number of words with exactly the phones of each node: int32 [nodes].
        most_words: the largest of them.
        first_phones: the node of each phone alone, 0 if no word begins with it: int64
            [`MOST_LABELS`].
    """

    def __init__(self, words: Sequence[str], phones: np.ndarray, starts: np.ndarray) -> None:
        lengths = np.diff(starts)
        rows = spoken = np.flatnonzero(lengths)
        # The node of each pronunciation's first phones, one phone more in each turn.
        nodes = np.zeros(len(words), np.int64)
        levels, count = [np.array([-1])], 1
        for depth in range(int(lengths.max(initial=0))):
            rows = rows[lengths[rows] > depth]
            keys = nodes[rows] * MOST_LABELS + phones[starts[rows] + depth]
            found, places = np.unique(keys, return_inverse=True)
            nodes[rows] = count + places
            levels.append(found)
            count += len(found)
        # Of each node: its parent times `MOST_LABELS`, plus its last phone. They are sorted.
        self._keys = np.concatenate(levels)
        self._depths = np.cumsum([0, *map(len, levels)]).tolist()
        order = np.array(sorted(spoken.tolist(), key=words.__getitem__), np.int64)
        order = order[np.argsort(nodes[order], kind="stable")].tolist()
        ends = nodes[order].tolist()
        # Pronunciations that differ in stress only are one.
        kept = [
            i
            for i, row in enumerate(order)
            if not i or ends[i] != ends[i - 1] or words[row] != words[order[i - 1]]
        ]
        self.words = [words[order[i]] for i in kept]
        places = np.searchsorted(np.array(ends, np.int64)[kept], np.arange(count + 1))
        self.word_starts = places.astype(np.int32)
        self.word_counts = np.diff(self.word_starts)
        self.most_words = int(self.word_counts.max())
        self.first_phones = self.children(np.array(0), np.arange(MOST_LABELS))

    @classmethod
    def from_entries(cls, entries: Iterable[tuple[str, Sequence[int]]]) -> PronunciationTree:
        """The tree of pairs of a word and the label ids of its phones."""
        rows = list(entries)
        flat = np.array([phone for _, phones in rows for phone in phones], np.uint8)
        starts = np.cumsum([0, *(len(phones) for _, phones in rows)])
        return cls([word for word, _ in rows], flat, starts)

    def __len__(self) -> int:
        """Number of nodes."""
        return len(self._keys)

    def children(self, nodes: np.ndarray, phones: np.ndarray) -> np.ndarray:
        """The node behind each of several nodes and one more phone, 0 if there is none: int64."""
        wanted = nodes * MOST_LABELS + phones
        places = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        return np.where(self._keys[places] == wanted, places, 0)

    def words_of(self, node: int) -> list[str]:
        """The words with exactly these phones, in alphabetical order."""
        return self.words[self.word_starts[node] : self.word_starts[node + 1]]

    def best_below(self, scores: np.ndarray) -> np.ndarray:
        """The best score of the words whose pronunciations begin with each node's phones.

        Args:
            scores: score of each of `words`, float [words].

        Returns:
            float64 [nodes].
        """
        best = np.full(len(self), -np.inf)
        np.maximum.at(best, np.repeat(np.arange(len(self)), self.word_counts), scores)
        parents = self._keys // MOST_LABELS
        for start, end in zip(self._depths[-2:0:-1], self._depths[:0:-1], strict=False):
            np.maximum.at(best, parents[start:end], best[start:end])
        return best
