"""A recogniser for tests of batches: no network, and results that show what they were made from.

Also a program: `python fakes.py JSON` runs a batch with it, and can be killed at any point.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import soundfile

from asr.audio.reading import read_audio
from asr.batch.transcribe_files import BatchJob, transcribe_files
from asr.batch.workers import Transcriber
from asr.data.inputs import recording_path
from asr.errors import AsrError, ModelError
from asr.results import Failure, Transcript


def fill_archive(folder: Path, *names: str) -> Path:
    """Write recordings of 0.1 s, each with its own noise; those with "broken" in it are none."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if "broken" in name:
            path.write_bytes(b"no audio")
            continue
        sound = np.random.default_rng(crc32(name.encode())).normal(0, 0.1, 1600)
        soundfile.write(path, sound, 16_000)
    return folder


class FakeRecognizer:
    """Its texts are digests of the samples.

    Scores depend on all recordings of a call, as the last bits of a network's output do.

    Args:
        log: file to which the path of each recording is appended.
    """

    def __init__(self, log: Path | None = None) -> None:
        self.log = log

    def transcribe_each(
        self,
        audio: Sequence[Any],
        sample_rate: int | None = None,
        channel: int | None = None,
        progress: Callable[[float], object] | None = None,
    ) -> Iterator[tuple[int, Transcript | Failure]]:
        """As `Recognizer.transcribe_each`, the last recording first."""
        call = float(len(audio)) + sum(len(str(recording_path(a))) for a in audio)
        for i in reversed(range(len(audio))):
            path = recording_path(audio[i])
            if self.log is not None:
                with self.log.open("a") as file:
                    file.write(json.dumps(str(path)) + "\n")
            act(path.name)
            try:
                samples = read_audio(path, 16_000, channel)
            except AsrError as error:
                yield i, Failure(str(path), str(error))
                continue
            if progress is not None:
                progress(len(samples) / 16_000)
            text = hashlib.sha256(samples.tobytes()).hexdigest()[:16]
            yield i, Transcript(text, -call, len(samples) / 16_000, (), str(path), (), channel)


def act(name: str) -> None:
    """Fail in the way that a recording's name asks for."""
    if "kill" in name:
        os.kill(os.getpid(), signal.SIGKILL)
    if "once" in name and not (marker := Path(os.environ["ONCE"])).exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if "crash" in name:
        raise ZeroDivisionError(name)
    if "ctrl-c" in name:
        os.killpg(0, signal.SIGINT)
    if "sigterm" in name:
        os.kill(int(os.environ["BATCH"]), signal.SIGTERM)


@dataclass(frozen=True)
class FakeTranscriber(Transcriber):
    """Loads a `FakeRecognizer`.

    Attributes:
        model: en-small, whose files count for `--resume`; or "damaged" or "no memory", which fail
            in that way while loading.
        log: see `FakeRecognizer`.
    """

    log: Path | None = None

    def load(self, threads: int = 0) -> Any:
        if self.model == "damaged":
            raise ModelError("damaged: is damaged")
        if self.model == "no memory":
            os.kill(os.getpid(), signal.SIGKILL)
        return FakeRecognizer(self.log)


class SlowRecognizer(FakeRecognizer):
    """Takes a moment for each unit, so that a test can act half-way."""

    def transcribe_each(self, *arguments: Any, **options: Any) -> Iterator[Any]:
        time.sleep(0.2)
        yield from super().transcribe_each(*arguments, **options)


@dataclass(frozen=True)
class SlowTranscriber(FakeTranscriber):
    """Loads a `SlowRecognizer`, and writes its process into `log`.pids."""

    def load(self, threads: int = 0) -> Any:
        assert self.log is not None
        with self.log.with_suffix(".pids").open("a") as file:
            file.write(f"{os.getpid()}\n")
        return SlowRecognizer(self.log)


def main() -> int:
    """Run a batch and print how many file operations it took.

    The JSON object has the keys paths; batch: fields of `BatchJob`; log, optional: see
    `FakeRecognizer`; kill_at, optional: number of the file operation before which the process kills
    itself.
    """
    options = json.loads(sys.argv[1])
    os.environ["BATCH"] = str(os.getpid())
    kill_at = options.get("kill_at")
    seen = 0

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.listdir"):
            seen += 1
            if seen == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    log = Path(options["log"]) if options.get("log") else None
    try:
        job = BatchJob(FakeTranscriber("en-small", log=log), **options["batch"])
        totals = transcribe_files(options["paths"], job)
    except AsrError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"events: {seen}", file=sys.stderr)
    return totals.status


if __name__ == "__main__":
    sys.exit(main())
