from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TextIO

import pytest
from conftest import FIXTURES

from asr.base.config import load_yaml, parse
from asr.data.manifest import Utterance, write_manifest
from asr.errors import AsrError, ConfigError, TrainingError
from asr.training import ablation
from asr.training.ablation import (
    AblationConfig,
    ErrorRates,
    Finding,
    ablate,
    finished,
    table,
)
from asr.training.from_yaml import train_from_yaml

ERRORS = (0.5, 0.4, 0.4, 0.6)
"""Dev errors of the epochs of a training; the weights of the third are kept."""
SHIPPED = sorted((Path(__file__).parents[2] / "pipelines" / "ablations").glob("*.yaml"))
TINY = {
    "base": {
        "data": {"train": ["train.jsonl"], "dev": ["train.jsonl"], "epoch_hours": 0.001},
        "acoustic": {"units": 4, "layers": 1, "stride": 4},
        "training": {"epochs": 2, "warmup_epochs": 1},
    },
    "tests": {"dev": {"manifest": "train.jsonl"}},
    "conditions": {
        "first": {},
        "+ masks": {"after": "first", "augment": {"time_masks": 3}, "training": {"epochs": 1}},
    },
}


def config(**changes: object) -> AblationConfig:
    return parse(AblationConfig, {**TINY, **changes}, "ablation.yaml")


def test_a_condition_changes_only_the_keys_that_it_names(tmp_path: Path) -> None:
    first, masks = config(seeds=[7]).runs(tmp_path)
    assert (first.config.name, first.seed, first.config.training.seed) == ("first", 7, 7)
    assert masks.config.initial_model == str(first.folder / "model")
    assert masks.config.augment.time_masks == 3
    assert masks.config.training.epochs == 1 and masks.config.training.warmup_epochs == 1
    assert masks.config.acoustic == first.config.acoustic
    assert masks.folder.name == "masks-7"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_ablations_are_valid(path: Path) -> None:
    runs = list(load_yaml(AblationConfig, path).runs(Path("runs")))
    assert len({run.folder for run in runs}) == len(runs) > 1


def test_a_condition_may_have_its_own_seeds(tmp_path: Path) -> None:
    conditions = {"a": {}, "b": {"seeds": [1, 2]}}
    runs = config(conditions=conditions).runs(tmp_path)
    assert [(r.condition, r.seed) for r in runs] == [("a", 1), ("b", 1), ("b", 2)]


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"a": {"after": "b"}, "b": {}}, "conditions: a: after 'b'"),
        ({"a": {}, "b": {"after": "a", "seeds": [2]}}, "conditions: b: after 'a': .* seed 2"),
        ({"a": {"augment": {"mask": 1}}}, "conditions: a: augment.mask: unknown key"),
    ],
)
def test_a_wrong_condition_is_named(
    tmp_path: Path, conditions: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        list(config(conditions=conditions).runs(tmp_path))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("manifest", "gone.jsonl"),
        ("decoding", {"lm": "gone.arpa"}),
        ("decoding", {"lexicon": "gone.txt"}),
        ("decoding", {"lm": "general", "rnn_lm": "gone/model"}),
    ],
)
def test_missing_files_are_named_before_the_training(
    tmp_path: Path, key: str, value: object
) -> None:
    (tmp_path / "train.jsonl").touch()
    wrong = config(tests={"dev": {"manifest": "train.jsonl", key: value}})
    with pytest.raises(ConfigError, match=rf"^tests\.dev\.{key}.*gone.* was tried, relative to"):
        ablate(wrong, tmp_path, tmp_path / "runs", jobs=1)
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_finished_conditions_are_kept_and_new_ones_are_trained(tmp_path: Path) -> None:
    utterance = Utterance("go forward ten meters", 2.8, audio_filepath=FIXTURES / "goforward.wav")
    write_manifest(tmp_path / "train.jsonl", [utterance] * 3)
    out = tmp_path / "runs"
    findings = ablate(config(), tmp_path, out, jobs=2)
    assert [(f.condition, f.seed) for f in findings] == [("first", 1), ("+ masks", 1)]
    first = json.loads((out / "first-1" / "model" / "model.json").read_text())["training"]["best"]
    assert findings[0].hours == pytest.approx(first["epoch"] * 0.001)
    assert findings[1].hours == pytest.approx((first["epoch"] + 1) * 0.001)
    scores = findings[0].scores["dev"]
    assert scores.cer > 0 and scores.wer > 0
    # A second call keeps the finished runs and trains the new condition.
    history = (out / "first-1" / "history.jsonl").stat().st_mtime_ns
    jitter = {"after": "first", "augment": {"jitter": 0.5}, "training": {"epochs": 1}}
    more = {**TINY["conditions"], "jitter": jitter}  # type: ignore[dict-item]
    again = ablate(config(conditions=more), tmp_path, out, jobs=1)
    assert again[:2] == findings and again[2].condition == "jitter"
    assert finished(config(), out) == findings
    (out / "first-1" / "finding.json").unlink()
    assert not finished(config(), out)  # without the first run, the hours of the second are unknown
    assert not finished(config(base={**TINY["base"], "label_smoothing": 0.1}), out)  # type: ignore[dict-item]
    assert (out / "first-1" / "history.jsonl").stat().st_mtime_ns == history


def test_a_failed_training_is_named_and_the_others_are_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def here(command: list[str], stdout: TextIO, stderr: TextIO) -> SimpleNamespace:
        """Train in this process, which has TensorFlow; slow tests start processes."""
        python, *module, config, _, data, _, out = command
        assert [python, *module] == [sys.executable, "-m", "asr", "train"]
        try:
            train_from_yaml(Path(config), Path(data), Path(out))
        except AsrError as error:
            stderr.write(str(error))
            return SimpleNamespace(returncode=1)
        rows = [{"epoch": i + 1, "error": e, "seconds": 60} for i, e in enumerate(ERRORS)]
        Path(out, "history.jsonl").write_text("\n".join(map(json.dumps, rows)))
        description = Path(out, "model", "model.json")
        model = json.loads(description.read_text())
        model["training"]["best"] = rows[2]
        description.write_text(json.dumps(model))
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(ablation, "subprocess", SimpleNamespace(run=here))
    utterance = Utterance("go forward ten meters", 2.8, audio_filepath=FIXTURES / "goforward.wav")
    write_manifest(tmp_path / "train.jsonl", [utterance])
    conditions = {
        "lost": {"data": {"train": ["gone.jsonl"]}},
        "found": {"training": {"epochs": 1, "threads": 0}},
    }
    with pytest.raises(TrainingError, match=r"lost: see .*lost-1/log\.txt"):
        ablate(config(conditions=conditions), tmp_path, tmp_path / "runs", jobs=1)
    assert "gone.jsonl" in (tmp_path / "runs" / "lost-1" / "log.txt").read_text()
    kept = json.loads((tmp_path / "runs" / "found-1" / "finding.json").read_text())
    assert kept["finding"]["condition"] == "found"
    # Minutes are of all epochs, hours of those up to the best, whose weights are kept.
    assert kept["finding"]["minutes"] == 4.0
    assert kept["finding"]["hours"] == pytest.approx(3 * 2.8 / 3600)


def test_the_table_has_means_and_ranges_over_the_seeds() -> None:
    def finding(name: str, seed: int, wer: float) -> Finding:
        return Finding(name, seed, 12.0, "abc", {"dev": ErrorRates(wer, wer / 2)}, 2.0 + seed)

    rows = table([finding("a", 1, 0.2), finding("a", 2, 0.3), finding("b", 1, 0.5)]).splitlines()
    assert rows[0] == "| condition | seeds | hours heard | minutes | dev WER | CER |"
    assert rows[2] == "| a | 1, 2 | 12.0 | 3.5 | 25.0% (20.0%–30.0%) | 12.5% (10.0%–15.0%) |"
    assert rows[3] == "| b | 1 | 12.0 | 3.0 | 50.0% | 25.0% |"
    assert rows[-1] == "trained at commit abc"
    assert table([]) == "nothing is finished yet"
