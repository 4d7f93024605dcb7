"""Python functions that stand in for the tasks of a workflow.

The devserver runs no containers: a task runs the function that is registered under its name.
"""

from __future__ import annotations

import contextlib
import contextvars
import inspect
import typing
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "Attempt",
    "FlyteRecoverableException",
    "Interrupted",
    "Named",
    "StandIn",
    "StandIns",
    "acting_for",
    "current_attempt",
]

F = TypeVar("F", bound=Callable[..., Any])


class Named(Protocol):
    """Anything that has the name of a task: a fetched task, an identifier, one of flytekit's tasks."""

    @property
    def name(self) -> str:
        """The name of the task."""
        ...


class FlyteRecoverableException(Exception):  # noqa: N818 - flytekit's own name
    """Raised by a stand-in to fail this attempt and be tried again, as often as the task's ``retries`` allow.

    flytekit's own exception of this name works too.
    """

    def __str__(self) -> str:
        return f"USER:Recoverable: error={super().__str__()}"


class Interrupted(Exception):  # noqa: N818 - the code that Flyte has for it
    """Raised by a stand-in to end this attempt as the loss of its machine does.

    That is a failure of the platform: the task is tried again up to three times, whatever its ``retries`` say, and the
    last of these attempts is not interruptible.
    """


@attrs.frozen
class Attempt:
    """The attempt that a stand-in is called for.

    Attributes:
        execution: The name of the execution.
        node_id: The unique id of the node.
        task: The name of the task.
        number: 0 for the first attempt, 1 for the first retry, and so on.
    """

    execution: str
    node_id: str
    task: str
    number: int


_CURRENT: contextvars.ContextVar[Attempt] = contextvars.ContextVar("flyte_remote_async_attempt")


def current_attempt() -> Attempt:
    """Return the attempt that the running stand-in is called for.

    Raises:
        RuntimeError: It is called outside of a stand-in.

    Example::

        @dev.task("samples.flaky")
        def flaky(a: int) -> int:
            if current_attempt().number < 1:
                raise FlyteRecoverableException("try again")
            return a
    """
    try:
        return _CURRENT.get()
    except LookupError:
        raise RuntimeError("current_attempt() was called outside of a stand-in") from None


@contextlib.contextmanager
def acting_for(attempt: Attempt) -> Iterator[None]:
    """Make an attempt the current one."""
    token = _CURRENT.set(attempt)
    try:
        yield
    finally:
        _CURRENT.reset(token)


@attrs.frozen
class StandIn:
    """A registered function.

    Attributes:
        function: The function; called with the task's inputs by name.
        hints: The types that its parameters are annotated with, and ``return``.
        is_async: Whether it is a coroutine function, which runs on the loop; others run in a worker thread.
    """

    function: Callable[..., Any]
    hints: Mapping[str, Any]
    is_async: bool


class StandIns:
    """The stand-ins of a devserver, by the names of their tasks.

    A function gets the task's inputs by name, decoded to the types of its annotations, and plain Python without them.
    It returns what the task's interface declares: the value of the only output, a ``NamedTuple`` or dict by name for
    several (a plain tuple where they are called ``o0``, ``o1``, …), None for none.

    Example::

        stand_ins = StandIns()

        @stand_ins.task("samples.add")
        def add(a: int, b: int = 1) -> int:
            return a + b
    """

    def __init__(self) -> None:
        self._by_name: dict[str, StandIn] = {}

    def task(self, entity: str | Named) -> Callable[[F], F]:
        """Return a decorator that registers a function; the function itself stays as it is.

        Args:
            entity: The name of the task, or something that has it.
        """

        def register(function: F) -> F:
            self.add(entity, function)
            return function

        return register

    def add(self, entity: str | Named, function: Callable[..., Any]) -> None:
        """Register a function, in place of one that was registered before.

        Args:
            entity: The name of the task, or something that has it.
            function: Sync or async.

        Raises:
            TypeError: It cannot be called, or one of its annotations names something that cannot be found.
        """
        name = entity if isinstance(entity, str) else entity.name
        if not callable(function):
            raise TypeError(f"the stand-in for {name} is {function!r}, and cannot be called")
        call = type(function).__call__
        is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)
        self._by_name[name] = StandIn(function, _hints(name, function), is_async)

    def get(self, name: str) -> StandIn | None:
        """Return the stand-in for a task, or None.

        Args:
            name: The name of the task.
        """
        return self._by_name.get(name)


def _hints(name: str, function: Callable[..., Any]) -> dict[str, Any]:
    annotated = inspect.unwrap(getattr(function, "func", function))
    if not inspect.isroutine(annotated):
        annotated = type(annotated).__call__
    try:
        return typing.get_type_hints(annotated, include_extras=True)
    except NameError as error:
        raise TypeError(
            f"the stand-in for {name} is annotated with {error.name!r}, which cannot be found from its module: "
            "define that type at the top of the module, or leave the annotation out"
        ) from error
