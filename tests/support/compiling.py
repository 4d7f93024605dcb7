"""Compiling what made or recorded registrations say, with all that they need, as a control plane would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from flyteidl.admin import launch_plan_pb2
from flyteidl.core import compiler_pb2, identifier_pb2
from flyteidl.core import workflow_pb2 as core_workflow_pb2
from google.protobuf import json_format

from flyte_remote_async.devserver.compiler import CompileError, compile_task, compile_workflow, requirements

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flyteidl.admin import task_pb2, workflow_pb2

    from tests.support.made_registrations import Registration

__all__ = ["INT", "STR", "World", "identifier", "node", "problems", "promise", "scalar", "template", "within"]

PLACE = {"project": "p", "domain": "d", "version": "v"}
INT: dict[str, Any] = {"simple": "INTEGER"}
STR: dict[str, Any] = {"simple": "STRING"}

Json = dict[str, Any]


def identifier(kind: str, name: str) -> Json:
    """Return an identifier as JSON."""
    return {"resource_type": kind, "name": name, **PLACE}


def variables(types: Mapping[str, Json]) -> Json:
    """Return a map of variables as JSON."""
    return {"variables": {name: {"type": declared} for name, declared in types.items()}}


@attrs.define
class World:
    """Compiled tasks, launch plans and subworkflows, by name."""

    tasks: dict[str, compiler_pb2.CompiledTask] = attrs.field(factory=dict)
    launch_plans: dict[str, launch_plan_pb2.LaunchPlan] = attrs.field(factory=dict)
    sub_workflows: list[core_workflow_pb2.WorkflowTemplate] = attrs.field(factory=list)

    @classmethod
    def small(cls) -> World:
        """Return a world with the tasks ``one`` and ``two`` (integers), ``text``, ``none`` and some launch plans."""
        world = cls()
        world.task("one", {"a": INT}, {"o0": INT})
        world.task("two", {"a": INT, "b": INT}, {"o0": INT})
        world.task("text", {"s": STR}, {"o0": STR})
        world.task("none", {}, {})
        world.launch_plan("lp", {"a": {"required": True}, "b": {"default": scalar(1)["binding"]}}, {"o0": INT})
        return world

    def task(self, name: str, inputs: Mapping[str, Json], outputs: Mapping[str, Json]) -> None:
        """Add a task."""
        interface = {"inputs": variables(inputs), "outputs": variables(outputs)}
        fields = {"template": {"id": identifier("TASK", name), "type": "t", "interface": interface}}
        self.tasks[name] = json_format.ParseDict(fields, compiler_pb2.CompiledTask())

    def launch_plan(self, name: str, inputs: Mapping[str, Json], outputs: Mapping[str, Json]) -> None:
        """Add a launch plan of integer inputs."""
        expected = {key: {"var": {"type": INT}, **behavior} for key, behavior in inputs.items()}
        closure = {"expected_inputs": {"parameters": expected}, "expected_outputs": variables(outputs)}
        fields = {"id": identifier("LAUNCH_PLAN", name), "closure": closure}
        self.launch_plans[name] = json_format.ParseDict(fields, launch_plan_pb2.LaunchPlan())

    def register(self, registration: Registration) -> compiler_pb2.CompiledWorkflowClosure:
        """Compile all that a made registration has; return the main workflow's closure."""
        for task in registration.tasks:
            self.add_task(task)
        for workflow in registration.workflows:
            closure = self.compile_request(workflow)
            plan = launch_plan_pb2.LaunchPlan(id=workflow.id)
            plan.id.resource_type = identifier_pb2.LAUNCH_PLAN
            interface = closure.primary.template.interface
            for name, variable in interface.inputs.variables.items():
                plan.closure.expected_inputs.parameters[name].var.CopyFrom(variable)
                plan.closure.expected_inputs.parameters[name].required = True
            plan.closure.expected_outputs.CopyFrom(interface.outputs)
            self.launch_plans[workflow.id.name] = plan
        return closure

    def add_task(self, request: task_pb2.TaskCreateRequest) -> None:
        """Compile the task of a request, and keep it."""
        request.spec.template.id.CopyFrom(request.id)
        self.tasks[request.id.name] = compile_task(request.spec.template)

    def compile_request(self, request: workflow_pb2.WorkflowCreateRequest) -> compiler_pb2.CompiledWorkflowClosure:
        """Compile the workflow of a request."""
        request.spec.template.id.CopyFrom(request.id)
        return self._compile(request.spec.template, request.spec.sub_workflows)

    def compile(self, whole: Json) -> compiler_pb2.CompiledWorkflowClosure:
        """Compile a workflow given as JSON."""
        return self._compile(json_format.ParseDict(whole, core_workflow_pb2.WorkflowTemplate()), self.sub_workflows)

    def _compile(
        self, primary: core_workflow_pb2.WorkflowTemplate, subs: Iterable[core_workflow_pb2.WorkflowTemplate]
    ) -> compiler_pb2.CompiledWorkflowClosure:
        required = requirements(primary, subs)
        tasks = [self.tasks[each.name] for each in required.tasks if each.name in self.tasks]
        plans = [self.launch_plans[each.name] for each in required.launch_plans if each.name in self.launch_plans]
        return compile_workflow(primary, subs, tasks, plans)


def template(*nodes: Json, name: str = "wf", outputs: Mapping[str, Json] | None = None, **more: Any) -> Json:
    """Return a workflow as JSON: an integer input ``a``, and no outputs unless they are given as bindings."""
    bound = outputs or {}
    interface = {"inputs": variables({"a": INT}), "outputs": variables(dict.fromkeys(bound, INT))}
    bindings = [{"var": key, **binding} for key, binding in bound.items()]
    return {
        "id": identifier("WORKFLOW", name),
        "interface": interface,
        "nodes": list(nodes),
        "outputs": bindings,
        **more,
    }


def node(node_id: str, target: str | Json | None = None, /, *, after: Iterable[str] = (), **bindings: Json) -> Json:
    """Return a node as JSON.

    Args:
        node_id: Its id.
        target: Name of the task that it runs; or the field of the node that says what it runs.
        after: Ids of nodes that it waits for.
        **bindings: What its inputs are bound to; a double underscore stands for a dot.
    """
    run = target if isinstance(target, dict) else {"task_node": {"reference_id": identifier("TASK", target or "one")}}
    inputs = [{"var": name.replace("__", "."), **binding} for name, binding in bindings.items()]
    return {"id": node_id, "inputs": inputs, "upstream_node_ids": list(after), **run}


def promise(node_id: str = "", var: str = "a", **more: Any) -> Json:
    """Return the binding of an output of a node; without a node of an input of the workflow."""
    return {"binding": {"promise": {"node_id": node_id, "var": var, **more}}}


def scalar(value: int | str) -> Json:
    """Return the binding of a value."""
    kind = "integer" if isinstance(value, int) else "string_value"
    return {"binding": {"scalar": {"primitive": {kind: value}}}}


def within(name: str) -> Json:
    """Return what a node that runs a subworkflow has as its target."""
    return {"workflow_node": {"sub_workflow_ref": identifier("WORKFLOW", name)}}


def problems(world: World, whole: Json) -> list[tuple[str, str, str]]:
    """Return code, node id and description of all that is wrong with a workflow; none where it compiles."""
    try:
        world.compile(whole)
    except CompileError as error:
        return [(problem.code, problem.node_id, problem.description) for problem in error.problems]
    return []
