"""Listens on the HTTP port. What serves it is imported when the first request comes: most servers never get one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp

__all__ = ["HTTPPort"]

_LOG: Final = logging.getLogger(__name__)
_BACKLOG: Final = 512
_LONGEST_STOP: Final = 1


class HTTPPort:
    """An HTTP server in the running event loop.

    Args:
        make: Makes the application; called once, in a worker thread.
    """

    def __init__(self, make: Callable[[], ASGIApp]) -> None:
        self._make = make
        self._listening: socket.socket | None = None
        self._server: Any = None
        self._serving: asyncio.Task[None] | None = None
        self._closed = False

    def listen(self, host: str, port: int) -> int:
        """Listen, and return the port. Requests wait until they are served.

        Args:
            host: Address to listen on.
            port: Port to listen on; 0 takes a free one.

        Raises:
            OSError: The address cannot be listened on, for example because the port is taken.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        except OSError as error:
            raise OSError(error.errno, f"cannot listen on {host}:{port} for HTTP: {error.strerror}") from error
        # Connections take it over. asyncio sees no TCP in sockets of this kind, and an answer would wait for 40 ms.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.settimeout(0)
        self._listening = listening
        asyncio.get_running_loop().add_reader(listening, self._begin)
        return int(listening.getsockname()[1])

    def _begin(self) -> None:
        listening = self._listening
        assert listening is not None  # noqa: S101 - the reader is removed with it
        asyncio.get_running_loop().remove_reader(listening)
        self._serving = asyncio.create_task(self._serve(listening), name="devserver HTTP")

    async def _serve(self, listening: socket.socket) -> None:
        try:
            # What is imported in a thread cannot be stopped: who closes meanwhile waits for it.
            with anyio.CancelScope(shield=True):
                self._server = await anyio.to_thread.run_sync(_server, self._make)
            if not self._closed:
                await self._server.serve(sockets=[listening])
        except Exception:  # noqa: BLE001 - the port is one part of the server: what fails is told
            _LOG.exception("the devserver's HTTP port failed")
            listening.close()

    async def aclose(self) -> None:
        """Stop listening, and end what is under way. Closing twice is fine."""
        self._closed = True
        listening, self._listening = self._listening, None
        if listening is None:
            return
        if self._serving is None:
            asyncio.get_running_loop().remove_reader(listening)
        else:
            if self._server is not None:
                self._server.should_exit = True
            await asyncio.wait([self._serving])
        listening.close()


def _server(make: Callable[[], ASGIApp]) -> Any:
    import uvicorn

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # signals belong to the program that this server is a part of

    config = uvicorn.Config(
        make(),
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_LONGEST_STOP,
    )
    config.load()
    return Server(config)
