"""Parts of an execution that failed, while its first failure is searched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyte_remote_async.executions.node import FlyteNodeExecution
from flyte_remote_async.executions.workflow import FlyteWorkflowExecution
from flyte_remote_async.models.phases import NodePhase
from flyte_remote_async.policy.blame import Outcome, blame_of

if TYPE_CHECKING:
    from flyte_remote_async.executions.attempt import FlyteTaskExecution

__all__ = ["Suspect", "began_after", "handler_in", "outcome_of"]


class Suspect:
    """A part that failed, on the way from the execution to the first failure.

    Args:
        part: The node or execution.
        above: What it is in; None for the execution that is explained.
        outcome: How it ended.
    """

    def __init__(
        self, part: FlyteNodeExecution | FlyteWorkflowExecution, above: Suspect | None, outcome: Outcome
    ) -> None:
        self.part = part
        self.above = above
        self.outcome = outcome
        self.rank = blame_of(outcome)
        self.attempts: tuple[FlyteTaskExecution, ...] | None = None

    def __lt__(self, other: Suspect) -> bool:
        return self.rank < other.rank

    @property
    def path(self) -> tuple[FlyteNodeExecution | FlyteWorkflowExecution, ...]:
        """The way to it, the execution that is explained first."""
        found = []
        suspect: Suspect | None = self
        while suspect is not None:
            found.append(suspect.part)
            suspect = suspect.above
        return tuple(reversed(found))

    @property
    def node(self) -> FlyteNodeExecution | None:
        """The node that it is or is in; None for the execution that is explained."""
        if isinstance(self.part, FlyteNodeExecution):
            return self.part
        return self.above.node if self.above else None


def outcome_of(part: FlyteNodeExecution | FlyteWorkflowExecution, *, is_handler: bool = False) -> Outcome:
    """Return how a part ended."""
    closure = part.closure
    node = part if isinstance(part, FlyteNodeExecution) else None
    return Outcome(
        node_id=node.id.node_id if node else "",
        spec_node_id=node.spec_node_id if node else "",
        phase=node.phase if node else NodePhase.FAILED,
        retry_group=node.metadata.retry_group if node else "",
        began=closure.created_at,
        ended=closure.updated_at,
        is_handler=is_handler,
    )


def began_after(suspect: Suspect, first: Suspect) -> bool:
    """Whether a part began after the first failure, so that it holds no earlier one."""
    began, ended = suspect.outcome.began, first.outcome.ended
    handles = suspect.rank[0] and not first.rank[0]
    return handles or (began is not None and ended is not None and began >= ended and suspect.rank[0] == first.rank[0])


def handler_in(part: FlyteNodeExecution | FlyteWorkflowExecution) -> str | None:
    """Return the id of the failure handler, where the definition of the workflow was read."""
    workflow = part.flyte_workflow if isinstance(part, FlyteWorkflowExecution) else None
    node = workflow.failure_node if workflow is not None else None
    return None if node is None else node.id
