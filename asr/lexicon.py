"""Words by their sound: what a beam search over phones is told of words.

The lexicon says which phones make a word, the language model which words make a sentence: a search
of words that the network has never heard (as EESEN: Miao et al., 2015, with prefixes instead of
transducers).
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable
from pathlib import Path

from asr.errors import ConfigError
from asr.fusion import NATS, REMEMBERED, Hot, HotWords
from asr.lm import END, NEVER, UNKNOWN, NgramModel
from asr.lm import State as Context
from asr.phones import phone_ids
from asr.text import Tokenizer
from asr.tts.pronunciation import Pronouncer, first_ways, read_entries

LEXICON = "lexicon.txt.gz"
"""A recogniser's pronunciations, in its directory."""
Entry = tuple[str, tuple[int, ...]]
"""A word and one way to say it, in label ids of `asr.phones`."""
History = tuple | None
"""The words so far: None, or those before the last one, and it."""
State = tuple[History, Context, Hot, str, float]
"""The words before, what the language model and the hot words keep of them, the phones of the word
that is being said, and its score in advance."""


class LexiconScorer:
    """Scores the words that a beam search over phones may be hearing.

    Only words of the lexicon come out. While one is being said it has, as an advance, the score of
    the likeliest word that may become of its phones; where it ends, the next phone begins another
    one, once for each word that sounds so.

    Args:
        entries: words with their pronunciations.
        model, alpha, beta, unknown: see `fusion.WordScorer`.
        hot_words, hot_weight: normalised phrases of these words, and what each word of them adds
            in nats.
    """

    def __init__(
        self,
        entries: Iterable[Entry],
        model: NgramModel | None,
        alpha: float = 0.5,
        beta: float = 1.0,
        unknown: float = -5.0,
        hot_words: Collection[str] = (),
        hot_weight: float = 5.0,
    ) -> None:
        self.model = model
        ranked = sorted(("".join(map(chr, phones)), word) for word, phones in entries if phones)
        self.sounds = [sound for sound, _ in ranked]
        self.words = [word for _, word in ranked]
        self.hot = HotWords(hot_words, hot_weight) if hot_words else None
        self._promised = {phrase.split()[0]: hot_weight for phrase in hot_words}
        self._logs = [0.0] * len(ranked)
        if model is not None:
            values = model.probabilities[0].tolist()
            # As in `fusion.WordScorer`: without <unk>, unknown words are as likely as the rarest.
            has = UNKNOWN in model.ids
            usual = (value for value in values if value > NEVER)
            self._rare = values[model.ids[UNKNOWN]] if has else min(usual, default=0.0)
            self._logs = [
                values[model.ids[word]] if word in model.ids else self._rare for word in self.words
            ]
        self._endings: dict[str, list[str]] = {}
        self._scores: dict[tuple[Context, str], tuple[float, Context]] = {}
        self.weigh(alpha, beta, unknown)

    def weigh(self, alpha: float, beta: float, unknown: float) -> None:
        """Change the weights."""
        self.alpha, self.beta, self.unknown = alpha, beta, unknown
        self._values = [
            alpha * NATS * value + self._promised.get(word, 0.0)
            for word, value in zip(self.words, self._logs, strict=True)
        ]
        self._ahead: dict[str, float] = {}

    def start(self) -> State:
        """State before the first label."""
        return None, self.model.start() if self.model else (), ("", 0.0), "", 0.0

    def extend(self, state: State, label: int) -> list[tuple[float, State]]:
        """Nats for one more phone and the state behind it, for each way to read it."""
        history, context, hot, sound, ahead = state
        phone = chr(label)
        longer = sound + phone
        ways = []
        if (reached := self._best(longer)) > -math.inf:
            ways.append((reached - ahead, (history, context, hot, longer, reached)))
        first = self._best(phone)
        if sound and first > -math.inf:
            for word in self._ending(sound):
                gain, following, heard = self._word(context, hot, word)
                behind = ((history, word), following, heard, phone, first)
                ways.append((gain - ahead + first, behind))
        return ways

    def finish(self, state: State) -> float:
        """Nats for ending here, with the likeliest last word."""
        return max((gain for gain, _ in self._ends(state)), default=-math.inf)

    def texts(self, state: State) -> list[tuple[float, str]]:
        """What may have been said up to here, and the nats of ending so: by falling likelihood the
        last words that sound alike; nothing where no word ends."""
        found = []
        for gain, history in sorted(self._ends(state), key=lambda end: -end[0]):
            words: list[str] = []
            while history is not None:
                history, word = history
                words.append(word)
            found.append((gain, " ".join(reversed(words))))
        return found

    def _ends(self, state: State) -> list[tuple[float, History]]:
        history, context, hot, sound, ahead = state
        if not sound:
            return [(self._end(context, hot), history)]
        ends: list[tuple[float, History]] = []
        for word in self._ending(sound):
            gain, following, heard = self._word(context, hot, word)
            ends.append((gain - ahead + self._end(following, heard), (history, word)))
        return ends

    def _end(self, context: Context, hot: Hot) -> float:
        given = self.hot.finish(hot) if self.hot else 0.0
        if self.model is not None:
            given += self.alpha * NATS * self.model.step(context, END)[0]
        return given

    def _best(self, sound: str) -> float:
        """Nats of the likeliest word that begins so; −inf if there is none."""
        found = self._ahead.get(sound)
        if found is None:
            # Looked for when asked for: a search meets few of all beginnings.
            first = bisect_left(self.sounds, sound)
            last = bisect_left(self.sounds, sound + "\U0010ffff")
            found = self._ahead[sound] = max(self._values[first:last], default=-math.inf)
        return found

    def _ending(self, sound: str) -> list[str]:
        """The words that sound so."""
        found = self._endings.get(sound)
        if found is None:
            first, last = bisect_left(self.sounds, sound), bisect_right(self.sounds, sound)
            found = self._endings[sound] = self.words[first:last]
        return found

    def _word(self, context: Context, hot: Hot, word: str) -> tuple[float, Context, Hot]:
        """Nats of a word that ends here, and what is kept of it."""
        gain = 0.0
        is_hot = False
        if self.hot is not None:
            for character in word:
                given, hot = self.hot.step(hot, character)
                gain += given
            is_hot = self.hot.holds(hot)
            given, hot = self.hot.step(hot, " ")
            gain += given
        if self.model is None:
            return gain, context, hot
        found = self._scores.get((context, word))
        if found is None:
            if len(self._scores) >= REMEMBERED:
                self._scores.clear()
            score, following = self.model.step(context, word)
            found = (self._rare if score <= NEVER else score), following
            self._scores[context, word] = found
        gain += self.alpha * NATS * found[0] + self.beta
        if word not in self.model.ids and not is_hot:
            gain += self.unknown
        return gain, found[1], hot


def read_pronunciations(path: Path, words: Collection[str], tokenizer: Tokenizer) -> list[Entry]:
    """Every way that a recogniser's lexicon has to say `words`; of a word that it does not have,
    what `Pronouncer` makes of it. Words that the tokenizer cannot spell are left out.

    Raises:
        ModelError: the lexicon cannot be read, or a line of it is wrong.
        ConfigError: none is left.
    """
    words = {word for word in words if not tokenizer.unknown(word)}
    every = read_entries(path)
    first = first_ways(every)
    entries = {(word, phone_ids(phones.split())): None for word, phones in every if word in words}
    pronounce = Pronouncer(first)
    for word in words:
        if word not in first and re.fullmatch("[a-z']*[a-z][a-z']*", word):
            entries[word, phone_ids(pronounce(word).phones)] = None
    if not entries:
        raise ConfigError(f"{path}: says none of the words of the language model or lexicon given")
    return list(entries)
