"""What the hub has for one who waits: the latest news, and no queue of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from flyte_remote_async.policy.hub.values import Moved

if TYPE_CHECKING:
    from flyte_remote_async.policy.hub.values import Outcome

__all__ = ["Inbox", "Receiver"]


class Receiver(Protocol):
    """Where the news for one who waits come in."""

    def put(self, news: Outcome) -> None:
        """Take news in."""
        ...


class Inbox:
    """Holds the latest news for one who waits."""

    __slots__ = ("_future", "_latest")

    def __init__(self) -> None:
        self._latest: Outcome | None = None
        self._future: asyncio.Future[None] | None = None

    def put(self, news: Outcome) -> None:
        """Take news in; older ones go, but for a row that was not looked at."""
        latest = self._latest
        if latest is not None and not isinstance(latest, Moved):
            return  # it was the last
        if not (isinstance(latest, Moved) and isinstance(news, Moved) and news.row is None):
            self._latest = news
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    async def get(self) -> Outcome:
        """Return the news when there are some."""
        while self._latest is None:
            self._future = asyncio.get_running_loop().create_future()
            await self._future
        latest, self._latest = self._latest, None
        return latest
