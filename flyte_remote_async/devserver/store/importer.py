"""What a control plane knew, read from a file into a store.

The format is gzipped JSON lines, one message a line: ``kind``, ``key``, the full name of the message as ``type``, and
its bytes in base64 as ``pb``.

========================  ==============================================  ====================================
kind                      key                                             message
========================  ==============================================  ====================================
EXECUTION                 execution name                                  admin.Execution
EXECUTION_DATA            execution name                                  admin.WorkflowExecutionGetDataResponse
EXECUTION_METRICS         execution name                                  admin.WorkflowExecutionGetMetricsResponse
NODE_EXECUTION            ``execution/node|parent``, parent may be empty  admin.NodeExecution
NODE_EXECUTION_DATA       ``execution/node``                              admin.NodeExecutionGetDataResponse
DYNAMIC_WORKFLOW          ``execution/node``                              admin.DynamicNodeWorkflowResponse
TASK_EXECUTION            ``execution/node/task/attempt``                 admin.TaskExecution
TASK_EXECUTION_DATA       ``execution/node/task/attempt``                 admin.TaskExecutionGetDataResponse
TASK, WORKFLOW,           ``project/domain/name/version``                 admin.Task, admin.Workflow,
LAUNCH_PLAN                                                               admin.LaunchPlan
========================  ==============================================  ====================================

Data, metrics and dynamic workflows belong to an execution, node or attempt that another line has.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import zlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import anyio.to_thread
from flyteidl.admin import (
    execution_pb2,
    launch_plan_pb2,
    node_execution_pb2,
    project_pb2,
    task_execution_pb2,
    task_pb2,
    workflow_pb2,
)
from google.protobuf.message import DecodeError

from flyte_remote_async.errors import MalformedMessageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flyte_remote_async.devserver.store import Store, Transaction

__all__ = ["load_state"]

_CLASSES: Final[dict[str, Any]] = {
    "EXECUTION": execution_pb2.Execution,
    "EXECUTION_DATA": execution_pb2.WorkflowExecutionGetDataResponse,
    "EXECUTION_METRICS": execution_pb2.WorkflowExecutionGetMetricsResponse,
    "NODE_EXECUTION": node_execution_pb2.NodeExecution,
    "NODE_EXECUTION_DATA": node_execution_pb2.NodeExecutionGetDataResponse,
    "DYNAMIC_WORKFLOW": node_execution_pb2.DynamicNodeWorkflowResponse,
    "TASK_EXECUTION": task_execution_pb2.TaskExecution,
    "TASK_EXECUTION_DATA": task_execution_pb2.TaskExecutionGetDataResponse,
    "TASK": task_pb2.Task,
    "WORKFLOW": workflow_pb2.Workflow,
    "LAUNCH_PLAN": launch_plan_pb2.LaunchPlan,
}

_Owners: TypeAlias = dict[tuple[str, str], Any]


async def load_state(store: Store, source: str | Path | Iterable[str]) -> int:
    """Read a state into a store, all of it or nothing.

    Args:
        store: The store; what it has under the same names is replaced.
        source: The file, gzipped or plain, or its lines.

    Returns:
        How many messages were read.

    Raises:
        OSError: The file cannot be read.
        MalformedMessageError: A line is not in the format; says which.
    """
    records = await anyio.to_thread.run_sync(partial(_parse, source))
    # Lists without a sort come in the order in which rows were made, so rows are made in the order of their creation.
    records.sort(key=lambda record: _created(record[2]))
    owners: _Owners = {}
    async with store.transaction() as together:
        for kind, key, message in records:
            try:
                _WRITERS[kind](together, key, message, owners)
            except (KeyError, ValueError) as error:
                raise MalformedMessageError(f"the state has no owner for {kind} {key!r}") from error
    for project in dict.fromkeys(message.id.project for kind, _, message in records if kind in _PLACED):
        if await store.get_project(project) is None:
            described = f"{project} description"
            await store.add_project(project_pb2.Project(id=project, name=project, description=described))
    return len(records)


def _created(message: Any) -> tuple[bool, int, int]:
    """Return what puts messages into the order in which they came to be; data comes after what it belongs to."""
    if "closure" not in message.DESCRIPTOR.fields_by_name:
        return True, 0, 0
    created = message.closure.created_at
    return False, created.seconds, created.nanos


_PLACED: Final = {"EXECUTION", "TASK", "WORKFLOW", "LAUNCH_PLAN"}


def _parse(source: str | Path | Iterable[str]) -> list[tuple[str, str, Any]]:
    if isinstance(source, (str, Path)):
        source = _lines(Path(source))
    return [_record(number, line) for number, line in enumerate(source, 1)]


def _lines(path: Path) -> list[str]:
    data = path.read_bytes()
    try:
        return (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).decode().splitlines()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise MalformedMessageError(f"{path} is no state file: {error}") from error


def _record(number: int, line: str) -> tuple[str, str, Any]:
    try:
        fields = json.loads(line)
        kind, key = fields["kind"], fields["key"]
        return kind, key, _CLASSES[kind].FromString(base64.b64decode(fields["pb"], validate=True))
    except (ValueError, KeyError, TypeError, binascii.Error, DecodeError) as error:
        raise MalformedMessageError(f"line {number} of the state: {type(error).__name__}: {error}") from error


# --- one writer for each kind ---


def _execution(together: Transaction, key: str, message: Any, owners: _Owners) -> None:
    owners["EXECUTION", key] = message.id
    together.put_execution(message)


def _execution_data(together: Transaction, key: str, message: Any, owners: _Owners) -> None:
    owner = owners["EXECUTION", key]
    together.put_execution_data(owner, inputs=message.full_inputs, outputs=message.full_outputs)


def _execution_metrics(_together: Transaction, key: str, _message: Any, owners: _Owners) -> None:
    # The spans are computed from the rows when they are asked for.
    _ = owners["EXECUTION", key]


def _node(together: Transaction, key: str, message: Any, owners: _Owners) -> None:
    node, parent = key.split("|")
    owners["NODE_EXECUTION", node] = message.id
    together.put_node(message, parent)


def _node_data(together: Transaction, key: str, message: Any, owners: _Owners) -> None:
    together.put_node_data(
        owners["NODE_EXECUTION", key],
        inputs=message.full_inputs,
        outputs=message.full_outputs,
        dynamic_workflow=message.dynamic_workflow if message.HasField("dynamic_workflow") else None,
    )


def _dynamic_workflow(together: Transaction, key: str, message: Any, owners: _Owners) -> None:
    together.put_dynamic_workflow(owners["NODE_EXECUTION", key], message)


def _attempt(together: Transaction, key: str, message: Any, owners: _Owners) -> None:
    owners["TASK_EXECUTION", key] = message.id
    together.put_attempt(message)


def _attempt_data(together: Transaction, key: str, message: Any, owners: _Owners) -> None:
    owner = owners["TASK_EXECUTION", key]
    together.put_attempt_data(owner, inputs=message.full_inputs, outputs=message.full_outputs)


def _task(together: Transaction, _key: str, message: Any, _owners: _Owners) -> None:
    together.put_task(message)


def _workflow(together: Transaction, _key: str, message: Any, _owners: _Owners) -> None:
    together.put_workflow(message)


def _launch_plan(together: Transaction, _key: str, message: Any, _owners: _Owners) -> None:
    together.put_launch_plan(message)


_WRITERS: Final[dict[str, Callable[[Transaction, str, Any, _Owners], None]]] = {
    "EXECUTION": _execution,
    "EXECUTION_DATA": _execution_data,
    "EXECUTION_METRICS": _execution_metrics,
    "NODE_EXECUTION": _node,
    "NODE_EXECUTION_DATA": _node_data,
    "DYNAMIC_WORKFLOW": _dynamic_workflow,
    "TASK_EXECUTION": _attempt,
    "TASK_EXECUTION_DATA": _attempt_data,
    "TASK": _task,
    "WORKFLOW": _workflow,
    "LAUNCH_PLAN": _launch_plan,
}
