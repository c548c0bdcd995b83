"""The command `asr train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from asr.errors import ConfigError


def train(
    config: Annotated[
        list[Path],
        typer.Argument(
            help="YAML file; pipelines/configs has one for each shipped model. Several are trained "
            "one after the other"
        ),
    ],
    data: Annotated[
        Path, typer.Option(help="folder that the manifest names in the YAML file are relative to")
    ] = Path("data"),
    out: Annotated[
        Path | None,
        typer.Option(
            help="folder for checkpoints, curves and the model",
            show_default="runs/ and the model's name",
        ),
    ] = None,
    max_steps: Annotated[
        int | None,
        typer.Option(
            help="number of batches after which training pauses",
            show_default="train to the last epoch",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            help="workers of a Ray cluster that train together; needs training.strategy: "
            "multi_worker",
            show_default="this process",
        ),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            help="with --workers: auto, local, or HOST:PORT of the cluster", show_default="auto"
        ),
    ] = None,
) -> None:
    """Train the recogniser, voice, vocoder, converter or language model of a YAML file.

    After an interruption, the same command resumes from the last checkpoint in --out.
    """
    from asr.cli.program import resumable

    with resumable():
        if workers is None and ray is not None:
            raise ConfigError("--ray needs --workers: the number of workers that train together")
        if len(config) > 1:
            given = {"--out": out, "--max-steps": max_steps, "--workers": workers}
            if alone := [option for option, value in given.items() if value is not None]:
                raise ConfigError(f"{', '.join(alone)}: only for one YAML file")
            from asr.training.from_yaml import train_in_turn

            for model in train_in_turn(config, data):
                typer.echo(model)
        elif workers is None:
            from asr.training.from_yaml import train_from_yaml

            typer.echo(train_from_yaml(config[0], data, out, max_steps))
        else:
            from asr.training.train_on_ray import train_on_ray

            typer.echo(train_on_ray(config[0], data, out, workers, max_steps, ray or "auto"))
