"""Completes what a stand-in asks for by name: with identifiers, and with the entities themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyteidl.core import identifier_pb2

from flyte_remote_async.devserver.engine.graph import END_NODE, START_NODE

if TYPE_CHECKING:
    from flyteidl.core import dynamic_job_pb2, workflow_pb2

    from flyte_remote_async.devserver.store import Store

__all__ = ["complete_spec"]


async def complete_spec(store: Store, spec: dynamic_job_pb2.DynamicJobSpec, task_id: identifier_pb2.Identifier) -> None:
    """Complete the entities that have nothing but a name; those that a real task refers to are complete already.

    Args:
        store: Where the entities are.
        spec: The workflow that a task asks for; it is changed.
        task_id: The task: its project, domain and version are those of the entities.
    """
    for node in spec.nodes:
        for reference in (
            node.task_node.reference_id,
            node.workflow_node.sub_workflow_ref,
            node.workflow_node.launchplan_ref,
        ):
            if reference.name and not reference.version:
                reference.project, reference.domain, reference.version = (
                    task_id.project,
                    task_id.domain,
                    task_id.version,
                )
                await _add_entity(store, spec, reference)


async def _add_entity(store: Store, spec: dynamic_job_pb2.DynamicJobSpec, reference: identifier_pb2.Identifier) -> None:
    """Add a task or a workflow, with all that it refers to; launch plans are looked up by whoever compiles."""
    if reference.resource_type == identifier_pb2.TASK:
        task = await store.get_task(reference)
        if task is not None:
            spec.tasks.append(task.closure.compiled_task.template)
    elif reference.resource_type == identifier_pb2.WORKFLOW:
        workflow = await store.get_workflow(reference)
        if workflow is not None:
            closure = workflow.closure.compiled_workflow
            spec.tasks.extend(task.template for task in closure.tasks)
            for compiled in (closure.primary, *closure.sub_workflows):
                if all(compiled.template.id != known.id for known in spec.subworkflows):
                    _add_template(spec, compiled.template)


def _add_template(spec: dynamic_job_pb2.DynamicJobSpec, compiled: workflow_pb2.WorkflowTemplate) -> None:
    """Add a workflow as it was before it was compiled: without start and end node."""
    template = spec.subworkflows.add()
    template.CopyFrom(compiled)
    del template.nodes[:]
    template.nodes.extend(node for node in compiled.nodes if node.id not in {START_NODE, END_NODE})
