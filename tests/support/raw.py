"""RPCs by name with bare grpc.aio and flyteidl, without any class of the package between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc.aio

from flyte_remote_async.transport.methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyte_remote_async.transport.base import Transport

__all__ = ["METHOD", "Asking", "call"]

# The last channel or server of a process takes grpc.aio's poller thread along, and joins it on the loop.
grpc.aio.init_grpc_aio()

METHOD = {method.name: method for method in METHODS.values()}


async def call(endpoint: str, name: str, request: Mapping[str, Any]) -> Any:
    """Make one call over a channel of its own; a refusal is a ``grpc.aio.AioRpcError``."""
    method = METHOD[name]
    async with grpc.aio.insecure_channel(endpoint) as channel:
        unary = channel.unary_unary(
            method.path,
            request_serializer=method.request_type.SerializeToString,
            response_deserializer=method.response_type.FromString,
        )
        return await unary(method.request_type(**request))


class Asking:
    """RPCs by name over a transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def __call__(self, name: str, /, **request: Any) -> Any:
        """Make one call; a refusal is an RPCError."""
        method = METHOD[name]
        reply = await self._transport.unary(method, method.request_type(**request).SerializeToString())
        return method.response_type.FromString(reply.message)
