"""What an execution is made of: its spec, its metadata and its closure. Source: ``flyteidl/admin/execution.proto``."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from flyteidl.admin import execution_pb2

from flyte_remote_async.models.closures import Closure
from flyte_remote_async.models.common import Notification, QualityOfService, SecurityContext, optional_bool, texts
from flyte_remote_async.models.identifiers import Identifier, NodeExecutionIdentifier, WorkflowExecutionIdentifier
from flyte_remote_async.models.literals import literals_by_name
from flyte_remote_async.models.outcomes import AbortMetadata, ExecutionError
from flyte_remote_async.models.parsed import ParsedValue, value_in
from flyte_remote_async.models.phases import ExecutionMode, OpenEnum, WorkflowPhase
from flyte_remote_async.models.times import datetime_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from flyte_remote_async.models.literals import Literal

__all__ = [
    "AbortMetadata",
    "ExecutionClosure",
    "ExecutionError",
    "ExecutionMetadata",
    "ExecutionSpec",
    "ExecutionState",
    "StateChange",
]


class ExecutionState(OpenEnum):
    """Whether an execution is shown in lists (``admin.ExecutionState``)."""

    EXECUTION_ACTIVE = 0
    EXECUTION_ARCHIVED = 1


class StateChange(ParsedValue[execution_pb2.ExecutionStateChangeDetails]):
    """Who archived or unarchived an execution, and when (``admin.ExecutionStateChangeDetails``)."""

    __slots__ = ()
    message_type: ClassVar[type[execution_pb2.ExecutionStateChangeDetails]] = execution_pb2.ExecutionStateChangeDetails

    @property
    def state(self) -> ExecutionState:
        """The state since then."""
        return ExecutionState(self._message.state)

    @property
    def occurred_at(self) -> datetime | None:
        """When it was."""
        return datetime_in(self._message, "occurred_at")

    @property
    def principal(self) -> str:
        """Who it was; empty without authentication."""
        return self._message.principal


class ExecutionMetadata(ParsedValue[execution_pb2.ExecutionMetadata]):
    """How an execution came about (``admin.ExecutionMetadata``)."""

    __slots__ = ()
    message_type: ClassVar[type[execution_pb2.ExecutionMetadata]] = execution_pb2.ExecutionMetadata

    @property
    def mode(self) -> ExecutionMode:
        """How it was started."""
        return ExecutionMode(self._message.mode)

    @property
    def principal(self) -> str:
        """Who started it; empty without authentication."""
        return self._message.principal

    @property
    def nesting(self) -> int:
        """How many executions it is below: 0 for one that was launched by hand."""
        return self._message.nesting

    @property
    def scheduled_at(self) -> datetime | None:
        """The time of the schedule that it was started for; None when it was not."""
        return datetime_in(self._message, "scheduled_at")

    @property
    def parent_node_execution(self) -> NodeExecutionIdentifier | None:
        """The node that started it; None when no node did."""
        if not self._message.HasField("parent_node_execution"):
            return None
        return NodeExecutionIdentifier.from_flyte_idl(self._message.parent_node_execution)

    @property
    def reference_execution(self) -> WorkflowExecutionIdentifier | None:
        """The execution that it repeats, for a relaunch or a recovery; None for others."""
        if not self._message.HasField("reference_execution"):
            return None
        return WorkflowExecutionIdentifier.from_flyte_idl(self._message.reference_execution)

    @property
    def execution_cluster(self) -> str:
        """The cluster that it runs on; empty before it is placed."""
        return self._message.system_metadata.execution_cluster

    @property
    def namespace(self) -> str:
        """The Kubernetes namespace that it runs in; empty before it is placed."""
        return self._message.system_metadata.namespace


class ExecutionSpec(ParsedValue[execution_pb2.ExecutionSpec]):
    """What was asked to run, and how (``admin.ExecutionSpec``)."""

    __slots__ = ()
    message_type: ClassVar[type[execution_pb2.ExecutionSpec]] = execution_pb2.ExecutionSpec

    @property
    def launch_plan(self) -> Identifier:
        """The launch plan that it runs; for a single-task execution the task."""
        return Identifier.from_flyte_idl(self._message.launch_plan)

    @property
    def metadata(self) -> ExecutionMetadata:
        """How it came about."""
        return ExecutionMetadata.from_flyte_idl(self._message.metadata)

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels of its resources."""
        return texts(self._message.labels.values)

    @property
    def annotations(self) -> Mapping[str, str]:
        """The annotations of its resources."""
        return texts(self._message.annotations.values)

    @property
    def envs(self) -> Mapping[str, str]:
        """The environment variables that it adds to its tasks."""
        return texts({pair.key: pair.value for pair in self._message.envs.values})

    @property
    def tags(self) -> tuple[str, ...]:
        """Its tags (deprecated in Flyte; labels took their place)."""
        return tuple(self._message.tags)

    @property
    def notifications(self) -> tuple[Notification, ...]:
        """Whom to tell, in place of those whom the launch plan names; empty when the launch plan's stand."""
        return tuple(map(Notification.from_flyte_idl, self._message.notifications.notifications))

    @property
    def disable_all(self) -> bool:
        """Whether nobody is told."""
        return self._message.disable_all

    @property
    def security_context(self) -> SecurityContext | None:
        """What it runs as; None when nothing is said."""
        return value_in(SecurityContext, self._message, "security_context")

    @property
    def quality_of_service(self) -> QualityOfService | None:
        """How urgent it is; None when nothing is said."""
        return value_in(QualityOfService, self._message, "quality_of_service")

    @property
    def max_parallelism(self) -> int:
        """How many of its nodes run at once at most; 0 is the server's default."""
        return self._message.max_parallelism

    @property
    def raw_output_data_prefix(self) -> str:
        """Where its tasks put files and tables; empty for the server's default."""
        return self._message.raw_output_data_config.output_location_prefix

    @property
    def interruptible(self) -> bool | None:
        """Whether its tasks may run on nodes that can be taken away; None leaves it to the workflow."""
        return optional_bool(self._message.interruptible, is_set=self._message.HasField("interruptible"))

    @property
    def overwrite_cache(self) -> bool:
        """Whether its tasks run though the cache has their outputs."""
        return self._message.overwrite_cache

    @property
    def cluster_pool(self) -> str:
        """The pool of clusters that it is bound to; empty for any."""
        return self._message.cluster_assignment.cluster_pool_name

    @property
    def execution_cluster_label(self) -> str:
        """The label of the clusters that it may run on; empty for any."""
        return self._message.execution_cluster_label.value


class ExecutionClosure(Closure[execution_pb2.ExecutionClosure]):
    """How far an execution is, and how it ended (``admin.ExecutionClosure``)."""

    __slots__ = ()
    message_type: ClassVar[type[execution_pb2.ExecutionClosure]] = execution_pb2.ExecutionClosure

    @property
    def phase(self) -> WorkflowPhase:
        """How far it is."""
        return WorkflowPhase(self._message.phase)

    @property
    def abort_metadata(self) -> AbortMetadata | None:
        """Who aborted it, and why; None when nobody did."""
        return value_in(AbortMetadata, self._message, "abort_metadata")

    @property
    def abort_cause(self) -> str:
        """Why it was aborted; empty when it was not. Old servers say this and no more."""
        return self._message.abort_metadata.cause or self._message.abort_cause

    @property
    def output_uri(self) -> str:
        """Where its outputs are stored; empty when they are not."""
        return self._message.outputs.uri

    @property
    def output_data(self) -> Mapping[str, Literal]:
        """The outputs that stand in the closure itself; most servers keep them elsewhere."""
        which = self._message.WhichOneof("output_result")
        return literals_by_name(self._message.outputs.values if which == "outputs" else self._message.output_data)

    @property
    def computed_inputs(self) -> Mapping[str, Literal]:
        """The inputs that stand in the closure itself; most servers keep them elsewhere."""
        return literals_by_name(self._message.computed_inputs)

    @property
    def notifications(self) -> tuple[Notification, ...]:
        """Whom it tells."""
        return tuple(map(Notification.from_flyte_idl, self._message.notifications))

    @property
    def workflow_id(self) -> Identifier | None:
        """The workflow that it runs; None before it is compiled."""
        if not self._message.HasField("workflow_id"):
            return None
        return Identifier.from_flyte_idl(self._message.workflow_id)

    @property
    def state_change_details(self) -> StateChange | None:
        """Who archived or unarchived it last; None when nobody did."""
        return value_in(StateChange, self._message, "state_change_details")
