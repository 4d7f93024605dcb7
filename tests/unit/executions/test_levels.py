"""What is below an execution and its nodes, read or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.event import event_pb2

from flyte_remote_async import FlyteTaskExecution, NodeKind, NodePhase
from flyte_remote_async.errors import NotSyncedError
from flyte_remote_async.policy.sync_plan import Coverage
from tests.support.snapshots import attempt_of, execution_of, node_of

if TYPE_CHECKING:
    from flyte_remote_async import FlyteNodeExecution

START = node_of(node_id="start-node")


def test_nodes_that_were_not_read_are_not_none() -> None:
    execution = execution_of()
    assert not execution.has_nodes
    with pytest.raises(NotSyncedError) as missing:
        _ = execution.node_executions
    words = "the nodes of execution p/d/e0 were not read: `await execution.sync(sync_nodes=True)` reads them"
    assert str(missing.value) == words


def test_nodes_that_were_read_are_by_id_and_read_only() -> None:
    execution: Any = execution_of(nodes=[START, node_of()])
    assert list(execution.node_executions) == ["start-node", "n0"]
    assert execution.node_executions["n0"] == node_of()
    with pytest.raises(TypeError):
        execution.node_executions["n1"] = START
    assert execution_of(nodes=[]).node_executions == {}


PARENT = node_of(is_parent=True)
CHILD_OF_BRANCH = node_of(node_id="n0-n1", spec_node_id="n0-n1")


@pytest.mark.parametrize(
    ("node", "member", "words"),
    [
        (PARENT, "subworkflow_node_executions", "the nodes of node p/d/e0/n0 were not read: .*sync_nodes=True"),
        (PARENT, "executions", "the nodes of node p/d/e0/n0 were not read"),
        (node_of(), "task_executions", "the attempts of node p/d/e0/n0 were not read: .*attempts=True"),
        (node_of(), "executions", "the attempts of node p/d/e0/n0 were not read"),
        (node_of(is_array=True), "subtasks", "the attempts of node p/d/e0/n0 were not read"),
        (node_of(starts="child"), "workflow_executions", "the child executions of node p/d/e0/n0 were not read"),
        (node_of(starts="child"), "executions", "the child executions of node p/d/e0/n0 were not read"),
        (node_of(problem="gone"), "task_executions", "the attempts of node p/d/e0/n0 could not be read: gone"),
        (
            node_of(is_parent=True, problem="gone"),
            "subworkflow_node_executions",
            "the nodes of node p/d/e0/n0 could not be read: gone",
        ),
    ],
)
def test_a_level_that_was_not_read_is_not_none(node: FlyteNodeExecution, member: str, words: str) -> None:
    with pytest.raises(NotSyncedError, match=words):
        getattr(node, member)


@pytest.mark.parametrize(
    ("node", "empty"),
    [
        (START, ["task_executions", "subworkflow_node_executions", "workflow_executions", "executions", "subtasks"]),
        (node_of(), ["subworkflow_node_executions", "workflow_executions", "subtasks"]),
        (PARENT, ["task_executions", "workflow_executions", "subtasks"]),
        (node_of(starts="child"), ["task_executions", "subworkflow_node_executions", "subtasks"]),
        (node_of(attempts=()), ["task_executions", "executions"]),
    ],
)
def test_a_level_that_a_kind_does_not_have_is_empty(node: FlyteNodeExecution, empty: list[str]) -> None:
    for member in empty:
        assert len(getattr(node, member)) == 0, member


def test_attempts_are_in_order_and_are_what_runs() -> None:
    tries = (attempt_of(8, number=0), attempt_of(number=1))
    node = node_of(attempts=tries)
    assert node.kind is NodeKind.TASK
    assert [one.attempt for one in node.task_executions] == [0, 1]
    assert tuple(node.executions) == tries
    assert node.task_id == tries[1].id.task_id
    assert node_of().task_id is None
    assert node_of(attempts=()).task_id is None


def test_nodes_below_are_by_id_and_are_what_runs() -> None:
    node = node_of(is_parent=True, nodes=(START, node_of(node_id="n0-0-n0", spec_node_id="n0")))
    assert node.kind is NodeKind.SUBWORKFLOW
    assert node.has_nodes
    assert list(node.subworkflow_node_executions) == ["start-node", "n0-0-n0"]
    assert [below.id.node_id for below in node.executions if hasattr(below.id, "node_id")] == ["start-node", "n0-0-n0"]


def test_child_executions_are_what_runs() -> None:
    child = execution_of(name="child")
    node = node_of(starts="child", executions=(child,))
    assert node.kind is NodeKind.LAUNCH_PLAN
    assert node.workflow_executions == (child,)
    assert node.child_executions == (child,)
    assert tuple(node.executions) == (child,)
    assert node_of(starts="child").child_executions == ()


def test_an_array_has_the_subtasks_of_its_last_attempt() -> None:
    def attempt(number: int, *names: str) -> FlyteTaskExecution:
        message = attempt_of(number=number).to_flyte_idl()
        message.closure.metadata.external_resources.extend(event_pb2.ExternalResourceInfo(external_id=n) for n in names)
        return FlyteTaskExecution.from_flyte_idl(message)

    node = node_of(is_array=True, attempts=(attempt(0, "a"), attempt(1, "b", "c")))
    assert node.kind is NodeKind.ARRAY
    assert [one.external_id for one in node.subtasks] == ["b", "c"]
    assert node_of(is_array=True, attempts=()).subtasks == ()


def test_a_branch_is_known_when_its_nodes_were_read() -> None:
    assert PARENT.kind is NodeKind.SUBWORKFLOW
    branch = node_of(is_parent=True, nodes=(CHILD_OF_BRANCH,))
    assert branch.kind is NodeKind.BRANCH
    assert branch.problem is None


def test_a_node_with_nodes_below_it_is_a_parent_whatever_its_record_says() -> None:
    inner = node_of(node_id="n0-0-start-node", spec_node_id="start-node")
    unmarked = node_of(is_parent=False, nodes=(inner,))
    assert unmarked.kind is NodeKind.SUBWORKFLOW
    assert node_of(is_parent=False, nodes=(CHILD_OF_BRANCH,)).kind is NodeKind.BRANCH
    assert node_of(is_parent=False, nodes=()).kind is NodeKind.TASK


def test_children_that_fit_no_kind_are_told() -> None:
    odd = node_of(is_parent=True, nodes=(node_of(node_id="elsewhere"),))
    assert odd.kind is NodeKind.UNKNOWN
    assert odd.problem == "the nodes below node p/d/e0/n0 are neither those of a subworkflow nor those of a branch"
    assert list(odd.subworkflow_node_executions) == ["elsewhere"]


def test_what_could_not_be_read_is_told() -> None:
    odd = node_of(problem="ListNodeExecutions: NOT_FOUND: gone")
    assert odd.kind is NodeKind.UNKNOWN
    assert odd.problem == "ListNodeExecutions: NOT_FOUND: gone"


def test_a_node_goes_by_its_id_in_the_workflow_where_there_is_one() -> None:
    assert node_of(node_id="fhash", spec_node_id="start-node").kind is NodeKind.START
    assert node_of(node_id="fhash", spec_node_id="n7").spec_node_id == "n7"
    assert node_of(node_id="n3").spec_node_id == "n3"
    assert node_of(node_id="n3").metadata.spec_node_id == ""


def test_what_is_settled_covers_what_was_read() -> None:
    read = Coverage(attempts=True, io=True)
    node = node_of(NodePhase.SUCCEEDED, covers=read)
    assert node.covers(Coverage())
    assert not node.covers(Coverage(definitions=True))
    assert not node_of().covers(Coverage(attempts=False))
    assert not execution_of().covers(Coverage(attempts=False))
