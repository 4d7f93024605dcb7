"""Assertions say what a developer looks for next."""

from __future__ import annotations

import json

import pytest

from flyte_remote_async.devserver import DevServer, Fail
from flyte_remote_async.testing import (
    assert_requests,
    assert_succeeded,
    build_attempt,
    build_execution,
    build_node,
    wait_for_phase,
)
from tests.support.recordings import DIRECTORY
from tests.support.remotes import recorded_server

pytestmark = pytest.mark.anyio


async def test_success_returns_the_execution() -> None:
    async with DevServer() as dev, dev.remote() as remote:
        await dev.load(build_execution("e1"))
        execution = await remote.fetch_execution("e1")
        assert assert_succeeded(execution) is execution


async def test_a_failure_shows_the_nodes_that_failed_with_their_logs() -> None:
    attempt = build_attempt("FAILED", error="boom", logs=["http://logs/1"])
    leaf = build_node("n1", "FAILED", task="pkg.broken", error="Traceback:\n  line\nboom", attempts=[attempt])
    built = build_execution(
        "e1", "FAILED", error="it broke", nodes=[build_node("n0"), build_node("n1", "FAILED", children=[leaf])]
    )
    async with DevServer() as dev, dev.remote() as remote:
        await dev.load(built)
        execution = await (await remote.fetch_execution("e1")).sync(sync_nodes=True)
        with pytest.raises(AssertionError) as caught:
            assert_succeeded(execution)
        assert str(caught.value).splitlines() == [
            "flytesnacks/development/e1 is FAILED, and should have SUCCEEDED",
            "  USER:Error: it broke",
            "  n1 subworkflow FAILED",
            "    USER:Error: it failed",
            "    n1-0-n1 task FAILED",
            "      USER:Error: Traceback:",
            "          line",
            "        boom",
            "      attempt 0 of pkg.broken FAILED",
            "        Logs: http://logs/1",
        ]
        with pytest.raises(AssertionError, match="its nodes were not read: pass what"):
            assert_succeeded(await remote.fetch_execution("e1"))


async def test_what_was_aborted_shows_why() -> None:
    async with DevServer() as dev, dev.remote() as remote:
        await dev.load(build_execution("e1", "ABORTED", abort_cause="enough"))
        execution = await (await remote.fetch_execution("e1")).sync(sync_nodes=True)
        with pytest.raises(AssertionError, match="is ABORTED, and should have SUCCEEDED\n  aborted: enough"):
            assert_succeeded(execution)


async def test_executions_that_launch_plan_nodes_started_are_shown() -> None:
    async with recorded_server() as dev, dev.remote() as remote:
        name = json.loads((DIRECTORY / "labels.json").read_text())["more.lp_failing"]
        execution = await (await remote.fetch_execution(name)).sync(sync_nodes=True)
        with pytest.raises(AssertionError, match=r"n0 launch_plan FAILED\n(.*\n)*    \w+ execution FAILED"):
            assert_succeeded(execution)


async def test_requests_are_exactly_those() -> None:
    async with DevServer() as dev, dev.remote() as remote:
        await dev.load(build_execution("e1", "RUNNING"))
        execution = await remote.fetch_execution("e1")
        assert_requests(dev, {"GetExecution": 1})
        dev.requests.clear()
        await execution.sync(sync_nodes=False)
        with pytest.raises(
            AssertionError, match="other requests\n  GetExecution: 1, and not 2\n  GetTask: 0, and not 1"
        ):
            assert_requests(dev, {"GetExecution": 2, "GetTask": 1})
        with pytest.raises(AssertionError, match="GetExecution: 1, and not 0"):
            assert_requests(dev, {})


async def test_a_phase_is_waited_for() -> None:
    async with DevServer() as dev, dev.remote() as remote:
        await dev.load(build_execution("e1", "RUNNING"))
        execution = await remote.fetch_execution("e1")
        with dev.faults.add(Fail("UNAVAILABLE"), times=2):
            assert (await wait_for_phase(execution, "RUNNING")).phase.name == "RUNNING"
        with pytest.raises(AssertionError, match=r"is RUNNING and not SUCCEEDED, and 0.05 s have passed"):
            await wait_for_phase(execution, "SUCCEEDED", timeout=0.05)
        await dev.load(build_execution("e1", "FAILED"))
        with pytest.raises(AssertionError, match=r"is FAILED and not SUCCEEDED, and it has ended: \["):
            await wait_for_phase(execution, "SUCCEEDED")
        with pytest.raises(ValueError, match="'DONE' is no phase"):
            await wait_for_phase(execution, "DONE")
