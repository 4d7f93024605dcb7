"""Where gate nodes wait for their signals."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import anyio
from flyteidl.admin import signal_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flyteidl.core import identifier_pb2, types_pb2

    from flyte_remote_async.devserver.store import Store

__all__ = ["Gates"]


class Gates:
    """The signals of all executions: made when a gate is reached, and looked at again whenever one is set.

    Args:
        store: Where signals are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: dict[bytes, list[anyio.Event]] = {}

    async def get_or_create(
        self, signal_id: identifier_pb2.SignalIdentifier, wanted: types_pb2.LiteralType
    ) -> signal_pb2.Signal:
        """Return a signal, made where it was not there: without a value.

        Args:
            signal_id: Which one.
            wanted: The type of its value; one that is there already keeps its own.
        """
        fresh = signal_pb2.Signal(id=signal_id, type=wanted)
        with anyio.CancelScope(shield=True):
            await self._store.add_signal(fresh)
            found = await self._store.get_signal(signal_id)
        return found or fresh

    @contextlib.contextmanager
    def listening(self, signal_id: identifier_pb2.SignalIdentifier) -> Iterator[anyio.Event]:
        """Yield an event that is set when the signal is set from now on."""
        key = _key(signal_id)
        rung = anyio.Event()
        self._waiting.setdefault(key, []).append(rung)
        try:
            yield rung
        finally:
            if key in self._waiting:
                self._waiting[key].remove(rung)
                if not self._waiting[key]:
                    del self._waiting[key]

    def ring(self, signal_id: identifier_pb2.SignalIdentifier) -> None:
        """Tell the gates that wait for a signal that it was set."""
        for rung in self._waiting.get(_key(signal_id), ()):
            rung.set()


def _key(signal_id: identifier_pb2.SignalIdentifier) -> bytes:
    return signal_id.SerializeToString(deterministic=True)
