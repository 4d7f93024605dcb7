"""The devserver's face for its own process: a transport that calls the handlers, with no socket and no gRPC between."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import anyio

from flyte_remote_async.devserver.faces.dispatch import refusal_of_size
from flyte_remote_async.devserver.faults import ConnectionCutError
from flyte_remote_async.errors import (
    ClosedError,
    DeadlineExceededError,
    InternalError,
    RPCError,
    UnavailableError,
    UnimplementedError,
)
from flyte_remote_async.transport.base import Reply
from flyte_remote_async.transport.status import status_error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from flyte_remote_async.transport.base import Metadata, Method, Request, Response

__all__ = ["InProcessTransport"]

_ENDPOINT = "in process"


class InProcessTransport:
    """A transport over handlers, which behaves as a connection to a server that serves them.

    Args:
        handlers: Path of an RPC to its handler: the bytes of the request and the metadata in, the bytes of the response
            (or a whole reply) out. A handler refuses by raising an :class:`RPCError`; all else it raises is INTERNAL.
    """

    def __init__(self, handlers: Mapping[str, Callable[[bytes, Metadata], Awaitable[bytes | Reply]]]) -> None:
        self._handlers = handlers
        self._closed = False
        self._is_down = False
        self._calls: set[anyio.CancelScope] = set()

    async def unary(
        self,
        method: Method[Request, Response],
        request: bytes,
        *,
        timeout: float | None = None,
        metadata: Metadata = (),
    ) -> Reply:
        """Make one call; see :class:`flyte_remote_async.transport.base.Transport`."""
        if self._closed:
            raise ClosedError("the transport to the devserver is closed")
        if self._is_down:
            raise UnavailableError("connection refused: the devserver is down", method=method.name, endpoint=_ENDPOINT)
        if timeout is not None and timeout <= 0:
            raise DeadlineExceededError("Deadline Exceeded", method=method.name, endpoint=_ENDPOINT)
        # The handler runs in the caller's task, so a cancelled call leaves nothing behind.
        deadline = math.inf if timeout is None else anyio.current_time() + timeout
        with anyio.CancelScope(deadline=deadline) as call:
            self._calls.add(call)
            try:
                return await self._serve(method, request, metadata)
            finally:
                self._calls.discard(call)
        if self._closed:
            raise ClosedError(f"the transport to the devserver was closed while {method.name} was in flight")
        if call.cancel_called and self._is_down:
            raise UnavailableError("connection reset: the devserver went down", method=method.name, endpoint=_ENDPOINT)
        raise DeadlineExceededError("Deadline Exceeded", method=method.name, endpoint=_ENDPOINT)

    def disconnect(self) -> None:
        """Refuse calls until :meth:`reconnect`, as a server that is down; calls in flight are lost."""
        self._is_down = True
        for call in tuple(self._calls):
            call.cancel()

    def reconnect(self) -> None:
        """Take calls again."""
        self._is_down = False

    async def aclose(self) -> None:
        """Close the transport; calls in flight end with :class:`ClosedError`. Closing twice is fine."""
        self._closed = True
        for call in tuple(self._calls):
            call.cancel()

    async def _serve(self, method: Method[Request, Response], request: bytes, metadata: Metadata) -> Reply:
        handler = self._handlers.get(method.path)
        if handler is None:
            raise UnimplementedError(f"unknown method {method.name}", method=method.name, endpoint=_ENDPOINT)
        if details := refusal_of_size(request):
            raise status_error("RESOURCE_EXHAUSTED", details, method, _ENDPOINT)
        try:
            answer = await handler(request, metadata)
        except RPCError as error:
            error.method = error.method or method.name
            error.endpoint = _ENDPOINT
            raise
        except ConnectionCutError as error:
            raise UnavailableError(str(error), method=method.name, endpoint=_ENDPOINT) from error
        except ClosedError as error:
            # The server is closed and not this transport, which is what a refused connection would say.
            raise UnavailableError(str(error), method=method.name, endpoint=_ENDPOINT) from error
        except Exception as error:
            raise InternalError(f"{type(error).__name__}: {error}", method=method.name, endpoint=_ENDPOINT) from error
        return answer if isinstance(answer, Reply) else Reply(answer)
