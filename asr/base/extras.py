"""Name of the distribution on a package index, and how to install its extras.

The name differs from the import package's: the distribution `asr` belongs to another project.
"""

from __future__ import annotations

DISTRIBUTION = "keras-asr-toolkit"
"""Name of the distribution, as in pyproject.toml."""


def install_extra(extra: str) -> str:
    """The command that installs an extra, such as "pip install 'keras-asr-toolkit[serving]'"."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"
