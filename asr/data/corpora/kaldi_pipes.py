"""The pipes of wav.scp: which file a command reads, and which of its channels.

A pipe is a shell command in a file that somebody else wrote. It is never run. The usual commands
only decode a file; they are understood, and the file is read without them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from asr.data.corpora.common import ALL_CHANNELS
from asr.errors import ManifestError

CONTAINERS = frozenset(
    (
        "aiff",
        "aifc",
        "au",
        "caf",
        "flac",
        "m4a",
        "mp3",
        "ogg",
        "opus",
        "rf64",
        "sph",
        "vorbis",
        "wav",
    )
)
"""Formats whose files have a header; a program may name them beside the file."""
SHELL = re.compile(r"[`$\n]")
"""Characters that a shell replaces or that end a command, outside of single quotes."""
OPERATORS = "|&;<>()"
STAND_IN = {ord(c): 0xDC00 + ord(c) for c in OPERATORS}
"""Operator → a lone surrogate, which no text has."""
OPERATOR_OF = {stand_in: operator for operator, stand_in in STAND_IN.items()}
PAN = re.compile(r"pan=(?:mono|1c)\|c0=(.+)")
PAN_TERM = re.compile(r"(?:(\d*\.?\d+)\*)?c(\d+)")


@dataclass(frozen=True)
class PipedAudio:
    """What a pipe reads.

    Attributes:
        file: path of the recording, as the command has it.
        channels: the channels that the pipe keeps, counted from 0; `ALL_CHANNELS` for their mix;
            None if it keeps them apart.
    """

    file: str
    channels: tuple[int, ...] | None


class _Stage(NamedTuple):
    """What one command reads; "-" is the pipe from the command before."""

    file: str
    channels: tuple[int, ...] | None


def parse_pipe(command: str) -> PipedAudio:
    """Find the recording that a command of wav.scp decodes. Nothing is run.

    >>> parse_pipe("sph2pipe -f wav -p -c 2 'a b.sph' |")
    PipedAudio(file='a b.sph', channels=(1,))

    Args:
        command: commands with `|` between and behind them: cat, sph2pipe, flac, sox and ffmpeg,
            with options that change neither the length nor the loudness of the recording.

    Raises:
        ManifestError: the command does something else.
    """
    if SHELL.search(re.sub("'[^']*'", "", command.strip())):
        raise _refused(command, "it needs a shell")
    lexer = shlex.shlex(_without_quoted_operators(command), posix=True, punctuation_chars=OPERATORS)
    lexer.whitespace_split, lexer.commenters = True, ""
    stages: list[list[str]] = [[]]
    try:
        for word in lexer:
            if word == "|":
                stages.append([])
            elif set(word) <= set(OPERATORS):
                raise _refused(command, f"it has {word}")
            else:
                stages[-1].append(word.translate(OPERATOR_OF))
    except ValueError as error:
        raise _refused(command, str(error).lower()) from None
    if stages.pop() or not stages or not all(stages):
        raise _refused(command, "it must be one or more commands, each with | behind it")
    file, channels = "", None
    for number, (program, *arguments) in enumerate(stages):
        name = program.rpartition("/")[2]
        if name not in PROGRAMS:
            raise _refused(command, f"{name} is not one of {', '.join(PROGRAMS)}")
        try:
            stage = PROGRAMS[name](arguments)
        except ManifestError as error:
            raise _refused(command, f"{name}: {error}") from None
        except (ValueError, IndexError, StopIteration):
            raise _refused(command, f"{name}: arguments are missing or wrong") from None
        if (stage.file == "-") != (number > 0):
            raise _refused(command, f"{name} must read {'a file' if number == 0 else 'the pipe'}")
        if number == 0:
            file, channels = stage
        elif stage.channels is not None and channels is None:
            channels = stage.channels
        elif stage.channels not in (None, ALL_CHANNELS, (0,)):
            raise _refused(command, f"{name}: a command before it has chosen a channel")
    return PipedAudio(file, channels)


def _without_quoted_operators(command: str) -> str:
    """A command in which operators that are quoted, as in file names, have stand-ins.

    `shlex` does not tell them from others.
    """
    found, quote, escaped = [], "", False
    for character in command:
        quoted = bool(quote) or escaped
        found.append(character.translate(STAND_IN) if quoted else character)
        if escaped:
            escaped = False
        elif character == "\\" and quote != "'":
            escaped = True
        elif character == quote:
            quote = ""
        elif character in "'\"" and not quote:
            quote = character
    return "".join(found)


def _refused(command: str, why: str) -> ManifestError:
    return ManifestError(
        f"{command.strip()}: pipes are not run, and this one is not understood: {why}; write its "
        "output to a file, and the file's path into wav.scp"
    )


def _unknown(word: str) -> ManifestError:
    return ManifestError(f"{word} is not known to be harmless")


def _cat(arguments: Sequence[str]) -> _Stage:
    (file,) = arguments
    if file.startswith("-") and file != "-":
        raise _unknown(file)
    return _Stage(file, None)


def _flac(arguments: Sequence[str]) -> _Stage:
    files, letters = [], ""
    words = {"--decode": "d", "--stdout": "c", "--silent": "s", "--totally-silent": "s"}
    for word in arguments:
        if word in words or re.fullmatch("-[cdsfF]+", word):
            letters += words.get(word, word)
        elif word.startswith("-") and word != "-":
            raise _unknown(word)
        else:
            files.append(word)
    (file,) = files
    if "d" not in letters or ("c" not in letters and file != "-"):
        raise ManifestError("it must decode to the pipe (-c -d)")
    return _Stage(file, None)


def _sph2pipe(arguments: Sequence[str]) -> _Stage:
    files, channels = [], None
    words = iter(arguments)
    for word in words:
        if word == "-c":
            channels = (_channel(next(words)),)
        elif word == "-f":
            _expect(next(words), {"wav", "rif"})
        elif word.startswith("-") and word not in ("-", "-p"):
            raise _unknown(word)
        elif word != "-p":
            files.append(word)
    if files[1:] not in ([], ["-"]):
        raise _unknown(files[1])
    return _Stage(files[0], channels)


def _sox(arguments: Sequence[str]) -> _Stage:
    files: list[str] = []
    effects: list[str] = []
    channels: tuple[int, ...] | None = None
    words = iter(arguments)
    for word in words:
        if effects or (len(files) == 2 and not word.startswith("-")):
            effects.append(word)
        elif word == "-t":
            _expect(next(words).lower(), CONTAINERS)
        elif word == "-c" and files:  # of the output: 1 mixes the channels
            _expect(next(words), {"1"})
            channels = ALL_CHANNELS
        elif word in ("-r", "-b", "-e") and files:
            next(words)
        elif word.startswith("-") and word != "-":
            if not re.fullmatch("-q|-D|-R|-V[0-4]?|--no-show-progress", word):
                raise _unknown(word)
        else:
            files.append(word)
    file, output = files
    _expect(output, {"-"})
    rest = iter(effects)
    for effect in rest:
        if effect == "remix":
            mix = next(rest)
            if mix == "-":
                channels = ALL_CHANNELS
            else:
                channels = tuple(_channel(number) for number in mix.split(","))
        elif effect == "channels":
            _expect(next(rest), {"1"})
            channels = ALL_CHANNELS
        elif effect == "rate":
            while not re.fullmatch(r"\d+\.?\d*k?", value := next(rest)):
                if not re.fullmatch("-[qlmhvMILbs]+", value):
                    raise _unknown(value)
        else:
            raise _unknown(effect)
    return _Stage(file, channels)


def _ffmpeg(arguments: Sequence[str]) -> _Stage:
    file = output = ""
    channels: tuple[int, ...] | None = None
    words = iter(arguments)
    for word in words:
        if word in ("-nostdin", "-hide_banner", "-nostats", "-vn", "-sn", "-y"):
            continue
        if word == "-i":
            if file:
                raise ManifestError("it has two inputs")
            file = next(words)
        elif word in ("-v", "-loglevel", "-threads"):
            next(words)
        elif word == "-f":
            _expect(next(words), {"wav"} if file else CONTAINERS)
        elif word in ("-ar", "-acodec", "-c:a", "-codec:a", "-sample_fmt") and file:
            next(words)
        elif word == "-map" and file:
            _expect(next(words), {"0:a", "0:a:0", "0:0"})
        elif word == "-ac" and file:
            _expect(next(words), {"1"})
            channels = ALL_CHANNELS if channels is None else channels
        elif word == "-map_channel" and file:
            match = re.fullmatch(r"0\.0\.(\d+)", value := next(words))
            if match is None:
                raise _unknown(value)
            channels = (int(match[1]),)
        elif word in ("-af", "-filter:a") and file:
            channels = _pan(next(words))
        elif word.startswith("-") and word != "-":
            raise _unknown(word)
        elif output:
            raise ManifestError("it has two outputs")
        else:
            output = word
    _expect(output, {"-", "pipe:1", "pipe:", "/dev/stdout"})
    if not file:
        raise ManifestError("it has no input (-i)")
    return _Stage("-" if file in ("pipe:0", "pipe:", "/dev/stdin") else file, channels)


def _pan(value: str) -> tuple[int, ...]:
    """The channels that ffmpeg's filter pan mixes with the same weights."""
    match = PAN.fullmatch(value)
    terms = [PAN_TERM.fullmatch(term.strip()) for term in match[1].split("+")] if match else []
    found = [term for term in terms if term is not None]
    weights = [float(term[1] or 1) for term in found]
    same = weights and max(abs(weight * len(weights) - 1) for weight in weights) < 1e-3
    if len(found) < len(terms) or not same:
        raise _unknown(value)
    return tuple(int(term[2]) for term in found)


def _channel(number: str) -> int:
    """A channel counted from 1, as sox and sph2pipe do, counted from 0."""
    if not re.fullmatch("[1-9][0-9]*", number):
        raise _unknown(number)
    return int(number) - 1


def _expect(value: str, known: set[str] | frozenset[str]) -> None:
    if value not in known:
        raise _unknown(value)


PROGRAMS: dict[str, Callable[[Sequence[str]], _Stage]] = {
    "cat": _cat,
    "flac": _flac,
    "sph2pipe": _sph2pipe,
    "sox": _sox,
    "ffmpeg": _ffmpeg,
}
"""Programs whose commands are understood."""
