"""The faults of a devserver: which calls they strike, and how often."""

from __future__ import annotations

import random
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias, TypeVar

from flyte_remote_async.devserver.faults.kinds import FaultKind
from flyte_remote_async.transport.base import Method, Reply
from flyte_remote_async.transport.methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from types import TracebackType

__all__ = ["Fault", "Faults"]

_NAMES: Final = tuple(sorted({method.name for method in METHODS.values()}))

K = TypeVar("K", bound=FaultKind)

Calls: TypeAlias = "str | Method[Any, Any] | Iterable[str | Method[Any, Any]]"
"""The name of an RPC, a pattern of names such as ``"Get*"``, or several of them."""


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
