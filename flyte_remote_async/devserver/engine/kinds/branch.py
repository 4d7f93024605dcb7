"""Branch nodes: one of several nodes runs. Flyte writes nothing of those that are not taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteidl.core import execution_pb2

from flyte_remote_async.devserver.engine.conditions import decide
from flyte_remote_async.devserver.runners.outcome import Outcome

if TYPE_CHECKING:
    from flyteidl.core import literals_pb2, workflow_pb2

    from flyte_remote_async.devserver.engine.levels import Level
    from flyte_remote_async.devserver.engine.records import NodeRecord
    from flyte_remote_async.devserver.engine.run import Run

__all__ = ["run_branch"]

_NOT_TOLD: Final = execution_pb2.ExecutionError(code="Unknown", message="Unknown error message")


async def run_branch(
    run: Run, level: Level, node: workflow_pb2.Node, record: NodeRecord, inputs: literals_pb2.LiteralMap
) -> Outcome:
    """Run the node that the conditions choose, and return how it ended.

    Raises:
        BranchError: No case holds, or its conditions cannot be evaluated.
    """
    taken = decide(node.branch_node.if_else, inputs.literals)
    if record.number == 0:
        await run.recorder.run_node(record)
    outcome = await run.run_node(level, taken, record.place.inside(taken.id, record.number))
    if outcome.has_succeeded:
        return Outcome(outcome.outputs)
    return Outcome(error=outcome.error or _NOT_TOLD)
