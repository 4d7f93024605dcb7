"""What a store has to be able to do for one object, and the errors that decide what happens next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import attrs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from flyte_remote_async.storage.addresses import Address

__all__ = ["CHUNK_BYTES", "Body", "Entry", "InterruptedTransfer", "Origin", "Store"]

CHUNK_BYTES = 1024 * 1024
"""What is read at a time: enough for full speed, and a small part of what a transfer may hold in memory."""


class InterruptedTransfer(Exception):  # noqa: N818 - it never leaves this package
    """A transfer broke off in a way after which it can go on: a cut connection, a server that is busy."""


@attrs.frozen
class Body:
    """The bytes of an object from some offset on.

    Attributes:
        read: Returns the next chunk, and nothing at the end; raises :class:`InterruptedTransfer`, or StorageError.
        close: Gives up what is open.
        size: Bytes of the whole object, where known.
        tag: What changes when the object changes, where there is such a thing.
        md5: The MD5 digest of the whole object, where the store says it.
    """

    read: Callable[[], Awaitable[bytes]]
    close: Callable[[], Awaitable[None]]
    size: int | None = None
    tag: str | None = None
    md5: bytes | None = None


class Origin(Protocol):
    """One object at one store."""

    async def get(self, offset: int, tag: str | None) -> Body:
        """Return the bytes from an offset on.

        Args:
            offset: Where to begin; 0 is the start.
            tag: The tag of the object that was begun; another object is refused.

        Raises:
            InterruptedTransfer: Asking again may help.
            ObjectNotFoundError: There is none.
            IntegrityError: The object has another tag now.
            StorageError: It cannot be had.
        """
        ...


@attrs.frozen
class Entry:
    """One object of a folder.

    Attributes:
        name: Its name, relative to the folder; empty where the folder's own name is an object.
        size: Its bytes.
    """

    name: str
    size: int


class Store(Protocol):
    """A way to stored objects.

    Attributes:
        name: The way in words, for errors.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - above

    async def origin(self, address: Address) -> Origin:
        """Return one object; whether it is there shows when it is read."""
        ...

    async def entries(self, address: Address) -> Sequence[Entry]:
        """Return the objects under an address, sorted by name; StorageError where the way has no lists."""
        ...
