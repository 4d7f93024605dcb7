"""A devserver in a process of its own."""

from __future__ import annotations

import asyncio
import multiprocessing
from typing import TYPE_CHECKING, Self

from flyte_remote_async.devserver import DevServer

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

__all__ = ["Server"]


def _serve(pipe: Connection) -> None:
    async def run() -> None:
        async with DevServer() as server:
            pipe.send(server.endpoint)
            await asyncio.to_thread(pipe.recv)

    asyncio.run(run())


class Server:
    """A devserver that stops with the ``with`` block.

    Attributes:
        endpoint: Where it listens.
        pid: Its process.
    """

    def __enter__(self) -> Self:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,))
        self._process.start()
        self.endpoint: str = self._pipe.recv()
        self.pid: int = self._process.pid or 0
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.send("stop")
        self._process.join(30)
        self._process.kill()
