"""`align`: where each word and token of a known text is said in a recording."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from asr import ctc
from asr.data.inputs import AudioLike, display_name, start_of
from asr.data.manifest import Utterance
from asr.decoding.confidence import (
    LOW_CONFIDENCE,
    aligned_word_confidence,
    alignment_confidence,
)
from asr.decoding.joined_emissions import JoinedEmissions
from asr.decoding.windowed_recording import WindowedRecording
from asr.errors import AsrError, TextError
from asr.networks.head_layout import HeadLayout
from asr.networks.model_directory import RecognizerConfig
from asr.results import Alignment, Token, Transcript, Word
from asr.text.languages import clearly_foreign_letters
from asr.text.tokenizers import Tokenizer
from asr.text.written_words import WrittenWord, written_words


class AligningRecognizer(Protocol):
    """The part of a `Recognizer` that `align` uses."""

    config: RecognizerConfig
    tokenizer: Tokenizer
    heads: HeadLayout

    def windowed_recordings(
        self,
        audio: Sequence[AudioLike],
        sample_rate: int | None,
        channel: int | None,
        joiner: Callable[[], Any],
    ) -> Iterator[tuple[int, WindowedRecording[Any] | AsrError]]: ...

    def widen_spikes(self, path: ctc.Path, levels: np.ndarray) -> ctc.Path: ...

    def transcript_of(
        self,
        path: ctc.Path,
        frames: int,
        duration: float,
        name: str | None,
        channel: int | None,
        offset: float,
    ) -> Transcript: ...


def align(
    recognizer: AligningRecognizer,
    audio: AudioLike,
    text: str,
    sample_rate: int | None = None,
    channel: int | None = None,
) -> Alignment:
    """See `Recognizer.align`."""
    name = audio.name if isinstance(audio, Utterance) else display_name(audio)
    shown, tokenizer = name or "samples", recognizer.tokenizer
    labels = tokenizer.encode(text, f"{shown}: text")
    if not labels:
        raise TextError(f"{shown}: the text to align is empty")
    warnings = [f"{shown}: {warning}" for warning in _foreign(text, tokenizer)]
    emissions = JoinedEmissions(tokenizer.space, recognizer.heads)
    ((_, recording),) = recognizer.windowed_recordings(
        [audio], sample_rate, channel, lambda: emissions
    )
    if isinstance(recording, AsrError):
        raise recording
    warnings += recording.warnings
    log_probabilities = emissions.finish()
    try:
        path = ctc.align(log_probabilities, labels)
    except TextError as error:
        raise TextError(f"{shown}: the text is too long for the recording: {error}") from None
    spans = tokenizer.word_spans(path.labels)
    fits = [aligned_word_confidence(path.scores[first:last]) for first, last in spans]
    confidence = alignment_confidence(fits, path, emissions.best_score, emissions.best_labels)
    if confidence < LOW_CONFIDENCE:
        warnings.append(
            f"{shown}: the text does not fit the recording: confidence "
            f"{confidence:.2f}, below {LOW_CONFIDENCE}; is it the right text?"
        )
    path = recognizer.widen_spikes(emissions.in_recording(path), recording.levels)
    frames = len(log_probabilities)
    duration = recording.samples / recognizer.config.features.sample_rate
    timed = recognizer.transcript_of(
        path, frames, duration, name, recording.channel, start_of(audio)
    )
    return Alignment(
        text=" ".join(text.split()),
        score=timed.score,
        duration=duration,
        tokens=timed.tokens,
        audio_filepath=display_name(audio),
        words=_as_written(text, path, timed.tokens, tokenizer),
        channel=recording.channel,
        offset=timed.offset,
        warnings=tuple(warnings),
        confidence=confidence,
    )


def _foreign(text: str, tokenizer: Tokenizer) -> list[str]:
    """A warning if the letters of a text are clearly not those of an English model."""
    foreign = clearly_foreign_letters([text]) if tokenizer.config.normaliser == "english" else None
    if foreign is None:
        return []
    lost = "lose their accents" if foreign.is_latin else "are of another script"
    return [
        f"the text is probably not English: {foreign.listed} {lost} for this English model; "
        "use a model of the text's language"
    ]


def _as_written(
    text: str, path: ctc.Path, tokens: Sequence[Token], tokenizer: Tokenizer
) -> tuple[Word, ...]:
    """The words of a text as they are written, with the times of its aligned labels."""
    spans = tokenizer.word_spans(path.labels)
    written = written_words(text, tokenizer.normalise)
    if sum(count for _, count in written) != len(spans):
        # The tokenizer has no spaces, or other words than the normaliser.
        written = [
            WrittenWord(tokenizer.decode(path.labels[first:last]), 1) for first, last in spans
        ]
    words = []
    at = 0
    for word, count in written:
        spoken = spans[at : at + count]
        at += count
        scores = [score for first, last in spoken for score in path.scores[first:last]]
        start, end = tokens[spoken[0][0]].start, tokens[spoken[-1][1] - 1].end
        words.append(Word(word, start, end, aligned_word_confidence(scores)))
    return tuple(words)
