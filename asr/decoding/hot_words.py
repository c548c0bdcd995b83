"""Hot words: scores that favour given words and phrases in a beam search."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Iterator
from typing import NamedTuple

from asr.errors import ConfigError
from asr.text.tokenizers import Tokenizer


class HotState(NamedTuple):
    """Progress of a hypothesis in the hot phrases.

    Attributes:
        matched: the beginning of a hot phrase that the last characters spell; "" before a word;
            None inside a word that begins no hot phrase.
        earned: score of completed phrases within `matched`, in nats, which the hypothesis keeps
            if the longer phrase breaks off.
    """

    matched: str | None
    earned: float


BEFORE_WORD = HotState("", 0.0)
"""State at the start of an utterance, and behind a word that ended no longer phrase."""
INSIDE_OTHER_WORD = HotState(None, 0.0)


class HotWords:
    """Adds the weight of hot phrases character by character.

    A hypothesis that leaves a phrase before its end loses what the phrase has added.

    Args:
        phrases: normalised words, or phrases with one space between words.
        weight: score of every word of a phrase, in nats.
    """

    def __init__(self, phrases: Iterable[str], weight: float) -> None:
        self.phrases = set(phrases)
        self._added: dict[str, float] = {}
        for phrase in self.phrases:
            full = weight * len(phrase.split())
            for i in range(1, len(phrase) + 1):
                share = full * i / len(phrase)
                self._added[phrase[:i]] = max(self._added.get(phrase[:i], -math.inf), share)
        # A complete phrase has exactly its own score, even where it begins a longer phrase.
        self._added |= {phrase: weight * len(phrase.split()) for phrase in self.phrases}

    def step(self, state: HotState, character: str) -> tuple[float, HotState]:
        """Score of the next character, in nats, and the new state."""
        matched, earned = state
        added = self._added.get(matched or "", 0.0)
        if character == " ":
            if matched in self.phrases:
                earned = added
            longer = f"{matched or ''} "
            if longer in self._added:
                return self._added[longer] - added, HotState(longer, earned)
            return earned - added, BEFORE_WORD
        if matched is None:
            return 0.0, state
        longer = matched + character
        if longer in self._added:
            return self._added[longer] - added, HotState(longer, earned)
        # The phrase breaks off, but its last word may begin another phrase.
        word = longer.rpartition(" ")[2]
        if word in self._added:
            return earned + self._added[word] - added, HotState(word, 0.0)
        return earned - added, INSIDE_OTHER_WORD

    def finish(self, state: HotState) -> float:
        """Score of ending behind a word, in nats: takes back what an incomplete phrase added."""
        return state.earned - self._added.get(state.matched or "", 0.0)

    def ends_hot_word(self, state: HotState) -> bool:
        """Whether a word that ends in this state belongs to a hot phrase."""
        matched = state.matched or ""
        return matched in self.phrases or f"{matched} " in self._added


def normalise_hot_words(
    phrases: Iterable[str], tokenizer: Tokenizer, lexicon: Container[str] | None
) -> Iterator[str]:
    """Normalise hot words and check that the recogniser can output them.

    Args:
        phrases: words or phrases as the user wrote them.
        tokenizer: the recogniser's tokenizer.
        lexicon: the only words that the transcript may have; None for any.

    Raises:
        ConfigError: a hot word has characters outside the alphabet, has no letters, or is not in
            the lexicon; the error names the word.
    """
    for given in phrases:
        phrase = " ".join(tokenizer.normalise(given).split())
        if unknown := "".join(tokenizer.unknown(given)):
            raise ConfigError(f"hot word {given!r}: {unknown!r} is not in the model's alphabet")
        if not phrase:
            raise ConfigError(f"hot word {given!r}: no letter in it")
        for word in phrase.split():
            if lexicon is not None and word not in lexicon:
                raise ConfigError(f"hot word {given!r}: {word!r} is not in the lexicon")
        yield phrase
