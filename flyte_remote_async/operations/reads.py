"""The reads of one look: so many at one time, and whose the failure of each is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flyte_remote_async.errors import (
    InternalError,
    InvalidArgumentError,
    MalformedMessageError,
    NotFoundError,
    PermissionDeniedError,
    RPCError,
    UnimplementedError,
    UnknownError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import anyio

    from flyte_remote_async.operations.drafts import NodeDraft

__all__ = ["Reads"]

# These say something of the node; the others say that the control plane cannot be asked, which is for the caller.
_OF_THE_NODE: Final = (
    NotFoundError,
    PermissionDeniedError,
    InvalidArgumentError,
    UnimplementedError,
    InternalError,
    UnknownError,
    MalformedMessageError,
)


class Reads:
    """Reads for one look.

    Args:
        limiter: Bounds the reads of a remote at one time.
    """

    def __init__(self, limiter: anyio.CapacityLimiter) -> None:
        self._limiter = limiter

    async def plain(self, read: Callable[..., Awaitable[Any]], *args: Any, **named: Any) -> Any:
        """Return what a read gives, when it is its turn."""
        async with self._limiter:
            return await read(*args, **named)

    async def of(self, node: NodeDraft | None, read: Callable[..., Awaitable[Any]], *args: Any, **named: Any) -> Any:
        """Return what a read gives; None, with the problem noted on the node, when the node is what is wrong."""
        try:
            return await self.plain(read, *args, **named)
        except _OF_THE_NODE as error:
            if node is None:
                raise
            node.problem = str(error)
            return None

    async def may_fail(self, read: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        """Return what a read gives that the tree can do without; None when it cannot be had now."""
        try:
            return await self.plain(read, *args)
        except (RPCError, MalformedMessageError):
            return None
