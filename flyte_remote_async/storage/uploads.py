"""Files that go where tasks can read them: the control plane names the place and signs the way to it.

Source of the steps: flyteadmin's ``dataproxy/service.go`` and flytekit's ``FlyteRemote.upload_file``, of Flyte 1.16.
"""

from __future__ import annotations

import base64
import hashlib
import os
from contextlib import aclosing
from operator import methodcaller
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

import anyio
import anyio.to_thread
import attrs

from flyte_remote_async.concurrency import in_thread
from flyte_remote_async.errors import IntegrityError, StorageError
from flyte_remote_async.storage.origins import CHUNK_BYTES, InterruptedTransfer
from flyte_remote_async.storage.patience import patiently
from flyte_remote_async.storage.web import request_for, translate

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

    import httpx

__all__ = ["Locate", "Location", "Source", "UploadStore", "folder_of"]

_DONE: Final = frozenset({200, 201})
_BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_FORBIDDEN: Final = 403


@attrs.frozen
class Location:
    """Where a file goes.

    Attributes:
        signed_url: Where it is sent.
        native_url: What it is called from then on.
        headers: What has to be sent along.
    """

    signed_url: str = attrs.field(repr=False)
    native_url: str
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)


class Locate(Protocol):
    """Asks the control plane for a location."""

    async def __call__(self, *, filename: str, filename_root: str, content_md5: bytes) -> Location:
        """Return the location of a file.

        Args:
            filename: Its name.
            filename_root: What groups several files; empty where the digest decides.
            content_md5: Its MD5 digest.
        """
        ...


@attrs.frozen
class Source:
    """What is uploaded, measured.

    Attributes:
        data: The file, or the bytes.
        size: How many bytes.
        md5: Their digest.
    """

    data: Path | bytes
    size: int
    md5: bytes

    @classmethod
    async def measure(cls, data: Path | bytes) -> Source:
        """Return what is uploaded, with size and digest.

        Raises:
            StorageError: The file cannot be read.
        """
        return await anyio.to_thread.run_sync(_measure, data)

    @property
    def shown(self) -> str:
        """What it is, for errors."""
        return str(self.data) if isinstance(self.data, Path) else f"{self.size:,} bytes"


def _measure(data: Path | bytes) -> Source:
    if isinstance(data, bytes):
        return Source(data, len(data), hashlib.md5(data, usedforsecurity=False).digest())
    size, digest = 0, hashlib.md5(usedforsecurity=False)
    try:
        with data.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise StorageError(f"it cannot be read: {error.strerror}", uri=str(data)) from error
    return Source(data, size, digest.digest())


def folder_of(files: Mapping[str, Source]) -> str:
    """Return what groups the files of a folder: the same for the same names and contents."""
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(files):
        digest.update(os.fsencode(name) + b"\0" + files[name].md5)
    return base64.b32encode(digest.digest()).decode()


@attrs.frozen
class UploadStore:
    """Uploads through the control plane.

    Attributes:
        client: Gives the HTTP client.
        locate: Asks for a location.
    """

    client: Callable[[], Awaitable[httpx.AsyncClient]]
    locate: Locate

    async def put(self, source: Source, name: str, root: str) -> str:
        """Send a file, again where that may help, and return its URI.

        Raises:
            IntegrityError: The file changed while it was sent.
            StorageError: It cannot be stored.
            FlyteRemoteError: The control plane names no location.
        """

        async def attempt() -> str:
            location = await self.locate(filename=name, filename_root=root, content_md5=source.md5)
            await self._send(source, location)
            return location.native_url

        return await patiently(attempt, "it cannot be stored", source.shown)

    async def _send(self, source: Source, location: Location) -> None:
        client = await self.client()
        headers = _headers(source, location)
        try:
            async with aclosing(_chunks(source)) as chunks:
                request = request_for(client, "PUT", location.signed_url, content=chunks, headers=headers)
                response = await client.send(request)
        except StorageError:
            raise
        except Exception as error:
            translate(error, source.shown)
            raise
        status = response.status_code
        if status in _DONE:
            return
        if status in _BUSY or status == _FORBIDDEN:  # a signed URL may have expired: the next try has a new one
            raise InterruptedTransfer(f"the store answers {status}")
        # The body of the answer names the reason, and often repeats the signature.
        raise StorageError(f"it cannot be stored: the store answers {status}", uri=source.shown)


def _headers(source: Source, location: Location) -> dict[str, str]:
    # The length that comes from Flyte is that of the digest's text (flyte 1.16: stow_store.go).
    headers = {name: value for name, value in location.headers.items() if name.lower() != "content-length"}
    present = {name.lower() for name in headers}
    headers["Content-Length"] = str(source.size)
    if "content-md5" not in present:
        headers["Content-MD5"] = base64.b64encode(source.md5).decode()
    if location.native_url.startswith(("abfs://", "abfss://")) and "x-ms-blob-type" not in present:
        headers["x-ms-blob-type"] = "BlockBlob"  # older servers leave it out
    return headers


async def _chunks(source: Source) -> AsyncGenerator[bytes, None]:
    """Yield the chunks of a source, which has to be what was measured."""
    data = source.data
    if isinstance(data, bytes):
        for start in range(0, len(data), CHUNK_BYTES):
            yield data[start : start + CHUNK_BYTES]
        return
    digest, left = hashlib.md5(usedforsecurity=False), source.size
    file = await in_thread(_open, data, undo=methodcaller("close"))
    with file:
        while left:
            chunk = await in_thread(_take, file, min(CHUNK_BYTES, left), digest.update)
            left -= len(chunk)
            # The last chunk is held back until the whole is known to be what was measured.
            if not chunk or (not left and digest.digest() != source.md5):
                raise IntegrityError("the file was changed while it was uploaded", uri=str(data))
            yield chunk


def _open(path: Path) -> BinaryIO:
    return path.open("rb")


def _take(file: BinaryIO, size: int, update: Callable[[bytes], None]) -> bytes:
    chunk = file.read(size)
    update(chunk)
    return chunk
