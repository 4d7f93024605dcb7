"""The devserver in a thread with an event loop of its own, for those who have none, or whose loops come and go."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import CancelledError
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, overload

from anyio.from_thread import start_blocking_portal

from flyte_remote_async.devserver.server import DevServer
from flyte_remote_async.errors import ClosedError

if TYPE_CHECKING:
    import datetime as dt
    from collections import Counter
    from collections.abc import Awaitable, Callable, Iterable
    from pathlib import Path
    from types import TracebackType

    from anyio.from_thread import BlockingPortal

    from flyte_remote_async.devserver.faults import Faults
    from flyte_remote_async.devserver.runners.stand_ins import Named
    from flyte_remote_async.remote import FlyteRemote

__all__ = ["ThreadClock", "ThreadedDevServer"]

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound="Callable[..., Any]")


class ThreadClock:
    """The time of a devserver in a thread."""

    def __init__(self, dev: ThreadedDevServer) -> None:
        self._dev = dev

    def now(self) -> dt.datetime:
        """Return the present instant, aware, in UTC."""
        return self._dev.server.clock.now()

    def advance(
        self, delta: dt.timedelta | None = None, /, *, hours: float = 0, minutes: float = 0, seconds: float = 0
    ) -> None:
        """Move the clock forward, and return when what fell due on the way has happened.

        Args:
            delta: How far; or in words by the other arguments.
            hours: Hours to add.
            minutes: Minutes to add.
            seconds: Seconds to add.

        Raises:
            ValueError: It would go back.
        """
        clock = self._dev.server.clock

        async def advance() -> None:
            await clock.advance(delta, hours=hours, minutes=minutes, seconds=seconds)

        self._dev.call(advance)


class ThreadedDevServer:
    """A devserver in a thread of its own; its verbs block, and any thread may call them.

    Make one with :meth:`DevServer.in_thread`, and use it in a plain ``with``. Clients reach it over gRPC from any loop:
    each opens a :meth:`remote` of its own.

    Args:
        **options: The keyword arguments of :class:`DevServer`.

    Attributes:
        server: The server itself, whose coroutines run in :meth:`call` only.
        clock: Its time.

    Example:
        >>> with DevServer.in_thread() as dev:
        ...     dev.load("state.jsonl.gz")
        ...     response = TestClient(application(dev.endpoint)).post("/orders/7/run")
    """

    def __init__(self, **options: Any) -> None:
        self.server = DevServer(**options)
        self.clock = ThreadClock(self)
        self._stack = contextlib.ExitStack()
        self._portal: BlockingPortal | None = None

    def start(self) -> Self:
        """Start the thread and the server in it. Starting twice is fine.

        Raises:
            OSError: The address cannot be listened on, for example because the port is taken.
            ConfigError: The state file cannot be used.
        """
        if self._portal is None:
            with contextlib.ExitStack() as stack:
                portal = stack.enter_context(start_blocking_portal("asyncio"))
                portal.call(_name_this_thread)
                # Whoever waits in `call` when the server is closed must not keep it open.
                stack.callback(portal.call, portal.stop, True)  # noqa: FBT003 - by position only
                portal.call(self.server.start)
                stack.callback(portal.call, self.server.aclose)
                self._stack = stack.pop_all()
                self._portal = portal
        return self

    def close(self) -> None:
        """Stop the server and join its thread. Closing twice is fine."""
        self._portal = None
        self._stack.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @overload
    def call(self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T: ...
    @overload
    def call(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...
    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call a function, sync or async, in the loop of the server, and return what it returns.

        Args:
            function: Such as ``dev.server.store.get_execution``.
            *args: What to call it with.
            **kwargs: What to call it with, by name.

        Raises:
            ClosedError: The server is not running.
        """
        try:
            return self._running().call(partial(function, *args, **kwargs))
        except CancelledError:
            raise ClosedError(f"the devserver was closed while {function!r} ran in its loop") from None

    @property
    def endpoint(self) -> str:
        """Where it listens, such as ``"127.0.0.1:41003"``."""
        return self.server.endpoint

    @property
    def http_endpoint(self) -> str:
        """Where it listens for HTTP, such as ``"127.0.0.1:41004"``; see :attr:`DevServer.http_endpoint`."""
        return self.server.http_endpoint

    @property
    def faults(self) -> Faults:
        """What goes wrong at it."""
        return self.server.faults

    @property
    def requests(self) -> Counter[str]:
        """How many requests it has got, by the name of the RPC."""
        return self.server.requests

    def remote(self, **options: Any) -> FlyteRemote:
        """Return a client of this server over real gRPC, for the loop that opens it; see :meth:`DevServer.remote`."""
        return self.server.remote(**options)

    def task(self, entity: str | Named) -> Callable[[F], F]:
        """Register a function, sync or async, as the stand-in of a task; a decorator."""
        return self.server.task(entity)

    def stand_in(self, entity: str | Named, function: Callable[..., Any]) -> None:
        """Register a function, sync or async, as the stand-in of a task."""
        self.server.stand_in(entity, function)

    def load(self, source: str | Path | Iterable[str]) -> int:
        """Take in what another control plane knew; see :meth:`DevServer.load`."""
        return self.call(self.server.load, source)

    def load_objects(self, archive: str | Path) -> int:
        """Put the files of a tar archive into the bucket; see :meth:`DevServer.load_objects`."""
        return self.call(self.server.load_objects, archive)

    def restart(self, downtime: float = 0.0) -> None:
        """Go down and come back; see :meth:`DevServer.restart`."""
        self.call(self.server.restart, downtime)

    def outage(self) -> contextlib.AbstractContextManager[None]:
        """Be down inside of a ``with``: connections are reset, and new ones are refused."""
        return self._running().wrap_async_context_manager(self.server.outage())

    def goaway(self, grace: float = 5.0) -> None:
        """Tell all clients to connect anew; see :meth:`DevServer.goaway`."""
        self.call(self.server.goaway, grace)

    def _running(self) -> BlockingPortal:
        if self._portal is None:
            raise ClosedError("the devserver is not running: use it inside of `with DevServer.in_thread() as dev:`")
        return self._portal


def _name_this_thread() -> None:
    threading.current_thread().name = "devserver"
