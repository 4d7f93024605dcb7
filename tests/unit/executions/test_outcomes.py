"""Whether a snapshot has ended, how, and what its outputs and error say then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from flyte_remote_async import FlyteNodeExecution, NodePhase, TaskPhase, WorkflowPhase
from flyte_remote_async.errors import DetachedError, ExecutionFailedError, ExecutionNotDoneError, FlyteAssertion
from flyte_remote_async.executions.below import Below
from tests.support.snapshots import attempt_of, execution_of, node_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyte_remote_async.models.phases import OpenEnum

pytestmark = pytest.mark.anyio

# Phase to (is_done, is_successful), written out: an addition to Flyte must be decided on here.
EXECUTIONS = {
    WorkflowPhase.UNDEFINED: (False, False),
    WorkflowPhase.QUEUED: (False, False),
    WorkflowPhase.RUNNING: (False, False),
    WorkflowPhase.SUCCEEDING: (False, False),
    WorkflowPhase.SUCCEEDED: (True, True),
    WorkflowPhase.FAILING: (False, False),
    WorkflowPhase.FAILED: (True, False),
    WorkflowPhase.ABORTED: (True, False),
    WorkflowPhase.TIMED_OUT: (True, False),
    WorkflowPhase.ABORTING: (False, False),
    WorkflowPhase(999): (False, False),
}
NODES = {
    NodePhase.UNDEFINED: (False, False),
    NodePhase.QUEUED: (False, False),
    NodePhase.RUNNING: (False, False),
    NodePhase.SUCCEEDED: (True, True),
    NodePhase.FAILING: (False, False),
    NodePhase.FAILED: (True, False),
    NodePhase.ABORTED: (True, False),
    NodePhase.SKIPPED: (True, False),
    NodePhase.TIMED_OUT: (True, False),
    NodePhase.DYNAMIC_RUNNING: (False, False),
    NodePhase.RECOVERED: (True, True),
    NodePhase(999): (False, False),
}
ATTEMPTS = {
    TaskPhase.UNDEFINED: (False, False),
    TaskPhase.QUEUED: (False, False),
    TaskPhase.RUNNING: (False, False),
    TaskPhase.SUCCEEDED: (True, True),
    TaskPhase.ABORTED: (True, False),
    TaskPhase.FAILED: (True, False),
    TaskPhase.INITIALIZING: (False, False),
    TaskPhase.WAITING_FOR_RESOURCES: (False, False),
    TaskPhase.RETRYABLE_FAILED: (False, False),
    TaskPhase(999): (False, False),
}
CASES = [
    (make, phase, *outcome)
    for make, table in ((execution_of, EXECUTIONS), (node_of, NODES), (attempt_of, ATTEMPTS))
    for phase, outcome in table.items()
]


def test_the_tables_have_all_phases() -> None:
    for kind, table in ((WorkflowPhase, EXECUTIONS), (NodePhase, NODES), (TaskPhase, ATTEMPTS)):
        assert set(table) == {*kind, kind(999)}


@pytest.mark.parametrize(("make", "phase", "is_done", "is_successful"), CASES)
def test_how_far_a_phase_is(make: Callable[..., Any], phase: OpenEnum, is_done: bool, is_successful: bool) -> None:
    snapshot = make(phase)
    assert snapshot.phase is phase or (not phase.is_known and snapshot.phase == phase)
    assert snapshot.closure.phase == phase
    assert (snapshot.is_done, snapshot.is_successful) == (is_done, is_successful)


@pytest.mark.parametrize(("make", "phase", "is_done", "is_successful"), CASES)
def test_error_and_outputs_are_there_when_they_can_be(
    make: Callable[..., Any], phase: OpenEnum, is_done: bool, is_successful: bool
) -> None:
    snapshot = make(phase)
    for member in ("error", "outputs"):
        if not is_done:
            with pytest.raises(ExecutionNotDoneError) as waiting:
                getattr(snapshot, member)
            assert str(waiting.value).startswith(f"{snapshot.description} is {phase.name} and has no {member} yet")
            assert "please wait until" in str(waiting.value)
            assert isinstance(waiting.value, FlyteAssertion)
    if is_successful:
        assert snapshot.error is None
        assert snapshot.outputs is snapshot.outputs
    elif is_done:
        with pytest.raises(ExecutionFailedError) as failed:
            _ = snapshot.outputs
        assert failed.value.phase == phase.name
        assert failed.value.execution == snapshot.description
        assert str(failed.value) == f"{snapshot.description} has no outputs: it ended as {phase.name}"


def test_a_phase_of_the_future_is_kept() -> None:
    for make in (execution_of, node_of, attempt_of):
        snapshot = make(999)
        assert snapshot.phase.name == "UNKNOWN_999"
        assert snapshot.phase == 999
        assert snapshot.to_flyte_idl().closure.phase == 999
        assert snapshot.to_dict()["phase"] == "UNKNOWN_999"
        assert "UNKNOWN_999" in repr(snapshot)


@pytest.mark.parametrize(
    ("make", "phases"),
    [
        (execution_of, [WorkflowPhase.FAILED, WorkflowPhase.TIMED_OUT]),
        (node_of, [NodePhase.FAILED, NodePhase.TIMED_OUT]),
        (attempt_of, [TaskPhase.FAILED]),
    ],
)
def test_what_failed_says_why(make: Callable[..., Any], phases: list[OpenEnum]) -> None:
    for phase in phases:
        snapshot = make(phase, error=True)
        assert snapshot.error.code == "USER:ValueError"
        assert snapshot.error.message == "three is not four"
        assert snapshot.error.kind.name == "USER"
        with pytest.raises(ExecutionFailedError) as failed:
            _ = snapshot.outputs
        assert str(failed.value).endswith(f"it ended as {phase.name}: USER:ValueError: three is not four")
        assert (failed.value.code, failed.value.error_message) == ("USER:ValueError", "three is not four")


def test_a_node_whose_error_a_list_has_cut_takes_it_from_its_last_attempt() -> None:
    row = node_of(NodePhase.FAILED, error=True).to_flyte_idl()
    row.closure.error.message = "three is"
    cut = FlyteNodeExecution.from_flyte_idl(row)
    assert cut.error is not None
    assert cut.error.message == "three is"
    last = attempt_of(TaskPhase.FAILED, number=1, error=True)
    whole = FlyteNodeExecution.from_flyte_idl(row, below=Below(attempts=(attempt_of(TaskPhase.FAILED), last)))
    assert whole.error == last.error
    assert whole.to_dict()["error"]["message"] == "three is not four"
    with pytest.raises(ExecutionFailedError, match="three is not four"):
        _ = whole.outputs
    assert whole.to_flyte_idl() == row


def test_a_node_keeps_an_error_that_is_not_its_attempts() -> None:
    row = node_of(NodePhase.FAILED, error=True).to_flyte_idl()
    row.closure.error.message = "the node took too long"
    for attempt in (attempt_of(TaskPhase.FAILED, error=True), attempt_of(TaskPhase.FAILED)):
        node = FlyteNodeExecution.from_flyte_idl(row, below=Below(attempts=(attempt,)))
        assert node.error is not None
        assert node.error.message == "the node took too long"


def test_what_was_aborted_says_for_what_cause() -> None:
    snapshot = execution_of(WorkflowPhase.ABORTED, cause="budget used up")
    assert snapshot.error is None
    with pytest.raises(ExecutionFailedError, match="it ended as ABORTED: budget used up") as failed:
        _ = snapshot.outputs
    assert (failed.value.code, failed.value.error_message) == ("", "budget used up")


def test_inputs_are_there_in_every_phase() -> None:
    for make, phase, *_ in CASES:
        snapshot = make(phase)
        assert snapshot.inputs is snapshot.inputs


@pytest.mark.parametrize("make", [execution_of, node_of, attempt_of])
async def test_a_snapshot_without_remote_cannot_bring_its_data(make: Callable[..., Any]) -> None:
    snapshot = make()
    for resolver in (snapshot.inputs, snapshot.outputs):
        with pytest.raises(DetachedError) as detached:
            await resolver["a"]
        assert str(detached.value).startswith(f"{snapshot.description} knows no remote, so it cannot load its data")
        assert "remote.execution(name)" in str(detached.value)
        with pytest.raises(DetachedError):
            await resolver.load()


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        (lambda: execution_of().sync(), "execution p/d/e0 knows no remote, so it cannot sync"),
        (lambda: execution_of().sync(sync_nodes=True), "cannot sync"),
        (lambda: execution_of(WorkflowPhase.RUNNING).wait(timeout=1), "cannot wait"),
        (lambda: execution_of(WorkflowPhase.RUNNING).terminate("why"), "cannot terminate"),
        (lambda: attempt_of().fetch_task(), "attempt p/d/e0/n0/t/0 knows no remote, so it cannot fetch its task"),
    ],
)
async def test_a_snapshot_without_remote_cannot_act(verb: Callable[[], Any], words: str) -> None:
    with pytest.raises(DetachedError, match=words):
        await verb()
    assert execution_of().execution_url is None
