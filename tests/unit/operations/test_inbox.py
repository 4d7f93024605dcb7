"""What one who waits finds in his inbox."""

from __future__ import annotations

import pytest

from flyte_remote_async.errors import UnavailableError
from flyte_remote_async.operations.hub.inbox import Inbox
from flyte_remote_async.policy.hub.values import Ended, Failed, Moved, Ticket
from tests.support.hub_world import Life, id_of

pytestmark = pytest.mark.anyio

TICKET = Ticket(id_of("e"))
RUNNING = Life().row("e", 1.0, listed=False)
DONE = Life(ends=1.0).row("e", 2.0, listed=False)


async def test_the_latest_news_are_all() -> None:
    inbox = Inbox()
    inbox.put(Moved(TICKET, RUNNING))
    inbox.put(Moved(TICKET, DONE))
    assert await inbox.get() == Moved(TICKET, DONE)


async def test_a_row_is_not_lost_when_nothing_moved_after_it() -> None:
    inbox = Inbox()
    inbox.put(Moved(TICKET, RUNNING))
    inbox.put(Moved(TICKET, None))
    assert await inbox.get() == Moved(TICKET, RUNNING)


async def test_nothing_comes_after_the_last_news() -> None:
    inbox = Inbox()
    inbox.put(Ended(TICKET, DONE))
    inbox.put(Failed(TICKET, UnavailableError("late")))
    assert await inbox.get() == Ended(TICKET, DONE)
