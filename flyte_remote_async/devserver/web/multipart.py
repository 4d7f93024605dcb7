"""Objects that are put in parts."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

import attrs

from flyte_remote_async.devserver.web.answers import S3Error

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Sequence

    from flyte_remote_async.devserver.objects import ObjectInfo, Objects, Upload

__all__ = ["Multipart"]

_MOST: Final = 1000
_MOST_PARTS: Final = 10_000


@attrs.define
class _Parts:
    key: str
    by_number: dict[int, Upload] = attrs.Factory(dict)


class Multipart:
    """The uploads in parts that are under way; they end with the server.

    Args:
        objects: Where the objects will be.
    """

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._uploads: dict[str, _Parts] = {}

    def begin(self, key: str) -> str:
        """Begin an upload and return its id.

        Raises:
            S3Error: Too many are under way.
        """
        if len(self._uploads) >= _MOST:
            raise S3Error(503, "SlowDown", f"{_MOST} uploads in parts are under way: complete or abort some")
        upload_id = secrets.token_hex(16)
        self._uploads[upload_id] = _Parts(key)
        return upload_id

    async def put(self, upload_id: str, key: str, number: int, body: AsyncIterable[bytes]) -> str:
        """Take one part, in place of one of that number, and return its tag.

        Raises:
            S3Error: There is no such upload, or parts have no such number.
            StorageError: It is too large, or the disk is full.
        """
        parts = self._get(upload_id, key)
        if not 1 <= number <= _MOST_PARTS:
            raise S3Error(
                400, "InvalidArgument", f"Part number must be an integer between 1 and {_MOST_PARTS}, inclusive"
            )
        part = await self._objects.begin()
        try:
            async for piece in body:
                await part.write(piece)
            self._get(upload_id, key)  # it may have been aborted meanwhile
        except BaseException:
            await part.discard()
            raise
        before, parts.by_number[number] = parts.by_number.get(number), part
        if before is not None:
            await before.discard()
        return part.draft.md5.hex()

    async def complete(self, upload_id: str, key: str, numbers: Sequence[int]) -> ObjectInfo:
        """Join parts to an object.

        Raises:
            S3Error: There is no such upload, or no such part.
            StorageError: It is too large, or the disk is full; the parts stay.
        """
        parts = self._get(upload_id, key).by_number
        if not numbers or any(number not in parts for number in numbers):
            raise S3Error(400, "InvalidPart", "One or more of the specified parts could not be found.")
        if list(numbers) != sorted(set(numbers)):
            raise S3Error(400, "InvalidPartOrder", "The list of parts was not in ascending order.")
        async with self._objects.upload() as whole:
            for number in numbers:
                await whole.append(parts[number])
            info = await whole.commit(key)
        await self.abort(upload_id, key)
        return info

    async def abort(self, upload_id: str, key: str) -> None:
        """Forget an upload.

        Raises:
            S3Error: There is no such upload.
        """
        parts = self._get(upload_id, key)
        del self._uploads[upload_id]
        for part in parts.by_number.values():
            await part.discard()

    def _get(self, upload_id: str, key: str) -> _Parts:
        parts = self._uploads.get(upload_id)
        if parts is None or parts.key != key:
            raise S3Error(404, "NoSuchUpload", "The specified multipart upload does not exist.")
        return parts
