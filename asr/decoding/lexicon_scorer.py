"""Word-level scores for beam search over phones, with a pronunciation lexicon.

The lexicon maps phones to words, and the language model scores the words. The search can therefore
find words that are not in the training data (as EESEN: Miao et al., 2015, with prefixes instead of
transducers).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from asr.decoding.hot_words import BEFORE_WORD, HotState, HotWords
from asr.decoding.weighted_lm import PrefixTable, WeightedLM
from asr.errors import ConfigError
from asr.language.word_lm import LmState, WordLM
from asr.pronunciation.phone_speller import phone_ids
from asr.pronunciation.pronouncer import add_pronunciations, read_entries
from asr.text.tokenizers import Tokenizer


class PronunciationEntry(NamedTuple):
    """A word and one pronunciation, in label ids of `asr.pronunciation.phone_speller`."""

    word: str
    phones: tuple[int, ...]


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
        spoken: phones of the word that is being said, one character per label id.
        lookahead: score already given for `spoken`, in nats.
    """

    history: History | None
    context: LmState
    hot: HotState
    spoken: str
    lookahead: float


# The search makes a state for every new prefix. From a tuple of its fields, a named tuple is made
# several times faster than by its constructor.
_new_history = partial(tuple.__new__, History)
_new_state = partial(tuple.__new__, PhoneState)
_new_entry = partial(tuple.__new__, PronunciationEntry)

_PLAIN_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz'")


class LexiconScorer:
    """Scores the words that the phones of a beam search can spell.

    Hypotheses have words of the lexicon only. While a word is being said, it has the score of the
    likeliest word with these first phones (language model look-ahead). Where a word ends, the next
    phone begins another word, with one continuation for each homophone.

    Args:
        entries: words with their pronunciations.
        model: the language model; None for none.
        alpha, beta, unknown: weights of the language model, see `word_scorer.WordScorer`.
        hot_words: normalised phrases to favour, made of words of `entries`.
        hot_weight: added for every word of a hot phrase, in nats. Default 5.
    """

    def __init__(
        self,
        entries: Iterable[tuple[str, tuple[int, ...]]],
        model: WordLM | None,
        alpha: float = 0.5,
        beta: float = 1.0,
        unknown: float = -5.0,
        hot_words: Collection[str] = (),
        hot_weight: float = 5.0,
    ) -> None:
        self.model = model
        self.homophones: dict[str, list[str]] = {}
        for word, phones in sorted(entries):
            if phones:
                self.homophones.setdefault("".join(map(chr, phones)), []).append(word)
        self.hot = HotWords(hot_words, hot_weight) if hot_words else None
        # The look-ahead contains the weight of the first word of a hot phrase. Otherwise the
        # search would drop an unlikely hot word before its last phone.
        self._hot_lookahead = {phrase.split()[0]: hot_weight for phrase in hot_words}
        self.weighted_lm = None
        if model is not None:
            self.weighted_lm = WeightedLM(model, model.vocabulary, alpha, beta, unknown)
        self._lookahead = self._lookahead_table()

    def set_weights(self, alpha: float, beta: float, unknown: float) -> None:
        """Change the weights of the language model."""
        if self.weighted_lm is not None:
            self.weighted_lm.set_weights(alpha, beta, unknown)
            self._lookahead = self._lookahead_table()

    def start(self) -> PhoneState:
        """State before the first label."""
        return PhoneState(None, self.model.start() if self.model else (), BEFORE_WORD, "", 0.0)

    def extend(self, state: PhoneState, label: int) -> list[tuple[float, PhoneState]]:
        """Score of one more phone, in nats, and the new state, for every way to read the phone."""
        history, context, hot, spoken, lookahead = state
        phone = chr(label)
        longer = spoken + phone
        ways = []
        if (reached := self._lookahead.best(longer)) > -math.inf:
            ways.append((reached - lookahead, _new_state((history, context, hot, longer, reached))))
        first = self._lookahead.best(phone)
        if first > -math.inf:
            for word in self.homophones.get(spoken, ()):
                score, new_context, new_hot = self._score_word(context, hot, word)
                words = _new_history((history, word))
                new_state = _new_state((words, new_context, new_hot, phone, first))
                ways.append((score - lookahead + first, new_state))
        return ways

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

    def _lookahead_table(self) -> PrefixTable:
        """The score of the likeliest word of each pronunciation, without a context."""
        return PrefixTable(
            (phones, max([self._unigram(word) for word in words]))
            for phones, words in self.homophones.items()
        )

    def _unigram(self, word: str) -> float:
        lm = self.weighted_lm
        score = 0.0 if lm is None else lm.to_nats(lm.unigram(word))
        return score + self._hot_lookahead.get(word, 0.0) if self._hot_lookahead else score

    def _endings(self, state: PhoneState) -> list[tuple[float, History | None]]:
        """(score of ending, words) for every word that can end here."""
        history, context, hot, spoken, lookahead = state
        if not spoken:
            return [(self._score_end(context, hot), history)]
        endings: list[tuple[float, History | None]] = []
        for word in self.homophones.get(spoken, ()):
            score, new_context, new_hot = self._score_word(context, hot, word)
            score = score - lookahead + self._score_end(new_context, new_hot)
            endings.append((score, _new_history((history, word))))
        return endings

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
) -> list[PronunciationEntry]:
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
    spellable = _spellable(words, tokenizer)
    entries = {
        _new_entry((word, phone_ids(phones.split()))): None
        for word, phones in add_pronunciations(read_entries(path), spellable)
        if word in spellable
    }
    if not entries:
        raise ConfigError(f"{path}: no pronunciation for any word of the language model or lexicon")
    return list(entries)


def _spellable(words: Collection[str], tokenizer: Tokenizer) -> set[str]:
    """The words without characters that the tokenizer does not know.

    Normalising each word of a language model takes longer than all the rest of loading it. But
    every normaliser keeps or drops each of the plain letters, whatever stands beside it. Words of
    letters that the tokenizer knows need not be normalised one by one.
    """
    letters = {c for c in _PLAIN_LETTERS if c not in tokenizer.unknown(f"x{c}x")}
    return {word for word in words if letters.issuperset(word) or not tokenizer.unknown(word)}
