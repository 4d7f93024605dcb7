"""What is wrong with stored objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from flyte_remote_async.errors.base import FlyteRemoteError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["IntegrityError", "NotDownloadedError", "ObjectNotFoundError", "StorageError", "UnsafePathError"]


class StorageError(FlyteRemoteError):
    """Raised when a stored object cannot be read or written, for a reason that the error gives.

    Attributes:
        reason: What is wrong.
        uri: The object; the signature of a signed URL is left out.
        tried: The ways to it that were tried, each with what came of it.
    """

    http_status: ClassVar[int] = 502

    def __init__(self, reason: str, *, uri: str = "", tried: Sequence[str] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.uri = uri
        self.tried = tuple(tried)

    def __str__(self) -> str:
        listing = "".join(f"\n  - {way}" for way in self.tried)
        return f"{self.uri or 'an object'}: {self.reason}{listing}"


class ObjectNotFoundError(StorageError, FileNotFoundError):
    """Raised when there is no object under a URI, or none that the credentials may see."""

    http_status: ClassVar[int] = 404


class UnsafePathError(StorageError, ValueError):
    """Raised when the name of an object would put it outside of its folder, or over another; nothing is written."""

    http_status: ClassVar[int] = 422


class IntegrityError(StorageError):
    """Raised when what came is not what is stored: it is too short, or changed on the way; nothing of it is kept."""


class NotDownloadedError(FlyteRemoteError, FileNotFoundError):
    """Raised when a remote file is used as a path of this machine before it was downloaded.

    Attributes:
        uri: Where the file is.
    """

    http_status: ClassVar[int] = 409

    def __init__(self, uri: str) -> None:
        super().__init__(f"{uri} is not on this machine yet: `await handle.download()` first")
        self.uri = uri
