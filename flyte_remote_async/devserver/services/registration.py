"""Registering tasks and launch plans, and activating launch plans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flyteidl.admin import common_pb2, launch_plan_pb2, task_pb2
from flyteidl.core import identifier_pb2

from flyte_remote_async.devserver.filters import equals
from flyte_remote_async.devserver.services.entities import no_entity
from flyte_remote_async.devserver.services.expected_inputs import expected_inputs
from flyte_remote_async.devserver.services.listing import query
from flyte_remote_async.devserver.services.refusals import (
    check_entity,
    check_labels,
    check_place,
    differences,
    missing,
)
from flyte_remote_async.errors import AlreadyExistsError, InvalidArgumentError
from flyte_remote_async.transport import methods

if TYPE_CHECKING:
    from flyteidl.core import interface_pb2

    from flyte_remote_async.devserver.dispatch import Registry
    from flyte_remote_async.devserver.store import Store

__all__ = ["RegistrationService"]

_CRON_FIELDS: Final = 5


class RegistrationService:
    """The RPCs that register, and the one that activates."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def register(self, registry: Registry) -> None:
        """Add the RPCs of this service."""
        registry.add(methods.CREATE_TASK, self.create_task)
        registry.add(methods.CREATE_LAUNCH_PLAN, self.create_launch_plan)
        registry.add(methods.UPDATE_LAUNCH_PLAN, self.update_launch_plan)

    async def create_task(self, request: task_pb2.TaskCreateRequest) -> task_pb2.TaskCreateResponse:
        """Serve CreateTask; a version that is taken is refused, with the difference when there is one."""
        check_entity(request, "id", identifier_pb2.TASK)
        await check_place(self._store, request.id.project, request.id.domain)
        _check_template(request)
        task = task_pb2.Task(id=request.id)
        task.short_description = request.spec.description.short_description
        task.closure.compiled_task.template.CopyFrom(request.spec.template)
        task.closure.compiled_task.template.id.CopyFrom(request.id)
        task.closure.created_at.GetCurrentTime()
        if not await self._store.add_task(task):
            taken = await self._store.get_task(request.id)
            before = taken.closure.compiled_task if taken else task.closure.compiled_task
            raise _taken("task", request.id.name, before, task.closure.compiled_task)
        return task_pb2.TaskCreateResponse()

    async def create_launch_plan(
        self, request: launch_plan_pb2.LaunchPlanCreateRequest
    ) -> launch_plan_pb2.LaunchPlanCreateResponse:
        """Serve CreateLaunchPlan: inactive at first, with the workflow's inputs that it neither fixes nor defaults."""
        check_entity(request.spec, "workflow_id", identifier_pb2.WORKFLOW)
        workflow = await self._store.get_workflow(request.spec.workflow_id)
        if workflow is None:
            raise no_entity("WORKFLOW", request.spec.workflow_id)
        check_entity(request, "id", identifier_pb2.LAUNCH_PLAN)
        await check_place(self._store, request.id.project, request.id.domain)
        check_labels(request.spec.labels)
        interface = workflow.closure.compiled_workflow.primary.template.interface
        expected = expected_inputs(interface.inputs, request.spec.fixed_inputs, request.spec.default_inputs)
        _check_schedule(request.spec, expected)
        plan = launch_plan_pb2.LaunchPlan(id=request.id, spec=request.spec)
        plan.spec.default_inputs.CopyFrom(expected)
        plan.closure.expected_inputs.CopyFrom(expected)
        plan.closure.expected_outputs.CopyFrom(interface.outputs)
        plan.closure.created_at.GetCurrentTime()
        plan.closure.updated_at.CopyFrom(plan.closure.created_at)
        if not await self._store.add_launch_plan(plan):
            taken = await self._store.get_launch_plan(request.id)
            raise _taken("launch plan", request.id.name, taken.spec if taken else plan.spec, plan.spec)
        return launch_plan_pb2.LaunchPlanCreateResponse()

    async def update_launch_plan(
        self, request: launch_plan_pb2.LaunchPlanUpdateRequest
    ) -> launch_plan_pb2.LaunchPlanUpdateResponse:
        """Serve UpdateLaunchPlan: one version of a name is active at most, so activating one ends the other."""
        plan = await self._store.get_launch_plan(request.id)
        if plan is None:
            raise no_entity("LAUNCH_PLAN", request.id)
        name = {"project": plan.id.project, "domain": plan.id.domain, "name": plan.id.name}
        everything = common_pb2.ResourceListRequest(limit=2**31 - 1)
        asked = query("UpdateLaunchPlan", "launch_plans", everything, equals("launch_plans", **name, state=1))
        active = [launch_plan_pb2.LaunchPlan.FromString(data) for data in await self._store.page(asked)]
        async with self._store.transaction() as together:
            if request.state == launch_plan_pb2.ACTIVE:
                for other in active:
                    other.closure.state = launch_plan_pb2.INACTIVE
                    together.put_launch_plan(other)
            plan.closure.state = request.state
            together.put_launch_plan(plan)
        return launch_plan_pb2.LaunchPlanUpdateResponse()


def _check_template(request: task_pb2.TaskCreateRequest) -> None:
    if not (request.HasField("spec") and request.spec.HasField("template")):
        raise missing("spec")
    template = request.spec.template
    if not template.type:
        raise missing("type")
    if not template.HasField("metadata"):
        raise missing("metadata")
    if template.metadata.HasField("runtime") and not template.metadata.runtime.version:
        raise missing("runtime version")
    if not template.HasField("interface"):
        raise missing("typed interface")
    if template.HasField("container") and not template.container.image:
        raise missing("image")


def _check_schedule(spec: launch_plan_pb2.LaunchPlanSpec, expected: interface_pb2.ParameterMap) -> None:
    schedule = spec.entity_metadata.schedule
    kind = schedule.WhichOneof("ScheduleExpression")
    if kind is None:
        return
    kickoff = schedule.kickoff_time_input_arg
    for name, parameter in expected.parameters.items():
        if parameter.required and name != kickoff:
            raise InvalidArgumentError(
                "Cannot create a launch plan with a schedule if there is an unbound required input. "
                f"[{name}] is required"
            )
    if kickoff and kickoff not in expected.parameters:
        raise InvalidArgumentError(
            "Cannot create a schedule with a KickoffTimeInputArg that does not point to a free input. "
            f"[{kickoff}] is not free or does not exist."
        )
    expression = schedule.cron_expression if kind == "cron_expression" else schedule.cron_schedule.schedule
    fields = expression.split()
    if kind != "rate" and fields and not fields[0].startswith("@") and len(fields) != _CRON_FIELDS:
        listed = f"[{' '.join(fields)}]"
        raise InvalidArgumentError(
            f"Invalid cron expression: expected exactly {_CRON_FIELDS} fields, found {len(fields)}: {listed}"
        )


def _taken(kind: str, name: str, old: Any, new: Any) -> AlreadyExistsError | InvalidArgumentError:
    if old == new:
        return AlreadyExistsError(f"{kind} with identical structure already exists")
    return InvalidArgumentError(
        f"{name} {kind} with different structure already exists. "
        f"(Please register a new version of the {kind}):\n{differences(old, new)}"
    )
