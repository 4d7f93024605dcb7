"""Identifiers, phases and the bytes below all values."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.admin import execution_pb2, node_execution_pb2
from flyteidl.core import identifier_pb2, literals_pb2
from hypothesis import given
from hypothesis import strategies as st

from flyte_remote_async.errors import MalformedMessageError
from flyte_remote_async.models.executions import ExecutionClosure
from flyte_remote_async.models.identifiers import (
    Identifier,
    NodeExecutionIdentifier,
    ResourceType,
    TaskExecutionIdentifier,
    WorkflowExecutionIdentifier,
)
from flyte_remote_async.models.literals import Literal
from flyte_remote_async.models.phases import CatalogCacheStatus, ExecutionMode, NodePhase, TaskPhase, WorkflowPhase
from flyte_remote_async.models.pieces import merge_in_pieces
from tests.support.messages import messages

if TYPE_CHECKING:
    from google.protobuf.message import Message

IDENTIFIERS: list[tuple[Any, type[Message]]] = [
    (Identifier, identifier_pb2.Identifier),
    (WorkflowExecutionIdentifier, identifier_pb2.WorkflowExecutionIdentifier),
    (NodeExecutionIdentifier, identifier_pb2.NodeExecutionIdentifier),
    (TaskExecutionIdentifier, identifier_pb2.TaskExecutionIdentifier),
]
EXECUTION = WorkflowExecutionIdentifier("p", "d", "n")
NODE = NodeExecutionIdentifier("n0", EXECUTION)
TASK = Identifier(ResourceType.TASK, "p", "d", "t", "v")


@pytest.mark.parametrize(("identifier", "message_type"), IDENTIFIERS)
@given(data=st.data())
def test_identifiers_come_out_as_they_went_in(
    identifier: Any, message_type: type[Message], data: st.DataObject
) -> None:
    value = identifier.from_flyte_idl(data.draw(messages(message_type, unknown=False)))
    again = identifier.from_flyte_idl(value.to_flyte_idl())
    assert again == value
    assert hash(again) == hash(value)
    assert pickle.loads(pickle.dumps(value)) == value
    assert str(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (TASK, "task p/d/t:v"),
        (Identifier(ResourceType.LAUNCH_PLAN, "p", "d", "lp"), "launch plan p/d/lp"),
        (EXECUTION, "p/d/n"),
        (NODE, "p/d/n/n0"),
        (TaskExecutionIdentifier(TASK, NODE, 2), "p/d/n/n0/t/2"),
    ],
)
def test_identifiers_in_words(value: object, text: str) -> None:
    assert str(value) == text


def test_identifiers_keep_kinds_that_do_not_exist_yet() -> None:
    newer = Identifier(ResourceType(77), "p", "d", "n")
    assert newer.to_flyte_idl().resource_type == 77


@pytest.mark.parametrize("phases", [WorkflowPhase, NodePhase, TaskPhase, ExecutionMode, CatalogCacheStatus])
def test_phases_survive_pickling_the_unknown_too(phases: type[WorkflowPhase]) -> None:
    for phase in (*phases, phases(1234), phases(-3)):
        again = pickle.loads(pickle.dumps(phase))
        assert again == phase
        assert again.name == phase.name
        assert again.is_known == (0 <= phase < 1000)
    assert phases(1234).name == "UNKNOWN_1234"
    assert 1234 not in {phase.value for phase in phases}
    with pytest.raises(ValueError):
        phases("SUCCEEDED")  # type: ignore[arg-type] # that is what is tested


def test_which_phases_are_the_end() -> None:
    ended = {phase.name for phases in (WorkflowPhase, NodePhase) for phase in phases if phase.is_terminal}
    assert ended == {"SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT", "SKIPPED", "RECOVERED"}
    assert {phase.name for phase in TaskPhase if phase.is_terminal} == {"SUCCEEDED", "FAILED", "ABORTED"}
    assert not any(phases(99).is_terminal for phases in (WorkflowPhase, NodePhase, TaskPhase))


def test_phases_are_those_of_the_wire() -> None:
    for phases, descriptor in [
        (WorkflowPhase, execution_pb2.ExecutionClosure.DESCRIPTOR.fields_by_name["phase"].enum_type),
        (NodePhase, node_execution_pb2.NodeExecutionClosure.DESCRIPTOR.fields_by_name["phase"].enum_type),
        (ExecutionMode, execution_pb2.ExecutionMetadata.DESCRIPTOR.fields_by_name["mode"].enum_type),
    ]:
        assert descriptor is not None
        assert {phase.name: phase.value for phase in phases} == {
            value.name: value.number for value in descriptor.values
        }


@pytest.mark.parametrize("data", [b"\xff", b"\x0a\x05ab", b"\x08", b"not a message at all"])
def test_malformed_bytes(data: bytes) -> None:
    with pytest.raises(MalformedMessageError, match=r"\d+ bytes are not a flyteidl.admin.ExecutionClosure"):
        ExecutionClosure.from_string(data)
    with pytest.raises(MalformedMessageError):
        merge_in_pieces(execution_pb2.ExecutionClosure, data, 1)


def test_bytes_in_another_order_are_the_same_value() -> None:
    parts = [execution_pb2.ExecutionClosure(phase="SUCCEEDED"), execution_pb2.ExecutionClosure(abort_cause="c")]
    forth, back = (b"".join(part.SerializeToString() for part in order) for order in (parts, parts[::-1]))
    assert forth != back
    assert ExecutionClosure.from_string(forth) == ExecutionClosure.from_string(back)


@given(messages(execution_pb2.Execution), st.integers(1, 100))
def test_a_message_in_pieces_is_the_message(message: execution_pb2.Execution, piece: int) -> None:
    assert merge_in_pieces(execution_pb2.Execution, message.SerializeToString(), piece) == message


@given(st.binary(max_size=60), st.integers(1, 20))
def test_pieces_take_and_refuse_what_protobuf_does(data: bytes, piece: int) -> None:
    try:
        expected = literals_pb2.LiteralMap.FromString(data)
    except Exception:  # noqa: BLE001 - whatever protobuf raises, ours is one error
        with pytest.raises(MalformedMessageError):
            merge_in_pieces(literals_pb2.LiteralMap, data, piece)
    else:
        merged = merge_in_pieces(literals_pb2.LiteralMap, data, piece)
        assert merged.SerializeToString(deterministic=True) == expected.SerializeToString(deterministic=True)


def test_a_list_in_pieces() -> None:
    page = execution_pb2.ExecutionList(token="t")
    for number in range(100):
        page.executions.add().id.name = f"n{number}"
    assert merge_in_pieces(execution_pb2.ExecutionList, page.SerializeToString(), 50) == page
    assert merge_in_pieces(execution_pb2.ExecutionList, b"", 50) == execution_pb2.ExecutionList()


def test_values_of_two_classes_are_not_equal() -> None:
    values: set[object] = {Literal.from_string(b""), ExecutionClosure.from_string(b"")}
    assert len(values) == 2


def test_a_value_as_json() -> None:
    message = execution_pb2.ExecutionClosure(phase="RUNNING")
    message.duration.FromMilliseconds(1500)
    message.created_at.FromJsonString("2026-01-02T03:04:05Z")
    value = ExecutionClosure.from_flyte_idl(message)
    assert value.to_dict() == {"phase": "RUNNING", "duration": "1.500s", "created_at": "2026-01-02T03:04:05Z"}


def test_a_repr_is_bounded() -> None:
    message = execution_pb2.ExecutionClosure(abort_cause="x" * 10_000)
    text = repr(ExecutionClosure.from_flyte_idl(message))
    assert len(text) < 400
    assert text.startswith("ExecutionClosure(abort_cause:")
