"""Ablations: trainings that differ in one thing each, and a table of what each is worth."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pydantic.dataclasses
import yaml
from pydantic import TypeAdapter

from asr.base.config import STRICT, parse, to_dict
from asr.base.files import atomic_write
from asr.base.progress import track
from asr.decoding.decoder import Decoding
from asr.errors import ConfigError, TrainingError
from asr.evaluation.error_rates import evaluate_manifest
from asr.training.train_recognizer import ExperimentConfig

FINDING = "finding.json"
"""In a run's folder: its finding, with the hours of this run alone, and what it is of."""


@pydantic.dataclasses.dataclass(frozen=True, config=STRICT)
class Measurement:
    """A manifest that every model is measured on, and how."""

    manifest: str
    decoding: Decoding = Decoding()


@pydantic.dataclasses.dataclass(frozen=True, config=STRICT)
class AblationConfig:
    """A file of pipelines/ablations.

    base: an `ExperimentConfig` but for its name. conditions: by name, what each changes of it
    (keys below keys; lists are replaced whole); beside those, `after` names a condition of which
    the same seed's model is where it starts, and `seeds` has seeds of its own. tests: by the
    column's name.
    """

    base: dict[str, Any]
    conditions: dict[str, dict[str, Any]]
    tests: dict[str, Measurement]
    seeds: tuple[int, ...] = (1,)

    def runs(self, out: Path) -> Iterator[Run]:
        """Every condition with each of its seeds, behind the run that it starts from.

        Raises:
            ConfigError: a condition is none, or starts from a run that is not above it.
        """
        above: set[tuple[str, int]] = set()
        for name, changes in self.conditions.items():
            own = {k: v for k, v in changes.items() if k not in ("after", "seeds")}
            for seed in changes.get("seeds", self.seeds):
                values = _merged(self.base, own, {"name": name, "training": {"seed": seed}})
                start = changes.get("after")
                if start is not None:
                    if (start, seed) not in above:
                        what = f"after {start!r}: none above it has seed {seed}"
                        raise ConfigError(f"conditions: {name}: {what}")
                    values["initial_model"] = str(out / _slug(start, seed) / "model")
                config = parse(ExperimentConfig, values, f"conditions: {name}")
                above.add((name, seed))
                yield Run(name, seed, config, out / _slug(name, seed), start)


@dataclass(frozen=True)
class Run:
    """A training of an ablation."""

    condition: str
    seed: int
    config: ExperimentConfig
    folder: Path
    after: str | None = None


@dataclass(frozen=True)
class Finding:
    """What became of a run. hours: of speech that its weights have heard. scores: by test, WER and
    CER as fractions."""

    condition: str
    seed: int
    hours: float
    commit: str
    scores: dict[str, tuple[float, float]]


def ablate(config: AblationConfig, data: Path, out: Path, jobs: int) -> list[Finding]:
    """Train and measure all runs, `jobs` at a time; what `out` has already is kept, and a training
    that was stopped goes on.

    Args:
        data: the folder of all manifests.

    Raises:
        ConfigError: a condition is none.
        TrainingError: trainings that failed, with their logs; the others are done all the same.
    """
    runs = list(config.runs(out))
    started: dict[tuple[str, int], Future[None]] = {}
    with ThreadPoolExecutor(jobs) as pool:
        for run in runs:
            # A run is queued behind the one that it starts from: waiting for it cannot go on.
            before = started[run.after, run.seed] if run.after else None
            started[run.condition, run.seed] = pool.submit(_run, run, config.tests, data, before)
        for _ in track(as_completed(started.values()), len(runs), "trainings"):
            pass
    errors = [future.exception() for future in started.values()]
    wrong = [f"{name}: {e}" for (name, _), e in zip(started, errors, strict=True) if e is not None]
    if wrong:
        raise TrainingError("\n".join(wrong))
    return finished(config, out)


def finished(config: AblationConfig, out: Path) -> list[Finding]:
    """What `out` has of the runs so far; nothing is trained."""
    found: dict[tuple[str, int], Finding] = {}
    for run in config.runs(out):
        finding = _kept(run, _key(run, config.tests))
        before = found.get((run.after, run.seed)) if run.after else None
        if finding is not None and (before or not run.after):
            hours = finding.hours + (before.hours if before else 0.0)
            found[run.condition, run.seed] = replace(finding, hours=hours)
    return [*found.values()]


def table(findings: list[Finding]) -> str:
    """Markdown: a row a condition, its seeds' mean, and their range if there are several; and what
    code they were trained by."""
    if not findings:
        return "nothing is finished yet"
    tests = [*findings[0].scores]
    rows = ["| condition | seeds | hours heard |" + "".join(f" {t} WER | CER |" for t in tests)]
    rows.append("|---|---|---|" + "---|---|" * len(tests))
    for name in dict.fromkeys(f.condition for f in findings):
        same = [f for f in findings if f.condition == name]
        cells = [_cell([f.scores[t][i] for f in same]) for t, i in product(tests, (0, 1))]
        seeds = ", ".join(str(f.seed) for f in same)
        rows.append(f"| {name} | {seeds} | {same[0].hours:.1f} | {' | '.join(cells)} |")
    commits = ", ".join(sorted({f.commit for f in findings}))
    return "\n".join([*rows, "", f"trained at commit {commits}"])


def _cell(values: list[float]) -> str:
    text = f"{np.mean(values):.1%}"
    return f"{text} ({min(values):.1%}–{max(values):.1%})" if len(values) > 1 else text


def _run(
    run: Run, tests: Mapping[str, Measurement], data: Path, before: Future[None] | None
) -> None:
    """Train and measure a run, once `before` is done, and keep its finding."""
    if before is not None:
        before.result()
    key = _key(run, tests)
    if _kept(run, key) is not None:
        return
    run.folder.mkdir(parents=True, exist_ok=True)
    file = run.folder / "config.yaml"
    with atomic_write(file) as writing:
        yaml.safe_dump(to_dict(run.config), writing, sort_keys=False)
    # A process of its own: TensorFlow takes its threads and seeds once.
    command = [sys.executable, "-m", "asr", "train", str(file), "--data", str(data)]
    command += ["--out", str(run.folder)]
    with (run.folder / "log.txt").open("a") as log:
        if subprocess.run(command, stdout=log, stderr=log).returncode:
            raise TrainingError(f"see {run.folder / 'log.txt'}")
    record = json.loads((run.folder / "run.json").read_text())
    epochs = len((run.folder / "history.jsonl").read_text().splitlines())
    scores = {name: _score(run.folder / "model", test, data) for name, test in tests.items()}
    finding = Finding(
        run.condition, run.seed, record["train_hours"] * epochs, record["commit"], scores
    )
    with atomic_write(run.folder / FINDING) as writing:
        json.dump({"key": key, "finding": vars(finding)}, writing)


def _key(run: Run, tests: Mapping[str, Measurement]) -> str:
    """What has to be the same for a finding to be kept."""
    text = json.dumps([to_dict(run.config), {n: to_dict(t) for n, t in tests.items()}])
    return hashlib.sha256(text.encode()).hexdigest()


def _kept(run: Run, key: str) -> Finding | None:
    path = run.folder / FINDING
    if path.exists() and (found := json.loads(path.read_text()))["key"] == key:
        return TypeAdapter(Finding).validate_python(found["finding"])
    return None


def _score(model: Path, test: Measurement, data: Path) -> tuple[float, float]:
    result, _ = evaluate_manifest(str(model), data / test.manifest, test.decoding)
    return result.wer, result.cer


def _merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            both = isinstance(value, Mapping) and isinstance(found.get(key), Mapping)
            found[key] = _merged(found[key], value) if both else value
    return found


def _slug(condition: str, seed: int) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in condition).split()) + f"-{seed}"
