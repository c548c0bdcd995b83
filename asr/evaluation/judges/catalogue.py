"""The judges from outside, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from asr.errors import ConfigError

if TYPE_CHECKING:
    from asr.evaluation.judges.judge import Judge


def _whisper() -> Judge:
    from asr.evaluation.judges.listener import whisper_listener

    return whisper_listener()


def _pocketsphinx() -> Judge:
    from asr.evaluation.judges.listener import sphinx_listener

    return sphinx_listener()


def _distillmos() -> Judge:
    from asr.evaluation.judges.distill_mos import DistillMos

    return DistillMos()


def _dnsmos() -> Judge:
    from asr.evaluation.judges.dns_mos import DnsMos

    return DnsMos()


JUDGES: dict[str, Callable[[], Judge]] = {
    "whisper": _whisper,
    "pocketsphinx": _pocketsphinx,
    "distillmos": _distillmos,
    "dnsmos": _dnsmos,
}
"""Functions that load a judge, by its name on the command line."""
ALL = "all"
"""Name that stands for all judges."""


def load_judges(names: Sequence[str]) -> list[Judge]:
    """Load judges in the order of their names.

    Args:
        names: keys of `JUDGES`, or `ALL`.

    Raises:
        ConfigError: a name is unknown.
        PackageError: a judge's packages are not installed, or cannot be downloaded.
    """
    for name in names:
        if name not in (*JUDGES, ALL):
            raise ConfigError(f"--judges: {name!r} is unknown; choose {', '.join(JUDGES)} or {ALL}")
    chosen = JUDGES if ALL in names else dict.fromkeys(names)
    return [JUDGES[name]() for name in chosen]
