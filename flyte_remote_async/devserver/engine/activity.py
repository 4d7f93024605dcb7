"""Whether anything is on its way: what a clock that is moved waits for before it looks at the next timer."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from typing import TYPE_CHECKING, Final

import anyio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flyte_remote_async.devserver.store import Store

__all__ = ["Activity"]

# An attempt that takes longer than this is waited for no more: it may hang, or itself wait for the clock.
_PATIENCE: Final = 0.05
_PAUSE: Final = 0.0005
_QUIET_TURNS: Final = 10


class Activity:
    """What executions do that takes its time: writes into the store, and attempts of tasks.

    Args:
        store: Where they write.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._numbers = itertools.count()
        self._attempts: dict[int, float] = {}

    @contextlib.contextmanager
    def attempt(self) -> Iterator[None]:
        """Count what runs inside as an attempt."""
        number = next(self._numbers)
        self._attempts[number] = time.monotonic()
        try:
            yield
        finally:
            del self._attempts[number]

    async def at_rest(self) -> None:
        """Return when the store is idle, no attempt has just begun, and nothing on the loop changes that."""
        quiet = 0
        while quiet < _QUIET_TURNS:
            if self._is_busy():
                quiet = 0
                await anyio.sleep(_PAUSE)
            else:
                quiet += 1
                await asyncio.sleep(0)

    def _is_busy(self) -> bool:
        youngest = max(self._attempts.values(), default=0.0)
        return not self._store.is_idle or time.monotonic() - youngest < _PATIENCE
