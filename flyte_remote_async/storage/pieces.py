"""Pieces as the network brings them, put together to chunks that are worth a turn of the loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyte_remote_async.storage.origins import CHUNK_BYTES, InterruptedTransfer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["PIECE_BYTES", "Pieces"]

PIECE_BYTES: Final = 128 * 1024
"""What may be lost when a connection breaks, and has to be asked for again."""


class Pieces:
    """Chunks out of pieces.

    What came before a break is handed out before the break is told, so that a transfer over a bad line gets on.

    Args:
        piece: Returns the next piece, and nothing at the end.
        skip: Bytes at the start that are left out: a server may answer a question for the rest with the whole.
    """

    def __init__(self, piece: Callable[[], Awaitable[bytes]], skip: int = 0) -> None:
        self._piece = piece
        self._skip = skip
        self._break: InterruptedTransfer | None = None

    async def read(self) -> bytes:
        """Return the next chunk, and nothing at the end.

        Raises:
            InterruptedTransfer: The connection broke.
        """
        taken: list[bytes] = []
        count = 0
        while count < CHUNK_BYTES and self._break is None:
            try:
                piece = await self._piece()
            except InterruptedTransfer as error:
                self._break = error
                break
            if not piece:
                break
            if self._skip:
                piece, self._skip = piece[self._skip :], max(0, self._skip - len(piece))
            taken.append(piece)
            count += len(piece)
        if not count and self._break is not None:
            raise self._break
        return b"".join(taken)
