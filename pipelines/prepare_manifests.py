"""Prepare many corpora, and select from their manifests, as a YAML file says.

python pipelines/prepare_manifests.py pipelines/configs/strangers.yaml --raw data/raw --out data
"""

import argparse
import sys
from pathlib import Path

from asr.base.config import load_yaml
from asr.cli.program import run_program
from asr.data.manifest_recipe import ManifestRecipe, make_manifests


def main() -> None:
    add = (parser := argparse.ArgumentParser(description=__doc__)).add_argument
    add("recipe", type=Path, help="YAML file; its lists of names are in the folder of its name")
    raw = "folders with the unpacked corpora; the first that has a corpus is used"
    add("--raw", type=Path, nargs="+", required=True, help=raw)
    add("--out", type=Path, default=Path("data"), help="folder of the manifests; default: data")
    some = "corpora to prepare; the others are used as an earlier call left them; default: all"
    add("--corpora", nargs="+", metavar="NAME", help=some)
    a = parser.parse_args()
    recipe = load_yaml(ManifestRecipe, a.recipe)
    made = make_manifests(recipe, a.recipe.with_suffix(""), a.raw, a.out, a.corpora)
    for line in made.skipped:
        print(f"left out: {line}", file=sys.stderr)
    for path, count in made.counts.items():
        print(f"{count} utterances, {path}")
    for line in made.failed:
        print(f"not made: {line}", file=sys.stderr)
    sys.exit(bool(made.failed))


if __name__ == "__main__":
    run_program(main)
