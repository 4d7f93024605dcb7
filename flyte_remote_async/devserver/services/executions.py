"""Executions: read, list, archive, terminate; launching them has a module of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from flyteidl.admin import execution_pb2
from flyteidl.core import execution_pb2 as core_execution_pb2

from flyte_remote_async.devserver.services.limits import READ_LIMIT, readable
from flyte_remote_async.devserver.services.listing import check_resource_list, page, query, trimmed
from flyte_remote_async.devserver.services.refusals import (
    TERMINAL,
    absent,
    already_ended,
    check_execution,
    known_execution,
)
from flyte_remote_async.devserver.services.spans import Spans
from flyte_remote_async.devserver.store.filters import equals, parse_filters
from flyte_remote_async.transport import methods

if TYPE_CHECKING:
    from flyteidl.admin import common_pb2
    from flyteidl.core import identifier_pb2, literals_pb2

    from flyte_remote_async.devserver.clock import Clock
    from flyte_remote_async.devserver.faces.dispatch import Registry
    from flyte_remote_async.devserver.store import Store

__all__ = ["ExecutionService", "Launcher"]

_Phase = core_execution_pb2.WorkflowExecution


class Launcher(Protocol):
    """What runs executions."""

    async def launch(self, execution: execution_pb2.Execution, inputs: literals_pb2.LiteralMap) -> None:
        """Start an execution that the store has; return when it is under way, not when it has ended."""
        ...

    async def abort(self, identifier: identifier_pb2.WorkflowExecutionIdentifier, cause: str) -> None:
        """Stop an execution that is marked as aborting; one that is not under way is left alone."""
        ...


class ExecutionService:
    """The RPCs about executions that exist.

    Args:
        store: The state.
        launcher: What runs executions.
        clock: Dates what is changed.
        read_limit: The most bytes of inputs or outputs that are shown; 0 is without limit.
    """

    def __init__(self, store: Store, launcher: Launcher, clock: Clock, read_limit: int = READ_LIMIT) -> None:
        self._store = store
        self._launcher = launcher
        self._clock = clock
        self._read_limit = read_limit

    def register(self, registry: Registry) -> None:
        """Add the RPCs of this service."""
        registry.add(methods.GET_EXECUTION, self.get)
        registry.add(methods.LIST_EXECUTIONS, self.list)
        registry.add(methods.GET_EXECUTION_DATA, self.data)
        registry.add(methods.GET_EXECUTION_METRICS, self.metrics)
        registry.add(methods.UPDATE_EXECUTION, self.update)
        registry.add(methods.TERMINATE_EXECUTION, self.terminate)

    async def get(self, request: execution_pb2.WorkflowExecutionGetRequest) -> execution_pb2.Execution:
        """Serve GetExecution."""
        check_execution(request)
        return await known_execution(self._store, request.id)

    async def list(self, request: common_pb2.ResourceListRequest) -> execution_pb2.ExecutionList:
        """Serve ListExecutions: active ones unless the filters speak of a state, with errors cut short."""
        check_resource_list(request)
        place = {"execution_project": request.id.project, "execution_domain": request.id.domain}
        if request.id.name:
            place["execution_name"] = request.id.name
        where = equals("executions", **place)
        if not any('."state"' in condition.sql for condition in parse_filters(request.filters, "executions")):
            where = (*where, *equals("executions", state=0))
        asked = query("ListExecutions", "executions", request, where)
        executions, token = await page(self._store, asked, execution_pb2.Execution)
        for execution in executions:
            if execution.closure.HasField("error"):
                execution.closure.error.message = trimmed(execution.closure.error.message)
        return execution_pb2.ExecutionList(executions=executions, token=token)

    async def data(
        self, request: execution_pb2.WorkflowExecutionGetDataRequest
    ) -> execution_pb2.WorkflowExecutionGetDataResponse:
        """Serve GetExecutionData; parts of the identifier that are left out fit any."""
        found = await known_execution(self._store, request.id)
        inputs, outputs = readable(await self._store.get_execution_data(found.id), self._read_limit)
        return execution_pb2.WorkflowExecutionGetDataResponse(
            inputs={}, outputs={}, full_inputs=inputs, full_outputs=outputs
        )

    async def metrics(
        self, request: execution_pb2.WorkflowExecutionGetMetricsRequest
    ) -> execution_pb2.WorkflowExecutionGetMetricsResponse:
        """Serve GetExecutionMetrics."""
        check_execution(request)
        span = await Spans(self._store).of_execution(await known_execution(self._store, request.id), request.depth)
        return execution_pb2.WorkflowExecutionGetMetricsResponse(span=span)

    async def update(self, request: execution_pb2.ExecutionUpdateRequest) -> execution_pb2.ExecutionUpdateResponse:
        """Serve UpdateExecution: archive an execution, or make it active again."""
        check_execution(request)
        now = self._clock.now()

        def change(execution: execution_pb2.Execution) -> None:
            details = execution.closure.state_change_details
            details.state = request.state
            details.occurred_at.FromDatetime(now)

        if await self._store.update_execution(request.id, change) is None:
            raise absent("execution", request.id)
        return execution_pb2.ExecutionUpdateResponse()

    async def terminate(
        self, request: execution_pb2.ExecutionTerminateRequest
    ) -> execution_pb2.ExecutionTerminateResponse:
        """Serve TerminateExecution: mark an execution as aborting, and tell the engine."""
        check_execution(request)

        def change(execution: execution_pb2.Execution) -> None:
            closure = execution.closure
            if closure.phase in TERMINAL:
                phase = _Phase.Phase.Name(closure.phase)
                raise already_ended("Cannot abort an already terminated workflow execution", phase)
            closure.abort_metadata.cause = request.cause
            closure.abort_metadata.principal = ""
            closure.phase = _Phase.ABORTING

        if await self._store.update_execution(request.id, change) is None:
            raise absent("execution", request.id)
        await self._launcher.abort(request.id, request.cause)
        return execution_pb2.ExecutionTerminateResponse()
