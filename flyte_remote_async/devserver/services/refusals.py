"""The refusals that many RPCs share, in flyteadmin's words.

Source: flyteadmin/pkg/manager/impl/validation and pkg/errors of Flyte 1.16.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from flyteidl.admin import project_pb2
from flyteidl.core import execution_pb2

from flyte_remote_async.devserver.golang.enums import enum_name
from flyte_remote_async.devserver.golang.prototext import prototext
from flyte_remote_async.devserver.services.kubernetes import label_key_problems, label_value_problems
from flyte_remote_async.errors import AlreadyExistsError, InvalidArgumentError, NotFoundError, RPCError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flyteidl.admin import common_pb2
    from flyteidl.core import identifier_pb2
    from google.protobuf.message import Message

    from flyte_remote_async.devserver.store import Store

__all__ = [
    "DOMAINS",
    "TERMINAL",
    "absent",
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
    "missing",
    "with_details",
]

E = TypeVar("E", bound=RPCError)

DOMAINS: Final = ("development", "staging", "production")
"""The domains of every project."""

_Phase = execution_pb2.WorkflowExecution
TERMINAL: Final = frozenset((_Phase.SUCCEEDED, _Phase.FAILED, _Phase.ABORTED, _Phase.TIMED_OUT))
"""The phases that an execution does not leave."""

_TASK: Final = 1  # identifier_pb2.TASK

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


def check_execution(request: Any, field: str = "id") -> None:
    """Refuse a request whose execution identifier is not there or not complete."""
    if not request.HasField(field):
        raise missing(field)
    check_fields(getattr(request, field), "project", "domain", "name")


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
    check_entity(identifier, "task_id", _TASK)


def imply_kind(identifier: identifier_pb2.Identifier, kind: identifier_pb2.ResourceType) -> None:
    """Fill in the kind of entity that an RPC implies: what is asked for over HTTP comes without."""
    identifier.resource_type = identifier.resource_type or kind


def check_entity(request: Any, field: str, expected: int) -> None:
    """Refuse a request whose entity identifier is not there, not complete, or of another kind."""
    from flyteidl.core import identifier_pb2

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
    found = await store.get_project(project)
    if found is None:
        raise InvalidArgumentError(
            f"failed to validate that project [{project}] and domain [{domain}] are registered, "
            f"err: [project [{project}] not found]"
        )
    if found.state != found.ACTIVE:
        reason = project_pb2.InactiveProject(id=found.id)
        raise with_details(InvalidArgumentError, f"project [{project}] is not active", reason)
    if domain not in DOMAINS:
        raise InvalidArgumentError(f"domain [{domain}] is unrecognized by system")


async def check_project(store: Store, project: str, what: str, *, must_be_active: bool = False) -> None:
    """Refuse a project that is not there, or not active where it must be.

    Args:
        store: Where the projects are.
        project: Its id.
        what: What is checked, in the words of the refusal.
        must_be_active: Whether one that is not active is refused.
    """
    found = await store.get_project(project)
    if found is None:
        raise InvalidArgumentError(
            f"failed to validate that project [{project}] {what}, err: [project [{project}] not found]"
        )
    if must_be_active and found.state != found.ACTIVE:
        raise InvalidArgumentError(f"project [{project}] is not active")


def with_details(cls: type[E], details: str, reason: Message) -> E:
    """Return a refusal that carries a message for programs beside its words, as Flyte's status details do."""
    from google.rpc import code_pb2, status_pb2

    status = status_pb2.Status(code=code_pb2.Code.Value(cls.code), message=details)
    status.details.add().Pack(reason)
    return cls(details, trailing_metadata=(("grpc-status-details-bin", status.SerializeToString()),))


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
