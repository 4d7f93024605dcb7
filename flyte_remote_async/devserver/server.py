"""The devserver: store, engine and services, put together and opened on both faces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import anyio
from flyteidl.admin import project_pb2

from flyte_remote_async.devserver.clock import Clock
from flyte_remote_async.devserver.dispatch import Registry
from flyte_remote_async.devserver.engine import Engine
from flyte_remote_async.devserver.importer import load_state
from flyte_remote_async.devserver.inprocess import InProcessTransport
from flyte_remote_async.devserver.runners.echo import EchoRunner
from flyte_remote_async.devserver.runners.functions import FunctionRunner
from flyte_remote_async.devserver.services.dataproxy import DataProxyService
from flyte_remote_async.devserver.services.entities import EntityService
from flyte_remote_async.devserver.services.executions import ExecutionService
from flyte_remote_async.devserver.services.launching import LaunchService
from flyte_remote_async.devserver.services.named_entities import NamedEntityService
from flyte_remote_async.devserver.services.nodes import NodeService
from flyte_remote_async.devserver.services.projects import ProjectService
from flyte_remote_async.devserver.services.registration import RegistrationService
from flyte_remote_async.devserver.services.signals import SignalService
from flyte_remote_async.devserver.stand_ins import StandIns
from flyte_remote_async.devserver.store import Store
from flyte_remote_async.errors import ClosedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from types import TracebackType

    from flyte_remote_async.devserver.serving import Serving
    from flyte_remote_async.remote import FlyteRemote

__all__ = ["DevServer"]

_PROJECT: Final = "flytesnacks"
_LONGEST_STOP: Final = 0.5

F = TypeVar("F", bound="Callable[..., Any]")


class DevServer:
    """A Flyte 1.x control plane inside this process.

    It serves the Admin, Signal and DataProxy services over real gRPC on loopback and to the same process without a
    socket, keeps its state in SQLite, and runs workflows whose tasks have a Python function as stand-in. It has no
    authentication: whoever reaches its port may use it.

    Args:
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        state: File that keeps the state; None is memory, which goes when the server is closed.

    Attributes:
        clock: Its time: ``await dev.clock.advance(hours=2)`` lets sleeps, timeouts and schedules fall due.

    Example:
        >>> async with DevServer() as dev:
        ...     await dev.load("state.jsonl.gz")
        ...
        ...     @dev.task("samples.add")
        ...     def add(a: int, b: int) -> int:
        ...         return a + b
        ...
        ...     async with dev.remote(project="flytesnacks", domain="development") as remote:
        ...         execution = await remote.execute(await remote.fetch_workflow("samples.chain"))
    """

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, state: str | Path | None = None) -> None:
        self._host = host
        self._port = port
        self._bound = 0
        self._state = state
        self._stand_ins = StandIns()
        self.clock = Clock()
        self._store: Store | None = None
        self._engine: Engine | None = None
        self._registry = Registry()
        self._serving: Serving | None = None

    async def start(self) -> Self:
        """Open the state and listen. Starting twice is fine.

        Raises:
            OSError: The address cannot be listened on, for example because the port is taken.
            ConfigError: The state file cannot be used.
        """
        if self._store is None:
            self._store = await Store.open(self._state)
            try:
                await self._serve(self._store)
            except BaseException:
                with anyio.CancelScope(shield=True):
                    await self.aclose()
                raise
        return self

    async def _serve(self, store: Store) -> None:
        # Loads grpc, which whoever only imports this module does without.
        from flyte_remote_async.devserver.serving import Serving

        await store.add_project(project_pb2.Project(id=_PROJECT, name=_PROJECT, description=f"{_PROJECT} description"))
        runners = FunctionRunner(self._stand_ins, self.clock), EchoRunner()
        self._engine = Engine(store, runners, self.clock)
        self._registry = _registry(store, self._engine)
        self._serving = Serving(self._registry.handlers())
        self._bound = await self._serving.start(self._host, self._port)

    async def aclose(self) -> None:
        """Stop listening, stop what runs, and close the state. Closing twice is fine."""
        if self._serving is not None:
            await self._serving.stop(_LONGEST_STOP)
        if self._engine is not None:
            await self._engine.aclose()
        if self._store is not None:
            await self._store.aclose()
        self._serving = self._engine = self._store = None

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def endpoint(self) -> str:
        """Where it listens, such as ``"127.0.0.1:41003"``."""
        self._opened()
        return f"{self._host}:{self._bound}"

    @property
    def store(self) -> Store:
        """The state, for tests that look into it or put something there."""
        return self._opened()

    def transport(self) -> InProcessTransport:
        """Return a transport to this server that needs no socket."""
        self._opened()
        return InProcessTransport(self._registry.handlers())

    def remote(self, **options: Any) -> FlyteRemote:
        """Return a client of this server, over real gRPC.

        Args:
            **options: The keyword arguments of :meth:`FlyteRemote.connect`.
        """
        from flyte_remote_async.config import StorageConfig
        from flyte_remote_async.remote import FlyteRemote

        # What a stand-in writes lies on this machine.
        usual: dict[str, Any] = {"insecure": True, "project": _PROJECT, "domain": "development"}
        usual["storage"] = StorageConfig(local=True)
        return FlyteRemote.connect(self.endpoint, **(usual | options))

    def task(self, name: str) -> Callable[[F], F]:
        """Register a function, sync or async, as the stand-in of a task; a decorator.

        Args:
            name: Name of the task, such as ``"samples.add"``.
        """
        return self._stand_ins.task(name)

    def stand_in(self, name: str, function: Callable[..., Any]) -> None:
        """Register a function, sync or async, as the stand-in of a task."""
        self._stand_ins.add(name, function)

    async def load(self, source: str | Path | Iterable[str]) -> int:
        """Take in what another control plane knew; see :func:`flyte_remote_async.devserver.importer.load_state`.

        Returns:
            How many messages were read.
        """
        return await load_state(self._opened(), source)

    def _opened(self) -> Store:
        if self._store is None:
            raise ClosedError("the devserver is not running: use it inside of `async with DevServer() as dev:`")
        return self._store


def _registry(store: Store, engine: Engine) -> Registry:
    registry = Registry()
    for service in (
        ExecutionService(store, engine),
        LaunchService(store, engine),
        NodeService(store),
        EntityService(store),
        RegistrationService(store),
        NamedEntityService(store),
        ProjectService(store),
        SignalService(store, engine.gates.ring),
        DataProxyService(store),
    ):
        service.register(registry)
    return registry
