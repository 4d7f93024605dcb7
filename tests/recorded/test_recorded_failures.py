"""Why the recorded executions failed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from flyte_remote_async import FlyteNodeExecution, FlyteWorkflowExecution
from tests.support import recordings
from tests.support.remotes import WAYS, recorded_server, remote_of

if TYPE_CHECKING:
    from flyte_remote_async import FailureReport

pytestmark = pytest.mark.anyio

# Label to the way to the first failure, the task, the last line of the error, and what is asked for it.
LEVEL = {"ListNodeExecutions": 1, "ListTaskExecutions": 1}
FAILURES = {
    "samples.failing": (["n1"], "samples.fail", "ValueError: boom 4", LEVEL),
    "samples.with_handler": (["n0"], "samples.fail", "ValueError: boom 3", LEVEL),
    "more.dynfail": (["n0"], "more.dyn_bad", "RuntimeError: dynamic failed to compile", LEVEL),
    "more.timing_out": (["n0"], "more.slow", "task execution timeout [3s] expired", LEVEL),
    "more.exhausted": (["n0"], "more.always", "FlyteRecoverableException: USER:Recoverable: error=attempt", LEVEL),
    "recover": (["n1"], "samples.fail", "ValueError: boom 4", LEVEL),
    "more.mapped_failing": (
        ["n0"],
        "more.map_maybe_fail_6b3bd0353da5de6e84d7982921ead2b3-arraynode",
        "ValueError: element two",
        LEVEL,
    ),
    "more.lp_failing": (
        ["n0", "fnno5pab5ixrve", "n1"],
        "samples.fail",
        "ValueError: boom 2",
        {"GetExecution": 1, "ListNodeExecutions": 2, "ListTaskExecutions": 1},
    ),
}


def names(report: FailureReport) -> list[str]:
    """Return the names on the way, but that of the execution itself."""
    return [part.id.node_id if isinstance(part, FlyteNodeExecution) else part.id.name for part in report.path[1:]]


@pytest.mark.parametrize("label", FAILURES)
@pytest.mark.parametrize("way", WAYS)
async def test_the_first_failure_is_found_with_its_whole_error_in_few_requests(label: str, way: str) -> None:
    path, task, last_line, requests = FAILURES[label]
    async with recorded_server() as server, remote_of(server, way) as (remote, ledger):
        execution = await remote.fetch_execution(recordings.labels()[label])
        ledger.clear()
        report = await execution.explain_failure()
        assert report is not None
        assert ledger.counts == requests
        assert names(report) == path
        assert report.task is not None
        assert report.task.name == task
        assert report.error is not None
        assert report.error.message.rstrip().endswith(last_line)
        assert report.problem is None
        assert report.also_failed == ()
        assert report.failed_at == report.leaf.closure.updated_at
        for text in (str(report), report._repr_html_()):
            assert last_line.split(":")[-1] in text
        assert json.loads(json.dumps(report.to_dict()))["task"] == task


@pytest.mark.parametrize("label", FAILURES)
async def test_what_was_read_along_costs_nothing(label: str) -> None:
    async with recorded_server() as server, remote_of(server) as (remote, ledger):
        execution = await remote.execution(recordings.labels()[label]).sync(sync_nodes=True)
        ledger.clear()
        report = await execution.explain_failure()
        assert ledger.total == 0
        assert report is not None
        assert names(report) == FAILURES[label][0]
        assert report.error is not None
        assert report.error.message.rstrip().endswith(FAILURES[label][2])


async def test_the_execution_s_own_words_are_kept_where_they_are_others() -> None:
    async with recorded_server() as server, remote_of(server) as (remote, _):
        report = await remote.execution(recordings.labels()["more.exhausted"]).explain_failure()
        assert report is not None
        assert [attempt.phase.name for attempt in report.attempts] == ["FAILED"] * 3
        assert report.execution_error is not None
        assert report.execution_error.code == "RetriesExhausted|USER:Recoverable"
        assert [whose for whose, _ in report.logs] == ["attempt 0", "attempt 1", "attempt 2"]
        assert "the execution says:\n  RetriesExhausted|USER:Recoverable: [3/3]" in str(report)
        plain = await remote.execution(recordings.labels()["samples.failing"]).explain_failure()
        assert plain is not None
        assert plain.execution_error is None


async def test_of_a_map_the_elements_that_failed_are_named_and_not_those_that_were_ended() -> None:
    async with recorded_server() as server, remote_of(server) as (remote, _):
        report = await remote.execution(recordings.labels()["more.mapped_failing"]).explain_failure()
        assert report is not None
        assert [element.index for element in report.failed_subtasks] == [1]
        assert [(whose, log.uri.split("/")[-2]) for whose, log in report.logs] == [
            ("element 1", "afnggnb4fbgr2g5dc7zr-n0-0-n1-0")
        ]
        assert "[1]  FAILED  try 0  afnggnb4fbgr2g5dc7zr-n0-0-n1-0" in str(report)


async def test_an_aborted_execution_says_why_and_what_it_interrupted() -> None:
    async with recorded_server() as server, remote_of(server) as (remote, ledger):
        execution = await remote.fetch_execution(recordings.labels()["more.long_wait"])
        ledger.clear()
        report = await execution.explain_failure()
        assert report is not None
        assert ledger.counts == {"ListNodeExecutions": 1}
        assert report.phase.name == "ABORTED"
        assert report.path == (report.execution,)
        assert report.leaf is report.execution
        assert (report.error, report.task, report.attempts) == (None, None, ())
        assert (report.abort_cause, report.aborted_by) == ("stop please", "")
        assert [node.id.node_id for node in report.interrupted] == ["n0"]
        assert "stop please" in str(report)


async def test_what_succeeded_has_no_failure_and_costs_nothing_when_that_is_known() -> None:
    async with recorded_server() as server, remote_of(server) as (remote, ledger):
        execution = await remote.fetch_execution(recordings.labels()["samples.chain"])
        ledger.clear()
        assert await execution.explain_failure() is None
        assert ledger.total == 0
        assert await remote.execution(execution.id.name).explain_failure() is None
        assert ledger.counts == {"GetExecution": 1}


async def test_an_error_that_a_list_cut_is_read_whole() -> None:
    async with recorded_server() as server, remote_of(server) as (remote, ledger):
        name = recordings.labels()["more.exhausted"]
        whole = (await remote.fetch_execution(name)).to_flyte_idl()
        whole.closure.error.message = whole.closure.error.message[:100]
        listed = FlyteWorkflowExecution.from_flyte_idl(whole, remote=remote)
        ledger.clear()
        report = await listed.explain_failure()
        assert report is not None
        assert report.execution_error is not None
        assert len(report.execution_error.message) > 100
        assert ledger.counts["GetExecution"] == 1
