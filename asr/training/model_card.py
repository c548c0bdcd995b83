"""The model card: what a person should know before using a model, from what `model.json` says."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from asr.networks.model_directory import RecognizerConfig


def model_card(config: RecognizerConfig) -> str:
    """Markdown, written beside the weights."""
    training = config.training
    best = training.get("best", {})
    experiment = training.get("config", {})
    data = experiment.get("data", {})
    layer = ("Bi" if config.acoustic.bidirectional else "") + config.acoustic.cell.upper()

    heads = f"head over {config.tokenizer.kind}"
    if config.acoustic.phones:
        heads = f"heads over {config.tokenizer.kind} and phones"

    def manifests(part: str) -> str:
        digests = training.get("data_sha256", {})
        return "\n".join(
            f"- {name} (SHA-256 {digests.get(name, '')[:12]}…)" for name in data.get(part, [])
        )

    labelled = "".join(
        f"\n{count['utterances']} utterances of these manifests, {count['hours']:.2f} hours, "
        f"have texts by {teacher}.\n"
        for teacher, count in training.get("taught", {}).items()
    )

    return f"""# {config.name}

Recogniser of the `asr` toolkit:
{config.acoustic.layers} × {layer}({config.acoustic.units}) on MFCCs, CTC {heads}.

## Trained on

{training.get("train_utterances", 0)} utterances, {training.get("train_hours", 0.0):.2f} hours
an epoch (a manifest that is repeated counts as often):

{manifests("train")}
{labelled}
Settings and the epoch were chosen on:

{manifests("dev")}

## Made by

    {training.get("command", "")}

at commit {training.get("commit", "unknown")}, seed {training.get("seed")}.
Best on dev at epoch {best.get("epoch")}:
WER {best.get("dev_wer", math.nan):.2%}, CER {best.get("dev_cer", math.nan):.2%}.

## Configuration

```yaml
{yaml.safe_dump(experiment, sort_keys=False, allow_unicode=True).strip()}
```
"""
