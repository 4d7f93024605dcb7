"""Bytes over gRPC's C core: the default backend."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, cast

import anyio.lowlevel
import grpc
import grpc.aio

from flyte_remote_async.errors import ClosedError, ConfigError
from flyte_remote_async.transport.base import Reply
from flyte_remote_async.transport.status import DEADLINE_EXCEEDED, NO_MESSAGE, status_error
from flyte_remote_async.transport.wire import check_metadata

if TYPE_CHECKING:
    from flyte_remote_async.transport.base import Metadata, Method
    from flyte_remote_async.transport.target import Target
    from flyte_remote_async.transport.tls import TLSOptions

__all__ = ["GrpcioTransport"]

_METADATA_BYTES: Final = 64 * 1024
_FIXED_OPTIONS: Final = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_metadata_size", _METADATA_BYTES),
    # flyteadmin ends connections that are pinged without calls ("too_many_pings" after 90 s), so only calls are.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 0),
    # Load balancers drop silent connections after 60 s or more, and often tell nobody: we are first.
    ("grpc.client_idle_timeout_ms", 50_000),
    ("grpc.initial_reconnect_backoff_ms", 250),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    # Retry is a wrapper above the backends.
    ("grpc.enable_retries", 0),
    # Channels share connections by default; a channel that replaces a failed one must not get the same connection.
    ("grpc.use_local_subchannel_pool", 1),
)


class GrpcioTransport:
    """One channel of ``grpc.aio``; it connects with the first call.

    Args:
        target: Where to connect to.
        tls: What to trust and to show.
        max_message_bytes: The largest reply that is taken.
        user_agent: What to call ourselves, before gRPC's own name.

    Raises:
        ConfigError: ``tls.verify`` is off: the C core cannot do without verification.
    """

    def __init__(self, target: Target, tls: TLSOptions, *, max_message_bytes: int, user_agent: str) -> None:
        if not (tls.verify or target.insecure):
            raise ConfigError(
                "gRPC's C core always verifies the server's certificate: trust it with ca_cert, "
                'or use transport="grpclib", which can skip the verification'
            )
        self._endpoint = str(target)
        options = [
            *_FIXED_OPTIONS,
            ("grpc.max_receive_message_length", max_message_bytes),
            ("grpc.primary_user_agent", user_agent),
        ]
        if target.insecure:
            self._channel = grpc.aio.insecure_channel(target.grpc_name, options)
        else:
            if tls.server_name:
                options.append(("grpc.ssl_target_name_override", tls.server_name))
            credentials = grpc.ssl_channel_credentials(tls.ca_cert, tls.client_key, tls.client_cert)
            self._channel = grpc.aio.secure_channel(target.grpc_name, credentials, options)
        self._calls: dict[str, grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]] = {}

    async def unary(
        self, method: Method[Any, Any], request: bytes, *, timeout: float | None = None, metadata: Metadata = ()
    ) -> Reply:
        """Make one call; see :class:`~flyte_remote_async.transport.base.Transport`."""
        if metadata:
            check_metadata(metadata)
        if timeout is not None and timeout <= 0:
            # grpc.aio takes 0 for no limit.
            raise status_error("DEADLINE_EXCEEDED", DEADLINE_EXCEEDED, method, self._endpoint)
        try:
            call = self._callable(method.path)(request, timeout=timeout, metadata=cast("Any", metadata))
            message = await call
            trailing = cast("Any", tuple(cast("Any", await call.trailing_metadata())))
        except grpc.aio.AioRpcError as error:
            trailing = cast("Any", tuple(error.trailing_metadata() or ()))
            raise status_error(error.code().name, error.details() or "", method, self._endpoint, trailing) from None
        except asyncio.CancelledError:
            # grpc.aio raises a CancelledError of its own making, which an anyio scope does not take for its own
            # (grpc/grpc#43502); the checkpoint raises the real one.
            await anyio.lowlevel.checkpoint_if_cancelled()
            raise
        except grpc.aio.UsageError as error:
            raise ClosedError(f"{method.name}: the channel to {self._endpoint} is closed") from error
        if cast("bytes | None", message) is None:  # grpc.aio's answer to a success without a message
            raise status_error("INTERNAL", NO_MESSAGE, method, self._endpoint, trailing)
        return Reply(message, trailing)

    def _callable(self, path: str) -> grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]:
        found = self._calls.get(path)
        if found is None:
            found = self._calls[path] = cast("Any", self._channel.unary_unary(path))
        return found

    async def aclose(self) -> None:
        """Close the channel. Calls in flight are cancelled."""
        await self._channel.close()
