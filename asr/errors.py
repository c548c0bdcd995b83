"""Errors that a user can cause: each message has the file or key, the cause, and a remedy."""

from __future__ import annotations

import os


class AsrError(Exception):
    """Base class of all errors of this package; the command line prints them without traceback."""


class AudioError(AsrError):
    """A recording cannot be read or used; the message names the file."""


class AsrWarning(UserWarning):
    """Something is wrong although there is a result; the message names the file."""


class AudioWarning(AsrWarning):
    """A recording can be used, but something is wrong with it; the message names the file."""


class ManifestError(AsrError):
    """A manifest or a corpus cannot be used; the message names the file and the line."""


class TextError(AsrError):
    """A text has characters outside the alphabet, or more labels than its audio has frames."""


class ConfigError(AsrError):
    """A configuration key is unknown, missing or invalid; the message names the key."""


class ModelError(AsrError):
    """A model directory is incomplete, or its files do not fit each other."""


class TrainingError(AsrError):
    """A training cannot continue, as after a non-finite loss; the message names the files."""


class WorkerLostError(TrainingError):
    """Another worker of the same training has ended, or cannot be reached."""


class OutputError(AsrError):
    """A result cannot be written; the message names the file and says how much is done."""


class PackageError(AsrError):
    """A package cannot be downloaded, or has another checksum; the message names its archive."""


class WorkerError(AsrError):
    """All worker processes have died; the message says how."""


class ServerError(AsrError):
    """A model server cannot be reached, or refuses a request; the message has its address."""


def reason(error: Exception) -> str:
    """Describe an error without its file name, for a message that names the file already."""
    return str((isinstance(error, OSError) and error.strerror) or error)


def explain(error: Exception) -> str:
    """Describe an error on one line: "FILE: reason" for an error of the operating system."""
    if isinstance(error, OSError) and error.filename is not None:
        # Of two names, as of a copy, the second one is the file that is written.
        name = error.filename if error.filename2 is None else error.filename2
        return f"{os.fsdecode(name)}: {error.strerror}"
    return str(error)
