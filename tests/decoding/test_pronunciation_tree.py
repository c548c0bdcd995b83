from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from asr.decoding.pronunciation_tree import MOST_LABELS, PronunciationTree


def entries_of(tree: PronunciationTree) -> list[tuple[str, tuple[int, ...]]]:
    """The words of a tree with their phones, by node."""
    ways: dict[int, tuple[int, ...]] = {0: ()}
    labels = np.arange(1, MOST_LABELS)
    for node in range(len(tree)):
        children = tree.children(np.full(len(labels), node), labels).tolist()
        ways |= {
            child: (*ways[node], label)
            for child, label in zip(children, labels.tolist(), strict=True)
            if child
        }
    return [(word, ways[node]) for node in ways for word in tree.words_of(node)]


PHONE_ROWS = st.tuples(st.sampled_from("abcd"), st.lists(st.integers(1, 3), max_size=4).map(tuple))


@given(st.lists(PHONE_ROWS, max_size=12))
def test_a_tree_holds_every_pronunciation_once_and_the_best_score_below_each_node(
    rows: list[tuple[str, tuple[int, ...]]],
) -> None:
    tree = PronunciationTree.from_entries(rows)
    found = entries_of(tree)
    assert sorted(found) == sorted({row for row in rows if row[1]})
    # By number of phones, then by phones, then alphabetically.
    assert found == sorted(found, key=lambda entry: (len(entry[1]), entry[1], entry[0]))
    scores = np.array([-float(ord(word)) for word in tree.words])
    below = tree.best_below(scores).tolist()
    assert below[0] == max(scores, default=-math.inf)
    for word, phones in found:
        node = 0
        for n, phone in enumerate(phones, 1):
            node = int(tree.children(np.array([node]), np.array([phone]))[0])
            beginning = phones[:n]
            assert below[node] == max(-ord(w) for w, p in found if p[:n] == beginning)
        assert word in tree.words_of(node)
