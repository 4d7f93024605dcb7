"""What one attempt of a task is made of. Source: ``flyteidl/admin/task_execution.proto``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from flyteidl.admin import task_execution_pb2
from flyteidl.event import event_pb2

from flyte_remote_async.models.closures import Closure
from flyte_remote_async.models.literals import literals_by_name
from flyte_remote_async.models.outcomes import ExternalResource, LogContext, Reason, TaskLog
from flyte_remote_async.models.parsed import ParsedValue, value_in
from flyte_remote_async.models.phases import OpenEnum, TaskPhase
from flyte_remote_async.models.structs import struct_to_dict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyte_remote_async.models.literals import Literal

__all__ = ["InstanceClass", "TaskExecutionClosure", "TaskExecutionMetadata"]


class InstanceClass(OpenEnum):
    """What machine an attempt ran on (``event.TaskExecutionMetadata.InstanceClass``)."""

    DEFAULT = 0
    INTERRUPTIBLE = 1


class TaskExecutionMetadata(ParsedValue[event_pb2.TaskExecutionMetadata]):
    """What ran an attempt (``event.TaskExecutionMetadata``)."""

    __slots__ = ()
    message_type: ClassVar[type[event_pb2.TaskExecutionMetadata]] = event_pb2.TaskExecutionMetadata

    @property
    def generated_name(self) -> str:
        """What it is called where it runs, such as the name of its pod."""
        return self._message.generated_name

    @property
    def plugin_identifier(self) -> str:
        """The plugin that ran it, such as ``"container"``."""
        return self._message.plugin_identifier

    @property
    def instance_class(self) -> InstanceClass:
        """What machine it ran on."""
        return InstanceClass(self._message.instance_class)

    @property
    def external_resources(self) -> tuple[ExternalResource, ...]:
        """The work that it gave to something else: the subtasks of a map, for one."""
        return tuple(map(ExternalResource.from_flyte_idl, self._message.external_resources))


class TaskExecutionClosure(Closure[task_execution_pb2.TaskExecutionClosure]):
    """How far an attempt is, and how it ended (``admin.TaskExecutionClosure``)."""

    __slots__ = ()
    message_type: ClassVar[type[task_execution_pb2.TaskExecutionClosure]] = task_execution_pb2.TaskExecutionClosure

    @property
    def phase(self) -> TaskPhase:
        """How far it is."""
        return TaskPhase(self._message.phase)

    @property
    def output_uri(self) -> str:
        """Where its outputs are stored; empty when they are not."""
        return self._message.output_uri

    @property
    def output_data(self) -> Mapping[str, Literal]:
        """The outputs that stand in the closure itself; most servers keep them elsewhere."""
        return literals_by_name(self._message.output_data)

    @property
    def logs(self) -> tuple[TaskLog, ...]:
        """Where it logged."""
        return tuple(map(TaskLog.from_flyte_idl, self._message.logs))

    @property
    def log_context(self) -> LogContext | None:
        """The pods that it ran in; None when nothing is said."""
        return value_in(LogContext, self._message, "log_context")

    @property
    def custom_info(self) -> dict[str, Any]:
        """What the plugin that ran it noted."""
        return struct_to_dict(self._message.custom_info)

    @property
    def reason(self) -> str:
        """The last note on what it waits for or did; empty when there is none."""
        return self._message.reason

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """All notes on what it waited for or did, in order."""
        return tuple(map(Reason.from_flyte_idl, self._message.reasons))

    @property
    def task_type(self) -> str:
        """The type of the task, such as ``"python-task"``."""
        return self._message.task_type

    @property
    def metadata(self) -> TaskExecutionMetadata:
        """What ran it."""
        return TaskExecutionMetadata.from_flyte_idl(self._message.metadata)

    @property
    def external_resources(self) -> tuple[ExternalResource, ...]:
        """The work that it gave to something else: the subtasks of a map, for one."""
        return self.metadata.external_resources

    @property
    def event_version(self) -> int:
        """The version of the events that it was told with."""
        return self._message.event_version
