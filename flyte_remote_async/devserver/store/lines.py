"""The format in which what a control plane knows is kept in files: one message a line.

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
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from flyteidl.admin import (
    execution_pb2,
    launch_plan_pb2,
    node_execution_pb2,
    task_execution_pb2,
    task_pb2,
    workflow_pb2,
)
from google.protobuf.message import DecodeError

from flyte_remote_async.errors import MalformedMessageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.message import Message

__all__ = ["KINDS", "Record", "read_records", "to_line"]

Record: TypeAlias = tuple[str, str, Any]
"""Kind, key and message."""

KINDS: Final[dict[str, Any]] = {
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


def to_line(kind: str, key: str, message: Message) -> str:
    """Return the line for a message.

    Args:
        kind: Its kind.
        key: What it is of.
        message: The message.
    """
    data = base64.b64encode(message.SerializeToString(deterministic=True)).decode()
    return json.dumps({"kind": kind, "key": key, "type": message.DESCRIPTOR.full_name, "pb": data})


def read_records(source: str | Path | Iterable[str]) -> list[Record]:
    """Return the messages of a file or of its lines.

    Args:
        source: The file, gzipped or plain, or its lines.

    Raises:
        OSError: The file cannot be read.
        MalformedMessageError: A line is not in the format; says which.
    """
    if isinstance(source, (str, Path)):
        source = _lines(Path(source))
    return [_record(number, line) for number, line in enumerate(source, 1)]


def _lines(path: Path) -> list[str]:
    data = path.read_bytes()
    try:
        return (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).decode().splitlines()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise MalformedMessageError(f"{path} is no state file: {error}") from error


def _record(number: int, line: str) -> Record:
    try:
        fields = json.loads(line)
        kind, key = fields["kind"], fields["key"]
        return kind, key, KINDS[kind].FromString(base64.b64decode(fields["pb"], validate=True))
    except (ValueError, KeyError, TypeError, binascii.Error, DecodeError) as error:
        raise MalformedMessageError(f"line {number} of the state: {type(error).__name__}: {error}") from error
