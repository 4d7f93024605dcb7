"""How often a node is tried, how long each try may take, and how it ends when it may not be tried again. Pure.

Source: flytepropeller ``controller/nodes/executor.go`` (``isEligibleForRetry``, ``execute``), ``node_exec_context.go``,
``compiler/transformers/k8s`` (``computeRetryStrategy``, ``computeDeadline``) and its default configuration.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import attrs
from flyteidl.core import execution_pb2

from flyte_remote_async.devserver.golang.durations import duration_text
from flyte_remote_async.devserver.runners.outcome import SYSTEM, TIMED_OUT, Outcome, user_failure

if TYPE_CHECKING:
    from flyteidl.core import tasks_pb2, workflow_pb2

__all__ = ["Limit", "Tries", "allowed_attempts", "time_limit"]

SYSTEM_RETRIES: Final = 3
"""Propeller's ``max-node-retries-system-failures``: retries that failures of the platform may use up."""


def allowed_attempts(node: workflow_pb2.Node, task: tasks_pb2.TaskTemplate | None) -> int:
    """Return how many attempts the failures of the user's code may use up: the node's retries, or else its task's."""
    retries = node.metadata.retries.retries or (task.metadata.retries.retries if task is not None else 0)
    return retries + 1


@attrs.frozen
class Tries:
    """The tries of one node.

    Attributes:
        allowed: How many the failures of the user's code may use up.
        number: Which try this is, from 0 on.
        system_failures: How many have ended by a failure of the platform.
    """

    allowed: int
    number: int = 0
    system_failures: int = 0

    def after(self, failure: Outcome) -> Tries | None:
        """Return the next try, or None where there is none.

        Args:
            failure: How this one ended: recoverably.
        """
        made, allowed = self._count(failure)
        if made >= allowed:
            return None
        by_system = _kind(failure) == SYSTEM
        return attrs.evolve(self, number=self.number + 1, system_failures=self.system_failures + by_system)

    def exhausted(self, failure: Outcome) -> Outcome:
        """Return how the node ends after its last try."""
        cause = failure.error or execution_pb2.ExecutionError()
        made, allowed = self._count(failure)
        kind = execution_pb2.ExecutionError.ErrorKind.Name(cause.kind)
        outcome = user_failure(
            f"RetriesExhausted|{cause.code}",
            f"[{made}/{allowed}] currentAttempt done. Last Error: {kind}::{cause.message}",
        )
        return attrs.evolve(outcome, deck_uri=failure.deck_uri)

    @property
    def may_be_interrupted(self) -> bool:
        """Whether an interruptible node is one in this try: the last that the platform's failures allow is not."""
        return self.system_failures < SYSTEM_RETRIES

    def _count(self, failure: Outcome) -> tuple[int, int]:
        if _kind(failure) == SYSTEM:
            return self.system_failures, SYSTEM_RETRIES
        return self.number + 1 - self.system_failures, self.allowed


def _kind(failure: Outcome) -> execution_pb2.ExecutionError.ErrorKind:
    return execution_pb2.ExecutionError.UNKNOWN if failure.error is None else failure.error.kind


@attrs.frozen
class Limit:
    """When a try must have ended, and how it ends otherwise."""

    at: dt.datetime
    outcome: Outcome


def time_limit(node: workflow_pb2.Node, queued_at: dt.datetime, tried_at: dt.datetime) -> Limit | None:
    """Return the time limit of a try; None where the node has no timeout.

    A try may take as long as the timeout says, and fails recoverably then. All tries together may take twice as long,
    queueing included, and then the node is TIMED_OUT.

    Args:
        node: The node.
        queued_at: When it was queued.
        tried_at: When this try began.
    """
    timeout = node.metadata.timeout.ToTimedelta()
    if timeout <= dt.timedelta():
        return None
    whole, single = queued_at + 2 * timeout, tried_at + timeout
    if whole <= single:
        return Limit(whole, Outcome(phase=TIMED_OUT))
    message = f"task execution timeout [{duration_text(node.metadata.timeout.ToNanoseconds())}] expired"
    return Limit(single, user_failure("TimeoutExpired", message, recoverable=True))
