"""Word-level scores for beam search over phones, with a pronunciation lexicon.

The lexicon maps phones to words, and the language model scores the words. The search can therefore
find words that are not in the training data (as EESEN: Miao et al., 2015, with prefixes instead of
transducers).
"""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import numpy as np

from asr.decoding.hot_words import BEFORE_WORD, HotState, HotWords
from asr.decoding.pronunciation_tree import PronunciationTree
from asr.decoding.weighted_lm import WeightedLM
from asr.errors import ConfigError
from asr.language.ngram import NgramModel
from asr.language.word_lm import LmState, WordLM
from asr.pronunciation.lexicon_table import LexiconTable, read_table
from asr.pronunciation.phone_speller import phone_ids
from asr.pronunciation.pronouncer import add_pronunciations
from asr.text.phones import PHONES
from asr.text.tokenizers import Tokenizer


class History(NamedTuple):
    """The words of a hypothesis, as a linked list that hypotheses share: the last word and the
    history before it (None for no words)."""

    before: History | None
    word: str


class PhoneState(NamedTuple):
    """State of a hypothesis.

    Attributes:
        history: the complete words.
        context: the language model's state behind them.
        hot: progress in the hot phrases.
        spoken: node of the lexicon's tree for the phones of the word that is being said.
        lookahead: score already given for `spoken`, in nats.
    """

    history: History | None
    context: LmState
    hot: HotState
    spoken: int
    lookahead: float


class WordEnd(NamedTuple):
    """A word that ends.

    Attributes:
        word: the word.
        score: its score, in nats.
        context: the language model's state behind the word.
        hot: progress in the hot phrases.
    """

    word: str
    score: float
    context: LmState
    hot: HotState


_PLAIN_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz'")


class LexiconScorer:
    """Scores the words that the phones of a beam search can spell.

    Hypotheses have words of the lexicon only. While a word is being said, it has the score of the
    likeliest word with these first phones (language model look-ahead). Where a word ends, the next
    phone begins another word, with one continuation for each homophone.
    `asr.decoding.lexicon_search` is the search with these scores.

    Args:
        lexicon: words with their pronunciations.
        model: the language model; None for none.
        alpha, beta, unknown: weights of the language model, see `word_scorer.WordScorer`.
        hot_words: normalised phrases to favour, made of words of `lexicon`.
        hot_weight: added for every word of a hot phrase, in nats. Default 5.

    Attributes:
        lexicon: words with their pronunciations.
        lookahead: the score of the likeliest word that begins with the phones of each node of the
            lexicon, without a context, in nats: float64 [nodes]; 0 for the root.
    """

    def __init__(
        self,
        lexicon: PronunciationTree,
        model: WordLM | None,
        alpha: float = 0.5,
        beta: float = 1.0,
        unknown: float = -5.0,
        hot_words: Collection[str] = (),
        hot_weight: float = 5.0,
    ) -> None:
        self.model, self.lexicon = model, lexicon
        self.hot = HotWords(hot_words, hot_weight) if hot_words else None
        # The look-ahead contains the weight of the first word of a hot phrase. Otherwise the
        # search would drop an unlikely hot word before its last phone.
        self._hot_lookahead = {phrase.split()[0]: hot_weight for phrase in hot_words}
        self.weighted_lm = None
        if model is not None:
            self.weighted_lm = WeightedLM(model, model.vocabulary, alpha, beta, unknown)
        self.lookahead = self._best_words()

    def set_weights(self, alpha: float, beta: float, unknown: float) -> None:
        """Change the weights of the language model."""
        if self.weighted_lm is not None:
            self.weighted_lm.set_weights(alpha, beta, unknown)
            self.lookahead = self._best_words()

    def start(self) -> PhoneState:
        """State before the first label."""
        # Not `if self.model`: the length of an n-gram model is a count of all its n-grams.
        context = () if self.model is None else self.model.start()
        return PhoneState(None, context, BEFORE_WORD, 0, 0.0)

    def word_ends(self, context: LmState, hot: HotState, spoken: int) -> list[WordEnd]:
        """Each word that the phones of a node can spell, with its score and the states behind it.

        The scores do not contain the look-ahead.

        Args:
            context: the language model's state before the word.
            hot: progress in the hot phrases before the word.
            spoken: node of the lexicon.
        """
        words = self.lexicon.words_of(spoken)
        lm = self.weighted_lm
        if lm is None or self.hot is not None or not isinstance(self.model, NgramModel):
            return [WordEnd(word, *self._score_word(context, hot, word)) for word in words]
        # The search asks once for each context and node, and an n-gram is soon found.
        scored = lm.uncached_scores(context, words)
        return [
            WordEnd(word, score, following, hot)
            for word, (score, following) in zip(words, scored, strict=True)
        ]

    def finish(self, state: PhoneState) -> float:
        """Score of ending here with the likeliest last word, in nats; −inf inside a word."""
        return max((score for score, _ in self._endings(state)), default=-math.inf)

    def texts(self, state: PhoneState) -> list[tuple[float, str]]:
        """Texts of a hypothesis that ends here, one for each homophone of its last word.

        Returns:
            (score of ending, text) by falling score, in nats; empty inside a word.
        """
        found = []
        for score, history in sorted(self._endings(state), key=lambda ending: -ending[0]):
            words: list[str] = []
            while history is not None:
                words.append(history.word)
                history = history.before
            found.append((score, " ".join(reversed(words))))
        return found

    def _best_words(self) -> np.ndarray:
        words, lm = self.lexicon.words, self.weighted_lm
        scores = np.zeros(len(words)) if lm is None else lm.to_nats(lm.unigrams_of(words))
        if hot := self._hot_lookahead:
            scores += np.array([hot.get(word, 0.0) for word in words])
        best = self.lexicon.best_below(scores)
        best[0] = 0.0  # no word has begun
        return best

    def _endings(self, state: PhoneState) -> list[tuple[float, History | None]]:
        """(score of ending, words) for every word that can end here."""
        if not state.spoken:
            return [(self._score_end(state.context, state.hot), state.history)]
        return [
            (
                end.score - state.lookahead + self._score_end(end.context, end.hot),
                History(state.history, end.word),
            )
            for end in self.word_ends(state.context, state.hot, state.spoken)
        ]

    def _score_end(self, context: LmState, hot: HotState) -> float:
        score = self.hot.finish(hot) if self.hot else 0.0
        return score + (self.weighted_lm.end(context) if self.weighted_lm else 0.0)

    def _score_word(
        self, context: LmState, hot: HotState, word: str
    ) -> tuple[float, LmState, HotState]:
        """Score of a complete word, in nats, and the states behind it."""
        total = 0.0
        is_hot = False
        if self.hot is not None:
            for character in word:
                score, hot = self.hot.step(hot, character)
                total += score
            is_hot = self.hot.ends_hot_word(hot)
            score, hot = self.hot.step(hot, " ")
            total += score
        if self.weighted_lm is None:
            return total, context, hot
        score, context = self.weighted_lm.score(context, word, is_hot)
        return total + score, context, hot


def read_pronunciations(
    path: Path, words: Collection[str], tokenizer: Tokenizer
) -> PronunciationTree:
    """Read every pronunciation of `words` from a recogniser's lexicon.

    `asr.pronunciation.pronouncer` pronounces words that the lexicon does not have. Words that the
    tokenizer cannot spell are left out.

    Args:
        path: the lexicon, such as `LEXICON_FILE` in the recogniser's directory.
        words: the words to find.
        tokenizer: the recogniser's tokenizer.

    Raises:
        ModelError: the lexicon cannot be read, or a line of it is wrong.
        ConfigError: no word is left.
    """
    # Strings of the language model replace those of the lexicon: one of each takes less memory.
    spellable = {word: word for word in _spellable(words, tokenizer)}
    table = read_table(path)
    found = list(map(spellable.get, table.words))
    if len(set(found) - {None}) < len(spellable):
        table = LexiconTable.from_entries(add_pronunciations(table.entries(), spellable))
        found = list(map(spellable.get, table.words))
    chosen = [word is not None for word in found]
    if not any(chosen):
        raise ConfigError(f"{path}: no pronunciation for any word of the language model or lexicon")
    table = table.rows(chosen)
    words = list(filter(None, found))
    return PronunciationTree(words, np.array(phone_ids(PHONES))[table.phones], table.starts)


def _spellable(words: Collection[str], tokenizer: Tokenizer) -> set[str]:
    """The words without characters that the tokenizer does not know.

    Normalising each word of a language model takes longer than all the rest of loading it. But
    every normaliser keeps or drops each of the plain letters, whatever stands beside it. Words of
    letters that the tokenizer knows need not be normalised one by one.
    """
    letters = {c for c in _PLAIN_LETTERS if c not in tokenizer.unknown(f"x{c}x")}
    if letters.issuperset("".join(words)):
        return set(words)
    return {word for word in words if letters.issuperset(word) or not tokenizer.unknown(word)}
