"""An object on its way in, chunk by chunk, through cut connections and servers that stall.

A transfer that breaks off goes on where it stopped, on the same version of the object. What ends too early never counts
as the end.
"""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING, Final

import anyio

from flyte_remote_async.errors import IntegrityError, StorageError
from flyte_remote_async.policy.backoff import Backoff
from flyte_remote_async.storage.origins import CHUNK_BYTES, InterruptedTransfer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from flyte_remote_async.storage.origins import Body, Origin

__all__ = ["Incoming", "Verifier"]

# Breaks in a row after which no byte came; a transfer that gets on may break more often.
_MOST_BREAKS: Final = 4
_BACKOFF: Final = Backoff(initial=0.1, factor=3.0, longest=5.0, jitter=0.5)


class Incoming:
    """The chunks of one object.

    Args:
        origin: The object.
        shown: Its URI, for errors.
        stall: Seconds without a byte after which a connection is given up.
    """

    def __init__(self, origin: Origin, shown: str, stall: float) -> None:
        self._origin = origin
        self._shown = shown
        self._stall = stall
        self._body: Body | None = None
        self._tag: str | None = None
        self._breaks = 0
        self._pause = _BACKOFF.first()
        self._at = 0
        self._rest = b""
        self.size: int | None = None
        self.md5: bytes | None = None

    async def begin(self) -> None:
        """Ask for the object.

        Raises:
            ObjectNotFoundError: There is none.
            StorageError: It cannot be had.
        """
        body = await self._connect()
        self.size, self.md5, self._tag = body.size, body.md5, body.tag

    async def chunk(self) -> bytes:
        """Return the next chunk; nothing at the end.

        Raises:
            IntegrityError: The object ends too early or too late, or was changed meanwhile.
            StorageError: It cannot be had.
        """
        if self._rest:
            data, self._rest = self._rest, b""
            return data
        while True:
            body = self._body or await self._connect()
            try:
                with anyio.fail_after(self._stall):
                    data = await body.read()
            except TimeoutError:
                await self._broke(f"nothing came for {self._stall:g} s")
                continue
            except InterruptedTransfer as error:
                await self._broke(str(error))
                continue
            if not data and self.size is not None and self._at < self.size:
                await self._broke(f"it ended after {self._at:,} of {self.size:,} bytes", truncated=True)
                continue
            return self._counted(data)

    def _counted(self, data: bytes) -> bytes:
        self._at += len(data)
        if self.size is not None and self._at > self.size:
            reason = f"it has {self.size:,} bytes, and more came"
            raise IntegrityError(reason, uri=self._shown)
        if data:
            self._breaks, self._pause = 0, _BACKOFF.first()
        return data

    async def _connect(self) -> Body:
        while True:
            try:
                with anyio.fail_after(self._stall):
                    body = await self._origin.get(self._at, self._tag)
            except TimeoutError:
                await self._broke(f"no answer came for {self._stall:g} s")
                continue
            except InterruptedTransfer as error:
                await self._broke(str(error))
                continue
            self._body = body
            if self._at and (body.size, body.tag) != (self.size, self._tag):
                reason = "it was changed while it was read"
                raise IntegrityError(reason, uri=self._shown)
            return body

    async def _broke(self, reason: str, *, truncated: bool = False) -> None:
        await self._drop()
        self._breaks += 1
        if self._breaks > _MOST_BREAKS:
            kind = IntegrityError if truncated else StorageError
            raise kind(f"{reason} (tried {self._breaks} times)", uri=self._shown)
        await anyio.sleep(self._pause.length(random.random))
        self._pause = self._pause.next(moved=False)

    async def _drop(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            await body.close()

    async def aclose(self) -> None:
        """Give up what is open."""
        with anyio.CancelScope(shield=True):
            await self._drop()

    # --- as what a user reads from ------------------------------------------------------------------------------------

    async def read(self, n: int = -1) -> bytes:
        """Return the next ``n`` bytes, or all that are left; fewer only at the end; errors as :meth:`chunk`."""
        taken: list[bytes] = []
        left = n
        while left:
            data = await self.chunk()
            if not data:
                break
            if 0 <= left < len(data):
                data, self._rest = data[:left], data[left:]
            left -= len(data) if n >= 0 else 0
            taken.append(data)
        # Above a megabyte a join lets go of the interpreter lock, and below it takes no time.
        if len(taken) * CHUNK_BYTES > _JOIN_IN_PLACE:
            return await anyio.to_thread.run_sync(b"".join, taken)
        return b"".join(taken)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while data := await self.chunk():
            yield data


_JOIN_IN_PLACE: Final = 4 * CHUNK_BYTES


class Verifier:
    """Compares what came with the digest that the store gave, where it gave one.

    Args:
        incoming: The object, which has begun.
        shown: Its URI, for the error.
    """

    def __init__(self, incoming: Incoming, shown: str) -> None:
        self._expected = incoming.md5
        self._shown = shown
        self._digest = hashlib.md5(usedforsecurity=False)

    def update(self, data: bytes) -> None:
        """Take a chunk; a millisecond for a megabyte, so not on the loop."""
        if self._expected is not None:
            self._digest.update(data)

    def check(self) -> None:
        """Compare.

        Raises:
            IntegrityError: They differ.
        """
        if self._expected is not None and self._digest.digest() != self._expected:
            reason = "what came does not have the MD5 digest that the store gives"
            raise IntegrityError(reason, uri=self._shown)
