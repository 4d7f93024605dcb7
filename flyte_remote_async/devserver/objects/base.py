"""What both kinds of bucket share: what is known of an object, and what a bucket can do."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Protocol

import attrs

from flyte_remote_async.devserver.naming import BUCKET

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

__all__ = ["PIECE", "REGION", "Blob", "Blobs", "Draft", "ObjectInfo", "Tally", "key_of"]

REGION: Final = "us-east-1"
"""Where S3's clients take the bucket to be."""

PIECE: Final = 256 * 1024
"""Bytes that are read at a time."""


@attrs.frozen
class ObjectInfo:
    """What is known of an object without reading it.

    Attributes:
        key: Its key in the bucket.
        size: Bytes.
        etag: Changes whenever the object does; without quotes.
        modified_at: When it was written.
    """

    key: str
    size: int
    etag: str
    modified_at: dt.datetime


class Draft(Protocol):
    """An object that is being written, and that nobody sees before it is committed."""

    @property
    def size(self) -> int:
        """Bytes so far."""
        ...

    @property
    def md5(self) -> bytes:
        """The MD5 of what was written so far."""
        ...

    def write(self, data: bytes) -> None:
        """Add to its end."""
        ...

    def pieces(self) -> Iterator[bytes]:
        """Yield what was written."""
        ...

    def commit(self, key: str) -> ObjectInfo:
        """Make it the object of that key, in place of what was there."""
        ...

    def discard(self) -> None:
        """Forget it; one that was committed stays."""
        ...


class Tally:
    """How much was written to a draft, and its digest."""

    def __init__(self) -> None:
        self.size = 0
        self._digest = hashlib.md5(usedforsecurity=False)

    @property
    def md5(self) -> bytes:
        """The MD5 of what was written so far."""
        return self._digest.digest()

    def count(self, data: bytes) -> None:
        """Take note of what was written."""
        self._digest.update(data)
        self.size += len(data)


class Blob(Protocol):
    """An object that is being read; it stays as it is when another is put in its place."""

    @property
    def info(self) -> ObjectInfo:
        """What is known of it."""
        ...

    def read(self, start: int, size: int) -> bytes:
        """Return some of its bytes."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Blobs(Protocol):
    """Objects by key. None of its methods awaits; ``blocking`` tells whether they wait for a disk."""

    blocking: bool
    largest: int

    def draft(self) -> Draft:
        """Begin to write an object."""
        ...

    def open(self, key: str) -> Blob | None:
        """Return an object to be read, or None."""
        ...

    def list(self, prefix: str) -> list[ObjectInfo]:
        """Return the objects whose keys begin with a prefix, in the order of S3: by the bytes of their keys."""
        ...

    def delete(self, key: str) -> bool:
        """Delete an object; return whether there was one."""
        ...

    def close(self) -> None:
        """Let go of what is open, and of what was never committed."""
        ...


def key_of(uri: str) -> str | None:
    """Return the key of an ``s3://`` URI of the devserver's bucket; None for any other place."""
    prefix = f"s3://{BUCKET}/"
    return uri[len(prefix) :] or None if uri.startswith(prefix) else None
