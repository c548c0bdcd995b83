"""Model cards: the README.md of a model directory, written from its `model.json`.

Each kind of model has one function. All cards have the title, the data with SHA-256 digests, the
command with commit and seed, the best dev scores and the configuration.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import yaml

from asr.text.languages import language_name

if TYPE_CHECKING:
    from asr.language.recurrent_lm import LanguageConfig
    from asr.networks.model_directory import RecognizerConfig
    from asr.seq2seq.converter_config import ConverterConfig
    from asr.text.tokenizers import TokenizerConfig
    from asr.tts.voice_config import VoiceConfig

Record = Mapping[str, Any]
"""The training record of `TrainingRun`, with the row of the best epoch under "best"."""


def recognizer_card(config: RecognizerConfig) -> str:
    """The card of a recogniser, as Markdown."""
    acoustic, training = config.acoustic, config.training
    cell = ("Bi" if acoustic.bidirectional else "") + acoustic.cell.upper()
    heads = f"head over {config.tokenizer.kind}"
    if acoustic.phones:
        heads = f"heads over {config.tokenizer.kind} and phones"
    return _card(
        config.name,
        f"A speech recogniser for the `asr` toolkit: {acoustic.layers} × {cell}({acoustic.units}) "
        f"on MFCCs,\nwith CTC {heads}.{_texts(config.tokenizer)}{_teacher(training)}",
        _speech_size(training),
        training,
        f"WER {_best(training, 'dev_wer'):.2%}, CER {_best(training, 'dev_cer'):.2%}",
    )


def _teacher(training: Record) -> str:
    """A sentence about the recogniser that another one learned from; empty without one."""
    distillation = training.get("config", {}).get("distillation")
    return f" It learned from {distillation['teacher']}, frame by frame." if distillation else ""


def voice_card(config: VoiceConfig) -> str:
    """The card of a text-to-speech voice, as Markdown."""
    cell, mel, training = config.acoustic.cell.upper(), config.mel, config.training
    vocoder, section = "the Griffin-Lim vocoder", ""
    speakers = f" Its speakers: {', '.join(config.speakers)}." if config.speakers else ""
    if config.vocoder is not None:
        shape, made = config.vocoder.shape, config.vocoder.training
        network = f"{shape.layers} × Bi{shape.cell.upper()}({shape.units})"
        vocoder = f"a source-filter vocoder of {network}"
        section = f"""
## Vocoder

It was trained by

    {made.get("command", "")}

at commit {made.get("commit", "unknown")}, seed {made.get("seed")}.
Best epoch on the dev set: {made.get("best", {}).get("epoch")}, with a distance of spectra of \
{_best(made, "dev_spectrum"):.3f}.
"""
    return (
        _card(
            config.voice,
            f"A text-to-speech voice for the `asr` toolkit: a bidirectional {cell} encoder over "
            f"phones,\npredictors of durations and pitch, a {cell} decoder to {mel.mels} log-mel "
            f"bands at {mel.sample_rate} Hz,\nand {vocoder}.{speakers}",
            _speech_size(training),
            training,
            f"mel error {_best(training, 'dev_mel'):.3f} standard deviations",
        )
        + section
    )


def converter_card(config: ConverterConfig) -> str:
    """The card of a sequence-to-sequence converter, as Markdown."""
    shape, training = config.network, config.training
    decoder = f"CTC with {shape.frames} frames per source symbol"
    if shape.kind == "attention":
        decoder = f"attention and a {shape.cell.upper()} decoder"
    return _card(
        config.converter,
        f"A converter for the `asr` toolkit, from {config.source} to {config.target}:\n"
        f"{shape.encoder_layers} × Bi{shape.cell.upper()}({shape.encoder_units}), {decoder}.",
        f"{training.get('train_items', 0)} pairs",
        training,
        f"greedy decoding misses all targets of {_best(training, 'dev_ser'):.2%} of the sources",
    )


def language_model_card(config: LanguageConfig) -> str:
    """The card of a recurrent language model, as Markdown."""
    network, training = config.network, config.training
    return _card(
        config.language,
        f"A recurrent language model for the `asr` toolkit:\n"
        f"{network.layers} × {network.cell.upper()}({network.units}) over {config.tokenizer.kind}.",
        f"{training.get('train_items', 0)} sentences",
        training,
        f"{_best(training, 'dev_bits'):.3f} bits per character",
    )


def _card(title: str, description: str, size: str, training: Record, scores: str) -> str:
    experiment = training.get("config", {})
    return f"""# {title}

{description}

## Training data

{size}:

{_files(training, "train")}
{_teachers(training)}
The settings and the epoch were chosen on the dev set:

{_files(training, "dev")}

## Training

    {training.get("command", "")}

at commit {training.get("commit", "unknown")}, seed {training.get("seed")}.
Best epoch on the dev set: {training.get("best", {}).get("epoch")}, with {scores}.

## Configuration

```yaml
{yaml.safe_dump(experiment, sort_keys=False, allow_unicode=True).strip()}
```
"""


def _texts(tokenizer: TokenizerConfig) -> str:
    """A paragraph with the language and the alphabet of texts; "" for English letters."""
    if tokenizer.normaliser == "english":
        return ""
    language = language_name(tokenizer.language)
    letters = "".join(tokenizer.alphabet.split())
    alphabet = f" Alphabet: space and `{letters}`." if letters else ""
    return f"\n\nLanguage: {language}. Text normaliser: {tokenizer.normaliser}.{alphabet}"


def _speech_size(training: Record) -> str:
    count, hours = training.get("train_utterances", 0), training.get("train_hours", 0.0)
    return f"{count} utterances, {hours:.2f} hours per epoch (repeated manifests count repeatedly)"


def _teachers(training: Record) -> str:
    """One paragraph for each model that wrote texts of the training data."""
    return "".join(
        f"\n{count['utterances']} of the utterances, {count['hours']:.2f} hours, "
        f"have texts by {teacher}.\n"
        for teacher, count in training.get("teachers", {}).items()
    )


def _files(training: Record, part: str) -> str:
    digests = training.get("data_sha256", {})
    names = training.get("config", {}).get("data", {}).get(part, ())
    return "\n".join(f"- {name} (SHA-256 {digests.get(name, '')[:12]}…)" for name in names)


def _best(training: Record, score: str) -> float:
    return float(training.get("best", {}).get(score, math.nan))
