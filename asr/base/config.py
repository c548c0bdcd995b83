"""Strict configuration: YAML and JSON as typed dataclasses, with errors that name the key."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from asr.errors import ConfigError

STRICT = ConfigDict(extra="forbid")
"""Configuration of every pydantic dataclass of the project: unknown keys are errors."""

T = TypeVar("T")


def parse(cls: type[T], values: Mapping[str, Any], where: str, complete: bool = False) -> T:
    """Build a configuration from plain values.

    Args:
        cls: the dataclass to build.
        values: its keys and values; nested dataclasses are nested mappings.
        where: origin of the values, such as a file name, for error messages.
        complete: whether keys with a default are required too; default: no. Saved models need this:
            they keep their settings when a default changes.

    Raises:
        ConfigError: keys are unknown, missing or invalid; the message names all of them.
    """
    try:
        config = TypeAdapter(cls).validate_python(dict(values))
    except ValidationError as error:
        raise ConfigError(f"{where}: {describe_problems(error)}") from None
    except ConfigError as error:  # from a `__post_init__`
        raise ConfigError(f"{where}: {error}") from None
    if complete:
        missing = sorted(_missing_keys(to_dict(config), values))
        if missing:
            raise ConfigError(f"{where}: missing key {', '.join(missing)}")
    return config


def load_yaml(cls: type[T], path: Path) -> T:
    """Read a configuration from a YAML file.

    Raises:
        ConfigError: the file cannot be read or is not YAML, or a key is unknown, missing or
            invalid.
    """
    return parse(cls, read_yaml(path), str(path))


def read_yaml(path: Path) -> dict[str, Any]:
    """Read the keys and values of a YAML file.

    Raises:
        ConfigError: the file cannot be read, or is not YAML with keys and values.
    """
    import yaml  # here, because most commands read no YAML and start faster without it

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
    """The configuration as plain values that JSON and YAML can represent."""
    return TypeAdapter(type(config)).dump_python(config, mode="json")


def describe_problems(error: ValidationError) -> str:
    """List the keys that pydantic rejects, each with the reason: "hop: missing key; …"."""
    problems = []
    for item in error.errors():
        key = ".".join(str(part) for part in item["loc"]) or "value"
        problems.append(f"{key}: {_problem(item)}")
    return "; ".join(problems)


def _problem(item: Any) -> str:
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
    """A copy of a configuration with some values changed. The copy is validated.

    Raises:
        pydantic.ValidationError: a changed value is invalid.
    """
    values = {f.name: getattr(config, f.name) for f in dataclasses.fields(config)}  # type: ignore[arg-type]
    return type(config)(**{**values, **changes})
