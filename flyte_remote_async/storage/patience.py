"""Requests that break off, made again for a while."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final, TypeVar

import anyio

from flyte_remote_async.errors import StorageError
from flyte_remote_async.policy.backoff import Backoff
from flyte_remote_async.storage.origins import InterruptedTransfer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["patiently"]

T = TypeVar("T")

_MOST_TRIES: Final = 4
_BACKOFF: Final = Backoff(initial=0.1, factor=3.0, longest=5.0, jitter=0.5)


async def patiently(attempt: Callable[[], Awaitable[T]], failure: str, shown: str) -> T:
    """Return what an attempt gives, which is made again when it is interrupted.

    Args:
        attempt: May be made several times, and raises :class:`InterruptedTransfer` where another may help.
        failure: What it means when none helps, such as "it cannot be stored".
        shown: The object, for errors.

    Raises:
        StorageError: The last attempt was interrupted, too.
    """
    pause, tried = _BACKOFF.first(), 0
    while True:
        tried += 1
        try:
            return await attempt()
        except InterruptedTransfer as error:
            if tried == _MOST_TRIES:
                raise StorageError(f"{failure}: {error} (tried {tried} times)", uri=shown) from None
        await anyio.sleep(pause.length(random.random))
        pause = pause.next(moved=False)
