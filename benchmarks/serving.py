"""Throughput and latency of a served model, compared with calls in this process.

    python benchmarks/serving.py data/kathleen/test.jsonl [--model en-small --requests 96]

Exports the model and serves it with tests/server.py in a process of its own, with and without
batching. (TensorFlow Serving is in no registry here, so its own overhead is not measured.) 1, 4
and 16 clients send one recording per request, as cepstra, to the signature `features`. Prints
requests per second, percentiles of the latency, RTF, and the ratio of the RTF to that of as many
threads that call the SavedModel in this process. All are measured warm and in turn within one
run.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from asr.data.manifest import read_manifest
from asr.decoding.decoding_options import Decoding
from asr.recognizer import Recognizer
from asr.serving.client import connect

SERVER = Path(__file__).parents[1] / "tests" / "server.py"
CLIENTS = (1, 4, 16)

Call = Callable[[Any], Any]
"""Sends one request."""


@contextmanager
def served(folder: Path, *options: str) -> Iterator[tuple[dict[str, str], int]]:
    """Serve a folder of exported models; yields the URLs by scheme and the id of the process."""
    command = [sys.executable, str(SERVER), str(folder), *options]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None and process.stdin is not None
        ports = json.loads(process.stdout.readline())
        yield (
            {
                "http": f"http://127.0.0.1:{ports['rest']}",
                "grpc": f"grpc://127.0.0.1:{ports['grpc']}",
            },
            process.pid,
        )
        process.stdin.close()


def load(makers: Sequence[Callable[[], Call]], requests: Sequence[Any]) -> tuple[float, np.ndarray]:
    """Send requests from several threads.

    Args:
        makers: one per thread; each creates the thread's function for a request.
        requests: the requests, which the threads share.

    Returns:
        Seconds for all requests, and the latency of each request in seconds.
    """
    waiting = itertools.count()
    latencies = np.zeros(len(requests))
    calls = [make() for make in makers]

    def work(call: Call) -> None:
        while (i := next(waiting)) < len(requests):
            started = time.perf_counter()
            call(requests[i])
            latencies[i] = time.perf_counter() - started

    threads = [threading.Thread(target=work, args=(call,)) for call in calls]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started, latencies


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default="en-small")
    parser.add_argument("--requests", type=int, default=96)
    a = parser.parse_args()
    from asr.base.tensorflow import tf
    from asr.serving.savedmodel import export_recognizer

    recognizer = Recognizer.load(a.model, Decoding(lm="none"))
    utterances = itertools.islice(itertools.cycle(read_manifest(a.manifest)), a.requests)
    cepstra = [recognizer.cepstra(u)[0] for u in utterances]
    requests = [{"features": c[None], "lengths": np.array([len(c)], np.int32)} for c in cepstra]
    seconds = sum(map(len, cepstra)) / recognizer.config.features.frames_per_second
    with tempfile.TemporaryDirectory() as folder, ExitStack() as servers:
        exported = export_recognizer(a.model, Path(folder))
        signature = tf.saved_model.load(str(exported)).signatures["features"]
        urls = {
            how: servers.enter_context(served(Path(folder), *options))[0]
            for how, options in (("", ()), (", batching", ("--batch", "16")))
        }

        def client(url: str) -> Call:
            own = connect(url, recognizer.config.name)
            return lambda request: own.predict("features", request)

        ways: dict[str, Callable[[], Call]] = {
            "in process": lambda: lambda request: signature(**request)
        }
        for how, by_scheme in urls.items():
            for scheme, url in by_scheme.items():
                ways[f"{scheme}{how}"] = lambda url=url: client(url)
        print(f"{a.model}, {a.manifest}: {a.requests} requests, {seconds:.0f} s of audio")
        for make in ways.values():
            load([make] * 4, requests[:16])
        for clients in CLIENTS:
            base = None
            for name, make in ways.items():
                taken, latencies = load([make] * clients, requests)
                base = base or taken
                p50, p95, p99 = np.percentile(latencies, [50, 95, 99]) * 1000
                print(
                    f"{clients:2} clients  {name:15} {a.requests / taken:6.1f} requests/s  "
                    f"p50 {p50:5.0f} ms  p95 {p95:5.0f} ms  p99 {p99:5.0f} ms  "
                    f"RTF {taken / seconds:.4f}  {taken / base:.2f} × in process",
                    flush=True,
                )


if __name__ == "__main__":
    main()
