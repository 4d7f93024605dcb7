"""Faults on demand: what goes wrong between a client and Flyte, for tests of how a program lives with it."""

from __future__ import annotations

import random
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn, Self, TypeAlias, TypeVar

import anyio
import attrs

from flyte_remote_async.errors import FlyteRemoteError, rpc_error
from flyte_remote_async.transport.base import Method, Reply
from flyte_remote_async.transport.methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from types import TracebackType

    from flyte_remote_async.transport.base import Metadata

__all__ = [
    "ConnectionCutError",
    "Cut",
    "DatabaseFails",
    "Delay",
    "Fail",
    "Fault",
    "FaultKind",
    "Faults",
    "Hang",
    "KubernetesFails",
    "Trickle",
    "Truncate",
]

_NAMES: Final = tuple(sorted({method.name for method in METHODS.values()}))
_PUSHBACK: Final = "grpc-retry-pushback-ms"

K = TypeVar("K", bound="FaultKind")

Calls: TypeAlias = "str | Method[Any, Any] | Iterable[str | Method[Any, Any]]"
"""The name of an RPC, a pattern of names such as ``"Get*"``, or several of them."""


class ConnectionCutError(FlyteRemoteError):
    """Raised to make a face of the devserver lose the connection that carries the call."""


class FaultKind:
    """What goes wrong with a call.

    Attributes:
        inside: Whether it happens inside of a service, which asks for it, and not around the call.
    """

    __slots__ = ()

    inside: ClassVar[bool] = False

    async def before(self) -> None:
        """Act before the request is carried out."""

    async def after(self, reply: Reply) -> Reply:
        """Act after the request was carried out, and return what is answered."""
        return reply


class _Ending(FaultKind):
    """What ends a call, before its request is carried out or after that."""

    __slots__ = ()

    after_commit: bool

    async def end(self) -> NoReturn:
        """End the call."""
        raise NotImplementedError

    async def before(self) -> None:
        """End the call before its request is carried out, unless it is for later."""
        if not self.after_commit:
            await self.end()

    async def after(self, reply: Reply) -> Reply:  # noqa: ARG002 - the answer is lost
        """End the call whose request was carried out."""
        await self.end()


@attrs.frozen
class Delay(FaultKind):
    """Calls take longer, by the wall clock and not by the devserver's own.

    Attributes:
        seconds: How much longer.
        jitter: Up to how many seconds on top, drawn anew for each call.
    """

    seconds: float = attrs.field(validator=attrs.validators.ge(0))
    jitter: float = attrs.field(default=0.0, validator=attrs.validators.ge(0))

    async def before(self) -> None:
        """Wait."""
        await anyio.sleep(self.seconds + random.uniform(0, self.jitter))  # noqa: S311 - no secret


def _is_code(_fault: object, _field: object, code: str) -> None:
    if rpc_error(code, "").code != code:
        raise ValueError(f"{code!r} is no gRPC status code that a call can fail with, such as 'UNAVAILABLE'")


@attrs.frozen
class Fail(_Ending):
    """Calls end with a status.

    Attributes:
        code: Name of the gRPC status code, such as ``"UNAVAILABLE"``.
        details: The words that come with it.
        after_commit: Whether the request is carried out before.
        pushback: Seconds that the server asks the client to wait before it tries again; negative asks it not to.
        metadata: Other trailing metadata.
    """

    code: str = attrs.field(validator=_is_code)
    details: str = "a fault of the devserver"
    after_commit: bool = attrs.field(default=False, kw_only=True)
    pushback: float | None = attrs.field(default=None, kw_only=True)
    metadata: Metadata = attrs.field(default=(), kw_only=True)

    async def end(self) -> NoReturn:
        """Refuse."""
        trailing = list(self.metadata)
        if self.pushback is not None:
            trailing.append((_PUSHBACK, "-1" if self.pushback < 0 else str(round(self.pushback * 1000))))
        raise rpc_error(self.code, self.details, trailing_metadata=trailing)


@attrs.frozen(kw_only=True)
class Cut(_Ending):
    """The connection that carries the call is reset; other calls on it are lost too. In process, only the call is.

    Attributes:
        after_commit: Whether the request is carried out before, so that only its answer is lost.
    """

    after_commit: bool = False

    async def end(self) -> NoReturn:
        """Lose the connection."""
        when = "after" if self.after_commit else "before"
        raise ConnectionCutError(f"the connection was cut {when} the request was carried out")


@attrs.frozen(kw_only=True)
class Hang(_Ending):
    """Calls are never answered: they end when the client gives up.

    Attributes:
        after_commit: Whether the request is carried out before.
    """

    after_commit: bool = False

    async def end(self) -> NoReturn:
        """Hang."""
        await anyio.sleep_forever()
        raise AssertionError  # for type checkers


@attrs.frozen
class Trickle(FaultKind):
    """Answers take a time that grows with their size, as over a slow line.

    Attributes:
        bytes_per_second: The speed of the line.
    """

    bytes_per_second: float = attrs.field(validator=attrs.validators.gt(0))

    async def after(self, reply: Reply) -> Reply:
        """Wait as long as the answer takes."""
        await anyio.sleep(len(reply.message) / self.bytes_per_second)
        return reply


@attrs.frozen
class Truncate(FaultKind):
    """Answers are cut short, with status OK: a few bytes are no message any more, and none are an empty one.

    Attributes:
        length: How many bytes are left.
    """

    length: int = attrs.field(default=0, validator=attrs.validators.ge(0))

    async def after(self, reply: Reply) -> Reply:
        """Shorten the answer."""
        return Reply(reply.message[: self.length], reply.trailing_metadata)


@attrs.frozen
class KubernetesFails(FaultKind):
    """Kubernetes refuses to create what an execution runs as.

    CreateExecution of a launch plan answers OK, and the execution has FAILED at once; of a single task it answers
    INTERNAL, and there is no execution. As in Flyte 1.16.8.

    Attributes:
        details: What Kubernetes says.
    """

    details: str = "etcdserver: request timed out"
    inside: ClassVar[bool] = True


@attrs.frozen
class DatabaseFails(FaultKind):
    """The database fails after the execution was created in Kubernetes.

    CreateExecution fails and knows of no execution, which runs nevertheless; sent again with the same name it succeeds,
    and does not run a second time. As in Flyte 1.16.8.

    Attributes:
        details: What the database says.
    """

    details: str = "dial tcp 127.0.0.1:5432: connect: connection refused"
    inside: ClassVar[bool] = True


class Fault:
    """One fault that was added, until it is removed; a context manager that removes it at its end.

    Attributes:
        kind: What goes wrong.
        hits: How many calls it has struck.
    """

    def __init__(
        self,
        kind: FaultKind,
        methods: tuple[str, ...],
        remove: Callable[[Fault], None],
        *,
        times: int | None,
        skip: int,
        probability: float,
        seed: int | None,
    ) -> None:
        self.kind = kind
        self.hits = 0
        self._methods = methods
        self._remove = remove
        self._times = times
        self._skip = skip
        self._probability = probability
        self._random = random.Random(seed)  # noqa: S311 - no secret

    def remove(self) -> None:
        """Let calls through again; those that it holds already go on as they do. Removing twice is fine."""
        self._remove(self)

    def strikes(self, name: str) -> bool:
        """Decide whether it strikes a call of an RPC, and count it if so."""
        if not any(fnmatchcase(name, pattern) for pattern in self._methods):
            return False
        if self._times is not None and self.hits >= self._times:
            return False
        if self._skip > 0:
            self._skip -= 1
            return False
        if self._probability < 1 and self._random.random() >= self._probability:
            return False
        self.hits += 1
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.remove()


class Faults:
    """What goes wrong at a devserver.

    Several faults may strike one call: each does its part, in the order in which they were added. Any thread may add
    and remove them.

    Example:
        >>> with dev.faults.add(Fail("UNAVAILABLE"), "List*", times=3) as fault:
        ...     await execution.wait()
        >>> assert fault.hits == 3
    """

    def __init__(self) -> None:
        # Adding to a dict, removing from it and copying it are each one step for other threads.
        self._faults: dict[Fault, None] = {}

    def add(
        self,
        kind: FaultKind,
        methods: Calls = "*",
        *,
        times: int | None = None,
        skip: int = 0,
        probability: float = 1.0,
        seed: int | None = None,
    ) -> Fault:
        """Make calls go wrong from now on.

        Args:
            kind: What goes wrong.
            methods: Which calls: the name of an RPC, a pattern such as ``"Get*"``, or several of them.
            times: How many calls at most; None is without limit.
            skip: How many calls to let through first.
            probability: How likely each call is struck, above 0 and up to 1.
            seed: Makes the calls that are struck by chance the same each time.

        Returns:
            The fault, to look at, to remove, or to use in a ``with``.

        Raises:
            ValueError: No RPC has that name, or a number is out of its range.
        """
        if not 0 < probability <= 1:
            raise ValueError(f"probability is {probability}, and must be above 0 and at most 1")
        if skip < 0 or (times is not None and times < 1):
            raise ValueError(f"skip is {skip} and times is {times}: count calls from 0, and strike 1 at least")
        names = _patterns(methods)
        fault = Fault(kind, names, self._remove, times=times, skip=skip, probability=probability, seed=seed)
        self._faults[fault] = None
        return fault

    def clear(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    def take(self, kind: type[K], name: str) -> K | None:
        """Return the fault of a kind that strikes this call of an RPC, for services that carry it out themselves."""
        for fault in tuple(self._faults):
            if isinstance(fault.kind, kind) and fault.strikes(name):
                return fault.kind
        return None

    async def around(self, name: str, serve: Callable[[], Awaitable[bytes | Reply]]) -> bytes | Reply:
        """Serve one call with all that goes wrong around it.

        Args:
            name: Name of the RPC.
            serve: Carries the request out.
        """
        if not self._faults:
            return await serve()
        kinds = [fault.kind for fault in tuple(self._faults) if not fault.kind.inside and fault.strikes(name)]
        for kind in kinds:
            await kind.before()
        answer = await serve()
        for kind in kinds:
            answer = await kind.after(answer if isinstance(answer, Reply) else Reply(answer))
        return answer

    def _remove(self, fault: Fault) -> None:
        self._faults.pop(fault, None)


def _patterns(methods: Calls) -> tuple[str, ...]:
    given = (methods,) if isinstance(methods, (str, Method)) else tuple(methods)
    patterns = tuple(method if isinstance(method, str) else method.name for method in given)
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in _NAMES):
            import difflib  # seldom needed, and dear to import

            close = difflib.get_close_matches(pattern, _NAMES, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"no RPC of Flyte is called {pattern!r}{hint}")
    if not patterns:
        raise ValueError("a fault must be for one RPC at least")
    return patterns
