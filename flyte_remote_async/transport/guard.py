"""Refuse calls where or when the client cannot be used, instead of letting them hang or break something."""

from __future__ import annotations

import asyncio
import os
import warnings
from typing import TYPE_CHECKING, Any

from flyte_remote_async.errors import (
    ClosedError,
    ForkedProcessError,
    RPCCancelledError,
    UnsupportedLoopError,
    WrongLoopError,
)
from flyte_remote_async.transport.status import too_large

if TYPE_CHECKING:
    from flyte_remote_async.errors import ClientStateError
    from flyte_remote_async.transport.base import Metadata, Method, Reply, Transport

__all__ = ["Guard", "running_loop"]


def running_loop() -> asyncio.AbstractEventLoop:
    """Return the running asyncio loop.

    Raises:
        UnsupportedLoopError: There is none: the caller runs under trio, or outside any event loop.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise UnsupportedLoopError(
            "no asyncio event loop is running here: gRPC for Python runs on asyncio alone (not under trio), and a "
            "remote is opened and used inside of a coroutine"
        ) from None


class Guard:
    """The outermost transport: it belongs to the loop and process that it was made in, until it is closed.

    Args:
        inner: What makes the calls.
        endpoint: Host and port, for messages.
        max_request_bytes: The largest request that is sent.

    Raises:
        UnsupportedLoopError: It is made outside an asyncio event loop.
    """

    _closed = True  # until __init__ is through, for __del__

    def __init__(self, inner: Transport, *, endpoint: str, max_request_bytes: int) -> None:
        self._loop = running_loop()
        self._pid = os.getpid()
        self._inner = inner
        self._endpoint = endpoint
        self._max_request_bytes = max_request_bytes
        self._calls: set[_Call] = set()
        self._closed = False

    async def unary(
        self, method: Method[Any, Any], request: bytes, *, timeout: float | None = None, metadata: Metadata = ()
    ) -> Reply:
        """Make one call; see :class:`~flyte_remote_async.transport.base.Transport`."""
        task = self.check(method.name)
        if len(request) > self._max_request_bytes:
            raise self._too_large(method, len(request))
        call = _Call(task)
        self._calls.add(call)
        try:
            return await self._inner.unary(method, request, timeout=timeout, metadata=metadata)
        except BaseException as error:
            if call.is_cut and task.uncancel() <= call.cancelling:
                raise self._closed_under(method.name) from None
            if isinstance(error, asyncio.CancelledError) and not task.cancelling():
                # Nobody cancelled this task: passed on, it would end a task of a group without a word.
                raise self._cancelled_below(method) from error
            raise
        finally:
            self._calls.discard(call)

    def check(self, name: str) -> asyncio.Task[Any]:
        """Return the running task, which may use the transport.

        Args:
            name: What it is about to do, for messages.

        Raises:
            ClientStateError: The transport is closed, or this is another loop or process.
        """
        try:
            task = asyncio.current_task()
        except RuntimeError:  # no loop; asyncio sees to it that a forked child has none, either
            task = None
        if self._closed or task is None or task.get_loop() is not self._loop:
            raise self._refusal(name)
        return task

    def _refusal(self, name: str) -> ClientStateError:
        if os.getpid() != self._pid:
            return ForkedProcessError(
                f"{name}: the remote for {self._endpoint} was opened before this process was forked, and gRPC does not "
                "survive that: open a remote in each process, after the fork"
            )
        if self._closed:
            return ClosedError(f"{name}: the remote for {self._endpoint} is closed: open a new one")
        try:
            running_loop()
        except UnsupportedLoopError as error:
            return error
        return WrongLoopError(
            f"{name}: the remote for {self._endpoint} belongs to another event loop: open one in each loop"
        )

    def _closed_under(self, name: str) -> ClosedError:
        return ClosedError(f"{name}: the remote for {self._endpoint} was closed while the call was in flight")

    def _cancelled_below(self, method: Method[Any, Any]) -> RPCCancelledError:
        return RPCCancelledError(
            "the call was cancelled, and not by its caller", method=method.name, endpoint=self._endpoint
        )

    def _too_large(self, method: Method[Any, Any], size: int) -> Exception:
        limit = self._max_request_bytes
        return too_large(
            f"the request is larger than max ({size} vs. {limit}), and was not sent",
            size,
            limit,
            method,
            self._endpoint,
        )

    async def aclose(self) -> None:
        """Close the transport; calls in flight end with :class:`ClosedError`. Closing twice is fine.

        Raises:
            WrongLoopError: Another event loop opened it.
        """
        if self._closed:
            return
        if os.getpid() != self._pid:
            # What is below belongs to the parent; a child that lets go of it must not touch it.
            self._closed = True
            return
        if running_loop() is not self._loop:
            raise self._refusal("aclose")
        self._closed = True
        for call in self._calls:
            call.cut()
        await self._inner.aclose()

    def __del__(self) -> None:
        if not self._closed and os.getpid() == self._pid:
            message = f"the remote for {self._endpoint} was never closed: use `async with`, or await its aclose()"
            warnings.warn(message, ResourceWarning, source=self, stacklevel=1)


class _Call:
    """A call in flight, which a close can end by cancelling its task, as ``asyncio.timeout`` does."""

    __slots__ = ("cancelling", "is_cut", "task")

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self.task = task
        self.cancelling = task.cancelling()
        self.is_cut = False

    def cut(self) -> None:
        self.is_cut = True
        self.task.cancel()
