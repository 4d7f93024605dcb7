"""What the hub has for one who waits: the latest news, and no queue of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from flyte_remote_async.policy.hub.values import Moved

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyte_remote_async.policy.hub.values import Outcome

__all__ = ["Inbox"]


class Inbox:
    """Holds the latest news for one who waits.

    Args:
        on_news: Is called when there are news.
    """

    __slots__ = ("_future", "_latest", "_on_news")

    def __init__(self, on_news: Callable[[], None] | None = None) -> None:
        self._latest: Outcome | None = None
        self._future: asyncio.Future[None] | None = None
        self._on_news = on_news

    def put(self, news: Outcome) -> None:
        """Put news in; older ones go, but for a row that was not looked at."""
        latest = self._latest
        if latest is not None and not isinstance(latest, Moved):
            return  # it was the last
        if isinstance(latest, Moved) and isinstance(news, Moved) and news.row is None:
            news = latest
        self._latest = news
        if self._future is not None and not self._future.done():
            self._future.set_result(None)
        if self._on_news is not None:
            self._on_news()

    def take(self) -> Outcome | None:
        """Take the news out; None when there are none."""
        latest, self._latest = self._latest, None
        return latest

    async def get(self) -> Outcome:
        """Return the news when there are some."""
        while (latest := self.take()) is None:
            self._future = asyncio.get_running_loop().create_future()
            await self._future
        return latest
