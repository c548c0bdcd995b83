"""Throughput, latency and memory of `asr serve`, compared with calls in this process.

    python benchmarks/server.py data/kathleen/test.jsonl [--model en-small --requests 200]

Serves the model with the command `asr serve` in a process of its own, and sends recordings to
/v1/audio/transcriptions by plain HTTP. Prints three comparisons, each measured in turn within one
run: seconds of audio per second with 16 clients, over one call of `Recognizer.transcribe_each` with
the same recordings in this process; percentiles of the latency of one client with a recording of
three seconds, over `Recognizer.transcribe` in this process; and the memory of the server and its
processes before and after the requests, half of which are broken.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile
from serving import Call, load

from asr.audio.reading import read_audio
from asr.data.manifest import read_manifest
from asr.recognizer import Recognizer

CLIENTS = 16
BOUNDARY = "benchmark"
ROUNDS = 3


@contextmanager
def served(model: str) -> Iterator[tuple[int, int]]:
    """Serve a model; yields the port and the id of the process."""
    command = [sys.executable, "-m", "asr", "serve", "--model", model, "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        match = re.search(r":(\d+)$", process.stderr.readline().strip())
        assert match is not None
        threading.Thread(target=process.stderr.read, daemon=True).start()
        port = int(match[1])
        while True:
            try:
                ask(connect(port), b"")
                break
            except ConnectionError:
                time.sleep(0.1)
        try:
            yield port, process.pid
        finally:
            process.terminate()


def connect(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=300)


def form(content: bytes, name: str) -> bytes:
    """The body of a request with a file."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


def ask(connection: http.client.HTTPConnection, body: bytes) -> tuple[int, str]:
    """Send a request and return the status and the text."""
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    connection.request("POST", "/v1/audio/transcriptions", body, {"Content-Type": kind})
    response = connection.getresponse()
    answer = json.loads(response.read())
    return response.status, answer.get("text", "")


def send_all(port: int, bodies: Sequence[bytes], clients: int) -> tuple[float, list[str]]:
    """Send requests from several threads; returns the seconds for all, and the texts."""
    texts = [""] * len(bodies)

    def client() -> Call:
        connection = connect(port)

        def send(i: int) -> None:
            texts[i] = ask(connection, bodies[i])[1]

        return send

    seconds, _ = load([client] * clients, range(len(bodies)))
    return seconds, texts


def latencies(call: Callable[[], object], count: int) -> np.ndarray:
    found = []
    for _ in range(count):
        started = time.perf_counter()
        call()
        found.append(time.perf_counter() - started)
    return np.array(found)


def memory(process: int) -> float:
    """Memory of a process and its descendants in MB, shared pages in proportion."""
    total = 0
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process)], capture_output=True, text=True
    ).stdout.split()
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            total += int(line.split()[1]) / 1000
    return total + sum(memory(int(child)) for child in children if Path(f"/proc/{child}").exists())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default="en-small")
    parser.add_argument("--requests", type=int, default=200)
    arguments = parser.parse_args()
    paths = [u.path for u in read_manifest(arguments.manifest) if u.audio_filepath is not None]
    paths = paths[:48]
    recognizer = Recognizer.load(arguments.model)
    recognizer.warm_up()
    bodies = [form(path.read_bytes(), path.name) for path in paths]
    seconds = sum(soundfile.info(path).duration for path in paths)
    rate = recognizer.config.features.sample_rate
    with tempfile.TemporaryDirectory() as folder, served(arguments.model) as (port, process):
        clip = Path(folder, "clip.wav")
        samples = np.concatenate([read_audio(path, rate) for path in paths[:4]])[: 3 * rate]
        soundfile.write(clip, samples, rate, subtype="PCM_16")
        body, connection = form(clip.read_bytes(), "clip.wav"), connect(port)
        ratios, times = [], []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            results = dict(recognizer.transcribe_each(paths))
            inside = time.perf_counter() - started
            outside, texts = send_all(port, bodies, CLIENTS)
            expected = [getattr(results[i], "text", None) for i in range(len(paths))]
            assert texts == expected
            ratios.append(inside / outside)
            times.append((seconds / inside, seconds / outside))
        alone, served_ = [], []
        for _ in range(ROUNDS):
            alone.append(latencies(lambda: recognizer.transcribe(clip), 15))
            served_.append(latencies(lambda: ask(connection, body), 15))
        before = memory(process)
        broken = [b[: len(b) // 3] for b in bodies] + [form(b"RIFF" + bytes(99), "a.wav")] * 20
        mixed = [
            item for pair in zip(itertools.cycle(bodies), broken, strict=False) for item in pair
        ]
        send_all(port, list(itertools.islice(itertools.cycle(mixed), arguments.requests)), CLIENTS)
        after = memory(process)
    print(f"{len(paths)} recordings, {seconds:.0f} s of audio; all texts are equal")
    inside, outside = np.median(times, axis=0)
    print(
        f"throughput, {CLIENTS} clients: {outside:.1f} s of audio per second; in this process "
        f"{inside:.1f}; ratio {np.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    )
    for percent in (50, 95):
        a, b = (np.percentile(np.concatenate(x), percent) * 1000 for x in (alone, served_))
        per_round = [
            np.percentile(y, percent) / np.percentile(x, percent)
            for x, y in zip(alone, served_, strict=True)
        ]
        print(
            f"latency of 3 s, percentile {percent}: {b:.0f} ms; in this process {a:.0f} ms; "
            f"ratio {b / a:.2f} (median of rounds {np.median(per_round):.2f})"
        )
    print(
        f"memory of the server and its processes: {before:.0f} MB, after {arguments.requests} "
        f"requests, half of them broken, {after:.0f} MB"
    )


if __name__ == "__main__":
    main()
