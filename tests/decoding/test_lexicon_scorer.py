from __future__ import annotations

import gzip
import math
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr import ctc
from asr.ctc.prefix_beam import Hypothesis
from asr.decoding.decoder import Decoder
from asr.decoding.decoding_options import Decoding
from asr.decoding.lexicon_scorer import LexiconScorer, _spellable, read_pronunciations
from asr.decoding.lexicon_search import lexicon_search
from asr.decoding.pronunciation_tree import PronunciationTree
from asr.errors import ConfigError, ModelError
from asr.language.arpa import write_arpa
from asr.language.kneser_ney import estimate
from asr.networks.head_layout import HeadLayout
from asr.networks.model_directory import LEXICON_FILE
from asr.pronunciation.phone_speller import PhoneSpeller, phone_ids
from asr.pronunciation.pronouncer import Pronouncer
from asr.text.phones import PHONE_LABELS, UNSTRESSED
from asr.text.tokenizers import BLANK, Tokenizer, TokenizerConfig

CHARACTERS = Tokenizer(TokenizerConfig())
LAYOUT = HeadLayout(len(CHARACTERS), len(PHONE_LABELS))
PRONUNCIATIONS = {
    "to": ["T UW1", "T AH0"],
    "two": ["T UW1"],
    "too": ["T UW1"],
    "go": ["G OW1"],
    "goat": ["G OW1 T"],
    "oat": ["OW1 T"],
    "are": ["AA1 R"],
    "read": ["R EH1 D", "R IY1 D"],
}
ENTRIES = [(word, phone_ids(p.split())) for word, ways in PRONUNCIATIONS.items() for p in ways]
LEXICON = PronunciationTree.from_entries(ENTRIES)
SENTENCES = [["go", "to", "two"], ["two", "goat", "are", "to", "go"], ["oat", "are", "read"]]
MODEL = estimate(SENTENCES, 2)


def emissions(phones: str, sure: float = 0.99, frames: int = 2) -> np.ndarray:
    """Log-probabilities of phones, each for `frames` frames and a blank."""
    rows = []
    for label in phone_ids(phones.split()):
        for target in (label,) * frames + (BLANK,):
            row = np.full(len(PHONE_LABELS), (1 - sure) / (len(PHONE_LABELS) - 1))
            row[target] = sure
            rows.append(row)
    return np.log(np.array(rows))


def best_text(hypothesis: Hypothesis, scorer: LexiconScorer) -> str:
    return scorer.texts(hypothesis.state)[0][1]


def node_of(tree: PronunciationTree, phones: str) -> int:
    """The node of phones."""
    node = np.array([0])
    for label in phone_ids(phones.split()):
        node = tree.children(node, np.array([label]))
    return int(node[0])


def heard(phones: str, scorer: LexiconScorer, beam: int = 32) -> str:
    return best_text(lexicon_search(emissions(phones), scorer, beam)[0], scorer)


def test_phones_have_no_stress_and_the_tokenizer_s_blank() -> None:
    assert len(UNSTRESSED) == 39 and PHONE_LABELS.index("") == BLANK
    assert phone_ids(("AH0", "AH1", "B")) == phone_ids(("AH", "AH", "B"))
    speller = PhoneSpeller(Pronouncer({"go": "G OW1", "two": "T UW1"}))
    assert speller("go two go") == phone_ids(["G", "OW", "T", "UW", "G", "OW"])
    assert speller("") == () and speller("жук go") == phone_ids(["G", "OW"])


def test_language_model_chooses_between_homophones() -> None:
    scorer = LexiconScorer(LEXICON, MODEL, alpha=1.0, beta=0.0)
    assert heard("G OW T UW T UW", scorer) == "go to two"
    assert heard("T UW G OW T", scorer) == "two goat"
    assert heard("OW T AA R R EH D", scorer) == "oat are read"


def test_a_word_s_other_pronunciation_is_the_same_word() -> None:
    scorer = LexiconScorer(LEXICON, MODEL, alpha=1.0, beta=0.0)
    assert heard("G OW T AH T UW", scorer) == "go to two"
    assert heard("OW T AA R R IY D", scorer) == "oat are read"


def test_score_equals_the_weighted_language_model() -> None:
    scorer = LexiconScorer(LEXICON, MODEL, alpha=0.7, beta=0.4)
    best = lexicon_search(emissions("T UW G OW T"), scorer, 64)[0]
    said = best_text(best, scorer).split()
    expected = 0.7 * math.log(10) * MODEL.sentence(said) + len(said) * 0.4
    assert best.score - best.acoustic == pytest.approx(expected)
    scorer.set_weights(0.0, 3.0, 0.0)
    best = lexicon_search(emissions("T UW G OW T"), scorer, 64)[0]
    # Each word is worth more than the sounds that it would need.
    assert best.score - best.acoustic == pytest.approx(3.0 * len(best_text(best, scorer).split()))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1 << 30))
def test_search_without_pruning_finds_the_best_sentence(seed: int) -> None:
    frames, entries = 4, [e for e in ENTRIES if len(e[1]) < 3]
    logs = ctc.log_softmax(np.random.default_rng(seed).normal(size=(frames, len(PHONE_LABELS))) * 2)
    ways = [[entry] for entry in entries]
    for way in ways:  # grows while it is gone through
        said = sum(len(phones) for _, phones in way)
        ways += [[*way, entry] for entry in entries if said + len(entry[1]) <= frames]
    sounds = [tuple(p for _, phones in way for p in phones) for way in ways]
    lm = [0.5 * math.log(10) * MODEL.sentence([word for word, _ in way]) for way in ways]
    scores = ctc.log_likelihoods(logs, sounds) + np.array(lm) + 0.3 * np.array([*map(len, ways)])
    silence = logs[:, BLANK].sum() + 0.5 * math.log(10) * MODEL.sentence([])
    scorer = LexiconScorer(
        PronunciationTree.from_entries(entries), MODEL, alpha=0.5, beta=0.3, unknown=0.0
    )
    found = lexicon_search(logs, scorer, 100_000, -math.inf, math.inf)
    assert found[0].score == pytest.approx(max(scores.max(), silence))
    if scores.max() > silence:
        best = ways[int(scores.argmax())]
        assert best_text(found[0], scorer) == " ".join(word for word, _ in best)


def test_hot_word_adds_its_weight_only_when_complete() -> None:
    hot = LexiconScorer(LEXICON, MODEL, alpha=1.0, beta=0.0, hot_words=["too"], hot_weight=6.0)
    assert "too" in heard("G OW T UW", hot)
    phrase = LexiconScorer(LEXICON, MODEL, 1.0, 0.0, hot_words=["too oat"], hot_weight=6.0)
    plain = LexiconScorer(LEXICON, MODEL, 1.0, 0.0)
    one, other = (
        lexicon_search(emissions("G OW"), scorer, 32)[0].score for scorer in (phrase, plain)
    )
    assert one == pytest.approx(other)


def test_lexicon_works_without_a_language_model() -> None:
    scorer = LexiconScorer(
        PronunciationTree.from_entries([e for e in ENTRIES if e[0] in ("go", "oat")]), None
    )
    assert heard("G OW OW T", scorer) == "go oat"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = [f"{word} {phones}" for word, ways in PRONUNCIATIONS.items() for phones in ways]
    (tmp_path / LEXICON_FILE).write_bytes(gzip.compress("\n".join(lines).encode()))
    write_arpa(MODEL, tmp_path / "lm.arpa.gz")
    return tmp_path


def test_all_pronunciations_are_read_and_new_words_pronounced(folder: Path) -> None:
    found = read_pronunciations(folder / LEXICON_FILE, {"to", "goats", "жук"}, CHARACTERS)
    assert [found.words_of(node_of(found, phones)) for phones in ("T AH", "T UW", "G OW T S")] == [
        ["to"],
        ["to"],
        ["goats"],
    ]
    assert found.words == ["to", "to", "goats"]
    with pytest.raises(ConfigError, match=r"lexicon\.txt\.gz"):
        read_pronunciations(folder / LEXICON_FILE, {"жук"}, CHARACTERS)
    (folder / LEXICON_FILE).write_text("go G XX\n")
    with pytest.raises(ModelError, match=r"lexicon\.txt\.gz.*line 1: .*XX"):
        read_pronunciations(folder / LEXICON_FILE, {"go"}, CHARACTERS)


@settings(max_examples=60, deadline=None)
@given(
    st.sets(st.text("abz'éß9$ж- ", min_size=1, max_size=4), max_size=20),
    st.sampled_from(["english", "korean", "none"]),
    st.sampled_from([" 'abz", " abz", " ab", "'é"]),
)
def test_spellable_words_are_those_that_the_tokenizer_knows(
    words: set[str], normaliser: Literal["english", "korean", "none"], alphabet: str
) -> None:
    tokenizer = Tokenizer(TokenizerConfig(normaliser=normaliser, alphabet=alphabet))
    expected = {word for word in words if not tokenizer.unknown(word)}
    assert _spellable(words, tokenizer) == expected


def both(letters: str, phones: str, frames: int = 1) -> np.ndarray:
    """Logits of both heads: letters and phones."""
    sound = emissions(phones, frames=frames)
    rows = np.full([len(sound), len(CHARACTERS)], math.log(0.001))
    labels = CHARACTERS.encode(letters)
    places = np.linspace(0, len(sound) - 1, 2 * len(labels)).astype(int)
    rows[:, BLANK] = 0.0
    for place, label in zip(places[::2], labels, strict=True):
        rows[place, label], rows[place, BLANK] = 0.0, math.log(0.001)
    return np.concatenate([rows, sound], axis=1)


def test_recogniser_with_phones_finds_words_by_their_phones(folder: Path) -> None:
    logits = both("to", "T UW G OW T UW G OW T")
    greedy = Decoder(CHARACTERS, Decoding(lm="none"), folder, layout=LAYOUT)(logits)
    assert CHARACTERS.decode(greedy.labels) == "to"
    decoding = Decoding(32, "general", spelling=0.0)
    path = Decoder(CHARACTERS, decoding, folder, layout=LAYOUT)(logits)
    assert CHARACTERS.decode(path.labels).split()[-1] == "goat"
    assert len(path.starts) == len(path.labels) and list(path.starts) == sorted(path.starts)
    # A head more or less: without the phones it is the letters' search again.
    letters = Decoder(CHARACTERS, Decoding(32, "general"), folder)(LAYOUT.split(logits).labels)
    assert CHARACTERS.decode(letters.labels) == "to"


def test_letters_decide_between_homophones(folder: Path) -> None:
    decoding = Decoding(32, "general", alpha=0.1, beta=0.0, unknown=0.0, spelling=2.0)
    decoder = Decoder(CHARACTERS, decoding, folder, layout=LAYOUT)
    for word in ("to", "two"):
        logits = both(word, "T UW", frames=3)
        assert CHARACTERS.decode(decoder(logits).labels) == word


def test_letters_decide_between_homophones_of_a_lexicon(folder: Path) -> None:
    (folder / "words.txt").write_text("to two too go")
    decoder = Decoder(CHARACTERS, Decoding(lexicon=folder / "words.txt"), folder, layout=LAYOUT)
    for text in ("two go", "to go", "too go"):
        logits = both(text, "T UW G OW", frames=3)
        assert CHARACTERS.decode(decoder(logits).labels) == text


def test_recogniser_without_a_directory_has_no_lexicon(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"lexicon\.txt\.gz"):
        Decoder(CHARACTERS, Decoding(lm=folder / "lm.arpa.gz"), None, layout=LAYOUT)


def test_frames_too_few_for_the_letters_give_no_text(folder: Path) -> None:
    decoder = Decoder(CHARACTERS, Decoding(8, "general"), folder, layout=LAYOUT)
    frame = np.zeros([1, len(CHARACTERS) + len(PHONE_LABELS)])
    assert decoder(frame).labels == ()
    assert decoder(frame[:0]).labels == ()
