"""Make goforward.wav and goforward.mfc: a recording and pocketsphinx's own features of it.

    python tests/data/make_golden.py /path/to/unpacked/pocketsphinx-5.1.1

pocketsphinx 5.1.1 logs the features it computes (`mfclogdir`). Its acoustic model's feat.params
overrides options, so a copy without the front end's lines is used; noise removal is off.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pocketsphinx
import soundfile

HERE = Path(__file__).parent
DROPPED = ("lowerf", "upperf", "nfilt", "transform", "lifter", "cmn ", "remove_noise")


def main(source: Path) -> None:
    samples = np.fromfile(source / "test" / "data" / "goforward.raw", "<i2")
    soundfile.write(HERE / "goforward.wav", samples, 16_000, subtype="PCM_16")
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        shutil.copytree(pocketsphinx.get_model_path("en-us/en-us"), model)
        parameters = model / "feat.params"
        lines = parameters.read_text().splitlines()
        kept = [line for line in lines if not any(f"-{d}" in f"{line} " for d in DROPPED)]
        parameters.write_text("\n".join(kept) + "\n")
        decoder = pocketsphinx.Decoder(
            hmm=str(model), mfclogdir=folder, lowerf=130.0, upperf=6800.0, nfilt=40,
            transform="legacy", lifter=0, cmn="none", remove_noise=False, loglevel="FATAL",
        )  # fmt: skip
        decoder.start_utt()
        decoder.process_raw(samples.tobytes(), full_utt=True)
        decoder.end_utt()
        (log,) = Path(folder).glob("*.mfc")
        shutil.copy(log, HERE / "goforward.mfc")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
