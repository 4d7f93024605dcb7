"""How executions, nodes and attempts ended, and where they logged. Source: ``flyteidl/core/execution.proto``."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from flyteidl.admin import execution_pb2 as admin_execution_pb2
from flyteidl.admin import task_execution_pb2
from flyteidl.core import execution_pb2
from flyteidl.event import event_pb2

from flyte_remote_async.models.identifiers import WorkflowExecutionIdentifier
from flyte_remote_async.models.parsed import ParsedValue, value_in
from flyte_remote_async.models.phases import CatalogCacheStatus, OpenEnum, TaskPhase
from flyte_remote_async.models.structs import struct_to_dict
from flyte_remote_async.models.times import datetime_in, timedelta_in

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from typing import Any

__all__ = [
    "AbortMetadata",
    "ErrorKind",
    "ExecutionError",
    "ExternalResource",
    "LogContext",
    "LogFormat",
    "Reason",
    "TaskLog",
    "is_cut",
]

# Lists cut the message of an error that has more than 100 bytes, and take off what is left of a cut character.
# Source: flyteadmin's ``transformers/execution.go``.
_CUT_AT: Final = 100
_LONGEST_CHARACTER: Final = 4


def is_cut(message: str) -> bool:
    """Return whether the message of an error may have been cut by a list."""
    return _CUT_AT - _LONGEST_CHARACTER < len(message.encode()) <= _CUT_AT


class ErrorKind(OpenEnum):
    """Whose fault an error is (``core.ExecutionError.ErrorKind``)."""

    UNKNOWN = 0
    USER = 1
    SYSTEM = 2


class LogFormat(OpenEnum):
    """The format of a log's messages (``core.TaskLog.MessageFormat``)."""

    UNKNOWN = 0
    CSV = 1
    JSON = 2


class ExecutionError(ParsedValue[execution_pb2.ExecutionError]):
    """Why an execution, node or attempt failed (``core.ExecutionError``)."""

    __slots__ = ()
    message_type: ClassVar[type[execution_pb2.ExecutionError]] = execution_pb2.ExecutionError

    @property
    def code(self) -> str:
        """Flyte's code, such as ``"USER:ValueError"``."""
        return self._message.code

    @property
    def message(self) -> str:
        """What happened; lists trim it to 100 bytes, the execution itself has it whole."""
        return self._message.message

    @property
    def error_uri(self) -> str:
        """Where the whole error is stored; empty when it is nowhere."""
        return self._message.error_uri

    @property
    def kind(self) -> ErrorKind:
        """Whose fault it is."""
        return ErrorKind(self._message.kind)

    @property
    def timestamp(self) -> datetime | None:
        """When it happened, where the task noted it."""
        return datetime_in(self._message, "timestamp")

    @property
    def worker(self) -> str:
        """The worker of a distributed task that failed first; empty for other tasks."""
        return self._message.worker

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.code, self.message))) or "no details were given"


class AbortMetadata(ParsedValue[admin_execution_pb2.AbortMetadata]):
    """Who aborted an execution, and why (``admin.AbortMetadata``)."""

    __slots__ = ()
    message_type: ClassVar[type[admin_execution_pb2.AbortMetadata]] = admin_execution_pb2.AbortMetadata

    @property
    def cause(self) -> str:
        """The words that came with the termination."""
        return self._message.cause

    @property
    def principal(self) -> str:
        """Who it was; empty without authentication."""
        return self._message.principal


class TaskLog(ParsedValue[execution_pb2.TaskLog]):
    """A link to the log of an attempt (``core.TaskLog``)."""

    __slots__ = ()
    message_type: ClassVar[type[execution_pb2.TaskLog]] = execution_pb2.TaskLog

    @property
    def uri(self) -> str:
        """Where the log is."""
        return self._message.uri

    @property
    def name(self) -> str:
        """What the log is called."""
        return self._message.name

    @property
    def message_format(self) -> LogFormat:
        """The format of its messages."""
        return LogFormat(self._message.message_format)

    @property
    def ttl(self) -> timedelta | None:
        """How long it is kept; None when nothing is said."""
        return timedelta_in(self._message, "ttl")

    @property
    def show_while_pending(self) -> bool:
        """Whether the link is good before the attempt has started."""
        return self._message.ShowWhilePending

    @property
    def hide_once_finished(self) -> bool:
        """Whether the link is no good any more when the attempt has ended."""
        return self._message.HideOnceFinished


class LogContext(ParsedValue[execution_pb2.LogContext]):
    """The pods that an attempt ran in (``core.LogContext``); ``to_dict()`` has them with their containers."""

    __slots__ = ()
    message_type: ClassVar[type[execution_pb2.LogContext]] = execution_pb2.LogContext

    @property
    def primary_pod_name(self) -> str:
        """The pod that the attempt is known by."""
        return self._message.primary_pod_name

    @property
    def pod_names(self) -> tuple[str, ...]:
        """The names of all pods."""
        return tuple(pod.pod_name for pod in self._message.pods)


class Reason(ParsedValue[task_execution_pb2.Reason]):
    """A note on what an attempt waited for or did (``admin.Reason``)."""

    __slots__ = ()
    message_type: ClassVar[type[task_execution_pb2.Reason]] = task_execution_pb2.Reason

    @property
    def occurred_at(self) -> datetime | None:
        """When it was."""
        return datetime_in(self._message, "occurred_at")

    @property
    def message(self) -> str:
        """What it was."""
        return self._message.message


class ExternalResource(ParsedValue[event_pb2.ExternalResourceInfo]):
    """Work that an attempt gave to something else, such as one subtask of a map (``event.ExternalResourceInfo``)."""

    __slots__ = ()
    message_type: ClassVar[type[event_pb2.ExternalResourceInfo]] = event_pb2.ExternalResourceInfo

    @property
    def external_id(self) -> str:
        """What it is called where it runs."""
        return self._message.external_id

    @property
    def index(self) -> int:
        """Which subtask it is, counted from 0."""
        return self._message.index

    @property
    def retry_attempt(self) -> int:
        """Which attempt of the subtask it is, counted from 0."""
        return self._message.retry_attempt

    @property
    def phase(self) -> TaskPhase:
        """How far it is."""
        return TaskPhase(self._message.phase)

    @property
    def cache_status(self) -> CatalogCacheStatus:
        """What the cache did for it."""
        return CatalogCacheStatus(self._message.cache_status)

    @property
    def logs(self) -> tuple[TaskLog, ...]:
        """Where it logged."""
        return tuple(map(TaskLog.from_flyte_idl, self._message.logs))

    @property
    def log_context(self) -> LogContext | None:
        """The pods that it ran in; None when nothing is said."""
        return value_in(LogContext, self._message, "log_context")

    @property
    def execution_id(self) -> WorkflowExecutionIdentifier | None:
        """The execution that it is, for a map over a launch plan; None for other maps."""
        if self._message.WhichOneof("target_metadata") != "workflow_node_metadata":
            return None
        return WorkflowExecutionIdentifier.from_flyte_idl(self._message.workflow_node_metadata.execution_id)

    @property
    def custom_info(self) -> dict[str, Any]:
        """What the plugin that ran it noted."""
        return struct_to_dict(self._message.custom_info)
