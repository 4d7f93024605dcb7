"""How the waits of a remote go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from flyte_remote_async.models.identifiers import WorkflowExecutionIdentifier
    from flyte_remote_async.operations.session import Session
    from flyte_remote_async.policy.hub.values import Subject

__all__ = ["WaitState", "states"]


@attrs.frozen(kw_only=True)
class WaitState:
    """How the waits for one execution go.

    Attributes:
        id: The execution.
        waiters: How many wait for it or watch it.
        waiting_for: Seconds since the first of them came.
        stale_for: Seconds since the control plane last answered about it, or since the first came.
        failures: How many looks in a row failed.
        last_error: How the last look failed; None when it did not.
    """

    id: WorkflowExecutionIdentifier
    waiters: int
    waiting_for: float
    stale_for: float
    failures: int
    last_error: Exception | None


def states(session: Session) -> tuple[WaitState, ...]:
    """Return how the waits of a session go."""
    for hub in session.hubs:
        hub.settle()
    return tuple(_state(subject, hub.now) for hub in session.hubs for subject in hub.schedule.subjects.values())


def _state(subject: Subject, now: float) -> WaitState:
    return WaitState(
        id=subject.id,
        waiters=len(subject.tickets),
        waiting_for=now - subject.joined,
        stale_for=now - (subject.joined if subject.heard_at is None else subject.heard_at),
        failures=subject.failures,
        last_error=subject.last_error,
    )
