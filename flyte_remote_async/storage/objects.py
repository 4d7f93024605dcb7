"""Stored objects by URI, wherever they lie: what files, tables and offloaded literals are read and written with."""

from __future__ import annotations

import copy
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import anyio
import anyio.to_thread

from flyte_remote_async.concurrency import in_thread
from flyte_remote_async.config.values import StorageConfig
from flyte_remote_async.errors import ObjectNotFoundError, StorageError
from flyte_remote_async.storage.addresses import parse
from flyte_remote_async.storage.connections import Connections
from flyte_remote_async.storage.directories import download_all, upload_all
from flyte_remote_async.storage.files import replacing
from flyte_remote_async.storage.incoming import Incoming, Verifier
from flyte_remote_async.storage.local import keep
from flyte_remote_async.storage.names import safe
from flyte_remote_async.storage.uploads import Source, UploadStore
from flyte_remote_async.storage.ways import Ways

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from types import TracebackType

    from flyte_remote_async.storage.addresses import Address
    from flyte_remote_async.storage.origins import Store
    from flyte_remote_async.storage.uploads import Locate
    from flyte_remote_async.storage.web import Sign

__all__ = ["StoredObjects"]


_STALL: Final = 60.0


class StoredObjects:
    """The stored objects that a configuration leads to.

    Without a control plane it reads with the credentials of this machine alone, and writes nothing.

    Args:
        config: How to reach the stores.
        sign: Returns a signed URL for a native one.
        locate: Names the location of an upload.
        stall: Seconds without a byte after which a connection counts as broken.
        proxy: Proxy for HTTP requests.

    Example:
        >>> async with StoredObjects(StorageConfig(local=True)) as objects:
        ...     await objects.read("file:///data/report.csv")
        b'a,b'
    """

    def __init__(
        self,
        config: StorageConfig | None = None,
        *,
        sign: Sign | None = None,
        locate: Locate | None = None,
        stall: float = _STALL,
        proxy: str | None = None,
    ) -> None:
        self._config = config or StorageConfig()
        self._locate = locate
        self._stall = stall
        self._connections = Connections(proxy, stall)
        self._ways = Ways(self._config, sign, self._connections)

    def storing_with(self, locate: Locate) -> StoredObjects:
        """Return the same objects with another place for uploads; they share connections."""
        other = copy.copy(self)
        other._locate = locate  # noqa: SLF001 - its own class
        return other

    async def reaches(self, uri: str) -> bool:
        """Tell whether there are credentials of this machine for an object, or it lies on this machine."""
        return await self._ways.reaches(uri)

    def local(self, uri: str) -> Path | None:
        """Return the path of what is a file or folder of this machine and may be read in place; None for all else."""
        address = parse(uri)
        return Path(address.key) if address.kind == "local" and self._config.local else None

    async def aclose(self) -> None:
        """Close the connections; what is asked for afterwards opens new ones."""
        await self._connections.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    # --- reading ------------------------------------------------------------------------------------------------------

    async def read(self, uri: str, *, limit: int | None = None) -> bytes:
        """Return the bytes of an object.

        Args:
            uri: Where it is.
            limit: The most bytes to take.

        Raises:
            ObjectNotFoundError: There is none.
            IntegrityError: It came damaged.
            StorageError: It cannot be had, or is larger than the limit.
        """
        address = parse(uri)
        taken: list[bytes] = []
        count = 0
        async with self._connections.transfers, self._incoming(address) as incoming:
            _within(incoming.size or 0, limit, address)
            while data := await incoming.chunk():
                count += len(data)
                _within(count, limit, address)
                taken.append(data)
        return await anyio.to_thread.run_sync(_join, taken, Verifier(incoming, address.shown))

    async def download(self, uri: str, target: Path) -> None:
        """Write an object into a file: the whole of it, or nothing.

        Args:
            uri: Where it is.
            target: The file; its folder is made where it is missing.

        Raises:
            ObjectNotFoundError: There is none.
            IntegrityError: It came damaged.
            StorageError: It cannot be had, or the file cannot be written.
        """
        await self._download(parse(uri), target)

    async def _download(self, address: Address, target: Path) -> None:
        async with self._connections.transfers, self._incoming(address) as incoming:
            verifier = Verifier(incoming, address.shown)
            async with replacing(target, address.shown) as file:
                while data := await incoming.chunk():
                    await in_thread(_write, file.write, verifier.update, data)
                verifier.check()

    @asynccontextmanager
    async def open(self, uri: str) -> AsyncIterator[Incoming]:
        """Return a stream over an object, for ``async with``; errors as :meth:`read`, and also while it is read."""
        async with self._incoming(parse(uri)) as incoming:
            yield incoming

    async def download_directory(self, uri: str, target: Path) -> None:
        """Write all objects under a URI into a folder; no path leaves it.

        Args:
            uri: The prefix.
            target: The folder. One that is not there appears when all is there; in one that is, file after file.

        Raises:
            ObjectNotFoundError: There is nothing.
            UnsafePathError: A name leaves the folder, or two names mean one file; nothing was written.
            IntegrityError: A file came damaged; nothing was written.
            StorageError: It cannot be had, or the folder cannot be written.
        """
        address = parse(uri)
        await download_all(address, await self._names(address), target, self._download)

    async def list(self, uri: str) -> list[str]:
        """Return the URIs of all objects under a URI, sorted; the URI itself where it is an object.

        Raises:
            ObjectNotFoundError: There is nothing.
            StorageError: It cannot be listed.
        """
        address = parse(uri)
        return [address.child(name).uri if name else uri for name in await self._names(address)]

    async def _names(self, address: Address) -> Sequence[str]:
        async def names(store: Store) -> Sequence[str]:
            found = await store.entries(address)
            if not found:
                raise ObjectNotFoundError("there is nothing under it", uri=address.shown)
            return [entry.name for entry in found]

        return await self._ways.first(address, names)

    @asynccontextmanager
    async def _incoming(self, address: Address) -> AsyncIterator[Incoming]:
        async def begin(store: Store) -> Incoming:
            incoming = Incoming(await store.origin(address), address.shown, self._stall)
            try:
                await incoming.begin()
            except BaseException:
                await incoming.aclose()
                raise
            return incoming

        incoming = await self._ways.first(address, begin)
        try:
            yield incoming
        finally:
            await incoming.aclose()

    # --- writing ------------------------------------------------------------------------------------------------------

    async def upload(self, source: Path | bytes, *, name: str, prefix: str | None = None) -> str:
        """Store a file or bytes where tasks can read them.

        Args:
            source: The file, or the bytes themselves.
            name: The file name that it gets.
            prefix: What groups several uploads into one folder; without it the content decides.

        Returns:
            The URI.

        Raises:
            UnsafePathError: The name is none that a file can safely have.
            IntegrityError: The file changed while it was sent.
            StorageError: It cannot be stored.
        """
        return await self._put(await Source.measure(source), safe(name, name), prefix or "")

    async def upload_directory(self, source: Path) -> str:
        """Store all files of a folder, links left out; return the URI of the folder.

        Raises:
            StorageError: There is no file in it, or one cannot be stored.
        """
        return await upload_all(source, self._put)

    async def _put(self, source: Source, name: str, root: str) -> str:
        async with self._connections.transfers:
            if self._config.local:
                return await anyio.to_thread.run_sync(keep, source, name, root)
            if self._locate is None:
                reason = "it cannot be stored without a control plane, which names the place"
                raise StorageError(reason, uri=source.shown)
            return await UploadStore(self._connections.client, self._locate).put(source, name, root)


def _within(count: int, limit: int | None, address: Address) -> None:
    if limit is not None and count > limit:
        reason = f"it has {count:,} bytes or more, and {limit:,} is the limit"
        raise StorageError(reason, uri=address.shown)


def _write(write: Callable[[bytes], object], update: Callable[[bytes], None], data: bytes) -> None:
    write(data)
    update(data)


def _join(taken: list[bytes], verifier: Verifier) -> bytes:
    for data in taken:
        verifier.update(data)
    verifier.check()
    return b"".join(taken)
