"""A proxy in a process of its own: it adds a round-trip delay, and counts calls and bytes.

It forwards TCP and reads along: each HEADERS frame from the client is a call, and names its RPC. So both sides are
counted by the same ruler, outside of both.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import multiprocessing
from typing import TYPE_CHECKING, Any, Final, Self

import attrs
import hpack

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

__all__ = ["Counts", "Proxy"]

_PREFACE: Final = len(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
_FRAME_HEADER: Final = 9
_HEADERS: Final = 1
_PADDED, _PRIORITY = 0x8, 0x20
_CHUNK: Final = 256 * 1024


@attrs.frozen
class Counts:
    """What went through since the last reset: calls by the name of their RPC, and bytes in either direction."""

    calls: dict[str, int]
    sent: int
    received: int

    @property
    def requests(self) -> int:
        """All calls."""
        return sum(self.calls.values())


class _Reader:
    """Reads the frames that a client sends, and tells the RPCs that it calls."""

    def __init__(self) -> None:
        self._left = bytearray()
        self._skip = _PREFACE
        self._decoder = hpack.Decoder()

    def feed(self, data: bytes) -> list[str]:
        called: list[str] = []
        self._left += data
        while self._take(called):
            pass
        return called

    def _take(self, called: list[str]) -> bool:
        if self._skip:
            taken = min(self._skip, len(self._left))
            self._skip -= taken
            del self._left[:taken]
            return bool(self._left)
        if len(self._left) < _FRAME_HEADER:
            return False
        length, kind, flags = int.from_bytes(self._left[:3]), self._left[3], self._left[4]
        if kind != _HEADERS:
            del self._left[:_FRAME_HEADER]
            self._skip = length
            return True
        if len(self._left) < _FRAME_HEADER + length:
            return False
        block = bytes(self._left[_FRAME_HEADER : _FRAME_HEADER + length])
        del self._left[: _FRAME_HEADER + length]
        for name, value in self._decoder.decode(_without_padding(block, flags), raw=True):
            if name == b":path":
                called.append(value.decode().rsplit("/", 1)[1])
        return True


def _without_padding(block: bytes, flags: int) -> bytes:
    padding = 0
    if flags & _PADDED:
        padding, block = block[0], block[1:]
    if flags & _PRIORITY:
        block = block[5:]
    return block[: len(block) - padding]


class _Forwarder:
    """The proxy itself, on the loop of its process."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self.delay = 0.0
        self.reset()

    def reset(self) -> None:
        self.calls: collections.Counter[str] = collections.Counter()
        self.sent = self.received = 0

    def counts(self) -> Counts:
        return Counts(dict(self.calls), self.sent, self.received)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.close()
            return
        frames = _Reader()

        def sent(data: bytes) -> None:
            self.sent += len(data)
            self.calls.update(frames.feed(data))

        def received(data: bytes) -> None:
            self.received += len(data)

        with contextlib.suppress(asyncio.CancelledError):  # only the end of this process cancels it
            await asyncio.gather(
                self._forward(reader, there_writer, sent), self._forward(there_reader, writer, received)
            )

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Callable[[bytes], None]
    ) -> None:
        line: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        out = asyncio.create_task(_write_on_time(line, writer))
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                seen(data)
                line.put_nowait((loop.time() + self.delay / 2, data))
        line.put_nowait((loop.time() + self.delay / 2, b""))
        await out


async def _write_on_time(line: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        while True:
            at, data = await line.get()
            if (left := at - loop.time()) > 0:
                await asyncio.sleep(left)
            if not data:
                break
            writer.write(data)
            await writer.drain()
    writer.close()


def _serve(pipe: Connection, host: str, port: int) -> None:
    async def run() -> None:
        forwarder = _Forwarder(host, port)
        server = await asyncio.start_server(forwarder.connected, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        while (command := await asyncio.to_thread(pipe.recv)) != "stop":
            if command == "reset":
                forwarder.reset()
            elif command != "counts":
                forwarder.delay = command
            pipe.send(forwarder.counts())
        server.close()

    asyncio.run(run())


class Proxy:
    """The proxy, from outside.

    Args:
        endpoint: Where it forwards to, as ``host:port``.
    """

    def __init__(self, endpoint: str) -> None:
        context = multiprocessing.get_context("spawn")
        host, port = endpoint.rsplit(":", 1)
        self._pipe, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(target=_serve, args=(theirs, host, int(port)), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        self.endpoint = f"127.0.0.1:{self._pipe.recv()}"
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.send("stop")
        self._process.join(5)
        self._process.kill()

    def delay(self, seconds: float) -> None:
        """Set the round-trip delay."""
        self._ask(float(seconds))

    def reset(self) -> None:
        """Count from zero again."""
        self._ask("reset")

    def counts(self) -> Counts:
        """Return what was counted."""
        return self._ask("counts")

    def _ask(self, command: Any) -> Counts:
        self._pipe.send(command)
        answer: Counts = self._pipe.recv()
        return answer

    async def counted(self, work: Awaitable[Any]) -> Counts:
        """Await something and return what it sent and received."""
        self.reset()
        await work
        return self.counts()
