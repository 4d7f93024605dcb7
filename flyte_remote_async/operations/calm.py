"""Full garbage collections wait while much is read.

A collection of all garbage stops the loop for longer than all the rest that is done with a large tree. Small trees are
not worth it: what is made while collections wait counts as old afterwards.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["LARGE", "STRIDE", "Calm"]

LARGE: Final = 1000
"""With more parts a tree is large."""

STRIDE: Final = 100
"""So many parts are handled before the loop gets its turn."""


class Calm:
    """Lets the garbage collector leave old objects alone, from the moment in which much was read to the end."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._parts = 0
        self._is_calm = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def count(self, parts: int = 1) -> None:
        """Note that parts of a tree were read.

        Args:
            parts: How many.
        """
        self._parts += parts
        if self._parts > LARGE:
            self.begin()

    def begin(self) -> None:
        """Begin, as it is known that there is much."""
        if not self._is_calm:
            self._is_calm = True
            from flyte_remote_async.resolver.workers import full_collections_postponed  # small trees do without

            self._stack.enter_context(full_collections_postponed())
