"""Pronunciations for a recogniser that says phones: CMUdict's, and of a language model's words.

python pipelines/build_lexicon.py MODEL/lm.arpa.gz --out MODEL/lexicon.txt.gz
"""

import argparse
from pathlib import Path

from asr.language.ngram import read_arpa
from asr.pronunciation.pronouncer import cmudict_entries, completed, write_lexicon


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lm", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    a = parser.parse_args()
    known = cmudict_entries()
    every = completed(known, {word for lm in a.lm for word in read_arpa(lm).vocabulary})
    write_lexicon(a.out, sorted(every))
    print(f"{a.out}: {len(known)} pronunciations of CMUdict, {len(every) - len(known)} made")


if __name__ == "__main__":
    main()
