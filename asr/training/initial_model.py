"""What a recogniser inherits from the model that its training starts from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from asr.decoding.decoding_files import decoding_files
from asr.decoding.decoding_options import GENERAL_LM_FILES, NO_LM, Decoding, general_lm
from asr.errors import ConfigError
from asr.networks.acoustic import AcousticModel
from asr.networks.model_directory import LEXICON_FILE, RecognizerConfig, read_model
from asr.pronunciation.lexicon_table import read_entries
from asr.recognizer import Recognizer
from asr.text.tokenizers import TokenizerConfig
from asr.training.config_paths import model_folder
from asr.training.growth import can_grow, grow


@dataclass(frozen=True)
class InitialModel:
    """The recogniser in the key `initial_model` of a YAML file.

    Attributes:
        name: the key's value.
        folder: its model directory.
        config: content of its `model.json`.
    """

    name: str
    folder: Path
    config: RecognizerConfig

    @classmethod
    def find(cls, name: str) -> InitialModel | None:
        """Find the model by shipped name or directory; None for an empty name.

        Raises:
            ConfigError: there is no such model.
            ModelError: see `Recognizer.load`.
        """
        return cls(name, *read_model(model_folder("initial_model", name))) if name else None

    def lexicon(self) -> list[tuple[str, str]]:
        """Words and phones of its lexicon; empty if it has none.

        Raises:
            ModelError: the lexicon cannot be read.
        """
        path = self.folder / LEXICON_FILE
        return read_entries(path) if path.is_file() else []

    def assign_weights(self, network: AcousticModel, tokenizer: TokenizerConfig) -> None:
        """Copy its weights to a network.

        Args:
            network: the network of the new recogniser. It may have more layers; see `grow`.
            tokenizer: tokenizer of the new recogniser. With another one than that of this model,
                the output layer keeps its random weights, because its labels mean other letters.

        Raises:
            ConfigError: a weight of the network is missing or has another shape.
            ModelError: see `Recognizer.load`.
        """
        recognizer = Recognizer.load(self.folder, Decoding(lm=NO_LM), runtime="tensorflow")
        initial = recognizer.acoustic_model.named_weights()
        grows = can_grow(self.config.acoustic, network.config)
        variables = network.named_weights()
        for name in initial:
            if name not in variables and not name.startswith("acoustic/phones/"):
                raise self._misfit(name)
        for name, variable in variables.items():
            if grows and name not in initial and name.startswith("acoustic/stack/"):
                continue  # a new layer
            if name not in initial and name.startswith("acoustic/phones/"):
                continue  # the initial model has no phone head: keep the random weights
            if name.startswith("acoustic/head/") and tokenizer != self.config.tokenizer:
                continue
            if name not in initial or tuple(initial[name].shape) != tuple(variable.shape):
                raise self._misfit(name)
            variable.assign(initial[name])
        if grows:
            grow(network, self.config.acoustic.layers)

    def _misfit(self, name: str) -> ConfigError:
        return ConfigError(
            f"initial_model: {self.name}: its weights do not fit this configuration ({name}): "
            "leave `features` and `acoustic` out to have those of the initial model; LSTM networks "
            "with layer normalisation may have more layers"
        )

    def files_for(self, tokenizer: TokenizerConfig, phones: bool) -> list[Path]:
        """The files of `decoding_files` that a recogniser trained from this model can use.

        Args:
            tokenizer: tokenizer of the new recogniser. The language model's words have the
                spelling of the initial one, so another tokenizer inherits nothing.
            phones: whether the new recogniser has a phone head.
        """
        return decoding_files(self.folder, phones) if tokenizer == self.config.tokenizer else []

    def message(self, files: list[Path], model: Path, dev: Path) -> str:
        """What the new recogniser inherits, and what to do next; "" if there is nothing to say.

        Args:
            files: the inherited files.
            model: the new model directory.
            dev: its dev set.
        """
        names = {file.name for file in files}
        if not names.isdisjoint(GENERAL_LM_FILES):
            lexicon = ", and the lexicon" if LEXICON_FILE in names else ""
            return (
                f"inherited from {self.name}: the language model and its weights{lexicon}. The "
                f"weights were tuned for {self.name}: tune again with asr tune {model} {dev} "
                "--lm general --near --save"
            )
        if general_lm(self.folder):
            return (
                f"not inherited from {self.name}: its language model and its output layer, because "
                "its tokenizer is another one; give a language model with --lm"
            )
        return ""
