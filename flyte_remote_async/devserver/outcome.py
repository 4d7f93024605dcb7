"""How a node or an attempt ended, and Flyte's words for it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs
from flyteidl.core import execution_pb2, literals_pb2

if TYPE_CHECKING:
    import datetime as dt

    from flyteidl.core import dynamic_job_pb2

__all__ = ["Outcome", "aborted_node", "aborted_task", "retries_exhausted", "system_failure", "user_failure"]

USER: Final = execution_pb2.ExecutionError.USER
SYSTEM: Final = execution_pb2.ExecutionError.SYSTEM


@attrs.frozen
class Outcome:
    """How a node or an attempt ended: with outputs, or with an error.

    Attributes:
        outputs: What it gave; empty when it failed.
        error: What went wrong; None when it succeeded.
        recoverable: Whether another attempt may be made.
        dynamic: The workflow that a dynamic task asks for instead of giving outputs; else None.
        deck_uri: Where the attempt left its deck; empty where it left none.
    """

    outputs: literals_pb2.LiteralMap = attrs.field(factory=literals_pb2.LiteralMap)
    error: execution_pb2.ExecutionError | None = None
    recoverable: bool = False
    dynamic: dynamic_job_pb2.DynamicJobSpec | None = None
    deck_uri: str = ""


def user_failure(code: str, message: str, at: dt.datetime | None = None, *, recoverable: bool = False) -> Outcome:
    """Return a failure that the user's code made.

    Args:
        code: Flyte's code, such as ``"USER:RuntimeError"``.
        message: What happened.
        at: When the code failed, where known.
        recoverable: Whether another attempt may be made.
    """
    error = execution_pb2.ExecutionError(code=code, message=message, kind=USER)
    if at is not None:
        error.timestamp.FromDatetime(at)
    return Outcome(error=error, recoverable=recoverable)


def system_failure(code: str, message: str) -> Outcome:
    """Return a failure that the user's code did not make."""
    return Outcome(error=execution_pb2.ExecutionError(code=code, message=message, kind=SYSTEM))


def retries_exhausted(last: Outcome, attempts: int, allowed: int) -> Outcome:
    """Return the failure of a node whose last attempt failed recoverably, with no attempt left.

    Args:
        last: How the last attempt ended.
        attempts: How many were made.
        allowed: How many could be made.
    """
    cause = last.error or execution_pb2.ExecutionError()
    kind = execution_pb2.ExecutionError.ErrorKind.Name(cause.kind)
    return user_failure(
        f"RetriesExhausted|{cause.code}",
        f"[{attempts}/{allowed}] currentAttempt done. Last Error: {kind}::{cause.message}",
    )


def aborted_node(reason: str) -> execution_pb2.ExecutionError:
    """Return the error of a node that was aborted."""
    return execution_pb2.ExecutionError(code="NodeAborted", message=reason)


def aborted_task(reason: str) -> execution_pb2.ExecutionError:
    """Return the error of an attempt that was aborted."""
    return execution_pb2.ExecutionError(code="Task Aborted", message=reason)
