"""How a node or an attempt ended, and Flyte's words for it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs
from flyteidl.core import execution_pb2, literals_pb2

if TYPE_CHECKING:
    import datetime as dt

    from flyteidl.core import dynamic_job_pb2

__all__ = [
    "RECOVERED",
    "SYSTEM",
    "TIMED_OUT",
    "WORKFLOW_ABORTED",
    "Outcome",
    "aborted_node",
    "system_failure",
    "user_failure",
]

_USER: Final = execution_pb2.ExecutionError.USER
SYSTEM: Final = execution_pb2.ExecutionError.SYSTEM
RECOVERED: Final = execution_pb2.NodeExecution.RECOVERED
TIMED_OUT: Final = execution_pb2.NodeExecution.TIMED_OUT
WORKFLOW_ABORTED: Final = "Workflow aborted."


@attrs.frozen
class Outcome:
    """How a node or an attempt ended: with outputs, or with an error.

    Attributes:
        outputs: What it gave; empty when it failed.
        error: What went wrong; None when it succeeded.
        recoverable: Whether another attempt may be made.
        dynamic: The workflow that a dynamic task asks for instead of giving outputs; else None.
        deck_uri: Where the attempt left its deck; empty where it left none.
        phase: The phase that the node ends in, where it is neither SUCCEEDED nor FAILED.
        writes_outputs: Whether it leaves an object with its outputs; it may be empty.
    """

    outputs: literals_pb2.LiteralMap = attrs.field(factory=literals_pb2.LiteralMap)
    error: execution_pb2.ExecutionError | None = None
    recoverable: bool = False
    dynamic: dynamic_job_pb2.DynamicJobSpec | None = None
    deck_uri: str = ""
    phase: execution_pb2.NodeExecution.Phase | None = None
    writes_outputs: bool = True

    @property
    def has_succeeded(self) -> bool:
        """Whether what follows the node can run."""
        return self.error is None and self.phase != TIMED_OUT


def user_failure(code: str, message: str, at: dt.datetime | None = None, *, recoverable: bool = False) -> Outcome:
    """Return a failure that the user's code made.

    Args:
        code: Flyte's code, such as ``"USER:RuntimeError"``.
        message: What happened.
        at: When the code failed, where known.
        recoverable: Whether another attempt may be made.
    """
    error = execution_pb2.ExecutionError(code=code, message=_writable(message), kind=_USER)
    if at is not None:
        error.timestamp.FromDatetime(at)
    return Outcome(error=error, recoverable=recoverable)


def system_failure(code: str, message: str, *, recoverable: bool = False) -> Outcome:
    """Return a failure that the user's code did not make.

    Args:
        code: Flyte's code, such as ``"Interrupted"``.
        message: What happened.
        recoverable: Whether another attempt may be made.
    """
    error = execution_pb2.ExecutionError(code=code, message=_writable(message), kind=SYSTEM)
    return Outcome(error=error, recoverable=recoverable)


def aborted_node(reason: str) -> execution_pb2.ExecutionError:
    """Return the error of a node that was aborted."""
    return execution_pb2.ExecutionError(code="NodeAborted", message=reason)


def _writable(text: str) -> str:
    # A file name that is not UTF-8 comes into the words of an OSError as lone surrogates, which protobuf refuses.
    return text.encode(errors="backslashreplace").decode()
