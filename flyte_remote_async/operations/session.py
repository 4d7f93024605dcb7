"""What an open remote is made of: a transport, and the operations that share it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread
import attrs

from flyte_remote_async.errors import ConfigError
from flyte_remote_async.operations.calls import Calls
from flyte_remote_async.operations.reading import Reader
from flyte_remote_async.policy.retry import RetryPolicy
from flyte_remote_async.transport.connect import connect, wrap
from flyte_remote_async.transport.target import Target
from flyte_remote_async.transport.tls import TLSOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flyte_remote_async.config import Config
    from flyte_remote_async.operations.data import DataReader
    from flyte_remote_async.operations.definitions import Definitions
    from flyte_remote_async.operations.fetch import Fetcher
    from flyte_remote_async.operations.launch import Launcher
    from flyte_remote_async.transport.base import Transport

__all__ = ["Session", "open_session"]

# Reads of one remote at one time. A server with two cores gains nothing from more; a far one hides its distance.
_READS_AT_ONCE: Final = 32


@attrs.frozen
class Session:
    """What an open remote is made of; operations that a program does not use are not even imported.

    Attributes:
        config: How it was set up.
        transport: The way to the control plane.
        calls: Makes typed calls over it.
        reads: Bounds the reads at one time.
        closing: Is set when the remote is closed, for those who wait between two calls.
    """

    config: Config
    transport: Transport
    calls: Calls
    reads: anyio.CapacityLimiter
    closing: anyio.Event

    @functools.cached_property
    def reader(self) -> Reader:
        """Reads executions, nodes and attempts."""
        return Reader(self.calls)

    @functools.cached_property
    def fetcher(self) -> Fetcher:
        """Reads entities."""
        from flyte_remote_async.operations.fetch import Fetcher

        return Fetcher(self.calls)

    @functools.cached_property
    def definitions(self) -> Definitions:
        """Reads entities that never change, once."""
        from flyte_remote_async.operations.definitions import Definitions

        return Definitions(self.fetcher)

    @functools.cached_property
    def data(self) -> DataReader:
        """Reads inputs and outputs."""
        from flyte_remote_async.operations.data import DataReader

        return DataReader(self.calls, self.definitions, self.config.max_message_bytes, self.config.timeouts.data)

    @functools.cached_property
    def launcher(self) -> Launcher:
        """Launches and terminates."""
        from flyte_remote_async.operations.launch import Launcher

        return Launcher(self.calls, self.reader, self.definitions)


async def open_session(config: Config, channel: Callable[[], Transport] | None) -> Session:
    """Return the parts of a remote; nothing is sent yet.

    Args:
        config: How to set it up.
        channel: Makes a channel of another kind than gRPC's, such as the devserver's in-process one.

    Raises:
        ConfigError: The configuration cannot be used.
        UnsupportedLoopError: No asyncio event loop is running.
    """
    policy = RetryPolicy(max_attempts=config.max_attempts, cap=config.max_backoff)
    if channel is None:
        target = Target.parse(config.endpoint, insecure=config.insecure)
        transport = connect(
            target,
            backend=config.transport,
            tls=await anyio.to_thread.run_sync(_tls, config),
            timeouts=config.timeouts,
            policy=policy,
            max_message_bytes=config.max_message_bytes,
        )
    else:
        transport = wrap(
            channel,
            endpoint=config.endpoint,
            timeouts=config.timeouts,
            policy=policy,
            max_message_bytes=config.max_message_bytes,
        )
    return Session(
        config=config,
        transport=transport,
        calls=Calls(transport, config.headers),
        reads=anyio.CapacityLimiter(_READS_AT_ONCE),
        closing=anyio.Event(),
    )


def _tls(config: Config) -> TLSOptions:
    return TLSOptions(
        ca_cert=_file("ca_cert_file", config.ca_cert_file),
        client_cert=_file("client_cert_file", config.client_cert_file),
        client_key=_file("client_key_file", config.client_key_file),
        server_name=config.server_name,
        verify=not config.insecure_skip_verify,
    )


def _file(name: str, path: Path | None) -> bytes | None:
    try:
        return None if path is None else path.read_bytes()
    except OSError as error:
        reason = f"{name} cannot be read: {error}"
        raise ConfigError(reason) from error
