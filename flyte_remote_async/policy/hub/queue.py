"""Items by the time at which they are due."""

from __future__ import annotations

import heapq
import itertools
import math
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Due"]

T = TypeVar("T")

_FEW: Final = 64


class Due(Generic[T]):
    """Items by the time at which they are due; each is in it once, and can be moved and taken out.

    A heap cannot give up what lies in its middle: entries that no longer hold are skipped when they come up, and swept
    when they are more than the others.
    """

    __slots__ = ("_entries", "_heap", "_numbers")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._entries: dict[T, int] = {}
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, item: T, at: float) -> None:
        """Put an item in, or move it."""
        number = next(self._numbers)
        self._entries[item] = number
        heapq.heappush(self._heap, (at, number, item))
        if len(self._heap) > 2 * len(self._entries) + _FEW:
            self._heap = [entry for entry in self._heap if self._holds(entry)]
            heapq.heapify(self._heap)

    def discard(self, item: T) -> None:
        """Take an item out; one that is not in it is fine."""
        self._entries.pop(item, None)

    @property
    def first_at(self) -> float:
        """When the first item is due; infinite when there is none."""
        while self._heap and not self._holds(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else math.inf

    def take(self, now: float, most: int | None = None) -> Iterator[T]:
        """Take out what is due, the oldest first.

        Args:
            now: What is due up to here.
            most: How many at most; None for all.
        """
        for _ in itertools.count() if most is None else range(most):
            if self.first_at > now:
                return
            item = heapq.heappop(self._heap)[2]
            del self._entries[item]
            yield item

    def _holds(self, entry: tuple[float, int, T]) -> bool:
        return self._entries.get(entry[2]) == entry[1]
