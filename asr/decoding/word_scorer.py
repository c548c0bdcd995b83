"""Word-level scores for beam search over characters or subwords: shallow fusion with a language
model, hot words, and a lexicon."""

from __future__ import annotations

import math
from collections.abc import Collection
from functools import partial
from typing import NamedTuple

from asr.decoding.hot_words import BEFORE_WORD, HotState, HotWords, normalise_hot_words
from asr.decoding.weighted_lm import PrefixTable, WeightedLM
from asr.errors import ConfigError
from asr.language.word_lm import LmState, WordLM
from asr.text.tokenizers import Tokenizer


class WordState(NamedTuple):
    """State of a hypothesis.

    Attributes:
        context: the language model's state behind the complete words.
        spelled: letters of the word that is being spelled, in the characters of the labels.
        lookahead: score already given for `spelled`, in nats.
        hot: progress in the hot phrases.
    """

    context: LmState
    spelled: str
    lookahead: float
    hot: HotState


# The search makes a state for every new prefix. From a tuple of its fields, a named tuple is made
# several times faster than by its constructor.
_new_state = partial(tuple.__new__, WordState)


class WordScorer:
    """Scores the words of a beam search over characters, jamo or subwords, character by
    character.

    A space ends a word. While a word is being spelled, it has the unigram score of the likeliest
    word with this prefix (language model look-ahead). When the word ends, the language model's
    score in context replaces the look-ahead. The penalty of an unknown word applies at the first
    letter that leaves every known word.

    Args:
        tokenizer: the recogniser's tokenizer.
        model: the language model; None for none.
        alpha: weight of its log-probability. Default 0.5.
        beta: added for every word, in nats, because a language model prefers few words. Default 1.
        unknown: added for every word that the model does not know, in nats. Default −5.
        hot_words: words or phrases to favour. They get no penalty as unknown words.
        hot_weight: added for every word of a hot phrase, in nats. Default 5.
        lexicon: the only words that hypotheses may have; None for any.
        name: name of the model in errors.

    Raises:
        ConfigError: the tokenizer can spell no word of the model or the lexicon; or a hot word
            cannot be spelled or is not in the lexicon.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        model: WordLM | None = None,
        alpha: float = 0.5,
        beta: float = 1.0,
        unknown: float = -5.0,
        hot_words: Collection[str] = (),
        hot_weight: float = 5.0,
        lexicon: Collection[str] | None = None,
        name: str = "language model",
    ) -> None:
        self.model = model
        self.spellings, self._compose = tokenizer.spellings, tokenizer.compose
        self.lexicon = None
        if lexicon is not None:
            words = _spellable(lexicon, tokenizer, "lexicon")
            self.lexicon = PrefixTable((tokenizer.spell(word), 0.0) for word in words)
        self.weighted_lm = self.unigrams = None
        if model is not None:
            words = _spellable(model.vocabulary, tokenizer, name)
            self.weighted_lm = WeightedLM(model, words, alpha, beta, unknown)
            self.unigrams = PrefixTable(
                (tokenizer.spell(word), self.weighted_lm.unigram(word)) for word in words
            )
        phrases = map(tokenizer.spell, normalise_hot_words(hot_words, tokenizer, lexicon))
        self.hot = HotWords(phrases, hot_weight) if hot_words else None

    def set_weights(self, alpha: float, beta: float, unknown: float) -> None:
        """Change the weights of the language model."""
        if self.weighted_lm is not None:
            self.weighted_lm.set_weights(alpha, beta, unknown)

    def start(self) -> WordState:
        """State before the first label."""
        # Not `if self.model`: the length of an n-gram model is a count of all its n-grams.
        context = () if self.model is None else self.model.start()
        return WordState(context, "", 0.0, BEFORE_WORD)

    def extend(self, state: WordState, label: int) -> tuple[tuple[float, WordState]]:
        """Score of one more label, in nats, and the new state."""
        total = 0.0
        for character in self.spellings[label]:
            score, state = self._extend(state, character)
            total += score
            if total == -math.inf:
                break
        return ((total, state),)

    def finish(self, state: WordState) -> float:
        """Score of ending here, in nats."""
        total = 0.0
        if state.spelled:
            total, state = self._extend(state, " ")
        if self.hot is not None:
            total += self.hot.finish(state.hot)
        if self.weighted_lm is not None and total > -math.inf:
            total += self.weighted_lm.end(state.context)
        return total

    def _extend(self, state: WordState, character: str) -> tuple[float, WordState]:
        context, spelled, lookahead, hot = state
        if character == " " and not spelled:
            return 0.0, state
        hot_score, new_hot = self.hot.step(hot, character) if self.hot else (0.0, hot)
        if character == " ":
            score, context = self._score_word(context, spelled, hot)
            return score - lookahead + hot_score, _new_state((context, "", 0.0, new_hot))
        longer = spelled + character
        reached = self._lookahead(longer, new_hot)
        return reached - lookahead + hot_score, _new_state((context, longer, reached, new_hot))

    def _lookahead(self, spelled: str, hot: HotState) -> float:
        """Score of the likeliest word that begins with `spelled`, in nats."""
        if self.lexicon is not None and self.lexicon.best(spelled) == -math.inf:
            return -math.inf
        if self.weighted_lm is None or self.unigrams is None:
            return 0.0
        best = self.unigrams.best(spelled)
        if best > -math.inf:
            return self.weighted_lm.to_nats(best)
        penalty = 0.0 if self.hot and hot.matched else self.weighted_lm.unknown
        return self.weighted_lm.to_nats(self.weighted_lm.rarest) + penalty

    def _score_word(self, context: LmState, word: str, hot: HotState) -> tuple[float, LmState]:
        """Score of a complete word, in nats, and the context behind it."""
        if self.lexicon is not None and word not in self.lexicon:
            return -math.inf, context
        if self.weighted_lm is None:
            return 0.0, context
        is_hot = bool(self.hot and self.hot.ends_hot_word(hot))
        return self.weighted_lm.score(context, self._compose(word), is_hot)


def _spellable(words: Collection[str], tokenizer: Tokenizer, name: str) -> list[str]:
    """The words that the tokenizer's labels can spell.

    Raises:
        ConfigError: there is none.
    """
    alphabet = set("".join(tokenizer.spellings))
    spellable = [word for word in words if alphabet.issuperset(tokenizer.spell(word))]
    if not spellable:
        raise ConfigError(
            f"{name}: the recogniser's alphabet can spell none of its words "
            f"({', '.join(sorted(words)[:3])}, …)"
        )
    return spellable
