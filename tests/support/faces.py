"""The ways to reach a set of handlers, for the contract that all transports keep."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Protocol

from flyte_remote_async.devserver.faces.inprocess import InProcessTransport
from flyte_remote_async.devserver.faces.serving import Serving
from flyte_remote_async.policy.retry import RetryPolicy
from flyte_remote_async.transport.connect import connect, wrap
from flyte_remote_async.transport.target import Target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from contextlib import AbstractAsyncContextManager

    from flyte_remote_async.devserver.faces.serving import Handler
    from flyte_remote_async.transport.base import Transport
    from flyte_remote_async.transport.connect import Backend

__all__ = ["FACES", "NETWORK_FACES", "Face"]

# Retries without pauses: a test waits for nothing.
AT_ONCE = RetryPolicy(initial=0)


class Face(Protocol):
    """Open a transport to handlers, and close it with what serves them."""

    def __call__(
        self, handlers: Mapping[str, Handler], *, max_message_bytes: int = ...
    ) -> AbstractAsyncContextManager[Transport]: ...


@asynccontextmanager
async def _over_grpc(
    backend: Backend, handlers: Mapping[str, Handler], *, max_message_bytes: int = 64 * 1024 * 1024
) -> AsyncIterator[Transport]:
    async with Serving(handlers) as serving:
        target = Target.parse(f"127.0.0.1:{await serving.start()}", insecure=True)
        transport = connect(target, backend=backend, policy=AT_ONCE, max_message_bytes=max_message_bytes)
        try:
            yield transport
        finally:
            await transport.aclose()


@asynccontextmanager
async def _in_process(
    handlers: Mapping[str, Handler], *, max_message_bytes: int = 64 * 1024 * 1024
) -> AsyncIterator[Transport]:
    transport = wrap(
        lambda: InProcessTransport(handlers),
        endpoint="in process",
        policy=AT_ONCE,
        max_message_bytes=max_message_bytes,
    )
    try:
        yield transport
    finally:
        await transport.aclose()


NETWORK_FACES: Mapping[str, Face] = {"grpcio": partial(_over_grpc, "grpcio"), "grpclib": partial(_over_grpc, "grpclib")}
FACES: Mapping[str, Face] = {**NETWORK_FACES, "in process": _in_process}
