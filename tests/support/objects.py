"""Stored objects in a folder of this machine, or in memory: what handles need, without a store."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import anyio.to_thread

from flyte_remote_async.errors import ObjectNotFoundError, StorageError
from flyte_remote_async.literals import Context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["FolderObjects", "MemoryObjects", "MemoryReader", "reading"]


class MemoryReader:
    """A reader of bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self, n: int = -1) -> bytes:
        await anyio.lowlevel.checkpoint()
        size = len(self._data) if n < 0 else n
        taken, self._data = self._data[:size], self._data[size:]
        return taken

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := await self.read(4):
            yield chunk


class MemoryObjects:
    """Objects in a dict, by uri; remembers what was read, and how many reads ran at once."""

    def __init__(self, stored: dict[str, bytes] | None = None) -> None:
        self.stored = dict(stored or {})
        self.reads: list[str] = []
        self.at_once = 0
        self._running = 0

    async def read(self, uri: str, *, limit: int | None = None) -> bytes:
        self.reads.append(uri)
        self._running += 1
        self.at_once = max(self.at_once, self._running)
        await anyio.lowlevel.checkpoint()
        self._running -= 1
        if uri not in self.stored:
            raise ObjectNotFoundError("there is no such object", uri=uri)
        if limit is not None and len(self.stored[uri]) > limit:
            raise StorageError(f"it is larger than {limit} bytes", uri=uri)
        return self.stored[uri]

    def local(self, uri: str) -> Path | None:  # noqa: ARG002 - the protocol has it
        return None

    async def download(self, uri: str, target: Path) -> None:
        data = await self.read(uri)
        await anyio.Path(target.parent).mkdir(parents=True, exist_ok=True)
        await anyio.Path(target).write_bytes(data)

    async def download_directory(self, uri: str, target: Path) -> None:
        root = uri.rstrip("/") + "/"
        for one in await self.list(uri):
            await self.download(one, target / one.removeprefix(root))

    @asynccontextmanager
    async def open(self, uri: str) -> AsyncIterator[MemoryReader]:
        yield MemoryReader(await self.read(uri))

    async def upload(self, source: Path | bytes, *, name: str, prefix: str | None = None) -> str:
        data = source if isinstance(source, bytes) else await anyio.Path(source).read_bytes()
        uri = f"mem://{prefix or hashlib.sha256(data).hexdigest()[:8]}/{name}"
        self.stored[uri] = data
        return uri

    async def upload_directory(self, source: Path) -> str:
        paths = await anyio.to_thread.run_sync(lambda: sorted(one for one in source.rglob("*") if one.is_file()))
        for path in paths:
            await self.upload(path, name=str(path.relative_to(source)), prefix=source.name)
        return f"mem://{source.name}"

    async def list(self, uri: str) -> list[str]:
        found = sorted(one for one in self.stored if one == uri or one.startswith(uri.rstrip("/") + "/"))
        if not found:
            raise ObjectNotFoundError("there is no such object", uri=uri)
        return found


class FolderObjects(MemoryObjects):
    """Objects that are files of this machine; the uris are their paths."""

    async def read(self, uri: str, *, limit: int | None = None) -> bytes:
        path = anyio.Path(uri.removeprefix("file://"))
        if await path.is_file():
            self.stored[uri] = await path.read_bytes()
        return await super().read(uri, limit=limit)

    async def download_directory(self, uri: str, target: Path) -> None:
        await self.list(uri)
        await anyio.to_thread.run_sync(lambda: shutil.copytree(uri.removeprefix("file://"), target, dirs_exist_ok=True))

    async def list(self, uri: str) -> list[str]:
        path = Path(uri.removeprefix("file://"))
        found = await anyio.to_thread.run_sync(lambda: sorted(one for one in path.rglob("*") if one.is_file()))
        if not found and not await anyio.Path(path).is_file():
            raise ObjectNotFoundError("there is no such object", uri=uri)
        return [str(one) for one in found] or [uri]


def reading(stored: dict[str, bytes] | None = None, *, allow_pickle: bool = False) -> Context:
    """Return a context with objects in memory."""
    return Context(objects=MemoryObjects(stored), allow_pickle=allow_pickle)
