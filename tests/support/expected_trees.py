"""What the trees of the recorded executions are, told by flyteidl alone.

This is the other witness: it knows nothing of the package, and tells the kinds of nodes from the definitions of
workflows where the package goes by what the nodes left behind, so it can disagree.
``python -m tests.support.expected_trees`` writes the file anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
from flyteidl.admin import task_execution_pb2
from flyteidl.core import execution_pb2

from tests.support.recordings import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flyteidl.admin import node_execution_pb2
    from flyteidl.core import compiler_pb2, workflow_pb2

    from tests.support.recordings import Recordings

__all__ = ["FILE", "derive", "render"]

FILE = Path(__file__).parent.parent / "data" / "expected_trees.json"

Tree: TypeAlias = dict[str, Any]


@attrs.frozen
class Scope:
    """The definitions that a level of nodes was made from: the nodes of one workflow, and the closure around it."""

    closure: compiler_pb2.CompiledWorkflowClosure
    nodes: Mapping[str, workflow_pb2.Node]

    @classmethod
    def of(cls, closure: compiler_pb2.CompiledWorkflowClosure, template: workflow_pb2.WorkflowTemplate) -> Scope:
        nodes = {node.id: node for top in (*template.nodes, template.failure_node) for node in _with_branches(top)}
        return cls(closure, nodes)

    def below(self, definition: workflow_pb2.Node) -> Scope:
        """Return the scope of the nodes below a subworkflow node; those below a branch are in the same scope."""
        if definition.workflow_node.WhichOneof("reference") != "sub_workflow_ref":
            return self
        wanted = definition.workflow_node.sub_workflow_ref
        (found,) = (sub.template for sub in self.closure.sub_workflows if sub.template.id == wanted)
        return Scope.of(self.closure, found)


def _with_branches(node: workflow_pb2.Node) -> Iterator[workflow_pb2.Node]:
    yield node
    if node.WhichOneof("target") == "branch_node":
        choice = node.branch_node.if_else
        for then in (choice.case.then_node, *(block.then_node for block in choice.other), choice.else_node):
            yield from _with_branches(then)


def _kind(definition: workflow_pb2.Node, *, compiled_at_run_time: bool) -> str:
    if definition.id in {"start-node", "end-node"}:
        return str(definition.id).removesuffix("-node")
    target = definition.WhichOneof("target")
    if target == "workflow_node":
        reference = definition.workflow_node.WhichOneof("reference")
        return "launch_plan" if reference == "launchplan_ref" else "subworkflow"
    if target == "task_node":
        return "dynamic" if compiled_at_run_time else "task"
    return str(target).removesuffix("_node")


class Deriver:
    """Derives trees from recordings."""

    def __init__(self, recordings: Recordings) -> None:
        self.recordings = recordings
        self.dynamic = {
            record.key: record.message.compiled_workflow for record in recordings.of_kind("DYNAMIC_WORKFLOW")
        }
        self.children: dict[tuple[str, str], list[node_execution_pb2.NodeExecution]] = {}
        for record in recordings.of_kind("NODE_EXECUTION"):
            path, _, parent = record.key.partition("|")
            self.children.setdefault((path.partition("/")[0], parent), []).append(record.message)
        self.attempts: dict[tuple[str, str], list[task_execution_pb2.TaskExecution]] = {}
        for message in recordings.messages(task_execution_pb2.TaskExecution):
            node = message.id.node_execution_id
            self.attempts.setdefault((node.execution_id.name, node.node_id), []).append(message)

    def execution(self, name: str) -> Tree:
        """Return an execution with all that is below it."""
        message = self.recordings.get("EXECUTION", name)
        workflow = message.closure.workflow_id
        key = f"{workflow.project}/{workflow.domain}/{workflow.name}/{workflow.version}"
        closure = self.recordings.get("WORKFLOW", key).closure.compiled_workflow
        return {
            "name": name,
            "phase": execution_pb2.WorkflowExecution.Phase.Name(message.closure.phase),
            "error_code": message.closure.error.code or None,
            "nodes": self.level(name, "", Scope.of(closure, closure.primary.template)),
        }

    def level(self, execution: str, parent: str, scope: Scope) -> list[Tree]:
        """Return the nodes below one node; below the execution itself where the parent is ""."""
        nodes = self.children.get((execution, parent), [])
        order = [(node.closure.created_at.ToNanoseconds(), node.id.node_id) for node in nodes]
        return [self.node(node, scope) for _, node in sorted(zip(order, nodes, strict=True), key=lambda pair: pair[0])]

    def node(self, message: node_execution_pb2.NodeExecution, scope: Scope) -> Tree:
        """Return a node with all that is below it."""
        execution, node_id = message.id.execution_id.name, message.id.node_id
        definition = scope.nodes[message.metadata.spec_node_id]
        made_at_run_time = self.dynamic.get(f"{execution}/{node_id}")
        if made_at_run_time is None:
            below = scope.below(definition)
        else:
            below = Scope.of(made_at_run_time, made_at_run_time.primary.template)
        started = message.closure.workflow_node_metadata.executionId.name
        return {
            "node_id": node_id,
            "spec_node_id": definition.id,
            "kind": _kind(definition, compiled_at_run_time=made_at_run_time is not None),
            "phase": execution_pb2.NodeExecution.Phase.Name(message.closure.phase),
            "error_code": message.closure.error.code or None,
            "attempts": [_attempt(attempt) for attempt in self.tries(execution, node_id)],
            "children": self.level(execution, node_id, below),
            "executions": [self.execution(started)] if started else [],
        }

    def tries(self, execution: str, node_id: str) -> list[task_execution_pb2.TaskExecution]:
        """Return the attempts of a node, the first one first."""
        return sorted(self.attempts.get((execution, node_id), []), key=lambda attempt: attempt.id.retry_attempt)


def _attempt(message: task_execution_pb2.TaskExecution) -> Tree:
    return {
        "attempt": message.id.retry_attempt,
        "task": message.id.task_id.name,
        "phase": execution_pb2.TaskExecution.Phase.Name(message.closure.phase),
        "error_code": message.closure.error.code or None,
    }


def derive(recordings: Recordings) -> dict[str, Tree]:
    """Return execution name to tree, for each recorded execution."""
    deriver = Deriver(recordings)
    return {name: deriver.execution(name) for name in sorted(recordings.executions)}


def render(trees: Mapping[str, Tree]) -> str:
    """Return the text of the file."""
    return json.dumps(trees, indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(render(derive(load())))
