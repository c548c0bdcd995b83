"""The commands `asr evaluate`, `asr tune`, `asr calibrate` and `asr evaluate-tts`."""

# Annotations must be types, not strings: typer reads them through `decoding_options`.

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asr.cli.options import (
    SINGLE_TEXT_OPTIONS,
    JsonOption,
    ModelArgument,
    ModelOption,
    RuntimeOption,
    decoding_options,
    picture_file,
)
from asr.errors import ConfigError
from asr.evaluation.judges.catalogue import ALL, JUDGES, load_judges

if TYPE_CHECKING:
    from asr.decoding.decoding_options import Decoding


@decoding_options(*SINGLE_TEXT_OPTIONS)
def evaluate(
    model: ModelArgument,
    manifest: Annotated[
        Path, typer.Argument(help=".jsonl manifest of recordings with reference texts")
    ],
    *,
    json: JsonOption = False,
    worst: Annotated[
        int,
        typer.Option(
            min=0, help="number of utterances with the most errors to print, word by word"
        ),
    ] = 5,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="PNG file for the reliability diagram: accuracy of words by their confidence",
            parser=picture_file,
            metavar="PATH",
            show_default="no diagram",
        ),
    ] = None,
    decoding: "Decoding",
    runtime: RuntimeOption = None,
) -> None:
    """Measure the error rates of a recogniser.

    Prints word and character error rate with a 95 % confidence interval, the kinds of errors, the
    real-time factor (RTF) and the worst utterances.
    """
    from asr.evaluation.error_rates import evaluate_manifest
    from asr.evaluation.report import evaluation_text

    result, record = evaluate_manifest(model, manifest, decoding, runtime or "onnx")
    if json:
        from json import dumps

        typer.echo(dumps(record))
    else:
        typer.echo(evaluation_text(result, worst))
    if plot is not None:
        from asr.evaluation.plots import reliability

        reliability(plot, result.judged, f"{record['model']}, {manifest}")
    if result.failures:
        raise typer.Exit(1)


@decoding_options("lm", "beam", "rnn_lm", "fusion")
def tune(
    model: ModelArgument,
    manifests: Annotated[
        list[Path],
        typer.Argument(
            help=".jsonl manifests of dev sets, which count the same; never of test sets"
        ),
    ],
    *,
    decoding: "Decoding",
    near: Annotated[
        bool,
        typer.Option(
            "--near",
            help="start from the present weights and change one at a time while the errors fall; "
            "default: search a grid",
        ),
    ] = False,
    save: Annotated[
        bool,
        typer.Option(
            "--save",
            help="make the best weights the default: write them next to the language model, or "
            "next to the recurrent one if --rnn-lm is given. Needs dev sets of 50 words or more",
        ),
    ] = False,
) -> None:
    """Search the language model weights with the lowest word error rate on dev sets."""
    from asr.evaluation import tuning

    if save:
        tuning.check_word_count(model, manifests)  # before the search, which takes minutes
    search = tuning.tune_near if near else tuning.tune
    trials = search(model, manifests, decoding)
    for trial in trials[:5]:
        w = trial.weights
        rnn = decoding.rnn_lm
        recurrent = f" --rnn-lm {rnn} --share {w.share}" if rnn else ""
        typer.echo(
            f"--beam {w.beam} --lm {decoding.lm or 'general'} --alpha {w.alpha} --beta {w.beta} "
            f"--unknown {w.unknown}{recurrent}, spelling {w.spelling}: {trial.wer:.2%}"
        )
    if save:
        typer.echo(f"saved: {tuning.save_best(trials, model, manifests, decoding)}")


@decoding_options("beam", "lm", "alpha", "beta", "unknown")
def calibrate(
    model: ModelArgument,
    manifests: Annotated[
        list[Path], typer.Argument(help=".jsonl manifests of dev sets, never of test sets")
    ],
    *,
    decoding: "Decoding",
) -> None:
    """Calibrate word confidences, so that they are probabilities.

    Writes calibration.json into the model directory. Decoding with a language model has a
    calibration of its own: run the command with --lm none and without. Recalibrate after every
    change of the weights.
    """
    from asr.evaluation.calibration import calibrate as fit

    curve, failures = fit(model, manifests, decoding)
    typer.echo(
        f"{curve.words} words; expected calibration error {curve.ece_before:.2%} before, "
        f"{curve.ece_after:.2%} after (cross-validated)"
    )
    for failure in failures:
        typer.echo(f"failed: {failure.error}", err=True)
    if failures:
        raise typer.Exit(1)


def evaluate_tts(
    manifest: Annotated[
        Path, typer.Argument(help=".jsonl manifest of the voice's speaker, with texts")
    ],
    voice: Annotated[
        str,
        typer.Option(
            help="voices, comma-separated: shipped names (see asr models) or model directories; "
            "NAME:SPEAKER if one has several speakers"
        ),
    ] = "en-kathleen",
    model: ModelOption = "en-small",
    lm: Annotated[
        str | None,
        typer.Option(
            help="language model of the recogniser: general, none, an ARPA file or its binary form",
            show_default="general, if the recogniser has one",
        ),
    ] = None,
    judges: Annotated[
        str,
        typer.Option(
            help="judges from outside beside --model, comma-separated: "
            f"{', '.join(JUDGES)}, or {ALL}",
            show_default="none",
        ),
    ] = "",
    peers: Annotated[
        str | None,
        typer.Option(
            help="other voices on the same sentences, comma-separated: flite, espeak-ng, kokoro "
            "(downloads 330 MB), or none",
            show_default="flite and espeak-ng where they are installed",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Measure how well voices are understood, and how natural they sound.

    Judges hear the texts as spoken by the voices, by the human speaker and by other voices. A
    recogniser transcribes them; --judges adds Whisper, PocketSphinx and predictors of naturalness.
    RTF is processor time of one thread per second of speech.
    """
    from asr.decoding.decoding_options import Decoding
    from asr.recognizer import load_recognizer

    recognizer = load_recognizer(model, Decoding(lm=lm))

    from asr.data.manifest import read_manifest
    from asr.evaluation.judges.listener import recognizer_listener
    from asr.evaluation.round_trip import (
        check_peers,
        installed_peers,
        round_trip,
        round_trip_record,
        round_trip_text,
    )
    from asr.tts.synthesizer import Synthesizer

    chosen = installed_peers() if peers is None else _names(peers)
    check_peers(chosen)
    utterances = read_manifest(manifest)
    voices = {name: Synthesizer.load(name, threads=1) for name in _names(voice)}
    if not voices:
        raise ConfigError("--voice: name a voice")
    panel = [recognizer_listener(recognizer), *load_judges(_names(judges))]
    result = round_trip(voices, panel, utterances, chosen)
    if json:
        from json import dumps

        typer.echo(dumps(round_trip_record(result, voices, recognizer, manifest)))
    else:
        typer.echo(round_trip_text(result))


def _names(listed: str) -> list[str]:
    """Names in a comma-separated list; "none" and "" are the empty list."""
    names = [name.strip() for name in listed.split(",")]
    return [] if names in ([""], ["none"]) else names
