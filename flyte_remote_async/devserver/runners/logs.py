"""What tasks wrote to their standard output and error: bounded, readable while they run, and kept as objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from flyte_remote_async.devserver.objects import Objects

__all__ = ["Log", "Logs"]

_HEAD: Final = 64 * 1024
_TAIL: Final = 192 * 1024


class Log:
    """The log of one attempt: its beginning and its end, where it is too long to be kept whole."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._left_out = 0

    def write(self, data: bytes) -> None:
        """Add to its end."""
        room = _HEAD - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        too_many = len(self._tail) - _TAIL
        if too_many > _TAIL:  # not with every write: what is behind moves up
            del self._tail[:too_many]
            self._left_out += too_many

    def text(self) -> str:
        """Return what is kept of it; bytes that are no UTF-8 are replaced."""
        too_many = max(len(self._tail) - _TAIL, 0)
        left_out = self._left_out + too_many
        gap = f"\n[... {left_out} bytes left out ...]\n".encode() if left_out else b""
        return (self._head + gap + self._tail[too_many:]).decode(errors="replace")


class Logs:
    """The logs of all attempts, by name: ``project/domain/execution/node/attempt``.

    Args:
        objects: Where they are kept when their attempts have ended, under ``logs/``.
    """

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._live: dict[str, Log] = {}

    def begin(self, name: str) -> Log:
        """Return a new log, which can be read at once."""
        self._live[name] = log = Log()
        return log

    async def end(self, name: str) -> None:
        """Keep a log as an object.

        Raises:
            StorageError: The disk is full or refuses it; the log is gone.
        """
        log = self._live[name]
        try:
            await self._objects.put(_key(name), log.text().encode())
        finally:
            if self._live.get(name) is log:
                del self._live[name]

    async def read(self, name: str) -> str | None:
        """Return a log as far as it is written, or None where there is none."""
        log = self._live.get(name)
        if log is not None:
            return log.text()
        kept = await self._objects.get(_key(name))
        return None if kept is None else kept.decode()


def _key(name: str) -> str:
    return f"logs/{name}.txt"
