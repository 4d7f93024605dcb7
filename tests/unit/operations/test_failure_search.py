"""The search for the first failure, in executions made up for it."""

from __future__ import annotations

import asyncio
import pickle
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from flyteidl.event import event_pb2

from flyte_remote_async import FlyteNodeExecution
from flyte_remote_async.devserver import DevServer
from flyte_remote_async.errors import (
    DetachedError,
    ExecutionNotDoneError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
    UnavailableError,
    WrongLoopError,
)
from tests.support.films import Film, refuse
from tests.support.remotes import remote_of
from tests.support.snapshots import execution_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from flyte_remote_async import FailureReport, FlyteRemote
    from tests.support.remotes import Ledger

pytestmark = pytest.mark.anyio

FAILED = {"code": "USER:Error", "message": "it broke", "kind": 1}


class Stage:
    """A film, and what explains it."""

    def __init__(self, server: DevServer, remote: FlyteRemote, ledger: Ledger) -> None:
        self.server = server
        self.remote = remote
        self.ledger = ledger
        self.film = Film(server.store)

    async def explain(self) -> FailureReport:
        """Return why the film's execution failed; what is asked for it is in the ledger."""
        execution = await self.remote.fetch_execution("film")
        self.ledger.clear()
        report = await execution.explain_failure()
        assert report is not None
        return report


@asynccontextmanager
async def open_stage() -> AsyncIterator[Stage]:
    async with DevServer() as server, remote_of(server, max_attempts=1) as (remote, ledger):
        yield Stage(server, remote, ledger)


def names(report: FailureReport) -> list[str]:
    """Return the names on the way, but that of the execution itself."""
    return [part.id.node_id if isinstance(part, FlyteNodeExecution) else part.id.name for part in report.path[1:]]


def ids(nodes: tuple[FlyteNodeExecution, ...]) -> list[str]:
    """Return the ids of nodes."""
    return [node.id.node_id for node in nodes]


async def fail_node(film: Film, node_id: str, error: str = "", **how: Any) -> None:
    """Let a task node fail, with one attempt that has the error."""
    await film.node(node_id, "FAILED", error=error[:100] or "it broke", **how)
    await film.attempt(node_id, "FAILED", error=error or "it broke")


async def test_of_two_branches_the_one_whose_leaf_failed_first_is_the_cause_though_it_ended_later() -> None:
    async with open_stage() as stage:
        film = stage.film
        await film.execution()
        for name in ("slow", "quick"):
            await film.node(name, is_parent_node=True)
            await film.node(f"{name}-start", "SUCCEEDED", parent=name)
        film.later(10)
        await fail_node(film, "slow-n0", "first", parent="slow")
        film.later(10)
        await fail_node(film, "quick-n0", "second", parent="quick")
        film.later(10)
        await film.node("quick", "FAILED", error="second", is_parent_node=True)
        film.later(10)
        await film.node("slow", "FAILED", error="first", is_parent_node=True)
        await film.execution("FAILED", error=FAILED)
        report = await stage.explain()
        assert names(report) == ["slow", "slow-n0"]
        assert report.error is not None
        assert report.error.message == "first"
        assert ids(report.also_failed) == ["quick-n0"]
        assert stage.ledger.counts == {"ListNodeExecutions": 3, "ListTaskExecutions": 1}
        assert "failed as well:\n  quick-n0" in str(report)


async def test_what_began_after_the_first_failure_is_not_looked_into() -> None:
    async with open_stage() as stage:
        film = stage.film
        await film.execution()
        await fail_node(film, "n0", "first")
        film.later()
        await film.node("later", "FAILED", error="of its own", is_parent_node=True)
        await film.execution("FAILED", error=FAILED)
        report = await stage.explain()
        assert names(report) == ["n0"]
        assert ids(report.also_failed) == ["later"]
        assert stage.ledger.counts == {"ListNodeExecutions": 1, "ListTaskExecutions": 1}


async def test_neither_what_was_aborted_nor_the_handler_s_own_failure_is_the_cause() -> None:
    async with open_stage() as stage:
        film = stage.film
        await film.execution()
        await film.node("other")
        film.later()
        await fail_node(film, "n7", "the cause")
        await film.node("other", "ABORTED", error="Workflow aborted.")
        film.later()
        await fail_node(film, "fn0", "the handler broke too")
        await film.execution("FAILED", error=FAILED)
        report = await stage.explain()
        assert names(report) == ["n7"]
        assert ids(report.also_failed) == ["fn0"]
        assert ids(report.interrupted) == ["other"]
        assert report.execution_error is not None
        assert report.execution_error.message == "it broke"


async def test_of_a_subworkflow_that_was_tried_again_the_last_try_counts() -> None:
    async with open_stage() as stage:
        film = stage.film
        await film.execution()
        await film.node("sub", is_parent_node=True)
        await fail_node(film, "sub-0-n0", "try 0", parent="sub", retry_group="0")
        film.later()
        await fail_node(film, "sub-1-n0", "try 1", parent="sub", retry_group="1")
        await film.node("sub", "FAILED", error="try 1", is_parent_node=True)
        await film.execution("FAILED", error=FAILED)
        assert names(await stage.explain()) == ["sub", "sub-1-n0"]


async def test_a_parent_whose_nodes_did_not_fail_failed_by_itself_and_its_error_is_read_whole() -> None:
    async with open_stage() as stage:
        film = stage.film
        await film.execution()
        await film.node("sub", is_parent_node=True)
        await film.node("sub-start", "SUCCEEDED", parent="sub", spec_node_id="start-node")
        whole = "the outputs of the subworkflow cannot be bound " + "x" * 200
        await film.node("sub", "FAILED", error=whole, is_parent_node=True)
        await film.execution("FAILED", error=FAILED)
        report = await stage.explain()
        assert names(report) == ["sub"]
        assert report.error is not None
        assert report.error.message == whole
        assert report.attempts == ()
        assert report.task is None
        assert stage.ledger.counts == {"ListNodeExecutions": 2, "GetNodeExecution": 1}


@asynccontextmanager
async def with_child(phase: str, **closure: Any) -> AsyncIterator[tuple[Stage, Film]]:
    """Set an execution whose launch-plan node failed, with its child execution in some phase."""
    async with open_stage() as stage:
        child = Film(stage.server.store, "child")
        await stage.film.execution()
        await child.execution(phase, **closure)
        await stage.film.node("lp", "FAILED", error="the child failed", child=child)
        await stage.film.execution("FAILED", error=FAILED)
        yield stage, child


async def test_a_child_execution_that_was_aborted_is_the_cause_with_its_words() -> None:
    metadata = {"cause": "too expensive", "principal": "ops@example.com"}
    async with with_child("ABORTED", abort_metadata=metadata) as (stage, child):
        await child.node("n0", "ABORTED")
        report = await stage.explain()
        assert names(report) == ["lp", "child"]
        assert (report.abort_cause, report.aborted_by) == ("too expensive", "ops@example.com")
        assert report.aborted is report.leaf
        assert ids(report.interrupted) == ["n0"]
        assert report.error is None
        assert "child: too expensive\n  by ops@example.com" in str(report)


async def test_of_several_executions_that_were_aborted_the_innermost_ended_the_others() -> None:
    async with open_stage() as stage:
        film, child = stage.film, Film(stage.server.store, "child")
        await film.execution()
        await child.execution("ABORTED", abort_metadata={"cause": "too expensive", "principal": "ops@example.com"})
        await film.node("lp", "FAILED", error="the child was aborted", child=child)
        await film.execution("ABORTED", abort_metadata={"cause": "no use without it", "principal": "bot"})
        report = await stage.explain()
        assert names(report) == ["lp", "child"]
        assert report.aborted is report.leaf
        assert (report.abort_cause, report.aborted_by) == ("too expensive", "ops@example.com")


async def test_a_child_execution_that_failed_before_it_had_nodes_is_the_cause() -> None:
    async with with_child("FAILED", error={"code": "CreateWorkflow", "message": "x" * 500}) as (stage, _):
        report = await stage.explain()
        assert names(report) == ["lp", "child"]
        assert report.error is not None
        assert report.error.message == "x" * 500
        assert stage.ledger.counts == {"ListNodeExecutions": 2, "GetExecution": 1}


@pytest.mark.parametrize("phase", ["SUCCEEDED", "RUNNING"])
async def test_a_child_execution_that_did_not_fail_is_not_the_cause(phase: str) -> None:
    async with with_child(phase) as (stage, _):
        report = await stage.explain()
        assert names(report) == ["lp"]
        assert report.error is not None
        assert report.error.message == "the child failed"


@pytest.mark.parametrize("error", [NotFoundError, PermissionDeniedError])
async def test_what_cannot_be_read_ends_the_way_and_is_said(error: type[Exception]) -> None:
    async with with_child("FAILED") as (stage, _):
        refuse(stage.ledger, "GetExecution", lambda: error("not for you"), about="child")
        report = await stage.explain()
        assert names(report) == ["lp"]
        assert report.problem is not None
        assert "not for you" in report.problem
        assert "not read:\n" in str(report)


@pytest.mark.parametrize("error", [UnavailableError, UnauthenticatedError])
async def test_a_server_that_cannot_be_asked_is_an_error(error: type[Exception]) -> None:
    async with with_child("FAILED") as (stage, _):
        refuse(stage.ledger, "GetExecution", lambda: error("away"), about="child")
        with pytest.raises(error):
            await stage.explain()


async def test_an_execution_that_names_itself_as_its_child_is_not_followed() -> None:
    async with open_stage() as stage:
        film = stage.film
        await film.execution()
        await film.node("lp", "FAILED", error="round and round", child=film)
        await film.execution("FAILED", error=FAILED)
        assert names(await stage.explain()) == ["lp"]


def element(index: int, phase: int, *, retry: int = 0, child: Film | None = None) -> event_pb2.ExternalResourceInfo:
    """Return an element of a map; phase 3 succeeded and 5 failed."""
    message: Any = event_pb2.ExternalResourceInfo(index=index, retry_attempt=retry, phase=phase)  # type: ignore[arg-type]
    if child is not None:
        message.workflow_node_metadata.execution_id.CopyFrom(child.id)
    return message  # type: ignore[no-any-return]


async def fail_map(film: Film, *elements: event_pb2.ExternalResourceInfo) -> None:
    """Put the map that failed, and the execution that it failed."""
    await film.node("map", "FAILED", error="[1]: failed", is_array=True)
    await film.attempt("map", "FAILED", error="[1]: failed", elements=elements)
    await film.execution("FAILED", error=FAILED)


async def test_of_a_map_over_a_launch_plan_the_execution_of_the_first_element_that_failed_is_followed() -> None:
    async with open_stage() as stage:
        film, child = stage.film, Film(stage.server.store, "child")
        await film.execution()
        await child.execution("FAILED", error=FAILED)
        await fail_node(child, "n4", "deep inside")
        await fail_map(film, element(0, 3), element(1, 5, child=child), element(2, 5, retry=1), element(2, 3, retry=2))
        report = await stage.explain()
        assert names(report) == ["map", "child", "n4"]
        assert report.error is not None
        assert report.error.message == "deep inside"


async def test_the_last_try_of_an_element_counts() -> None:
    async with open_stage() as stage:
        film = stage.film
        await film.execution()
        await fail_map(film, element(2, 5), element(2, 3, retry=1), element(1, 5, retry=1), element(1, 5))
        report = await stage.explain()
        assert [(one.index, one.retry_attempt) for one in report.failed_subtasks] == [(1, 1)]
        assert report.to_dict()["failed_subtasks"] == [{"index": 1, "retry_attempt": 1, "external_id": ""}]


async def test_an_attempt_that_was_ended_has_no_error_and_the_node_s_is_taken() -> None:
    async with open_stage() as stage:
        film = stage.film
        await film.execution()
        await film.node("n0", "TIMED_OUT", error="timed out")
        await film.attempt("n0", "FAILED", error="an earlier one")
        await film.attempt("n0", "ABORTED", number=1)
        await film.execution("TIMED_OUT")
        report = await stage.explain()
        assert report.phase.name == "TIMED_OUT"
        assert report.error is not None
        assert report.error.message == "timed out"
        assert report.execution_error is None


async def test_an_execution_that_failed_as_a_whole_is_its_own_first_failure() -> None:
    async with open_stage() as stage:
        await stage.film.execution("FAILED", error=FAILED)
        report = await stage.explain()
        assert report.leaf is report.execution
        assert report.error is not None
        assert report.error.message == "it broke"
        assert "first failure" not in str(report)


async def test_a_running_execution_has_not_failed_and_a_snapshot_that_is_old_is_read_anew() -> None:
    async with open_stage() as stage:
        film = stage.film
        await film.execution()
        await fail_node(film, "n0")
        running = await stage.remote.fetch_execution("film")
        with pytest.raises(ExecutionNotDoneError, match=r"is RUNNING and has not failed"):
            await running.explain_failure()
        await film.execution("FAILED", error=FAILED)
        report = await running.explain_failure()
        assert report is not None
        assert names(report) == ["n0"]


async def test_an_execution_of_which_very_many_parts_failed_is_explained_by_a_few() -> None:
    async with open_stage() as stage:
        film = stage.film
        await film.execution()
        for number in range(120):
            await film.node(f"sub{number}", is_parent_node=True)
        film.later()
        for number in range(120):
            await film.node(f"sub{number}", "FAILED", error="broke", is_parent_node=True)
        await film.execution("FAILED", error=FAILED)
        report = await stage.explain()
        assert stage.ledger.total <= 101
        assert report.problem is not None
        assert "not all of them were looked into" in report.problem
        assert len(report.also_failed) == 119
        assert "and 109 more" in str(report)


async def test_a_snapshot_without_a_remote_cannot_explain() -> None:
    with pytest.raises(DetachedError, match="explain its failure"):
        await execution_of().explain_failure()


async def test_the_definition_tells_which_node_is_the_handler() -> None:
    async with open_stage() as stage:
        film = stage.film
        await film.execution()
        await fail_node(film, "mine")
        await fail_node(film, "n0")
        await film.execution("FAILED", error=FAILED)
        report = await stage.explain()
        # Both failed at one time, and without the definition the name decides.
        assert names(report) == ["mine"]
        known = await stage.remote.fetch_execution("film")
        known = type(known).from_flyte_idl(known.to_flyte_idl(), remote=stage.remote, workflow=handled_by("mine"))
        report = await known.explain_failure()  # type: ignore[assignment]
        assert names(report) == ["n0"]


def handled_by(node_id: str) -> Any:
    """Return a workflow with a failure handler."""
    from flyteidl.admin import workflow_pb2

    from flyte_remote_async import FlyteWorkflow

    message: Any = workflow_pb2.WorkflowSpec()
    message.template.failure_node.id = node_id
    return FlyteWorkflow.from_flyte_idl(message)


# --- asked more than once -------------------------------------------------------------------------------------------


async def test_what_has_ended_is_explained_once_for_all_who_ask() -> None:
    async with open_stage() as stage:
        await fail_node(stage.film, "n0")
        await stage.film.execution("FAILED", error=FAILED)
        execution = await stage.remote.fetch_execution("film")
        stage.ledger.clear()
        one, other = await asyncio.gather(execution.explain_failure(), execution.explain_failure())
        assert one is other is await execution.explain_failure() is await stage.remote.explain_failure(execution)
        assert stage.ledger.counts == {"ListNodeExecutions": 1, "ListTaskExecutions": 1}
        # It belongs to the snapshot, and does not change it.
        assert not execution.has_nodes
        assert execution == await stage.remote.fetch_execution("film")
        again = pickle.loads(pickle.dumps(execution))
        with pytest.raises(DetachedError):
            await again.explain_failure()


async def test_a_search_that_is_cancelled_is_taken_over() -> None:
    async with open_stage() as stage:
        await fail_node(stage.film, "n0")
        await stage.film.execution("FAILED", error=FAILED)
        execution = await stage.remote.fetch_execution("film")
        first, second = (asyncio.create_task(execution.explain_failure()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        report = await second
        assert first.cancelled()
        assert report is not None
        assert names(report) == ["n0"]


async def test_a_search_is_not_shared_with_another_loop() -> None:
    async with open_stage() as stage:
        await fail_node(stage.film, "n0")
        await stage.film.execution("FAILED", error=FAILED)
        execution = await stage.remote.fetch_execution("film")
        first = asyncio.create_task(execution.explain_failure())
        await asyncio.sleep(0)
        with pytest.raises(WrongLoopError):
            await anyio.to_thread.run_sync(lambda: asyncio.run(execution.explain_failure()))
        assert await first is not None


async def test_a_search_that_fails_fails_for_all_who_ask_meanwhile() -> None:
    async with open_stage() as stage:
        await fail_node(stage.film, "n0")
        await stage.film.execution("FAILED", error=FAILED)
        execution = await stage.remote.fetch_execution("film")
        refuse(stage.ledger, "ListNodeExecutions", UnavailableError)
        stage.ledger.clear()
        errors = await asyncio.gather(*(execution.explain_failure() for _ in range(20)), return_exceptions=True)
        assert {type(error) for error in errors} == {UnavailableError}
        assert stage.ledger.counts == {"ListNodeExecutions": 1}


async def test_a_search_that_failed_or_did_not_see_all_is_made_again() -> None:
    async with open_stage() as stage:
        await fail_node(stage.film, "n0")
        await stage.film.execution("FAILED", error=FAILED)
        execution = await stage.remote.fetch_execution("film")
        refuse(stage.ledger, "ListNodeExecutions", UnavailableError, times=1)
        with pytest.raises(UnavailableError):
            await execution.explain_failure()
        refuse(stage.ledger, "ListTaskExecutions", lambda: PermissionDeniedError("not yours"), times=1)
        partly, whole = await execution.explain_failure(), await execution.explain_failure()
        assert partly is not None
        assert whole is not None
        assert "not yours" in str(partly.problem)
        assert (whole.problem, names(whole)) == (None, ["n0"])


async def test_a_snapshot_of_what_ran_is_explained_as_it_is_now() -> None:
    async with open_stage() as stage:
        await stage.film.execution()
        running = await stage.remote.fetch_execution("film")
        with pytest.raises(ExecutionNotDoneError):
            await running.explain_failure()
        await fail_node(stage.film, "n0")
        await stage.film.execution("FAILED", error=FAILED)
        report = await running.explain_failure()
        assert report is not None
        assert names(report) == ["n0"]
