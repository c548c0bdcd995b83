"""The commands `asr transcribe`, `asr listen` and `asr align`.

Each command imports what it needs when it runs, so that `asr --help` stays quick.
"""

# Annotations must be types, not strings: typer reads them through `decoding_options`.

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asr.base.files import output_file
from asr.cli.options import (
    CLUSTER,
    DECODING_OPTIONS,
    INPUT,
    OUTPUT,
    SINGLE_TEXT_OPTIONS,
    SPEED,
    ChannelOption,
    FormatOption,
    LineLengthOption,
    LinesOption,
    ModelOption,
    RuntimeOption,
    ServerOption,
    WrittenOption,
    captions_from,
    decoding_options,
    picture_file,
)
from asr.errors import ConfigError
from asr.formats.writers import WRITERS
from asr.models import DEFAULT_MODEL

if TYPE_CHECKING:
    from asr.decoding.decoding_options import Decoding


@decoding_options(*DECODING_OPTIONS)
def transcribe(
    paths: Annotated[
        list[str],
        typer.Argument(
            help="audio files, folders, glob patterns, a .jsonl manifest, or - to read audio or a "
            "list of files from stdin"
        ),
    ],
    *,
    model: ModelOption = DEFAULT_MODEL,
    channel: ChannelOption = None,
    split_channels: Annotated[
        bool,
        typer.Option(
            "--split-channels",
            help="transcribe each channel separately",
            rich_help_panel=INPUT,
        ),
    ] = False,
    format: Annotated[
        str | None,
        typer.Option(
            help=f"output format: {', '.join(WRITERS)}; with --ray jsonl or parquet",
            show_default="txt; with --ray, jsonl",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            help="file for all results, or folder with one file per recording (an existing folder "
            "or a name that ends in /)",
            show_default="stdout",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="skip recordings whose results in the --out folder are complete and up to date",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    errors: Annotated[
        Path | None,
        typer.Option(
            help="file for failures, one JSON object per line",
            parser=lambda name: output_file(name, "--errors"),
            metavar="PATH",
            show_default="errors.jsonl in the --out folder",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    written: WrittenOption = False,
    line_length: LineLengthOption = None,
    lines: LinesOption = None,
    decoding: "Decoding",
    workers: Annotated[
        int | None,
        typer.Option(
            help="number of processes that transcribe; each loads the model",
            show_default="1; with --ray, as many as the cluster has processors for",
            rich_help_panel=SPEED,
        ),
    ] = None,
    runtime: RuntimeOption = None,
    server: ServerOption = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="transcribe on a Ray cluster: auto (the one that this machine belongs to, or a "
            "new one on this machine), HOST:PORT or ray://HOST:PORT. PATHS and --out may be URIs "
            "such as s3://BUCKET/FOLDER, and Parquet files with a column of paths; --out gets "
            "result files part-*.jsonl or part-*.parquet (--format)",
            show_default="no cluster",
            rich_help_panel=CLUSTER,
        ),
    ] = None,
    worker_cpus: Annotated[
        float | None,
        typer.Option(
            help="processors of each worker on the cluster",
            show_default="1",
            rich_help_panel=CLUSTER,
        ),
    ] = None,
    shard_size: Annotated[
        int | None,
        typer.Option(
            help="recordings per result file on the cluster; --resume skips whole files",
            show_default="64",
            rich_help_panel=CLUSTER,
        ),
    ] = None,
) -> None:
    """Transcribe recordings.

    A recording that cannot be read is reported on stderr and skipped; the exit status is then 1.
    """
    if ray is None:
        if worker_cpus is not None or shard_size is not None:
            raise ConfigError("--worker-cpus and --shard-size: only with --ray")
        from asr.batch.processes import start_ahead

        # The workers import their modules while this process imports its own.
        start_ahead(workers or 1)
    from asr.batch.transcribe_files import BatchJob, transcribe_files
    from asr.batch.workers import Transcriber

    transcriber = Transcriber(
        model, decoding, channel, split_channels, runtime=runtime, server=server, written=written
    )
    captions = captions_from(line_length, lines)
    if ray is None:
        workers = 1 if workers is None else workers
        totals = transcribe_files(
            paths, BatchJob(transcriber, format or "txt", captions, out, workers, resume, errors)
        )
    else:
        from asr.batch.transcribe_on_ray import (
            SHARD_SIZE,
            WORKER_CPUS,
            RayJob,
            transcribe_on_ray,
        )

        if out is None:
            raise ConfigError("--ray needs --out: a folder that every machine has, or a URI")
        if errors is not None or captions is not None:
            raise ConfigError("--errors, --line-length and --lines: not with --ray")
        job = RayJob(
            transcriber,
            out,
            format or "jsonl",
            ray,
            workers,
            WORKER_CPUS if worker_cpus is None else worker_cpus,
            SHARD_SIZE if shard_size is None else shard_size,
            resume,
        )
        totals = transcribe_on_ray(paths, job)
    if totals.status:
        raise typer.Exit(totals.status)


@decoding_options(*SINGLE_TEXT_OPTIONS)
def listen(
    *,
    model: ModelOption = DEFAULT_MODEL,
    rate: Annotated[
        int,
        typer.Option(help="sample rate of the raw audio on stdin, in Hz", rich_help_panel=INPUT),
    ] = 16_000,
    encoding: Annotated[
        str,
        typer.Option(
            help="sample format of the raw audio on stdin: s16le or f32le", rich_help_panel=INPUT
        ),
    ] = "s16le",
    channels: Annotated[
        int,
        typer.Option(
            help="number of interleaved channels on stdin, which are mixed into one",
            rich_help_panel=INPUT,
        ),
    ] = 1,
    microphone: Annotated[
        bool,
        typer.Option(
            "--microphone",
            help="record from the default microphone instead of reading stdin; needs the Python "
            "library sounddevice",
            rich_help_panel=INPUT,
        ),
    ] = False,
    chunk: Annotated[
        float, typer.Option(help="interval between results, in seconds", rich_help_panel=OUTPUT)
    ] = 0.5,
    look_ahead: Annotated[
        float,
        typer.Option(help="delay before a word is final, in seconds", rich_help_panel=OUTPUT),
    ] = 2.0,
    json: Annotated[
        bool,
        typer.Option("--json", help="print one JSON object per result", rich_help_panel=OUTPUT),
    ] = False,
    decoding: "Decoding",
) -> None:
    """Transcribe live audio from stdin or a microphone. Ctrl-C ends it.

    Audio on stdin may have a header (WAV, FLAC, MP3, Ogg, …), or be raw samples.

    ffmpeg -i talk.mp3 -f s16le -ac 1 -ar 16000 - | asr listen
    """
    from asr.cli.live import listen as run
    from asr.cli.live import microphone_blocks, piped_audio, printer
    from asr.recognizer import load_recognizer

    if microphone:
        rate, blocks = microphone_blocks()
    elif sys.stdin.isatty():
        raise ConfigError("nothing to listen to: pipe audio into stdin, or give --microphone")
    else:
        rate, blocks = piped_audio(sys.stdin.buffer, rate, encoding, channels)
    recognizer = load_recognizer(model, decoding)
    recognizer.warm_up()
    run(recognizer.stream(chunk, look_ahead, rate), blocks, printer(sys.stdout, json))


def align(
    audio: Annotated[
        str, typer.Argument(help="a recording, or a .jsonl manifest of recordings with texts")
    ],
    text: Annotated[
        str | None,
        typer.Argument(
            help="text of the recording, or a text file with it (.txt, .md, …); leave out for a "
            "manifest",
            show_default=False,
        ),
    ] = None,
    model: ModelOption = "en-small",
    channel: ChannelOption = None,
    format: FormatOption = "TextGrid",
    out: Annotated[
        str | None,
        typer.Option(
            help="file for the result, or folder (an existing one or a name that ends in /); for a "
            "manifest, folder with one file per recording",
            metavar="PATH",
            show_default="stdout",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="PNG file for a picture of the words over the spectrogram; one recording only",
            parser=picture_file,
            metavar="PATH",
            show_default="no picture",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    line_length: LineLengthOption = None,
    lines: LinesOption = None,
) -> None:
    """Find when each word and character of a known text is spoken."""
    from asr.cli.align_files import align_files

    captions = captions_from(line_length, lines)
    if not align_files(audio, text, model, format, channel, out, plot, captions):
        raise typer.Exit(1)
