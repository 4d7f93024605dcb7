"""What a control plane knew, read from a file into a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import anyio.to_thread
from flyteidl.admin import project_pb2

from flyte_remote_async.devserver.store.lines import read_records
from flyte_remote_async.errors import MalformedMessageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from flyte_remote_async.devserver.store import Store, Transaction

__all__ = ["load_state"]

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
    records = await anyio.to_thread.run_sync(read_records, source)
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
