"""From the bytes of a call to the function that serves its RPC, and back: what both faces of the devserver serve."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from google.protobuf.message import DecodeError

from flyte_remote_async.errors import InternalError, UnimplementedError
from flyte_remote_async.transport.methods import METHODS

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Awaitable, Callable, Mapping

    from flyte_remote_async.devserver.faults import Faults
    from flyte_remote_async.transport.base import Metadata, Method, Reply, Request, Response

__all__ = ["MAX_REQUEST_BYTES", "Handler", "Registry", "refusal_of_size"]

MAX_REQUEST_BYTES: Final = 4 * 1024 * 1024
"""The largest request that grpc-go, and so flyteadmin, takes unless it is told otherwise."""


def refusal_of_size(request: bytes, limit: int = MAX_REQUEST_BYTES) -> str | None:
    """Return in grpc-go's words why a request is refused for its size; None for one that is taken."""
    size = len(request)
    return f"grpc: received message larger than max ({size} vs. {limit})" if size > limit else None


class Handler(Protocol):
    """Serves one RPC; an :class:`RPCError` that it raises is its refusal."""

    async def __call__(self, request: bytes, metadata: Metadata) -> bytes | Reply:
        """Take the bytes of the request, return the bytes of the response, or a whole reply."""
        ...


class Registry:
    """The handlers of the RPCs that the devserver serves.

    Args:
        faults: What goes wrong around each call.
        requests: Where each request is counted, by the name of its RPC.
    """

    def __init__(self, faults: Faults, requests: Counter[str]) -> None:
        self._faults = faults
        self._requests = requests
        self._handlers: dict[str, Handler] = {}

    def add(self, method: Method[Request, Response], serve: Callable[[Request], Awaitable[Response]]) -> None:
        """Serve an RPC with a function from request message to response message."""
        request_type: type[Request] = method.request_type

        async def handle(request: bytes, metadata: Metadata) -> bytes:  # noqa: ARG001 - as the protocol has it
            try:
                message = request_type.FromString(request)
            except DecodeError as error:
                raise InternalError(f"grpc: error unmarshalling request: {error}", method=method.name) from error
            return (await serve(message)).SerializeToString()

        self._handlers[method.path] = handle

    def handlers(self) -> Mapping[str, Handler]:
        """Return a handler for each RPC of the control plane; those that were not added are refused."""
        handlers = {path: self._handlers.get(path) or _refuse(method) for path, method in METHODS.items()}
        return {path: self._watched(METHODS[path].name, handler) for path, handler in handlers.items()}

    def unwatched(self) -> Mapping[str, Handler]:
        """Return the handlers for the devserver's own page: its calls are not counted, and faults are not for it."""
        return self._handlers

    def _watched(self, name: str, handler: Handler) -> Handler:
        async def handle(request: bytes, metadata: Metadata) -> bytes | Reply:
            self._requests[name] += 1
            return await self._faults.around(name, partial(handler, request, metadata))

        return handle


_ABOUT_AUTHENTICATION: Final = {"GetOAuth2Metadata", "GetPublicClientConfig", "UserInfo"}


def _refuse(method: Method[Any, Any]) -> Handler:
    service = method.path.split("/")[1]
    # Flyte without authentication has no services about it at all; the words are grpc-go's.
    is_unknown = method.name in _ABOUT_AUTHENTICATION
    details = f"unknown service {service}" if is_unknown else f"unknown method {method.name} for service {service}"

    async def handle(request: bytes, metadata: Metadata) -> bytes:  # noqa: ARG001 - as the protocol has it
        raise UnimplementedError(details, method=method.name)

    return handle
