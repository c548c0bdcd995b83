"""`PhoneSpeller`: phones of a text, as labels for the second head of an acoustic model.

A recogniser learns spelling from its training speech, which has few different words. A pronouncing
dictionary has many more. With a head for phones, a lexicon (`asr.decoding.lexicon_scorer`) can find
words that are not in the training speech.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from asr.pronunciation.pronouncer import Pronouncer, first_pronunciations
from asr.text.phones import PHONE_LABELS

_IDS = {phone + stress: i for i, phone in enumerate(PHONE_LABELS) for stress in ("", "0", "1")}


def phone_ids(phones: Sequence[str]) -> tuple[int, ...]:
    """Label ids of phones; marks of stress are ignored."""
    return tuple([_IDS[phone] for phone in phones])


class PhoneSpeller:
    """Converts normalised texts to label ids, with the first pronunciation of each word."""

    def __init__(self, pronounce: Pronouncer) -> None:
        self.pronounce = pronounce
        self._known: dict[str, tuple[int, ...]] = {}

    @classmethod
    def of_lexicon(cls, entries: Iterable[tuple[str, str]]) -> PhoneSpeller:
        """A speller with the words and phones of a lexicon, and rules for all other words."""
        return cls(Pronouncer(first_pronunciations(entries)))

    def __call__(self, text: str) -> tuple[int, ...]:
        """Label ids of a text. There is no label for the boundary between words."""
        words = text.split()
        self.learn(words)
        return tuple(phone for word in words for phone in self._known[word])

    def learn(self, words: Iterable[str]) -> None:
        """Pronounce normalised words all at once, which is faster than text by text."""
        new = sorted({word for word in words if word not in self._known})
        # Letters of other scripts have no phones. Dev texts may have them; train texts that do are
        # left out later.
        found = self.pronounce.many([re.sub("[^a-z']", "", word) for word in new])
        for word, pronunciation in zip(new, found, strict=True):
            self._known[word] = phone_ids(pronunciation.phones)
