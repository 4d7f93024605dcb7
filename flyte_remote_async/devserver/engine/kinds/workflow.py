"""Workflow nodes: a subworkflow runs inside of the execution, a launch plan in an execution of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyte_remote_async.devserver.engine.kinds.launch_plan import run_launch_plan
from flyte_remote_async.devserver.engine.levels import Level

if TYPE_CHECKING:
    from flyteidl.core import literals_pb2, workflow_pb2

    from flyte_remote_async.devserver.engine.records import NodeRecord
    from flyte_remote_async.devserver.engine.run import Run
    from flyte_remote_async.devserver.runners.outcome import Outcome

__all__ = ["run_workflow"]

_ABORT: Final = "subworkflow failed"


async def run_workflow(
    run: Run, level: Level, node: workflow_pb2.Node, record: NodeRecord, inputs: literals_pb2.LiteralMap
) -> Outcome:
    """Run the subworkflow or the launch plan of a node and return how it ended."""
    if node.workflow_node.HasField("launchplan_ref"):
        return await run_launch_plan(run, node, record, inputs)
    if record.number == 0:
        await run.recorder.run_node(record)
    graph = level.program.subworkflow(node.workflow_node.sub_workflow_ref)
    return await run.run_level(Level(level.program, graph, record.place, record.number, _ABORT), inputs)
