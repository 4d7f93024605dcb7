"""Objects that are plain files of this machine, for a client that is told that the backend is local."""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import anyio
import anyio.to_thread
import attrs

from flyte_remote_async.concurrency import in_thread
from flyte_remote_async.errors import ObjectNotFoundError, StorageError
from flyte_remote_async.storage.origins import CHUNK_BYTES, Body, Entry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyte_remote_async.storage.addresses import Address
    from flyte_remote_async.storage.uploads import Source

__all__ = ["LocalStore", "keep"]


@attrs.frozen
class LocalStore:
    """The file system."""

    name: str = "the file system"

    async def origin(self, address: Address) -> LocalFile:
        """Return a file."""
        return LocalFile(address)

    async def entries(self, address: Address) -> Sequence[Entry]:
        """Return the files under a folder; symbolic links to folders are not followed."""
        return await anyio.to_thread.run_sync(_walk, address)


@attrs.frozen
class LocalFile:
    """One file."""

    address: Address

    async def get(self, offset: int, tag: str | None) -> Body:
        """Open the file; see :class:`flyte_remote_async.storage.origins.Origin`."""
        del tag
        file, size = await in_thread(_open, self.address, offset, undo=lambda opened: opened[0].close())

        async def read() -> bytes:
            try:
                return await in_thread(file.read, CHUNK_BYTES)
            except OSError as error:
                reason = f"it cannot be read: {error.strerror}"
                raise StorageError(reason, uri=self.address.uri) from error

        async def close() -> None:
            file.close()

        return Body(read, close, size)


def _open(address: Address, offset: int) -> tuple[BinaryIO, int]:
    try:
        if not Path(address.key).is_file():
            kind = "it is a folder" if Path(address.key).is_dir() else "there is no such file"
            raise ObjectNotFoundError(kind, uri=address.uri)
        file = Path(address.key).open("rb")  # noqa: SIM115 - closed by whoever reads it
    except OSError as error:
        if isinstance(error, ObjectNotFoundError):
            raise
        reason = f"it cannot be opened: {error.strerror}"
        raise StorageError(reason, uri=address.uri) from error
    size = os.fstat(file.fileno()).st_size
    file.seek(offset)
    return file, size


def _walk(address: Address) -> list[Entry]:
    root = Path(address.key)
    if root.is_file():
        return [Entry("", root.stat().st_size)]
    found = [
        Entry(path.relative_to(root).as_posix(), path.stat().st_size)
        for folder, _, names in os.walk(root)
        for path in (Path(folder, name) for name in names)
        if path.is_file()
    ]
    return sorted(found, key=lambda entry: entry.name)


def keep(source: Source, name: str, root: str) -> str:
    """Put a file or bytes where a local backend finds them, and return the path.

    It goes into a folder for this user beside the system's temporary files, by its content.

    Raises:
        StorageError: It cannot be written.
    """
    try:
        top = Path(tempfile.gettempdir(), f"flyte-local-{os.getuid() if hasattr(os, 'getuid') else 'data'}")
        top.mkdir(mode=0o700, exist_ok=True)
        target = top / (root or base64.b32encode(source.md5).decode().rstrip("=")) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.parent / f".flyte-{secrets.token_hex(8)}.part"
        try:
            if isinstance(source.data, bytes):
                part.write_bytes(source.data)
            else:
                shutil.copyfile(source.data, part)
            part.replace(target)
        finally:
            with contextlib.suppress(OSError):
                part.unlink()
    except OSError as error:
        reason = f"it cannot be stored on this machine: {error.strerror}"
        raise StorageError(reason, uri=source.shown) from error
    return str(target)
