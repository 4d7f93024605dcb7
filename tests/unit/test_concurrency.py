"""Work that is not cut off, whoever is cancelled."""

from __future__ import annotations

import asyncio

import anyio
import anyio.lowlevel
import pytest

from flyte_remote_async.concurrency import to_the_end
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
