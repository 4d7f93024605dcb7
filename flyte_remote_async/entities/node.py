"""The nodes of a workflow. Source: ``flyteidl/core/workflow.proto``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from flyteidl.core import workflow_pb2

from flyte_remote_async.entities.targets import FlyteGateNode, FlyteTaskNode, FlyteWorkflowNode, NodeValue
from flyte_remote_async.entities.templates import END_NODE, START_NODE, nodes_of_branch
from flyte_remote_async.models.phases import OpenEnum
from flyte_remote_async.models.workflows import Binding, NodeMetadata

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyte_remote_async.entities.launch_plan import FlyteLaunchPlan
    from flyte_remote_async.entities.task import FlyteTask
    from flyte_remote_async.entities.workflow import FlyteWorkflow

__all__ = ["ArrayMode", "FlyteArrayNode", "FlyteBranchNode", "FlyteNode"]

P = TypeVar("P", bound=NodeValue[Any])

_KINDS: Final[Mapping[str, str]] = {
    "task_node": "task",
    "branch_node": "branch",
    "gate_node": "gate",
    "array_node": "array",
}


class FlyteNode(NodeValue[workflow_pb2.Node]):
    """A node of a workflow (``core.Node``).

    What it runs is known as far as it came along with the workflow. Nodes are equal when their definitions are.
    """

    __slots__ = ()
    message_type: ClassVar[type[workflow_pb2.Node]] = workflow_pb2.Node

    @property
    def id(self) -> str:
        """Its id in the workflow, such as ``"n0"``."""
        return self._message.id

    @property
    def kind(self) -> str:
        """What kind of node it is.

        One of ``task``, ``subworkflow``, ``launch_plan``, ``branch``, ``gate``, ``array``, ``start``, ``end``, and
        ``unknown`` for a kind that is newer than this package.
        """
        target = self._message.WhichOneof("target")
        if target == "workflow_node":
            by_plan = self._message.workflow_node.WhichOneof("reference") == "launchplan_ref"
            return "launch_plan" if by_plan else "subworkflow"
        if target is None:
            return {START_NODE: "start", END_NODE: "end"}.get(self.id, "unknown")
        return _KINDS[target]

    @property
    def metadata(self) -> NodeMetadata:
        """How to run it."""
        return NodeMetadata.from_flyte_idl(self._message.metadata)

    @property
    def inputs(self) -> tuple[Binding, ...]:
        """Where its inputs come from."""
        return tuple(map(Binding.from_flyte_idl, self._message.inputs))

    @property
    def upstream_node_ids(self) -> tuple[str, ...]:
        """The nodes that it waits for, besides those that its inputs come from, sorted."""
        return tuple(sorted(self._message.upstream_node_ids))

    @property
    def output_aliases(self) -> dict[str, str]:
        """Other names for its outputs: output to name."""
        return {alias.var: alias.alias for alias in self._message.output_aliases}

    @property
    def task_node(self) -> FlyteTaskNode | None:
        """What it runs, for a task node; None for others."""
        return self._part(FlyteTaskNode, "task_node")

    @property
    def workflow_node(self) -> FlyteWorkflowNode | None:
        """What it runs, for a node that runs a workflow or a launch plan; None for others."""
        return self._part(FlyteWorkflowNode, "workflow_node")

    @property
    def branch_node(self) -> FlyteBranchNode | None:
        """What it chooses from, for a branch node; None for others."""
        return self._part(FlyteBranchNode, "branch_node")

    @property
    def gate_node(self) -> FlyteGateNode | None:
        """What it waits for, for a gate node; None for others."""
        return self._part(FlyteGateNode, "gate_node")

    @property
    def array_node(self) -> FlyteArrayNode | None:
        """What it maps, for an array node; None for others."""
        return self._part(FlyteArrayNode, "array_node")

    @property
    def flyte_entity(
        self,
    ) -> FlyteTask | FlyteWorkflow | FlyteLaunchPlan | FlyteBranchNode | FlyteGateNode | FlyteArrayNode | None:
        """What it runs; None for start and end nodes, and when its definition did not come along."""
        if self.task_node:
            return self.task_node.flyte_task
        if self.workflow_node:
            return self.workflow_node.flyte_workflow or self.workflow_node.flyte_launch_plan
        return self.branch_node or self.gate_node or self.array_node

    def _part(self, value_class: type[P], target: str) -> P | None:
        if not self._message.HasField(target):
            return None
        return value_class.from_flyte_idl(getattr(self._message, target), self._definitions)

    def __repr__(self) -> str:
        return f"FlyteNode({self.id}: {self.kind})"


class FlyteBranchNode(NodeValue[workflow_pb2.BranchNode]):
    """What a branch node chooses from (``core.BranchNode``); the node's ``to_dict()`` has the conditions."""

    __slots__ = ()
    message_type: ClassVar[type[workflow_pb2.BranchNode]] = workflow_pb2.BranchNode

    @property
    def nodes(self) -> tuple[FlyteNode, ...]:
        """The nodes that it chooses from, in the order of the conditions, the last resort at the end."""
        return tuple(FlyteNode.from_flyte_idl(node, self._definitions) for node in nodes_of_branch(self._message))

    @property
    def error(self) -> str:
        """What it fails with when no condition holds; empty when there is a last resort."""
        return self._message.if_else.error.message


class ArrayMode(OpenEnum):
    """How much of a map's items Flyte keeps (``core.ArrayNode.ExecutionMode``)."""

    MINIMAL_STATE = 0
    FULL_STATE = 1


class FlyteArrayNode(NodeValue[workflow_pb2.ArrayNode]):
    """What an array node maps (``core.ArrayNode``)."""

    __slots__ = ()
    message_type: ClassVar[type[workflow_pb2.ArrayNode]] = workflow_pb2.ArrayNode

    @property
    def node(self) -> FlyteNode:
        """What runs for every item."""
        return FlyteNode.from_flyte_idl(self._message.node, self._definitions)

    @property
    def parallelism(self) -> int | None:
        """How many items run at once; None and 0 leave it to the execution."""
        return self._message.parallelism if self._message.WhichOneof("parallelism_option") else None

    @property
    def min_successes(self) -> int | None:
        """How many items must succeed; None when a ratio says so, or nothing."""
        return self._message.min_successes if self._message.WhichOneof("success_criteria") == "min_successes" else None

    @property
    def min_success_ratio(self) -> float | None:
        """Which part of the items must succeed, from 0 to 1; None when a number says so, or nothing."""
        return (
            self._message.min_success_ratio
            if self._message.WhichOneof("success_criteria") == "min_success_ratio"
            else None
        )

    @property
    def execution_mode(self) -> ArrayMode:
        """How much of the items Flyte keeps."""
        return ArrayMode(self._message.execution_mode)

    @property
    def bound_inputs(self) -> tuple[str, ...]:
        """The inputs that are the same for every item."""
        return tuple(self._message.bound_inputs)
