"""Stand-ins for the tasks of the packaged workflows: what the recorded tasks did."""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import anyio

from flyte_remote_async.devserver.runners.stand_ins import FlyteRecoverableException, current_attempt

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

__all__ = ["OUTPUT_TYPES", "TASKS", "Color", "Point", "register"]

F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Point:
    """What ``samples.make_point`` returns."""

    x: int
    y: float
    tags: list[str] = field(default_factory=list)
    name: str | None = None


class Color(enum.Enum):
    """What ``samples.use_point`` takes."""

    RED = "red"
    BLUE = "blue"


def add(a: int, b: int = 1) -> int:
    """Stand in for ``samples.add``."""
    return a + b


def make_point(x: int) -> Point:
    """Stand in for ``samples.make_point``."""
    return Point(x, x / 2, ["a", "b"], None)


def use_point(p: Point, c: Color = Color.RED) -> str:
    """Stand in for ``samples.use_point``."""
    return f"{p} {c}"


def fail(a: int) -> int:
    """Stand in for ``samples.fail``."""
    if a > -1000:  # noqa: PLR2004 - the recorded task's own number
        raise ValueError(f"boom {a}")
    return a


def flaky(a: int) -> int:
    """Stand in for ``samples.flaky``: its first attempt fails."""
    if current_attempt().number < 1:
        raise FlyteRecoverableException("try again")
    return a


def cached(a: int) -> int:
    """Stand in for ``samples.cached``."""
    return a * 10


def nothing(a: int) -> None:
    """Stand in for ``more.nothing``."""


TASKS: Final[Mapping[str, Callable[..., Any]]] = {
    "samples.add": add,
    "samples.make_point": make_point,
    "samples.use_point": use_point,
    "samples.fail": fail,
    "samples.flaky": flaky,
    "samples.cached": cached,
    "more.nothing": nothing,
}


OUTPUT_TYPES: Final[Mapping[str, Mapping[str, type]]] = {"samples.chain": {"p": Point}}
"""What outputs of a workflow are decoded to, where plain Python would lose something."""


class Registry(Protocol):
    """What stand-ins are registered with."""

    def task(self, entity: str) -> Callable[[F], F]:
        """Return a decorator that registers a function for a task."""
        ...


def register(registry: Registry, pace: float) -> None:
    """Register all of them.

    Args:
        registry: A DevServer.
        pace: Seconds that each takes, so that there is progress to see.
    """
    for name, function in TASKS.items():
        registry.task(name)(_paced(function, pace))


def _paced(function: Callable[..., Any], pace: float) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(function)
    async def slow(**inputs: Any) -> Any:
        await anyio.sleep(pace)
        return function(**inputs)

    return slow
