"""Registering tasks, workflows and launch plans, and activating launch plans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread
from flyteidl.admin import common_pb2, description_entity_pb2, launch_plan_pb2, task_pb2, workflow_pb2
from flyteidl.core import compiler_pb2, identifier_pb2

from flyte_remote_async.devserver.golang.prototext import prototext
from flyte_remote_async.devserver.golang.references import BadReferenceError, constructed
from flyte_remote_async.devserver.naming import BUCKET
from flyte_remote_async.devserver.services.entities import no_entity
from flyte_remote_async.devserver.services.expected_inputs import expected_inputs
from flyte_remote_async.devserver.services.launch_plan_checks import check_entity_metadata
from flyte_remote_async.devserver.services.listing import query
from flyte_remote_async.devserver.services.refusals import (
    check_entity,
    check_labels,
    check_place,
    imply_kind,
    missing,
    with_details,
)
from flyte_remote_async.devserver.store.filters import equals
from flyte_remote_async.devserver.store.sql import EVERYTHING
from flyte_remote_async.errors import AlreadyExistsError, InternalError, InvalidArgumentError, NotFoundError
from flyte_remote_async.transport import methods

if TYPE_CHECKING:
    from flyte_remote_async.devserver.faces.dispatch import Registry
    from flyte_remote_async.devserver.store import Store

__all__ = ["RegistrationService"]

_MOST_NODES: Final = 100
_OWN_NODES: Final = 2
_IDENTICAL: Final = "{} with identical structure already exists"

# The compiler, what checks tasks, and what compares are imported where they are used: many servers register nothing.


class RegistrationService:
    """The RPCs that register, and the one that activates."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # Who else activates a version meanwhile would find the same one to deactivate.
        self._activating = anyio.Lock()

    def register(self, registry: Registry) -> None:
        """Add the RPCs of this service."""
        registry.add(methods.CREATE_TASK, self.create_task)
        registry.add(methods.CREATE_WORKFLOW, self.create_workflow)
        registry.add(methods.CREATE_LAUNCH_PLAN, self.create_launch_plan)
        registry.add(methods.UPDATE_LAUNCH_PLAN, self.update_launch_plan)

    async def create_task(self, request: task_pb2.TaskCreateRequest) -> task_pb2.TaskCreateResponse:
        """Serve CreateTask; a version that is taken is refused, with the difference when there is one."""
        from flyte_remote_async.devserver.compiler import CompileError, compile_task
        from flyte_remote_async.devserver.services.task_checks import check_task

        check_entity(request, "id", identifier_pb2.TASK)
        await check_place(self._store, request.id.project, request.id.domain)
        check_task(request)
        request.spec.template.id.CopyFrom(request.id)
        try:
            compiled = compile_task(request.spec.template)
        except CompileError as error:
            raise InvalidArgumentError(f"task failed compilation with {error}") from error
        task = task_pb2.Task(id=request.id, short_description=request.spec.description.short_description)
        task.closure.compiled_task.CopyFrom(compiled)
        task.closure.created_at.GetCurrentTime()
        if not await self._store.add_task(task):
            taken = await self._store.get_task(request.id)
            before = taken.closure.compiled_task if taken else compiled
            if before == compiled:
                raise AlreadyExistsError(_IDENTICAL.format("task"))
            raise InvalidArgumentError(_different("task", request.id.name, before, compiled))
        await self._describe(request.id, request.spec)
        return task_pb2.TaskCreateResponse()

    async def create_workflow(self, request: workflow_pb2.WorkflowCreateRequest) -> workflow_pb2.WorkflowCreateResponse:
        """Serve CreateWorkflow: compile it, and refuse a version that is taken as CreateTask does."""
        from flyte_remote_async.devserver.compiler import CompileError, CrashError

        check_entity(request, "id", identifier_pb2.WORKFLOW)
        await check_place(self._store, request.id.project, request.id.domain)
        if not (request.HasField("spec") and request.spec.HasField("template")):
            raise missing("spec")
        request.spec.template.id.CopyFrom(request.id)
        try:
            closure = await self._compile(request.spec)
        except CrashError as error:
            raise InternalError(f"Flyte's compiler crashes on this workflow: {error}") from error
        except (CompileError, InvalidArgumentError, NotFoundError) as error:
            reason = str(error) if isinstance(error, CompileError) else error.details
            raise InvalidArgumentError(
                f"failed to compile workflow for [{prototext(request.id)}] with err: {reason}"
            ) from error
        _check_location(request.id)
        _check_size(request.id, closure)
        workflow = workflow_pb2.Workflow(id=request.id, short_description=request.spec.description.short_description)
        workflow.closure.compiled_workflow.CopyFrom(closure)
        workflow.closure.created_at.GetCurrentTime()
        if not await self._store.add_workflow(workflow):
            raise _workflow_taken(request.id, await self._store.get_workflow(request.id), closure)
        await self._describe(request.id, request.spec)
        return workflow_pb2.WorkflowCreateResponse()

    async def _compile(self, spec: workflow_pb2.WorkflowSpec) -> compiler_pb2.CompiledWorkflowClosure:
        from flyte_remote_async.devserver.compiler import CompileError, compile_workflow, requirements

        try:
            required = requirements(spec.template, spec.sub_workflows)
        except CompileError as error:
            raise InvalidArgumentError(f"failed to get workflow requirements with err {error}") from error
        tasks = []
        for reference in required.tasks:
            task = await self._store.get_task(reference)
            if task is None:
                raise no_entity("TASK", reference)
            tasks.append(task.closure.compiled_task)
        launch_plans = []
        for reference in required.launch_plans:
            plan = await self._store.get_launch_plan(reference)
            if plan is None:
                raise no_entity("LAUNCH_PLAN", reference)
            # Nodes may leave out the type of their reference, or parts of it.
            plan.id.CopyFrom(reference)
            launch_plans.append(plan)
        # A thousand nodes take fifty milliseconds, which others are not to wait for.
        return await anyio.to_thread.run_sync(compile_workflow, spec.template, spec.sub_workflows, tasks, launch_plans)

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
        # A time zone in a schedule is looked up in files.
        await anyio.to_thread.run_sync(check_entity_metadata, request.spec, expected)
        plan = launch_plan_pb2.LaunchPlan(id=request.id, spec=request.spec)
        plan.spec.default_inputs.CopyFrom(expected)
        plan.closure.expected_inputs.CopyFrom(expected)
        plan.closure.expected_outputs.CopyFrom(interface.outputs)
        plan.closure.created_at.GetCurrentTime()
        plan.closure.updated_at.CopyFrom(plan.closure.created_at)
        if not await self._store.add_launch_plan(plan):
            taken = await self._store.get_launch_plan(request.id)
            before = taken.spec if taken else plan.spec
            if before == plan.spec:
                raise AlreadyExistsError(_IDENTICAL.format("launch plan"))
            raise InvalidArgumentError(_different("launch plan", request.id.name, before, plan.spec))
        return launch_plan_pb2.LaunchPlanCreateResponse()

    async def update_launch_plan(
        self, request: launch_plan_pb2.LaunchPlanUpdateRequest
    ) -> launch_plan_pb2.LaunchPlanUpdateResponse:
        """Serve UpdateLaunchPlan: one version of a name is active at most, so activating one ends the other."""
        if request.HasField("id"):
            imply_kind(request.id, identifier_pb2.LAUNCH_PLAN)
        if request.state == launch_plan_pb2.INACTIVE:
            check_entity(request, "id", identifier_pb2.LAUNCH_PLAN)
        elif request.state != launch_plan_pb2.ACTIVE:
            raise InvalidArgumentError(
                f"Unrecognized launch plan state {request.state} for update for launch plan [{prototext(request.id)}]"
            )
        async with self._activating:
            plan = await self._store.get_launch_plan(request.id)
            if plan is None:
                raise no_entity("LAUNCH_PLAN", request.id)
            await self._set_state(plan, request.state)
        return launch_plan_pb2.LaunchPlanUpdateResponse()

    async def _set_state(self, plan: launch_plan_pb2.LaunchPlan, state: launch_plan_pb2.LaunchPlanState) -> None:
        async with self._store.transaction() as together:
            if state == launch_plan_pb2.ACTIVE:
                for other in await self._active(plan.id):
                    other.closure.state = launch_plan_pb2.INACTIVE
                    together.put_launch_plan(other)
            else:
                # Flyte does not count an activation as a change.
                plan.closure.updated_at.GetCurrentTime()
            plan.closure.state = state
            together.put_launch_plan(plan)

    async def _active(self, identifier: identifier_pb2.Identifier) -> list[launch_plan_pb2.LaunchPlan]:
        name = {"project": identifier.project, "domain": identifier.domain, "name": identifier.name}
        everything = common_pb2.ResourceListRequest(limit=EVERYTHING)
        asked = query("UpdateLaunchPlan", "launch_plans", everything, equals("launch_plans", **name, state=1))
        return [launch_plan_pb2.LaunchPlan.FromString(data) for data in await self._store.page(asked)]

    async def _describe(
        self, identifier: identifier_pb2.Identifier, spec: task_pb2.TaskSpec | workflow_pb2.WorkflowSpec
    ) -> None:
        if spec.HasField("description"):
            described = description_entity_pb2.DescriptionEntity()
            described.CopyFrom(spec.description)
            described.id.CopyFrom(identifier)
            await self._store.put_description(described)


def _different(kind: str, name: str, old: Any, new: Any) -> str:
    from flyte_remote_async.devserver.golang.differences import differences

    intro = f"{name} {kind} with different structure already exists. (Please register a new version of the {kind}):\n"
    return differences(intro, old, new)


def _workflow_taken(
    identifier: identifier_pb2.Identifier,
    taken: workflow_pb2.Workflow | None,
    closure: compiler_pb2.CompiledWorkflowClosure,
) -> AlreadyExistsError | InvalidArgumentError:
    before = taken.closure.compiled_workflow if taken else closure
    reason = workflow_pb2.CreateWorkflowFailureReason()
    if before == closure:
        reason.exists_identical_structure.id.CopyFrom(identifier)
        return with_details(AlreadyExistsError, _IDENTICAL.format("workflow"), reason)
    reason.exists_different_structure.id.CopyFrom(identifier)
    # Of the version that is there Flyte looks at the interface only.
    known = compiler_pb2.CompiledWorkflowClosure()
    known.primary.template.interface.CopyFrom(before.primary.template.interface)
    return with_details(InvalidArgumentError, _different("workflow", identifier.name, known, closure), reason)


def _check_location(identifier: identifier_pb2.Identifier) -> None:
    """Refuse a workflow whose names make no URL: Flyte keeps what it compiles under them."""
    try:
        constructed(f"s3://{BUCKET}", identifier.project, identifier.domain, identifier.name, identifier.version)
    except BadReferenceError as error:
        reason = str(error).replace('"/', '"metadata/admin/', 1)
        raise InternalError(
            f"failed to construct data reference for workflow closure with id [{prototext(identifier)}] and err "
            f"Reference is of an invalid format [s3://{BUCKET}]: {reason}"
        ) from None


def _check_size(identifier: identifier_pb2.Identifier, closure: compiler_pb2.CompiledWorkflowClosure) -> None:
    count = len(closure.primary.template.nodes) - _OWN_NODES
    if count > _MOST_NODES:
        raise InvalidArgumentError(
            f"number of nodes in workflow [{prototext(identifier)}] exceeds limit ({count} > {_MOST_NODES})"
        )
