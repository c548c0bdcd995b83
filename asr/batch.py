"""Many recordings: what `asr transcribe`, `asr evaluate` and the batch pipelines share."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asr.audio import find_audio
from asr.decoding import Decoding
from asr.errors import AsrError, ConfigError
from asr.evaluation import Evaluation
from asr.evaluation import evaluate as evaluate_results
from asr.files import atomic_write
from asr.manifest import Utterance, read_manifest
from asr.progress import spinner, track
from asr.quiet import import_tensorflow
from asr.record import git_commit, this_command
from asr.results import Failure, Transcript
from asr.writers import WRITERS

if TYPE_CHECKING:
    from asr.recognizer import Recognizer


def load_recognizer(model: str, decoding: Decoding = Decoding()) -> Recognizer:
    """`Recognizer.load`, importing TensorFlow only now and quietly, under a spinner.

    Raises:
        ModelError, ConfigError: see `Recognizer.load`.
    """
    with spinner(f"loading {model}"):
        import_tensorflow()
        from asr.recognizer import Recognizer

        return Recognizer.load(model, decoding)


def gather(paths: Iterable[str]) -> tuple[list[str | Path | Utterance], list[Failure]]:
    """What the arguments of `asr transcribe` name: files, folders, globs, manifests, - for stdin.

    What names nothing is a `Failure`, so that it cannot stop the others.
    """
    found: list[str | Path | Utterance] = []
    failures: list[Failure] = []
    for item in paths:
        try:
            if item == "-":
                found += [line for line in sys.stdin.read().splitlines() if line.strip()]
            elif item.endswith(".jsonl"):
                found += read_manifest(Path(item))
            elif Path(item).is_file():
                found.append(item)
            else:
                found += find_audio([item])
        except AsrError as error:
            failures.append(Failure(item, str(error)))
    return found, failures


def transcribe_files(
    paths: Sequence[str],
    model: str,
    format: str,
    channel: int | None,
    out: Path | None,
    decoding: Decoding = Decoding(),
) -> bool:
    """Transcribe all that `paths` name, in their order, to `out` or stdout; True if none failed.

    Results are written as soon as those before them are there; failures go to stderr, and a
    summary ends it where there was more than one recording.

    Raises:
        AsrError: the format or the model is wrong; nothing was transcribed.
    """
    if format not in WRITERS:
        raise ConfigError(f"--format {format}: not known; one of {', '.join(WRITERS)}")
    items, failures = gather(paths)
    if not items:
        _report(failures)
        return False
    recognizer = load_recognizer(model, decoding)
    started, seconds = time.monotonic(), 0.0

    def transcripts() -> Iterator[Transcript]:
        nonlocal seconds
        each = recognizer.transcribe_each(items, channel=channel)
        # On a terminal the lines of text show the progress, and a bar would run into them.
        if out is not None or not sys.stdout.isatty():
            each = track(each, len(items), "transcribing")
        for result in in_order(each):
            if isinstance(result, Failure):
                failures.append(result)
            else:
                seconds += result.duration
                yield result

    if out is None:
        for text in WRITERS[format](transcripts()):
            sys.stdout.write(text)
            sys.stdout.flush()
    else:
        with atomic_write(out) as file:
            file.writelines(WRITERS[format](transcripts()))
    _report(failures)
    if len(items) + len(failures) > 1:
        took = time.monotonic() - started
        print(
            f"{len(items)} recordings, {seconds / 3600:.2f} h, {len(failures)} failed, "
            f"RTF {took / seconds if seconds else 0:.4f}",
            file=sys.stderr,
        )
    return not failures


def in_order(
    results: Iterable[tuple[int, Transcript | Failure]],
) -> Iterator[Transcript | Failure]:
    """Put (index, result) pairs, which come as batches finish, back into the inputs' order."""
    waiting: dict[int, Transcript | Failure] = {}
    following = 0
    for index, result in results:
        waiting[index] = result
        while following in waiting:
            yield waiting.pop(following)
            following += 1


def evaluate_manifest(
    model: str, manifest: Path, decoding: Decoding = Decoding()
) -> tuple[Evaluation, dict[str, Any]]:
    """Transcribe a manifest with a model and compare; the RTF is of the warm process.

    Returns:
        The evaluation, and a record of plain values for JSON: its rates and what made them (model,
        weights, training, manifest, decoding, command, commit).

    Raises:
        AsrError: the manifest or the model is wrong.
    """
    utterances = read_manifest(manifest)
    recognizer = load_recognizer(model, decoding)
    # The first call traces the graph: a cost of starting, not of transcribing.
    recognizer.warm_up()
    started = time.monotonic()
    each = recognizer.transcribe_each(utterances)
    results = list(in_order(track(each, len(utterances), "transcribing")))
    seconds = time.monotonic() - started
    result = evaluate_results(utterances, results, recognizer.tokenizer.normalise, seconds)
    training = recognizer.config.training
    record = {
        "model": recognizer.config.name,
        "weights_sha256": recognizer.config.weights_sha256,
        "trained": {key: training.get(key) for key in ("command", "seed", "commit")},
        "manifest": str(manifest),
        "decoding": recognizer.decoder.decoding.to_dict(),
        "command": this_command(),
        "commit": git_commit(),
        **result.to_dict(),
    }
    return result, record


def _report(failures: Sequence[Failure]) -> None:
    for failure in failures:
        print(f"failed: {failure.error}", file=sys.stderr)
