"""Training on several workers: processes of this machine, and their parts of batches."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import FIXTURES
from no_augmentation import NO_AUGMENTATION
from small_training import checkpoint, experiment, make_corpus

from asr.audio.features import FeatureConfig
from asr.base.config import to_dict
from asr.data.manifest import Utterance
from asr.errors import ConfigError
from asr.networks.acoustic_config import AcousticConfig
from asr.text.tokenizers import Tokenizer, TokenizerConfig
from asr.training.speech_dataset import SpeechDataset
from asr.training.train_recognizer import train_recognizer
from asr.training.worker_place import WorkerPlace, find_place


def tf_config(cluster: dict[str, list[str]], kind: str, index: int) -> dict[str, str]:
    values = {"cluster": cluster, "task": {"type": kind, "index": index}}
    return {"TF_CONFIG": json.dumps(values)}


def test_the_place_is_that_of_tf_config() -> None:
    workers = {"worker": ["a:1", "b:1", "c:1"]}
    assert find_place(tf_config(workers, "worker", 2)) == WorkerPlace(2, 3)
    assert find_place(tf_config(workers, "worker", 0)).is_chief
    with_chief = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}
    assert find_place(tf_config(with_chief, "chief", 0)) == WorkerPlace(0, 3)
    assert find_place(tf_config(with_chief, "worker", 1)) == WorkerPlace(2, 3)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, 'multi_worker needs the environment variable TF_CONFIG: {"cluster": '),
        ({"TF_CONFIG": "{"}, "TF_CONFIG: JSONDecodeError: "),
        ({"TF_CONFIG": "{}"}, "TF_CONFIG: KeyError: 'cluster'; expected "),
        (tf_config({"worker": ["a:1"]}, "worker", 1), "has no task worker 1"),
        (tf_config({"worker": ["a:1"], "ps": ["b:1"]}, "worker", 0), "cluster has ps; there are"),
    ],
)
def test_a_wrong_tf_config_is_named(environment: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_place(environment)
    assert message in str(caught.value)


def test_the_parts_of_a_batch_add_up_to_it() -> None:
    """Also if a batch has fewer items than there are workers."""
    utterances = [Utterance("go", 2.8, FIXTURES / "goforward.wav") for _ in range(7)]
    parts = [
        SpeechDataset(
            utterances,
            Tokenizer(TokenizerConfig()),
            FeatureConfig(),
            AcousticConfig(),
            NO_AUGMENTATION,
            1,
            place=WorkerPlace(index, 3),
        )
        for index in range(3)
    ]
    plan = parts[0].plan(0, 5)
    assert sorted(len(batch) for batch in plan) == [2, 5]
    batches = zip(*(part.tf_dataset(0, 5).as_numpy_iterator() for part in parts), strict=True)
    for whole, of_workers in zip(plan, batches, strict=True):
        real = [i for b in of_workers for i, w in zip(b["indices"], b["weights"], strict=True) if w]
        assert sorted(real) == sorted(whole.tolist())
        weights = np.concatenate([b["weights"] for b in of_workers])
        assert set(weights.tolist()) <= {np.float32(1 / len(whole)).item(), 0.0}
        assert weights.sum() == pytest.approx(1)


@pytest.fixture
def corpus(tmp_path: Path, tone) -> Path:  # type: ignore[no-untyped-def]
    return make_corpus(tmp_path / "data", tone)


def free_ports(count: int) -> list[int]:
    """Ports that are free now, different from each other."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def start_workers(
    count: int, corpus: Path, out: Path, *options: str
) -> list[subprocess.Popen[str]]:
    """Start the real command on workers."""
    config = out.parent / "workers.yaml"
    config.write_text(yaml.safe_dump(to_dict(experiment("multi_worker"))))
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(count)]}
    command = [sys.executable, "-m", "asr", "train", str(config), "--data", str(corpus)]
    return [
        subprocess.Popen(
            [*command, "--out", str(out), *options],
            env={**os.environ, **tf_config(cluster, "worker", index)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(count)
    ]


def ended(workers: list[subprocess.Popen[str]]) -> list[str]:
    """Wait for workers, all of which must succeed; their messages."""
    results = [worker.communicate() for worker in workers]
    for worker, (_, err) in zip(workers, results, strict=True):
        assert worker.returncode == 0, err
    return [err for _, err in results]


@pytest.mark.slow
def test_two_workers_make_the_steps_of_one_and_resume_on_any_number(
    corpus: Path, tmp_path: Path
) -> None:
    """Five steps of 2 × 8 are those of 16, also if one worker goes on after three."""
    one = replace(experiment("multi_worker"), training=experiment("none").training)
    train_recognizer(one, corpus, tmp_path / "one", max_steps=5, say=lambda _: None)
    ended(start_workers(2, corpus, tmp_path / "two", "--max-steps", "5"))
    ended(start_workers(2, corpus, tmp_path / "other", "--max-steps", "3"))
    (messages,) = ended(start_workers(1, corpus, tmp_path / "other", "--max-steps", "2"))
    assert "resumed at epoch 2, batch 2" in messages
    expected = checkpoint(tmp_path / "one")
    for name in ("two", "other"):
        found = checkpoint(tmp_path / name)
        assert expected.keys() == found.keys()
        for key, array in expected.items():
            np.testing.assert_allclose(found[key], array, rtol=0, atol=1e-5, err_msg=key)
    record = json.loads((tmp_path / "two" / "run.json").read_text())
    assert record["workers"] == 2 and record["config"]["training"]["batch_size"] == 16
    histories = [
        json.loads((tmp_path / name / "history.jsonl").read_text().splitlines()[0])
        for name in ("one", "two", "other")
    ]
    for history in histories[1:]:
        for key in ("loss", "dev_wer", "dev_cer", "error"):
            assert history[key] == pytest.approx(histories[0][key], abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_without_a_worker_the_others_end_with_a_clear_error(
    corpus: Path, tmp_path: Path, killed: int
) -> None:
    out = tmp_path / "run"
    ended(start_workers(2, corpus, out, "--max-steps", "1"))
    workers = start_workers(2, corpus, out)
    while not (out / "history.jsonl").exists():
        assert all(worker.poll() is None for worker in workers), workers[0].communicate()
    workers[killed].kill()
    _, messages = workers[1 - killed].communicate()
    assert workers[1 - killed].returncode == 1
    assert "error: another worker has ended or cannot be reached" in messages
    assert "Start all workers again with the same command" in messages
    workers[killed].communicate()
    _, again = ended(start_workers(2, corpus, out)), (out / "history.jsonl").read_text()
    assert len(again.splitlines()) == 3
