"""Flyte's configuration files: where they are, and what stands in them as flat ``section.key`` names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from flyte_remote_async.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["ConfigFile", "find", "parse", "read"]

_NAMED_BY: Final = ("_FLYTECTL_CONFIG_PYFLYTE_OVERRIDE", "FLYTECTL_CONFIG")


@attrs.frozen
class ConfigFile:
    """What a file says.

    Attributes:
        name: Where it came from, for messages.
        format: ``"yaml"`` or ``"ini"``.
        values: Flat name in lower case to value; viper, which flytectl reads with, does not know case either.
        spelling: Flat name in lower case to the name as it stands in the file.
    """

    name: str
    format: str
    values: Mapping[str, Any]
    spelling: Mapping[str, str]


def find(env: Mapping[str, str]) -> Path | None:
    """Return the file that flytekit would read, or None: named by the environment, here, or in the home directory.

    Source: flytekit ``configuration/file.py``, ``get_config_file``.

    Raises:
        ConfigError: The environment names a file that does not exist.
    """
    home = env.get("HOME") or env.get("USERPROFILE")
    for variable in _NAMED_BY:
        if named := env.get(variable):
            path = Path(home, named[2:]) if home and named.startswith("~/") else Path(named)
            if not path.is_file():
                raise ConfigError(f"{variable} names {path}, which is no file: correct or unset it")
            return path
    places = [Path("flytekit.config")]
    if home:
        places += [Path(home, ".flyte", "config"), Path(home, ".flyte", "config.yaml")]
    return next((path for path in places if path.is_file()), None)


def read(file: Path | str | bytes) -> ConfigFile:
    """Read a file, or take bytes as the content of one.

    Args:
        file: Path of a YAML file (``.yaml``, ``.yml``) or of an ini file (any other name), or the content of either.

    Raises:
        ConfigError: It cannot be read or is malformed.
    """
    if isinstance(file, bytes):
        return parse(file, "the given configuration", "ini" if _looks_like_ini(file) else "yaml")
    path = Path(file)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read the configuration file {path}: {error.strerror}") from error
    return parse(content, str(path), "yaml" if path.suffix in {".yaml", ".yml"} else "ini")


def parse(content: bytes, name: str, file_format: str) -> ConfigFile:
    """Make sense of the content of a file.

    Raises:
        ConfigError: It is malformed; the message gives the place and never the text, which may hold a secret.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name} is not UTF-8 text (byte {error.start})") from None
    tree = _yaml(text, name) if file_format == "yaml" else _ini(text, name)
    flat = dict(_flatten(tree, ""))
    return ConfigFile(
        name, file_format, {key.lower(): value for key, value in flat.items()}, {key.lower(): key for key in flat}
    )


def _looks_like_ini(content: bytes) -> bool:
    lines = (line.strip() for line in content.splitlines())
    first = next((line for line in lines if line and not line.startswith((b"#", b";"))), b"")
    return re.fullmatch(rb"\[[^\[\],{}]*\]", first) is not None


def _yaml(text: str, name: str) -> dict[str, Any]:
    import yaml  # 10 ms that only those pay who have a file

    try:
        tree = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"{name} is not valid YAML{place}: {error.problem}") from None
    except yaml.YAMLError:
        raise ConfigError(f"{name} is not valid YAML: it holds a character that YAML does not allow") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{name} is not a configuration: a mapping with sections such as 'admin' is wanted")
    for section in ("admin", "console", "storage", "task", "root"):
        if not isinstance(tree.get(section) or {}, dict):
            raise ConfigError(f"{name}: {section!r} must be a mapping")
    return tree


def _ini(text: str, name: str) -> dict[str, Any]:
    import configparser  # as above

    # Without interpolation: a "%" in a secret is a "%".
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        # ParsingError lists its lines, but for one kind of it; that and the other errors have one.
        lines = [number for number, _ in getattr(error, "errors", ())]
        line = getattr(error, "lineno", None) or (lines[0] if lines else None)
        place = f", line {line}" if line else ""
        raise ConfigError(f"{name} is not a valid ini file{place} ({type(error).__name__})") from None
    return {section: dict(parser[section]) for section in parser.sections()}


def _flatten(tree: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        elif value is not None:
            yield f"{prefix}{key}", value
