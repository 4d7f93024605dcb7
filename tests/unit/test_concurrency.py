"""Work that is not cut off, whoever is cancelled, and work that is done once for all who ask."""

from __future__ import annotations

import asyncio

import anyio
import anyio.lowlevel
import pytest

from flyte_remote_async.concurrency import Shared, in_thread, to_the_end
from tests.support.cancelling import cancel_at_every_step

pytestmark = pytest.mark.anyio


async def test_it_gives_what_the_work_gives() -> None:
    async def work() -> int:
        await anyio.lowlevel.checkpoint()
        return 7

    async def fail() -> None:
        await anyio.lowlevel.checkpoint()
        raise KeyError("gone")

    assert await to_the_end(work()) == 7
    with pytest.raises(KeyError, match="gone"):
        await to_the_end(fail())


async def test_it_is_done_whole_wherever_it_is_cancelled() -> None:
    begun: list[int] = []
    done: list[int] = []

    async def work() -> None:
        begun.append(1)
        for _ in range(8):
            await anyio.lowlevel.checkpoint()
        done.append(1)

    async def whole() -> None:
        await to_the_end(work())

    assert await cancel_at_every_step(whole) > 5
    assert len(begun) == len(done) > 5


@pytest.mark.parametrize("times", [1, 3])
async def test_it_hurries_once_and_who_was_cancelled_is_told_at_the_end(times: int) -> None:
    hurried: list[int] = []
    over = asyncio.Event()

    async def work() -> None:
        await over.wait()

    async def hurry() -> None:
        hurried.append(1)
        for _ in range(10):
            await asyncio.sleep(0)
        over.set()

    task = asyncio.create_task(to_the_end(work(), hurry=hurry))
    for _ in range(times):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert over.is_set()
    assert hurried == [1]


async def test_the_scopes_of_both_libraries_end_at_their_own_place() -> None:
    async def work() -> str:
        await asyncio.sleep(0.02)
        return "done"

    with anyio.move_on_after(0.001) as scope:
        await to_the_end(work())
    assert scope.cancelled_caught
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await to_the_end(work())
    await anyio.sleep(0.01)  # nothing is left to be cancelled


async def test_what_a_thread_made_is_taken_back_where_nobody_takes_it() -> None:
    made: list[object] = []
    kept: list[object] = []

    def make(what: str) -> tuple[str]:
        made.append(what)
        return (what,)

    async def work() -> None:
        kept.append(await in_thread(make, "x", undo=lambda _: made.pop()))

    assert await cancel_at_every_step(work, lambda: assert_equal(len(made), len(kept)), stretch=4) > 2
    assert kept == [("x",)]


async def test_what_cannot_be_made_is_told_and_not_taken_back() -> None:
    def fail() -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await in_thread(fail, undo=pytest.fail)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await in_thread(fail, undo=pytest.fail)


def assert_equal(one: object, other: object) -> None:
    assert one == other


class Work:
    """Work that can be held, that fails when told so, and that counts."""

    def __init__(self) -> None:
        self.begun = 0
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.begun += 1
        number = self.begun
        await self.go.wait()
        if self.error is not None:
            raise self.error
        return number


async def asking(shared: Shared[int], work: Work, count: int) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(shared.get(work)) for _ in range(count)]
    for _ in range(5):  # each asks, and the first begins
        await asyncio.sleep(0)
    return tasks


async def test_all_who_ask_while_it_is_done_get_the_same() -> None:
    shared, work = Shared[int](), Work()
    tasks = await asking(shared, work, 5) + await asking(shared, work, 2)
    work.go.set()
    assert await asyncio.gather(*tasks) == [1] * 7
    assert await shared.get(work) == 2


async def test_all_who_ask_while_it_fails_are_told_and_the_next_starts_anew() -> None:
    shared, work = Shared[int](), Work()
    tasks = await asking(shared, work, 5)
    work.error = KeyError("gone")
    work.go.set()
    assert {type(error) for error in await asyncio.gather(*tasks, return_exceptions=True)} == {KeyError}
    work.error = None
    assert await shared.get(work) == 2


@pytest.mark.parametrize("cancelled", [1, 3])
async def test_one_who_is_cancelled_leaves_it_to_the_next(cancelled: int) -> None:
    shared, work = Shared[int](), Work()
    tasks = await asking(shared, work, 4)
    for task in tasks[:cancelled]:
        task.cancel()
    await asyncio.wait(tasks[:cancelled])
    late = await asking(shared, work, 2)
    work.go.set()
    assert await asyncio.gather(*tasks[cancelled:], *late) == [2] * (6 - cancelled)


async def test_where_all_are_cancelled_the_next_starts_anew() -> None:
    shared, work = Shared[int](), Work()
    tasks = await asking(shared, work, 2)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    work.go.set()
    assert await shared.get(work) == 2
