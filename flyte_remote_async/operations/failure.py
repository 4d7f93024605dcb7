"""The search for the first failure of an execution.

Nodes that failed by themselves are looked into, those that ended first before the others, until no other can have
failed before the first failure that was found. What did not fail is not read.
"""

# ruff: noqa: SLF001 - what was read below a part is for this package, and not for users

from __future__ import annotations

import functools
import heapq
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio.lowlevel

from flyte_remote_async.errors import ExecutionNotDoneError, MalformedMessageError, RPCError, UnauthenticatedError
from flyte_remote_async.executions.attempt import FlyteTaskExecution
from flyte_remote_async.executions.below import evidence_of
from flyte_remote_async.executions.failure import FailureReport, failed_elements
from flyte_remote_async.executions.node import FlyteNodeExecution
from flyte_remote_async.executions.workflow import FlyteWorkflowExecution
from flyte_remote_async.models.outcomes import is_cut
from flyte_remote_async.models.phases import NodePhase, WorkflowPhase
from flyte_remote_async.operations.calm import STRIDE, Calm
from flyte_remote_async.operations.suspects import Suspect, began_after, handler_in, outcome_of
from flyte_remote_async.policy.blame import failed_by_itself
from flyte_remote_async.policy.retry import is_passing
from flyte_remote_async.policy.sync_plan import Coverage, needs_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from flyte_remote_async.executions.binding import Remote
    from flyte_remote_async.models.identifiers import WorkflowExecutionIdentifier
    from flyte_remote_async.models.outcomes import ExecutionError
    from flyte_remote_async.operations.session import Session
    from flyte_remote_async.policy.blame import Outcome

__all__ = ["explain_failure"]

S = TypeVar("S")
T = TypeVar("T")

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
        ClientStateError: The remote is closed, or used from the wrong loop or process.
    """
    # Whoever searches already does it on the remote's loop.
    _ = session.transport.check("explain_failure")

    async def explain() -> FailureReport | None:
        with Calm() as calm:
            return await _explained(_Search(session, remote, calm), execution)

    # What runs may have ended by the next time.
    return await (execution._explanation.get(explain) if execution.is_done else explain())


async def _explained(search: _Search, execution: FlyteWorkflowExecution) -> FailureReport | None:
    if not execution.is_done or _is_cut(execution.closure.error):
        execution = await search.now(execution)
    if not execution.is_done:
        reason = f"{execution.description} is {execution.phase.name} and has not failed: `await execution.wait()`"
        raise ExecutionNotDoneError(reason)
    return None if execution.is_successful else await search.report(execution)


class _Search:
    """Looks for the first failure of one execution."""

    def __init__(self, session: Session, remote: Remote, calm: Calm) -> None:
        self._session = session
        self._remote = remote
        self._calm = calm
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
        root = Suspect(execution, None, outcome_of(execution))
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

    async def _leaves(self, root: Suspect) -> list[Suspect]:
        """Return the parts that failed and have nothing below them that did, the first to fail first."""
        open_ones, leaves = [root], list[Suspect]()
        while open_ones:
            suspect = heapq.heappop(open_ones)
            # A part that began after the first failure holds no earlier one.
            is_later = bool(leaves) and began_after(suspect, min(leaves))
            below = [] if is_later else await self._below(suspect)
            for one in below:
                heapq.heappush(open_ones, one)
            if not below:
                leaves.append(suspect)
        return sorted(leaves)

    # --- what is below a suspect --------------------------------------------------------------------------------

    async def _below(self, suspect: Suspect) -> list[Suspect]:
        part = suspect.part
        if self._levels >= _MOST_LEVELS:
            self._problem = f"more than {_MOST_LEVELS} levels failed; not all of them were looked into"
            return []
        if isinstance(part, FlyteWorkflowExecution):
            return await self._failed(suspect, await self._level(part))
        needs = needs_of(evidence_of(part.to_flyte_idl()), Coverage())
        if needs.execution:
            child = part.closure.workflow_node_metadata
            return [] if child is None else await self._child(suspect, child)
        if needs.children:
            found = await self._failed(suspect, await self._level(part))
            if found:
                return found
        return await self._elements(suspect) if part.metadata.is_array else []

    async def _failed(self, suspect: Suspect, level: Sequence[FlyteNodeExecution]) -> list[Suspect]:
        self._interrupted += [node for node in level if node.phase is NodePhase.ABORTED]
        handler = handler_in(suspect.part)
        is_in_handler = suspect.outcome.is_handler

        def made(node: FlyteNodeExecution) -> Outcome:
            return outcome_of(node, is_handler=is_in_handler or node.spec_node_id == handler)

        outcomes = {outcome.node_id: outcome for outcome in await self._in_turns(made, level)}
        failed = {outcome.node_id for outcome in failed_by_itself(outcomes.values())}
        return [Suspect(node, suspect, outcomes[node.id.node_id]) for node in level if node.id.node_id in failed]

    async def _level(self, part: FlyteNodeExecution | FlyteWorkflowExecution) -> Sequence[FlyteNodeExecution]:
        """Return the nodes right below a part."""
        held = part._nodes if isinstance(part, FlyteWorkflowExecution) else part._below.nodes
        if held is not None and part.covers(Coverage(attempts=False)):
            return held
        self._levels += 1
        read = functools.partial(self._session.reader.nodes, on_full_page=self._calm.begin)
        if isinstance(part, FlyteWorkflowExecution):
            rows = await self._ask(read, part.id)
        else:
            rows = await self._ask(read, part.id.execution_id, part.id.node_id)
        made = functools.partial(FlyteNodeExecution.from_flyte_idl, remote=self._remote)
        return await self._in_turns(made, rows or ())

    async def _in_turns(self, make: Callable[[S], T], parts: Sequence[S]) -> list[T]:
        """Return what is made of each part of a level; the loop gets its turn now and then."""
        self._calm.count(len(parts))
        made = []
        for count, part in enumerate(parts, 1):
            made.append(make(part))
            if count % STRIDE == 0:
                await anyio.lowlevel.checkpoint()
        return made

    async def _child(self, suspect: Suspect, id: WorkflowExecutionIdentifier) -> list[Suspect]:
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
        return [Suspect(child, suspect, outcome_of(child, is_handler=suspect.outcome.is_handler))]

    async def _elements(self, suspect: Suspect) -> list[Suspect]:
        """Return the execution of the first element that failed, for a map over a launch plan."""
        suspect.attempts = await self._attempts(suspect)
        failed = failed_elements(suspect.attempts[-1]) if suspect.attempts else ()
        ids = (element.execution_id for element in failed)
        first = next((id for id in ids if id is not None), None)
        return [] if first is None else await self._child(suspect, first)

    # --- what is known of the first failure ---------------------------------------------------------------------

    async def _attempts(self, suspect: Suspect) -> tuple[FlyteTaskExecution, ...]:
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


def _is_cut(error: ExecutionError | None) -> bool:
    return error is not None and is_cut(error.message)
