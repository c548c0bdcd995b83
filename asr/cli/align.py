"""`asr align`: recordings with their texts → when each word is said, in files."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from asr.audio.reading import read_audio
from asr.base.files import atomic_write
from asr.base.progress import track
from asr.batch.outputs import common_folder, result_names
from asr.data.manifest import Utterance, read_manifest
from asr.errors import AsrError, ConfigError, TextError, reason
from asr.formats.subtitles import Captions
from asr.formats.writers import find_writer, several
from asr.recognizer import load_recognizer
from asr.results import Transcript


def align_files(
    audio: str,
    text: str | None,
    model: str,
    format: str,
    channel: int | None = None,
    out: Path | None = None,
    plot: Path | None = None,
    captions: Captions | None = None,
) -> bool:
    """Align one recording or those of a manifest; True if none failed.

    Args:
        audio: a recording; or a .jsonl manifest, whose failures go to stderr and stop nothing.
        text: what the recording says, or a .txt file with it; None for a manifest.
        out: a file or a folder; for a manifest a folder, in which each recording has a file named
            after it. Default: stdout.
        plot: a picture of the one recording.

    Raises:
        AsrError: an argument, the model, or the one recording is wrong.
    """
    writer = find_writer(format, captions)
    if not audio.endswith(".jsonl"):
        spoken = _read_text(audio, text)
        recognizer = load_recognizer(model)
        transcript = recognizer.align(audio, spoken, channel=channel)
        if out is not None and out.is_dir():
            out = out / (Path(audio).stem + writer.suffix)
        _write(writer.write([transcript]), out)
        if plot is not None:
            from asr.evaluation import plots

            rate = recognizer.config.features.sample_rate
            samples = read_audio(Path(audio), rate, channel)
            plots.alignment(plot, samples, rate, transcript.words, Path(audio).name)
        return True
    if text is not None or plot is not None:
        what = "a text" if text is not None else "--plot"
        raise ConfigError(f"{audio}: a manifest has its own texts: {what} is for one recording")
    if out is None and not writer.many:
        raise several(format)
    utterances = read_manifest(Path(audio))
    recognizer = load_recognizer(model)
    failures = 0

    def aligned() -> Iterator[tuple[Utterance, Transcript]]:
        nonlocal failures
        for utterance in track(utterances, len(utterances), "aligning"):
            try:
                yield utterance, recognizer.align(utterance, utterance.text, channel=channel)
            except AsrError as error:
                failures += 1
                print(f"failed: {error}", file=sys.stderr)

    if out is None:
        _write(writer.write(transcript for _, transcript in aligned()), None)
    else:
        paths = [u.path for u in utterances]
        names = result_names(paths, common_folder([], paths), writer.suffix)
        targets = dict(zip(paths, names, strict=True))
        for utterance, transcript in aligned():
            _write(writer.write([transcript]), out / (targets[utterance.path] + writer.suffix))
    print(f"{len(utterances)} recordings, {failures} failed", file=sys.stderr)
    return not failures


def _read_text(audio: str, text: str | None) -> str:
    if text is None:
        raise ConfigError(f"{audio}: say what the recording says, as text or as a .txt file")
    if not text.endswith(".txt"):
        return text
    try:
        return Path(text).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TextError(f"{text}: cannot be read: {reason(error)}") from None


def _write(pieces: Iterable[str], out: Path | None) -> None:
    if out is None:
        for piece in pieces:
            sys.stdout.write(piece)
        return
    with atomic_write(out) as file:
        file.writelines(pieces)
