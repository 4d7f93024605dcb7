"""Items by the time at which they are due."""

from __future__ import annotations

import heapq
import itertools
import math
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Due"]

T = TypeVar("T")

_FEW: Final = 64


class Due(Generic[T]):
    """Items by the time at which they are due; each is in it once, and can be moved and taken out.

    Items that are due at one time can be put in together, which costs little more than one. A heap cannot give up what
    lies in its middle: items that no longer hold are skipped when they come up, and swept when they are more than the
    others.
    """

    __slots__ = ("_entries", "_heap", "_held", "_numbers")

    def __init__(self) -> None:
        # Each entry has its items from the last to the first, to be taken from the end.
        self._heap: list[tuple[float, int, list[T]]] = []
        self._held = 0
        self._entries: dict[T, int] = {}
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, item: T, at: float) -> None:
        """Put an item in, or move it."""
        self.put_all((item,), at)

    def put_all(self, items: Iterable[T], at: float) -> None:
        """Put items in, or move them; each may be given once."""
        number, last_first = next(self._numbers), [*items][::-1]
        self._entries.update(dict.fromkeys(last_first, number))
        heapq.heappush(self._heap, (at, number, last_first))
        self._held += len(last_first)
        if self._held > 2 * len(self._entries) + _FEW:
            self._sweep()

    def _sweep(self) -> None:
        entries, heap = self._entries, []
        for at, number, items in self._heap:
            held = [item for item in items if entries.get(item) == number]
            if held:
                heap.append((at, number, held))
        heapq.heapify(heap)
        self._heap, self._held = heap, len(entries)

    def discard(self, item: T) -> None:
        """Take an item out; one that is not in it is fine."""
        self._entries.pop(item, None)

    @property
    def first_at(self) -> float:
        """When the first item is due; infinite when there is none."""
        while self._heap:
            at, number, items = self._heap[0]
            while items:
                if self._entries.get(items[-1]) == number:
                    return at
                items.pop()
                self._held -= 1
            heapq.heappop(self._heap)
        return math.inf

    def take(self, now: float, most: int | None = None) -> Iterator[T]:
        """Take out what is due, the oldest first.

        Args:
            now: What is due up to here.
            most: How many at most; None for all.
        """
        for _ in itertools.count() if most is None else range(most):
            if self.first_at > now:
                return
            item = self._heap[0][2].pop()
            self._held -= 1
            del self._entries[item]
            yield item
