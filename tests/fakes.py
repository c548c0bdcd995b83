"""A recogniser for tests of batches: no network, results that show what they were made of.

Also a program: `python fakes.py JSON` runs a batch with it, and can be killed at any point.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr.audio.reading import read_audio
from asr.batch.transcribe_files import Batch, transcribe_files
from asr.batch.workers import Transcriber
from asr.data.inputs import recording_path
from asr.errors import AsrError, ModelError
from asr.results import Failure, Transcript


class FakeRecognizer:
    """`score` tells of the whole job, as in a batch of a network's the last bits do."""

    def __init__(self, log: Path | None = None) -> None:
        self.log = log

    def transcribe_each(
        self,
        audio: Sequence[Any],
        sample_rate: int | None = None,
        channel: int | None = None,
        progress: Callable[[float], object] | None = None,
    ) -> Iterator[tuple[int, Transcript | Failure]]:
        company = float(len(audio)) + sum(len(str(recording_path(a))) for a in audio)
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
            yield i, Transcript(text, -company, len(samples) / 16_000, (), str(path), (), channel)


def act(name: str) -> None:
    """Misfortunes that a recording's name asks for."""
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
class Fake(Transcriber):
    """`model` is en-small, for its hash, or what is to go wrong while loading."""

    log: Path | None = None

    def load(self, threads: int = 0) -> Any:
        if self.model == "damaged":
            raise ModelError("damaged: is damaged")
        if self.model == "no memory":
            os.kill(os.getpid(), signal.SIGKILL)
        return FakeRecognizer(self.log)


def main() -> int:
    a = json.loads(sys.argv[1])
    os.environ["BATCH"] = str(os.getpid())
    left = a.get("kill_at")
    seen = 0

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.listdir"):
            seen += 1
            if seen == left:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    how = Fake("en-small", log=Path(a["log"]) if a.get("log") else None)
    try:
        totals = transcribe_files(a["paths"], Batch(how, **a["batch"]))
    except AsrError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"events: {seen}", file=sys.stderr)
    return totals.status


if __name__ == "__main__":
    sys.exit(main())
