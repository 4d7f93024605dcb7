"""The two faces of the devserver, gRPC and in process, and how they go down and come back."""

from __future__ import annotations

import contextlib
import ipaddress
import weakref
from typing import TYPE_CHECKING, Final

import anyio

from flyte_remote_async.concurrency import to_the_end
from flyte_remote_async.devserver.faces.inprocess import InProcessTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from flyte_remote_async.devserver.faces.dispatch import Handler
    from flyte_remote_async.devserver.faces.serving import Serving

__all__ = ["Faces"]

_TRIES: Final = 100
_PAUSE: Final = 0.02


class Faces:
    """What clients of the devserver talk to.

    Args:
        handlers: Path of an RPC to what answers it.
        host: Address to listen on.

    Attributes:
        port: The port that it listens on, or did.
    """

    def __init__(self, handlers: Mapping[str, Handler], host: str) -> None:
        self.port = 0
        self._handlers = handlers
        self._host = host
        self._serving: Serving | None = None
        self._transports: weakref.WeakSet[InProcessTransport] = weakref.WeakSet()
        self._is_down = False
        self._is_closed = False

    async def open(self, port: int = 0) -> None:
        """Listen.

        Args:
            port: The port; 0 takes a free one.

        Raises:
            OSError: The address cannot be listened on, for example because the port is taken.
        """
        # Loads grpc, which whoever only imports this module does without.
        from flyte_remote_async.devserver.faces.serving import Serving

        serving = Serving(self._handlers)
        self.port = await serving.start(self._host, port)
        self._serving = serving
        if self._is_closed:  # while it was opening
            await self._stop()

    @property
    def is_open_to_others(self) -> bool:
        """Whether other machines may reach it."""
        if self._host == "localhost" or self._host.startswith("unix:"):
            return False
        try:
            return not ipaddress.ip_address(self._host.strip("[]")).is_loopback
        except ValueError:  # a name, which may mean anything
            return True

    async def aclose(self, grace: float | None = None) -> None:
        """Stop listening, for good: an outage that goes on meanwhile ends without coming back. Closing twice is fine.

        Args:
            grace: Seconds that calls in flight may still take; None ends them at once.
        """
        self._is_closed = True
        await self._stop(grace)

    async def _stop(self, grace: float | None = None) -> None:
        serving, self._serving = self._serving, None
        if serving is not None:
            await serving.stop(grace)

    def transport(self) -> InProcessTransport:
        """Return a transport that needs no socket."""
        transport = InProcessTransport(self._handlers)
        if self._is_down:
            transport.disconnect()
        self._transports.add(transport)
        return transport

    @contextlib.asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        """Be down inside of the block: connections are reset, calls in flight are lost, new ones are refused."""
        try:
            self._is_down = True
            for transport in self._transports:
                transport.disconnect()
            if self._serving is not None:
                await self._serving.cut()
            await self._stop()
            yield
        finally:
            await to_the_end(self._end_outage())

    async def _end_outage(self) -> None:
        await self._stop()  # it is open where the outage was cancelled before it had begun
        await self._open_again()
        if self._is_closed:
            return
        self._is_down = False
        for transport in self._transports:
            transport.reconnect()

    async def goaway(self, grace: float) -> None:
        """Tell all clients to go away, and take their new connections.

        Args:
            grace: Seconds that calls in flight may still take.
        """
        before, self._serving = self._serving, None
        async with anyio.create_task_group() as both:
            if before is not None:
                both.start_soon(before.stop, grace)
            await to_the_end(self._open_again())

    async def _open_again(self) -> None:
        for left in reversed(range(_TRIES)):
            if self._is_closed:
                return
            try:
                await self.open(self.port)
            except OSError:
                # gRPC lets go of the port a moment after it has said so.
                if not left:
                    raise
                await anyio.sleep(_PAUSE)
            else:
                return
