"""Workflow nodes: a subworkflow runs inside of the execution."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyte_remote_async.devserver.engine.run import Level
from flyte_remote_async.devserver.outcome import system_failure

if TYPE_CHECKING:
    from flyteidl.core import literals_pb2, workflow_pb2

    from flyte_remote_async.devserver.engine.records import NodeRecord
    from flyte_remote_async.devserver.engine.run import Run
    from flyte_remote_async.devserver.outcome import Outcome

__all__ = ["run_workflow"]


async def run_workflow(
    run: Run, level: Level, node: workflow_pb2.Node, record: NodeRecord, inputs: literals_pb2.LiteralMap
) -> Outcome:
    """Run the subworkflow of a node and return how it ended."""
    if not node.workflow_node.HasField("sub_workflow_ref"):
        return system_failure("UnsupportedNode", "the devserver's engine does not run a workflow_node")
    if record.number == 0:
        await run.recorder.run_node(record)
    graph = level.program.subworkflow(node.workflow_node.sub_workflow_ref)
    return await run.run_level(Level(level.program, graph, record.place, record.number), inputs)
