"""Every recorded execution, node and attempt comes out of a snapshot as it went in, and keeps it through a pickle."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.admin import execution_pb2, node_execution_pb2, task_execution_pb2

from flyte_remote_async import FlyteNodeExecution, FlyteTaskExecution, FlyteWorkflowExecution
from tests.support.recordings import load, rpcs

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVICE = "/flyteidl.service.AdminService/"
SOURCES: dict[Any, tuple[str, type[Any], str, type[Any], str]] = {
    FlyteWorkflowExecution: (
        "GetExecution",
        execution_pb2.Execution,
        "ListExecutions",
        execution_pb2.ExecutionList,
        "executions",
    ),
    FlyteNodeExecution: (
        "GetNodeExecution",
        node_execution_pb2.NodeExecution,
        "ListNodeExecutions",
        node_execution_pb2.NodeExecutionList,
        "node_executions",
    ),
    FlyteTaskExecution: (
        "GetTaskExecution",
        task_execution_pb2.TaskExecution,
        "ListTaskExecutions",
        task_execution_pb2.TaskExecutionList,
        "task_executions",
    ),
}


def recorded(cls: Any) -> Iterator[Any]:
    """Yield the messages of the state when all had ended, and those of the traffic while it ran."""
    one, message_type, many, list_type, field = SOURCES[cls]
    yield from load().messages(message_type)
    for call in rpcs():
        if call.code == "OK" and call.method == SERVICE + one:
            yield message_type.FromString(call.response)
        elif call.code == "OK" and call.method == SERVICE + many:
            yield from getattr(list_type.FromString(call.response), field)


@pytest.mark.parametrize("cls", SOURCES, ids=lambda cls: cls.__name__)
def test_recorded_snapshots_come_out_as_they_went_in(cls: Any) -> None:
    seen: dict[bytes, Any] = {}
    for message in recorded(cls):
        data = message.SerializeToString(deterministic=True)
        if data in seen:
            continue
        snapshot = seen[data] = cls.from_flyte_idl(message)
        assert snapshot.to_flyte_idl() == message
        assert snapshot.serialize_to_string() == data
        assert cls.promote_from_model(message) == snapshot
        again = pickle.loads(pickle.dumps(snapshot))
        assert again == snapshot
        assert hash(again) == hash(snapshot)
    assert len(seen) > len(load().messages(SOURCES[cls][1]))
    assert len(set(seen.values())) == len(seen)
