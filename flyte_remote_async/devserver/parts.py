"""What a devserver that runs is made of: opened together, and closed together."""

from __future__ import annotations

import contextlib
import errno
import logging
from typing import TYPE_CHECKING, Final, Self

import attrs
from flyteidl.admin import project_pb2

from flyte_remote_async.concurrency import to_the_end
from flyte_remote_async.devserver.assembly import Services
from flyte_remote_async.devserver.dataplane import DataPlane
from flyte_remote_async.devserver.engine import Engine
from flyte_remote_async.devserver.faces.faces import Faces
from flyte_remote_async.devserver.runners.echo import EchoRunner
from flyte_remote_async.devserver.runners.functions import FunctionRunner
from flyte_remote_async.devserver.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flyte_remote_async.devserver.clock import Clock
    from flyte_remote_async.devserver.faces.dispatch import Registry
    from flyte_remote_async.devserver.faults import Faults
    from flyte_remote_async.devserver.runners import TaskRunner
    from flyte_remote_async.devserver.runners.containers import ContainerOptions
    from flyte_remote_async.devserver.runners.stand_ins import StandIns

__all__ = ["PROJECT", "Options", "Parts"]

PROJECT: Final = "flytesnacks"
_LAST_PORT: Final = 65535
_LONGEST_STOP: Final = 0.5
_OPEN_TO_OTHERS: Final = (
    "the devserver listens on %s and has no authentication: whoever reaches port %d can read all it knows and run what "
    "it can run"
)
_RUNS_CODE: Final = (
    "the devserver runs the commands of tasks as processes of this machine: whoever reaches its ports (HTTP at %s) "
    "runs code here as this user"
)
_LOG: Final = logging.getLogger(__name__)


@attrs.frozen
class Options:
    """What a devserver is given, and what stays while it is closed and opened again.

    Attributes:
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        http_port: Port for HTTP; 0 is a free one, and so is None where the one after ``port`` is taken.
        state: File that keeps the state; None is memory.
        folder: Folder that keeps the objects; None is a folder beside the state's file, and memory without one.
        read_limit: The most bytes of inputs or outputs that a data RPC answers with; 0 is no limit.
        run_containers: Whether commands of containers are run as processes, or how.
        clock: The time.
        faults: What goes wrong.
        registry: What answers each RPC.
        stand_ins: The functions that stand in for tasks.
    """

    host: str
    port: int
    http_port: int | None
    state: str | Path | None
    folder: str | Path | None
    read_limit: int
    run_containers: bool | ContainerOptions
    clock: Clock
    faults: Faults
    registry: Registry
    stand_ins: StandIns


@attrs.frozen(eq=False)
class Parts:
    """What a devserver is made of while it runs; :meth:`open` makes them.

    Attributes:
        store: The state.
        data: The objects, and how they are reached over HTTP.
        faces: What clients talk to.
    """

    store: Store
    data: DataPlane
    faces: Faces
    _closing: contextlib.AsyncExitStack

    @classmethod
    async def open(cls, options: Options, endpoint: Callable[[], str]) -> Self:
        """Open the state and listen.

        Args:
            options: What the devserver was given.
            endpoint: Tells where it listens for gRPC, once it does.

        Raises:
            OSError: The address cannot be listened on.
            ConfigError: The state file cannot be used.
            StorageError: The folder of the objects cannot be used.
            MissingExtraError: Containers are to be run, and what serves them their storage is not installed.
        """
        closing = contextlib.AsyncExitStack()
        try:
            return await cls._open(options, endpoint, closing)
        except BaseException:
            await to_the_end(closing.aclose())
            raise

    @classmethod
    async def _open(cls, options: Options, endpoint: Callable[[], str], closing: contextlib.AsyncExitStack) -> Self:
        clock, registry = options.clock, options.registry
        store = await Store.open(options.state, clock=clock.now_ns)
        closing.push_async_callback(store.aclose)
        await store.add_project(project_pb2.Project(id=PROJECT, name=PROJECT, description=f"{PROJECT} description"))
        asked = registry.unwatched()
        data = await DataPlane.open(store, clock, handlers=asked, folder=options.folder, state=options.state)
        closing.push_async_callback(data.aclose)
        # Its own port is told before anything can ask for it.
        await _listen_for_http(data, options)
        engine = Engine(store, _runners(options, data, endpoint, closing), clock)
        closing.push_async_callback(engine.aclose)
        await engine.mark_interrupted()
        scheduler = Services(store, engine, data, clock, options.faults, options.read_limit).register(registry)
        closing.push_async_callback(scheduler.aclose)
        await scheduler.start()
        faces = Faces(registry.handlers(), options.host)
        await faces.open(options.port)
        closing.push_async_callback(faces.aclose, _LONGEST_STOP)
        if faces.is_open_to_others:
            _LOG.warning(_OPEN_TO_OTHERS, options.host, faces.port)
        return cls(store, data, faces, closing)

    async def aclose(self) -> None:
        """Stop listening, stop what runs, and close the state."""
        await to_the_end(self._closing.aclose())


async def _listen_for_http(data: DataPlane, options: Options) -> None:
    host = "127.0.0.1" if options.host.startswith("unix:") else options.host
    if options.http_port is not None or not 0 < options.port < _LAST_PORT:
        await data.http.start(host, options.http_port or 0)
        return
    try:
        await data.http.start(host, options.port + 1)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        await data.http.start(host, 0)  # nobody asked for that one


def _runners(
    options: Options, data: DataPlane, endpoint: Callable[[], str], closing: contextlib.AsyncExitStack
) -> list[TaskRunner]:
    runners: list[TaskRunner] = [FunctionRunner(options.stand_ins, options.clock), EchoRunner()]
    if options.run_containers:
        # For those who ask for it: it needs what most do without.
        from flyte_remote_async.devserver.runners.containers import ContainerOptions, ContainerRunner

        how = ContainerOptions() if options.run_containers is True else options.run_containers
        containers = ContainerRunner(data, how, endpoint)
        closing.push_async_callback(containers.aclose)
        runners.append(containers)
        _LOG.warning(_RUNS_CODE, data.http.endpoint)
    return runners
