"""A web server on loopback that serves objects, or fails to, each in one way."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import attrs

from tests.support.faults import tcp_server

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator

__all__ = ["CANARY", "Objects", "objects"]

# What signs a URL: it must not show anywhere.
CANARY = "c4n4ry51gn4ture"


@attrs.define
class Objects:
    """What the server has, by path.

    Attributes:
        port: Where it listens.
        bodies: The bytes of objects; ``403`` for others than these and those below.
        statuses: Statuses to answer with instead.
        truncated: Objects of which only the first half is sent.
        hanging: Objects whose body never comes.
        asked: The paths that were asked for.
    """

    port: int
    bodies: dict[str, bytes] = attrs.field(factory=dict)
    statuses: dict[str, str] = attrs.field(factory=dict)
    truncated: set[str] = attrs.field(factory=set)
    hanging: set[str] = attrs.field(factory=set)
    asked: list[str] = attrs.field(factory=list)

    def url(self, path: str) -> str:
        """Return a signed URL."""
        return f"http://user:{CANARY}@127.0.0.1:{self.port}{path}?X-Amz-Signature={CANARY}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the one request of a connection."""
        head = await reader.readuntil(b"\r\n\r\n")
        path, _, query = head.split(b" ")[1].decode().partition("?")
        self.asked.append(path)
        body = self.bodies.get(path, b"")
        is_signed = query == f"X-Amz-Signature={CANARY}"
        status = self.statuses.get(path, "200 OK" if is_signed and path in self.bodies else "403 Forbidden")
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode())
        if path in self.hanging:
            await writer.drain()
            await reader.read()
            return
        writer.write(body[: len(body) // 2] if path in self.truncated else body)
        await writer.drain()


@asynccontextmanager
async def objects() -> AsyncIterator[Objects]:
    """Serve objects on loopback."""
    served: list[Objects] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await served[0].serve(reader, writer)

    async with tcp_server(serve) as port:
        served.append(Objects(port))
        yield served[0]
