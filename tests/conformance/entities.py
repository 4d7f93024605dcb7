"""What the suite registers: tasks of type echo, and workflows of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from tests.conformance.client import fresh

if TYPE_CHECKING:
    from tests.conformance.client import Flyte

__all__ = [
    "Registered",
    "binding",
    "echo_template",
    "gate_node",
    "interface",
    "plan_spec",
    "task_node",
    "workflow_spec",
]

INTEGER = {"type": {"simple": "INTEGER"}, "description": "a number"}
BOOLEAN = {"type": {"simple": "BOOLEAN"}, "description": "a truth"}


def interface(inputs: dict[str, Any], outputs: dict[str, Any]) -> dict[str, Any]:
    return {"inputs": {"variables": inputs}, "outputs": {"variables": outputs}}


def echo_template(identifier: dict[str, str], **changes: Any) -> dict[str, Any]:
    """Return a task that gives back its input ``a`` as ``o0``, without a container."""
    return {
        "id": identifier,
        "type": "echo",
        "metadata": {"runtime": {"type": "FLYTE_SDK", "version": "1.16.31", "flavor": "python"}, "retries": {}},
        "interface": interface({"a": INTEGER}, {"o0": INTEGER}),
        **changes,
    }


def binding(var: str, node_id: str, output: str) -> dict[str, Any]:
    return {"var": var, "binding": {"promise": {"node_id": node_id, "var": output}}}


def task_node(node_id: str, task: dict[str, str], source: str = "start-node", output: str = "a") -> dict[str, Any]:
    return {
        "id": node_id,
        "metadata": {"name": node_id, "retries": {}},
        "inputs": [binding("a", source, output)],
        "task_node": {"reference_id": task},
    }


def gate_node(node_id: str, **gate: Any) -> dict[str, Any]:
    return {"id": node_id, "metadata": {"name": node_id}, "gate_node": gate}


def workflow_spec(identifier: dict[str, str], nodes: list[Any], outputs: list[Any], **changes: Any) -> dict[str, Any]:
    """Return a workflow of ``a`` to ``o0``."""
    return {
        "template": {
            "id": identifier,
            "metadata": {},
            "interface": interface({"a": INTEGER}, {"o0": INTEGER} if outputs else {}),
            "nodes": nodes,
            "outputs": outputs,
            "metadata_defaults": {},
            **changes,
        }
    }


def plan_spec(workflow: dict[str, str], **changes: Any) -> dict[str, Any]:
    return {"workflow_id": workflow, "entity_metadata": {}, "default_inputs": {}, "fixed_inputs": {}, **changes}


@attrs.frozen
class Registered:
    """A workflow and its launch plan of the same name, of one echo task.

    Attributes:
        flyte: Where.
        task: Identifier of the task.
        workflow: Identifier of the workflow.
        plan: Identifier of the launch plan.
    """

    flyte: Flyte
    task: dict[str, str]
    workflow: dict[str, str]
    plan: dict[str, str]

    @property
    def name(self) -> str:
        return self.workflow["name"]

    @property
    def version(self) -> str:
        return self.workflow["version"]

    def another_plan(self, name: str = "", version: str = "", **spec: Any) -> dict[str, str]:
        """Register another launch plan of the workflow."""
        plan = self.flyte.entity("LAUNCH_PLAN", name or f"conformance.{fresh()}", version or fresh("v"))
        self.flyte("CreateLaunchPlan", id=plan, spec=plan_spec(self.workflow, **spec))
        return plan


def register_echo(flyte: Flyte, **changes: Any) -> dict[str, str]:
    """Register an echo task under a fresh name."""
    task = flyte.entity("TASK", f"conformance.{fresh()}", fresh("v"))
    flyte("CreateTask", id=task, spec={"template": echo_template(task, **changes)})
    return task


def register(
    flyte: Flyte,
    task: dict[str, str],
    nodes: list[Any],
    outputs: list[Any] | None = None,
    template: dict[str, Any] | None = None,
    **spec: Any,
) -> Registered:
    """Register a workflow with its launch plan under fresh names.

    Args:
        flyte: Where.
        task: The task that the nodes are of.
        nodes: The nodes.
        outputs: The bindings of the outputs; by default the output ``o0`` of the last node.
        template: More fields of the workflow's template.
        **spec: More fields of the workflow's spec.
    """
    name, version = f"conformance.{fresh()}", fresh("v")
    workflow = flyte.entity("WORKFLOW", name, version)
    plan = flyte.entity("LAUNCH_PLAN", name, version)
    if outputs is None:
        outputs = [binding("o0", nodes[-1]["id"], "o0")]
    flyte("CreateWorkflow", id=workflow, spec={**workflow_spec(workflow, nodes, outputs, **(template or {})), **spec})
    flyte("CreateLaunchPlan", id=plan, spec=plan_spec(workflow))
    return Registered(flyte, task, workflow, plan)
