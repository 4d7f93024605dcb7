"""Nodes whose outputs are known before they run: recovered from another execution.

Source: flytepropeller ``controller/nodes/executor.go`` (``attemptRecovery``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteidl.admin import execution_pb2
from flyteidl.core import execution_pb2 as core_execution_pb2
from flyteidl.core import identifier_pb2

from flyte_remote_async.devserver.outcome import Outcome

if TYPE_CHECKING:
    from flyteidl.core import workflow_pb2

    from flyte_remote_async.devserver.engine.records import NodeRecord
    from flyte_remote_async.devserver.engine.run import Run

__all__ = ["known_outcome"]

_NODE: Final = core_execution_pb2.NodeExecution
_RECOVERABLE: Final = frozenset({_NODE.SUCCEEDED, _NODE.RECOVERED})


async def known_outcome(run: Run, node: workflow_pb2.Node, record: NodeRecord) -> Outcome | None:
    """Return how a node ends that need not run, or None.

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
