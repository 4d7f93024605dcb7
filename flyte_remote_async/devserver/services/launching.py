"""CreateExecution: what Flyte checks, what it keeps, and in which order, its faults included."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Final

from flyteidl.admin import common_pb2, execution_pb2
from flyteidl.core import execution_pb2 as core_execution_pb2
from flyteidl.core import identifier_pb2, interface_pb2, literals_pb2, security_pb2

from flyte_remote_async.devserver.engine.launching import single_task_workflow
from flyte_remote_async.devserver.faults import DatabaseFails, KubernetesFails
from flyte_remote_async.devserver.services.entities import no_entity
from flyte_remote_async.devserver.services.expected_inputs import check_literals, execution_inputs, expected_inputs
from flyte_remote_async.devserver.services.refusals import (
    check_fields,
    check_labels,
    check_place,
    duplicate,
    missing,
)
from flyte_remote_async.errors import InternalError, InvalidArgumentError
from flyte_remote_async.transport import methods

if TYPE_CHECKING:
    from flyteidl.admin import launch_plan_pb2

    from flyte_remote_async.devserver.dispatch import Registry
    from flyte_remote_async.devserver.faults import Faults
    from flyte_remote_async.devserver.services.executions import Launcher
    from flyte_remote_async.devserver.store import Store

__all__ = ["LaunchService"]

_NAME: Final = re.compile(r"^[a-z][a-z\-0-9]*$")
_LONGEST_NAME: Final = 63
_NAME_CHARACTERS: Final = "bcdfghjklmnpqrstvwxz2456789"  # those that Kubernetes makes names of
_MAX_PARALLELISM: Final = 25


class LaunchService:
    """The RPC that launches.

    Args:
        store: The state.
        launcher: Runs what is launched.
        faults: What goes wrong inside: Kubernetes and the database.
    """

    def __init__(self, store: Store, launcher: Launcher, faults: Faults) -> None:
        self._store = store
        self._launcher = launcher
        self._faults = faults

    def register(self, registry: Registry) -> None:
        """Add the RPC of this service."""
        registry.add(methods.CREATE_EXECUTION, self.create)

    async def create(self, request: execution_pb2.ExecutionCreateRequest) -> execution_pb2.ExecutionCreateResponse:
        """Serve CreateExecution.

        A name that is taken is refused, and the inputs of the execution that has it are overwritten nevertheless: Flyte
        stores the inputs before it looks, and a client must live with that.
        """
        await self._check(request)
        execution = execution_pb2.Execution(spec=request.spec)
        execution.id.project, execution.id.domain = request.project, request.domain
        execution.id.name = request.name or _random_name()
        if request.spec.launch_plan.resource_type == identifier_pb2.TASK:
            inputs = await self._prepare_task(request, execution)
        else:
            inputs = await self._prepare_launch_plan(request, execution)
        _complete(execution)
        await self._store.put_execution_data(execution.id, inputs=inputs)
        kubernetes = self._faults.take(KubernetesFails, methods.CREATE_EXECUTION.name)
        if kubernetes is not None:
            _fail(execution, f"failed to create workflow in propeller {kubernetes.details}")
        database = self._faults.take(DatabaseFails, methods.CREATE_EXECUTION.name)
        if database is not None:
            # What runs already in Kubernetes runs no node before its execution has a row.
            raise InternalError(f"unexpected error type for: {database.details}")
        if not await self._store.add_execution(execution):
            raise duplicate("executions")
        if kubernetes is None:
            await self._launcher.launch(execution, inputs)
        return execution_pb2.ExecutionCreateResponse(id=execution.id)

    async def _check(self, request: execution_pb2.ExecutionCreateRequest) -> None:
        check_fields(request, "project", "domain")
        if request.name:
            _check_name(request.name.lower())
        await check_place(self._store, request.project, request.domain)
        if not request.HasField("spec"):
            raise missing("spec")
        if not request.spec.HasField("launch_plan"):
            raise missing("id")
        entity = request.spec.launch_plan
        check_fields(entity, "project", "domain", "name", "version")
        if entity.resource_type not in (identifier_pb2.LAUNCH_PLAN, identifier_pb2.TASK):
            raise InvalidArgumentError(
                f"Invalid reference entity resource type [{identifier_pb2.ResourceType.Name(entity.resource_type)}], "
                "only [map[TASK:<nil> LAUNCH_PLAN:<nil>]] allowed"
            )
        check_literals(_inputs(request).literals, "inputs")
        check_labels(request.spec.labels)

    async def _prepare_launch_plan(
        self, request: execution_pb2.ExecutionCreateRequest, execution: execution_pb2.Execution
    ) -> literals_pb2.LiteralMap:
        plan = await self._store.get_launch_plan(request.spec.launch_plan)
        if plan is None:
            raise no_entity("LAUNCH_PLAN", request.spec.launch_plan)
        inputs = execution_inputs(_inputs(request), plan.spec.fixed_inputs, plan.closure.expected_inputs)
        if await self._store.get_workflow(plan.spec.workflow_id) is None:
            raise no_entity("WORKFLOW", plan.spec.workflow_id)
        _merge_launch_plan(execution, plan)
        return inputs

    async def _prepare_task(
        self, request: execution_pb2.ExecutionCreateRequest, execution: execution_pb2.Execution
    ) -> literals_pb2.LiteralMap:
        task = await self._store.get_task(request.spec.launch_plan)
        if task is None:
            raise no_entity("TASK", request.spec.launch_plan)
        workflow = single_task_workflow(task)
        workflow.closure.created_at.GetCurrentTime()
        declared = task.closure.compiled_task.template.interface.inputs
        expected = expected_inputs(declared, literals_pb2.LiteralMap(), interface_pb2.ParameterMap())
        inputs = execution_inputs(_inputs(request), literals_pb2.LiteralMap(), expected)
        if await self._store.add_workflow(workflow):
            await self._store.put_named_entity(
                common_pb2.NamedEntity(
                    resource_type=identifier_pb2.WORKFLOW,
                    id={"project": workflow.id.project, "domain": workflow.id.domain, "name": workflow.id.name},
                    metadata={"state": common_pb2.SYSTEM_GENERATED},
                )
            )
        execution.closure.workflow_id.CopyFrom(workflow.id)
        return inputs


def _fail(execution: execution_pb2.Execution, message: str) -> None:
    """Make an execution one that could not be started; one of a single task is refused instead.

    Source: flyteadmin ``repositories/transformers/execution.go`` and ``manager/impl/execution_manager.go``.
    """
    if execution.spec.launch_plan.resource_type == identifier_pb2.TASK:
        raise InternalError(message)
    execution.closure.phase = core_execution_pb2.WorkflowExecution.FAILED
    execution.closure.error.code = "Internal"
    execution.closure.error.kind = core_execution_pb2.ExecutionError.SYSTEM
    execution.closure.error.message = message


def _inputs(request: execution_pb2.ExecutionCreateRequest) -> literals_pb2.LiteralMap:
    # Old clients send them inside the spec.
    return request.inputs if request.HasField("inputs") else request.spec.inputs


def _check_name(name: str) -> None:
    if len(name) > _LONGEST_NAME:
        raise InvalidArgumentError(f"size of name exceeded length {_LONGEST_NAME} : {name}")
    if not _NAME.fullmatch(name):
        raise InvalidArgumentError(f"invalid name format: {name}, does not match regex '{_NAME.pattern}'")


def _random_name() -> str:
    return "a" + "".join(secrets.choice(_NAME_CHARACTERS) for _ in range(19))


def _merge_launch_plan(execution: execution_pb2.Execution, plan: launch_plan_pb2.LaunchPlan) -> None:
    """Take over what the launch plan says and the request does not."""
    spec, closure = execution.spec, execution.closure
    given = [spec.max_parallelism, plan.spec.max_parallelism, _MAX_PARALLELISM]
    spec.max_parallelism = next(number for number in given if number > 0)
    if not spec.HasField("security_context") and plan.spec.HasField("security_context"):
        spec.security_context.CopyFrom(plan.spec.security_context)
    if spec.notifications.notifications:
        closure.notifications.extend(spec.notifications.notifications)
    elif not spec.disable_all:
        closure.notifications.extend(plan.spec.entity_metadata.notifications)
    closure.workflow_id.CopyFrom(plan.spec.workflow_id)


def _complete(execution: execution_pb2.Execution) -> None:
    """Fill in what the server knows of an execution that it has accepted."""
    spec, closure = execution.spec, execution.closure
    spec.metadata.principal = ""  # nobody is logged in
    spec.metadata.system_metadata.namespace = f"{execution.id.project}-{execution.id.domain}"
    if not spec.security_context.HasField("run_as"):
        spec.security_context.run_as.CopyFrom(security_pb2.Identity())
    closure.created_at.GetCurrentTime()
    closure.updated_at.CopyFrom(closure.created_at)
    closure.state_change_details.occurred_at.CopyFrom(closure.created_at)
