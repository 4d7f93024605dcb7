"""Nodes whose outputs are known before they run: recovered from another execution, or found in the cache.

Source: flytepropeller ``controller/nodes/executor.go`` (``attemptRecovery``, ``handleNotYetStartedNode``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteidl.admin import execution_pb2
from flyteidl.core import execution_pb2 as core_execution_pb2
from flyteidl.core import identifier_pb2

from flyte_remote_async.devserver.engine.catalog_keys import catalog_key
from flyte_remote_async.devserver.runners.outcome import RECOVERED, Outcome

if TYPE_CHECKING:
    from flyteidl.core import literals_pb2, workflow_pb2

    from flyte_remote_async.devserver.engine.levels import Level
    from flyte_remote_async.devserver.engine.records import NodeRecord
    from flyte_remote_async.devserver.engine.run import Run

__all__ = ["cached_outcome", "recovered_outcome"]

_NODE: Final = core_execution_pb2.NodeExecution
_RECOVERABLE: Final = frozenset({_NODE.SUCCEEDED, _NODE.RECOVERED})


async def recovered_outcome(run: Run, record: NodeRecord) -> Outcome | None:
    """Return how a node ends that the execution recovers from another one, or None.

    A task that did not succeed there begins with the checkpoints that it left.

    Args:
        run: The execution.
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
    if original is None:
        return None
    if original.closure.phase not in _RECOVERABLE:
        record.previous_checkpoint_uri = original.closure.task_node_metadata.checkpoint_uri
        # The ids of the nodes that a task asks for may be others when it asks again.
        dynamic = await store.get_dynamic_workflow(original_id)
        record.dynamic_before = dynamic.compiled_workflow if dynamic is not None else None
        return None
    data = await store.get_node_data(original_id)
    record.recover(original)
    await run.recorder.keep_data(record, data.inputs, data.dynamic_workflow)
    return Outcome(data.outputs, phase=RECOVERED)


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
    task = level.program.cached_as(node.task_node.reference_id)
    key = catalog_key(task, inputs)
    hit = await run.platform.catalog.look_up(key, task.id) if key else None
    if hit is None:
        return None
    record.note_cache(hit.note)
    await run.recorder.keep_data(record, inputs)
    return Outcome(hit.outputs)
