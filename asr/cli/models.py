"""The commands `asr export` and `asr models`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from asr.base.progress import spinner
from asr.cli.options import JsonOption, ModelArgument

ExportFormat = Literal["savedmodel", "onnx", "onnx-int8"]


def export(
    model: ModelArgument,
    out: Annotated[Path, typer.Argument(help="folder of exported models")],
    format: Annotated[
        ExportFormat,
        typer.Option(
            help="savedmodel for TensorFlow Serving; onnx: the network only, from features to "
            "logits; onnx-int8: half the size, slightly less accurate"
        ),
    ] = "savedmodel",
) -> None:
    """Export a model for TensorFlow Serving or for ONNX Runtime.

    Writes a SavedModel to OUT/NAME/VERSION, or an ONNX file to OUT/NAME.onnx.
    """
    with spinner(f"exporting {model}"):
        if format == "savedmodel":
            from asr.serving.voice_savedmodel import export_model

            exported = export_model(model, out)
        else:
            from asr.networks.onnx_model import export_onnx

            exported = export_onnx(model, out, int8=format == "onnx-int8")
    typer.echo(exported)


def models(json: JsonOption = False) -> None:
    """List the shipped models with kind, language, size and licence."""
    from asr.models import shipped_models

    found = shipped_models()
    if json:
        from dataclasses import asdict
        from json import dumps

        typer.echo(dumps([asdict(model) for model in found], ensure_ascii=False, indent=2))
        return
    rows = [("NAME", "KIND", "LANGUAGE", "SIZE", "LICENCE")]
    rows += [(m.name, m.kind, m.language, f"{m.bytes / 1e6:.1f} MB", m.licence) for m in found]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())
