"""Real gRPC in front of handlers that take and give bytes."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, TypeAlias, cast

import anyio
import anyio.to_thread
import attrs
import grpc
import grpc.aio

from flyte_remote_async.concurrency import to_the_end
from flyte_remote_async.devserver.faces.connections import cut_connections
from flyte_remote_async.devserver.faces.dispatch import MAX_REQUEST_BYTES, refusal_of_size
from flyte_remote_async.devserver.faults import ConnectionCutError
from flyte_remote_async.errors import RPCError
from flyte_remote_async.transport.base import Reply
from flyte_remote_async.transport.methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from types import TracebackType

    from flyte_remote_async.transport.base import Metadata

__all__ = ["Handler", "ServerTLS", "Serving"]

_LOG: Final = logging.getLogger(__name__)

# Requests up to so many times the limit are received, to be refused in Flyte's words. What is larger still gRPC does
# not even read.
_RECEIVED: Final = 16
_SERVICES: Final = frozenset(method.service for method in METHODS.values())


class Handler(Protocol):
    """Answer one RPC: bytes of the request in, bytes of the response out.

    An :class:`~flyte_remote_async.errors.RPCError` that it raises is the status of the call, with its details and
    trailing metadata; any other exception is ``INTERNAL``.
    """

    async def __call__(self, request: bytes, metadata: Metadata) -> bytes | Reply:
        """Answer one request."""
        ...


@attrs.frozen(kw_only=True)
class ServerTLS:
    """What a server shows to its clients, in PEM.

    Attributes:
        key: Its private key.
        certificate: Its certificate chain.
        client_ca: Certificates that clients must be signed by; None asks clients for none.
    """

    key: bytes = attrs.field(repr=False)
    certificate: bytes
    client_ca: bytes | None = None


class Serving:
    """A gRPC server over handlers, in the running event loop.

    Args:
        handlers: Path of an RPC to what answers it. An RPC without a handler is ``UNIMPLEMENTED``.
        max_receive_bytes: The largest request that is taken.
        tls: Serve TLS; None serves plaintext.

    Example:
        >>> async with Serving(handlers) as serving:
        ...     port = await serving.start()
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        *,
        max_receive_bytes: int = MAX_REQUEST_BYTES,
        tls: ServerTLS | None = None,
    ) -> None:
        self._handlers = handlers
        self._max_receive_bytes = max_receive_bytes
        self._tls = tls
        self._server: grpc.aio.Server | None = None
        self._port = 0

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen, and return the port.

        Args:
            host: Address to listen on, or ``unix:PATH``.
            port: Port to listen on; 0 takes a free one.

        Raises:
            OSError: The address cannot be listened on, for example because the port is taken.
        """
        if port:
            await anyio.to_thread.run_sync(_check_port, host, port)
        server = grpc.aio.server(
            options=(
                ("grpc.max_receive_message_length", _RECEIVED * self._max_receive_bytes),
                ("grpc.max_send_message_length", -1),
                ("grpc.max_metadata_size", 64 * 1024),
                # Two servers on one port would each get some of the calls.
                ("grpc.so_reuseport", 0),
            ),
        )
        server.add_generic_rpc_handlers((_Dispatch(self._handlers, self._max_receive_bytes, self.cut),))
        address = host if host.startswith("unix:") else f"{host}:{port}"
        try:
            bound = self._listen(server, address)
        except RuntimeError as error:
            await server.stop(None)
            raise OSError(f"cannot listen on {address}: {error}") from error
        self._server, self._port = server, bound
        try:
            await to_the_end(server.start())  # grpc.aio breaks when its start is cancelled
        except asyncio.CancelledError:
            await self.stop()
            raise
        return bound

    def _listen(self, server: grpc.aio.Server, address: str) -> int:
        if self._tls is None:
            return server.add_insecure_port(address)
        credentials = grpc.ssl_server_credentials(
            [(self._tls.key, self._tls.certificate)],
            root_certificates=self._tls.client_ca,
            require_client_auth=self._tls.client_ca is not None,
        )
        return server.add_secure_port(address, credentials)

    async def cut(self, peer: str | None = None) -> None:
        """Reset connections, as if a machine went away: nobody is told. Connections over ``unix:`` stay.

        Args:
            peer: The client whose connection it is, as gRPC names it, such as ``"ipv4:127.0.0.1:41003"``; None resets
                all of them.
        """
        number = None
        if peer is not None:
            _, _, port = peer.rpartition(":")
            if not port.isdecimal():
                return
            number = int(port)
        await anyio.to_thread.run_sync(cut_connections, self._port, number)

    async def stop(self, grace: float | None = None) -> None:
        """Stop listening; stopping twice is fine.

        Args:
            grace: Seconds that calls in flight may still take; None ends them at once.
        """
        server, self._server = self._server, None
        if server is not None:
            # Cut off, it would leave a cancelled future to all who wait for the same server.
            await to_the_end(server.stop(grace), hurry=lambda: server.stop(None))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()


def _check_port(host: str, port: int) -> None:
    """Refuse a port that is taken with the system's own reason; gRPC has none, and writes to stderr besides."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        socket.create_server(address[:2], family=family).close()
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]
        raise OSError(f"cannot listen on {host}:{port}: {reason}") from error


_Cutter: TypeAlias = "Callable[[str], Awaitable[None]]"


class _Dispatch(grpc.GenericRpcHandler):
    def __init__(self, handlers: Mapping[str, Handler], max_receive_bytes: int, cut: _Cutter) -> None:
        self._handlers = handlers
        self._max_receive_bytes = max_receive_bytes
        self._cut = cut

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        path = handler_call_details.method
        handler = self._handlers.get(path)
        if handler is None or path not in METHODS:
            return grpc.unary_unary_rpc_method_handler(cast("Any", _unimplemented(path)))
        return grpc.unary_unary_rpc_method_handler(
            cast("Any", _serve(handler, path, self._max_receive_bytes, self._cut))
        )


def _serve(handler: Handler, path: str, max_receive_bytes: int, cut: _Cutter) -> Any:
    async def serve(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        metadata = cast("Metadata", tuple(context.invocation_metadata() or ()))
        if details := refusal_of_size(request, max_receive_bytes):
            return await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, details)
        try:
            reply = await handler(request, metadata)
        except RPCError as error:
            code = grpc.StatusCode[error.code]
            return await context.abort(code, error.details, cast("Any", error.trailing_metadata))
        except ConnectionCutError as error:
            await cut(context.peer())
            return await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        except Exception as error:  # noqa: BLE001 - a server answers, whatever its handler does
            _LOG.exception("the handler of %s failed", path)
            return await context.abort(grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}")
        if isinstance(reply, Reply):
            context.set_trailing_metadata(cast("Any", tuple(reply.trailing_metadata)))
            return reply.message
        return reply

    return serve


def _unimplemented(path: str) -> Any:
    service, _, name = path.removeprefix("/").partition("/")
    # The words are grpc-go's, so flyteadmin's.
    details = f"unknown method {name} for service {service}" if service in _SERVICES else f"unknown service {service}"

    async def refuse(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:  # noqa: ARG001
        return await context.abort(grpc.StatusCode.UNIMPLEMENTED, details)

    return refuse
