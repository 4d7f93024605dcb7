"""All value classes of the package that mirror a protobuf message."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

import flyte_remote_async.entities
import flyte_remote_async.executions
import flyte_remote_async.models
from flyte_remote_async.models.message import MessageValue

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["properties_of", "value_classes"]

PACKAGES = (flyte_remote_async.models, flyte_remote_async.entities, flyte_remote_async.executions)


def value_classes(*packages: ModuleType) -> list[type[MessageValue[Any]]]:
    """Return the classes that say which message they mirror, of the given packages or of all."""
    for package in PACKAGES:
        for found_module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(found_module.name)
    names = tuple(package.__name__ for package in packages or (flyte_remote_async,))
    found: dict[str, type[MessageValue[Any]]] = {}
    waiting: list[type[MessageValue[Any]]] = [MessageValue]
    while waiting:
        value_class = waiting.pop()
        waiting.extend(value_class.__subclasses__())
        if "message_type" in vars(value_class) and value_class.__module__.startswith(names):
            # attrs makes slotted classes anew and leaves the first one behind: the last one made is the real one.
            module = importlib.import_module(value_class.__module__)
            found[value_class.__qualname__] = getattr(module, value_class.__name__)
    return [found[name] for name in sorted(found)]


def properties_of(value_class: type[Any]) -> list[str]:
    """Return the names of the public properties of a class."""
    return [
        name
        for name in dir(value_class)
        if not name.startswith("_")
        and isinstance(
            next(vars(base)[name] for base in value_class.__mro__ if name in vars(base)),
            property | functools.cached_property,
        )
    ]
