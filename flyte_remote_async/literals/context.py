"""What a conversion may use: stored objects, the user's own types, and whether pickles may be loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import anyio.to_thread
import attrs

from flyte_remote_async.config.values import IN_PLACE_BYTES
from flyte_remote_async.errors import DecodeError
from flyte_remote_async.literals.types import NO_TYPES, Types

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from flyte_remote_async.errors import LiteralError
    from flyte_remote_async.literals.access import Objects, Work
    from flyte_remote_async.literals.gathering import Gathered

__all__ = ["PLAIN", "Context", "Types"]

T = TypeVar("T")


@attrs.frozen(eq=False)
class Context:
    """What a conversion may use; fixed once it is made.

    Attributes:
        objects: Stored objects; None where there are none, and then files and tables can be named and not read.
        allow_pickle: Whether pickles may be loaded, which runs code that whoever wrote them chose.
        types: The user's own types.
        work: Does what would hold up the loop; None for a thread each.
        max_object_bytes: The most bytes of one stored object that are read into memory for a value.
        in_place_bytes: Up to this many bytes a literal is decoded in place; a larger one beside the loop.
        gathered: What was brought for this one conversion; the async way of conversion sets it.
    """

    objects: Objects | None = None
    allow_pickle: bool = False
    types: Types = NO_TYPES
    work: Work | None = None
    max_object_bytes: int = 1024**3
    in_place_bytes: int = IN_PLACE_BYTES
    gathered: Gathered | None = None

    def bring(
        self,
        key: Hashable,
        fetch: Callable[[Objects], Awaitable[Any]],
        reason: str,
        error: type[LiteralError] = DecodeError,
    ) -> Any:
        """Return what lies in storage, or :data:`PENDING` when it has to be brought first.

        Args:
            key: What it is; the same key is brought once for a value.
            fetch: Brings it from the stored objects.
            reason: What to say where nothing can be brought.
            error: What to raise there.

        Raises:
            LiteralError: This conversion does no I/O, or has no storage.
        """
        objects = self.objects
        if self.gathered is None or objects is None:
            raise error(reason)
        return self.gathered.get(key, lambda: fetch(objects))

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Return ``function(*args)``, which runs beside the loop."""
        if self.work is not None:
            return await self.work.run(function, *args)
        return await anyio.to_thread.run_sync(function, *args)

    def __reduce__(self) -> tuple[Any, ...]:
        # Connections stay where they are.
        return _unbound, (self.allow_pickle, self.types, self.max_object_bytes, self.in_place_bytes)


def _unbound(allow_pickle: bool, types: Types, max_object_bytes: int, in_place_bytes: int) -> Context:
    return Context(
        allow_pickle=allow_pickle, types=types, max_object_bytes=max_object_bytes, in_place_bytes=in_place_bytes
    )


PLAIN = Context()
"""A conversion without storage, types of one's own or pickles."""
