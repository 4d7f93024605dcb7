"""Sync of executions that run: what is asked for again, and what is shared."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from flyte_remote_async import NodeKind
from flyte_remote_async.devserver import DevServer
from flyte_remote_async.devserver.faces.inprocess import InProcessTransport
from flyte_remote_async.errors import (
    InvalidArgumentError,
    NotSyncedError,
    UnavailableError,
    UnimplementedError,
    UnknownError,
)
from flyte_remote_async.models.phases import NodePhase
from flyte_remote_async.transport.methods import GET_NODE_EXECUTION_DATA, LIST_NODE_EXECUTIONS
from tests.support.films import Film, refuse
from tests.support.remotes import Ledger, remote_of, remote_over

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import AsyncIterator, Callable

    from flyte_remote_async import FlyteRemote, FlyteWorkflowExecution

pytestmark = pytest.mark.anyio


@attrs.frozen
class Stage:
    """A server, a remote of it, and an execution with a child execution."""

    server: DevServer
    remote: FlyteRemote
    ledger: Ledger
    film: Film
    child: Film

    def handle(self) -> FlyteWorkflowExecution:
        return self.remote.execution(self.film.id.name)

    def later(self) -> None:
        self.film.later()
        self.child.later()


@asynccontextmanager
async def open_stage(**overrides: Any) -> AsyncIterator[Stage]:
    async with DevServer() as server, remote_of(server, max_attempts=1, **overrides) as (remote, ledger):
        yield Stage(server, remote, ledger, Film(server.store), Film(server.store, "child"))


async def put_running_tree(stage: Stage) -> None:
    """Put: a finished task, a live task, a finished and a live subworkflow, and a live child execution."""
    film, child = stage.film, stage.child
    await film.execution()
    await film.node("start-node", "SUCCEEDED")
    await film.node("done", "SUCCEEDED")
    await film.attempt("done", "SUCCEEDED")
    await film.node("task")
    await film.attempt("task", "FAILED")
    await film.attempt("task", number=1)
    for parent, phase in (("oldsub", "SUCCEEDED"), ("sub", "RUNNING")):
        await film.node(parent, phase, is_parent_node=True)
        await film.node(f"{parent}-start-node", "SUCCEEDED", parent=parent, spec_node_id="start-node")
        await film.node(f"{parent}-a", "SUCCEEDED", parent=parent)
        await film.attempt(f"{parent}-a", "SUCCEEDED")
    await film.node("lp", child=child)
    await child.execution()
    await child.node("start-node", "SUCCEEDED")
    await child.node("inner")
    await child.attempt("inner")
    stage.later()


def count_rows(stage: Stage) -> Counter[str]:
    """Return a counter that counts the node rows of replies from now on."""
    return stage.ledger.count_rows(LIST_NODE_EXECUTIONS, lambda page: [row.id.node_id for row in page.node_executions])


async def test_a_running_tree_is_read_with_one_request_for_each_level_task_node_and_child() -> None:
    async with open_stage() as stage:
        await put_running_tree(stage)
        look = await stage.handle().sync(sync_nodes=True)
        assert stage.ledger.counts == {"GetExecution": 2, "ListNodeExecutions": 4, "ListTaskExecutions": 5}
        assert stage.ledger.repeated == []
        nodes = look.node_executions
        assert list(nodes) == ["start-node", "done", "task", "oldsub", "sub", "lp"]
        assert [nodes[name].kind for name in ("task", "sub", "lp")] == [
            NodeKind.TASK,
            NodeKind.SUBWORKFLOW,
            NodeKind.LAUNCH_PLAN,
        ]
        assert [attempt.phase.name for attempt in nodes["task"].task_executions] == ["FAILED", "RUNNING"]
        assert list(nodes["lp"].workflow_executions[0].node_executions) == ["start-node", "inner"]


async def test_a_second_look_asks_for_live_parts_alone() -> None:
    async with open_stage() as stage:
        await put_running_tree(stage)
        first = await stage.handle().sync(sync_nodes=True)
        await stage.film.node("task", "SUCCEEDED")
        await stage.film.attempt("task", "SUCCEEDED", number=1)
        stage.ledger.clear()
        rows = count_rows(stage)
        second = await first.sync(sync_nodes=True)
        # The execution and its child; three live levels; the task that moved and the one that runs.
        assert stage.ledger.counts == {"GetExecution": 2, "ListNodeExecutions": 3, "ListTaskExecutions": 2}
        assert second.node_executions["task"].phase is NodePhase.SUCCEEDED
        assert first.node_executions["task"].phase is NodePhase.RUNNING
        # The first two levels have rows that are within the skew of the newest one that was seen.
        assert rows["task"] == 1

        for name in ("start-node", "done", "oldsub"):
            assert second.node_executions[name] is first.node_executions[name]
        inside = "sub-a"
        before, after = (look.node_executions["sub"].subworkflow_node_executions[inside] for look in (first, second))
        assert after is before


async def test_rows_that_did_not_move_are_not_sent_again() -> None:
    async with open_stage() as stage:
        film = stage.film
        await film.execution()
        for index in range(50):
            await film.node(f"n{index}", "SUCCEEDED" if index % 2 else "RUNNING")
        film.later()
        await film.node("last")
        film.later()
        first = await stage.handle().sync(sync_nodes=True, attempts=False)
        await film.node("n0", "SUCCEEDED")
        rows = count_rows(stage)
        second = await first.sync(sync_nodes=True, attempts=False)
        # What moved, and the newest that was seen: its neighbours in time may have come late.
        assert rows == {"n0": 1, "last": 1}
        assert list(second.node_executions) == list(first.node_executions)
        assert second.node_executions["n0"].phase is NodePhase.SUCCEEDED


async def test_attempts_of_a_live_task_are_read_again_though_its_row_did_not_move() -> None:
    async with open_stage() as stage:
        film = stage.film
        await film.execution()
        await film.node("task")
        await film.attempt("task", "FAILED")
        first = await stage.handle().sync(sync_nodes=True)
        await film.attempt("task", number=1)
        second = await first.sync(sync_nodes=True)
        assert len(first.node_executions["task"].task_executions) == 1
        assert len(second.node_executions["task"].task_executions) == 2


async def test_new_nodes_appear_after_those_that_were_seen() -> None:
    async with open_stage() as stage:
        film = stage.film
        await film.execution()
        await film.node("a")
        first = await stage.handle().sync(sync_nodes=True)
        film.later()
        await film.node("b", "QUEUED")
        second = await first.sync(sync_nodes=True)
        assert list(second.node_executions) == ["a", "b"]


async def test_when_the_execution_has_ended_its_levels_are_read_once_more_in_full() -> None:
    async with open_stage() as stage:
        film = stage.film
        await film.execution()
        await film.node("early", "QUEUED")
        film.later()
        await film.node("task")
        await film.attempt("task")
        first = await stage.handle().sync(sync_nodes=True)
        # This row was written without moving its time, which no filter finds.
        film.now -= 3600
        await film.node("early", "SKIPPED")
        film.later(7200)
        await film.execution("ABORTED")
        second = await first.sync(sync_nodes=True)
        assert second.node_executions["early"].phase is NodePhase.SKIPPED
        # Its node was never moved on, as on a real Flyte; with its execution it is settled all the same.
        assert second.node_executions["task"].phase is NodePhase.RUNNING
        stage.ledger.clear()
        assert await second.sync(sync_nodes=True) is second
        assert stage.ledger.total == 0


async def test_a_phase_that_goes_back_after_the_end_is_not_believed() -> None:
    async with open_stage() as stage:
        film, child = stage.film, stage.child
        await film.execution()
        await film.node("task", "FAILED")
        await film.attempt("task", "FAILED")
        await film.node("lp", child=child)
        await child.execution("SUCCEEDED")
        first = await stage.handle().sync(sync_nodes=True)
        await film.node("task", "RUNNING")
        await child.execution("RUNNING")
        stage.ledger.clear()
        second = await first.sync(sync_nodes=True)
        assert second.node_executions["task"] is first.node_executions["task"]
        (before,), (after,) = (look.node_executions["lp"].workflow_executions for look in (first, second))
        assert after is before
        assert stage.ledger.counts == {"GetExecution": 1, "ListNodeExecutions": 1}


async def test_a_node_that_went_back_is_not_believed_when_more_is_read_of_it() -> None:
    async with open_stage() as stage:
        film = stage.film
        await film.execution()
        await film.node("task", "SUCCEEDED")
        await film.attempt("task", "SUCCEEDED")
        first = await stage.handle().sync(sync_nodes=True, attempts=False)
        await film.node("task", "RUNNING")
        second = await first.sync(sync_nodes=True)
        assert second.node_executions["task"].phase is NodePhase.SUCCEEDED
        assert len(second.node_executions["task"].task_executions) == 1


async def test_a_node_that_ended_while_its_attempt_runs_on_is_looked_at_again() -> None:
    async with open_stage() as stage:
        film = stage.film
        await film.execution()
        await film.node("task", "SUCCEEDED")
        await film.attempt("task", "RUNNING")
        first = await stage.handle().sync(sync_nodes=True)
        await film.attempt("task", "SUCCEEDED")
        second = await first.sync(sync_nodes=True)
        third = await second.sync(sync_nodes=True)
        assert second.node_executions["task"].task_executions[0].phase.name == "SUCCEEDED"
        assert third.node_executions["task"] is second.node_executions["task"]


async def test_a_status_costs_one_request_and_leaves_the_tree_out() -> None:
    async with open_stage() as stage:
        await put_running_tree(stage)
        first = await stage.handle().sync(sync_nodes=True)
        stage.ledger.clear()
        status = await first.sync()
        assert not status.has_nodes
        assert stage.ledger.counts == {"GetExecution": 1}


async def test_what_had_ended_is_not_read_again_after_a_look_at_the_status() -> None:
    async with open_stage() as stage:
        await put_running_tree(stage)
        first = await stage.handle().sync(sync_nodes=True)
        status = await (await first.sync()).sync()
        stage.ledger.clear()
        second = await status.sync(sync_nodes=True)
        assert stage.ledger.counts == {"GetExecution": 2, "ListNodeExecutions": 3, "ListTaskExecutions": 2}
        assert second.node_executions["done"] is first.node_executions["done"]
        with pytest.raises(NotSyncedError):
            _ = status.node_executions


@pytest.mark.parametrize("error", [InvalidArgumentError, UnimplementedError, UnknownError])
async def test_a_server_that_does_not_know_the_filter_is_asked_for_whole_levels(error: Callable[[], Exception]) -> None:
    async with open_stage() as stage:
        await put_running_tree(stage)
        first = await stage.handle().sync(sync_nodes=True)
        await stage.film.node("task", "SUCCEEDED")
        refuse(stage.ledger, "ListNodeExecutions", error, about="gte(updated_at")
        second = await first.sync(sync_nodes=True)
        assert second.node_executions["task"].is_successful
        assert second.node_executions["done"] is first.node_executions["done"]
        assert not [node for node in second.node_executions.values() if node.problem]


async def test_answers_of_a_replica_that_is_behind_are_not_believed() -> None:
    async with open_stage() as stage:
        await put_running_tree(stage)
        first = await stage.handle().sync(sync_nodes=True)
        await stage.film.execution("QUEUED")
        await stage.film.node("task", "QUEUED")
        await stage.film.attempt("task", "QUEUED", number=1)
        await stage.child.node("inner", "QUEUED")
        second = await first.sync(sync_nodes=True)
        assert second.phase.name == "RUNNING"
        task = second.node_executions["task"]
        assert task.phase.name == "RUNNING"
        assert [attempt.phase.name for attempt in task.task_executions] == ["FAILED", "RUNNING"]
        (child,) = second.node_executions["lp"].workflow_executions
        assert child.node_executions["inner"].phase.name == "RUNNING"


async def test_inputs_and_outputs_are_read_along_at_one_time_and_no_more_than_the_limit() -> None:
    async with open_stage() as stage:
        await stage.film.execution("SUCCEEDED")
        for number in range(100):
            await stage.film.node(f"n{number}", "SUCCEEDED", output_uri=f"s3://bucket/n{number}/outputs.pb")
            await stage.film.attempt(f"n{number}", "SUCCEEDED")
        handlers: dict[str, Any] = dict(stage.server._options.registry.handlers())
        answer = handlers[GET_NODE_EXECUTION_DATA.path]
        at_once: list[int] = []
        running = 0

        async def slow(request: bytes, metadata: Any) -> Any:
            nonlocal running
            running += 1
            at_once.append(running)
            await asyncio.sleep(0.02)
            running -= 1
            return await answer(request, metadata)

        handlers[GET_NODE_EXECUTION_DATA.path] = slow
        async with remote_over(lambda: InProcessTransport(handlers), Ledger()) as remote:
            await remote.execution("film").sync(sync_nodes=True, io=True)
        assert len(at_once) == 100
        assert 8 < max(at_once) <= 32


async def test_a_control_plane_that_cannot_be_asked_is_for_the_caller_and_leaves_as_one_plain_error() -> None:
    async with open_stage() as stage:
        await put_running_tree(stage)
        refuse(stage.ledger, "ListTaskExecutions", lambda: UnavailableError("gone"))
        with pytest.raises(UnavailableError, match="gone") as caught:
            await stage.handle().sync(sync_nodes=True)
        assert caught.value.entity is not None
        assert caught.value.entity.startswith("flytesnacks/development/film/")
        # And the remote is as good as before.
        stage.ledger.on_call = lambda _method, _request: None
        assert (await stage.handle().sync(sync_nodes=True)).has_nodes
