"""A Keras speech toolkit: train, understand and ship a recogniser and a voice of your own.

    from asr import Recognizer
    print(Recognizer.load("en-base").transcribe("call.wav").text)

`__all__` lists the public names. Python imports the module of a name when the name is first used,
so `import asr` is quick, and only the names that need TensorFlow import it.
"""

from __future__ import annotations

from asr.version import __version__

TYPE_CHECKING = False  # as in typing, whose import would take longer than this module
if TYPE_CHECKING:
    from asr.audio.features import FeatureConfig as FeatureConfig
    from asr.audio.features import mfcc as mfcc
    from asr.audio.reading import read_audio as read_audio
    from asr.data.manifest import Utterance as Utterance
    from asr.data.manifest import read_manifest as read_manifest
    from asr.data.manifest import write_manifest as write_manifest
    from asr.decoding.decoding_options import Decoding as Decoding
    from asr.errors import AsrError as AsrError
    from asr.evaluation.error_rates import Evaluation as Evaluation
    from asr.evaluation.error_rates import evaluate as evaluate
    from asr.evaluation.error_rates import evaluate_manifest as evaluate_manifest
    from asr.formats.writers import find_writer as find_writer
    from asr.inverse_normalisation.writer import load_number_writer as load_number_writer
    from asr.language.arpa import read_arpa as read_arpa
    from asr.language.ngram_file import read_ngrams as read_ngrams
    from asr.language.recurrent_lm import RecurrentLM as RecurrentLM
    from asr.models import find_model as find_model
    from asr.networks.recurrent import RecurrentStack as RecurrentStack
    from asr.recognizer import Recognizer as Recognizer
    from asr.results import Alternative as Alternative
    from asr.results import Failure as Failure
    from asr.results import Partial as Partial
    from asr.results import Token as Token
    from asr.results import Transcript as Transcript
    from asr.results import Word as Word
    from asr.seq2seq.converter import Converter as Converter
    from asr.serving.client import connect as connect
    from asr.streaming import Stream as Stream
    from asr.text.normalisers import normalise_english as normalise_english
    from asr.text.tokenizers import Tokenizer as Tokenizer
    from asr.text.tokenizers import TokenizerConfig as TokenizerConfig
    from asr.training.from_yaml import train_from_yaml as train_from_yaml
    from asr.tts.synthesizer import Synthesizer as Synthesizer

_HOME = {
    "Alternative": "asr.results",
    "AsrError": "asr.errors",
    "Converter": "asr.seq2seq.converter",
    "Decoding": "asr.decoding.decoding_options",
    "Evaluation": "asr.evaluation.error_rates",
    "Failure": "asr.results",
    "FeatureConfig": "asr.audio.features",
    "Partial": "asr.results",
    "Recognizer": "asr.recognizer",
    "RecurrentLM": "asr.language.recurrent_lm",
    "RecurrentStack": "asr.networks.recurrent",
    "Stream": "asr.streaming",
    "Synthesizer": "asr.tts.synthesizer",
    "Token": "asr.results",
    "Tokenizer": "asr.text.tokenizers",
    "TokenizerConfig": "asr.text.tokenizers",
    "Transcript": "asr.results",
    "Utterance": "asr.data.manifest",
    "Word": "asr.results",
    "connect": "asr.serving.client",
    "evaluate": "asr.evaluation.error_rates",
    "evaluate_manifest": "asr.evaluation.error_rates",
    "find_model": "asr.models",
    "find_writer": "asr.formats.writers",
    "load_number_writer": "asr.inverse_normalisation.writer",
    "mfcc": "asr.audio.features",
    "normalise_english": "asr.text.normalisers",
    "read_arpa": "asr.language.arpa",
    "read_audio": "asr.audio.reading",
    "read_manifest": "asr.data.manifest",
    "read_ngrams": "asr.language.ngram_file",
    "train_from_yaml": "asr.training.from_yaml",
    "write_manifest": "asr.data.manifest",
}
"""The module of each public name; tests/test_front_door.py holds it equal to the imports above."""

__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> object:
    """Import a public name from its module (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
