"""Why an execution failed: the first failure, with all that is known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from flyte_remote_async.concurrency import Shared
from flyte_remote_async.executions.workflow import FlyteWorkflowExecution
from flyte_remote_async.models.phases import TaskPhase

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from flyte_remote_async.executions.attempt import FlyteTaskExecution
    from flyte_remote_async.executions.node import FlyteNodeExecution
    from flyte_remote_async.models.identifiers import Identifier
    from flyte_remote_async.models.outcomes import ExecutionError, ExternalResource, TaskLog
    from flyte_remote_async.models.phases import WorkflowPhase

__all__ = ["Explanation", "FailureReport", "failed_elements"]


@attrs.frozen(kw_only=True)
class FailureReport:
    """Why an execution failed, timed out or was aborted.

    ``str(report)`` is some lines of text; a notebook shows it as HTML, and a rich console in colours.

    Attributes:
        execution: The execution, with its own error whole.
        path: The way to the first failure: the execution, the nodes and child executions that it is in, and last the
            part that failed first. The execution alone where nothing below it failed by itself.
        error: The error of the part that failed first, whole; None where there is none, as for an aborted execution.
        attempts: The attempts of the task that failed first, in order.
        failed_subtasks: Of a map, the elements that failed: the last try of each.
        also_failed: Other nodes that failed by themselves, such as a failure handler, in the order of their times.
        interrupted: Nodes that were aborted since something else failed, or with the execution.
        problem: What could not be read on the way, so that the path may end too early; None where all was read.
    """

    execution: FlyteWorkflowExecution = attrs.field(repr=False)
    path: tuple[FlyteWorkflowExecution | FlyteNodeExecution, ...]
    error: ExecutionError | None
    attempts: tuple[FlyteTaskExecution, ...] = ()
    failed_subtasks: tuple[ExternalResource, ...] = attrs.field(default=(), repr=False)
    also_failed: tuple[FlyteNodeExecution, ...] = attrs.field(default=(), repr=False)
    interrupted: tuple[FlyteNodeExecution, ...] = attrs.field(default=(), repr=False)
    problem: str | None = None

    @property
    def phase(self) -> WorkflowPhase:
        """How the execution ended."""
        return self.execution.phase

    @property
    def leaf(self) -> FlyteWorkflowExecution | FlyteNodeExecution:
        """The part that failed first; the execution itself where nothing below it failed by itself."""
        return self.path[-1]

    @property
    def task(self) -> Identifier | None:
        """The task that failed; None where no task did."""
        return self.attempts[-1].id.task_id if self.attempts else None

    @property
    def failed_at(self) -> datetime | None:
        """When it failed, by the control plane's clock."""
        return self.leaf.closure.updated_at

    @property
    def execution_error(self) -> ExecutionError | None:
        """What the execution itself says, where that is not the error of the part that failed; None elsewhere."""
        own = self.execution.closure.error
        same = own is not None and self.error is not None and own.message == self.error.message
        return None if same or own is self.error else own

    @property
    def aborted(self) -> FlyteWorkflowExecution | None:
        """The execution on the path that was aborted, which ended the others; None where none was."""
        found = [part for part in self.path if isinstance(part, FlyteWorkflowExecution)]
        return next((part for part in reversed(found) if part.closure.abort_metadata or part.closure.abort_cause), None)

    @property
    def abort_cause(self) -> str:
        """The words that came with the termination; empty where none was aborted."""
        return self.aborted.closure.abort_cause if self.aborted else ""

    @property
    def aborted_by(self) -> str:
        """Who aborted it; empty where none was aborted, and without authentication."""
        metadata = self.aborted.closure.abort_metadata if self.aborted else None
        return metadata.principal if metadata else ""

    @property
    def logs(self) -> tuple[tuple[str, TaskLog], ...]:
        """Links to the logs of the attempts and of the elements that failed, each with whose they are."""
        found = [(f"attempt {attempt.attempt}", log) for attempt in self.attempts for log in attempt.logs]
        found += [(f"element {element.index}", log) for element in self.failed_subtasks for log in element.logs]
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready data."""
        from flyte_remote_async.executions.report import to_dict

        return to_dict(self)

    def __str__(self) -> str:
        from flyte_remote_async.executions.report import as_text

        return as_text(self)

    def __rich__(self) -> Any:
        from flyte_remote_async.executions.report import as_rich

        return as_rich(self)

    def _repr_html_(self) -> str:
        from flyte_remote_async.executions.report import as_html

        return as_html(self)


def failed_elements(attempt: FlyteTaskExecution) -> tuple[ExternalResource, ...]:
    """Return the elements of a map that failed: the last try of each, in order."""
    last: dict[int, ExternalResource] = {}
    for element in attempt.external_resources:
        before = last.get(element.index)
        if before is None or element.retry_attempt >= before.retry_attempt:
            last[element.index] = element
    failed = {TaskPhase.FAILED, TaskPhase.RETRYABLE_FAILED}
    return tuple(element for _, element in sorted(last.items()) if element.phase in failed)


class Explanation:
    """Why one snapshot's execution failed, searched for once however many ask."""

    __slots__ = ("_held", "_search")

    def __init__(self) -> None:
        self._held: FailureReport | None = None
        self._search: Shared[FailureReport | None] = Shared()

    async def get(self, explain: Callable[[], Awaitable[FailureReport | None]]) -> FailureReport | None:
        """Return the report.

        Args:
            explain: Searches for it.
        """

        async def search() -> FailureReport | None:
            report = await explain()
            if report is not None and report.problem is None:  # otherwise the next who asks may see more
                self._held = report
            return report

        return self._held or await self._search.get(search)
