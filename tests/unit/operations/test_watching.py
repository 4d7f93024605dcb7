"""Watches: what they tell, in which order, what they cost, and what they survive."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from flyte_remote_async.errors import (
    ClosedError,
    NotFoundError,
    PermissionDeniedError,
    UnavailableError,
    WaitTimeoutError,
)
from flyte_remote_async.executions.events import AttemptChanged, ExecutionPhaseChanged, NodePhaseChanged
from tests.support.cancelling import cancel_at_every_step
from tests.support.eventually import eventually
from tests.support.films import Film, refuse
from tests.support.stages import open_stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from flyte_remote_async.executions.events import Event
    from flyte_remote_async.transport.base import Method
    from tests.support.stages import Stage

pytestmark = pytest.mark.anyio

SOON = 0.01


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with open_stage() as stage:
        yield stage


def words(event: Event) -> str:
    match event:
        case ExecutionPhaseChanged():
            return f"{event.execution_id.name} {event.after.name}"
        case NodePhaseChanged():
            return f"{event.node_id} {event.after.name}"
        case AttemptChanged():
            return f"{event.node_id}-{event.attempt} {event.after.name}"
        case _:
            return type(event).__name__


async def rest_of(events: AsyncIterator[Event]) -> list[str]:
    return [words(event) async for event in events]


async def test_events_come_as_they_happen_and_end_with_the_end(stage: Stage) -> None:
    told: list[str] = []

    async def read() -> None:
        async for event in stage.handle().watch(poll_interval=SOON):
            told.append(words(event))
            assert event.snapshot.id.name == "film"

    reading = asyncio.create_task(read())
    await eventually(lambda: told == ["film QUEUED"])
    stage.film.later()
    await stage.film.execution("RUNNING")
    await eventually(lambda: told[1:] == ["film RUNNING"])
    await stage.film.node("task", "QUEUED")
    await eventually(lambda: told[2:] == ["task QUEUED"])
    await stage.film.node("task", "RUNNING")
    await stage.film.attempt("task")
    await eventually(lambda: set(told[3:]) == {"task RUNNING", "task-0 RUNNING"})
    await stage.end()
    await reading
    assert told[5:] == ["task-0 SUCCEEDED", "task SUCCEEDED", "film SUCCEEDED"]


async def test_what_the_snapshot_knows_is_not_told_again(stage: Stage) -> None:
    await stage.film.execution("RUNNING")
    await stage.film.node("task")
    await stage.film.attempt("task")
    known = await stage.handle().sync(sync_nodes=True)
    await stage.end("FAILED")
    told = [words(event) async for event in known.watch()]
    assert told == ["task-0 FAILED", "task FAILED", "film FAILED"]


async def test_what_has_ended_and_is_known_tells_its_end_alone(stage: Stage) -> None:
    await stage.end()
    known = await stage.handle().sync(sync_nodes=True)
    stage.ledger.clear()
    (event,) = [event async for event in known.watch()]
    assert isinstance(event, ExecutionPhaseChanged)
    assert event.is_terminal
    assert event.before == event.after == known.phase
    assert event.at is not None
    assert stage.ledger.total == 0


async def test_what_has_ended_and_is_half_known_tells_the_rest_first(stage: Stage) -> None:
    await stage.end()
    known = await stage.handle().sync()
    told = [words(event) async for event in known.watch()]
    assert sorted(told[:2]) == ["task SUCCEEDED", "task-0 SUCCEEDED"]
    assert told[2:] == ["film SUCCEEDED"]


async def test_a_level_that_is_not_found_for_a_moment_does_not_end_a_watch(stage: Stage) -> None:
    await stage.film.execution("RUNNING")
    known = await stage.handle().sync()
    refuse(stage.ledger, "ListNodeExecutions", NotFoundError, times=2)
    told: list[str] = []

    async def read() -> None:
        async for event in known.watch(poll_interval=SOON):
            told.append(words(event))  # noqa: PERF401 - the story goes by what was told so far

    reading = asyncio.create_task(read())
    await eventually(lambda: stage.ledger.counts["ListNodeExecutions"] > 4)
    await stage.end()
    await reading
    assert told[-1] == "film SUCCEEDED"


async def test_a_level_that_is_not_found_three_times_is_an_error(stage: Stage) -> None:
    await stage.film.execution("RUNNING")
    known = await stage.handle().sync()
    refuse(stage.ledger, "ListNodeExecutions", NotFoundError)
    with pytest.raises(NotFoundError):
        await anext(known.watch(poll_interval=SOON))
    assert stage.ledger.counts["ListNodeExecutions"] == 3


async def test_what_has_ended_and_is_not_known_is_told_whole(stage: Stage) -> None:
    await stage.end()
    told = [words(event) async for event in stage.handle().watch()]
    assert told[-1] == "film SUCCEEDED"
    assert "task SUCCEEDED" in told
    assert stage.ledger.counts == {"GetExecution": 1, "ListNodeExecutions": 1, "ListTaskExecutions": 1}


async def test_a_reader_that_is_slow_gets_the_latest_state(stage: Stage) -> None:
    async with aclosing(stage.handle().watch(poll_interval=SOON)) as events:
        assert words(await anext(events)) == "film QUEUED"
        for phase in ("QUEUED", "RUNNING", "FAILING"):
            await stage.film.node("task", phase)
        await stage.end("FAILED")
        before = stage.ledger.total
        await asyncio.sleep(0.1)
        # Nothing is asked while nobody reads.
        assert stage.ledger.total == before
        told = [words(event) async for event in events]
    assert sorted(told[:2]) == ["task FAILED", "task-0 FAILED"]
    assert told[2:] == ["film FAILED"]


async def test_a_reader_that_never_reads_costs_nothing(stage: Stage) -> None:
    events = stage.handle().watch()
    await asyncio.sleep(0.05)
    assert stage.ledger.total == 0
    assert not stage.remote.waits
    await events.aclose()


async def test_whoever_ends_a_watch_is_waited_for_no_more_at_once(stage: Stage) -> None:
    events = stage.remote.watch(stage.handle(), poll_interval=SOON)
    await anext(events)
    assert len(stage.remote.waits) == 1
    await events.aclose()
    assert not stage.remote.waits


async def test_a_reader_that_stopped_holds_up_nobody(stage: Stage) -> None:
    await stage.film.execution("RUNNING")
    stopped = stage.handle().watch(poll_interval=SOON)
    await anext(stopped)
    other = asyncio.create_task(stage.handle().wait(poll_interval=SOON, sync_nodes=False))
    await asyncio.sleep(0.05)
    await stage.end()
    assert (await other).is_successful
    # It learns of the end when it reads on.
    assert [words(event) async for event in stopped][-1] == "film SUCCEEDED"
    assert not stage.remote.waits


async def test_a_refresh_costs_what_is_live(stage: Stage) -> None:
    await stage.film.execution("RUNNING")
    for number in range(5):
        await stage.film.node(f"done{number}", "SUCCEEDED")
        await stage.film.attempt(f"done{number}", "SUCCEEDED")
    await stage.film.node("task")
    await stage.film.attempt("task")
    async with aclosing(stage.handle().watch(poll_interval=SOON)) as events:
        for _ in range(13):
            await anext(events)
        stage.film.later()
        await stage.film.node("task", "SUCCEEDED")
        stage.ledger.clear()
        assert words(await anext(events)) == "task SUCCEEDED"
        # The status, the live level and the live task; once more where the first look was too early.
        assert stage.ledger.total <= 6


async def test_phases_that_go_back_are_not_told(stage: Stage) -> None:
    await stage.film.execution("RUNNING")
    await stage.film.node("task", "RUNNING")
    told: list[str] = []

    async def read() -> None:
        async for event in stage.handle().watch(poll_interval=SOON):
            told.append(words(event))  # noqa: PERF401 - the story goes by what was told so far

    reading = asyncio.create_task(read())
    await eventually(lambda: len(told) == 2)
    stage.film.later()
    await stage.film.node("task", "QUEUED")
    await stage.film.execution("QUEUED")
    count = stage.ledger.total
    await eventually(lambda: stage.ledger.total > count + 12)
    await stage.film.node("task", "RUNNING")
    await stage.film.execution("RUNNING")
    count = stage.ledger.total
    await eventually(lambda: stage.ledger.total > count + 12)
    assert told == ["film RUNNING", "task RUNNING"]
    await stage.end()
    await reading
    assert told[2:] == ["task-0 SUCCEEDED", "task SUCCEEDED", "film SUCCEEDED"]


@pytest.mark.parametrize("rpc", ["GetExecution", "ListNodeExecutions", "ListTaskExecutions"])
async def test_a_look_that_fails_is_repeated(stage: Stage, rpc: str) -> None:
    await stage.film.execution("RUNNING")
    await stage.film.node("task")
    refuse(stage.ledger, rpc, lambda: UnavailableError("restarting"), times=5)
    told: list[str] = []
    async with aclosing(stage.handle().watch(poll_interval=SOON)) as events:
        async for event in events:
            told.append(words(event))
            if event.snapshot.phase.name == "RUNNING" and len(told) == 2:
                await stage.end()
    assert told[-1] == "film SUCCEEDED"


async def test_only_looks_in_a_row_that_find_nothing_count(stage: Stage) -> None:
    await stage.film.execution("RUNNING")
    asked = 0

    def on_call(method: Method[Any, Any], _request: bytes) -> None:
        nonlocal asked
        if method.name == "ListNodeExecutions":
            asked += 1
            if asked in {1, 2, 4, 5}:
                raise NotFoundError("not here")

    stage.ledger.on_call = on_call
    reading = asyncio.create_task(rest_of(stage.handle().watch(poll_interval=SOON)))
    await eventually(lambda: asked > 6)
    await stage.end()
    assert (await reading)[-1] == "film SUCCEEDED"


async def test_looks_are_rarer_while_nothing_moves(stage: Stage) -> None:
    await stage.film.execution("RUNNING")
    reading = asyncio.create_task(rest_of(stage.handle().watch()))
    subjects = stage.remote._open.hub.schedule.subjects
    await eventually(lambda: bool(subjects))
    ((ticket,),) = (subject.tickets for subject in subjects.values())
    # The first pause is half a second.
    await eventually(lambda: ticket.interval is not None and ticket.interval > 0.8)
    await stage.end()
    assert (await reading)[-1] == "film SUCCEEDED"


async def test_an_error_that_a_list_cut_is_whole_in_the_events(stage: Stage) -> None:
    films = [Film(stage.server.store, f"film{number}") for number in range(5)]
    for film in films:
        film.now = stage.film.now
        await film.execution("RUNNING")
    watches = [stage.remote.execution(film.id.name).watch(poll_interval=SOON) for film in films]
    for watch in watches:
        await anext(watch)
    for film in films:
        await film.execution("FAILING", error={"message": "why " * 50})
    for watch, event in zip(watches, await asyncio.gather(*map(anext, watches)), strict=True):
        assert words(event).endswith("FAILING")
        assert event.snapshot.closure.error is not None
        assert event.snapshot.closure.error.message == "why " * 50
        await watch.aclose()
    assert stage.ledger.counts["ListExecutions"] > 0


async def test_a_move_whose_look_failed_is_told_by_the_next_one(stage: Stage) -> None:
    told: list[str] = []

    async def read() -> None:
        async for event in stage.handle().watch(poll_interval=SOON):
            told.append(words(event))  # noqa: PERF401 - the story goes by what was told so far

    reading = asyncio.create_task(read())
    await eventually(lambda: told == ["film QUEUED"])
    refuse(stage.ledger, "ListNodeExecutions", lambda: UnavailableError("restarting"), times=3)
    await stage.film.execution("RUNNING")
    await eventually(lambda: told[1:] == ["film RUNNING"])
    await stage.end()
    await reading
    assert told[-1] == "film SUCCEEDED"


async def test_a_look_that_cannot_succeed_is_an_error(stage: Stage) -> None:
    refuse(stage.ledger, "GetExecution", lambda: PermissionDeniedError("not yours"))
    with pytest.raises(PermissionDeniedError):
        await anext(stage.handle().watch())


async def test_nobody_is_told_at_once(stage: Stage) -> None:
    with pytest.raises(NotFoundError):
        await anext(stage.remote.execution("nobody").watch())
    assert not stage.remote.waits


async def test_the_time_is_for_the_watch_as_a_whole(stage: Stage) -> None:
    told: list[str] = []

    async def read() -> None:
        async for event in stage.handle().watch(timeout=0.2, poll_interval=SOON):
            told.append(words(event))  # noqa: PERF401 - what was told before the error counts

    with pytest.raises(WaitTimeoutError, match=r"within 0\.2 seconds: it is QUEUED"):
        await read()
    assert told == ["film QUEUED"]


async def test_a_time_that_ran_out_while_nobody_read(stage: Stage) -> None:
    events = stage.handle().watch(timeout=0.05, poll_interval=SOON)
    await anext(events)
    await asyncio.sleep(1.2)
    with pytest.raises(WaitTimeoutError):
        await anext(events)


async def test_many_watch_one(stage: Stage) -> None:
    async def read() -> list[str]:
        return [words(event) async for event in stage.handle().watch()]

    reading = [asyncio.create_task(read()) for _ in range(10)]
    await eventually(lambda: len(stage.remote.waits) == 1 and stage.remote.waits[0].waiters == 10)
    await stage.end()
    stories = await asyncio.gather(*reading)
    assert all(story[-1] == "film SUCCEEDED" for story in stories)


async def test_many_are_watched_together(stage: Stage) -> None:
    films = [Film(stage.server.store, f"film{number}") for number in range(20)]
    for film in films:
        await film.execution("RUNNING")

    async def read(name: str) -> list[str]:
        return [words(event) async for event in stage.remote.execution(name).watch()]

    reading = [asyncio.create_task(read(film.id.name)) for film in films]
    await eventually(lambda: stage.ledger.counts["ListNodeExecutions"] >= 40)
    assert stage.ledger.counts["ListExecutions"] <= 10
    assert stage.ledger.counts["GetExecution"] <= 40
    for film in films:
        await film.execution("SUCCEEDED")
    for film, story in zip(films, await asyncio.gather(*reading), strict=True):
        assert story == [f"{film.id.name} RUNNING", f"{film.id.name} SUCCEEDED"]


async def test_a_close_ends_a_watch(stage: Stage) -> None:
    events = stage.handle().watch(poll_interval=SOON)
    await anext(events)
    reading: asyncio.Task[Any] = asyncio.create_task(anext(events))
    await asyncio.sleep(0.05)
    await stage.remote.aclose()
    with pytest.raises(ClosedError):
        await reading
    late = stage.handle().watch()
    with pytest.raises(ClosedError):
        await anext(late)


async def test_a_close_while_nobody_reads_is_told_to_who_reads_on(stage: Stage) -> None:
    events = stage.handle().watch(poll_interval=SOON)
    await anext(events)
    await stage.remote.aclose()
    with pytest.raises(ClosedError):
        await anext(events)


async def test_cancelled_at_every_step_a_watch_leaves_nothing(stage: Stage) -> None:
    await stage.end()

    async def read() -> None:
        async with aclosing(stage.handle().watch()) as events:
            assert [event async for event in events]

    def nobody_waits() -> None:
        assert not stage.remote.waits

    assert await cancel_at_every_step(read, nobody_waits) > 5
