"""The bucket as the rest of the devserver uses it: awaitable, bounded, and never waiting for a disk on the loop."""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
from functools import partial
from operator import methodcaller
from typing import TYPE_CHECKING, Final, Protocol, Self, TypeVar

import anyio.to_thread

from flyte_remote_async.concurrency import in_thread
from flyte_remote_async.devserver.naming import BUCKET
from flyte_remote_async.devserver.objects.base import ObjectInfo
from flyte_remote_async.devserver.objects.memory import BytesBlob, MemoryBlobs
from flyte_remote_async.devserver.objects.streams import OpenObject, Upload
from flyte_remote_async.errors import IntegrityError, MalformedMessageError, StorageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable
    from pathlib import Path

    from flyte_remote_async.devserver.objects.base import Blob, Blobs

__all__ = ["Objects"]

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

T = TypeVar("T")


class Elsewhere(Protocol):
    """What knows objects that were never put: the inputs and outputs that the state keeps."""

    async def find(self, uri: str) -> bytes | None:
        """Return the bytes under a URI, or None."""
        ...


class Objects:
    """The objects of ``s3://my-s3-bucket``; :meth:`at` opens them.

    Args:
        blobs: Where they are kept.
        elsewhere: What answers for objects that were never put.
    """

    def __init__(self, blobs: Blobs, elsewhere: Elsewhere | None = None) -> None:
        self._blobs = blobs
        self._elsewhere = elsewhere

    @classmethod
    async def at(cls, folder: Path | None = None, elsewhere: Elsewhere | None = None) -> Self:
        """Open the bucket.

        Args:
            folder: Where the objects are kept; None is memory, which goes when the bucket is closed.
            elsewhere: What answers for objects that were never put.

        Raises:
            StorageError: The folder cannot be made or written.
        """
        if folder is None:
            return cls(MemoryBlobs(), elsewhere)
        # Memory needs nothing of what a folder does.
        from flyte_remote_async.devserver.objects.folder import FolderBlobs

        try:
            return cls(await in_thread(FolderBlobs, folder, undo=methodcaller("close")), elsewhere)
        except OSError as error:
            raise StorageError(f"objects cannot be kept in {folder}: {error}") from error

    @property
    def largest(self) -> int:
        """The most bytes that an object may have."""
        return self._blobs.largest

    async def aclose(self) -> None:
        """Let go of all that is open. Closing twice is fine."""
        await self.run(self._blobs.close)

    async def begin(self) -> Upload:
        """Begin to write an object, which must be committed or discarded.

        Raises:
            StorageError: The disk is full or refuses it.
        """
        return Upload(await self.run(self._blobs.draft, undo=methodcaller("discard")), self)

    @contextlib.asynccontextmanager
    async def upload(self) -> AsyncIterator[Upload]:
        """Begin to write an object; what is not committed in the block is forgotten."""
        upload = await self.begin()
        try:
            yield upload
        finally:
            await upload.discard()

    async def put(self, key: str, data: bytes | AsyncIterable[bytes], *, md5: bytes | None = None) -> ObjectInfo:
        """Write an object, all of it or nothing.

        Args:
            key: Its key; what was there is replaced.
            data: Its bytes.
            md5: What their MD5 must be; None takes any.

        Raises:
            IntegrityError: The bytes have another MD5.
            UnsafePathError: The key cannot be kept.
            StorageError: It is too large, or the disk is full or refuses it.
        """
        async with self.upload() as upload:
            if isinstance(data, bytes):
                await upload.write(data)
            else:
                async for piece in data:
                    await upload.write(piece)
            if md5 is not None and upload.draft.md5 != md5:
                raise IntegrityError(f"the bytes for {key!r} have another MD5 than was announced", uri=_uri(key))
            return await upload.commit(key)

    @contextlib.asynccontextmanager
    async def open(self, key: str) -> AsyncIterator[OpenObject | None]:
        """Open an object for reading, until the end of the block; None where there is none."""
        blob: Blob | None = await self.run(self._blobs.open, key, undo=_close)
        if blob is None:
            blob = await self._written(key)
        if blob is None:
            yield None
            return
        try:
            yield OpenObject(blob, self)
        finally:
            await self.run(blob.close)

    async def get(self, key: str) -> bytes | None:
        """Return the bytes of an object, or None."""
        async with self.open(key) as found:
            return None if found is None else b"".join([piece async for piece in found.pieces()])

    async def head(self, key: str) -> ObjectInfo | None:
        """Return what is known of an object, or None."""
        async with self.open(key) as found:
            return None if found is None else found.info

    async def md5(self, key: str) -> bytes | None:
        """Return the MD5 of an object's bytes, or None where there is none."""
        import hashlib

        digest = hashlib.md5(usedforsecurity=False)
        async with self.open(key) as found:
            if found is None:
                return None
            async for piece in found.pieces():
                digest.update(piece)
        return digest.digest()

    async def list(self, prefix: str = "") -> list[ObjectInfo]:
        """Return the objects that were put and whose keys begin with a prefix, by the bytes of their keys."""
        return await self.run(self._blobs.list, prefix)

    async def delete(self, key: str) -> bool:
        """Delete an object; return whether there was one."""
        return await self.run(self._blobs.delete, key)

    async def load(self, archive: Path) -> int:
        """Put the files of a tar archive, whose names begin with ``my-s3-bucket/``.

        Args:
            archive: The archive, compressed or not.

        Returns:
            How many objects were put.

        Raises:
            OSError: The archive cannot be read.
            MalformedMessageError: It is no archive of this kind; nothing is put.
        """
        found = await anyio.to_thread.run_sync(_members, archive)
        for key, data in found:
            await self.put(key, data)
        return len(found)

    async def run(self, work: Callable[..., T], *args: object, undo: Callable[[T], object] | None = None) -> T:
        """Do something with the bucket's objects: in place in memory, in a thread where there is a disk.

        What was begun is done whole. A cancelled caller waits for it; ``undo`` takes back what it gave.

        Raises:
            StorageError: The disk is full or refuses it.
        """
        if not self._blobs.blocking:
            return work(*args)
        try:
            return await in_thread(partial(work, *args), undo=undo)
        except OSError as error:
            if error.errno in _FULL:
                raise StorageError(f"the disk with the devserver's objects is full: {error}") from error
            raise StorageError(f"the devserver's objects cannot be reached: {error}") from error

    async def _written(self, key: str) -> BytesBlob | None:
        data = await self._elsewhere.find(_uri(key)) if self._elsewhere is not None else None
        if data is None:
            return None
        import hashlib

        etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
        return BytesBlob(ObjectInfo(key, len(data), etag, dt.datetime.now(dt.UTC)), data)


def _close(blob: Blob | None) -> None:
    if blob is not None:
        blob.close()


def _uri(key: str) -> str:
    return f"s3://{BUCKET}/{key}"


def _members(archive: Path) -> list[tuple[str, bytes]]:
    # Archives are for those who load one.
    import tarfile

    prefix = f"{BUCKET}/"
    found = []
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                if not member.isfile():
                    continue
                name = member.name.removeprefix("./")
                if not name.startswith(prefix):
                    raise MalformedMessageError(f"{archive} has {member.name!r}, which is not under {prefix}")
                content = tar.extractfile(member)
                found.append((name.removeprefix(prefix), content.read() if content else b""))
    except tarfile.TarError as error:
        raise MalformedMessageError(f"{archive} is no archive of objects: {error}") from error
    return found
