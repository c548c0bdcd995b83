"""Ablations: train recognisers that differ in one setting each, and tabulate their error rates."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pydantic.dataclasses
import yaml
from pydantic import TypeAdapter

from asr.base.config import STRICT, parse, to_dict
from asr.base.files import atomic_write
from asr.base.progress import track
from asr.decoding.decoding_options import GENERAL, NO_LM, Decoding
from asr.errors import ConfigError, TrainingError
from asr.evaluation.error_rates import evaluate_manifest
from asr.networks.model_directory import read_model
from asr.training.config_paths import data_files, model_folder, working_file
from asr.training.train_recognizer import RecognizerExperimentConfig
from asr.training.trainer import HISTORY

FINDING_FILE = "finding.json"
"""File in a run's folder with its finding and the key of `_key`. Its hours are of this run alone,
without the runs that it starts from."""


@pydantic.dataclasses.dataclass(frozen=True, config=STRICT)
class Measurement:
    """A manifest that every trained model is evaluated on."""

    manifest: str
    """The manifest, relative to the data folder. Required."""
    decoding: Decoding = Decoding()
    """How the models decode it. Its paths are relative to the working directory. Default: with
    the language model of their own, or greedily without one."""

    def check_files(self, key: str, data: Path) -> None:
        """Check that all files exist, before hours of training.

        Args:
            key: the test's key, for errors.
            data: the data folder.

        Raises:
            ConfigError: a file or the recurrent language model does not exist.
        """
        data_files(f"{key}.manifest", [self.manifest], data)
        decoding = self.decoding
        if decoding.lm is not None and decoding.lm not in (GENERAL, NO_LM):
            working_file(f"{key}.decoding.lm", decoding.lm)
        if decoding.lexicon is not None:
            working_file(f"{key}.decoding.lexicon", decoding.lexicon)
        if decoding.rnn_lm is not None:
            model_folder(f"{key}.decoding.rnn_lm", decoding.rnn_lm)


@pydantic.dataclasses.dataclass(frozen=True, config=STRICT)
class AblationConfig:
    """The YAML file of an ablation, such as pipelines/ablations/labels.yaml."""

    base: dict[str, Any]
    """A `RecognizerExperimentConfig` without its name. Required."""
    conditions: dict[str, dict[str, Any]]
    """Condition name → its changes of `base`, as nested keys; a list replaces the whole list.
    Two keys are special: `after` names an earlier condition, and each run starts from the model of
    that condition with the same seed; `seeds` replaces the file's `seeds`. Required."""
    tests: dict[str, Measurement]
    """Column title of the table → what the models are evaluated on. Required."""
    seeds: tuple[int, ...] = (1,)
    """Seeds that every condition is trained with. Default: 1."""

    def runs(self, out: Path) -> Iterator[AblationRun]:
        """Every condition with each of its seeds, after the run that it starts from.

        Args:
            out: folder of the ablation; each run has a folder in it.

        Raises:
            ConfigError: a condition has a wrong key, or starts from a run that is not above it.
        """
        above: set[tuple[str, int]] = set()
        for name, changes in self.conditions.items():
            own = {k: v for k, v in changes.items() if k not in ("after", "seeds")}
            for seed in changes.get("seeds", self.seeds):
                values = _merged(self.base, own, {"name": name, "training": {"seed": seed}})
                start = changes.get("after")
                if start is not None:
                    if (start, seed) not in above:
                        raise ConfigError(
                            f"conditions: {name}: after {start!r}: no condition of this name and "
                            f"with seed {seed} is above it"
                        )
                    values["initial_model"] = str(out / _slug(start, seed) / "model")
                config = parse(RecognizerExperimentConfig, values, f"conditions: {name}")
                above.add((name, seed))
                yield AblationRun(name, seed, config, out / _slug(name, seed), start)


@dataclass(frozen=True)
class AblationRun:
    """One training: a condition with one seed.

    Attributes:
        condition: its name.
        seed: the seed of the training.
        config: what is trained.
        folder: where it is trained.
        after: the condition whose model it starts from; None for random weights.
    """

    condition: str
    seed: int
    config: RecognizerExperimentConfig
    folder: Path
    after: str | None = None


class ErrorRates(NamedTuple):
    """Word and character error rate, as fractions."""

    wer: float
    cer: float


@dataclass(frozen=True)
class Finding:
    """The result of a run.

    Attributes:
        condition, seed: which run.
        hours: hours of speech that the weights were trained on, including the runs before it. The
            weights are those of the best epoch, which may not be the last.
        commit: the code's commit at the training.
        scores: column title → error rates.
        minutes: how long the training of this run alone took, without the reading of data and the
            evaluations. After an interruption, the part of the epoch before it is missing.
            Trainings at the same time slow each other down.
    """

    condition: str
    seed: int
    hours: float
    commit: str
    scores: dict[str, ErrorRates]
    minutes: float


def ablate(config: AblationConfig, data: Path, out: Path, jobs: int) -> list[Finding]:
    """Train and evaluate all runs.

    Finished runs in `out` are kept, and stopped trainings continue.

    Args:
        config: the conditions and tests.
        data: folder that the manifests' paths are relative to.
        out: folder of the ablation.
        jobs: trainings at the same time, each in a process of its own.

    Returns:
        The findings in the order of the runs.

    Raises:
        ConfigError: a condition is wrong, or a file of `tests` does not exist.
        TrainingError: some trainings failed; the message names their logs. The others are finished.
    """
    for title, test in config.tests.items():
        test.check_files(f"tests.{title}", data)
    runs = list(config.runs(out))
    started: dict[tuple[str, int], Future[None]] = {}
    with ThreadPoolExecutor(jobs) as pool:
        for run in runs:
            # The run that it starts from is earlier in the queue, so that waiting for it ends.
            before = started[run.after, run.seed] if run.after else None
            started[run.condition, run.seed] = pool.submit(_run, run, config.tests, data, before)
        for _ in track(as_completed(started.values()), len(runs), "trainings"):
            pass
    errors = [future.exception() for future in started.values()]
    failed = [f"{name}: {e}" for (name, _), e in zip(started, errors, strict=True) if e is not None]
    if failed:
        raise TrainingError("\n".join(failed))
    return finished(config, out)


def finished(config: AblationConfig, out: Path) -> list[Finding]:
    """The findings that `out` has so far, without training.

    A run's finding is left out if the run that it starts from has none, because its hours would be
    incomplete.
    """
    found: dict[tuple[str, int], Finding] = {}
    for run in config.runs(out):
        finding = _kept(run, _key(run, config.tests))
        before = found.get((run.after, run.seed)) if run.after else None
        if finding is not None and (before or not run.after):
            hours = finding.hours + (before.hours if before else 0.0)
            found[run.condition, run.seed] = replace(finding, hours=hours)
    return [*found.values()]


def table(findings: list[Finding]) -> str:
    """A Markdown table with a row per condition, and the commits of the code.

    All figures are means over the seeds, error rates with the range if there are several seeds.
    Minutes are of the last run alone.
    """
    if not findings:
        return "nothing is finished yet"
    tests = [*findings[0].scores]
    rows = ["| condition | seeds | hours heard | minutes |"]
    rows[0] += "".join(f" {t} WER | CER |" for t in tests)
    rows.append("|---|---|---|---|" + "---|---|" * len(tests))
    for name in dict.fromkeys(f.condition for f in findings):
        same = [f for f in findings if f.condition == name]
        cells = []
        for test in tests:
            cells.append(_cell([f.scores[test].wer for f in same]))
            cells.append(_cell([f.scores[test].cer for f in same]))
        seeds = ", ".join(str(f.seed) for f in same)
        hours, minutes = np.mean([f.hours for f in same]), np.mean([f.minutes for f in same])
        heard = f"{hours:.1f} | {minutes:.1f}"
        rows.append(f"| {name} | {seeds} | {heard} | {' | '.join(cells)} |")
    commits = ", ".join(sorted({f.commit for f in findings}))
    return "\n".join([*rows, "", f"trained at commit {commits}"])


def _cell(values: list[float]) -> str:
    text = f"{np.mean(values):.1%}"
    return f"{text} ({min(values):.1%}–{max(values):.1%})" if len(values) > 1 else text


def _run(
    run: AblationRun, tests: Mapping[str, Measurement], data: Path, before: Future[None] | None
) -> None:
    """Train and evaluate a run after `before`, and write its finding."""
    if before is not None:
        before.result()
    key = _key(run, tests)
    if _kept(run, key) is not None:
        return
    run.folder.mkdir(parents=True, exist_ok=True)
    file = run.folder / "config.yaml"
    with atomic_write(file) as writing:
        yaml.safe_dump(to_dict(run.config), writing, sort_keys=False)
    # TensorFlow takes its number of threads once per process.
    command = [sys.executable, "-m", "asr", "train", str(file), "--data", str(data)]
    command += ["--out", str(run.folder)]
    with (run.folder / "log.txt").open("a") as log:
        if subprocess.run(command, stdout=log, stderr=log).returncode:
            raise TrainingError(f"see {run.folder / 'log.txt'}")
    record = json.loads((run.folder / "run.json").read_text())
    epochs = [json.loads(line) for line in (run.folder / HISTORY).read_text().splitlines()]
    kept = read_model(run.folder / "model")[1].training["best"]
    scores = {name: _score(run.folder / "model", test, data) for name, test in tests.items()}
    finding = Finding(
        run.condition,
        run.seed,
        record["train_hours"] * kept["epoch"],
        record["commit"],
        scores,
        sum(epoch["seconds"] for epoch in epochs) / 60,
    )
    with atomic_write(run.folder / FINDING_FILE) as writing:
        json.dump({"key": key, "finding": vars(finding)}, writing)


def _key(run: AblationRun, tests: Mapping[str, Measurement]) -> str:
    """Digest of the configuration. A finding with another key is of other settings."""
    text = json.dumps([to_dict(run.config), {n: to_dict(t) for n, t in tests.items()}])
    return hashlib.sha256(text.encode()).hexdigest()


def _kept(run: AblationRun, key: str) -> Finding | None:
    path = run.folder / FINDING_FILE
    if path.exists() and (found := json.loads(path.read_text()))["key"] == key:
        return TypeAdapter(Finding).validate_python(found["finding"])
    return None


def _score(model: Path, test: Measurement, data: Path) -> ErrorRates:
    result, _ = evaluate_manifest(str(model), data / test.manifest, test.decoding)
    return ErrorRates(result.wer, result.cer)


def _merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """One configuration out of several; later ones win, and nested keys are merged."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
            result[key] = _merged(result[key], value) if both else value
    return result


def _slug(condition: str, seed: int) -> str:
    """Folder name of a run: the letters and digits of the condition, and the seed."""
    return "-".join("".join(c if c.isalnum() else " " for c in condition).split()) + f"-{seed}"
