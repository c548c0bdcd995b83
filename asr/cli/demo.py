"""`make demo`: real recordings from a public registry, transcribed beside their references."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from asr.audio.reading import read_audio
from asr.base.downloads import run as _run
from asr.data.corpora import prepare
from asr.data.manifest import Utterance, read_manifest
from asr.decoding.decoder import Decoding
from asr.errors import AsrError
from asr.evaluation import plots
from asr.evaluation.error_rates import Evaluation, evaluate
from asr.recognizer import Recognizer, load_recognizer

SPHINX = "pocketsphinx==5.1.1"
SENTENCE = "The boat was ready, and the wind was in the west."
PROMPTS = ("asterisk-core-sounds-en-wav", "asterisk-core-sounds-en")


def fetch_pocketsphinx(folder: Path) -> list[Utterance]:
    """Test recordings in the source archive of a Python package; read by strangers to the model."""
    archives = folder / "pocketsphinx"
    # pip asks the registry even for what is there; apt-get does not.
    if not any(archives.glob("*.tar.gz")):
        _run(
            sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
            "--disable-pip-version-check", "--no-binary", "pocketsphinx",
            "--dest", str(archives), SPHINX,
        )  # fmt: skip
    for archive in archives.glob("*.tar.gz"):
        with tarfile.open(archive) as file:
            file.extractall(archives, filter="data")
    return read_manifest(
        prepare("pocketsphinx", archives, folder / "manifests" / "pocketsphinx").manifests["test"]
    )


def fetch_asterisk(folder: Path) -> list[Utterance]:
    """Telephone prompts in Debian packages: every tenth, which the model was not trained on."""
    packages = (folder / "asterisk").resolve()
    packages.mkdir(parents=True, exist_ok=True)
    _run("apt-get", "download", "--quiet=2", *PROMPTS, cwd=packages)
    for package in packages.glob("*.deb"):
        _run("dpkg", "--extract", str(package), str(packages / "root"))
    return read_manifest(
        prepare("asterisk", packages / "root", folder / "manifests" / "asterisk").manifests["test"]
    )


SOURCES = {
    "Asterisk prompts (a voice it knows, recordings it does not)": fetch_asterisk,
    "pocketsphinx's test recordings (voices it does not know)": fetch_pocketsphinx,
}


def run(folder: Path, fallback: Utterance, show: int = 12) -> Path:
    """Fetch, transcribe, print, draw; returns the picture's path.

    Args:
        folder: cache for what is downloaded, and place of the picture.
        fallback: transcribed where nothing can be downloaded.
        show: most recordings of a source to print; all are scored.
    """
    console = Console()
    found: dict[str, list[Utterance]] = {}
    for title, fetch in SOURCES.items():
        with console.status(f"getting {title}"):
            try:
                found[title] = fetch(folder)
            except (AsrError, OSError, subprocess.SubprocessError, tarfile.TarError) as error:
                console.print(f"not available here: {title}: {_reason(error)}", markup=False)
    if not found:
        console.print("nothing could be downloaded: transcribing the recording of the tests")
        found = {"the recording of the tests": [fallback]}
    recognizer = load_recognizer("en-small")
    with console.status("reading the language model"):
        informed = load_recognizer("en-small", Decoding(lm="general"))
    ways = {"by sound alone": recognizer, "with a language model": informed}
    for way in ways.values():
        way.warm_up()
    for title, utterances in found.items():
        results = {name: _evaluate(console, way, utterances) for name, way in ways.items()}
        _print(console, title, results, show)
    _speak(console, informed, folder / "speech.wav")
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
    # Some from the whole list, and the same every time.
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
    """Say a sentence, and let the recogniser write down what it hears."""
    from asr.tts.speak import speak_to_file
    from asr.tts.synthesizer import Synthesizer

    said = speak_to_file(Synthesizer.load("en-kathleen"), SENTENCE, path, rate=1.0, pitch=0.0)
    console.print(f"said ({said.duration:.1f} s, {path}): {SENTENCE}")
    console.print(f"heard: {recognizer.transcribe(path).text}\n")


def _draw(recognizer: Recognizer, utterances: Sequence[Utterance], path: Path) -> Path:
    # A recording of a few seconds fills a picture without crowding it.
    clip = min(utterances, key=lambda u: abs(u.duration - 2.5))
    config = recognizer.config.features
    posteriors, seconds = recognizer.posteriors(clip)
    plots.recording(
        path,
        samples=read_audio(clip.path, config.sample_rate),
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
    if isinstance(error, subprocess.CalledProcessError):
        lines = [line for line in (error.stderr or "").splitlines() if line.strip()]
        return lines[-1] if lines else f"{error.cmd[0]} ended with {error.returncode}"
    return str(error)
