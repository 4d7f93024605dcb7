"""The search for the first failure of an execution.

Nodes that failed by themselves are looked into, those that ended first before the others, until no other can have
failed before the first failure that was found. What did not fail is not read.
"""

# ruff: noqa: SLF001 - what was read below a part is for this package, and not for users

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any, Final

from flyte_remote_async.errors import ExecutionNotDoneError, MalformedMessageError, RPCError, UnauthenticatedError
from flyte_remote_async.executions.attempt import FlyteTaskExecution
from flyte_remote_async.executions.failure import FailureReport, failed_elements
from flyte_remote_async.executions.node import FlyteNodeExecution, evidence_of
from flyte_remote_async.executions.workflow import FlyteWorkflowExecution
from flyte_remote_async.models.outcomes import is_cut
from flyte_remote_async.models.phases import NodePhase, WorkflowPhase
from flyte_remote_async.policy.blame import Outcome, blame_of, failed_by_itself
from flyte_remote_async.policy.retry import is_passing
from flyte_remote_async.policy.sync_plan import Coverage, needs_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flyte_remote_async.executions.binding import Remote
    from flyte_remote_async.models.identifiers import WorkflowExecutionIdentifier
    from flyte_remote_async.models.outcomes import ExecutionError
    from flyte_remote_async.operations.session import Session

__all__ = ["explain_failure"]

# So many levels are looked into: an execution of which thousands of parts failed is explained by a few of them.
_MOST_LEVELS: Final = 100

_FAILED: Final = frozenset({WorkflowPhase.FAILED, WorkflowPhase.TIMED_OUT, WorkflowPhase.ABORTED})


async def explain_failure(session: Session, remote: Remote, execution: FlyteWorkflowExecution) -> FailureReport | None:
    """Return why an execution failed; None when it succeeded.

    Args:
        session: The parts of the remote.
        remote: What the snapshots are bound to.
        execution: The execution; what it holds already is not read again.

    Raises:
        ExecutionNotDoneError: It has not ended yet.
        RPCError: The control plane could not be asked.
    """
    search = _Search(session, remote)
    if not execution.is_done or _is_cut(execution.closure.error):
        execution = await search.now(execution)
    if not execution.is_done:
        reason = f"{execution.description} is {execution.phase.name} and has not failed: `await execution.wait()`"
        raise ExecutionNotDoneError(reason)
    return None if execution.is_successful else await search.report(execution)


class _Suspect:
    """A part that failed, on the way from the execution to the first failure.

    Args:
        part: The node or execution.
        above: What it is in; None for the execution that is explained.
        outcome: How it ended.
    """

    def __init__(
        self, part: FlyteNodeExecution | FlyteWorkflowExecution, above: _Suspect | None, outcome: Outcome
    ) -> None:
        self.part = part
        self.above = above
        self.outcome = outcome
        self.rank = blame_of(outcome)
        self.attempts: tuple[FlyteTaskExecution, ...] | None = None

    def __lt__(self, other: _Suspect) -> bool:
        return self.rank < other.rank

    @property
    def path(self) -> tuple[FlyteNodeExecution | FlyteWorkflowExecution, ...]:
        """The way to it, the execution that is explained first."""
        found = []
        suspect: _Suspect | None = self
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


class _Search:
    """Looks for the first failure of one execution."""

    def __init__(self, session: Session, remote: Remote) -> None:
        self._session = session
        self._remote = remote
        self._levels = 0
        self._interrupted: list[FlyteNodeExecution] = []
        self._problem: str | None = None

    async def now(self, execution: FlyteWorkflowExecution) -> FlyteWorkflowExecution:
        """Return an execution as it is now, its error whole; what was settled below it is kept."""
        message = await self._session.reader.execution(execution.id)
        return FlyteWorkflowExecution.from_flyte_idl(
            message,
            remote=self._remote,
            nodes=execution._nodes,
            covers=execution._covers,
            workflow=execution.flyte_workflow,
        )

    async def report(self, execution: FlyteWorkflowExecution) -> FailureReport:
        """Return why an execution failed."""
        root = _Suspect(execution, None, _outcome_of(execution))
        first, *others = await self._leaves(root)
        attempts = first.attempts if first.attempts is not None else await self._attempts(first)
        nodes = (other.node for other in others)
        return FailureReport(
            execution=execution,
            path=first.path,
            error=await self._error(first.part, attempts),
            attempts=attempts,
            failed_subtasks=failed_elements(attempts[-1]) if attempts else (),
            also_failed=tuple(node for node in nodes if node is not None and node not in first.path),
            interrupted=tuple(self._interrupted),
            problem=self._problem,
        )

    async def _leaves(self, root: _Suspect) -> list[_Suspect]:
        """Return the parts that failed and have nothing below them that did, the first to fail first."""
        open_ones, leaves = [root], list[_Suspect]()
        while open_ones:
            suspect = heapq.heappop(open_ones)
            # A part that began after the first failure holds no earlier one.
            is_later = bool(leaves) and _began_after(suspect, min(leaves))
            below = [] if is_later else await self._below(suspect)
            for one in below:
                heapq.heappush(open_ones, one)
            if not below:
                leaves.append(suspect)
        return sorted(leaves)

    # --- what is below a suspect --------------------------------------------------------------------------------

    async def _below(self, suspect: _Suspect) -> list[_Suspect]:
        part = suspect.part
        if self._levels >= _MOST_LEVELS:
            self._problem = f"more than {_MOST_LEVELS} levels failed; not all of them were looked into"
            return []
        if isinstance(part, FlyteWorkflowExecution):
            return self._failed(suspect, await self._level(part))
        needs = needs_of(evidence_of(part.to_flyte_idl()), Coverage())
        if needs.execution:
            child = part.closure.workflow_node_metadata
            return [] if child is None else await self._child(suspect, child)
        if needs.children:
            found = self._failed(suspect, await self._level(part))
            if found:
                return found
        return await self._elements(suspect) if part.metadata.is_array else []

    def _failed(self, suspect: _Suspect, level: tuple[FlyteNodeExecution, ...]) -> list[_Suspect]:
        self._interrupted += [node for node in level if node.phase is NodePhase.ABORTED]
        handler = _handler_in(suspect.part)
        outcomes = {
            node.id.node_id: _outcome_of(node, is_handler=suspect.outcome.is_handler or node.spec_node_id == handler)
            for node in level
        }
        failed = {outcome.node_id for outcome in failed_by_itself(outcomes.values())}
        return [_Suspect(node, suspect, outcomes[node.id.node_id]) for node in level if node.id.node_id in failed]

    async def _level(self, part: FlyteNodeExecution | FlyteWorkflowExecution) -> tuple[FlyteNodeExecution, ...]:
        """Return the nodes right below a part."""
        held = part._nodes if isinstance(part, FlyteWorkflowExecution) else part._below.nodes
        if held is not None and part.covers(Coverage(attempts=False)):
            return held
        self._levels += 1
        if isinstance(part, FlyteWorkflowExecution):
            rows = await self._ask(self._session.reader.nodes, part.id)
        else:
            rows = await self._ask(self._session.reader.nodes, part.id.execution_id, part.id.node_id)
        return tuple(FlyteNodeExecution.from_flyte_idl(row, remote=self._remote) for row in rows or ())

    async def _child(self, suspect: _Suspect, id: WorkflowExecutionIdentifier) -> list[_Suspect]:
        """Return the execution that a node started, where that is what failed."""
        part = suspect.part
        held = part.child_executions if isinstance(part, FlyteNodeExecution) else ()
        child = next((one for one in held if one.id == id and one.is_done and not _is_cut(one.closure.error)), None)
        if child is None:
            message = await self._ask(self._session.reader.execution, id)
            if message is None:
                return []
            child = FlyteWorkflowExecution.from_flyte_idl(message, remote=self._remote)
        is_within = any(isinstance(above, FlyteWorkflowExecution) and above.id == id for above in suspect.path)
        if child.phase not in _FAILED or is_within:
            return []
        return [_Suspect(child, suspect, _outcome_of(child, is_handler=suspect.outcome.is_handler))]

    async def _elements(self, suspect: _Suspect) -> list[_Suspect]:
        """Return the execution of the first element that failed, for a map over a launch plan."""
        suspect.attempts = await self._attempts(suspect)
        failed = failed_elements(suspect.attempts[-1]) if suspect.attempts else ()
        ids = (element.execution_id for element in failed)
        first = next((id for id in ids if id is not None), None)
        return [] if first is None else await self._child(suspect, first)

    # --- what is known of the first failure ---------------------------------------------------------------------

    async def _attempts(self, suspect: _Suspect) -> tuple[FlyteTaskExecution, ...]:
        part = suspect.part
        if isinstance(part, FlyteWorkflowExecution):
            return ()
        if part._below.attempts is not None and part.covers(Coverage()):
            return part._below.attempts
        if not needs_of(evidence_of(part.to_flyte_idl()), Coverage()).attempts:
            return ()
        rows = await self._ask(self._session.reader.attempts, part.id)
        return tuple(FlyteTaskExecution.from_flyte_idl(row, remote=self._remote) for row in rows or ())

    async def _error(
        self, part: FlyteNodeExecution | FlyteWorkflowExecution, attempts: tuple[FlyteTaskExecution, ...]
    ) -> ExecutionError | None:
        """Return the error of a part, whole."""
        found = attempts[-1].closure.error if attempts else None
        error = found or part.closure.error
        if found is None and isinstance(part, FlyteNodeExecution) and _is_cut(error):
            message = await self._ask(self._session.reader.node, part.id)
            whole = None if message is None else FlyteNodeExecution.from_flyte_idl(message).closure.error
            error = whole or error
        return error

    async def _ask(self, read: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        """Return what a read gives; None, with the problem noted, where what it asks for cannot be had."""
        try:
            async with self._session.reads:
                return await read(*args)
        except UnauthenticatedError:
            raise
        except (RPCError, MalformedMessageError) as error:
            if isinstance(error, RPCError) and is_passing(error):
                raise
            self._problem = str(error)
            return None


def _outcome_of(part: FlyteNodeExecution | FlyteWorkflowExecution, *, is_handler: bool = False) -> Outcome:
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


def _began_after(suspect: _Suspect, first: _Suspect) -> bool:
    began, ended = suspect.outcome.began, first.outcome.ended
    handles = suspect.rank[0] and not first.rank[0]
    return handles or (began is not None and ended is not None and began >= ended and suspect.rank[0] == first.rank[0])


def _handler_in(part: FlyteNodeExecution | FlyteWorkflowExecution) -> str | None:
    """Return the id of the failure handler, where the definition of the workflow was read."""
    workflow = part.flyte_workflow if isinstance(part, FlyteWorkflowExecution) else None
    node = workflow.failure_node if workflow is not None else None
    return None if node is None else node.id


def _is_cut(error: ExecutionError | None) -> bool:
    return error is not None and is_cut(error.message)
