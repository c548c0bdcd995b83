"""Strict configuration: YAML and JSON into typed dataclasses; a wrong key is named."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from asr.errors import ConfigError

STRICT = ConfigDict(extra="forbid")
"""Config of every pydantic dataclass of the project: unknown keys are errors."""

T = TypeVar("T")


def parse(cls: type[T], values: Mapping[str, Any], where: str, complete: bool = False) -> T:
    """Build `cls` from `values`, which were read from `where`.

    With `complete`, keys that have a default must be there too: a saved model is to be read with
    the settings that it was made with, not with the defaults of today.

    Raises:
        ConfigError: a key is unknown, missing or has an impossible value; each is named.
    """
    try:
        config = TypeAdapter(cls).validate_python(dict(values))
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in item['loc']) or 'value'}: {_explain(item)}"
            for item in error.errors()
        ]
        raise ConfigError(f"{where}: " + "; ".join(problems)) from None
    if complete:
        missing = sorted(_missing_keys(to_dict(config), values))
        if missing:
            raise ConfigError(f"{where}: missing key {', '.join(missing)}")
    return config


def load_yaml(cls: type[T], path: Path) -> T:
    """Read a YAML file into `cls`.

    Raises:
        ConfigError: the file is missing, is not YAML, or has a wrong key.
    """
    return parse(cls, read_yaml(path), str(path))


def read_yaml(path: Path) -> dict[str, Any]:
    """The keys and values of a YAML file.

    Raises:
        ConfigError: the file is missing, or is not YAML with keys and values.
    """
    import yaml  # not for every start of a program

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected keys and values, found {type(values).__name__}")
    return values


def to_dict(config: Any) -> dict[str, Any]:
    """The configuration as plain values that JSON and YAML can hold."""
    return TypeAdapter(type(config)).dump_python(config, mode="json")


def _explain(item: Any) -> str:
    if item["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return "unknown key"
    if item["type"] in ("missing", "missing_argument"):
        return "missing key"
    return f"{item['msg']} (found {item['input']!r})"


def _missing_keys(full: Mapping[str, Any], given: Any, prefix: str = "") -> list[str]:
    missing = []
    for key, value in full.items():
        if not isinstance(given, Mapping) or key not in given:
            missing.append(prefix + key)
        elif isinstance(value, Mapping):
            missing += _missing_keys(value, given[key], f"{prefix}{key}.")
    return missing


def replace(config: T, **changes: Any) -> T:
    """A copy with `changes`, validated again."""
    values = {f.name: getattr(config, f.name) for f in dataclasses.fields(config)}  # type: ignore[arg-type]
    return type(config)(**{**values, **changes})
