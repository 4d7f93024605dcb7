"""Branch nodes: one of several nodes runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyte_remote_async.devserver.engine.conditions import decide

if TYPE_CHECKING:
    from flyteidl.core import literals_pb2, workflow_pb2

    from flyte_remote_async.devserver.engine.records import NodeRecord
    from flyte_remote_async.devserver.engine.run import Level, Run
    from flyte_remote_async.devserver.outcome import Outcome

__all__ = ["run_branch"]


async def run_branch(
    run: Run, level: Level, node: workflow_pb2.Node, record: NodeRecord, inputs: literals_pb2.LiteralMap
) -> Outcome:
    """Run the node that the conditions choose, and return how it ended.

    Raises:
        BranchError: No case holds, or its conditions cannot be evaluated.
    """
    taken = decide(node.branch_node.if_else, inputs.literals)
    await run.recorder.run_parent(record)
    return await run.run_node(level, taken, record.place.inside(taken.id))
