"""The task of the hub: what ends a look, or the task itself, and that nobody is forgotten by it."""

from __future__ import annotations

import asyncio
import gc
import random
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from flyte_remote_async.devserver import DevServer
from flyte_remote_async.devserver.faces.inprocess import InProcessTransport
from flyte_remote_async.errors import WaitFailedError, WaitTimeoutError
from flyte_remote_async.policy.hub.values import Ticket
from flyte_remote_async.transport.methods import GET_EXECUTION, LIST_EXECUTIONS
from tests.support.eventually import eventually
from tests.support.films import Film
from tests.support.remotes import Ledger, remote_over

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from flyte_remote_async import FlyteRemote, FlyteWorkflowExecution

pytestmark = pytest.mark.anyio

SOON = 0.01
PATHS = (GET_EXECUTION.path, LIST_EXECUTIONS.path)


@attrs.define
class Stage:
    """Executions, and a remote whose looks a test can hold, or let somebody cancel."""

    server: DevServer
    remote: FlyteRemote
    gate: asyncio.Event
    held: int = 0
    stray: int = 0

    async def put(self, name: str, phase: str = "RUNNING") -> None:
        film = Film(self.server.store, name)
        # What is young is looked at often.
        film.now = int(time.time())
        await film.execution(phase)

    def handle(self, name: str = "film") -> FlyteWorkflowExecution:
        return self.remote.execution(name)

    async def before(self) -> None:
        """Do what is to happen before a look is answered."""
        if self.stray:
            self.stray -= 1
            raise asyncio.CancelledError("from below")
        self.held += 1
        try:
            await self.gate.wait()
        finally:
            self.held -= 1


@asynccontextmanager
async def open_stage() -> AsyncIterator[Stage]:
    async with DevServer() as server:
        usual: dict[str, Any] = dict(server._options.registry.handlers())
        handlers = dict(usual)

        def held(path: str) -> Any:
            async def handle(request: bytes, metadata: Any) -> Any:
                await opened.before()
                return await usual[path](request, metadata)

            return handle

        handlers.update({path: held(path) for path in PATHS})
        async with remote_over(
            lambda: InProcessTransport(handlers), Ledger(), max_attempts=1, max_polls_per_second=1000
        ) as remote:
            opened = Stage(server, remote, asyncio.Event())
            opened.gate.set()
            await opened.put("film")
            yield opened


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with open_stage() as opened:
        yield opened


async def rest_of(events: Any) -> str:
    return [event async for event in events][-1].after.name  # type: ignore[no-any-return]


async def test_a_wait_that_is_cancelled_takes_no_look_along_that_another_one_needs(stage: Stage) -> None:
    events = stage.handle().watch(poll_interval=SOON)
    await anext(events)
    stage.gate.clear()
    waiting = asyncio.create_task(stage.handle().wait(sync_nodes=False))
    await eventually(lambda: stage.held == 1)
    waiting.cancel()
    await asyncio.wait([waiting])
    await stage.put("film", "SUCCEEDED")
    reading = asyncio.create_task(rest_of(events))
    later = asyncio.create_task(stage.handle().wait(sync_nodes=False))
    stage.gate.set()
    assert await reading == "SUCCEEDED"
    assert (await later).is_successful


async def test_a_wait_whose_time_is_over_takes_no_look_along_that_another_one_needs(stage: Stage) -> None:
    events = stage.handle().watch(poll_interval=SOON)
    await anext(events)
    stage.gate.clear()
    with pytest.raises(WaitTimeoutError):
        await stage.handle().wait(timeout=0.05, sync_nodes=False)
    assert stage.held == 1
    await stage.put("film", "SUCCEEDED")
    stage.gate.set()
    assert await rest_of(events) == "SUCCEEDED"


async def test_a_watch_that_is_cancelled_takes_no_look_along_that_another_one_needs(stage: Stage) -> None:
    first = stage.handle().watch(poll_interval=SOON)
    await anext(first)
    stage.gate.clear()
    second: asyncio.Task[Any] = asyncio.create_task(anext(stage.handle().watch()))
    await eventually(lambda: stage.held == 1)
    second.cancel()
    await asyncio.wait([second])
    await stage.put("film", "SUCCEEDED")
    stage.gate.set()
    assert await rest_of(first) == "SUCCEEDED"


async def test_a_look_that_nobody_needs_any_more_ends_with_the_remote(stage: Stage) -> None:
    before = asyncio.all_tasks()
    stage.gate.clear()
    waiting = asyncio.create_task(stage.handle().wait(sync_nodes=False))
    await eventually(lambda: stage.held == 1)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert not stage.remote.waits
    await stage.remote.aclose()
    assert stage.held == 0
    assert asyncio.all_tasks() == before


async def test_a_cancellation_from_outside_is_told_to_those_who_wait(stage: Stage) -> None:
    await stage.put("other")
    events = stage.handle("other").watch(poll_interval=SOON)
    await anext(events)
    waits = [asyncio.create_task(stage.handle().wait(sync_nodes=False, timeout=60)) for _ in range(2)]
    await eventually(lambda: len(stage.remote.waits) == 2 and stage.remote.waits[1].waiters == 2)
    for task in asyncio.all_tasks():
        if "hub" in task.get_name():
            task.cancel()
    for error in await asyncio.gather(*waits, return_exceptions=True):
        assert isinstance(error, WaitFailedError)
        assert "'s task was cancelled" in str(error)
    with pytest.raises(WaitFailedError):
        await anext(events)
    # The next ones begin anew.
    await stage.put("film", "SUCCEEDED")
    assert (await stage.handle().wait(sync_nodes=False)).is_successful
    assert not stage.remote.waits


async def test_whoever_comes_right_after_the_task_ended_begins_anew(stage: Stage) -> None:
    waiting = asyncio.create_task(stage.handle().wait(sync_nodes=False))
    subjects = stage.remote._open.hub.schedule.subjects
    await eventually(lambda: [one.heard_at is not None for one in subjects.values()] == [True])
    # Its looks are tasks, too, that are called after their function.
    (hub,) = [task for task in asyncio.all_tasks() if task.get_name() == "flyte_remote_async hub"]
    await stage.put("film", "SUCCEEDED")
    hub.cancel()
    while not hub.done():  # noqa: ASYNC110 - the turn in which it ends, before its callbacks are run, is what matters
        await asyncio.sleep(0)
    assert (await stage.handle().wait(sync_nodes=False)).is_successful
    with pytest.raises(WaitFailedError):
        await waiting


async def test_a_stray_cancellation_of_a_look_is_a_failure_of_it(stage: Stage) -> None:
    stage.stray = 3
    waiting = asyncio.create_task(stage.handle().wait(sync_nodes=False))
    await eventually(lambda: stage.stray == 0)
    await stage.put("film", "SUCCEEDED")
    assert (await waiting).is_successful


async def play(stage: Stage, names: list[str], dice: random.Random) -> list[asyncio.Task[Any]]:
    """Let anything happen to waits and watches, and return those that were begun."""
    begun: list[asyncio.Task[Any]] = []
    for _ in range(60):
        handle = stage.handle(dice.choice(names))
        match dice.choice(["wait", "watch", "cancel", "cancel", "hold", "let", "turn", "stray"]):
            case "wait":
                wait = handle.wait(timeout=dice.choice([None, 0.02]), sync_nodes=False)
                begun.append(asyncio.create_task(wait))
            case "watch":
                begun.append(asyncio.create_task(rest_of(handle.watch(poll_interval=SOON))))
            case "cancel" if begun:
                dice.choice(begun).cancel()
            case "stray":
                stage.stray = dice.randrange(3)
            case "hold":
                stage.gate.clear()
            case "let":
                stage.gate.set()
        await asyncio.sleep(dice.choice([0, 0, 0, 0.01]))
    return begun


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_is_cancelled_those_who_stay_learn_of_the_end(stage: Stage, seed: int) -> None:
    names = [f"e{number}" for number in range(4)]
    for name in names:
        await stage.put(name)
    watches = [stage.handle(name).watch(poll_interval=SOON) for name in names]
    for watch in watches:
        await anext(watch)
    begun = await play(stage, names, random.Random(seed))  # noqa: S311 - dice of a test
    stage.gate.set()
    for name in names:
        await stage.put(name, "SUCCEEDED")
    assert [await rest_of(watch) for watch in watches] == ["SUCCEEDED"] * 4
    results = await asyncio.gather(*begun, return_exceptions=True)
    errors = [one for one in results if isinstance(one, BaseException)]
    assert [one for one in errors if not isinstance(one, (asyncio.CancelledError, WaitTimeoutError))] == []
    assert not stage.remote.waits


def tickets() -> list[Ticket]:
    gc.collect()
    return [one for one in gc.get_objects() if isinstance(one, Ticket)]


async def test_nobody_who_has_left_is_kept(stage: Stage) -> None:
    others = tickets()  # a traceback of another test may hold some
    watches = [asyncio.create_task(rest_of(stage.handle().watch(poll_interval=SOON))) for _ in range(3)]
    await eventually(lambda: [state.waiters for state in stage.remote.waits] == [3])
    await stage.put("film", "SUCCEEDED")
    assert await asyncio.gather(*watches) == ["SUCCEEDED"] * 3
    await eventually(lambda: not any("hub" in task.get_name() for task in asyncio.all_tasks()))
    assert [one for one in tickets() if not any(one is other for other in others)] == []
