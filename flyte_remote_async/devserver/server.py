"""The devserver: store, engine and services, put together and opened on both faces."""

from __future__ import annotations

import contextlib
import errno
import logging
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import anyio
from flyteidl.admin import project_pb2

from flyte_remote_async.devserver.assembly import Services
from flyte_remote_async.devserver.clock import Clock
from flyte_remote_async.devserver.dataplane import DataPlane
from flyte_remote_async.devserver.engine import Engine
from flyte_remote_async.devserver.faces.dispatch import Registry
from flyte_remote_async.devserver.faces.faces import Faces
from flyte_remote_async.devserver.faults import Faults
from flyte_remote_async.devserver.runners.echo import EchoRunner
from flyte_remote_async.devserver.runners.functions import FunctionRunner
from flyte_remote_async.devserver.runners.stand_ins import StandIns
from flyte_remote_async.devserver.services.limits import READ_LIMIT
from flyte_remote_async.devserver.store import Store
from flyte_remote_async.errors import ClosedError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from flyte_remote_async.devserver.faces.inprocess import InProcessTransport
    from flyte_remote_async.devserver.objects import Objects
    from flyte_remote_async.devserver.runners import TaskRunner
    from flyte_remote_async.devserver.runners.containers import ContainerOptions
    from flyte_remote_async.devserver.runners.stand_ins import Named
    from flyte_remote_async.devserver.scheduler.scheduler import Scheduler
    from flyte_remote_async.devserver.threaded import ThreadedDevServer
    from flyte_remote_async.remote import FlyteRemote

__all__ = ["DevServer"]

_LAST_PORT: Final = 65535
_PROJECT: Final = "flytesnacks"
_LONGEST_STOP: Final = 0.5
_OPEN_TO_OTHERS: Final = (
    "the devserver listens on %s and has no authentication: whoever reaches port %d can read all it knows and run what "
    "it can run"
)
_LOG: Final = logging.getLogger(__name__)
_NOT_RUNNING: Final = "the devserver is not running: use it inside of `async with DevServer() as dev:`"
_RUNS_CODE: Final = (
    "the devserver runs the commands of tasks as processes of this machine: whoever reaches its ports (HTTP at %s) "
    "runs code here as this user"
)

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
        http_port: Port for signed URLs, S3, logs and the page; 0 is a free one, and so is None where the one after
            ``port`` is taken.
        objects: Folder that keeps the objects; None is a folder beside the state's file, and memory without one.
        read_limit_bytes: The largest inputs or outputs that the data RPCs show; Flyte's own default. Larger ones come
            back empty and without an error, as from Flyte, and are there for CreateDownloadLocation. 0 shows all.
        run_containers: Run the commands of tasks' containers as processes of this machine, with this user's rights:
            whoever reaches the port runs code here. True, or how they are run. It needs the extra ``devserver``.

    Attributes:
        clock: Its time: ``await dev.clock.advance(hours=2)`` lets sleeps, timeouts and schedules fall due.
        faults: What goes wrong at it: ``dev.faults.add(Fail("UNAVAILABLE"), "Get*")``.
        requests: How many requests it has got, by the name of the RPC.

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

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        state: str | Path | None = None,
        http_port: int | None = None,
        objects: str | Path | None = None,
        read_limit_bytes: int = READ_LIMIT,
        run_containers: bool | ContainerOptions = False,
    ) -> None:
        self._host = host
        self._port = port
        self._state = state
        self._http_port = http_port
        self._folder = objects
        self._read_limit = read_limit_bytes
        self._run_containers = run_containers
        self._data: DataPlane | None = None
        self._stand_ins = StandIns()
        self.clock = Clock()
        self._store: Store | None = None
        self._engine: Engine | None = None
        self._scheduler: Scheduler | None = None
        self.faults = Faults()
        self.requests: Counter[str] = Counter()
        self._registry = Registry(self.faults, self.requests)
        self._faces: Faces | None = None

    @staticmethod
    def in_thread(**options: Any) -> ThreadedDevServer:
        """Return a server that runs in a thread with a loop of its own, for a plain ``with``.

        For programs without an event loop, and for tests whose application runs in a loop of its own.

        Args:
            **options: The arguments of :class:`DevServer`.
        """
        from flyte_remote_async.devserver.threaded import ThreadedDevServer

        return ThreadedDevServer(**options)

    async def start(self) -> Self:
        """Open the state and listen. Starting twice is fine.

        Raises:
            OSError: The address cannot be listened on, for example because the port is taken.
            ConfigError: The state file cannot be used.
            StorageError: The folder of the objects cannot be used.
            MissingExtraError: Containers are to be run, and what serves them their storage is not installed.
        """
        if self._store is None:
            self._store = await Store.open(self._state, clock=self.clock.now_ns)
            try:
                await self._serve(self._store)
            except BaseException:
                with anyio.CancelScope(shield=True):
                    await self.aclose()
                raise
        return self

    async def _serve(self, store: Store) -> None:
        await store.add_project(project_pb2.Project(id=_PROJECT, name=_PROJECT, description=f"{_PROJECT} description"))
        asked = self._registry.unwatched()
        self._data = await DataPlane.open(store, self.clock, handlers=asked, folder=self._folder, state=self._state)
        # Its own port is told before anything can ask for it.
        await self._listen_for_http(self._data)
        self._engine = Engine(store, self._runners(self._data), self.clock)
        await self._engine.mark_interrupted()
        services = Services(store, self._engine, self._data, self.clock, self.faults, self._read_limit)
        self._scheduler = services.register(self._registry)
        await self._scheduler.start()
        faces = Faces(self._registry.handlers(), self._host)
        await faces.open(self._port)
        self._faces = faces
        if faces.is_open_to_others:
            _LOG.warning(_OPEN_TO_OTHERS, self._host, faces.port)

    async def _listen_for_http(self, data: DataPlane) -> None:
        host = "127.0.0.1" if self._host.startswith("unix:") else self._host
        if self._http_port is not None or not 0 < self._port < _LAST_PORT:
            await data.http.start(host, self._http_port or 0)
            return
        try:
            await data.http.start(host, self._port + 1)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            await data.http.start(host, 0)  # nobody asked for that one

    def _runners(self, data: DataPlane) -> Sequence[TaskRunner]:
        runners: list[TaskRunner] = [FunctionRunner(self._stand_ins, self.clock), EchoRunner()]
        if self._run_containers:
            # For those who ask for it: it needs what most do without.
            from flyte_remote_async.devserver.runners.containers import ContainerOptions, ContainerRunner

            options = ContainerOptions() if self._run_containers is True else self._run_containers
            runners.append(ContainerRunner(data, options, lambda: self.endpoint))
            _LOG.warning(_RUNS_CODE, data.http.endpoint)
        return runners

    async def aclose(self) -> None:
        """Stop listening, stop what runs, and close the state. Closing twice is fine."""
        if self._faces is not None:
            await self._faces.aclose(_LONGEST_STOP)
        if self._scheduler is not None:
            await self._scheduler.aclose()
        if self._engine is not None:
            await self._engine.aclose()
        if self._data is not None:
            await self._data.aclose()
        if self._store is not None:
            await self._store.aclose()
        self._faces = self._scheduler = self._engine = self._data = self._store = None

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def endpoint(self) -> str:
        """Where it listens, such as ``"127.0.0.1:41003"``."""
        return f"{self._host}:{self._open_faces().port}"

    @property
    def http_endpoint(self) -> str:
        """Where it listens for HTTP, such as ``"127.0.0.1:41004"``.

        Raises:
            MissingExtraError: What serves HTTP is not installed.
        """
        return self._open_data().http.endpoint

    @property
    def objects(self) -> Objects:
        """The objects of its bucket, ``s3://my-s3-bucket``."""
        return self._open_data().objects

    @property
    def store(self) -> Store:
        """The state, for tests that look into it or put something there."""
        return self._opened()

    def transport(self) -> InProcessTransport:
        """Return a transport to this server that needs no socket."""
        return self._open_faces().transport()

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
        with contextlib.suppress(MissingExtraError):
            usual["console_endpoint"] = f"http://{self.http_endpoint}"
        return FlyteRemote.connect(self.endpoint, **(usual | options))

    def task(self, entity: str | Named) -> Callable[[F], F]:
        """Register a function, sync or async, as the stand-in of a task; a decorator.

        Args:
            entity: The name of the task, such as ``"samples.add"``, or something that has it.
        """
        return self._stand_ins.task(entity)

    def stand_in(self, entity: str | Named, function: Callable[..., Any]) -> None:
        """Register a function, sync or async, as the stand-in of a task.

        Args:
            entity: The name of the task, or something that has it: a fetched task, an identifier.
            function: What to call with the inputs of the task, by name.

        Raises:
            TypeError: It cannot be called, or one of its annotations names something that cannot be found.
        """
        self._stand_ins.add(entity, function)

    async def load(self, source: str | Path | Iterable[str]) -> int:
        """Take in what another control plane knew; see :func:`flyte_remote_async.devserver.store.importer.load_state`.

        Returns:
            How many messages were read.
        """
        from flyte_remote_async.devserver.store.importer import load_state  # most servers begin with nothing

        return await load_state(self._opened(), source)

    async def load_objects(self, archive: str | Path) -> int:
        """Put the files of a tar archive into the bucket; their names begin with ``my-s3-bucket/``.

        Returns:
            How many objects were put.

        Raises:
            OSError: The archive cannot be read.
            MalformedMessageError: It is no archive of this kind; nothing is put.
        """
        return await self.objects.load(Path(archive))

    # --- what happens to servers ---

    async def restart(self, downtime: float = 0.0) -> None:
        """Go down and come back: on the same port, with the same state, while executions go on as Flyte's do.

        Connections are reset, and calls in flight are lost.

        Args:
            downtime: Seconds between the two, by the wall clock; connections are refused meanwhile.
        """
        async with self.outage():
            await anyio.sleep(downtime)

    def outage(self) -> AbstractAsyncContextManager[None]:
        """Be down inside of an ``async with``: connections are reset, and new ones are refused."""
        return self._open_faces().outage()

    async def goaway(self, grace: float = 5.0) -> None:
        """Tell all clients to connect anew, as a server does that is replaced: with GOAWAY, and no call is lost.

        Args:
            grace: Seconds that calls in flight may still take.
        """
        await self._open_faces().goaway(grace)

    def _opened(self) -> Store:
        if self._store is None:
            raise ClosedError(_NOT_RUNNING)
        return self._store

    def _open_data(self) -> DataPlane:
        if self._data is None:
            raise ClosedError(_NOT_RUNNING)
        return self._data

    def _open_faces(self) -> Faces:
        if self._faces is None:
            raise ClosedError(_NOT_RUNNING)
        return self._faces
