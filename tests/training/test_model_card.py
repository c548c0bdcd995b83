from __future__ import annotations

from typing import Any

import pytest
import yaml

from asr.language.recurrent_lm import LanguageConfig, LanguageNetworkConfig
from asr.networks.acoustic_config import AcousticConfig
from asr.networks.model_directory import RecognizerConfig
from asr.seq2seq.converter_config import ConverterConfig, Seq2SeqConfig
from asr.text.tokenizers import TokenizerConfig
from asr.training.model_card import (
    converter_card,
    language_model_card,
    recognizer_card,
    voice_card,
)
from asr.tts.voice_config import VoiceConfig

EXPERIMENT = {"data": {"train": ["a/train.jsonl"], "dev": ["a/dev.jsonl"]}, "note": "한국어"}
RECORD: dict[str, Any] = {
    "command": "asr train mine.yaml",
    "commit": "abc123",
    "seed": 7,
    "config": EXPERIMENT,
    "data_sha256": {"a/train.jsonl": "0123456789abcdef", "a/dev.jsonl": "fedcba9876543210"},
    "train_utterances": 1200,
    "train_hours": 1.5,
    "train_items": 3400,
    "best": {
        "epoch": 9,
        "dev_wer": 0.125,
        "dev_cer": 0.0625,
        "dev_mel": 0.4321,
        "dev_ser": 0.25,
        "dev_bits": 1.5,
    },
}
RECOGNIZER = RecognizerConfig("mine", acoustic=AcousticConfig(phones=True), training=RECORD)
VOICE = VoiceConfig("mine", training=RECORD)
CONVERTER = ConverterConfig(
    "mine", "characters", "words", ("a",), ("b",), 3, Seq2SeqConfig(kind="ctc"), RECORD
)
LANGUAGE = LanguageConfig("mine", TokenizerConfig(), LanguageNetworkConfig(), RECORD)
CARDS = {
    "recogniser": (
        recognizer_card(RECOGNIZER),
        "and phones",
        "1200 utterances, 1.50 hours",
        "12.50%",
    ),
    "voice": (voice_card(VOICE), "Griffin-Lim", "1200 utterances, 1.50 hours", "0.432"),
    "converter": (converter_card(CONVERTER), "3 frames", "3400 pairs", "25.00%"),
    "language model": (language_model_card(LANGUAGE), "LSTM(512)", "3400 sentences", "1.500 bits"),
}


@pytest.mark.parametrize("kind", CARDS)
def test_a_card_has_data_command_scores_and_configuration(kind: str) -> None:
    card, *facts = CARDS[kind]
    assert card.startswith("# mine\n")
    for fact in (
        *facts,
        "- a/train.jsonl (SHA-256 0123456789ab…)",
        "- a/dev.jsonl (SHA-256 fedcba987654…)",
        "    asr train mine.yaml\n",
        "commit abc123, seed 7",
        "dev set: 9",
    ):
        assert fact in card
    configuration = card.split("```yaml\n")[1].split("```")[0]
    assert yaml.safe_load(configuration) == EXPERIMENT


def test_a_card_of_a_model_without_record_has_no_scores() -> None:
    card = recognizer_card(RecognizerConfig("mine"))
    assert "WER nan%" in card and "commit unknown" in card
