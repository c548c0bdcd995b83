"""Random requests, valid and invalid, to a served model: does it stay up, and its memory constant?

    python benchmarks/served_fuzz.py [--requests 10000 --seed 1 --model en-small]

Half of the requests use REST, half gRPC; tests/server.py serves the exported model. A request is
valid or wrong in one way: a length beyond the samples or negative, values that are not finite,
batch sizes that differ, another rank or type, a missing or additional input, an unknown signature
or model. Valid requests must be answered, wrong ones refused with the right reason. Prints the
counts of both, and the server's resident memory after each tenth of the requests.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from serving import served

from asr.errors import ServerError
from asr.networks.model_directory import read_model
from asr.serving.client import Client, connect

REASONS = {
    "length beyond": r"a length is beyond the (samples|features)",
    "length negative": "a length is negative",
    "not finite": r"(samples|features) are not finite",
    "batch sizes": "(samples|features) and lengths differ in batch size",
    "rank": r"shape \[.*\] needed|inhomogeneous",
    "type": "needed, found|could not convert|invalid literal",
    "input missing": "needed",
    "input too many": "needed",
    "signature": "signature 'nonsense' is not in the model",
    "model": "Servable not found for request",
}
"""Kinds of wrong requests, and patterns of the reason that the answer must give."""


def make(rng: np.random.Generator, kind: str, coefficients: int) -> tuple[str, dict]:
    """The signature and the inputs of a random request of a kind."""
    signature = str(rng.choice(["serving_default", "logits", "features"]))
    name = "features" if signature == "features" else "samples"
    batch = int(rng.integers(1, 5))
    time = int(rng.integers(1, 120 if name == "features" else 12_000))
    shape = [batch, time, coefficients] if name == "features" else [batch, time]
    values = rng.normal(0, 0.2, shape).astype(np.float32)
    lengths = rng.integers(0, time + 1, batch).astype(np.int32)
    row = int(rng.integers(batch))
    if kind == "length beyond":
        lengths[row] = time + int(rng.integers(1, 1 << 30))
    elif kind == "length negative":
        lengths[row] = -int(rng.integers(1, 1 << 31))
    elif kind == "not finite":
        lengths[row] = time
        values[row, int(rng.integers(time))] = rng.choice([np.nan, np.inf, -np.inf])
    elif kind == "batch sizes":
        more = rng.integers(0, time + 1, int(rng.integers(1, 4))).astype(np.int32)
        lengths = np.concatenate([lengths, more])
    elif kind == "rank":
        values = values[0] if rng.integers(2) else values[None]
    inputs = {name: values, "lengths": lengths}
    if kind == "type":
        inputs[name] = values.astype(str)
    elif kind == "input missing":
        del inputs[str(rng.choice([name, "lengths"]))]
    elif kind == "input too many":
        inputs["extra"] = lengths
    elif kind == "signature":
        signature = "nonsense"
    return signature, inputs


def resident(process: int) -> float:
    """Resident memory of a process in MB."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", default="en-small")
    a = parser.parse_args()
    from asr.serving.savedmodel import export_recognizer

    config = read_model(a.model)[1]
    rng = np.random.default_rng(a.seed)
    kinds = ["valid"] * len(REASONS) + list(REASONS)
    counts: Counter[str] = Counter()
    memory = []
    with tempfile.TemporaryDirectory() as folder:
        export_recognizer(a.model, Path(folder))
        with served(Path(folder)) as (urls, process):
            clients: list[Client] = [connect(url, config.name) for url in urls.values()]
            strangers = [connect(url, "nobody") for url in urls.values()]
            for i in range(a.requests):
                kind = str(rng.choice(kinds))
                signature, inputs = make(rng, kind, config.features.coefficients)
                client = (strangers if kind == "model" else clients)[i % 2]
                try:
                    outputs = client.predict(signature, inputs)
                    rows = len(inputs["lengths"])
                    right = kind == "valid" and all(len(v) == rows for v in outputs.values())
                    outcome = "answered" if right else f"answered wrongly ({sorted(outputs)})"
                except ServerError as error:
                    right = kind != "valid" and re.search(REASONS[kind], str(error))
                    outcome = "refused" if right else f"refused wrongly ({error})"
                counts[f"{kind}: {outcome}"] += 1
                if (i + 1) % max(1, a.requests // 10) == 0:
                    memory.append(resident(process))
    print(f"{a.model}: {a.requests} requests, seed {a.seed}; the server stayed up")
    for outcome, count in sorted(counts.items()):
        print(f"  {outcome:28} {count}")
    print(f"resident after each tenth, MB: {', '.join(f'{m:.0f}' for m in memory)}")


if __name__ == "__main__":
    main()
