"""What an open remote is made of: a transport, and the operations that share it."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any, Final, cast

import anyio
import anyio.to_thread
import attrs

from flyte_remote_async.errors import ConfigError
from flyte_remote_async.policy.retry import RetryPolicy
from flyte_remote_async.transport.connect import connect, wrap
from flyte_remote_async.transport.target import Target
from flyte_remote_async.transport.tls import TLSOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flyte_remote_async.config import Config
    from flyte_remote_async.executions.binding import Remote
    from flyte_remote_async.literals import Context, Types
    from flyte_remote_async.literals.access import Objects, Work
    from flyte_remote_async.operations.data import DataReader
    from flyte_remote_async.operations.definitions import Definitions
    from flyte_remote_async.operations.fetch import Fetcher
    from flyte_remote_async.operations.hub.endings import Endings
    from flyte_remote_async.operations.hub.hub import Hub
    from flyte_remote_async.operations.launch import Launcher
    from flyte_remote_async.operations.supervisor import Supervisor
    from flyte_remote_async.storage.objects import StoredObjects
    from flyte_remote_async.transport.base import Transport
    from flyte_remote_async.transport.guard import Guard

__all__ = ["READS_AT_ONCE", "Session", "open_session"]

# Reads of one remote at one time. A server with two cores gains nothing from more; a far one hides its distance.
READS_AT_ONCE: Final = 32


class Session:
    """What an open remote is made of; operations that a program does not use are not even imported.

    Args:
        config: How it was set up.
        transport: The way to the control plane.
        types: The user's own types.

    Attributes:
        calls: Makes typed calls over it.
        reader: Reads executions, nodes and attempts.
        closing: Is set when the remote is closed, for those who wait between two calls.
    """

    def __init__(self, config: Config, transport: Guard, types: Types | None = None) -> None:
        from flyte_remote_async.operations.calls import Calls
        from flyte_remote_async.operations.reading import Reader

        self.config = config
        self.transport = transport
        self.calls = Calls(transport, config.headers)
        self.reader = Reader(self.calls)
        # Not anyio's: making one imports its backend, and a program that never waits need not pay for that.
        self.closing = asyncio.Event()
        self._types = types
        # By the identity that calls are made under: one user's token never asks for another. A remote has one so far.
        self._hubs: dict[None, Hub] = {}
        self._endings: Endings | None = None

    @property
    def hub(self) -> Hub:
        """Looks at what is waited for."""
        if None not in self._hubs:
            from flyte_remote_async.operations.hub.hub import Hub

            self._hubs[None] = Hub(self)
        return self._hubs[None]

    @property
    def hubs(self) -> tuple[Hub, ...]:
        """The hubs that there are."""
        return tuple(self._hubs.values())

    def endings(self, remote: Remote) -> Endings:
        """Return the reads of what has ended, which those who wait share.

        Args:
            remote: What the snapshots are bound to.
        """
        if self._endings is None:
            from flyte_remote_async.operations.hub.endings import Endings

            self._endings = Endings(self, remote)
        return self._endings

    @functools.cached_property
    def supervisor(self) -> Supervisor:
        """Owns the tasks that belong to nobody's call."""
        from flyte_remote_async.operations.supervisor import Supervisor

        return Supervisor()

    @functools.cached_property
    def reads(self) -> anyio.CapacityLimiter:
        """Bounds the reads of trees at one time."""
        return anyio.CapacityLimiter(READS_AT_ONCE)

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

        config = self.config
        limits = (config.max_message_bytes, config.timeouts.data)
        return DataReader(self.calls, self.definitions, lambda: self.objects, *limits)

    @functools.cached_property
    def launcher(self) -> Launcher:
        """Launches and terminates."""
        from flyte_remote_async.operations.launch import Launcher

        return Launcher(self.calls, self.reader, self.definitions, self.context_in)

    @functools.cached_property
    def objects(self) -> StoredObjects:
        """Reads and writes stored objects."""
        from flyte_remote_async.operations.objects import stored_objects

        return stored_objects(self.config, self.calls)

    @functools.cached_property
    def context(self) -> Context:
        """What the conversion of values may use."""
        from flyte_remote_async.literals.context import Context
        from flyte_remote_async.literals.types import NO_TYPES

        # Most values need no storage, so it is not even imported before one does.
        objects = cast("Objects", _Late(lambda: self.objects))
        in_place = self.config.decode_in_place_bytes
        return Context(objects=objects, types=self._types or NO_TYPES, in_place_bytes=in_place, work=self._work())

    def _work(self) -> Work | None:
        if not self.config.decode_processes:
            return None
        from flyte_remote_async.resolver.workers import ProcessWork

        return ProcessWork(self.config.decode_processes)

    def context_in(self, project: str, domain: str) -> Context:
        """Return what the conversion of the inputs of a launch may use: its files go to its project and domain."""

        def objects() -> StoredObjects:
            from flyte_remote_async.operations.objects import locate_in

            return self.objects.storing_with(locate_in(self.calls, project, domain, self.config.org or ""))

        return attrs.evolve(self.context, objects=cast("Objects", _Late(objects)))

    async def aclose(self) -> None:
        """Close what is open."""
        # First: it refuses to be closed from another loop.
        try:
            await self.transport.aclose()
        finally:
            self.closing.set()
            for hub in self.hubs:
                hub.close()
            if "supervisor" in self.__dict__:
                await self.supervisor.aclose()
            if "objects" in self.__dict__:
                await self.objects.aclose()


class _Late:
    """Stands for an object that is made when it is first used."""

    def __init__(self, make: Callable[[], object]) -> None:
        self._made = functools.cache(make)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._made(), name)


async def open_session(config: Config, channel: Callable[[], Transport] | None, types: Types | None = None) -> Session:
    """Return the parts of a remote; nothing is sent yet.

    Args:
        config: How to set it up.
        channel: Makes a channel of another kind than gRPC's, such as the devserver's in-process one.
        types: The user's own types.

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
            tls=await _tls(config),
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
    return Session(config, transport, types)


async def _tls(config: Config) -> TLSOptions:
    names = ("ca_cert_file", "client_cert_file", "client_key_file")
    files: dict[str, bytes | None] = dict.fromkeys(names)
    if any(getattr(config, name) for name in names):
        files = await anyio.to_thread.run_sync(lambda: {name: _file(name, getattr(config, name)) for name in names})
    return TLSOptions(
        ca_cert=files["ca_cert_file"],
        client_cert=files["client_cert_file"],
        client_key=files["client_key_file"],
        server_name=config.server_name,
        verify=not config.insecure_skip_verify,
    )


def _file(name: str, path: Path | None) -> bytes | None:
    try:
        return None if path is None else path.read_bytes()
    except OSError as error:
        reason = f"{name} cannot be read: {error}"
        raise ConfigError(reason) from error
