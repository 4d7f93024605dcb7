"""What values need of the world around them: stored objects, and somebody to do long work.

Decoding and encoding are pure. Files, tables and offloaded literals lie in an object store, which a remote (or a user)
gives as an :class:`Objects`; work that would hold up the event loop is done by a :class:`Work`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

__all__ = ["Objects", "Reader", "Work"]

T = TypeVar("T")


class Reader(Protocol):
    """One stored object, read from its start to its end."""

    async def read(self, n: int = -1) -> bytes:
        """Return the next ``n`` bytes, or all that are left; fewer only at the end.

        Raises:
            StorageError: They cannot be had.
        """
        ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Return the chunks that are left, as they come."""
        ...


class Objects(Protocol):
    """Stored objects, by uri.

    Every method raises :class:`ObjectNotFoundError` where there is nothing under the uri, :class:`UnsafePathError`
    where the uri (or a name below it) must not be touched, :class:`IntegrityError` where what came is not what is
    stored, and :class:`StorageError` for all else that can go wrong.
    """

    async def read(self, uri: str, *, limit: int | None = None) -> bytes:
        """Return the bytes of an object.

        Args:
            uri: Where it is.
            limit: The most bytes to take; a larger object is refused before it is read, where its size is known.
        """
        ...

    async def download(self, uri: str, target: Path) -> None:
        """Write an object into a file: the whole of it, or nothing.

        Args:
            uri: Where it is.
            target: The file; its folder is made where it is missing.
        """
        ...

    async def download_directory(self, uri: str, target: Path) -> None:
        """Write all objects under a uri into a folder; no path leaves it.

        Args:
            uri: The prefix, with or without a slash at its end.
            target: The folder; made where it is missing.
        """
        ...

    def local(self, uri: str) -> Path | None:
        """Return the path of what is a file or folder of this machine and may be read in place; None for all else."""
        ...

    def open(self, uri: str) -> AbstractAsyncContextManager[Reader]:
        """Return a stream over an object, to be used with ``async with``."""
        ...

    async def upload(self, source: Path | bytes, *, name: str, prefix: str | None = None) -> str:
        """Store a file or bytes where tasks can read them.

        Args:
            source: The file, or the bytes themselves.
            name: The file name that it gets.
            prefix: What groups several uploads into one folder; without it the content decides.

        Returns:
            The uri.
        """
        ...

    async def upload_directory(self, source: Path) -> str:
        """Store all files of a folder; return the uri of the folder."""
        ...

    async def list(self, uri: str) -> list[str]:
        """Return the uris of all objects under a uri, sorted; the uri itself where it is an object."""
        ...


class Work(Protocol):
    """Somewhere to do what takes long and must not hold up the event loop."""

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Return ``function(*args)``; it runs beside the loop, in a thread or a process.

        Args:
            function: A function of a module, so that it can be sent to a process.
            *args: Its arguments.
        """
        ...
