"""Training on workers that Ray starts: without Ray, with its errors, and on a real cluster."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from small_training import checkpoint, experiment, make_corpus

from asr.base.config import to_dict
from asr.errors import AsrError, ConfigError, TrainingError, WorkerLostError
from asr.training.train_on_ray import _finished_epochs_shown, _plain, train_on_ray
from asr.training.train_recognizer import train_recognizer

ROOT = Path(__file__).parents[2]


def config_file(folder: Path, strategy: str) -> Path:
    path = folder / "workers.yaml"
    path.write_text(yaml.safe_dump(to_dict(experiment(strategy))))
    return path


@pytest.mark.parametrize("strategy", ["none", "mirrored"])
def test_another_strategy_is_an_error(tmp_path: Path, strategy: str) -> None:
    with pytest.raises(ConfigError, match=f"training.strategy: {strategy}; --workers needs multi"):
        train_on_ray(config_file(tmp_path, strategy), tmp_path, tmp_path / "run", 2)


def test_no_worker_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--workers must be 1 or more, found 0"):
        train_on_ray(config_file(tmp_path, "multi_worker"), tmp_path, tmp_path / "run", 0)


def test_without_ray_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"--workers needs Ray .*keras-asr-toolkit\[scale\]"):
        train_on_ray(config_file(tmp_path, "multi_worker"), tmp_path, tmp_path / "run", 2)


LOST, WRONG = WorkerLostError("another worker has ended"), ConfigError("data.dev: missing")


@pytest.mark.parametrize(
    ("failures", "expected"),
    [
        ({0: LOST, 1: WRONG}, WRONG),
        ({1: SimpleNamespace(_base_exc=WRONG), 0: LOST}, WRONG),
        ({0: OSError("died"), 1: LOST}, LOST),
    ],
)
def test_a_workers_own_error_is_raised(failures: dict[int, Exception], expected: AsrError) -> None:
    error = Exception("a long traceback")
    error.worker_failures = failures  # type: ignore[attr-defined]
    assert _plain(error) is expected


def test_an_unexpected_end_is_said_in_one_line() -> None:
    error = Exception("first\n  second")
    assert str(_plain(error)) == (
        "a worker ended: first second; the same command resumes the training"
    )
    assert isinstance(_plain(error), TrainingError)


def test_only_epochs_that_end_now_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    history = tmp_path / "history.jsonl"
    rows = [json.dumps({"epoch": i, "loss": i, "seconds": 1}) + "\n" for i in (1, 2)]
    history.write_text(rows[0])
    with _finished_epochs_shown(history, 7):
        history.write_text("".join(rows))
    shown = capsys.readouterr().err
    assert "epoch 2/7  loss 2.000" in shown and "epoch 1/7" not in shown


@pytest.fixture
def command(tmp_path: Path, tone) -> list[str]:  # type: ignore[no-untyped-def]
    pytest.importorskip("ray.train.tensorflow", exc_type=ImportError)
    corpus = make_corpus(tmp_path / "data", tone)
    config = config_file(tmp_path, "multi_worker")
    return [
        *(sys.executable, "-m", "asr", "train", str(config), "--data", str(corpus)),
        *("--out", str(tmp_path / "run"), "--workers", "2", "--ray", "local"),
    ]


@pytest.mark.slow
def test_workers_of_ray_make_the_steps_of_one(command: list[str], tmp_path: Path) -> None:
    """Also after a worker was killed: the command ends with an error, and resumes."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    options = {"env": environment, "stderr": subprocess.PIPE, "text": True}
    first = subprocess.run([*command, "--max-steps", "3"], **options)  # type: ignore[call-overload]
    assert first.returncode == 0, first.stderr
    assert "epoch 1/3" in first.stderr
    killed = subprocess.Popen(command, **options)  # type: ignore[call-overload]
    history = tmp_path / "run" / "history.jsonl"
    while len(history.read_text().splitlines()) < 2:
        assert killed.poll() is None, killed.stderr.read()
        time.sleep(0.05)
    for pid in workers_of(killed.pid)[:1]:
        os.kill(pid, signal.SIGKILL)
    _, messages = killed.communicate()
    if len(history.read_text().splitlines()) < 3:  # it may have ended just before
        assert killed.returncode == 1 and "resume" in messages
    again = subprocess.run(command, **options)  # type: ignore[call-overload]
    assert again.returncode == 0, again.stderr
    train_recognizer(experiment("none"), tmp_path / "data", tmp_path / "one", say=lambda _: None)
    expected, found = checkpoint(tmp_path / "one"), checkpoint(tmp_path / "run")
    for key, array in expected.items():
        np.testing.assert_allclose(found[key], array, rtol=0, atol=1e-5, err_msg=key)


def workers_of(driver: int) -> list[int]:
    """Process ids of the workers of Ray Train below a command."""
    import psutil

    below = psutil.Process(driver).children(recursive=True)
    return [p.pid for p in below if any("RayTrainWorker" in part for part in p.cmdline())]
