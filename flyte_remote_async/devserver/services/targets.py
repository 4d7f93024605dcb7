"""What an execution is of: a launch plan and its workflow, or a task, for which Flyte generates both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from flyteidl.admin import common_pb2, launch_plan_pb2
from flyteidl.core import identifier_pb2, interface_pb2, literals_pb2

from flyte_remote_async.devserver.engine.launching import single_task_workflow
from flyte_remote_async.devserver.services.entities import no_entity
from flyte_remote_async.devserver.services.expected_inputs import expected_inputs

if TYPE_CHECKING:
    import datetime as dt

    from flyteidl.admin import execution_pb2, task_pb2, workflow_pb2

    from flyte_remote_async.devserver.store import Store
    from flyte_remote_async.errors import NotFoundError

__all__ = ["Target", "find_target"]


@attrs.frozen
class Target:
    """What an execution is of.

    Attributes:
        plan: The launch plan; for a task, the generated one.
        workflow: The workflow; None where it is not there.
        is_task: Whether it is a task that is to be executed.
    """

    plan: launch_plan_pb2.LaunchPlan
    workflow: workflow_pb2.Workflow | None
    is_task: bool

    @property
    def workflow_id(self) -> identifier_pb2.Identifier:
        """Identifier of the workflow."""
        return self.workflow.id if self.workflow is not None else self.plan.spec.workflow_id

    @property
    def absent(self) -> NotFoundError:
        """The refusal of a launch plan whose workflow is not there."""
        return no_entity("WORKFLOW", self.plan.spec.workflow_id)


async def find_target(store: Store, spec: execution_pb2.ExecutionSpec, now: dt.datetime) -> Target:
    """Return what an execution is of.

    Args:
        store: Where the entities are. For a task, its workflow and launch plan are put there.
        spec: What is asked for.
        now: The present instant, aware.

    Raises:
        NotFoundError: There is no such launch plan or task.
    """
    entity = spec.launch_plan
    if entity.resource_type == identifier_pb2.TASK:
        return await _of_task(store, spec, now)
    plan = await store.get_launch_plan(entity)
    if plan is None:
        raise no_entity("LAUNCH_PLAN", entity)
    return Target(plan, await store.get_workflow(plan.spec.workflow_id), is_task=False)


async def _of_task(store: Store, spec: execution_pb2.ExecutionSpec, now: dt.datetime) -> Target:
    task = await store.get_task(spec.launch_plan)
    if task is None:
        raise no_entity("TASK", spec.launch_plan)
    workflow = single_task_workflow(task)
    workflow.closure.created_at.FromDatetime(now)
    if await store.add_workflow(workflow):
        await _mark_generated(store, workflow.id)
    else:
        workflow = await store.get_workflow(workflow.id) or workflow
    plan = _generated_plan(task, workflow.id, spec, now)
    if await store.add_launch_plan(plan):
        await _mark_generated(store, plan.id)
    else:
        plan = await store.get_launch_plan(plan.id) or plan
    return Target(plan, workflow, is_task=True)


def _generated_plan(
    task: task_pb2.Task, workflow_id: identifier_pb2.Identifier, spec: execution_pb2.ExecutionSpec, now: dt.datetime
) -> launch_plan_pb2.LaunchPlan:
    interface = task.closure.compiled_task.template.interface
    plan = launch_plan_pb2.LaunchPlan(
        id=workflow_id, spec={"entity_metadata": {}, "fixed_inputs": {}, "labels": {}, "annotations": {}}
    )
    plan.id.resource_type = identifier_pb2.LAUNCH_PLAN
    # Flyte names the task here, and not the workflow that it generated.
    plan.spec.workflow_id.CopyFrom(task.id)
    plan.spec.workflow_id.resource_type = identifier_pb2.WORKFLOW
    for field in ("auth_role", "security_context"):
        if spec.HasField(field):
            getattr(plan.spec, field).CopyFrom(getattr(spec, field))
    expected = expected_inputs(interface.inputs, literals_pb2.LiteralMap(), interface_pb2.ParameterMap())
    plan.spec.default_inputs.CopyFrom(expected)
    plan.closure.expected_inputs.CopyFrom(expected)
    plan.closure.expected_outputs.CopyFrom(interface.outputs)
    plan.closure.created_at.FromDatetime(now)
    plan.closure.updated_at.FromDatetime(now)
    return plan


async def _mark_generated(store: Store, identifier: identifier_pb2.Identifier) -> None:
    name = {"project": identifier.project, "domain": identifier.domain, "name": identifier.name}
    await store.put_named_entity(
        common_pb2.NamedEntity(
            resource_type=identifier.resource_type, id=name, metadata={"state": common_pb2.SYSTEM_GENERATED}
        )
    )
