"""Errors for the person at the keyboard: what was wrong, with which file or key, what to do."""

from __future__ import annotations


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


class WorkerError(AsrError):
    """No worker process stays alive; the message says how they ended."""
