"""The import of pyarrow, which reads and writes Arrow and Parquet files."""

from __future__ import annotations

from types import ModuleType

from asr.base.extras import install_extra
from asr.errors import ConfigError


def import_pyarrow() -> ModuleType:
    """Import pyarrow with its submodules `ipc` and `parquet`.

    Raises:
        ConfigError: it is not installed; the message names the extra.
    """
    try:
        import pyarrow
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigError(
            f"Arrow and Parquet files need pyarrow ({error}): {install_extra('datasets')}"
        ) from None
    return pyarrow
