"""Which changes of a phase are news, and which come from an answer that lags behind.

A replica of the control plane may answer with a phase that has passed already. What is told of an execution never goes
back: a part that has ended stays as it ended, and one that runs is not queued again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyte_remote_async.models.phases import NodePhase, TaskPhase, WorkflowPhase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyte_remote_async.models.phases import OpenEnum

__all__ = ["has_begun", "is_forward"]

Phase = WorkflowPhase | NodePhase | TaskPhase

# How far a part is in a phase in which it has not ended. A phase of a newer server has no place here. What comes before
# a task runs has no order of its own: a pod that waited for resources is queued, and may wait for resources again.
_NOT_YET: Final = 1
_PLACES: Final[Mapping[type[OpenEnum], Mapping[int, int]]] = {
    WorkflowPhase: {
        WorkflowPhase.UNDEFINED: 0,
        WorkflowPhase.QUEUED: 1,
        WorkflowPhase.RUNNING: 2,
        WorkflowPhase.SUCCEEDING: 3,
        WorkflowPhase.FAILING: 3,
        WorkflowPhase.ABORTING: 3,
    },
    NodePhase: {
        NodePhase.UNDEFINED: 0,
        NodePhase.QUEUED: 1,
        NodePhase.RUNNING: 2,
        NodePhase.DYNAMIC_RUNNING: 3,
        NodePhase.FAILING: 4,
    },
    TaskPhase: {
        TaskPhase.UNDEFINED: 0,
        TaskPhase.QUEUED: 1,
        TaskPhase.WAITING_FOR_RESOURCES: 1,
        TaskPhase.INITIALIZING: 1,
        TaskPhase.RUNNING: 2,
        TaskPhase.RETRYABLE_FAILED: 3,
    },
}


def has_begun(phase: Phase | None) -> bool:
    """Whether a part in this phase runs or has run; None is a part that was not seen."""
    return phase is not None and (phase.is_terminal or _PLACES[type(phase)].get(phase, 0) > _NOT_YET)


def is_forward(before: Phase | None, after: Phase) -> bool:
    """Whether a part that was in one phase and is in another has moved on.

    A phase that this version does not know may come after any that is not terminal, and before any.

    Args:
        before: The phase that was seen last; None for a part that was not seen.
        after: The phase that was seen now.
    """
    if before is None:
        return True
    if before == after or before.is_terminal:
        return False
    places = _PLACES[type(after)]
    if after.is_terminal or before not in places or after not in places:
        return True
    return places[after] >= places[before]
