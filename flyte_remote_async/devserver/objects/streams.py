"""Objects on their way into the bucket and out of it, piece by piece."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from flyte_remote_async.devserver.objects.base import PIECE
from flyte_remote_async.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from flyte_remote_async.devserver.objects.base import Blob, Draft, ObjectInfo
    from flyte_remote_async.devserver.objects.bucket import Objects

__all__ = ["ObjectTooLargeError", "OpenObject", "Upload"]


class ObjectTooLargeError(StorageError):
    """Raised when an object is larger than the devserver takes; nothing of it is kept."""


@attrs.frozen
class Upload:
    """A draft that is being put, or a part of one.

    Attributes:
        draft: What was written.
        objects: Where it will be.
    """

    draft: Draft
    objects: Objects

    async def write(self, data: bytes) -> None:
        """Add to its end.

        Raises:
            ObjectTooLargeError: It is larger than an object may be.
            StorageError: The disk is full or refuses it.
        """
        if self.draft.size + len(data) > self.objects.largest:
            raise ObjectTooLargeError(f"an object of the devserver has at most {self.objects.largest} bytes")
        await self.objects.run(self.draft.write, data)

    async def append(self, other: Upload) -> None:
        """Add what another upload has."""
        pieces = await self.objects.run(other.draft.pieces)
        while (piece := await self.objects.run(next, pieces, None)) is not None:
            await self.write(piece)

    async def commit(self, key: str) -> ObjectInfo:
        """Make it the object of that key.

        Raises:
            UnsafePathError: The key cannot be kept.
            StorageError: The disk is full or refuses it.
        """
        return await self.objects.run(self.draft.commit, key)

    async def discard(self) -> None:
        """Forget it, unless it was committed."""
        await self.objects.run(self.draft.discard)


class OpenObject:
    """An object that is being read.

    Attributes:
        info: What is known of it.
    """

    def __init__(self, blob: Blob, objects: Objects) -> None:
        self.info = blob.info
        self._blob = blob
        self._objects = objects

    async def pieces(self, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Yield its bytes.

        Args:
            start: The first byte.
            stop: The byte after the last; None reads to the end.
        """
        end = self.info.size if stop is None else min(stop, self.info.size)
        while start < end and (piece := await self._objects.run(self._blob.read, start, min(PIECE, end - start))):
            yield piece
            start += len(piece)
