"""Stored objects: the files, folders and tables that values point to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flyte_remote_async.storage.objects import StoredObjects

__all__ = ["StoredObjects"]


def __getattr__(name: str) -> Any:
    # Imported when it is named: most programs read outputs that lie in no storage.
    if name != "StoredObjects":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from flyte_remote_async.storage.objects import StoredObjects

    return StoredObjects
