"""Walks over trees of snapshots without recursion: a tree may be a thousand levels deep."""

# ruff: noqa: SLF001 - the members of a part are for this module, and not for users

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, Self, TypeVar

from flyte_remote_async.models.turns import take_turns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Branch", "Part", "flatten", "fold", "has_more_than", "rebuild"]

R = TypeVar("R")

# So many parts are folded before others may have their turn, where the work is done beside a loop.
_STRIDE: Final = 50


class Branch(Protocol):
    """Something with parts."""

    def _parts(self) -> Sequence[Any]:
        """Return what is right below it."""
        ...


class Part(Branch, Protocol):
    """A snapshot as a part of a tree."""

    def _record(self) -> tuple[Any, ...]:
        """Return what it is without its parts: a flat, comparable value."""
        ...

    def _parts(self) -> tuple[Part, ...]:
        """Return the snapshots right below it."""
        ...

    @classmethod
    def _assemble(cls, record: tuple[Any, ...], parts: Sequence[Any]) -> Self:
        """Return the snapshot of a record and its parts."""
        ...


def flatten(root: Part) -> list[tuple[type[Any], tuple[Any, ...], int]]:
    """Return a tree as a flat list, parents before their parts: class, record and number of parts of each."""
    flat = []
    stack = [root]
    while stack:
        part = stack.pop()
        parts = part._parts()
        flat.append((type(part), part._record(), len(parts)))
        stack.extend(reversed(parts))
    return flat


def has_more_than(root: Branch, count: int) -> bool:
    """Whether a tree has more than so many parts, its root not counted; no more than that are looked at."""
    stack, found = [root], 0
    while stack and found <= count:
        parts = stack.pop()._parts()
        found += len(parts)
        stack.extend(parts)
    return found > count


def rebuild(flat: Sequence[tuple[type[Any], tuple[Any, ...], int]]) -> Any:
    """Return the tree that :func:`flatten` made flat."""
    done: list[Any] = []
    for cls, record, count in reversed(flat):
        parts = [done.pop() for _ in range(count)]
        done.append(cls._assemble(record, parts))
    return done.pop()


def fold(root: Branch, make: Callable[[Any, list[R]], R]) -> R:
    """Return what ``make`` gives for the root, called for each part with the results of the parts below it.

    Beside a loop, the loop gets its turn now and then.
    """
    order = []
    stack = [root]
    while stack:
        part = stack.pop()
        order.append(part)
        stack.extend(reversed(part._parts()))
    done: list[R] = []
    for count, part in enumerate(reversed(order)):
        if count % _STRIDE == 0:
            take_turns()
        results = [done.pop() for _ in part._parts()]
        done.append(make(part, results))
    return done.pop()
