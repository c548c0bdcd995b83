"""Phones as the labels of an acoustic model's second head: what a text sounds like.

Spelling has to be learnt from speech, and an hour of it has few words; how words sound stands in a
pronouncing dictionary. So a network that also says phones can be read with a lexicon
(`asr.decoding.lexicon_scorer`), in words that it has never heard.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from asr.pronunciation.pronouncer import Pronouncer
from asr.text.phones import PHONE_LABELS

_IDS = {phone: i for i, phone in enumerate(PHONE_LABELS)}


def phone_ids(phones: Sequence[str]) -> tuple[int, ...]:
    """Label ids of phones with or without stress."""
    return tuple(_IDS[phone.rstrip("01")] for phone in phones)


class PhoneSpeller:
    """Normalised texts → label ids, every word in its first pronunciation."""

    def __init__(self, pronounce: Pronouncer) -> None:
        self.pronounce = pronounce
        self._known: dict[str, tuple[int, ...]] = {}

    def __call__(self, text: str) -> tuple[int, ...]:
        """Of words with spaces between; there is no label for where one ends."""
        return tuple(phone for word in text.split() for phone in self._word(word))

    def _word(self, word: str) -> tuple[int, ...]:
        if word not in self._known:
            # A letter of another script, in a dev text, has no sound here; in a train text it was
            # an error before.
            english = re.sub("[^a-z']", "", word)
            self._known[word] = phone_ids(self.pronounce(english).phones)
        return self._known[word]
