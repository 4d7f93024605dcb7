"""The client against a devserver that misbehaves, over each wire."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from flyte_remote_async import Timeouts
from flyte_remote_async.devserver import Cut, Delay, DevServer, Fail, Hang, Truncate
from flyte_remote_async.errors import (
    DeadlineExceededError,
    MalformedMessageError,
    OutputsUnavailableError,
    UnavailableError,
)
from flyte_remote_async.testing import assert_requests, assert_succeeded, build_execution, build_node
from tests.support.remotes import recorded_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from flyte_remote_async import FlyteRemote

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["grpcio", "grpclib"])
def wire(request: pytest.FixtureRequest) -> Any:
    return request.param


@asynccontextmanager
async def launching(wire: Any) -> AsyncIterator[tuple[DevServer, FlyteRemote, list[int]]]:
    runs: list[int] = []

    def add(a: int, b: int) -> int:
        runs.append(a)
        return a + b

    async with recorded_server() as dev, dev.remote(transport=wire) as remote:
        dev.stand_in("samples.add", add)
        yield dev, remote, runs


async def test_a_launch_whose_answer_is_lost_with_its_connection_runs_once(wire: Any) -> None:
    async with launching(wire) as (dev, remote, runs):
        task = await remote.fetch_task("samples.add")
        with dev.faults.add(Cut(after_commit=True), "CreateExecution", times=1) as fault:
            execution = await remote.execute(task, inputs={"a": 1, "b": 2})
        execution = assert_succeeded(await execution.wait(timeout=30))
        assert await execution.outputs["o0"] == 3
        assert (fault.hits, dev.requests["CreateExecution"], runs) == (1, 1, [1])


async def test_a_launch_that_is_lost_before_it_is_carried_out_is_said_to_be_unknown(wire: Any) -> None:
    async with launching(wire) as (dev, remote, runs):
        task = await remote.fetch_task("samples.add")
        with dev.faults.add(Cut(), "CreateExecution"), pytest.raises(UnavailableError, match="NOT_FOUND"):
            await remote.execute(task, inputs={"a": 1, "b": 2}, name="lost")
        # By its name it can be launched again.
        execution = await remote.execute(task, inputs={"a": 1, "b": 2}, name="lost")
        assert_succeeded(await execution.wait(timeout=30))
        assert runs == [1]


async def test_waits_survive_a_restart(wire: Any) -> None:
    names = [f"e{number}" for number in range(60)]
    async with DevServer() as dev, dev.remote(transport=wire) as remote:
        for name in names:
            await dev.load(build_execution(name, "RUNNING"))
        waits = [asyncio.ensure_future(remote.execution(name).wait(timeout=60)) for name in names]
        await asyncio.sleep(0.2)
        await dev.restart(downtime=0.3)
        assert not any(wait.done() for wait in waits)
        for name in names:
            await dev.load(build_execution(name))
        assert all(execution.is_successful for execution in await asyncio.gather(*waits))


async def test_waits_do_not_notice_that_they_are_sent_to_another_connection(wire: Any) -> None:
    async with DevServer() as dev, dev.remote(transport=wire) as remote:
        await dev.load(build_execution("e1", "RUNNING"))
        wait = asyncio.ensure_future(remote.execution("e1").wait(timeout=60, poll_interval=0.02))
        for _ in range(3):
            await dev.goaway(grace=0.1)
            await asyncio.sleep(0.05)
        await dev.load(build_execution("e1"))
        assert (await wait).is_successful


async def test_a_tree_that_is_read_through_faults_is_the_same_tree(wire: Any) -> None:
    inner = [build_node(f"n{number}", outputs={"o0": number}) for number in range(5)]
    built = build_execution("e1", nodes=[build_node(f"n{number}", children=inner) for number in range(4)])
    async with DevServer() as dev, dev.remote(transport=wire, max_attempts=10, max_backoff=0.05) as remote:
        await dev.load(built)
        clean = await (await remote.fetch_execution("e1")).sync(sync_nodes=True)
        dev.faults.add(Fail("UNAVAILABLE"), probability=0.2, seed=1)
        dev.faults.add(Fail("INTERNAL", after_commit=True), probability=0.1, seed=2)
        dev.faults.add(Cut(), probability=0.02, seed=3)
        dev.faults.add(Delay(0, jitter=0.01))
        for _ in range(3):
            assert await (await remote.fetch_execution("e1")).sync(sync_nodes=True) == clean


async def test_answers_that_are_cut_short_are_no_answers(wire: Any) -> None:
    async with DevServer() as dev, dev.remote(transport=wire) as remote:
        await dev.load(build_execution("e1", outputs={"o0": 1}))
        with dev.faults.add(Truncate(25), "GetExecution"), pytest.raises(MalformedMessageError):
            await remote.fetch_execution("e1")
        # Empty outputs are not believed: they are brought in another way, or it is an error.
        dev.faults.add(Truncate(), "GetExecutionData")
        assert await (await remote.fetch_execution("e1")).outputs["o0"] == 1
        dev.faults.add(Fail("PERMISSION_DENIED"), ["CreateDownload*", "GetData"])
        with pytest.raises(OutputsUnavailableError):
            await (await remote.fetch_execution("e1")).outputs["o0"]


async def test_a_server_that_hangs_costs_the_time_that_a_call_may_take(wire: Any) -> None:
    async with DevServer() as dev:
        await dev.load(build_execution("e1"))
        async with dev.remote(transport=wire, max_attempts=2, timeouts=Timeouts(read=1)) as remote:
            await remote.fetch_execution("e1")
            dev.requests.clear()
            with dev.faults.add(Hang()), pytest.raises(DeadlineExceededError):
                await remote.fetch_execution("e1")
            assert_requests(dev, {"GetExecution": 2})
            assert (await remote.fetch_execution("e1")).is_successful
