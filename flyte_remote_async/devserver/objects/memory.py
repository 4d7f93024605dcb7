"""Objects in memory."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from flyte_remote_async.devserver.objects.base import ObjectInfo, Tally

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BytesBlob", "MemoryBlobs"]

_LARGEST: Final = 1 << 30


class BytesBlob:
    """Bytes that are read as an object."""

    def __init__(self, info: ObjectInfo, data: bytes) -> None:
        self.info = info
        self._data = data

    def read(self, start: int, size: int) -> bytes:
        """Return some of its bytes."""
        return self._data[start : start + size]

    def close(self) -> None:
        """Do nothing: nothing is open."""


class MemoryBlobs:
    """Objects that go when the server does."""

    blocking = False
    largest = _LARGEST

    def __init__(self) -> None:
        self._objects: dict[str, BytesBlob] = {}

    def draft(self) -> _Draft:
        """Begin to write an object."""
        return _Draft(self._objects)

    def open(self, key: str) -> BytesBlob | None:
        """Return an object to be read, or None."""
        return self._objects.get(key)

    def list(self, prefix: str) -> list[ObjectInfo]:
        """Return the objects whose keys begin with a prefix, by the bytes of their keys."""
        found = [blob.info for key, blob in self._objects.items() if key.startswith(prefix)]
        return sorted(found, key=lambda info: info.key.encode())

    def delete(self, key: str) -> bool:
        """Delete an object; return whether there was one."""
        return self._objects.pop(key, None) is not None

    def close(self) -> None:
        """Forget all objects."""
        self._objects.clear()


class _Draft(Tally):
    """An object that is being written."""

    def __init__(self, objects: dict[str, BytesBlob]) -> None:
        super().__init__()
        self._objects = objects
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        self._parts.append(data)
        self.count(data)

    def pieces(self) -> Iterator[bytes]:
        return iter(self._parts)

    def commit(self, key: str) -> ObjectInfo:
        info = ObjectInfo(key, self.size, self.md5.hex(), dt.datetime.now(dt.UTC))
        self._objects[key] = BytesBlob(info, b"".join(self._parts))
        return info

    def discard(self) -> None:
        self._parts = []
