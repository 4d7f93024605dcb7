"""The definitions of tasks and workflows. Source: ``flyteidl/core/tasks.proto`` and ``workflow.proto``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from flyteidl.core import tasks_pb2, workflow_pb2

from flyte_remote_async.interface import TypedInterface
from flyte_remote_async.models.common import SecurityContext, texts
from flyte_remote_async.models.identifiers import Identifier
from flyte_remote_async.models.parsed import ParsedValue, value_in
from flyte_remote_async.models.structs import struct_to_dict
from flyte_remote_async.models.tasks import Container, ExtendedResources, K8sPod, Sql, TaskMetadata
from flyte_remote_async.models.workflows import Binding, WorkflowMetadata, WorkflowMetadataDefaults, promises_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "END_NODE",
    "START_NODE",
    "TaskTemplate",
    "WorkflowTemplate",
    "all_nodes",
    "as_registered",
    "nodes_of_branch",
    "promoted",
]

START_NODE: Final = "start-node"
END_NODE: Final = "end-node"


class TaskTemplate(ParsedValue[tasks_pb2.TaskTemplate]):
    """The definition of a task (``core.TaskTemplate``)."""

    __slots__ = ()
    message_type: ClassVar[type[tasks_pb2.TaskTemplate]] = tasks_pb2.TaskTemplate

    @property
    def id(self) -> Identifier:
        """What identifies it."""
        return Identifier.from_flyte_idl(self._message.id)

    @property
    def type(self) -> str:
        """What runs it, such as ``"python-task"``."""
        return self._message.type

    @property
    def task_type_version(self) -> int:
        """The version of its type."""
        return self._message.task_type_version

    @property
    def metadata(self) -> TaskMetadata:
        """How to run it."""
        return TaskMetadata.from_flyte_idl(self._message.metadata)

    @property
    def interface(self) -> TypedInterface:
        """Its inputs and outputs."""
        return TypedInterface.from_flyte_idl(self._message.interface)

    @property
    def custom(self) -> dict[str, Any]:
        """What its plugin needs to know."""
        return struct_to_dict(self._message.custom)

    @property
    def config(self) -> Mapping[str, str]:
        """Settings for its plugin."""
        return texts(self._message.config)

    @property
    def container(self) -> Container | None:
        """The container that it runs in; None when it does not."""
        return value_in(Container, self._message, "container")

    @property
    def k8s_pod(self) -> K8sPod | None:
        """The pod that it runs in; None when it does not."""
        return value_in(K8sPod, self._message, "k8s_pod")

    @property
    def sql(self) -> Sql | None:
        """The query that it runs; None when it does not."""
        return value_in(Sql, self._message, "sql")

    @property
    def security_context(self) -> SecurityContext | None:
        """What it runs as; None when nothing is said."""
        return value_in(SecurityContext, self._message, "security_context")

    @property
    def extended_resources(self) -> ExtendedResources | None:
        """The accelerator and shared memory that it asks for; None when it asks for none."""
        return value_in(ExtendedResources, self._message, "extended_resources")


class WorkflowTemplate(ParsedValue[workflow_pb2.WorkflowTemplate]):
    """The definition of a workflow (``core.WorkflowTemplate``); a :class:`FlyteWorkflow` has its nodes."""

    __slots__ = ()
    message_type: ClassVar[type[workflow_pb2.WorkflowTemplate]] = workflow_pb2.WorkflowTemplate

    @property
    def id(self) -> Identifier:
        """What identifies it."""
        return Identifier.from_flyte_idl(self._message.id)

    @property
    def metadata(self) -> WorkflowMetadata:
        """How to run it."""
        return WorkflowMetadata.from_flyte_idl(self._message.metadata)

    @property
    def metadata_defaults(self) -> WorkflowMetadataDefaults:
        """What its nodes do unless they say otherwise."""
        return WorkflowMetadataDefaults.from_flyte_idl(self._message.metadata_defaults)

    @property
    def interface(self) -> TypedInterface:
        """Its inputs and outputs."""
        return TypedInterface.from_flyte_idl(self._message.interface)

    @property
    def outputs(self) -> tuple[Binding, ...]:
        """Where its outputs come from."""
        return tuple(map(Binding.from_flyte_idl, self._message.outputs))


def promoted(compiled: workflow_pb2.WorkflowTemplate) -> workflow_pb2.WorkflowTemplate:
    """Return a workflow without the start and end nodes that Flyte's compiler added.

    The compiler binds what takes an input of the workflow to the start node; without one it is bound to a node without
    a name, as in a workflow that is registered.
    """
    template = workflow_pb2.WorkflowTemplate()
    template.CopyFrom(compiled)
    # Backwards, because deleting moves what comes after.
    for position in reversed(range(len(template.nodes))):
        if template.nodes[position].id in {START_NODE, END_NODE}:
            del template.nodes[position]
    for node in all_nodes(template):
        for binding in node.inputs:
            for promise in promises_in(binding.binding):
                if promise.node_id == START_NODE:
                    promise.node_id = ""
    return template


def as_registered(compiled: workflow_pb2.WorkflowTemplate) -> workflow_pb2.WorkflowTemplate:
    """Return a workflow as it was before it was compiled, so that it can be registered again.

    Besides what :func:`promoted` takes back, the compiler names the nodes inside a branch after the branch: ``n0-n1``.
    """
    template = promoted(compiled)
    if any(node.id == START_NODE for node in compiled.nodes):
        # All names first: a branch inside a branch is renamed itself.
        nodes = [(branch.id, node) for branch in all_nodes(template) for node in nodes_of_branch(branch.branch_node)]
        for branch_id, node in nodes:
            node.id = node.id.removeprefix(f"{branch_id}-")
    return template


def all_nodes(template: workflow_pb2.WorkflowTemplate) -> Iterator[workflow_pb2.Node]:
    """Yield the nodes of a workflow, those inside branches and maps and the failure node included, in any order."""
    waiting = list(template.nodes)
    if template.HasField("failure_node"):
        waiting.append(template.failure_node)
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(nodes_of_branch(node.branch_node))
        if node.array_node.HasField("node"):
            waiting.append(node.array_node.node)


def nodes_of_branch(branch: workflow_pb2.BranchNode) -> list[workflow_pb2.Node]:
    """Return the nodes that a branch chooses from, in the order of its conditions, the last resort at the end."""
    block = branch.if_else
    nodes = [case.then_node for case in (block.case, *block.other) if case.HasField("then_node")]
    if block.HasField("else_node"):
        nodes.append(block.else_node)
    return nodes
