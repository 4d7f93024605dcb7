"""The bytes of an upload, as they are and as S3's clients wrap them in chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator

__all__ = ["MalformedBodyError", "unchunked"]

_LONGEST_LINE: Final = 4096


class MalformedBodyError(ValueError):
    """Raised when a body says that it is chunked and is not."""


async def unchunked(body: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Yield the bytes of a body with the content encoding ``aws-chunked``, and leave its trailers out.

    Each chunk is a line with its size in hexadecimal (and a signature that is not looked at), its bytes and a line end;
    an empty chunk is the last.

    Args:
        body: The body as it comes.

    Raises:
        MalformedBodyError: It is not in this format.
    """
    reader = _Reader(body)
    while True:
        line = await reader.line()
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            raise MalformedBodyError(f"{line[:40]!r} is no size of a chunk") from None
        if size == 0:
            await reader.rest()
            return
        async for piece in reader.exactly(size):
            yield piece
        if await reader.line():
            raise MalformedBodyError("a chunk is longer than its size")


class _Reader:
    def __init__(self, body: AsyncIterable[bytes]) -> None:
        self._pieces = aiter(body)
        self._have = b""

    async def line(self) -> bytes:
        while b"\r\n" not in self._have:
            if len(self._have) > _LONGEST_LINE or not await self._more():
                raise MalformedBodyError("a chunk has no end")
        line, _, self._have = self._have.partition(b"\r\n")
        return line

    async def exactly(self, size: int) -> AsyncIterator[bytes]:
        while size:
            if not self._have and not await self._more():
                raise MalformedBodyError("the body ends inside of a chunk")
            piece, self._have = self._have[:size], self._have[size:]
            size -= len(piece)
            yield piece

    async def rest(self) -> None:
        while await self._more():
            self._have = b""

    async def _more(self) -> bool:
        piece = await anext(self._pieces, None)
        if piece is None:
            return False
        self._have += piece
        return True
