"""The `asr` command. Each command imports what it needs when it runs: `asr --help` is quick."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from asr.errors import AsrError

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)


@app.callback()
def options() -> None:
    """Speech to text that you can train, understand and ship."""


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="YAML file, as in pipelines/configs")],
    data: Annotated[Path, typer.Option(help="folder that the manifests' names start from")] = Path(
        "data"
    ),
    out: Annotated[Path | None, typer.Option(help="default: runs/NAME")] = None,
    max_steps: Annotated[int | None, typer.Option(help="stop after so many batches")] = None,
) -> None:
    """Train a recogniser; resumes by itself where --out was left."""
    from asr.config import load_yaml
    from asr.experiment import ExperimentConfig, train_recognizer
    from asr.progress import TrainingProgress

    experiment = load_yaml(ExperimentConfig, config)
    with TrainingProgress(experiment.training.epochs) as progress:
        model = train_recognizer(
            experiment, data, out or Path("runs") / experiment.name, max_steps, progress.update,
            progress.say,
        )  # fmt: skip
    typer.echo(model)


def main() -> Any:
    """Entry point: errors for people go to stderr without a traceback, with exit status 1."""
    try:
        return app()
    except AsrError as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        sys.exit(1)
