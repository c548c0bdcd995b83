"""Words by their sound: what a beam search over phones is told of words.

The lexicon says which phones make a word, the language model which words make a sentence: a search
of words that the network has never heard (as EESEN: Miao et al., 2015, with prefixes instead of
transducers).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from pathlib import Path

from asr.decoding.word_scorer import Hot, HotWords, Vocabulary, WordModel
from asr.decoding.word_scorer import Words as Context
from asr.errors import ConfigError
from asr.language.ngram import WordLM
from asr.pronunciation.phone_speller import phone_ids
from asr.pronunciation.pronouncer import completed, read_entries
from asr.text.tokenizers import Tokenizer

LEXICON = "lexicon.txt.gz"
"""A recogniser's pronunciations, in its directory."""
Entry = tuple[str, tuple[int, ...]]
"""A word and one way to say it, in label ids of `asr.pronunciation.phone_speller`."""
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
        self._promised = {phrase.split()[0]: hot_weight for phrase in hot_words}
        self.language = None
        if model is not None:
            self.language = WordModel(model, model.vocabulary, alpha, beta, unknown)
        self._ahead = self._in_advance()

    def weigh(self, alpha: float, beta: float, unknown: float) -> None:
        """Change the weights of the model."""
        if self.language is not None:
            self.language.weigh(alpha, beta, unknown)
            self._ahead = self._in_advance()

    def _in_advance(self) -> Vocabulary:
        """What the likeliest word of each sound is worth, without a context."""
        return Vocabulary(
            (sound, max(map(self._alone, words))) for sound, words in self.homophones.items()
        )

    def _alone(self, word: str) -> float:
        nats = self.language.nats(self.language.alone(word)) if self.language else 0.0
        return nats + self._promised.get(word, 0.0)

    def start(self) -> State:
        """State before the first label."""
        return None, self.model.start() if self.model else (), ("", 0.0), "", 0.0

    def extend(self, state: State, label: int) -> list[tuple[float, State]]:
        """Nats for one more phone and the state behind it, for each way to read it."""
        history, context, hot, sound, ahead = state
        phone = chr(label)
        longer = sound + phone
        ways = []
        if (reached := self._ahead.best(longer)) > -math.inf:
            ways.append((reached - ahead, (history, context, hot, longer, reached)))
        first = self._ahead.best(phone)
        if first > -math.inf:
            for word in self.homophones.get(sound, ()):
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
        for word in self.homophones.get(sound, ()):
            gain, following, heard = self._word(context, hot, word)
            ends.append((gain - ahead + self._end(following, heard), (history, word)))
        return ends

    def _end(self, context: Context, hot: Hot) -> float:
        given = self.hot.finish(hot) if self.hot else 0.0
        return given + (self.language.end(context) if self.language else 0.0)

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
        if self.language is None:
            return gain, context, hot
        more, context = self.language(context, word, is_hot)
        return gain + more, context, hot


def read_pronunciations(path: Path, words: Collection[str], tokenizer: Tokenizer) -> list[Entry]:
    """Every way that a recogniser's lexicon has to say `words`; of a word that it does not have,
    what `Pronouncer` makes of it. Words that the tokenizer cannot spell are left out.

    Raises:
        ModelError: the lexicon cannot be read, or a line of it is wrong.
        ConfigError: none is left.
    """
    words = {word for word in words if not tokenizer.unknown(word)}
    entries = {
        (word, phone_ids(phones.split())): None
        for word, phones in completed(read_entries(path), words)
        if word in words
    }
    if not entries:
        raise ConfigError(f"{path}: says none of the words of the language model or lexicon given")
    return list(entries)
