"""A workflow while it is compiled: nodes with their interfaces, and the edges between them.

Source: flytepropeller/pkg/compiler/builders.go of Flyte 1.16.8.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from typing import TYPE_CHECKING

import attrs
from flyteidl.core import compiler_pb2

from flyte_remote_async.devserver.compiler.graphs import START_NODE
from flyte_remote_async.devserver.golang.prototext import prototext

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flyteidl.admin import launch_plan_pb2
    from flyteidl.core import condition_pb2, interface_pb2, tasks_pb2, workflow_pb2

    from flyte_remote_async.devserver.compiler.problems import Problem

__all__ = ["Interface", "Library", "NodeBuilder", "WorkflowBuilder"]


@attrs.frozen
class Interface:
    """What goes into a node and what comes out.

    Attributes:
        inputs: Variables by name.
        outputs: Variables by name.
    """

    inputs: Mapping[str, interface_pb2.Variable] = attrs.field(factory=dict)
    outputs: Mapping[str, interface_pb2.Variable] = attrs.field(factory=dict)

    @classmethod
    def of(cls, declared: interface_pb2.TypedInterface) -> Interface:
        """Return a declared interface. Sides that it leaves out are set in it, as Flyte's compiler does."""
        declared.inputs.SetInParent()
        declared.outputs.SetInParent()
        return cls(dict(declared.inputs.variables), dict(declared.outputs.variables))


@attrs.define
class Library:
    """What the workflows of one compilation refer to, by identifier as text; nothing of it is missing.

    Attributes:
        tasks: Tasks.
        launch_plans: Launch plans.
        templates: Subworkflows.
        faceless: Those of them that came without an interface.
        compiled: Subworkflows that compiled.
        failed: Subworkflows that did not compile, with what is wrong.
    """

    tasks: dict[str, tasks_pb2.TaskTemplate]
    launch_plans: dict[str, launch_plan_pb2.LaunchPlan]
    templates: dict[str, workflow_pb2.WorkflowTemplate]
    faceless: frozenset[str]
    compiled: dict[str, compiler_pb2.CompiledWorkflow] = attrs.field(factory=dict)
    failed: dict[str, frozenset[Problem]] = attrs.field(factory=dict)


class NodeBuilder:
    """A node while it is compiled. It changes its message, which is the compilation's own."""

    def __init__(self, message: workflow_pb2.Node, interface: Interface | None = None) -> None:
        self.message = message
        #: None until it is known, and where it cannot be.
        self.interface = interface

    @property
    def id(self) -> str:
        """Its id."""
        return self.message.id

    @functools.cached_property
    def cases(self) -> Sequence[tuple[condition_pb2.BooleanExpression | None, NodeBuilder | None]]:
        """The cases of a branch node: condition and node, each None where it is not set."""
        if_else = self.message.branch_node.if_else
        blocks = [if_else.case] if if_else.HasField("case") else []
        return [
            (
                block.condition if block.HasField("condition") else None,
                NodeBuilder(block.then_node) if block.HasField("then_node") else None,
            )
            for block in (*blocks, *if_else.other)
        ]

    @functools.cached_property
    def otherwise(self) -> NodeBuilder | None:
        """The node that a branch node runs when no condition holds, where it has one."""
        if_else = self.message.branch_node.if_else
        return NodeBuilder(if_else.else_node) if if_else.HasField("else_node") else None

    @functools.cached_property
    def repeated(self) -> NodeBuilder:
        """The node that an array node runs for each element."""
        return NodeBuilder(self.message.array_node.node)

    def binds(self, name: str) -> bool:
        """Return whether something is bound to an input."""
        return any(binding.var == name for binding in self.message.inputs)


class WorkflowBuilder:
    """One workflow while it is compiled.

    Attributes:
        template: Its template.
        library: What it may refer to.
        nodes: Its nodes by id, in order; without those inside of branches and arrays.
        upstream: Node id to the ids of the nodes that it waits for.
        downstream: Node id to the ids of the nodes that wait for it.
    """

    def __init__(self, template: workflow_pb2.WorkflowTemplate, library: Library) -> None:
        self.template = template
        self.library = library
        self.nodes: dict[str, NodeBuilder] = {}
        self.upstream: defaultdict[str, set[str]] = defaultdict(set)
        self.downstream: defaultdict[str, set[str]] = defaultdict(set)

    @functools.cached_property
    def key(self) -> str:
        """Its identifier as text."""
        return prototext(self.template.id)

    def add(self, node: NodeBuilder) -> None:
        """Add a node; where its id is taken the first one stays, as in Flyte."""
        self.nodes.setdefault(node.id, node)

    def add_edge(self, first: str, then: str, *, both: bool = True) -> None:
        """Let a node wait for another.

        Args:
            first: Id of the node that runs first; empty is the start node.
            then: Id of the node that waits.
            both: Whether both ends know the edge; else only the one that waits.
        """
        first = first or START_NODE
        self.upstream[then].add(first)
        if both:
            self.downstream[first].add(then)

    def compiled(self) -> compiler_pb2.CompiledWorkflow:
        """Return the workflow with all its nodes and connections."""
        whole = compiler_pb2.CompiledWorkflow(template=self.template)
        del whole.template.nodes[:]
        whole.template.nodes.extend(node.message for node in self.nodes.values())
        whole.connections.SetInParent()
        for edges, connections in (
            (self.upstream, whole.connections.upstream),
            (self.downstream, whole.connections.downstream),
        ):
            for node_id, ids in edges.items():
                connections[node_id].ids.extend(sorted(ids))
        return whole
