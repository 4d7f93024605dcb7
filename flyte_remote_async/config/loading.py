"""From arguments, environment and file to the values of a configuration, each with its source."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from flyte_remote_async.config.convert import CONVERTERS
from flyte_remote_async.config.keys import KEYS, KNOWN_ADMIN_KEYS
from flyte_remote_async.config.values import AuthConfig, Secret, StorageConfig, Timeouts
from flyte_remote_async.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flyte_remote_async.config.files import ConfigFile

__all__ = ["check_admin_keys", "gather", "give", "nest"]


def gather(env: Mapping[str, str], file: ConfigFile | None) -> tuple[dict[str, Any], dict[str, str]]:
    """Return field to value, and field to where the value came from, for all fields that are set anywhere.

    Raises:
        ConfigError: A value does not fit its field.
    """
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for field, kind, places in KEYS:
        found = next(_look(places, env, file), None)
        if found is None:
            continue
        text, source = found
        try:
            values[field] = CONVERTERS[kind](text)
        except ValueError as error:
            raise ConfigError(f"{source}: {error}") from None
        sources[field] = source
    _settle(values, sources, env)
    return values, sources


def _look(places: tuple[str, ...], env: Mapping[str, str], file: ConfigFile | None) -> Iterator[tuple[Any, str]]:
    for place in places:
        where, _, name = place.partition(" ")
        if where == "env":
            # A variable that a deployment sets to nothing is one that it does not set.
            if text := env.get(name):
                yield text, f"environment {name}"
        elif file is not None and where == file.format:
            value = file.values.get(name.lower())
            if value is not None and value != "":
                yield value, f"{file.name}: {file.spelling[name.lower()]}"


def _settle(values: dict[str, Any], sources: dict[str, str], env: Mapping[str, str]) -> None:
    """Resolve the keys that stand for others."""
    variable = values.pop("auth.client_secret_env_var", None)
    source = sources.pop("auth.client_secret_env_var", "")
    if variable and env.get(variable):
        # Flytekit's order: the variable before the file before the plain value.
        values["auth.client_secret"] = Secret(env[variable].strip())
        sources["auth.client_secret"] = f"environment {variable} ({source})"
        values.pop("auth.client_secret_location", None)
        sources.pop("auth.client_secret_location", None)
    if "attempt_timeout" in values:
        seconds, source = values.pop("attempt_timeout"), sources.pop("attempt_timeout")
        for name in ("read", "create", "data"):
            values[f"timeouts.{name}"], sources[f"timeouts.{name}"] = seconds, source
    # To Go's client 0 is "not set" for sizes, and "no second attempt" for retries.
    if values.get("max_message_bytes") == 0:
        del values["max_message_bytes"], sources["max_message_bytes"]
    if values.get("max_attempts") == 0:
        values["max_attempts"] = 1


def check_admin_keys(file: ConfigFile, *, strict: bool) -> None:
    """Warn of keys under ``admin`` that no Flyte client knows, once for all of them.

    Raises:
        ConfigError: There are some and `strict` is set.
    """
    if file.format != "yaml":
        return
    known = {key.lower(): key for key in KNOWN_ADMIN_KEYS}
    names = [name.removeprefix("admin.") for name in file.values if name.startswith("admin.")]
    unknown = [name for name in names if name not in known]
    if not unknown:
        return
    import difflib  # only a mistake needs it

    hints = []
    for name in unknown:
        close = difflib.get_close_matches(name, known, n=1)
        spelt = file.spelling[f"admin.{name}"]
        hints.append(f"{spelt} (did you mean admin.{known[close[0]]}?)" if close else spelt)
    message = f"{file.name} has keys that Flyte does not know: {', '.join(hints)}"
    if strict:
        raise ConfigError(message)
    warnings.warn(message, UserWarning, stacklevel=3)


def give(values: dict[str, Any], sources: dict[str, str], name: str, value: Any) -> None:
    """Put an argument over what was found for a field."""
    # A part that is given as a whole, such as auth, replaces all that was found for it.
    for found in [key for key in values if key.startswith(f"{name}.")]:
        del values[found], sources[found]
    values[name], sources[name] = value, "argument"


def nest(values: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of :class:`Config`: ``{"auth.mode": …}`` becomes ``{"auth": AuthConfig(mode=…)}``."""
    parts: dict[str, dict[str, Any]] = {"auth": {}, "storage": {}, "timeouts": {}}
    flat = {}
    for name, value in values.items():
        part, _, field = name.partition(".")
        if field:
            parts[part][field] = value
        else:
            flat[name] = value
    makers: dict[str, Any] = {"auth": AuthConfig, "storage": StorageConfig, "timeouts": Timeouts}
    return flat | {part: makers[part](**fields) for part, fields in parts.items() if fields}
