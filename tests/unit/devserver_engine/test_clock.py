from __future__ import annotations

import datetime as dt

import anyio
import pytest

from flyte_remote_async.devserver.clock import Clock

pytestmark = pytest.mark.anyio

HOUR = dt.timedelta(hours=1)


async def test_what_falls_due_happens_in_order_and_at_its_own_instant() -> None:
    clock = Clock()
    began = clock.now()
    seen: list[tuple[str, int]] = []

    async def chain(name: str, *naps: float) -> None:
        for nap in naps:
            await clock.sleep(nap)
            seen.append((name, round((clock.now() - began).total_seconds() / 3600)))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(chain, "a", 3600, 3600, 3600)
        tasks.start_soon(chain, "b", 7000, 3000)
        await anyio.wait_all_tasks_blocked()
        await clock.advance(hours=2, minutes=30)
        assert seen == [("a", 1), ("b", 2), ("a", 2)]
        await clock.advance(HOUR)
        assert seen[3:] == [("b", 3), ("a", 3)]
    assert clock.now() - began >= dt.timedelta(hours=3, minutes=30)


async def test_advances_come_one_after_another() -> None:
    clock = Clock()
    began = clock.now()
    first, second = clock.advance(HOUR), clock.advance(HOUR)
    await second
    await first
    assert dt.timedelta() <= clock.now() - began - 2 * HOUR < HOUR


async def test_it_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="cannot go back"):
        await Clock().advance(hours=-1)


async def test_an_instant_that_has_passed_is_not_slept_for() -> None:
    clock = Clock()
    await clock.sleep_until(clock.now() - HOUR)


async def test_a_sleep_that_is_cancelled_leaves_no_timer() -> None:
    clock = Clock()
    with anyio.move_on_after(0.01) as scope:
        await clock.sleep(3600)
    assert scope.cancelled_caught
    assert clock._timers == []


async def test_a_scope_ends_when_the_clock_shows_its_instant() -> None:
    clock = Clock()
    with clock.move_on_at(clock.now() + HOUR) as scope:
        _ = clock.advance(minutes=59)
        await clock.advance(minutes=2)
        await anyio.sleep_forever()
    assert scope.cancelled_caught
    with clock.move_on_at(clock.now() + dt.timedelta(milliseconds=5)) as scope:  # the machine's clock does as well
        await anyio.sleep_forever()
    assert scope.cancelled_caught
    with clock.move_on_at(clock.now() + HOUR) as scope:
        await anyio.lowlevel.checkpoint()
    assert not scope.cancelled_caught
    assert clock._timers == []


async def test_nanoseconds_and_instants_agree() -> None:
    clock = Clock()
    before = clock.now()
    nanos = clock.now_ns()
    assert before <= dt.datetime.fromtimestamp(nanos / 1e9, dt.UTC) + dt.timedelta(microseconds=2)
    assert nanos % 1000 == 0


async def test_a_timer_that_the_loop_rings_too_early_waits_on() -> None:
    clock = Clock()
    instant = clock.now() + dt.timedelta(milliseconds=20)
    done = anyio.Event()
    with clock._timer(instant, done.set):
        (timer,) = clock._timers
        clock._on_alarm(timer)
        assert not done.is_set()
        await done.wait()
    assert clock.now() >= instant
