"""Replace a channel that fails again and again.

A connection that a firewall forgot looks alive for a quarter of an hour, and every retry goes into it. After a few
failures in a row with no success between them, new calls get a new channel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import anyio

from flyte_remote_async.errors import DeadlineExceededError, RPCError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyte_remote_async.transport.base import Metadata, Method, Reply, Transport

__all__ = ["ChannelReplacer"]

FAILURES: Final = 3


class ChannelReplacer:
    """A transport over a channel that it replaces after :data:`FAILURES` failures in a row.

    The channel that is replaced is closed when the last call on it has ended, so no call is cut that may succeed.

    Args:
        connect: Makes a channel; the first one at once.
    """

    def __init__(self, connect: Callable[[], Transport]) -> None:
        self._connect = connect
        self._lane = _Lane(connect())
        self._draining: set[_Lane] = set()

    async def unary(
        self, method: Method[Any, Any], request: bytes, *, timeout: float | None = None, metadata: Metadata = ()
    ) -> Reply:
        """Make one call; see :class:`~flyte_remote_async.transport.base.Transport`."""
        lane = self._lane
        lane.in_flight += 1
        try:
            reply = await lane.transport.unary(method, request, timeout=timeout, metadata=metadata)
        except RPCError as error:
            # Any other status is an answer, and an answer shows that the channel works.
            failed = isinstance(error, (DeadlineExceededError, UnavailableError))
            lane.failures = lane.failures + 1 if failed else 0
            if lane.failures >= FAILURES and lane is self._lane:
                self._replace()
            raise
        else:
            lane.failures = 0
            return reply
        finally:
            lane.in_flight -= 1
            if not lane.in_flight and lane is not self._lane:
                await self._retire(lane)

    def _replace(self) -> None:
        self._draining.add(self._lane)
        self._lane = _Lane(self._connect())

    async def _retire(self, lane: _Lane) -> None:
        if lane in self._draining:
            self._draining.remove(lane)
            # The call that leaves last may be a cancelled one.
            with anyio.CancelScope(shield=True):
                await lane.transport.aclose()

    async def aclose(self) -> None:
        """Close all channels."""
        lanes = [self._lane, *self._draining]
        self._draining.clear()
        for lane in lanes:
            await lane.transport.aclose()


class _Lane:
    """One channel, and how it fares."""

    __slots__ = ("failures", "in_flight", "transport")

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.in_flight = 0
        self.failures = 0
