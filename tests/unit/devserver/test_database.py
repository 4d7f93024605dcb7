"""What waits for the database is done together, and each piece of work is as if it had been alone."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from typing import TYPE_CHECKING

import anyio
import pytest

from flyte_remote_async.devserver.store.database import Database
from flyte_remote_async.devserver.store.sql import Statement
from flyte_remote_async.devserver.store.worker import Worker
from flyte_remote_async.errors import ClosedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from flyte_remote_async.devserver.store.worker import Job

pytestmark = pytest.mark.anyio

PUT = 'INSERT INTO "projects" ("identifier", "message") VALUES (?, x\'\')'


@pytest.fixture
async def database() -> AsyncIterator[Database]:
    database = await Database.open(None)
    yield database
    await database.aclose()


async def names(database: Database) -> list[str]:
    return await database.column(Statement('SELECT "identifier" FROM "projects" ORDER BY "id"'))


@pytest.fixture
async def held(database: Database) -> AsyncIterator[Callable[[], None]]:
    """What lets the database go on: until then all that is asked of it waits."""
    go, begun = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def hold(_connection: sqlite3.Connection) -> None:
        loop.call_soon_threadsafe(begun.set)
        go.wait()

    holding = asyncio.ensure_future(database.run(hold))
    await begun.wait()
    yield go.set
    go.set()
    await holding


def put(name: str, then: BaseException | None = None) -> Callable[[sqlite3.Connection], str]:
    def work(connection: sqlite3.Connection) -> str:
        connection.execute(PUT, (name,))
        if then is not None:
            raise then
        return name

    return work


async def test_what_fails_is_undone_alone(database: Database, held: Callable[[], None]) -> None:
    works = [put("a"), put("b", LookupError("b")), put("c"), put("d", sqlite3.IntegrityError("d"))]
    waiting = [asyncio.ensure_future(database.run(work)) for work in works]
    seen = asyncio.ensure_future(names(database))
    await asyncio.sleep(0)
    assert not database.is_idle
    held()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert results[0] == "a"
    assert isinstance(results[1], LookupError)
    assert results[2] == "c"
    assert isinstance(results[3], sqlite3.IntegrityError)
    assert await seen == ["a", "c"]
    await asyncio.sleep(0)
    assert database.is_idle


async def test_where_the_transaction_breaks_each_is_done_alone(database: Database, held: Callable[[], None]) -> None:
    def give_up(connection: sqlite3.Connection) -> None:
        connection.execute("ROLLBACK")
        connection.execute("SELECT 1 FROM nowhere")

    waiting = [asyncio.ensure_future(database.run(work)) for work in (put("a"), give_up, put("b"))]
    await asyncio.sleep(0)
    held()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert results[0] == "a"
    assert isinstance(results[1], sqlite3.OperationalError)
    assert results[2] == "b"
    assert await names(database) == ["a", "b"]


async def test_what_nobody_waits_for_is_not_begun(database: Database, held: Callable[[], None]) -> None:
    with anyio.move_on_after(0) as scope:
        await database.run(put("a"))
    assert scope.cancelled_caught
    held()
    assert await names(database) == []


async def test_what_was_begun_is_finished(database: Database) -> None:
    begun, go = threading.Event(), threading.Event()

    def slow(connection: sqlite3.Connection) -> None:
        begun.set()
        go.wait()
        connection.execute(PUT, ("slow",))

    waiting = asyncio.ensure_future(database.run(slow))
    await anyio.to_thread.run_sync(begun.wait)
    waiting.cancel()
    go.set()
    assert await names(database) == ["slow"]


async def test_closing_comes_after_what_waits(database: Database, held: Callable[[], None]) -> None:
    waiting = asyncio.ensure_future(database.run(put("a")))
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(database.aclose())
    await asyncio.sleep(0)
    with pytest.raises(ClosedError):
        await database.run(put("b"))
    held()
    assert await waiting == "a"
    await closing
    await database.aclose()


def test_a_loop_that_is_gone_is_not_told() -> None:
    """Another loop that waits for the same thread gets its answer nevertheless."""
    begun, go = threading.Event(), threading.Event()
    done: list[str] = []

    def do(jobs: Sequence[Job[str]]) -> None:
        for job in jobs:
            done.append(job.work)
            if job.work == "slow":
                begun.set()
                go.wait()

    worker: Worker[str] = Worker(do)

    async def ask_and_leave() -> None:
        asking = asyncio.ensure_future(worker.run("slow"))
        await asyncio.to_thread(begun.wait)
        asking.cancel()

    asyncio.run(ask_and_leave())
    go.set()
    asyncio.run(worker.stop("last"))
    assert done == ["slow", "last"]
