"""Phases and kinds of executions, nodes and attempts, open to those that newer servers invent.

Source: ``flyteidl/core/execution.proto``; which phases are terminal follows flyteadmin's ``common/executions.go`` and
propeller: a node that is ``SKIPPED`` or ``RECOVERED`` has ended, an attempt in ``RETRYABLE_FAILED`` has not.
"""

from __future__ import annotations

import enum
from typing import Self

__all__ = ["CatalogCacheStatus", "ExecutionMode", "NodeKind", "NodePhase", "OpenEnum", "TaskPhase", "WorkflowPhase"]


class OpenEnum(enum.IntEnum):
    """An enum of the wire: a number that it does not have becomes the member ``UNKNOWN_<number>``, not an error."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, int):
            return None
        # Not stored in the class: a server cannot make it grow.
        member = int.__new__(cls, value)
        member._name_ = f"UNKNOWN_{value}"
        member._value_ = value
        return member

    @property
    def is_known(self) -> bool:
        """Whether this version of the package knows the value."""
        return self._name_ in type(self).__members__

    def __str__(self) -> str:
        return self.name

    def __reduce_ex__(self, _protocol: object) -> tuple[type[Self], tuple[int]]:
        return type(self), (int(self),)


class WorkflowPhase(OpenEnum):
    """Phase of a workflow execution (``core.WorkflowExecution.Phase``)."""

    UNDEFINED = 0
    QUEUED = 1
    RUNNING = 2
    SUCCEEDING = 3
    SUCCEEDED = 4
    FAILING = 5
    FAILED = 6
    ABORTED = 7
    TIMED_OUT = 8
    ABORTING = 9

    @property
    def is_terminal(self) -> bool:
        """Whether the execution has ended; an unknown phase has not."""
        return self in _ENDED_WORKFLOW


class NodePhase(OpenEnum):
    """Phase of a node execution (``core.NodeExecution.Phase``)."""

    UNDEFINED = 0
    QUEUED = 1
    RUNNING = 2
    SUCCEEDED = 3
    FAILING = 4
    FAILED = 5
    ABORTED = 6
    SKIPPED = 7
    TIMED_OUT = 8
    DYNAMIC_RUNNING = 9
    RECOVERED = 10

    @property
    def is_terminal(self) -> bool:
        """Whether the node has ended; an unknown phase has not."""
        return self in _ENDED_NODE


class TaskPhase(OpenEnum):
    """Phase of one attempt of a task (``core.TaskExecution.Phase``)."""

    UNDEFINED = 0
    QUEUED = 1
    RUNNING = 2
    SUCCEEDED = 3
    ABORTED = 4
    FAILED = 5
    INITIALIZING = 6
    WAITING_FOR_RESOURCES = 7
    RETRYABLE_FAILED = 8

    @property
    def is_terminal(self) -> bool:
        """Whether the attempt has ended; an unknown phase has not."""
        return self in _ENDED_TASK


class NodeKind(enum.StrEnum):
    """What kind of node a node execution is."""

    TASK = "task"
    SUBWORKFLOW = "subworkflow"
    DYNAMIC = "dynamic"
    BRANCH = "branch"
    ARRAY = "array"
    GATE = "gate"
    LAUNCH_PLAN = "launch_plan"
    START = "start"
    END = "end"
    UNKNOWN = "unknown"


class ExecutionMode(OpenEnum):
    """How an execution was started (``admin.ExecutionMetadata.ExecutionMode``)."""

    MANUAL = 0
    SCHEDULED = 1
    SYSTEM = 2
    RELAUNCH = 3
    CHILD_WORKFLOW = 4
    RECOVERED = 5
    TRIGGER = 6


class CatalogCacheStatus(OpenEnum):
    """What the cache did for a node (``core.CatalogCacheStatus``)."""

    CACHE_DISABLED = 0
    CACHE_MISS = 1
    CACHE_HIT = 2
    CACHE_POPULATED = 3
    CACHE_LOOKUP_FAILURE = 4
    CACHE_PUT_FAILURE = 5
    CACHE_SKIPPED = 6
    CACHE_EVICTED = 7


_ENDED_WORKFLOW = frozenset(
    {WorkflowPhase.SUCCEEDED, WorkflowPhase.FAILED, WorkflowPhase.ABORTED, WorkflowPhase.TIMED_OUT}
)
_ENDED_NODE = frozenset(
    {
        NodePhase.SUCCEEDED,
        NodePhase.FAILED,
        NodePhase.ABORTED,
        NodePhase.SKIPPED,
        NodePhase.TIMED_OUT,
        NodePhase.RECOVERED,
    }
)
_ENDED_TASK = frozenset({TaskPhase.SUCCEEDED, TaskPhase.ABORTED, TaskPhase.FAILED})
