"""Snapshots as values: made, converted, compared, copied and pickled."""

from __future__ import annotations

import copy
import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.admin import execution_pb2, node_execution_pb2, task_execution_pb2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flyte_remote_async import (
    FlyteNodeExecution,
    FlyteTaskExecution,
    FlyteWorkflowExecution,
    Literal,
    NodeKind,
    NodePhase,
    RemoteExecutionBase,
    WorkflowPhase,
)
from flyte_remote_async.entities import FlyteTask, FlyteWorkflow
from flyte_remote_async.errors import DetachedError, FlyteAssertion, MalformedMessageError, OutputsUnavailableError
from flyte_remote_async.executions.data import ExecutionData
from flyte_remote_async.interface import TypedInterface
from flyte_remote_async.literals.context import PLAIN
from flyte_remote_async.policy.sync_plan import Coverage
from tests.support.messages import messages
from tests.support.recordings import load
from tests.support.snapshots import attempt_of, execution_of, node_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyte_remote_async.executions.binding import Remote

pytestmark = pytest.mark.anyio

CLASSES: Mapping[type[RemoteExecutionBase[Any]], type[Any]] = {
    FlyteWorkflowExecution: execution_pb2.Execution,
    FlyteNodeExecution: node_execution_pb2.NodeExecution,
    FlyteTaskExecution: task_execution_pb2.TaskExecution,
}
every_class = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
many_examples = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
MAKERS = (execution_of, node_of, attempt_of)
TASK = FlyteTask.from_task(load().of_kind("TASK")[0].message)
WORKFLOW = FlyteWorkflow.from_workflow(load().of_kind("WORKFLOW")[0].message)


def made(cls: Any, message: Any) -> Any:
    """Return a snapshot made by hand from the parts of a recorded one."""
    one = cls.from_flyte_idl(message)
    if cls is FlyteWorkflowExecution:
        return FlyteWorkflowExecution(one.closure, one.id, one.spec)
    if cls is FlyteNodeExecution:
        return FlyteNodeExecution(one.id, one.input_uri, one.closure, one.metadata)
    return FlyteTaskExecution(one.id, one.input_uri, one.closure, one.is_parent)


def members_of(cls: type[Any]) -> list[str]:
    """Return the names of what is read of a snapshot: attrs makes slots of cached properties."""
    return [name for name in dir(cls) if not name.startswith("_") and not callable(getattr(cls, name))]


class Somewhere:
    """A remote that answers what a snapshot asks of it when nothing is sent."""

    context = PLAIN

    def console_url(self, id: Any) -> str:
        return f"https://flyte.example.com/{id.name}"


REMOTE: Remote = Somewhere()  # type: ignore[assignment] # the other verbs are not used here


# --- making and converting -------------------------------------------------------------------------------------------


@every_class
def test_a_snapshot_made_by_hand_is_the_one_that_was_recorded(cls: Any) -> None:
    recorded = load().messages(CLASSES[cls])
    assert recorded
    for message in recorded:
        snapshot = made(cls, message)
        assert snapshot == cls.from_flyte_idl(message)
        assert snapshot.to_flyte_idl() == message
        assert snapshot.phase == message.closure.phase


def test_an_execution_made_by_hand_takes_a_remote_and_hints() -> None:
    one = execution_of()
    by_hand = FlyteWorkflowExecution(one.closure, one.id, one.spec, REMOTE, {"o0": int})
    assert by_hand.execution_url == "https://flyte.example.com/e0"
    assert by_hand.type_hints == {"o0": int}
    assert by_hand.outputs.type_hints == {"o0": int}
    assert by_hand.to_dict()["url"] == "https://flyte.example.com/e0"
    with pytest.raises(FlyteAssertion):
        _ = by_hand.node_executions


@every_class
@given(data=st.data())
@many_examples
def test_any_message_comes_out_as_it_went_in(cls: Any, data: st.DataObject) -> None:
    message = data.draw(messages(CLASSES[cls]))
    before = message.SerializeToString(deterministic=True)
    snapshot = cls.from_flyte_idl(message)
    assert snapshot.to_flyte_idl() == message
    assert snapshot.serialize_to_string() == before
    assert snapshot.is_empty == (not before)
    assert cls.from_string(before) == snapshot
    again = pickle.loads(pickle.dumps(snapshot))
    assert again == snapshot
    assert hash(again) == hash(snapshot)
    assert again.to_flyte_idl() == message


@every_class
@given(data=st.data())
@many_examples
def test_no_message_makes_a_member_raise_anything_but_what_it_says(cls: Any, data: st.DataObject) -> None:
    message = data.draw(messages(CLASSES[cls]))
    snapshot = cls.from_flyte_idl(message)
    for name in members_of(cls):
        try:
            getattr(snapshot, name)
        except FlyteAssertion as error:
            assert snapshot.description in str(error)  # noqa: PT017 - most members raise nothing
    shape = snapshot.to_dict()
    assert json.loads(json.dumps(shape, allow_nan=False)) == shape
    for text in (repr(snapshot), snapshot.short_string(), snapshot._repr_html_()):
        assert text
    assert snapshot.to_flyte_idl() == message


@every_class
def test_a_snapshot_is_a_copy_of_its_message(cls: Any) -> None:
    message = CLASSES[cls]()
    snapshot = cls.from_flyte_idl(message)
    message.closure.phase = 1
    assert snapshot.to_flyte_idl().closure.phase == 0
    snapshot.to_flyte_idl().closure.phase = 2
    assert snapshot.is_empty
    assert snapshot.serialize_to_string() == b""


@every_class
@pytest.mark.parametrize("data", [b"\x0a", b"\xff\xff", b"\x0a\x05ab", b"\x0a\x02\x0a\xff"])
def test_bytes_that_are_no_such_message_are_told(cls: Any, data: bytes) -> None:
    with pytest.raises(MalformedMessageError, match=f"{len(data)} bytes are not a {CLASSES[cls].DESCRIPTOR.full_name}"):
        cls.from_string(data)


@every_class
def test_promote_from_model_takes_messages_and_snapshots(cls: Any) -> None:
    message = load().messages(CLASSES[cls])[0]
    snapshot = cls.from_flyte_idl(message)
    assert cls.promote_from_model(message) == snapshot
    promoted = cls.promote_from_model(snapshot)
    assert promoted == snapshot
    assert type(promoted) is cls


def test_promoting_an_execution_gives_it_a_remote_and_hints_and_no_nodes() -> None:
    whole = execution_of(nodes=[node_of()])
    promoted = FlyteWorkflowExecution.promote_from_model(whole, REMOTE, {"o0": str})
    assert promoted.execution_url is not None
    assert promoted.type_hints == {"o0": str}
    assert not promoted.has_nodes


# --- frozen ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", MAKERS)
def test_snapshots_cannot_be_changed(make: Any) -> None:
    snapshot = make()
    for name in ("id", "phase", "_remote", "_data", "anything", *members_of(type(snapshot))):
        with pytest.raises(AttributeError):
            setattr(snapshot, name, None)
    assert not hasattr(snapshot, "__dict__")


def test_the_base_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="abstract"):
        RemoteExecutionBase(b"")  # type: ignore[abstract]


# --- equality and hash -----------------------------------------------------------------------------------------------


def test_snapshots_compare_by_content() -> None:
    assert execution_of() == execution_of()
    assert execution_of(WorkflowPhase.RUNNING) != execution_of()
    assert execution_of(name="e1") != execution_of()
    assert node_of() == node_of()
    assert node_of(NodePhase.FAILED) != node_of()
    assert attempt_of() == attempt_of()
    assert attempt_of(number=1) != attempt_of()
    assert execution_of() != object()
    assert execution_of() != execution_of().to_flyte_idl()


def test_what_was_read_below_is_content() -> None:
    assert execution_of(nodes=[]) != execution_of()
    assert execution_of(nodes=[node_of()]) == execution_of(nodes=[node_of()])
    assert execution_of(nodes=[node_of()]) != execution_of(nodes=[node_of(NodePhase.FAILED)])
    assert node_of(attempts=()) != node_of()
    assert node_of(nodes=()) != node_of(attempts=())
    assert node_of(attempts=(attempt_of(),)) != node_of(attempts=(attempt_of(), attempt_of()))
    assert node_of(problem="gone") != node_of()
    assert node_of(interface=TypedInterface({}, {})) != node_of()
    # The same parts, one level apart.
    flat = node_of(nodes=(node_of(nodes=()), node_of(nodes=())))
    deep = node_of(nodes=(node_of(nodes=(node_of(nodes=()),)),))
    assert flat != deep


def test_definitions_are_content() -> None:
    execution, attempt = execution_of().to_flyte_idl(), attempt_of().to_flyte_idl()
    assert FlyteWorkflowExecution.from_flyte_idl(execution, workflow=WORKFLOW) != execution_of()
    assert FlyteTaskExecution.from_flyte_idl(attempt, task=TASK) != attempt_of()


def test_where_a_snapshot_came_from_is_not_content() -> None:
    bound = FlyteWorkflowExecution.from_flyte_idl(execution_of().to_flyte_idl(), remote=REMOTE)
    assert bound == execution_of()
    assert node_of(covers=Coverage()) == node_of()


def test_hashes_go_by_identity_key() -> None:
    """One execution seen twice is one key, however far it came in between."""
    assert hash(execution_of(WorkflowPhase.RUNNING)) == hash(execution_of(nodes=[node_of()]))
    assert hash(execution_of()) == hash(execution_of().id)
    assert hash(node_of(NodePhase.RUNNING)) == hash(node_of()) == hash(node_of().id)
    assert hash(attempt_of(2)) == hash(attempt_of()) == hash(attempt_of().id)
    assert hash(attempt_of(number=1)) != hash(attempt_of())
    assert len({execution_of(), execution_of(), execution_of(WorkflowPhase.RUNNING)}) == 2


# --- copies and pickles ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", MAKERS)
def test_a_copy_of_what_never_changes_is_itself(make: Any) -> None:
    snapshot = make()
    assert copy.copy(snapshot) is snapshot
    assert copy.deepcopy(snapshot) is snapshot
    assert copy.deepcopy([snapshot])[0] is snapshot


WHOLE = FlyteWorkflowExecution.from_flyte_idl(
    execution_of().to_flyte_idl(),
    remote=REMOTE,
    type_hints={"o0": int},
    workflow=WORKFLOW,
    nodes=(
        node_of(
            attempts=(FlyteTaskExecution.from_flyte_idl(attempt_of().to_flyte_idl(), task=TASK), attempt_of(number=1)),
            interface=TASK.interface,
        ),
        node_of(node_id="n1", starts="e1", executions=(execution_of(name="e1", nodes=[node_of(problem="gone")]),)),
        node_of(node_id="n2", is_parent=True, nodes=(node_of(node_id="n2-n3"),), spec_node_id="n2"),
    ),
)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_has_the_whole_tree_and_no_remote(protocol: int) -> None:
    again = pickle.loads(pickle.dumps(WHOLE, protocol))
    assert again == WHOLE
    assert again.execution_url is None
    assert again.flyte_workflow == WORKFLOW
    assert again.type_hints == {"o0": int}
    assert again.node_executions["n0"].task_executions[0].task == TASK
    assert again.node_executions["n0"].interface == TASK.interface
    assert again.node_executions["n1"].workflow_executions[0].node_executions["n0"].problem == "gone"
    assert again.node_executions["n2"].kind is NodeKind.BRANCH
    assert not again.covers(Coverage())


async def test_an_attempt_that_knows_its_task_needs_no_remote_for_it() -> None:
    again = pickle.loads(pickle.dumps(WHOLE))
    assert await again.node_executions["n0"].task_executions[0].fetch_task() == TASK
    with pytest.raises(DetachedError):
        await again.node_executions["n0"].task_executions[1].fetch_task()


async def test_data_that_was_read_along_needs_no_remote() -> None:
    three = Literal.from_flyte_idl(load().messages(execution_pb2.Execution)[0].spec.inputs.literals["a"])
    data = ExecutionData({"a": three}, {})
    snapshot = FlyteWorkflowExecution.from_flyte_idl(execution_of().to_flyte_idl(), data=data)
    await snapshot.inputs.load()
    assert snapshot.inputs.get_literal("a") == three
    await snapshot.outputs.load()
    assert len(snapshot.outputs) == 0


class Recovering(Somewhere):
    """A remote whose storage fails at the first read."""

    def __init__(self) -> None:
        self.asked = 0

    async def load_data(self, snapshot: Any) -> ExecutionData:  # noqa: ARG002 - the protocol has it
        self.asked += 1
        return ExecutionData({}, GONE if self.asked == 1 else {})


GONE = OutputsUnavailableError("the outputs cannot be had; tried:", tried=["the control plane"])


async def test_outputs_that_no_source_gave_are_asked_for_again_and_inputs_are_not() -> None:
    remote: Any = Recovering()
    message, data = execution_of().to_flyte_idl(), ExecutionData({}, GONE)
    snapshot = FlyteWorkflowExecution.from_flyte_idl(message, remote=remote, data=data)
    await snapshot.inputs.load()
    assert remote.asked == 0
    with pytest.raises(OutputsUnavailableError, match="the control plane"):
        await snapshot.outputs.load()
    await snapshot.outputs.load()
    await snapshot.outputs.load()
    assert len(snapshot.outputs) == 0
    assert remote.asked == 2
