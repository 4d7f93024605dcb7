"""The bridge between pure conversions and the world: ask for what is missing, bring it, convert again.

A codec that needs stored bytes (a table that a hint wants read, an offloaded literal) asks a :class:`Gathered` for
them. The first time they are not there: it notes the want, and a placeholder takes their place. :func:`settle` brings
all that was noted at once, and runs the conversion again, until nothing is missing. So a codec stays a plain function,
and what it needs is fetched side by side, wherever in the value it stands.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import anyio
import attrs

from flyte_remote_async.errors import FlyteRemoteError, LiteralError

if TYPE_CHECKING:
    from collections.abc import Hashable

    from flyte_remote_async.literals.context import Context

__all__ = ["CONCURRENCY", "PENDING", "Fetch", "Gathered", "settle"]

T = TypeVar("T")

Fetch: TypeAlias = Callable[[], Awaitable[Any]]
"""Brings one thing."""

CONCURRENCY: Final = 16
"""How many things are brought at a time for one value."""


PENDING: Final = object()
"""Stands for what was not brought yet; the value that it is part of is thrown away."""


class Gathered:
    """What was brought for one conversion, by key."""

    def __init__(self) -> None:
        self._found: dict[Hashable, Any] = {}
        self._wanted: dict[Hashable, Fetch] = {}

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing."""
        return not self._wanted

    def get(self, key: Hashable, fetch: Fetch) -> Any:
        """Return what was brought under a key; :data:`PENDING`, and a note of the want, where nothing was.

        Args:
            key: What it is.
            fetch: Brings it.

        Raises:
            FlyteRemoteError: It could not be brought.
        """
        if key not in self._found:
            self._wanted[key] = fetch
            return PENDING
        return self.found(key)

    def found(self, key: Hashable) -> Any:
        """Return what was brought under a key; raises what hindered it."""
        found = self._found[key]
        if isinstance(found, FlyteRemoteError):
            raise found
        return found

    async def bring(self) -> None:
        """Bring all that is wanted, some at a time; what cannot be brought fails where it is used."""
        wanted, self._wanted = self._wanted, {}
        limiter = anyio.Semaphore(CONCURRENCY)
        failed: list[BaseException] = []

        async def one(key: Hashable, fetch: Fetch) -> None:
            async with limiter:
                try:
                    self._found[key] = await fetch()
                except FlyteRemoteError as error:
                    self._found[key] = error
                except Exception as error:  # noqa: BLE001 - raised below, out of the group
                    failed.append(error)

        async with anyio.create_task_group() as group:
            for key, fetch in wanted.items():
                group.start_soon(one, key, fetch)
        if failed:
            raise failed[0]


async def settle(convert: Callable[[Context], Awaitable[T]], context: Context) -> T:
    """Run a conversion until it has all that it needs.

    Args:
        convert: The conversion, with the context to use.
        context: What the conversion may use.

    Raises:
        LiteralError: The conversion failed for good.
    """
    gathered = Gathered()
    context = attrs.evolve(context, gathered=gathered)
    while True:
        try:
            value = await convert(context)
        except LiteralError:
            if gathered.is_complete:
                raise
        else:
            if gathered.is_complete:
                return value
        await gathered.bring()
