"""What a beam search over letters is told of words: a language model, hot words, a lexicon."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Collection, Container, Iterable, Iterator
from typing import Any

from asr.errors import ConfigError
from asr.language.ngram import END, NEVER, UNKNOWN, WordLM
from asr.text.tokenizers import Tokenizer

NATS = math.log(10)
REMEMBERED = 200_000
"""Scores of words in their contexts that are kept, for the search asks for most of them often."""


Hot = tuple[str | None, float]
"""What has been matched of a hot phrase (None: this word belongs to none), and what it has been
given that will not be taken back."""
Words = Any
"""State of a `WordLM`, hashable."""
State = tuple[Words, str, float, Hot]
"""The words before, the letters of the word that is being spelled, its score in advance, `Hot`."""


class Vocabulary:
    """Sorted words; says of the beginning of a word what it may become.

    Args:
        words: each with a value.
    """

    def __init__(self, words: Iterable[tuple[str, float]]) -> None:
        ranked = sorted(words)
        self.words = [word for word, _ in ranked]
        self.values = [value for _, value in ranked]
        self._known: dict[str, float] = {}

    def best(self, prefix: str) -> float:
        """The largest value of the words that begin so; −inf if there is none."""
        found = self._known.get(prefix)
        if found is None:
            # Looked for when asked for: a search meets few of all prefixes.
            first = bisect_left(self.words, prefix)
            last = bisect_left(self.words, prefix + "\U0010ffff")
            found = max(self.values[first:last], default=-math.inf)
            self._known[prefix] = found
        return found

    def __contains__(self, word: str) -> bool:
        place = bisect_left(self.words, word)
        return place < len(self.words) and self.words[place] == word


class HotWords:
    """Gives hot phrases their weight letter by letter, and takes it back where they break off.

    Args:
        phrases: normalised words, or several with a space between.
        weight: nats for each word of a phrase.
    """

    def __init__(self, phrases: Iterable[str], weight: float) -> None:
        self.whole = set(phrases)
        self.begun: dict[str, float] = {}
        for phrase in self.whole:
            full = weight * len(phrase.split())
            for i in range(1, len(phrase) + 1):
                share = full * i / len(phrase)
                self.begun[phrase[:i]] = max(self.begun.get(phrase[:i], -math.inf), share)
        # Whole, a phrase has all that it is promised and no more, also where it begins another.
        self.begun |= {phrase: weight * len(phrase.split()) for phrase in self.whole}

    def step(self, state: Hot, character: str) -> tuple[float, Hot]:
        """Nats for one more character, and the state behind it; ("", 0) is the first."""
        match, sure = state
        given = self.begun.get(match or "", 0.0)
        if character == " ":
            if match in self.whole:
                sure = given
            longer = f"{match or ''} "
            if longer in self.begun:
                return self.begun[longer] - given, (longer, sure)
            return sure - given, ("", 0.0)
        if match is None:
            return 0.0, state
        longer = match + character
        if longer in self.begun:
            return self.begun[longer] - given, (longer, sure)
        # It is another phrase; perhaps its last word begins one.
        word = longer.rpartition(" ")[2]
        if word in self.begun:
            return sure + self.begun[word] - given, (word, 0.0)
        return sure - given, (None, 0.0)

    def finish(self, state: Hot) -> float:
        """Nats for ending here, where a word has ended: what is not sure is taken back."""
        match, sure = state
        return sure - self.begun.get(match or "", 0.0)

    def holds(self, state: Hot) -> bool:
        """Whether the word that ends here is one of a hot phrase."""
        match = state[0] or ""
        return match in self.whole or f"{match} " in self.begun


class WordModel:
    """An n-gram model with the weights of a search, in nats; it remembers what it was asked.

    Args:
        model: the n-gram model.
        words: those of its words that can come out.
        alpha, beta, unknown: see `WordScorer`.
    """

    def __init__(
        self, model: WordLM, words: Iterable[str], alpha: float, beta: float, unknown: float
    ) -> None:
        self.model = model
        self.weigh(alpha, beta, unknown)
        # A model without <unk> gives unknown words no chance at all: they are taken for as
        # likely as the rarest word, and `unknown` says how much they are wanted.
        self._values = model.probabilities[0].tolist()
        self.rare = min(map(self.alone, words if UNKNOWN not in model.ids else [UNKNOWN]))

    def weigh(self, alpha: float, beta: float, unknown: float) -> None:
        """Change the weights; the model's own may have changed with them."""
        self.alpha, self.beta, self.unknown = alpha, beta, unknown
        self._scores: dict[tuple[Words, str], tuple[float, Words]] = {}

    def alone(self, word: str) -> float:
        """log10 of a word without a context."""
        place = self.model.ids.get(word)
        return self.rare if place is None else self._values[place]

    def nats(self, score: float) -> float:
        """What a score of the model, a log10, is worth."""
        return self.alpha * NATS * score

    def __call__(self, words: Words, word: str, wanted: bool) -> tuple[float, Words]:
        """Nats of a word behind others, and the words behind it; `wanted` is never unknown."""
        found = self._scores.get((words, word))
        if found is None:
            if len(self._scores) >= REMEMBERED:
                self._scores.clear()
            score, following = self.model.step(words, word)
            found = self._scores[words, word] = (self.rare if score <= NEVER else score), following
        gain = self.nats(found[0]) + self.beta
        if word not in self.model.ids and not wanted:
            gain += self.unknown
        return gain, found[1]

    def end(self, words: Words) -> float:
        """Nats of nothing more behind these words."""
        return self.nats(self.model.step(words, END)[0])


class WordScorer:
    """Scores the words of a beam search over characters or subwords (shallow fusion), character by
    character; a space ends a word.

    While a word is being spelled it has, as an advance, the score of the likeliest word that it
    may become; at its end the model's score in its context takes the place of that. A word that
    the model does not know is found out at the first letter that leads nowhere.

    Args:
        tokenizer: what the labels mean.
        model: the n-gram model, if any.
        alpha: weight of its log-probability.
        beta: added for each word, against the model's liking for few.
        unknown: added (negative) for a word that the model does not know.
        hot_words: words or phrases that are likelier here than elsewhere. They are never unknown.
        hot_weight: nats for each word of a hot phrase, letter by letter, and taken back if it
            turns out to be another.
        lexicon: the only words that may come out, if given.
        name: what the model is called in errors.

    Raises:
        ConfigError: no word of the model or the lexicon can be spelled by the tokenizer, or a hot
            word cannot be, or is not in the lexicon; it is named.
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
        self.text = tokenizer.spellings
        self.lexicon = None
        if lexicon is not None:
            spelled = _spelled(lexicon, tokenizer, "lexicon")
            self.lexicon = Vocabulary((word, 0.0) for word in spelled)
        self.language = self.known = None
        if model is not None:
            spelled = _spelled(model.vocabulary, tokenizer, name)
            self.language = WordModel(model, spelled, alpha, beta, unknown)
            self.known = Vocabulary((word, self.language.alone(word)) for word in spelled)
        phrases = hot_phrases(hot_words, tokenizer, lexicon)
        self.hot = HotWords(phrases, hot_weight) if hot_words else None

    def weigh(self, alpha: float, beta: float, unknown: float) -> None:
        """Change the weights of the model."""
        if self.language is not None:
            self.language.weigh(alpha, beta, unknown)

    def start(self) -> State:
        """State before the first label."""
        return (self.model.start() if self.model else ()), "", 0.0, ("", 0.0)

    def extend(self, state: State, label: int) -> tuple[tuple[float, State]]:
        """Nats for one more label, and the state behind it."""
        total = 0.0
        for character in self.text[label]:
            gain, state = self._extend(state, character)
            total += gain
            if total == -math.inf:
                break
        return ((total, state),)

    def _extend(self, state: State, character: str) -> tuple[float, State]:
        words, partial, ahead, hot = state
        if character == " " and not partial:
            return 0.0, state
        given, following = self.hot.step(hot, character) if self.hot else (0.0, hot)
        if character == " ":
            gain, words = self._word(words, partial, hot)
            return gain - ahead + given, (words, "", 0.0, following)
        longer = partial + character
        reached = self._ahead(longer, following)
        return reached - ahead + given, (words, longer, reached, following)

    def finish(self, state: State) -> float:
        """Nats for ending here."""
        gain = 0.0
        if state[1]:
            gain, state = self._extend(state, " ")
        if self.hot is not None:
            gain += self.hot.finish(state[3])
        if self.language is not None and gain > -math.inf:
            gain += self.language.end(state[0])
        return gain

    def _ahead(self, partial: str, hot: Hot) -> float:
        """Score in advance of a word that begins with `partial`."""
        if self.lexicon is not None and self.lexicon.best(partial) == -math.inf:
            return -math.inf
        if self.language is None or self.known is None:
            return 0.0
        best = self.known.best(partial)
        if best > -math.inf:
            return self.language.nats(best)
        unknown = 0.0 if self.hot and hot[0] else self.language.unknown
        return self.language.nats(self.language.rare) + unknown

    def _word(self, words: Words, word: str, hot: Hot) -> tuple[float, Words]:
        """Score of a word that ends here, and the words behind it."""
        if self.lexicon is not None and word not in self.lexicon:
            return -math.inf, words
        if self.language is None:
            return 0.0, words
        return self.language(words, word, bool(self.hot and self.hot.holds(hot)))


def hot_phrases(
    phrases: Iterable[str], tokenizer: Tokenizer, lexicon: Container[str] | None
) -> Iterator[str]:
    """Hot words normalised.

    Raises:
        ConfigError: one cannot be spelled, or is not in the lexicon; it is named.
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


def _spelled(words: Collection[str], tokenizer: Tokenizer, what: str) -> list[str]:
    """Those of the words that the tokenizer's labels can spell; at least one."""
    alphabet = set("".join(tokenizer.spellings))
    spelled = [word for word in words if alphabet.issuperset(word)]
    if not spelled:
        raise ConfigError(
            f"{what}: none of its words can be spelled by the recogniser's alphabet "
            f"({', '.join(sorted(words)[:3])}, …)"
        )
    return spelled
