"""Workflows, compiled with their subworkflows.

Source: flytepropeller/pkg/compiler/workflow_compiler.go of Flyte 1.16.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyteidl.core import compiler_pb2, workflow_pb2

from flyte_remote_async.devserver.compiler.bindings import add_edges, check_bindings
from flyte_remote_async.devserver.compiler.builder import Interface, Library, NodeBuilder, WorkflowBuilder
from flyte_remote_async.devserver.compiler.graphs import END_NODE, START_NODE, depth_first
from flyte_remote_async.devserver.compiler.interfaces import check_interface
from flyte_remote_async.devserver.compiler.nodes import check_node
from flyte_remote_async.devserver.compiler.problems import CompileError, Problems
from flyte_remote_async.devserver.compiler.references import index_templates, nodes_within, workflows_within
from flyte_remote_async.devserver.golang.prototext import prototext

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from flyteidl.admin import launch_plan_pb2
    from flyteidl.core import tasks_pb2

__all__ = ["compile_workflow"]


def compile_workflow(
    template: workflow_pb2.WorkflowTemplate,
    sub_workflows: Iterable[workflow_pb2.WorkflowTemplate],
    tasks: Iterable[compiler_pb2.CompiledTask],
    launch_plans: Iterable[launch_plan_pb2.LaunchPlan],
) -> compiler_pb2.CompiledWorkflowClosure:
    """Return what Flyte makes of a workflow: checked, with start and end node, connections and all that it refers to.

    What is given is not changed.

    Args:
        template: The workflow.
        sub_workflows: The subworkflows that come with it.
        tasks: The compiled tasks that it and its subworkflows refer to (see :func:`requirements`).
        launch_plans: The launch plans that they refer to; of their closures the expected inputs and outputs are used.

    Raises:
        CompileError: With all that is wrong.
    """
    problems = Problems()
    own_tasks = _own_tasks(tasks)
    templates = [_copy(each) for each in sub_workflows]
    known = dict(index_templates(templates, problems))
    library = Library(
        tasks={prototext(task.id): task for task in own_tasks},
        launch_plans={prototext(plan.id): plan for plan in launch_plans},
        templates=known,
        faceless=frozenset(key for key, each in known.items() if not each.HasField("interface")),
    )
    primary = _copy(template)
    used = workflows_within(primary, known)
    _check_references([*used, primary], library)
    for each in used:
        _compile_inner(each, library)
    compiled = _compile(primary, library, problems)
    if compiled is None:
        raise CompileError(problems.found)
    return compiler_pb2.CompiledWorkflowClosure(
        primary=compiled,
        # Those that no node uses stay as they came.
        sub_workflows=[
            library.compiled.get(prototext(each.id)) or compiler_pb2.CompiledWorkflow(template=each)
            for each in templates
        ],
        tasks=[compiler_pb2.CompiledTask(template=task) for task in own_tasks],
    )


def _copy(template: workflow_pb2.WorkflowTemplate) -> workflow_pb2.WorkflowTemplate:
    copy = workflow_pb2.WorkflowTemplate()
    copy.CopyFrom(template)
    return copy


def _own_tasks(tasks: Iterable[compiler_pb2.CompiledTask]) -> list[tasks_pb2.TaskTemplate]:
    own: dict[str, tasks_pb2.TaskTemplate] = {}
    for task in tasks:
        if not task.template.HasField("id"):
            problems = Problems()
            problems.value_required("task", "Template.Id")
            raise CompileError(problems.found)
        copy = compiler_pb2.CompiledTask()
        copy.CopyFrom(task)
        own.setdefault(prototext(task.template.id), copy.template)
    return list(own.values())


def _check_references(templates: Sequence[workflow_pb2.WorkflowTemplate], library: Library) -> None:
    """Refuse references to what there is not, before anything else is looked at."""
    problems = Problems()
    for node in (node for template in templates for node in nodes_within(template)):
        target = node.workflow_node
        if node.task_node.HasField("reference_id"):
            task = prototext(node.task_node.reference_id)
            if task not in library.tasks:
                problems.no_task(START_NODE, task)
        elif target.HasField("launchplan_ref"):
            plan = prototext(target.launchplan_ref)
            if plan not in library.launch_plans:
                problems.no_workflow(START_NODE, plan)
        elif target.HasField("sub_workflow_ref"):
            workflow = prototext(target.sub_workflow_ref)
            if workflow not in library.templates:
                problems.no_workflow(node.id, workflow)
    if problems:
        raise CompileError(problems.found)


def _compile_inner(template: workflow_pb2.WorkflowTemplate, library: Library) -> None:
    problems = Problems()
    compiled = _compile(template, library, problems)
    key = prototext(template.id)
    if compiled is None:
        library.failed[key] = problems.found
    else:
        library.compiled[key] = compiled


def _compile(
    template: workflow_pb2.WorkflowTemplate, library: Library, problems: Problems
) -> compiler_pb2.CompiledWorkflow | None:
    workflow = WorkflowBuilder(template, library)
    if not template.nodes:
        words = f"Can't find any nodes in workflow [{workflow.key}]."
        problems.add("NoNodesFound", workflow.key, words)
        return None
    interface = Interface.of(template.interface)
    check_interface(START_NODE, interface, problems)
    if problems:
        return None
    end = _add_ends(workflow, interface)
    top = _add_nodes(workflow, problems)
    _link(workflow, top, problems)
    check_bindings(workflow, end, interface.outputs, problems)
    _check_reachable(workflow, problems)
    if problems:
        return None
    # Promises of the outputs are completed where the end node checks them.
    del template.outputs[:]
    template.outputs.extend(end.message.inputs)
    return workflow.compiled()


def _add_ends(workflow: WorkflowBuilder, interface: Interface) -> NodeBuilder:
    """Add the nodes that give the inputs and take the outputs of the workflow; return the latter."""
    workflow.add(NodeBuilder(workflow_pb2.Node(id=START_NODE), Interface(outputs=interface.inputs)))
    end = NodeBuilder(workflow_pb2.Node(id=END_NODE, inputs=workflow.template.outputs), Interface(interface.outputs))
    workflow.add(end)
    return end


def _add_nodes(workflow: WorkflowBuilder, problems: Problems) -> set[str]:
    """Add the nodes of the template, each checked against those before it; return their ids."""
    for message in workflow.template.nodes:
        node = NodeBuilder(message)
        workflow.add(node)
        check_node(workflow, node, problems.scope())
    return {message.id for message in workflow.template.nodes}


def _link(workflow: WorkflowBuilder, top: set[str], problems: Problems) -> None:
    ids = sorted(workflow.nodes)
    for node_id in ids:
        if node_id != START_NODE:
            add_edges(workflow, workflow.nodes[node_id], problems.scope())
    if workflow.template.HasField("failure_node"):
        handler = NodeBuilder(workflow.template.failure_node)
        check_node(workflow, handler, problems.scope())
        add_edges(workflow, handler, problems.scope(), both=False)
    # A node that waits for none, or that none waits for, is part of the run all the same.
    for node_id in ids:
        if node_id in top and node_id not in (START_NODE, END_NODE):
            if node_id not in workflow.upstream:
                workflow.add_edge(START_NODE, node_id)
            if node_id not in workflow.downstream:
                workflow.add_edge(node_id, END_NODE)


def _check_reachable(workflow: WorkflowBuilder, problems: Problems) -> None:
    def waiting(node_id: str) -> Sequence[str]:
        # Flyte takes them in any order; of two cycles it tells any.
        return sorted(workflow.downstream.get(node_id, ()), reverse=True)

    cycle, visited = depth_first(START_NODE, waiting)
    if cycle:
        problems.cycle(START_NODE, cycle)
    elif len(visited) != len(workflow.nodes):
        unreachable = sorted(workflow.nodes.keys() - set(visited) - {END_NODE})
        if unreachable:
            words = f"The Workflow contain unreachable nodes [{','.join(unreachable)}]."
            problems.add("UnreachableNodes", START_NODE, words)
