"""What executions do not have, or not yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from flyte_remote_async.errors.base import FlyteRemoteError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyte_remote_async.executions import FlyteWorkflowExecution

__all__ = [
    "ExecutionFailedError",
    "ExecutionNotDoneError",
    "FlyteAssertion",
    "NotLoadedError",
    "NotSyncedError",
    "OutputsUnavailableError",
    "WaitFailedError",
    "WaitTimeoutError",
]


class FlyteAssertion(FlyteRemoteError, AssertionError):  # noqa: N818 - the reference API's own name
    """What was asked for is not there (yet). The name is the reference API's."""

    http_status: ClassVar[int] = 409


class ExecutionNotDoneError(FlyteAssertion):
    """Raised when outputs or the error are read while the execution still runs."""


class ExecutionFailedError(FlyteAssertion):
    """Raised when outputs are read and the execution has none, because it failed, was aborted or timed out.

    Attributes:
        execution: What failed, in words, such as ``"execution p/d/name"``.
        phase: The phase it ended in, such as ``"FAILED"``.
        code: Flyte's error code, such as ``"USER:ValueError"``; empty where there is none.
        error_message: Flyte's error message; the cause for an aborted execution.
    """

    http_status = 500

    def __init__(self, execution: str, phase: str, code: str = "", error_message: str = "") -> None:
        reason = f"{code}: {error_message}" if code else error_message
        super().__init__(f"{execution} has no outputs: it ended as {phase}{': ' + reason if reason else ''}")
        self.execution = execution
        self.phase = phase
        self.code = code
        self.error_message = error_message


class NotSyncedError(FlyteAssertion):
    """Raised when nodes or attempts are read from a snapshot that was taken without them."""


class NotLoadedError(FlyteAssertion):
    """Raised when literals are looked at before they were brought: await the value, or ``await resolver.load()``."""


class WaitTimeoutError(FlyteRemoteError, TimeoutError):
    """Raised when an execution did not end within the time that ``wait`` was given.

    Attributes:
        execution: The last snapshot that was seen.
        last_error: The error of the last look, when it failed.
        stale_for: Seconds since the control plane last answered about the execution.
    """

    http_status = 504

    def __init__(
        self,
        message: str,
        *,
        execution: FlyteWorkflowExecution,
        last_error: Exception | None = None,
        stale_for: float = 0.0,
    ) -> None:
        super().__init__(message)
        self.execution = execution
        self.last_error = last_error
        self.stale_for = stale_for


class WaitFailedError(FlyteRemoteError):
    """Raised when the work behind a wait broke, which is a bug, or was cancelled. The execution goes on."""


class OutputsUnavailableError(FlyteRemoteError):
    """Raised when a finished execution should have data and no source gives it; it never turns into an empty answer.

    Attributes:
        tried: The sources that were asked, each with what came of it.
    """

    http_status = 502

    def __init__(self, message: str, *, tried: Sequence[str] = ()) -> None:
        listing = "".join(f"\n  - {source}" for source in tried)
        super().__init__(f"{message}{listing}")
        self.tried = tuple(tried)
