"""Errors for the person at the keyboard: what was wrong, with which file or key, what to do."""

from __future__ import annotations

import os


class AsrError(Exception):
    """Base of every error that `asr` raises on purpose; the CLI prints it without a traceback."""


class AudioError(AsrError):
    """A recording that cannot be read or used; the message names the file."""


class ManifestError(AsrError):
    """A manifest line or entry that cannot be used; the message names the file and the line."""


class TextError(AsrError):
    """Text outside a tokenizer's alphabet, or labels longer than their audio can hold."""


class ConfigError(AsrError):
    """An unknown, missing or impossible configuration key; the message names the key."""


class ModelError(AsrError):
    """A model directory that is incomplete or does not fit its own description."""


class TrainingError(AsrError):
    """Training that cannot go on, such as a non-finite loss; the files are named."""


class OutputError(AsrError):
    """A result that cannot be written; the message names the file and how much is done."""


class PackageError(AsrError):
    """A package that cannot be downloaded or has another SHA-256; the message names it."""


class WorkerError(AsrError):
    """No worker process stays alive; the message says how they ended."""


def reason(error: Exception) -> str:
    """What went wrong with a file that the message names already."""
    return str((isinstance(error, OSError) and error.strerror) or error)


class ServerError(AsrError):
    """A model server that cannot be reached or refuses; the message has its address."""


def explain(error: Exception) -> str:
    """What to tell a person: an operating system's error as the file and what is wrong with it."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    return str(error)
