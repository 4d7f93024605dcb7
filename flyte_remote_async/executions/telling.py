"""What an event tells of a part: since when it is in its phase, and where it logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flyte_remote_async.models.phases import NodePhase, TaskPhase, WorkflowPhase

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from flyte_remote_async.executions.attempt import FlyteTaskExecution
    from flyte_remote_async.models.outcomes import TaskLog

__all__ = ["entered_at", "has_another_reason", "links_of"]

_QUEUED: Final = frozenset({WorkflowPhase.QUEUED, NodePhase.QUEUED, TaskPhase.QUEUED})
_RUNNING: Final = frozenset({WorkflowPhase.RUNNING, NodePhase.RUNNING, TaskPhase.RUNNING})


def entered_at(part: Any) -> datetime | None:
    """Return when an execution, node or attempt came into its phase, where the control plane tells."""
    closure, phase = part.closure, part.phase
    at: datetime | None = None
    if phase in _RUNNING:
        at = closure.started_at
    elif phase in _QUEUED:
        at = closure.created_at
    updated: datetime | None = closure.updated_at
    return at or updated


def has_another_reason(new: FlyteTaskExecution, old: FlyteTaskExecution | None) -> bool:
    """Whether an attempt that runs gives another reason for the phase that it stays in."""
    if old is None or new.is_done or new.phase != old.phase or new.reason == old.reason:
        return False
    # A replica that lags behind gives the reason of before once more.
    seen, now = old.closure.updated_at, new.closure.updated_at
    return seen is None or now is None or seen <= now


def links_of(attempt: FlyteTaskExecution | None) -> Iterator[tuple[tuple[int | None, str, str], TaskLog]]:
    """Yield the links to the logs of an attempt and of the elements of a map, each with what tells it from others.

    That is the number of the element (None for the attempt itself), the name, and the address.
    """
    if attempt is None:
        return
    for log in attempt.logs:
        yield (None, log.name, log.uri), log
    for element in attempt.external_resources:
        for log in element.logs:
            yield (element.index, log.name, log.uri), log
