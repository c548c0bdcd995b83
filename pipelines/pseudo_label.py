"""Label recordings without texts, by a recogniser or by whisper-base, for training on them.

python pipelines/pseudo_label.py runs/mine/model new/ --lm my.arpa.gz --out data/train.jsonl
"""

import argparse
import sys
from contextlib import nullcontext

from asr import Decoding, write_manifest
from asr.base.files import output_file
from asr.cli.program import resumable, run_program
from asr.data.inputs import find_recordings
from asr.recognizer import load_recognizer
from asr.training.label_log import LabelLog
from asr.training.self_training import label_recordings


def main() -> None:
    add = (parser := argparse.ArgumentParser(description=__doc__)).add_argument
    add("model", help="shipped name or directory of the recogniser")
    add("recordings", nargs="+", help="files, folders, manifests, - for stdin")
    add(
        "--lm",
        help="language model: general, none or an ARPA file; default: general, if there is one",
    )
    add("--share", type=float, default=0.5, help="most confident share to keep; default: 0.5")
    add("--teacher", choices=["whisper"], help="model that writes the texts; default: the model")
    add(
        "--max-cer",
        type=float,
        default=0.5,
        help="highest character error rate of the model's text against the teacher's; inf: keep "
        "all probable texts, and ask the model only how digits are read; default: 0.5",
    )
    add("--out", type=output_file, required=True, help="manifest to write")
    a = parser.parse_args()
    recordings, failures = find_recordings(a.recordings, audio_on_stdin=False)
    model = load_recognizer(a.model, Decoding(lm=a.lm))
    settings = (model.config.weights_sha256, a.lm, a.teacher, a.max_cer)
    log = LabelLog(a.out.with_name(f"{a.out.name}.part"), settings)
    with resumable() if a.teacher else nullcontext():  # labels by a teacher are kept in the log
        kept, more = label_recordings(model, recordings, a.teacher, a.share, a.max_cer, log)
    write_manifest(a.out, kept)
    log.remove()
    for failure in (*failures, *more):
        print(failure.error, file=sys.stderr)
    print(f"{len(kept)} of {len(recordings)} recordings kept: {a.out}")
    sys.exit(bool(failures or more))


if __name__ == "__main__":
    run_program(main)
