"""Attempts of tasks."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, ClassVar, Self

import attrs
from flyteidl.admin import task_execution_pb2

from flyte_remote_async.executions.base import RemoteExecutionBase
from flyte_remote_async.executions.binding import bound
from flyte_remote_async.models.identifiers import TaskExecutionIdentifier
from flyte_remote_async.models.message import canonical_bytes, parse
from flyte_remote_async.models.phases import TaskPhase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyte_remote_async.entities import FlyteTask
    from flyte_remote_async.executions.binding import Remote
    from flyte_remote_async.executions.data import ExecutionData
    from flyte_remote_async.executions.tree import Part
    from flyte_remote_async.models.outcomes import ExecutionError, ExternalResource, Reason, TaskLog
    from flyte_remote_async.models.task_executions import TaskExecutionClosure

__all__ = ["FlyteTaskExecution"]


# Nobody makes a snapshot through its base class, so its constructor may take more.
@attrs.frozen(init=False, eq=False, repr=False)
class FlyteTaskExecution(RemoteExecutionBase[task_execution_pb2.TaskExecution]):  # type: ignore[override]
    """One attempt of a task (``admin.TaskExecution``), as it was when it was read.

    Attributes:
        id: Which attempt of which task of which node it is.
        phase: How far it is.
    """

    message_type: ClassVar[type[Any]] = task_execution_pb2.TaskExecution

    id: TaskExecutionIdentifier
    phase: TaskPhase
    _task: FlyteTask | None = attrs.field(default=None, kw_only=True)

    def __init__(
        self,
        id: TaskExecutionIdentifier,
        input_uri: str,
        closure: TaskExecutionClosure,
        is_parent: bool = False,
    ) -> None:
        """Make a snapshot by hand; it knows no remote.

        Args:
            id: Which attempt it is.
            input_uri: Where its inputs are stored.
            closure: How far it is, and what came of it.
            is_parent: Whether it has node executions below it.
        """
        message = task_execution_pb2.TaskExecution(
            id=id.to_flyte_idl(), input_uri=input_uri, closure=closure.to_flyte_idl(), is_parent=is_parent
        )
        self.__attrs_init__(canonical_bytes(message), id, closure.phase)

    @classmethod
    def from_flyte_idl(
        cls,
        p: task_execution_pb2.TaskExecution,
        *,
        remote: Remote | None = None,
        task: FlyteTask | None = None,
        data: ExecutionData | None = None,
    ) -> Self:
        """Return the snapshot of a protobuf message.

        Args:
            p: The message.
            remote: Where it came from; without one it cannot load its data.
            task: The definition of its task, where it was read.
            data: Its inputs and outputs, where they were read along.
        """
        self = cls.__new__(cls)
        self.__attrs_init__(
            canonical_bytes(p),
            TaskExecutionIdentifier.from_flyte_idl(p.id),
            TaskPhase(p.closure.phase),
            remote=remote,
            data_read=data,
            task=task,
        )
        return self

    @classmethod
    def promote_from_model(cls, base_model: FlyteTaskExecution | task_execution_pb2.TaskExecution) -> Self:
        """Return the snapshot of a plain model: a protobuf message, or another snapshot's content."""
        return cls.from_flyte_idl(_message_of(base_model))

    @property
    def description(self) -> str:
        """What this is, in words."""
        return f"attempt {self.id}"

    @functools.cached_property
    def closure(self) -> TaskExecutionClosure:
        """How far the attempt is, and what came of it."""
        from flyte_remote_async.models.task_executions import TaskExecutionClosure

        return TaskExecutionClosure.from_flyte_idl(self.to_flyte_idl().closure)

    @functools.cached_property
    def input_uri(self) -> str:
        """Where the inputs are stored."""
        return self.to_flyte_idl().input_uri

    @functools.cached_property
    def is_parent(self) -> bool:
        """Whether the attempt has node executions below it, as the attempts of dynamic tasks of old servers have."""
        return self.to_flyte_idl().is_parent

    @property
    def is_done(self) -> bool:
        """Whether the attempt has ended: ``ABORTED``, ``FAILED`` or ``SUCCEEDED``."""
        return self.phase.is_terminal

    @property
    def is_successful(self) -> bool:
        """Whether the attempt has ended well."""
        return self.phase is TaskPhase.SUCCEEDED

    @property
    def attempt(self) -> int:
        """Which attempt it is; the first is 0."""
        return self.id.retry_attempt

    @property
    def reason(self) -> str:
        """Why it is in its phase, in the words of whatever runs it."""
        return self.closure.reason

    @property
    def reasons(self) -> Sequence[Reason]:
        """All reasons that were given, in order of time."""
        return self.closure.reasons

    @property
    def logs(self) -> Sequence[TaskLog]:
        """Links to logs."""
        return self.closure.logs

    @property
    def external_resources(self) -> Sequence[ExternalResource]:
        """What ran outside for it: the elements of a map task, for one."""
        return self.closure.external_resources

    @property
    def task(self) -> FlyteTask | None:
        """The definition of the task, after a sync with definitions; None before. See :meth:`fetch_task`."""
        return self._task

    async def fetch_task(self) -> FlyteTask:
        """Return the definition of the task, which is asked for when it was not read yet.

        Raises:
            DetachedError: The snapshot knows no remote.
            NotFoundError: The control plane does not have the task (any more).
            RPCError: The call did not succeed.
        """
        if self._task is not None:
            return self._task
        return await bound(self._remote, self.description, "fetch its task").fetch_task_by_id(self.id.task_id)

    @property
    def _phase(self) -> TaskPhase:
        return self.phase

    @property
    def _closure_error(self) -> ExecutionError | None:
        return self.closure.error

    def _record(self) -> tuple[Any, ...]:
        return self._data, self._task

    def _parts(self) -> tuple[Part, ...]:
        return ()

    @classmethod
    def _assemble(cls, record: tuple[Any, ...], parts: Sequence[Any]) -> Self:  # noqa: ARG003 - it has no parts
        data, task = record
        return cls.from_flyte_idl(parse(task_execution_pb2.TaskExecution, data), task=task)

    def _to_dict(self, parts: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: ARG002 - it has no parts
        from flyte_remote_async.executions.rendering import error_to_dict, times_to_dict

        return {
            "task": self.id.task_id.name,
            "task_version": self.id.task_id.version,
            "attempt": self.attempt,
            "phase": self.phase.name,
            "is_done": self.is_done,
            **times_to_dict(self.closure),
            "reason": self.reason,
            "error": error_to_dict(self.closure.error),
            "logs": [{"name": log.name, "uri": log.uri} for log in self.logs],
        }

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"FlyteTaskExecution({self.id}, {self.phase.name})"


def _message_of(model: FlyteTaskExecution | task_execution_pb2.TaskExecution) -> task_execution_pb2.TaskExecution:
    return model.to_flyte_idl() if isinstance(model, FlyteTaskExecution) else model
