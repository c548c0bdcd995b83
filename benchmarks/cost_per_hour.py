"""Bytes, processor seconds and memory that an hour of speech costs, step by step.

    python benchmarks/cost_per_hour.py data/strangers/dev.jsonl [--minutes 6 --threads 1]
        [--peers pocketsphinx whisper --archive-files 1000000 --archive-hours 80000 --json]

Draws utterances of a manifest (--minutes in all, with --seed) and runs each step on them in a
process of its own, one after the other: reading, features, training steps of the network of
pipelines/configs/en-small.yaml, transcribing greedily and with the language model, and, on half of
them, the peers of benchmarks/peers.py. Loading and the first call are not counted. Processor
seconds are those of all threads, so that waiting for other programs does not count; memory is the
peak of the process.

Then prints how transcribing grows: with hours (half of the utterances against all of them), with
files (the same speech as WAV files of 1 s and of 10 s), and with the vocabulary of the language
model (the shipped one with its most probable words). The last lines are the processor hours of an
archive.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from asr.audio.writing import write_audio
from asr.base.provenance import environment, git_commit
from asr.data.inputs import read_utterance
from asr.data.manifest import Utterance, read_manifest, write_manifest

RATE = 16_000
CONFIG = Path(__file__).parents[1] / "pipelines" / "configs" / "en-small.yaml"
SHORT, LONG = 1, 10
VOCABULARIES = (1_000, 8_000)
TRAINING_STEPS = 4
BATCH = 8

Measurement = dict[str, float]


def measured(work: Callable[[], object]) -> float:
    """Processor seconds of all threads of this process for a call."""
    started = time.process_time()
    work()
    return time.process_time() - started


def read(utterances: Sequence[Utterance], options: dict[str, Any]) -> Measurement:
    """Decode the files, resample and mix: samples at 16 kHz."""
    read_utterance(utterances[0], RATE)
    seconds = measured(lambda: [len(read_utterance(u, RATE)) for u in utterances])
    return {"cpu": seconds, "bytes": sum(u.path.stat().st_size for u in utterances)}


def features(utterances: Sequence[Utterance], options: dict[str, Any]) -> Measurement:
    """Cepstra of samples in memory; the bytes are those of the feature cache."""
    from asr.recognizer import load_recognizer

    recognizer = load_recognizer("en-small")
    samples = [read_utterance(u, RATE) for u in utterances]
    recognizer.cepstra(samples[0], RATE)
    total = 0

    def extract() -> None:
        nonlocal total
        for each in samples:
            total += recognizer.cepstra(each, RATE)[0].nbytes

    return {"cpu": measured(extract), "bytes": total}


def train(utterances: Sequence[Utterance], options: dict[str, Any]) -> Measurement:
    """Training steps after the first one; the bytes are the gradients that workers exchange."""
    import yaml
    from pydantic import TypeAdapter

    from asr.training.train_recognizer import RecognizerExperimentConfig, train_recognizer

    values = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    values["data"] = {
        **{"train": ["train.jsonl"], "dev": ["dev.jsonl"]},
        "repeat": {"train.jsonl": TRAINING_STEPS + 2},  # all steps are in the first epoch
    }
    values["training"] |= {"batch_size": BATCH}
    times: list[float] = []

    def progress(**event: Any) -> None:
        if "step" in event:
            times.append(time.process_time())

    # Utterances of similar lengths, so that little of a batch is padding.
    mean = sum(u.duration for u in utterances) / len(utterances)
    batch = sorted(utterances, key=lambda u: abs(u.duration - mean))[:BATCH]
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        data.mkdir()
        write_manifest(data / "train.jsonl", batch)
        write_manifest(data / "dev.jsonl", batch[:2])
        config = TypeAdapter(RecognizerExperimentConfig).validate_python(values)
        out = Path(folder) / "run"
        train_recognizer(
            config, data, out, max_steps=TRAINING_STEPS + 1, progress=progress, say=lambda _: None
        )
    from asr.models import find_model

    with np.load(find_model("en-small") / "weights.npz") as weights:
        parameters = sum(weights[name].size for name in weights.files)
    seconds = sum(u.duration for u in batch)
    return {
        "cpu": (times[-1] - times[0]) / TRAINING_STEPS,
        "bytes": 4 * parameters,
        "audio": seconds,
    }


def transcribe(utterances: Sequence[Utterance], options: dict[str, Any]) -> Measurement:
    """From files to texts, as a worker of a batch does; the bytes are those of the results."""
    from asr.batch.workers import Transcriber, make_units
    from asr.decoding.decoding_options import Decoding
    from asr.formats.writers import find_writer

    transcriber = Transcriber("en-small", Decoding(lm=options["lm"], beam=options["beam"]))
    recognizer = transcriber.load(options["threads"])
    units = make_units((u, u.duration) for u in utterances)
    transcriber.transcribe(recognizer, units[0])
    outcomes: list[Any] = []

    def work() -> None:
        for unit in units:
            outcomes.extend(transcriber.transcribe(recognizer, unit))

    seconds = measured(work)
    results = [result for outcome in outcomes for result in outcome.results]
    return {"cpu": seconds, "bytes": len("".join(find_writer("jsonl").write(results)).encode())}


def pocketsphinx(utterances: Sequence[Utterance], options: dict[str, Any]) -> Measurement:
    """PocketSphinx with its own model, from files to texts."""
    from asr.evaluation.sphinx_decoder import sphinx_transcripts

    list(sphinx_transcripts([read_utterance(utterances[0], RATE)]))
    texts: list[str] = []

    def work() -> None:
        samples = (read_utterance(u, RATE) for u in utterances)
        texts.extend(t.text for t in sphinx_transcripts(samples))

    return {"cpu": measured(work), "bytes": sum(len(text.encode()) for text in texts)}


def whisper(utterances: Sequence[Utterance], options: dict[str, Any]) -> Measurement:
    """Whisper base with int8 weights in CTranslate2, from files to texts."""
    from asr.evaluation.whisper import Whisper

    network = Whisper()
    texts: list[str] = []

    def text_of(utterance: Utterance) -> str:
        segments, _ = network.model.transcribe(read_utterance(utterance, RATE), language="en")
        return " ".join(segment.text for segment in segments)

    text_of(utterances[0])
    seconds = measured(lambda: texts.extend(text_of(u) for u in utterances))
    return {"cpu": seconds, "bytes": sum(len(text.encode()) for text in texts)}


STEPS = {
    function.__name__: function
    for function in (read, features, train, transcribe, pocketsphinx, whisper)
}


def draw(manifest: Path, minutes: float, seed: int) -> list[Utterance]:
    """Recordings of a manifest in random order, of 1.5 to 20 s, up to a length in all."""
    usable = [
        u
        for u in read_manifest(manifest)
        if u.audio_filepath is not None and u.offset is None and 1.5 <= u.duration <= 20 and u.text
    ]
    chosen: list[Utterance] = []
    for i in np.random.default_rng(seed).permutation(len(usable)):
        if sum(u.duration for u in chosen) >= 60 * minutes:
            break
        chosen.append(usable[i])
    return chosen


def run(step: str, manifest: Path, seconds: float, **options: Any) -> Measurement:
    """Run a step in a process of its own; its figures per hour of speech, and peak memory in MB."""
    values = {"lm": "none", "beam": 0, "threads": 1, **options}
    command = [sys.executable, __file__, str(manifest), "--only", step, json.dumps(values)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        out, errors = process.stdout.read(), process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{step} failed:\n{errors.decode()}")
    found = json.loads(out.splitlines()[-1])
    hours = found.get("audio", seconds) / 3600
    return {
        "cpu": found["cpu"] / hours,
        "bytes": found["bytes"] if step == "train" else found["bytes"] / hours,
        "peak_mb": usage.ru_maxrss / 1024,
    }


def cut(utterances: Sequence[Utterance], seconds: int, folder: Path) -> list[Utterance]:
    """The same speech as WAV files of some seconds."""
    folder.mkdir()
    speech = np.concatenate([read_utterance(u, RATE) for u in utterances])
    pieces = []
    size = seconds * RATE
    for i in range(len(speech) // size):
        path = folder / f"{i:05}.wav"
        write_audio(path, speech[i * size : (i + 1) * size], RATE, "PCM_16")
        pieces.append(Utterance("", float(seconds), path))
    return pieces


def smaller_lm(words: int, folder: Path) -> tuple[str, int]:
    """The shipped language model with its most probable words only; its file and its n-grams."""
    from asr.language.ngram import NgramModel, Ngrams
    from asr.language.ngram_file import read_ngrams, write_model
    from asr.models import find_model

    model = read_ngrams(find_model("en-small") / "lm.ngrams")
    best = np.argsort(-model.unigrams, kind="stable")[:words]
    special = [i for i, word in enumerate(model.words) if word in ("<s>", "</s>", "<unk>")]
    kept = np.unique([*special, *best])
    number = np.full(len(model.words), -1)
    number[kept] = np.arange(len(kept))
    orders = []
    for level in model.ngrams():
        ids = number[level.words]
        rows = (ids >= 0).all(axis=1)
        orders.append(
            Ngrams(ids[rows].astype(np.int32), level.probabilities[rows], level.back_offs[rows])
        )
    path = folder / f"lm-{words}.ngrams"
    write_model(NgramModel.from_ngrams([model.words[i] for i in kept], orders), path)
    return str(path), sum(len(level.words) for level in orders)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("manifest", type=Path)
    add("--minutes", type=float, default=6.0, help="speech for each step; default: %(default)s")
    add("--threads", type=int, default=1, help="threads of the network; default: %(default)s")
    add("--beam", type=int, default=160, help="beam of --lm general; default: %(default)s")
    add("--peers", nargs="*", choices=("pocketsphinx", "whisper"), default=["pocketsphinx"])
    add("--archive-files", type=int, default=1_000_000, help="default: %(default)s")
    add("--archive-hours", type=float, default=80_000.0, help="default: %(default)s")
    add("--seed", type=int, default=1, help="default: %(default)s")
    add("--json", action="store_true", help="one JSON object on stdout")
    add("--only", nargs=2, help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.only:
        step, options = a.only[0], json.loads(a.only[1])
        print(json.dumps(STEPS[step](read_manifest(a.manifest), options)))
        return
    utterances = draw(a.manifest, a.minutes, a.seed)
    seconds = sum(u.duration for u in utterances)
    greedy: dict[str, Any] = {"threads": a.threads}
    general = {**greedy, "lm": "general", "beam": a.beam}
    rows: dict[str, Measurement] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = ("whole", "half", "short", "long")
        whole, half, short, long = (folder / f"{part}.jsonl" for part in names)
        write_manifest(whole, utterances)
        halves = utterances[: len(utterances) // 2]
        write_manifest(half, halves)
        for part, length in ((short, SHORT), (long, LONG)):
            write_manifest(part, cut(halves, length, folder / part.stem))
        if not a.json:
            print(
                f"{len(utterances)} recordings of {a.manifest}, {seconds:.0f} s, network threads "
                f"{a.threads}, load {os.getloadavg()[0]:.1f}"
            )

        def step(label: str, step: str, part: Path = whole, **options: Any) -> Measurement:
            length = sum(u.duration for u in read_manifest(part))
            row = rows[label] = run(step, part, length, **options)
            if not a.json:
                per = "a step" if step == "train" else "an hour"
                print(
                    f"{label:36} {row['cpu']:8.2f} core-s an hour of speech  "
                    f"{row['bytes'] / 1e6:8.2f} MB {per}  peak {row['peak_mb']:5.0f} MB",
                    flush=True,
                )
            return row

        step("reading", "read")
        step("features", "features")
        step("training step", "train")
        ours = step("transcribing, greedy", "transcribe", **greedy)
        ours_lm = step(f"transcribing, general, beam {a.beam}", "transcribe", **general)
        peers = {peer: step(f"{peer}, half of them", peer, half) for peer in a.peers}
        step("hours: greedy, half of them", "transcribe", half, **greedy)
        step("hours: general, half of them", "transcribe", half, **general)
        of_short = step(f"files: greedy, WAV of {SHORT} s", "transcribe", short, **greedy)
        of_long = step(f"files: greedy, WAV of {LONG} s", "transcribe", long, **greedy)
        for words in VOCABULARIES:
            lm, ngrams = smaller_lm(words, folder)
            options = {**general, "lm": lm}
            step(f"words: {words}, {ngrams} n-grams", "transcribe", half, **options)
    # The same speech in more files: the difference is the cost of a file.
    per_file = (of_short["cpu"] - of_long["cpu"]) / (3600 / SHORT - 3600 / LONG)
    per_file = max(0.0, per_file)
    here = len(utterances) / (seconds / 3600)
    archive: dict[str, float] = {}
    systems = {"greedy": ours, f"general, beam {a.beam}": ours_lm, **peers}
    for label, row in systems.items():
        speech = row["cpu"] - (0.0 if label in peers else per_file * here)
        files_cost = 0.0 if label in peers else per_file * a.archive_files
        archive[label] = (speech * a.archive_hours + files_cost) / 3600
    if a.json:
        record = {"rows": rows, "seconds": seconds, "per_file": per_file, "archive": archive}
        print(json.dumps({**record, "commit": git_commit(), **environment()}))
        return
    print(f"a file costs {1000 * per_file:.2f} core-ms beside its speech")
    for label, hours in archive.items():
        print(
            f"{a.archive_files} files, {a.archive_hours:.0f} h: {label:24} {hours:8.0f} core-hours "
            f"({hours / archive['greedy']:.1f} x greedy)"
        )


if __name__ == "__main__":
    main()
