"""Nodes whose outputs are known before they run: recovered from another execution, or found in the cache.

Source: flytepropeller ``controller/nodes/executor.go`` (``attemptRecovery``, ``handleNotYetStartedNode``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteidl.admin import execution_pb2
from flyteidl.core import execution_pb2 as core_execution_pb2
from flyteidl.core import identifier_pb2

from flyte_remote_async.devserver.engine.catalog_keys import catalog_key
from flyte_remote_async.devserver.outcome import Outcome

if TYPE_CHECKING:
    from flyteidl.core import literals_pb2, workflow_pb2

    from flyte_remote_async.devserver.engine.records import NodeRecord
    from flyte_remote_async.devserver.engine.run import Level, Run

__all__ = ["cached_outcome", "recovered_outcome"]

_NODE: Final = core_execution_pb2.NodeExecution
_RECOVERABLE: Final = frozenset({_NODE.SUCCEEDED, _NODE.RECOVERED})


async def recovered_outcome(run: Run, node: workflow_pb2.Node, record: NodeRecord) -> Outcome | None:
    """Return how a node ends that the execution recovers from another one, or None.

    Args:
        run: The execution.
        node: The node.
        record: Its record, not yet written.
    """
    metadata = run.execution.spec.metadata
    if metadata.mode != execution_pb2.ExecutionMetadata.RECOVERED or not metadata.HasField("reference_execution"):
        return None
    store = run.platform.store
    original_id = identifier_pb2.NodeExecutionIdentifier(
        node_id=record.place.node_id, execution_id=metadata.reference_execution
    )
    original = await store.get_node(original_id)
    if original is None or original.closure.phase not in _RECOVERABLE:
        return None
    data = await store.get_node_data(original_id)
    record.recover(original, is_parent=node.workflow_node.HasField("sub_workflow_ref"))
    await store.put_node_data(record.message.id, inputs=data.inputs, dynamic_workflow=data.dynamic_workflow)
    return Outcome(data.outputs)


async def cached_outcome(
    run: Run, level: Level, node: workflow_pb2.Node, record: NodeRecord, inputs: literals_pb2.LiteralMap
) -> Outcome | None:
    """Return how a node ends whose task has been run with the same inputs before, or None.

    Args:
        run: The execution.
        level: The workflow that the node is part of.
        node: The node.
        record: Its record.
        inputs: The inputs of the node.
    """
    if not node.HasField("task_node") or run.execution.spec.overwrite_cache:
        return None
    task = level.program.task(node.task_node.reference_id)
    key = catalog_key(task, inputs)
    hit = await run.platform.catalog.look_up(key, task.id) if key else None
    if hit is None:
        return None
    record.note_cache(hit.note)
    await run.platform.store.put_node_data(record.message.id, inputs=inputs)
    return Outcome(hit.outputs)
