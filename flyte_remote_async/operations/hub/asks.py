"""Questions of the hub as requests, and answers as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import anyio.lowlevel
from flyteidl.admin import common_pb2
from flyteidl.core import execution_pb2 as core_pb2

from flyte_remote_async.models.phases import WorkflowPhase
from flyte_remote_async.operations.listing import has_cut_error
from flyte_remote_async.policy.filters import Filter, filters_text
from flyte_remote_async.policy.hub.values import Kind, Row
from flyte_remote_async.transport.methods import LIST_EXECUTIONS

if TYPE_CHECKING:
    from flyteidl.admin import execution_pb2
    from google.protobuf.timestamp_pb2 import Timestamp

    from flyte_remote_async.models.identifiers import WorkflowExecutionIdentifier
    from flyte_remote_async.operations.session import Session
    from flyte_remote_async.policy.hub.values import Ask

__all__ = ["ask_list", "ask_one", "seconds"]

# Active and archived ones: lists leave out what is archived unless they are asked for a state.
_ANY_STATE: Final = Filter("value_in", "state", ("0", "1"))
_ENDED: Final = Filter("value_in", "phase", ("SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"))

# So many rows are taken in before the loop gets its turn.
_STRIDE: Final = 100


async def ask_one(session: Session, id: WorkflowExecutionIdentifier) -> dict[str, Row]:
    """Return one execution by its name, read by itself.

    Raises:
        FlyteRemoteError: It could not be read.
    """
    message = await session.reader.execution(id, timeout=_limit(session))
    return {id.name: _row(message, is_listed=False)}


async def ask_list(session: Session, ask: Ask) -> dict[str, Row]:
    """Return the executions that a list shows, by their names.

    Args:
        session: The parts of the remote.
        ask: What to ask.

    Raises:
        FlyteRemoteError: The list was refused, or could not be read.
    """
    project, domain, org = ask.place
    request = common_pb2.ResourceListRequest(
        id=common_pb2.NamedEntityIdentifier(project=project, domain=domain, org=org),
        # One more than there can be: a full page would have a token, and an empty page after it.
        limit=len(ask.subjects) + 1,
        filters=filters_text(_filters(ask)),
    )
    page = await session.calls(LIST_EXECUTIONS, request, timeout=_limit(session))
    rows = {}
    for count, message in enumerate(page.executions, 1):
        rows[message.id.name] = _row(message, is_listed=True)
        if count % _STRIDE == 0:
            await anyio.lowlevel.checkpoint()
    return rows


def _filters(ask: Ask) -> list[Filter]:
    # The names were checked when they came in.
    filters = [Filter("value_in", "execution_name", tuple(one.id.name for one in ask.subjects)), _ANY_STATE]
    if ask.kind is Kind.ENDED:
        filters.append(_ENDED)
    elif ask.kind is Kind.MOVED:
        others = tuple(name for name, number in core_pb2.WorkflowExecution.Phase.items() if number != ask.phase)
        filters.append(Filter("value_in", "phase", others))
    return filters


def _limit(session: Session) -> float:
    # Time for one more attempt: what takes longer is asked again when it is due.
    return 2 * session.config.timeouts.read


def _row(message: execution_pb2.Execution, *, is_listed: bool) -> Row:
    closure = message.closure
    return Row(
        name=message.id.name,
        phase=closure.phase,
        is_done=WorkflowPhase(closure.phase).is_terminal,
        created=seconds(closure, "created_at"),
        updated=seconds(closure, "updated_at"),
        is_cut=is_listed and has_cut_error(message),
        message=message,
    )


def seconds(closure: Any, field: str) -> float | None:
    """Return a time of the server's in seconds; None where it is not set."""
    if not closure.HasField(field):
        return None
    at: Timestamp = getattr(closure, field)
    return at.seconds + at.nanos / 1e9
