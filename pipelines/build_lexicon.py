"""Write the pronunciation lexicon of a recogniser with phone labels.

It holds CMUdict and the other words of one or more language models.

python pipelines/build_lexicon.py MODEL/lm.ngrams --out MODEL/lexicon.txt.gz
"""

import argparse
from pathlib import Path

from asr.base.files import output_file
from asr.cli.program import run_program
from asr.language.ngram_file import read_ngrams
from asr.pronunciation.pronouncer import add_pronunciations, cmudict_entries, write_lexicon


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lm", type=Path, nargs="+", help="n-gram models with the words")
    parser.add_argument("--out", type=output_file, required=True, help="the lexicon")
    a = parser.parse_args()
    known = cmudict_entries()
    every = add_pronunciations(known, {word for lm in a.lm for word in read_ngrams(lm).vocabulary})
    # The order of a word's pronunciations stays: training uses the first, which is the usual one.
    write_lexicon(a.out, sorted(every, key=lambda entry: entry[0]))
    print(f"{a.out}: {len(known)} pronunciations of CMUdict, {len(every) - len(known)} generated")


if __name__ == "__main__":
    run_program(main)
