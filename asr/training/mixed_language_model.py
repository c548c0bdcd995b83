"""`build_language_models`: n-gram models of several sizes from several kinds of text.

One model is estimated from each source. Their linear interpolation, with the weights that suit the
tuning texts best, is pruned to each size (`asr.language.interpolation`,
`asr.language.entropy_pruning`). `pipelines/build_spoken_lm.py` calls it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic.dataclasses import dataclass

from asr.base.config import STRICT
from asr.base.provenance import git_commit, this_command
from asr.data.prose import HeldOut
from asr.data.spoken_text import choose_vocabulary
from asr.data.text_sources import SourceFolders, SourceText, TextSource, read_source
from asr.decoding.lm_record import LmRecord
from asr.language.entropy_pruning import context_frequencies, prune
from asr.language.interpolation import best_weights, interpolate
from asr.language.kneser_ney import estimate
from asr.language.ngram import NgramModel
from asr.language.ngram_file import BINARY_SUFFIX, MIXED_DIGITS, read_ngrams, write_model
from asr.language.ngram_table import coarse
from asr.language.perplexity import known_word_perplexity
from asr.language.text_corpus import read_sentences
from asr.pronunciation.pronouncer import cmudict_lexicon

TALK = "talk"
"""Name of the tuning text that consists of sentences of the sources."""

Texts = Mapping[str, Sequence[Sequence[str]]]
"""Words of each sentence of each text, by the text's name."""


@dataclass(frozen=True, config=STRICT)
class MixedLanguageModelConfig:
    """The YAML file of the models, such as pipelines/configs/spoken-lm.yaml."""

    sources: dict[str, TextSource] = Field(min_length=1)
    """Kinds of text by name. Required."""
    tuning: dict[str, tuple[Path, ...]] = Field(min_length=1)
    """Manifests of each tuning text by name. The tuning sentences of all sources together are one
    more, `talk`. Tuning texts count alike. Required."""
    held_out: tuple[Path, ...] = Field(min_length=1)
    """Manifests and text files whose sentences must not be in the models. Required."""
    sizes: dict[str, int] = Field(min_length=1)
    """Most n-grams of two words or more of each model, by the model's name. Required."""
    order: int = Field(default=3, ge=2)
    """Number of words in the longest n-grams. Default: 3."""
    least: int = Field(default=5, ge=1)
    """Occurrences in all sources together that a word needs. Default: 5."""
    least_known: int = Field(default=1, ge=1)
    """Occurrences that a word of CMUdict needs. Default: 1."""
    vocabulary: int = Field(default=65_000, ge=1)
    """Most words of the models. Up to 65,000 take two bytes each in an n-gram. Default: 65,000."""
    step: float = Field(default=0.03, gt=0)
    """Log10 probabilities of n-grams of two words or more are multiples of this. Up to 256
    different ones take one byte each where no back-off goes with them. Default: 0.03."""


def build_language_models(
    config: MixedLanguageModelConfig,
    folders: SourceFolders,
    out: Path,
    say: Callable[[str], None] = print,
) -> list[Path]:
    """Build the models and write them with their records, NAME.ngrams and NAME.json.

    Args:
        config: the configuration.
        folders: where the texts lie.
        out: folder of the models.
        say: shows one line of progress. Default: print.

    Raises:
        AsrError: a file cannot be read, or the configuration is wrong.
        OSError, subprocess.SubprocessError: packaged prose cannot be downloaded.
    """
    found, vocabulary = _read_sources(config, folders, say)
    tuning: dict[str, Sequence[Sequence[str]]] = {
        name: read_sentences([folders.data / path for path in paths], "english")
        for name, paths in config.tuning.items()
    }
    if talk := [words for text in found.values() for words in text.tuning]:
        tuning[TALK] = talk
    models = [estimate(t.sentences, config.order, (), vocabulary) for t in found.values()]
    weights = best_weights(models, list(tuning.values())).round(4).tolist()
    weights[weights.index(max(weights))] += 1 - sum(weights)
    say("weights: " + ", ".join(f"{n} {w:.4f}" for n, w in zip(found, weights, strict=True)))
    mixed = interpolate(models, weights)
    contexts = context_frequencies(mixed, [t.sentences for t in found.values()], weights)
    record: dict[str, Any] = {
        **{"command": this_command(), "commit": git_commit()},
        "sources": {
            name: _source_record(config.sources[name], text, weight)
            for (name, text), weight in zip(found.items(), weights, strict=True)
        },
        "held_out": [str(path) for path in config.held_out],
        "not_pruned": _scores(mixed, tuning),
    }
    paths = []
    for name, size in config.sizes.items():
        path = out / (name + BINARY_SUFFIX)
        write_model(coarse(prune(mixed, size, contexts), config.step), path, MIXED_DIGITS)
        paths.append(_write_record(path, record, tuning, say))
    return paths


def _read_sources(
    config: MixedLanguageModelConfig, folders: SourceFolders, say: Callable[[str], None]
) -> tuple[dict[str, SourceText], list[str]]:
    """The text of each source, and the vocabulary.

    Sources that make their text come last, because they spell the words of the vocabulary.
    """
    held_out = HeldOut.read(folders.data / path for path in config.held_out)
    found: dict[str, SourceText] = {}
    vocabulary: list[str] = []
    for name, source in sorted(config.sources.items(), key=lambda item: item[1].numbers > 0):
        if source.numbers and not vocabulary:
            vocabulary = _vocabulary(config, found)
        found[name] = text = read_source(source, folders, held_out, vocabulary)
        say(
            f"{name}: {len(text.sentences)} sentences, {sum(map(len, text.sentences))} words, "
            f"{text.held_out} sentences held out"
        )
    # The letters and the words of numbers are frequent in any text, so made text adds no words.
    return found, vocabulary or _vocabulary(config, found)


def _vocabulary(config: MixedLanguageModelConfig, found: Mapping[str, SourceText]) -> list[str]:
    return choose_vocabulary(
        (text.sentences for text in found.values()),
        config.least,
        config.vocabulary,
        cmudict_lexicon(),
        config.least_known,
    )


def _source_record(source: TextSource, text: SourceText, weight: float) -> dict[str, Any]:
    words = sum(map(len, text.sentences))
    counts = {"words": words, "held_out": text.held_out, "weight": round(weight, 4)}
    return {"what": source.what, "licence": source.licence, **text.origin, **counts}


def _scores(model: NgramModel, texts: Texts) -> dict[str, dict[str, float]]:
    """Perplexity and percentage of unknown words on each text."""
    found = {}
    for name, text in texts.items():
        words = [word for sentence in text for word in sentence]
        unknown = sum(word not in model.ids for word in words) / len(words)
        perplexity = known_word_perplexity(model, text)
        found[name] = {"perplexity": round(perplexity, 1), "unknown": round(100 * unknown, 2)}
    return found


def _write_record(
    path: Path, record: dict[str, Any], tuning: Texts, say: Callable[[str], None]
) -> Path:
    model = read_ngrams(path)
    scores = _scores(model, tuning)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    made = {**record, "ngrams": len(model), "scores": scores, "sha256": sha256}
    replace(LmRecord.read(path), made=made).write(path)
    say(f"{path}: {len(model)} n-grams, {path.stat().st_size / 1e6:.2f} MB")
    for name, found in scores.items():
        say(f"  {name}: perplexity {found['perplexity']}, unknown words {found['unknown']} %")
    return path
