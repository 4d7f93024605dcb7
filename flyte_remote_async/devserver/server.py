"""The devserver, as those who use it see it."""

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import anyio

from flyte_remote_async.devserver.clock import Clock
from flyte_remote_async.devserver.faces.dispatch import Registry
from flyte_remote_async.devserver.faults import Faults
from flyte_remote_async.devserver.parts import PROJECT, Options, Parts
from flyte_remote_async.devserver.runners.stand_ins import StandIns
from flyte_remote_async.devserver.services.limits import READ_LIMIT
from flyte_remote_async.errors import ClosedError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from flyte_remote_async.devserver.faces.inprocess import InProcessTransport
    from flyte_remote_async.devserver.objects import Objects
    from flyte_remote_async.devserver.runners.containers import ContainerOptions
    from flyte_remote_async.devserver.runners.stand_ins import Named
    from flyte_remote_async.devserver.store import Store
    from flyte_remote_async.devserver.threaded import ThreadedDevServer
    from flyte_remote_async.remote import FlyteRemote

__all__ = ["DevServer"]

_NOT_RUNNING: Final = "the devserver is not running: use it inside of `async with DevServer() as dev:`"

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
        self.clock = Clock()
        self.faults = Faults()
        self.requests: Counter[str] = Counter()
        self._options = Options(
            host=host,
            port=port,
            http_port=http_port,
            state=state,
            folder=objects,
            read_limit=read_limit_bytes,
            run_containers=run_containers,
            clock=self.clock,
            faults=self.faults,
            registry=Registry(self.faults, self.requests),
            stand_ins=StandIns(),
        )
        self._parts: Parts | None = None

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
        if self._parts is None:
            self._parts = await Parts.open(self._options, lambda: self.endpoint)
        return self

    async def aclose(self) -> None:
        """Stop listening, stop what runs, and close the state. Closing twice is fine."""
        if self._parts is not None:
            try:
                await self._parts.aclose()
            finally:
                self._parts = None

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def endpoint(self) -> str:
        """Where it listens, such as ``"127.0.0.1:41003"``."""
        return f"{self._options.host}:{self._opened().faces.port}"

    @property
    def http_endpoint(self) -> str:
        """Where it listens for HTTP, such as ``"127.0.0.1:41004"``.

        Raises:
            MissingExtraError: What serves HTTP is not installed.
        """
        return self._opened().data.http.endpoint

    @property
    def objects(self) -> Objects:
        """The objects of its bucket, ``s3://my-s3-bucket``."""
        return self._opened().data.objects

    @property
    def store(self) -> Store:
        """The state, for tests that look into it or put something there."""
        return self._opened().store

    def transport(self) -> InProcessTransport:
        """Return a transport to this server that needs no socket."""
        return self._opened().faces.transport()

    def remote(self, **options: Any) -> FlyteRemote:
        """Return a client of this server, over real gRPC.

        Args:
            **options: The keyword arguments of :meth:`FlyteRemote.connect`.
        """
        from flyte_remote_async.config import StorageConfig
        from flyte_remote_async.remote import FlyteRemote

        # What a stand-in writes lies on this machine.
        usual: dict[str, Any] = {"insecure": True, "project": PROJECT, "domain": "development"}
        usual["storage"] = StorageConfig(local=True)
        with contextlib.suppress(MissingExtraError):
            usual["console_endpoint"] = f"http://{self.http_endpoint}"
        return FlyteRemote.connect(self.endpoint, **(usual | options))

    def task(self, entity: str | Named) -> Callable[[F], F]:
        """Register a function, sync or async, as the stand-in of a task; a decorator.

        Args:
            entity: The name of the task, such as ``"samples.add"``, or something that has it.
        """
        return self._options.stand_ins.task(entity)

    def stand_in(self, entity: str | Named, function: Callable[..., Any]) -> None:
        """Register a function, sync or async, as the stand-in of a task.

        Args:
            entity: The name of the task, or something that has it: a fetched task, an identifier.
            function: What to call with the inputs of the task, by name.

        Raises:
            TypeError: It cannot be called, or one of its annotations names something that cannot be found.
        """
        self._options.stand_ins.add(entity, function)

    async def load(self, source: str | Path | Iterable[str]) -> int:
        """Take in what another control plane knew; see :func:`flyte_remote_async.devserver.store.importer.load_state`.

        Returns:
            How many messages were read.
        """
        from flyte_remote_async.devserver.store.importer import load_state  # most servers begin with nothing

        return await load_state(self._opened().store, source)

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
        return self._opened().faces.outage()

    async def goaway(self, grace: float = 5.0) -> None:
        """Tell all clients to connect anew, as a server does that is replaced: with GOAWAY, and no call is lost.

        Args:
            grace: Seconds that calls in flight may still take.
        """
        await self._opened().faces.goaway(grace)

    def _opened(self) -> Parts:
        if self._parts is None:
            raise ClosedError(_NOT_RUNNING)
        return self._parts
