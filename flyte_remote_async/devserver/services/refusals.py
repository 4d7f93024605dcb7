"""The refusals that many RPCs share, in flyteadmin's words.

Source: flyteadmin/pkg/manager/impl/validation and pkg/errors of Flyte 1.16.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from flyteidl.admin import event_pb2, project_pb2
from flyteidl.core import execution_pb2, identifier_pb2

from flyte_remote_async.devserver.golang.enums import enum_name
from flyte_remote_async.devserver.golang.kubernetes import label_key_problems, label_value_problems
from flyte_remote_async.devserver.golang.prototext import prototext
from flyte_remote_async.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    RPCError,
    UnknownError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flyteidl.admin import common_pb2
    from flyteidl.admin import execution_pb2 as admin_execution_pb2
    from google.protobuf.message import Message

    from flyte_remote_async.devserver.store import Store

__all__ = [
    "DOMAINS",
    "TERMINAL",
    "absent",
    "already_ended",
    "check_attempt",
    "check_entity",
    "check_execution",
    "check_fields",
    "check_labels",
    "check_node",
    "check_notifications",
    "check_place",
    "check_project",
    "duplicate",
    "imply_kind",
    "known_execution",
    "missing",
    "with_details",
]

E = TypeVar("E", bound=RPCError)

DOMAINS: Final = ("development", "staging", "production")
"""The domains of every project."""

_Phase = execution_pb2.WorkflowExecution
TERMINAL: Final = frozenset((_Phase.SUCCEEDED, _Phase.FAILED, _Phase.ABORTED, _Phase.TIMED_OUT))
"""The phases that an execution does not leave."""

_MOST_LABELS: Final = 16


def missing(field: str) -> InvalidArgumentError:
    """Return the refusal of a request without a field."""
    return InvalidArgumentError(f"missing {field}")


def absent(kind: str, identifier: Message) -> NotFoundError:
    """Return the refusal of a request for something that there is not."""
    return NotFoundError(f"missing entity of type {kind} with identifier {prototext(identifier)}")


def duplicate(table: str) -> AlreadyExistsError:
    """Return the refusal of a second row of the same key."""
    return AlreadyExistsError(
        f'value with matching already exists (duplicate key value violates unique constraint "{table}_pkey")'
    )


def check_fields(message: Any, *fields: str) -> None:
    """Refuse a message of which one of these texts is empty."""
    for field in fields:
        if not getattr(message, field):
            raise missing(field)


def check_execution(request: Any) -> None:
    """Refuse a request whose execution identifier is not there or not complete."""
    if not request.HasField("id"):
        raise missing("id")
    check_fields(request.id, "project", "domain", "name")


def check_node(identifier: identifier_pb2.NodeExecutionIdentifier) -> None:
    """Refuse a node identifier that is not complete."""
    if not identifier.HasField("execution_id"):
        raise missing("execution_id")
    check_fields(identifier, "node_id")
    check_fields(identifier.execution_id, "project", "domain", "name")


def check_attempt(identifier: identifier_pb2.TaskExecutionIdentifier) -> None:
    """Refuse an identifier of an attempt that is not complete, or that names something else than a task."""
    if not identifier.HasField("node_execution_id"):
        raise missing("node_execution_id")
    check_node(identifier.node_execution_id)
    if not identifier.HasField("task_id"):
        raise missing("task_id")
    check_entity(identifier, "task_id", identifier_pb2.TASK)


def imply_kind(identifier: identifier_pb2.Identifier, kind: identifier_pb2.ResourceType) -> None:
    """Fill in the kind of entity that an RPC implies: what is asked for over HTTP comes without."""
    identifier.resource_type = identifier.resource_type or kind


def check_entity(request: Any, field: str, expected: int) -> None:
    """Refuse a request whose entity identifier is not there, not complete, or of another kind."""
    if not request.HasField(field):
        raise missing("id")
    identifier = getattr(request, field)
    if identifier.resource_type != expected:
        kind, wanted = (
            enum_name(identifier_pb2.ResourceType, each).lower() for each in (identifier.resource_type, expected)
        )
        raise InvalidArgumentError(
            f"unexpected resource type {kind} for identifier [{prototext(identifier)}], expected {wanted} instead"
        )
    check_fields(identifier, "project", "domain", "name", "version")


async def check_place(store: Store, project: str, domain: str) -> None:
    """Refuse a project that is not registered or not active, and a domain that there is not."""
    about = f"failed to validate that project [{project}] and domain [{domain}] are registered"
    found = await _project(store, project, about)
    if found.state != found.ACTIVE:
        reason = project_pb2.InactiveProject(id=found.id)
        raise with_details(InvalidArgumentError, f"project [{project}] is not active", reason)
    if domain not in DOMAINS:
        raise InvalidArgumentError(f"domain [{domain}] is unrecognized by system")


async def _project(store: Store, project: str, refusal: str) -> project_pb2.Project:
    try:
        found = await store.get_project(project)
    except UnknownError as error:  # of the database
        raise InvalidArgumentError(f"{refusal}, err: [{error.details}]") from error
    if found is None:
        raise InvalidArgumentError(f"{refusal}, err: [project [{project}] not found]")
    return found


async def check_project(store: Store, project: str, what: str, *, must_be_active: bool = False) -> None:
    """Refuse a project that is not there, or not active where it must be.

    Args:
        store: Where the projects are.
        project: Its id.
        what: What is checked, in the words of the refusal.
        must_be_active: Whether one that is not active is refused.
    """
    found = await _project(store, project, f"failed to validate that project [{project}] {what}")
    if must_be_active and found.state != found.ACTIVE:
        raise InvalidArgumentError(f"project [{project}] is not active")


async def known_execution(
    store: Store, identifier: identifier_pb2.WorkflowExecutionIdentifier
) -> admin_execution_pb2.Execution:
    """Return an execution; a request for one that there is not is refused."""
    found = await store.get_execution(identifier)
    if found is None:
        raise absent("execution", identifier)
    return found


def with_details(cls: type[E], details: str, reason: Message) -> E:
    """Return a refusal that carries a message for programs beside its words, as Flyte's status details do."""
    from google.rpc import code_pb2, status_pb2

    status = status_pb2.Status(code=code_pb2.Code.Value(cls.code), message=details)
    status.details.add().Pack(reason)
    return cls(details, trailing_metadata=(("grpc-status-details-bin", status.SerializeToString()),))


def already_ended(details: str, phase: str) -> FailedPreconditionError:
    """Return the refusal of a change to what has ended.

    Args:
        details: The refusal's words.
        phase: The phase that programs are told.
    """
    reason = event_pb2.EventFailureReason()
    reason.already_in_terminal_state.current_phase = phase
    return with_details(FailedPreconditionError, details, reason)


def check_notifications(notifications: Iterable[common_pb2.Notification]) -> None:
    """Refuse notifications of nobody, of another kind, or about a phase that is no end."""
    for notification in notifications:
        kind = notification.WhichOneof("type")
        if kind is None:
            raise InvalidArgumentError("invalid value for notification type")
        recipients = getattr(notification, kind).recipients_email
        if not recipients:
            raise missing("recipients")
        if not all(recipients):
            raise missing("recipient")
        if not TERMINAL.issuperset(notification.phases):
            raise InvalidArgumentError("invalid value for phase")


def check_labels(labels: Any) -> None:
    """Refuse labels that Kubernetes would, and more than sixteen."""
    if len(labels.values) > _MOST_LABELS:
        raise InvalidArgumentError(f"labels map cannot exceed {_MOST_LABELS} entries")
    for key, value in labels.values.items():
        if problems := label_key_problems(key):
            raise InvalidArgumentError(f"invalid label key [{key}]: [{' '.join(problems)}]")
        if problems := label_value_problems(value):
            raise InvalidArgumentError(f"invalid label value [{value}]: [{' '.join(problems)}]")
