"""The timeline of an execution: the server's own reckoning, or the nodes where that cannot be had."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from flyteidl.admin import execution_pb2

from flyte_remote_async.errors import MalformedMessageError, RPCError
from flyte_remote_async.executions.spans import is_whole, span_of_message, timeline_of
from flyte_remote_async.executions.timeline import Timeline, TimelineSource
from flyte_remote_async.models.phases import WorkflowPhase
from flyte_remote_async.operations.look import Look
from flyte_remote_async.policy.sync_plan import Coverage
from flyte_remote_async.resolver.workers import beside
from flyte_remote_async.transport.methods import GET_EXECUTION_METRICS

if TYPE_CHECKING:
    from flyte_remote_async.executions import FlyteWorkflowExecution
    from flyte_remote_async.executions.binding import Remote
    from flyte_remote_async.operations.session import Session

__all__ = ["timeline"]

# Deeper than the reply can be: protobuf's parsers read a hundred messages inside each other.
_DEPTH: Final = 100


async def timeline(session: Session, remote: Remote, execution: FlyteWorkflowExecution) -> Timeline:
    """Return the timeline of an execution.

    Args:
        session: The parts of the remote.
        remote: What the snapshots are bound to.
        execution: The execution; what it holds already is not read again.

    Raises:
        RPCError: The control plane could not be asked.
    """
    message = execution.to_flyte_idl() if execution.is_done else await session.reader.execution(execution.id)
    problem = None
    # Of what runs, the server lets each span end at the last change that it was told.
    if WorkflowPhase(message.closure.phase).is_terminal:
        found = await _reckoned(session, message)
        if isinstance(found, Timeline):
            return found
        problem = found
    if not execution.covers(Coverage()):
        execution = await Look(session, remote, Coverage()).at(execution, message)
    # Thousands of nodes take a while.
    return await beside(timeline_of, execution, datetime.now(UTC), problem)


async def _reckoned(session: Session, execution: execution_pb2.Execution) -> Timeline | str:
    """Return the server's own reckoning, or why it cannot be used."""
    request = execution_pb2.WorkflowExecutionGetMetricsRequest(id=execution.id, depth=_DEPTH)
    try:
        reply = await session.calls(GET_EXECUTION_METRICS, request)
    except (RPCError, MalformedMessageError) as error:
        # Flyte 1.16 refuses failure nodes and some dynamic ones. Whether it can be asked at all the nodes will show.
        return str(error)
    return await beside(_told, reply)


def _told(reply: execution_pb2.WorkflowExecutionGetMetricsResponse) -> Timeline | str:
    root = span_of_message(reply.span)
    if not is_whole(root):
        return "GetExecutionMetrics left out nodes of the execution"
    return Timeline(root, TimelineSource.METRICS, root.end or datetime.now(UTC))
