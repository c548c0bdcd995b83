"""The commands `asr data prepare`, `check`, `export` and `pack`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from asr.base.progress import spinner
from asr.errors import ConfigError

data_app = typer.Typer(no_args_is_help=True, help="Prepare, check, export and pack training data.")


@data_app.command("prepare")
def prepare(
    corpus: Annotated[
        str,
        typer.Argument(
            help="name of the corpus (listed in data/README.md), or folder for recordings of your "
            "own with a manifest, or with a .txt file beside each; kaldi, lhotse or hf for a data "
            "directory of Kaldi, manifests of Lhotse or a dataset of Hugging Face on disk"
        ),
    ],
    source: Annotated[
        Path,
        typer.Option(
            help="folder where the corpus was unpacked; for lhotse also a file of cuts, for hf a "
            "Parquet file"
        ),
    ],
    out: Annotated[Path, typer.Option(help="folder for train.jsonl, dev.jsonl and test.jsonl")],
    language: Annotated[
        str,
        typer.Option(
            help="language of speech and texts, written to every line: an ISO 639 code, such as de",
            metavar="CODE",
            show_default="what the corpus says",
        ),
    ] = "",
    dev: Annotated[
        int,
        typer.Option(
            min=0,
            help="number of utterances to move from the train set to the dev set, evenly spread",
            metavar="N",
        ),
    ] = 0,
) -> None:
    """Write the manifests of a corpus."""
    from asr.data.corpora import prepare as write_manifests

    with spinner(f"preparing {corpus}"):
        prepared = write_manifests(corpus, source, out, language, dev)
    for line in prepared.skipped:
        typer.echo(f"left out: {line}", err=True)
    for split in ("train", "dev", "test"):
        if split in prepared.manifests:
            utterances, path = prepared.counts[split], prepared.manifests[split]
            typer.echo(f"{split}: {utterances} utterances, {path}")
        else:
            typer.echo(f"{split}: no utterances, no manifest")
    for hint in prepared.hints:
        typer.echo(f"warning: {hint}", err=True)


@data_app.command("check")
def check(
    manifests: Annotated[list[Path], typer.Argument(help=".jsonl manifests, and packs")],
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="check against the alphabet and the frame rate of this model",
            show_default="the letters of --language, 50 frames per second",
        ),
    ] = None,
    language: Annotated[
        str,
        typer.Option(
            help="language of the texts: an ISO 639 code, such as de. Its alphabet has the letters "
            "of the manifests whose name begins with train, or else of all. Not with --model",
            metavar="CODE",
            show_default="that of the manifests, else English",
        ),
    ] = "",
) -> None:
    """Check manifests and print their statistics.

    The exit status is 1 if there are errors.
    """
    from asr.audio.features import FeatureConfig
    from asr.data.manifest_check import check_manifests, read_manifests, tokenizer_for
    from asr.evaluation.report import check_text
    from asr.text.tokenizers import Tokenizer, describe_alphabet

    read = read_manifests(manifests)
    features, stride = FeatureConfig(), 2
    if model is None:
        tokenizer = tokenizer_for(read, language)
        if tokenizer.config.normaliser != "english":
            typer.echo(describe_alphabet(tokenizer))
    elif language:
        raise ConfigError("--language: not with --model, which has a language of its own")
    else:
        from asr.networks.model_directory import read_model

        _, config = read_model(model)
        features, tokenizer = config.features, Tokenizer(config.tokenizer)
        stride = config.acoustic.stride
    report = check_manifests(
        read,
        tokenizer.encode,
        lambda seconds: int(seconds * features.frames_per_second) // stride,
        tokenizer.language,
    )
    typer.echo(check_text(report))
    if any(finding.level == "error" for finding in report.findings):
        raise typer.Exit(1)


@data_app.command("export")
def export(
    manifests: Annotated[
        list[Path],
        typer.Argument(help=".jsonl manifests; the names of their files name the sets"),
    ],
    to: Annotated[
        str,
        typer.Option(
            help="toolkit: kaldi (a data directory per manifest), lhotse (recordings and "
            "supervisions) or hf (a dataset of Hugging Face with the audio inside)",
            metavar="NAME",
        ),
    ],
    out: Annotated[Path, typer.Option(help="folder to write; it must be new or empty")],
) -> None:
    """Write manifests for another toolkit. asr data prepare reads them back.

    Utterances that cannot be written are reported on stderr.
    """
    from asr.data.exports import export as write_sets

    with spinner(f"exporting to {to}"):
        exported = write_sets(to, manifests, out)
    for line in exported.skipped:
        typer.echo(f"left out: {line}", err=True)
    for name, count in exported.counts.items():
        typer.echo(f"{name}: {count} utterances")
    for note in exported.notes:
        typer.echo(f"warning: {note}", err=True)


@data_app.command("pack")
def pack(
    manifests: Annotated[list[Path], typer.Argument(help=".jsonl manifests, or packs")],
    out: Annotated[
        Path, typer.Option(help="folder of the pack: new, empty or from an interrupted run")
    ],
    content: Annotated[
        Literal["audio", "features"],
        typer.Option(
            help="audio (FLAC), or features (cepstra), which are smaller and faster to train on, "
            "but leave augment.copies nothing to perturb"
        ),
    ] = "audio",
    config: Annotated[
        Path | None,
        typer.Option(
            help="YAML file of the training whose settings of the features are used",
            show_default="the default features",
        ),
    ] = None,
    sample_rate: Annotated[
        int,
        typer.Option(
            min=0,
            help="resample recordings with a higher rate to this one, in Hz, so that no epoch has "
            "to; 0 for no resampling",
        ),
    ] = 0,
    shard_size: Annotated[
        int, typer.Option(min=1, help="size at which a shard ends, in MB", metavar="MB")
    ] = 256,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="number of recordings to read and encode at once",
            show_default="1; with --ray, the cluster decides",
        ),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            help="read and encode on a Ray cluster instead: auto, local, or HOST:PORT",
            show_default="this machine",
        ),
    ] = None,
) -> None:
    """Pack training data into shards: a few large files that training reads from start to end.

    A training's data.train and data.dev name the folder. Unusable recordings are left out and
    reported on stderr; the exit status is then 1. After an interruption, the same command goes on.
    """
    from asr.cli.program import resumable

    with resumable():
        from asr.audio.features import FeatureConfig
        from asr.data.packs.encoding import PackSettings
        from asr.data.packs.pack_writer import write_pack

        features = FeatureConfig()
        if config is not None:
            from asr.training.from_yaml import recognizer_features

            features = recognizer_features(config)
        settings = PackSettings(content, features, sample_rate, shard_size)
        if ray is not None and workers is not None:
            raise ConfigError("--workers: not with --ray: the cluster uses all its processors")
        if ray is None:
            packed = write_pack(manifests, out, settings, workers or 1)
        else:
            from asr.base.ray_cluster import import_ray, ray_cluster
            from asr.data.packs.encode_on_ray import EncodeOnRay

            engine = import_ray()
            with ray_cluster(engine, ray):
                packed = write_pack(manifests, out, settings, encode_all=EncodeOnRay(engine))
    for line in packed.failed:
        typer.echo(f"left out: {line}", err=True)
    typer.echo(
        f"{packed.utterances} utterances, {packed.hours:.2f} h, {packed.size / 1e6:.0f} MB in "
        f"{packed.shards} shards ({packed.kept} were there), {out}"
    )
    if packed.failed:
        raise typer.Exit(1)
