"""N-best lists: manifests whose lines also have the best hypotheses of the beam search.

`pipelines/list_hypotheses.py` makes them, and `asr.training.minimum_word_error` trains on them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from asr.base.config import describe_problems, to_dict
from asr.data.inputs import RecordingRef
from asr.data.manifest import Utterance, read_entries, write_manifest
from asr.errors import AsrError, ConfigError, ManifestError, TextError
from asr.evaluation.error_rates import score_words
from asr.networks.model_directory import LEXICON_FILE
from asr.pronunciation.lexicon_table import read_entries as read_lexicon
from asr.pronunciation.phone_speller import PhoneSpeller
from asr.recognizer import Recognizer
from asr.results import Failure
from asr.training.label_log import LabelLog

KEY = "hypotheses"
"""Key of a line with its n-best list."""
REMEDY = "make the manifest with pipelines/list_hypotheses.py"


@dataclass(frozen=True)
class NBestEntry:
    """A hypothesis, or the reference, of an utterance.

    Attributes:
        text: the words, normalised.
        phones: the phone ids by which the search found them; empty for a network without phones.
        lm: score of the language model times alpha, with what beta and unknown add for the words,
            in nats.
        errors: word errors of the text; 0 for the reference.
    """

    text: str
    phones: tuple[int, ...]
    lm: float
    errors: int


NBest = tuple[NBestEntry, ...]
"""An n-best list with the reference."""
_ENTRIES = TypeAdapter(NBest)


def list_hypotheses(
    recognizer: Recognizer, utterances: Sequence[Utterance], most: int, log: Path
) -> tuple[list[tuple[Utterance, NBest]], list[Failure]]:
    """Search the best texts of utterances.

    Args:
        recognizer: the recogniser, which decodes with an n-gram language model.
        utterances: utterances with their texts.
        most: hypotheses of an utterance at most; the reference is added.
        log: file that keeps the lists of an interrupted run; the caller removes it when the lists
            are written.

    Returns:
        The utterances with their lists, the most probable texts first, and one failure for each
        utterance that cannot be used.

    Raises:
        ConfigError: the recogniser decodes without a language model, or with a recurrent one.
    """
    decoder, speller = recognizer.decoder, _speller(recognizer)
    if decoder.scorer is None or decoder.scorer.model is None or decoder.mixture is not None:
        raise ConfigError(
            f"{recognizer.config.name}: n-best lists need an n-gram language model: give --lm"
        )

    def search(part: Sequence[RecordingRef]) -> dict[str, Any]:
        lists: list[list[dict[str, Any]] | None] = []
        failures = []
        for utterance in part:
            assert isinstance(utterance, Utterance)
            try:
                entries = _nbest_of(recognizer, utterance, speller, most)
                lists.append([asdict(entry) for entry in entries])
            except AsrError as error:
                lists.append(None)
                failures.append(Failure(str(utterance.path), str(error)).to_dict())
        return {"lists": lists, "failures": failures}

    # What the lists depend on beside the recordings.
    texts = hashlib.sha256("\n".join(u.text for u in utterances).encode()).hexdigest()
    decoding = str(to_dict(decoder.decoding))
    kept = LabelLog(log, (recognizer.config.weights_sha256, decoding, texts, most))
    parts = kept.in_parts(utterances, search, "searching")
    lists = [values for part in parts for values in part["lists"]]
    found = [
        (utterance, _ENTRIES.validate_python(values))
        for utterance, values in zip(utterances, lists, strict=True)
        if values is not None
    ]
    return found, [Failure(**values) for part in parts for values in part["failures"]]


def write_lists(path: Path, lists: Sequence[tuple[Utterance, NBest]]) -> None:
    """Write a manifest with n-best lists.

    Args:
        path: the file.
        lists: utterances with their lists.

    Raises:
        OSError: the file cannot be written.
    """
    notes = [{KEY: [asdict(entry) for entry in entries]} for _, entries in lists]
    write_manifest(path, [utterance for utterance, _ in lists], notes)


def read_lists(path: Path, phones: bool) -> dict[Utterance, NBest]:
    """Read what `write_lists` writes: utterance → list.

    Args:
        path: the manifest.
        phones: whether the lists are for a network with phones; without one, their phones are left
            out.

    Raises:
        ManifestError: the file cannot be read; or a line has no list, a wrong one, or one without
            the reference or the phones. The message has the file and the utterance.
    """
    lists: dict[Utterance, NBest] = {}
    for utterance, values in read_entries(path):
        where = f"{path}: {utterance.name}: {KEY}"
        if not values.get(KEY):
            raise ManifestError(f"{where}: missing key; {REMEDY}")
        try:
            entries = _ENTRIES.validate_python(values[KEY])
        except ValidationError as error:
            raise ManifestError(f"{where}: {describe_problems(error)}; {REMEDY}") from None
        if all(entry.errors for entry in entries):
            raise ManifestError(f"{where}: the reference is missing; {REMEDY}")
        if phones and not all(entry.phones for entry in entries):
            raise ManifestError(
                f"{where}: have no phones, which acoustic.phones needs; {REMEDY} and a recogniser "
                "with phones"
            )
        if not phones:
            entries = tuple(NBestEntry(e.text, (), e.lm, e.errors) for e in entries)
        lists[utterance] = entries
    return lists


def _nbest_of(
    recognizer: Recognizer, utterance: Utterance, speller: PhoneSpeller | None, most: int
) -> list[NBestEntry]:
    """The best texts of one utterance, and the reference.

    Args:
        recognizer, utterance, most: see `list_hypotheses`.
        speller: text → phone ids; None for a network without phones.

    Raises:
        AsrError: the utterance cannot be read, or its text cannot be spelled.
    """
    decoder, tokenizer = recognizer.decoder, recognizer.tokenizer
    if not tokenizer.encode(utterance.text, utterance.name):
        raise TextError(f"{utterance.name}: no text is left after normalising")
    reference = tokenizer.normalise(utterance.text)
    logits = recognizer.voiced_outputs(utterance)
    texts: dict[str, tuple[tuple[int, ...], float]] = {}
    for labels, phones, lm in decoder.found_texts(logits, most):
        # A search over letters may find an apostrophe alone, of which nothing is left.
        if text := tokenizer.normalise(tokenizer.decode(labels)):
            texts.setdefault(text, (phones, lm))
    if reference not in texts:
        assert decoder.scorer is not None and decoder.scorer.weighted_lm is not None
        own = () if speller is None else speller(reference)
        texts[reference] = own, decoder.scorer.weighted_lm.sentence(reference.split())
    return [
        NBestEntry(text, *found, score_words(utterance.name, reference, text).errors)
        for text, found in texts.items()
    ]


def _speller(recognizer: Recognizer) -> PhoneSpeller | None:
    """Text → phone ids, with the recogniser's lexicon; None for a network without phones."""
    if not recognizer.heads.phones or recognizer.folder is None:
        return None
    entries = read_lexicon(recognizer.folder / LEXICON_FILE)
    return PhoneSpeller.of_lexicon(entries)
