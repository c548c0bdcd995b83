"""The examples in docstrings of public names run and print the values that they show."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = (
    "asr.audio.features",
    "asr.audio.reading",
    "asr.ctc.best_path",
    "asr.ctc.forced_alignment",
    "asr.ctc.prefix_beam",
    "asr.data.manifest",
    "asr.decoding.decoding_options",
    "asr.evaluation.error_rates",
    "asr.evaluation.whisper",
    "asr.inverse_normalisation.spans",
    "asr.inverse_normalisation.spoken_forms",
    "asr.networks.head_layout",
    "asr.pronunciation.pronouncer",
    "asr.recognizer",
    "asr.seq2seq.converter",
    "asr.seq2seq.pairs",
    "asr.text.normalisers",
    "asr.text.tokenizers",
    "asr.tts.kokoro",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # the examples name recordings by their paths from here
    results = doctest.testmod(import_module(name))
    assert results.attempted > 0 and results.failed == 0
