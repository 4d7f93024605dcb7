"""What ``sync()`` does: the status alone, or a look at all that is below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyte_remote_async.executions.workflow import FlyteWorkflowExecution
from flyte_remote_async.operations.look import Look

if TYPE_CHECKING:
    from flyte_remote_async.executions.binding import Remote
    from flyte_remote_async.operations.session import Session
    from flyte_remote_async.policy.sync_plan import Coverage

__all__ = ["sync"]


async def sync(
    session: Session, remote: Remote, execution: FlyteWorkflowExecution, *, sync_nodes: bool, wanted: Coverage
) -> FlyteWorkflowExecution:
    """Return a new snapshot of an execution; the same one when it has ended and holds all that is wanted.

    Args:
        session: The parts of the remote.
        remote: What the snapshots are bound to.
        execution: The snapshot before.
        sync_nodes: Whether to read the nodes.
        wanted: What is to be read along with the nodes.

    Raises:
        RPCError: The control plane could not be asked.
        ClientStateError: The remote is closed, or used from the wrong loop or process.
    """
    if execution.is_known_to_its_end and (not sync_nodes or execution.covers(wanted)):
        return execution
    if sync_nodes:
        return await Look(session, remote, wanted).at(execution)
    message = await session.reader.execution(execution.id)
    return FlyteWorkflowExecution.from_flyte_idl(
        message, remote=remote, type_hints=execution.type_hints, known=execution.known_nodes
    )
