"""Put a transport together: a backend, and what wraps it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from flyte_remote_async._version import __version__
from flyte_remote_async.errors import ConfigError
from flyte_remote_async.transport.guard import Guard, running_loop
from flyte_remote_async.transport.replacer import ChannelReplacer
from flyte_remote_async.transport.retry import Retry
from flyte_remote_async.transport.tls import TLSOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyte_remote_async.config import Timeouts
    from flyte_remote_async.policy.retry import RetryPolicy
    from flyte_remote_async.transport.base import Transport
    from flyte_remote_async.transport.target import Target

__all__ = ["MAX_MESSAGE_BYTES", "Backend", "connect", "open_transport", "wrap"]

Backend: TypeAlias = Literal["grpcio", "grpclib"]

MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024


def open_transport(
    target: Target,
    *,
    backend: Backend = "grpcio",
    tls: TLSOptions | None = None,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
) -> Transport:
    """Return one bare channel of a backend, inside a running event loop; it connects with its first call.

    Args:
        target: Where to connect to.
        backend: ``"grpcio"`` or ``"grpclib"``.
        tls: What to trust and to show; not used in plaintext.
        max_message_bytes: The largest reply that is taken.

    Raises:
        ConfigError: There is no such backend, or it cannot do what ``tls`` asks for.
        UnsupportedLoopError: No asyncio event loop is running.
    """
    running_loop()
    tls = tls or TLSOptions()
    user_agent = f"flyte-remote-async/{__version__}"
    # Backends are imported when they are opened: grpc alone costs as much as the rest of the package.
    match backend:
        case "grpcio":
            from flyte_remote_async.transport.grpcio import GrpcioTransport

            return GrpcioTransport(target, tls, max_message_bytes=max_message_bytes, user_agent=user_agent)
        case "grpclib":
            from flyte_remote_async.transport.grpclib import GrpclibTransport

            return GrpclibTransport(target, tls, max_message_bytes=max_message_bytes, user_agent=user_agent)
        case _:
            raise ConfigError(f"there is no transport {backend!r}: choose 'grpcio' or 'grpclib'")


def connect(
    target: Target,
    *,
    backend: Backend = "grpcio",
    tls: TLSOptions | None = None,
    timeouts: Timeouts | None = None,
    policy: RetryPolicy | None = None,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
) -> Guard:
    """Return the whole transport to a control plane, inside a running event loop.

    Args:
        target: Where to connect to.
        backend: ``"grpcio"`` or ``"grpclib"``.
        tls: What to trust and to show; not used in plaintext.
        timeouts: What one attempt of a call may take.
        policy: When a call is sent again.
        max_message_bytes: The largest message, in bytes, that is sent or taken.

    Raises:
        ConfigError: There is no such backend, or it cannot do what ``tls`` asks for.
        UnsupportedLoopError: No asyncio event loop is running.

    Example:
        >>> transport = connect(Target.parse("localhost:30080", insecure=True))
        >>> reply = await transport.unary(GET_VERSION, b"")
        >>> await transport.aclose()
    """

    def channel() -> Transport:
        return open_transport(target, backend=backend, tls=tls, max_message_bytes=max_message_bytes)

    return wrap(
        channel,
        endpoint=str(target),
        timeouts=timeouts,
        policy=policy,
        max_message_bytes=max_message_bytes,
    )


def wrap(
    channel: Callable[[], Transport],
    *,
    endpoint: str,
    timeouts: Timeouts | None = None,
    policy: RetryPolicy | None = None,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
) -> Guard:
    """Return the whole transport over channels of any kind, such as the devserver's in-process one.

    Args:
        channel: Makes a channel, again when one has to be replaced.
        endpoint: What to call the other side in messages.
        timeouts: What one attempt of a call may take.
        policy: When a call is sent again.
        max_message_bytes: The largest request that is sent.

    Raises:
        UnsupportedLoopError: No asyncio event loop is running.
    """
    # Credentials belong between Retry and ChannelReplacer: each attempt is sent with those of its time.
    attempts = Retry(ChannelReplacer(channel), policy=policy, timeouts=timeouts)
    return Guard(attempts, endpoint=endpoint, max_request_bytes=max_message_bytes)
