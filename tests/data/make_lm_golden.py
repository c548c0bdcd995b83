"""Make lm_golden.arpa.gz and lm_golden.json: a 4-gram model and kenlm's scores by it.

    pip install kenlm==0.3.0    # builds from source: a C++ compiler and cmake
    python tests/data/make_lm_golden.py

The text is that of the project's README; sentences are its lines, some with words changed.
"""

import json
import random
import tempfile
from pathlib import Path

import kenlm

from asr.kneser_ney import estimate
from asr.lm import read_arpa, read_sentences, write_arpa

HERE = Path(__file__).parent


def main() -> None:
    sentences = read_sentences([HERE.parents[1] / "README.md"], "english")
    write_arpa(estimate(sentences, 4), HERE / "lm_golden.arpa.gz")
    rng = random.Random(1)
    words = sorted(read_arpa(HERE / "lm_golden.arpa.gz").vocabulary)
    asked = [s[:12] for s in sentences]
    asked += [[rng.choice([*s, rng.choice(words), "xyzzy"]) for _ in s][:12] for s in sentences]
    asked += [rng.choices(words, k=rng.randrange(8)) for _ in range(60)]
    with tempfile.TemporaryDirectory() as folder:
        # kenlm reads gzip only where it was built with zlib.
        write_arpa(read_arpa(HERE / "lm_golden.arpa.gz"), Path(folder) / "x.arpa")
        model = kenlm.Model(str(Path(folder) / "x.arpa"))
        golden = [
            {"words": s, "log10": [round(p, 6) for p, _, _ in model.full_scores(" ".join(s))]}
            for s in asked
        ]
    text = ",\n".join(json.dumps(line) for line in golden)
    (HERE / "lm_golden.json").write_text(f"[\n{text}\n]\n")


if __name__ == "__main__":
    main()
