"""A compiled workflow as a graph. Pure."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Final, TypeVar

import attrs
from flyteidl.core import workflow_pb2

from flyte_remote_async.devserver.engine.bindings import promised_nodes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flyteidl.core import compiler_pb2, identifier_pb2, literals_pb2, tasks_pb2

__all__ = ["END_NODE", "START_NODE", "Graph", "Program"]

START_NODE: Final = "start-node"
END_NODE: Final = "end-node"
_FAIL_LATE: Final = workflow_pb2.WorkflowMetadata.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE


def _inner_nodes(node: workflow_pb2.Node) -> Iterator[workflow_pb2.Node]:
    """Yield the nodes that a branch node can go to, at any depth."""
    if not node.HasField("branch_node"):
        return
    if_else = node.branch_node.if_else
    bodies = [if_else.case.then_node, *(block.then_node for block in if_else.other)]
    if if_else.HasField("else_node"):
        bodies.append(if_else.else_node)
    for body in bodies:
        yield body
        yield from _inner_nodes(body)


def _upstream(node: workflow_pb2.Node) -> frozenset[str]:
    # A branch waits for all that its bodies need, so that a body never has to wait inside of it.
    family = (node, *_inner_nodes(node))
    needed = {node_id for member in family for node_id in promised_nodes(member.inputs)}
    needed.update(node_id for member in family for node_id in member.upstream_node_ids)
    return frozenset(needed - {START_NODE, ""} - {member.id for member in family})


@attrs.frozen
class Graph:
    """The nodes of one workflow and what each waits for.

    Attributes:
        nodes: All nodes but start and end, in the order of the workflow.
        upstream: For each node, the nodes that must have succeeded before it.
        outputs: What the workflow's outputs are bound to.
        fails_late: Whether the other nodes go on when one has failed.
        failure_node: What runs when the workflow has failed; None where nothing does.
        interruptible: Whether its nodes may be interrupted where nothing else is said.
    """

    nodes: Mapping[str, workflow_pb2.Node]
    upstream: Mapping[str, frozenset[str]]
    outputs: tuple[literals_pb2.Binding, ...]
    fails_late: bool = False
    failure_node: workflow_pb2.Node | None = None
    interruptible: bool = False

    @classmethod
    def of(cls, compiled: compiler_pb2.CompiledWorkflow) -> Graph:
        """Return the graph of a compiled workflow."""
        template = compiled.template
        failure_node = template.failure_node if template.HasField("failure_node") else None
        # Some compilers list it with the others, though nothing leads to it.
        special = {START_NODE, END_NODE} | ({failure_node.id} if failure_node else set())
        nodes = {node.id: node for node in template.nodes if node.id not in special}
        upstream = {}
        for node_id, node in nodes.items():
            listed = compiled.connections.upstream[node_id].ids if node_id in compiled.connections.upstream else ()
            upstream[node_id] = _upstream(node) | (frozenset(listed) - {START_NODE})
        return cls(
            nodes,
            upstream,
            tuple(template.outputs),
            template.metadata.on_failure == _FAIL_LATE,
            failure_node,
            template.metadata_defaults.interruptible,
        )

    @property
    def end_node(self) -> workflow_pb2.Node:
        """The end node, for which a workflow has nothing but its outputs."""
        return workflow_pb2.Node(id=END_NODE)


T = TypeVar("T")
_Key = tuple[str, str, str, str]


def _key(entity: identifier_pb2.Identifier) -> _Key:
    return entity.project, entity.domain, entity.name, entity.version


class Program:
    """A compiled workflow with all that it refers to."""

    def __init__(self, closure: compiler_pb2.CompiledWorkflowClosure) -> None:
        self.main = Graph.of(closure.primary)
        self._tasks = {_key(task.template.id): task.template for task in closure.tasks}
        self._cached_as: dict[_Key, tasks_pb2.TaskTemplate] = {}
        self._workflows = {_key(compiled.template.id): compiled for compiled in closure.sub_workflows}

    def task(self, entity: identifier_pb2.Identifier) -> tasks_pb2.TaskTemplate:
        """Return a task of the closure.

        Raises:
            LookupError: The closure does not have it.
        """
        return _find(self._tasks, entity)

    def cached_as(self, entity: identifier_pb2.Identifier) -> tasks_pb2.TaskTemplate:
        """Return a task with the interface that its cache counts.

        Raises:
            LookupError: The closure does not have it.
        """
        return self._cached_as.get(_key(entity)) or self.task(entity)

    def with_task(self, template: tasks_pb2.TaskTemplate, cached_as: tasks_pb2.TaskTemplate) -> Program:
        """Return a program that has another task in place of one of these.

        Args:
            template: The task.
            cached_as: The task with the interface that its cache counts.
        """
        program = copy.copy(self)
        program.replace_task(template, cached_as)
        return program

    def replace_task(self, template: tasks_pb2.TaskTemplate, cached_as: tasks_pb2.TaskTemplate) -> None:
        """Have another task in place of one of these; see :meth:`with_task`."""
        self._tasks = self._tasks | {_key(template.id): template}
        self._cached_as = self._cached_as | {_key(template.id): cached_as}

    def subworkflow(self, entity: identifier_pb2.Identifier) -> Graph:
        """Return the graph of a subworkflow of the closure.

        Raises:
            LookupError: The closure does not have it.
        """
        return Graph.of(_find(self._workflows, entity))


def _find(entities: Mapping[_Key, T], entity: identifier_pb2.Identifier) -> T:
    try:
        return entities[_key(entity)]
    except KeyError:
        raise LookupError(f"{entity.name}:{entity.version} is not part of the compiled workflow") from None
