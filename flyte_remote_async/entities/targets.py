"""What the nodes of a workflow run or wait for. Source: ``flyteidl/core/workflow.proto``."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, ClassVar, Self, TypeVar

import attrs
from flyteidl.core import workflow_pb2
from google.protobuf.message import Message as ProtobufMessage

from flyte_remote_async.entities.launch_plan import FlyteLaunchPlan
from flyte_remote_async.entities.task import FlyteTask
from flyte_remote_async.models.identifiers import Identifier
from flyte_remote_async.models.literals import LiteralType
from flyte_remote_async.models.message import MessageValue, canonical_bytes
from flyte_remote_async.models.times import timedelta_in

if TYPE_CHECKING:
    from datetime import timedelta

    from flyte_remote_async.entities.definitions import Definitions
    from flyte_remote_async.entities.workflow import FlyteWorkflow

__all__ = ["FlyteGateNode", "FlyteTaskNode", "FlyteWorkflowNode", "NodeValue"]

M = TypeVar("M", bound=ProtobufMessage)


@attrs.frozen(repr=False)
class NodeValue(MessageValue[M]):
    """A node, or a part of one, with the definitions that it may refer to.

    What it refers to is known as far as it came along with the workflow. Values are equal when their own messages are.
    """

    _definitions: Definitions | None = attrs.field(default=None, eq=False)

    @classmethod
    def from_flyte_idl(cls, p: M, definitions: Definitions | None = None) -> Self:
        """Return the value of a protobuf message; later changes to the message do not show in it.

        Args:
            p: The message.
            definitions: What it may refer to.
        """
        return cls(canonical_bytes(p), definitions)

    @functools.cached_property
    def _message(self) -> M:
        return self.to_flyte_idl()


class FlyteTaskNode(NodeValue[workflow_pb2.TaskNode]):
    """What a task node runs (``core.TaskNode``)."""

    __slots__ = ()
    message_type: ClassVar[type[workflow_pb2.TaskNode]] = workflow_pb2.TaskNode

    @property
    def reference_id(self) -> Identifier:
        """What identifies the task."""
        return Identifier.from_flyte_idl(self._message.reference_id)

    @property
    def flyte_task(self) -> FlyteTask | None:
        """The task; None when it did not come along with the workflow."""
        known = self._definitions
        template = known.tasks.get(self.reference_id) if known else None
        return FlyteTask.promote_from_model(template) if template is not None else None


class FlyteWorkflowNode(NodeValue[workflow_pb2.WorkflowNode]):
    """What a node runs that runs a subworkflow or a launch plan (``core.WorkflowNode``)."""

    __slots__ = ()
    message_type: ClassVar[type[workflow_pb2.WorkflowNode]] = workflow_pb2.WorkflowNode

    @property
    def launchplan_ref(self) -> Identifier | None:
        """What identifies the launch plan; None for a subworkflow."""
        message = self._message
        return Identifier.from_flyte_idl(message.launchplan_ref) if message.HasField("launchplan_ref") else None

    @property
    def sub_workflow_ref(self) -> Identifier | None:
        """What identifies the subworkflow; None for a launch plan."""
        message = self._message
        return Identifier.from_flyte_idl(message.sub_workflow_ref) if message.HasField("sub_workflow_ref") else None

    @property
    def flyte_workflow(self) -> FlyteWorkflow | None:
        """The subworkflow; None for a launch plan, and when it did not come along with the workflow."""
        # Workflows have nodes and nodes run workflows: one of the two modules must come second.
        from flyte_remote_async.entities.workflow import FlyteWorkflow

        reference, known = self.sub_workflow_ref, self._definitions
        return FlyteWorkflow.from_definitions(known, reference) if known and reference else None

    @property
    def flyte_launch_plan(self) -> FlyteLaunchPlan | None:
        """The launch plan; None for a subworkflow, and when it did not come along with the workflow."""
        reference, known = self.launchplan_ref, self._definitions
        plan = known.launch_plan(reference) if known and reference else None
        return FlyteLaunchPlan.from_launch_plan(plan) if plan is not None else None


class FlyteGateNode(NodeValue[workflow_pb2.GateNode]):
    """What a gate node waits for (``core.GateNode``)."""

    __slots__ = ()
    message_type: ClassVar[type[workflow_pb2.GateNode]] = workflow_pb2.GateNode

    @property
    def condition(self) -> str | None:
        """What kind of thing it is: ``"approve"``, ``"signal"`` or ``"sleep"``; None for one that is not known."""
        which: str | None = self._message.WhichOneof("condition")
        return which

    @property
    def signal_id(self) -> str:
        """What the signal is called; empty for a sleep."""
        return self._message.approve.signal_id or self._message.signal.signal_id

    @property
    def type(self) -> LiteralType | None:
        """The type of the signal's value; None when no value is waited for."""
        signal = self._message.signal
        return LiteralType.from_flyte_idl(signal.type) if self._message.HasField("signal") else None

    @property
    def output_variable_name(self) -> str:
        """The output that the signal's value becomes; empty when no value is waited for."""
        return self._message.signal.output_variable_name

    @property
    def duration(self) -> timedelta | None:
        """How long it sleeps; None when it does not."""
        return timedelta_in(self._message.sleep, "duration")
