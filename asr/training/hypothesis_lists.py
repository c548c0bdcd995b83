"""Lists of hypotheses: manifests whose lines also have what a beam search found.

`asr.training.minimum_word_error` trains on them. `pipelines/list_hypotheses.py` makes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
from pydantic import TypeAdapter, ValidationError

from asr.audio.features import expand
from asr.base.config import describe_problems
from asr.data.inputs import RecordingRef
from asr.data.manifest import Utterance, read_entries, write_manifest
from asr.decoding.decoder import Decoder
from asr.errors import AsrError, ConfigError, ManifestError
from asr.language.word_lm import WordLM
from asr.networks.model_directory import LEXICON_FILE
from asr.pronunciation.lexicon_table import read_entries as read_lexicon
from asr.pronunciation.phone_speller import PhoneSpeller
from asr.pronunciation.pronouncer import Pronouncer, first_pronunciations
from asr.recognizer import Recognizer
from asr.results import Failure
from asr.training.label_log import LabelLog

KEY = "hypotheses"
"""Key of a line with its hypotheses."""


@dataclass(frozen=True)
class Rival:
    """A text that a search found for an utterance, or the utterance's own text.

    Attributes:
        text: the words, normalised.
        phones: their phone ids as the search heard them; empty for a network without phones.
        lm: score of the language model with its weights, in nats: the part of the search's score
            that the network has no part in.
        errors: word errors of the text.
    """

    text: str
    phones: tuple[int, ...]
    lm: float
    errors: int


_RIVALS = TypeAdapter(tuple[Rival, ...])


def list_hypotheses(
    recognizer: Recognizer,
    utterances: Sequence[Utterance],
    most: int,
    log: LabelLog,
) -> tuple[list[tuple[Utterance, tuple[Rival, ...]]], list[Failure]]:
    """Search the best texts of utterances.

    Args:
        recognizer: the recogniser, which decodes with an n-gram language model.
        utterances: utterances with their texts.
        most: hypotheses of an utterance at most; its own text is added.
        log: keeps the lists of an interrupted run.

    Returns:
        The utterances with their lists, the most probable texts first, and one failure for each
        utterance that cannot be used.

    Raises:
        ConfigError: the recogniser decodes without a language model, or with a recurrent one.
    """
    decoder, speller = recognizer.decoder, _speller(recognizer)
    if decoder.scorer is None or decoder.scorer.model is None or decoder.mixture is not None:
        raise ConfigError("lists of hypotheses need an n-gram language model: give --lm")

    def search(part: Sequence[RecordingRef]) -> dict[str, Any]:
        lists: list[list[dict[str, Any]] | None] = []
        failures = []
        for utterance in part:
            assert isinstance(utterance, Utterance)
            try:
                rivals = _rivals_of(recognizer, utterance, speller, most)
                lists.append([asdict(rival) for rival in rivals])
            except AsrError as error:
                lists.append(None)
                failures.append(Failure(str(utterance.path), str(error)).to_dict())
        return {"lists": lists, "failures": failures}

    parts = log.in_parts(utterances, search, "searching")
    lists = [values for part in parts for values in part["lists"]]
    found = [
        (utterance, _RIVALS.validate_python(values))
        for utterance, values in zip(utterances, lists, strict=True)
        if values is not None
    ]
    return found, [Failure(**values) for part in parts for values in part["failures"]]


def _rivals_of(
    recognizer: Recognizer, utterance: Utterance, speller: PhoneSpeller | None, most: int
) -> list[Rival]:
    """The best texts of one utterance, and its own text.

    Args:
        recognizer, utterance, most: see `list_hypotheses`.
        speller: text → phone ids; None for a network without phones.

    Raises:
        AsrError: the utterance cannot be read.
    """
    decoder, tokenizer = recognizer.decoder, recognizer.tokenizer
    static, _ = recognizer.cepstra(utterance)
    (logits,) = recognizer.outputs([expand(static, recognizer.config.features)])
    logits = recognizer.only_voices(logits, static, np.arange(len(logits)), whole=True)
    reference = tokenizer.normalise(utterance.text)
    if not reference:
        raise ManifestError(f"{utterance.name}: no text is left after normalising")
    texts: dict[str, tuple[tuple[int, ...], float]] = {}
    for labels, phones, lm in decoder.found_texts(logits, most):
        if text := tokenizer.decode(labels).strip():  # CTC cannot be trained on no labels
            texts.setdefault(text, (phones, lm))
    if reference not in texts:
        own = () if speller is None else speller(reference)
        texts[reference] = own, _lm_score(decoder, reference)
    return [Rival(text, *found, _word_errors(reference, text)) for text, found in texts.items()]


def write_lists(path: Path, lists: Sequence[tuple[Utterance, Sequence[Rival]]]) -> None:
    """Write a manifest with lists of hypotheses.

    Args:
        path: the file.
        lists: utterances with their lists.

    Raises:
        OSError: the file cannot be written.
    """
    notes = [{KEY: [asdict(rival) for rival in rivals]} for _, rivals in lists]
    write_manifest(path, [utterance for utterance, _ in lists], notes)


def read_lists(path: Path) -> dict[Utterance, tuple[Rival, ...]]:
    """Read what `write_lists` writes: utterance → list.

    Raises:
        ManifestError: the file cannot be read, or a line is wrong or has no list.
    """
    lists: dict[Utterance, tuple[Rival, ...]] = {}
    for number, (utterance, values) in enumerate(read_entries(path), 1):
        if not values.get(KEY):
            raise ManifestError(
                f"{path}, utterance {number}: missing key {KEY}; make the manifest with "
                "pipelines/list_hypotheses.py"
            )
        try:
            lists[utterance] = _RIVALS.validate_python(values[KEY])
        except ValidationError as error:
            problem = describe_problems(error)
            raise ManifestError(f"{path}, utterance {number}: {KEY}: {problem}") from None
    return lists


def _speller(recognizer: Recognizer) -> PhoneSpeller | None:
    """Text → phone ids, with the recogniser's lexicon; None for a network without phones."""
    if not recognizer.heads.phones or recognizer.folder is None:
        return None
    entries = read_lexicon(recognizer.folder / LEXICON_FILE)
    return PhoneSpeller(Pronouncer(first_pronunciations(entries)))


def _lm_score(decoder: Decoder, text: str) -> float:
    """Score of a text by the language model with its weights, in nats."""
    assert decoder.scorer is not None
    model: WordLM | None = decoder.scorer.model
    weighted = decoder.scorer.weighted_lm
    assert model is not None and weighted is not None
    context, total = model.start(), 0.0
    for word in text.split():
        score, context = weighted.score(context, word, False)
        total += score
    return total + weighted.end(context)


def _word_errors(reference: str, hypothesis: str) -> int:
    out = jiwer.process_words(reference, hypothesis)
    return int(out.substitutions + out.deletions + out.insertions)
