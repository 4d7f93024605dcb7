"""Launching: what Flyte checks, what it keeps, and in which order, its faults included.

Source: flyteadmin/pkg/manager/impl/execution_manager.go of Flyte 1.16.8.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from flyteidl.admin import execution_pb2
from flyteidl.core import execution_pb2 as core_execution_pb2
from flyteidl.core import identifier_pb2, literals_pb2

from flyte_remote_async.devserver.faults import DatabaseFails, KubernetesFails
from flyte_remote_async.devserver.golang.enums import enum_name
from flyte_remote_async.devserver.golang.kubernetes import random_name
from flyte_remote_async.devserver.services.attributes import find_attributes
from flyte_remote_async.devserver.services.concurrency import check_concurrency
from flyte_remote_async.devserver.services.execution_config import resolve, run_spec
from flyte_remote_async.devserver.services.expected_inputs import check_literals, execution_inputs
from flyte_remote_async.devserver.services.refusals import (
    absent,
    check_fields,
    check_labels,
    check_notifications,
    check_place,
    duplicate,
    known_execution,
    missing,
)
from flyte_remote_async.devserver.services.targets import find_target
from flyte_remote_async.errors import InternalError, InvalidArgumentError, UnknownError
from flyte_remote_async.transport import methods

if TYPE_CHECKING:
    from flyteidl.admin import common_pb2, launch_plan_pb2, matchable_resource_pb2

    from flyte_remote_async.devserver.clock import Clock
    from flyte_remote_async.devserver.faces.dispatch import Registry
    from flyte_remote_async.devserver.faults import Faults
    from flyte_remote_async.devserver.services.executions import Launcher
    from flyte_remote_async.devserver.services.targets import Target
    from flyte_remote_async.devserver.store import Store

__all__ = ["LaunchService"]

_NAME: Final = re.compile(r"^[a-z][a-z\-0-9]*$")
_LONGEST_NAME: Final = 63
_LONGEST_TAG: Final = 255
_CONFIG: Final = "WORKFLOW_EXECUTION_CONFIG"


class LaunchService:
    """The RPCs that launch.

    Args:
        store: Where executions are kept, and what they run.
        launcher: What runs them.
        clock: The time.
        faults: What goes wrong inside: Kubernetes and the database.
    """

    def __init__(self, store: Store, launcher: Launcher, clock: Clock, faults: Faults) -> None:
        self._store = store
        self._launcher = launcher
        self._clock = clock
        self._faults = faults

    def register(self, registry: Registry) -> None:
        """Add the RPCs of this service."""
        registry.add(methods.CREATE_EXECUTION, self.create)
        registry.add(methods.RELAUNCH_EXECUTION, self.relaunch)
        registry.add(methods.RECOVER_EXECUTION, self.recover)

    async def create(self, request: execution_pb2.ExecutionCreateRequest) -> execution_pb2.ExecutionCreateResponse:
        """Serve CreateExecution.

        A name that is taken is refused, and the inputs of the execution that has it are overwritten nevertheless: Flyte
        stores the inputs before it looks, and a client must live with that.
        """
        # Old clients send the inputs inside the spec.
        inputs = request.inputs if request.inputs.literals else request.spec.inputs
        await self._check(request, inputs)
        target = await find_target(self._store, request.spec, self._clock.now())
        expected = target.plan.closure.expected_inputs
        complete = execution_inputs(inputs, target.plan.spec.fixed_inputs, expected)
        if target.workflow is None:
            raise target.absent
        execution = execution_pb2.Execution(spec=request.spec)
        execution.id.project, execution.id.domain = request.project, request.domain
        execution.id.name = request.name or "a" + random_name(19)
        await self._store.put_execution_data(execution.id, inputs=complete, user_inputs=inputs)
        config = await self._complete(execution, target)
        await self._start(execution, complete, config, tagged=not target.is_task)
        return execution_pb2.ExecutionCreateResponse(id=execution.id)

    async def relaunch(self, request: execution_pb2.ExecutionRelaunchRequest) -> execution_pb2.ExecutionCreateResponse:
        """Serve RelaunchExecution: the same spec and the same inputs, as an execution of its own."""
        before = await known_execution(self._store, request.id)
        before.spec.overwrite_cache = request.overwrite_cache
        return await self._again(request, before, execution_pb2.ExecutionMetadata.RELAUNCH)

    async def recover(self, request: execution_pb2.ExecutionRecoverRequest) -> execution_pb2.ExecutionCreateResponse:
        """Serve RecoverExecution: the same again, of which the nodes that succeeded do not run again."""
        before = await known_execution(self._store, request.id)
        if request.HasField("metadata"):
            before.spec.metadata.parent_node_execution.CopyFrom(request.metadata.parent_node_execution)
        return await self._again(request, before, execution_pb2.ExecutionMetadata.RECOVERED)

    async def _again(
        self,
        request: execution_pb2.ExecutionRelaunchRequest | execution_pb2.ExecutionRecoverRequest,
        before: execution_pb2.Execution,
        mode: execution_pb2.ExecutionMetadata.ExecutionMode,
    ) -> execution_pb2.ExecutionCreateResponse:
        before.spec.metadata.mode = mode
        before.spec.metadata.reference_execution.CopyFrom(before.id)
        inputs = await self._user_inputs(before)
        place = {"project": request.id.project, "domain": request.id.domain}
        asked = execution_pb2.ExecutionCreateRequest(**place, name=request.name, spec=before.spec, inputs=inputs)
        return await self.create(asked)

    async def _user_inputs(self, execution: execution_pb2.Execution) -> literals_pb2.LiteralMap:
        """Return the inputs that the caller of an execution gave."""
        data = await self._store.get_execution_data(execution.id)
        if data.user_inputs is not None:
            return data.user_inputs
        # One that was imported: its inputs are complete, and those that the launch plan fixes may not be given.
        plan = await self._store.get_launch_plan(execution.spec.launch_plan)
        if plan is None:
            return data.inputs
        expected = plan.closure.expected_inputs.parameters
        return literals_pb2.LiteralMap(
            literals={name: value for name, value in data.inputs.literals.items() if name in expected}
        )

    async def _check(self, request: execution_pb2.ExecutionCreateRequest, inputs: literals_pb2.LiteralMap) -> None:
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
            kind = enum_name(identifier_pb2.ResourceType, entity.resource_type)
            raise InvalidArgumentError(
                f"Invalid reference entity resource type [{kind}], only [map[TASK:<nil> LAUNCH_PLAN:<nil>]] allowed"
            )
        check_literals(inputs.literals, "inputs")
        check_notifications(request.spec.notifications.notifications)
        check_labels(request.spec.labels)

    async def _complete(
        self, execution: execution_pb2.Execution, target: Target
    ) -> matchable_resource_pb2.WorkflowExecutionConfig:
        """Fill in what the server knows of an execution that it accepts; return the settings that count."""
        spec, closure = execution.spec, execution.closure
        spec.metadata.principal = ""  # nobody is logged in
        await self._inherit(spec)
        config = await self._config(execution, target)
        await self._check_cluster(execution)
        if not target.is_task:
            spec.max_parallelism = config.max_parallelism
        spec.security_context.CopyFrom(config.security_context)
        spec.metadata.system_metadata.Clear()
        spec.metadata.system_metadata.namespace = f"{execution.id.project}-{execution.id.domain}"
        closure.workflow_id.CopyFrom(target.workflow_id)
        closure.notifications.extend(_notifications(spec, target.plan.spec))
        closure.created_at.FromDatetime(self._clock.now())
        closure.updated_at.CopyFrom(closure.created_at)
        closure.state_change_details.occurred_at.CopyFrom(closure.created_at)
        if not target.is_task:
            await check_concurrency(self._store, target.plan)
        return config

    async def _inherit(self, spec: execution_pb2.ExecutionSpec) -> None:
        """Take over from the execution whose node launches this one."""
        if not spec.metadata.HasField("parent_node_execution"):
            return
        parent = spec.metadata.parent_node_execution
        if await self._store.get_node(parent) is None:
            raise absent("node execution", parent)
        source = (await known_execution(self._store, parent.execution_id)).spec
        spec.metadata.principal = source.metadata.principal
        spec.metadata.nesting = source.metadata.nesting + 1
        if source.HasField("execution_cluster_label"):
            spec.execution_cluster_label.CopyFrom(source.execution_cluster_label)

    async def _config(
        self, execution: execution_pb2.Execution, target: Target
    ) -> matchable_resource_pb2.WorkflowExecutionConfig:
        place = execution.id.project, execution.id.domain
        plan = None if target.is_task else target.plan.spec
        workflow = "" if plan is None else plan.workflow_id.name
        found = [
            await find_attributes(self._store, _CONFIG, *place, workflow),
            await find_attributes(self._store, _CONFIG, execution.id.project),
        ]
        return resolve(execution.spec, plan, [each.workflow_execution_config for each in found if each is not None])

    async def _check_cluster(self, execution: execution_pb2.Execution) -> None:
        place = execution.id.project, execution.id.domain
        found = await find_attributes(self._store, "CLUSTER_ASSIGNMENT", *place)
        asked = execution.spec.cluster_assignment.cluster_pool_name
        pool = found.cluster_assignment.cluster_pool_name if found is not None else ""
        if asked and pool and asked != pool:
            raise InvalidArgumentError(
                f'execution with project "{place[0]}" and domain "{place[1]}" cannot run on cluster pool "{asked}", '
                f'because its configured to run on pool "{pool}"'
            )

    async def _start(
        self,
        execution: execution_pb2.Execution,
        inputs: literals_pb2.LiteralMap,
        config: matchable_resource_pb2.WorkflowExecutionConfig,
        *,
        tagged: bool,
    ) -> None:
        kubernetes = self._faults.take(KubernetesFails, methods.CREATE_EXECUTION.name)
        if kubernetes is not None:
            _fail(execution, f"failed to create workflow in propeller {kubernetes.details}")
        database = self._faults.take(DatabaseFails, methods.CREATE_EXECUTION.name)
        if database is not None:
            # What runs already in Kubernetes runs no node before its execution has a row.
            raise InternalError(f"unexpected error type for: {database.details}")
        if any(len(tag) > _LONGEST_TAG for tag in execution.spec.tags):
            raise UnknownError("failed database operation with value too long for type character varying(255)")
        taken = await self._store.add_execution(execution, tagged=tagged)
        if taken is not None:
            raise duplicate(taken)
        if kubernetes is None:
            project = await self._store.get_project(execution.id.project)
            labels = project.labels.values if project is not None else {}
            run = execution_pb2.Execution(id=execution.id, closure=execution.closure)
            run.spec.CopyFrom(run_spec(execution.spec, config, labels))
            await self._launcher.launch(run, inputs)


def _fail(execution: execution_pb2.Execution, message: str) -> None:
    """Make an execution one that could not be started; one of a single task is refused instead.

    Source: flyteadmin ``repositories/transformers/execution.go`` and ``manager/impl/execution_manager.go``.
    """
    if execution.spec.launch_plan.resource_type == identifier_pb2.TASK:
        raise InternalError(message)
    execution.closure.phase = core_execution_pb2.WorkflowExecution.FAILED
    error = execution.closure.error
    error.code, error.message, error.kind = "Internal", message, core_execution_pb2.ExecutionError.SYSTEM


def _check_name(name: str) -> None:
    if len(name) > _LONGEST_NAME:
        raise InvalidArgumentError(f"size of name exceeded length {_LONGEST_NAME} : {name}")
    if not _NAME.fullmatch(name):
        raise InvalidArgumentError(f"invalid name format: {name}, does not match regex '{_NAME.pattern}'")


def _notifications(
    spec: execution_pb2.ExecutionSpec, plan: launch_plan_pb2.LaunchPlanSpec
) -> list[common_pb2.Notification]:
    if spec.notifications.notifications:
        return list(spec.notifications.notifications)
    return [] if spec.disable_all else list(plan.entity_metadata.notifications)
