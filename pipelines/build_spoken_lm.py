"""Build n-gram models of spoken English, of several sizes, from the texts that a YAML file names.

python pipelines/build_spoken_lm.py pipelines/configs/spoken-lm.yaml --texts ../shared/text \\
    --data data --out runs/spoken-lm
"""

import argparse
from pathlib import Path

from asr.base.config import load_yaml
from asr.cli.program import run_program
from asr.data.text_sources import SourceFolders
from asr.training.mixed_language_model import MixedLanguageModelConfig, build_language_models


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("config", type=Path, help="YAML file of sources, tuning texts and sizes")
    add("--texts", type=Path, required=True, help="folder of the text files")
    add("--data", type=Path, default=Path("data"), help="folder of the manifests; default: data")
    cache = "folder of the downloaded packages; default: data/prose"
    add("--cache", type=Path, default=Path("data/prose"), help=cache)
    add("--out", type=Path, required=True, help="folder of the models")
    a = parser.parse_args()
    config = load_yaml(MixedLanguageModelConfig, a.config)
    build_language_models(config, SourceFolders(a.texts, a.data, a.cache), a.out)


if __name__ == "__main__":
    run_program(main)
