"""Pronunciations for a recogniser that says phones: CMUdict's, and of a language model's words.

python pipelines/build_lexicon.py MODEL/lm.arpa.gz --out MODEL/lexicon.txt.gz
"""

import argparse
import re
from pathlib import Path

from asr.lm import read_arpa
from asr.tts.pronunciation import Pronouncer, cmudict_entries, first_ways, write_lexicon


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lm", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    a = parser.parse_args()
    known = cmudict_entries()
    pronounce = Pronouncer(first_ways(known))
    words = {word for lm in a.lm for word in read_arpa(lm).vocabulary} - set(pronounce.lexicon)
    new = [word for word in sorted(words) if re.fullmatch("[a-z']*[a-z][a-z']*", word)]
    write_lexicon(a.out, sorted(known + [(w, " ".join(pronounce(w).phones)) for w in new]))
    print(f"{a.out}: {len(known)} pronunciations of CMUdict, {len(new)} of words it does not have")


if __name__ == "__main__":
    main()
