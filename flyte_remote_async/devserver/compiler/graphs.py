"""Walks through directed graphs, without recursion: a chain may be longer than Python's stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

__all__ = ["END_NODE", "START_NODE", "depth_first"]

START_NODE: Final = "start-node"
END_NODE: Final = "end-node"

N = TypeVar("N", bound="Hashable")


def depth_first(start: N, neighbors: Callable[[N], Iterable[N]]) -> tuple[list[N], list[N]]:
    """Walk through all that can be reached, neighbors first.

    Args:
        start: Where to start.
        neighbors: The nodes that an edge leads to, in the order in which to visit them.

    Returns:
        The path from the start into the first cycle, its last node the one that closes it; empty without a cycle. And
        the nodes that were left behind, each after all that can be reached from it; after a cycle not all of them.
    """
    path: dict[N, None] = {start: None}
    done: dict[N, None] = {}
    ahead = [iter(neighbors(start))]
    while ahead:
        following = next((node for node in ahead[-1] if node not in done), None)
        if following is None:
            ahead.pop()
            done[path.popitem()[0]] = None
        elif following in path:
            return [*path, following], list(done)
        else:
            path[following] = None
            ahead.append(iter(neighbors(following)))
    return [], list(done)
