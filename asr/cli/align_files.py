"""`align_files`: what `asr align` does with one recording or a manifest."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from asr.audio.reading import read_audio
from asr.base.files import atomic_write, names_folder
from asr.base.progress import spinner, track
from asr.base.text_files import text_argument
from asr.batch.outputs import common_folder, result_names
from asr.data.manifest import Utterance, is_manifest, read_manifest
from asr.decoding.decoding_options import NO_LM, Decoding
from asr.errors import AsrError, ConfigError
from asr.formats.subtitles import Captions
from asr.formats.writers import Writer, find_writer, several
from asr.recognizer import load_recognizer
from asr.results import Transcript


def align_files(
    audio: str,
    text: str | None,
    model: str,
    format: str,
    channel: int | None = None,
    out: str | None = None,
    plot: Path | None = None,
    captions: Captions | None = None,
) -> bool:
    """Align one recording, or all recordings of a manifest, with their texts.

    Recordings of a manifest that cannot be aligned are reported on stderr and skipped.

    Args:
        audio: a recording, or a .jsonl manifest.
        text: text of the recording, or a text file with it; None for a manifest.
        model: shipped name or directory of a recogniser.
        format: output format, a key of `asr.formats.writers.WRITERS`.
        channel: the only channel to use, from 0; None mixes all channels.
        out: file for the result, or a folder if it exists as one or ends in /; for a manifest, a
            folder with one file per recording. None writes to stdout.
        plot: PNG file for a picture of the alignment; one recording only.
        captions: settings of subtitles.

    Returns:
        Whether all recordings were aligned.

    Raises:
        AsrError: an argument or the model is wrong, or the only recording cannot be aligned.
    """
    writer = find_writer(format, captions)
    if not is_manifest(audio):
        _align_recording(audio, text, model, writer, channel, out, plot)
        return True
    if text is not None or plot is not None:
        wrong = "a text" if text is not None else "--plot"
        raise ConfigError(f"{audio}: {wrong} is for one recording; a manifest has its own texts")
    if out is None and not writer.many:
        raise several(format)
    return _align_manifest(Path(audio), model, writer, channel, out)


def _align_recording(
    audio: str,
    text: str | None,
    model: str,
    writer: Writer,
    channel: int | None,
    out: str | None,
    plot: Path | None,
) -> None:
    content = _read_text(audio, text)
    recognizer = load_recognizer(model, Decoding(lm=NO_LM))
    with spinner(f"aligning {audio}"):
        transcript = recognizer.align(audio, content, channel=channel)
    _warn(transcript)
    target = None if out is None else Path(out)
    if target is not None and names_folder(str(out)):
        target = target / (Path(audio).stem + writer.suffix)
    _write(writer.write([transcript]), target)
    if plot is not None:
        from asr.evaluation import plots

        rate = recognizer.config.features.sample_rate
        samples = read_audio(Path(audio), rate, channel)
        plots.alignment(plot, samples, rate, transcript.words, Path(audio).name)


def _align_manifest(
    manifest: Path, model: str, writer: Writer, channel: int | None, out: str | None
) -> bool:
    utterances = read_manifest(manifest)
    recognizer = load_recognizer(model, Decoding(lm=NO_LM))
    failures = 0

    def aligned() -> Iterator[tuple[Utterance, Transcript]]:
        nonlocal failures
        for utterance in track(utterances, len(utterances), "aligning"):
            try:
                transcript = recognizer.align(utterance, utterance.text, channel=channel)
                _warn(transcript)
                yield utterance, transcript
            except AsrError as error:
                failures += 1
                print(f"failed: {error}", file=sys.stderr)

    if out is None:
        _write(writer.write(transcript for _, transcript in aligned()), None)
    else:
        paths = [u.result_path for u in utterances]
        names = result_names(paths, common_folder([], paths), writer.suffix)
        targets = dict(zip(paths, names, strict=True))
        for utterance, transcript in aligned():
            target = targets[utterance.result_path] + writer.suffix
            _write(writer.write([transcript]), Path(out) / target)
    print(f"{len(utterances)} recordings, {failures} failed", file=sys.stderr)
    return not failures


def _read_text(audio: str, text: str | None) -> str:
    if text is None:
        raise ConfigError(f"{audio}: give the text of the recording, or a .txt file with it")
    return text_argument(text)


def _warn(transcript: Transcript) -> None:
    for warning in transcript.warnings:
        print("warning: " + warning.replace("\n", "\\n"), file=sys.stderr)


def _write(pieces: Iterable[str], out: Path | None) -> None:
    if out is None:
        for piece in pieces:
            sys.stdout.write(piece)
        return
    with atomic_write(out) as file:
        file.writelines(pieces)
