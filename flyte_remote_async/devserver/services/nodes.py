"""Node executions and the attempts of their tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyteidl.admin import common_pb2, node_execution_pb2, task_execution_pb2
from flyteidl.core import identifier_pb2

from flyte_remote_async.devserver.services.limits import READ_LIMIT, readable
from flyte_remote_async.devserver.services.listing import check_limit, page, query, trimmed
from flyte_remote_async.devserver.services.refusals import absent, check_attempt, check_node, imply_kind, missing
from flyte_remote_async.devserver.store.filters import equals
from flyte_remote_async.devserver.store.rows import execution_key, node_key
from flyte_remote_async.errors import NotFoundError
from flyte_remote_async.transport import methods

if TYPE_CHECKING:
    from flyte_remote_async.devserver.faces.dispatch import Registry
    from flyte_remote_async.devserver.store import Condition, Store

__all__ = ["NodeService", "flyte_url"]


def flyte_url(identifier: identifier_pb2.NodeExecutionIdentifier, attempt: int | None = None) -> str:
    """Return the flyte:// address under which the data of a node, or of one attempt, is found."""
    run = identifier.execution_id
    base = f"flyte://v1/{run.project}/{run.domain}/{run.name}/{identifier.node_id}"
    return base if attempt is None else f"{base}/{attempt}"


class NodeService:
    """The RPCs about node executions and task executions.

    Args:
        store: The state.
        read_limit: The most bytes of inputs or outputs that are shown; 0 is without limit.
    """

    def __init__(self, store: Store, read_limit: int = READ_LIMIT) -> None:
        self._store = store
        self._read_limit = read_limit

    def register(self, registry: Registry) -> None:
        """Add the RPCs of this service."""
        registry.add(methods.GET_NODE_EXECUTION, self.get)
        registry.add(methods.LIST_NODE_EXECUTIONS, self.list)
        registry.add(methods.LIST_NODE_EXECUTIONS_FOR_TASK, self.list_for_task)
        registry.add(methods.GET_NODE_EXECUTION_DATA, self.data)
        registry.add(methods.GET_DYNAMIC_NODE_WORKFLOW, self.dynamic_workflow)
        registry.add(methods.GET_TASK_EXECUTION, self.get_attempt)
        registry.add(methods.LIST_TASK_EXECUTIONS, self.list_attempts)
        registry.add(methods.GET_TASK_EXECUTION_DATA, self.attempt_data)

    async def get(self, request: node_execution_pb2.NodeExecutionGetRequest) -> node_execution_pb2.NodeExecution:
        """Serve GetNodeExecution."""
        return await self._node(request.id)

    async def list(self, request: node_execution_pb2.NodeExecutionListRequest) -> node_execution_pb2.NodeExecutionList:
        """Serve ListNodeExecutions: the children of one node, or the top level when no parent is named."""
        run = request.workflow_execution_id
        if not (run.project and run.domain and run.name):
            raise missing("execution_id")
        check_limit(request)
        parent = request.unique_parent_id or None
        if parent is not None:
            await self._node(identifier_pb2.NodeExecutionIdentifier(node_id=parent, execution_id=run))
        where = equals("node_executions", **execution_key(run), parent_id=parent, parent_task_execution_id=None)
        return await self._list("ListNodeExecutions", request, where)

    async def list_for_task(
        self, request: node_execution_pb2.NodeExecutionForTaskListRequest
    ) -> node_execution_pb2.NodeExecutionList:
        """Serve ListNodeExecutionsForTask: empty, for in Flyte 1.x children belong to nodes and not to attempts."""
        _check_attempt(request, "task_execution_id")
        check_limit(request)
        attempt = await self._attempt(request.task_execution_id)
        run = execution_key(attempt.id.node_execution_id.execution_id)
        where = equals("node_executions", **run, parent_task_execution_id=attempt.id.node_execution_id.node_id)
        return await self._list("ListNodeExecutions", request, where)

    async def data(
        self, request: node_execution_pb2.NodeExecutionGetDataRequest
    ) -> node_execution_pb2.NodeExecutionGetDataResponse:
        """Serve GetNodeExecutionData."""
        node = await self._node(request.id)
        data = await self._store.get_node_data(node.id)
        inputs, outputs = readable(data, self._read_limit)
        return node_execution_pb2.NodeExecutionGetDataResponse(
            inputs={},
            outputs={},
            full_inputs=inputs,
            full_outputs=outputs,
            dynamic_workflow=data.dynamic_workflow,
            flyte_urls=_urls(flyte_url(request.id), deck=bool(node.closure.deck_uri)),
        )

    async def dynamic_workflow(
        self, request: node_execution_pb2.GetDynamicNodeWorkflowRequest
    ) -> node_execution_pb2.DynamicNodeWorkflowResponse:
        """Serve GetDynamicNodeWorkflow."""
        node = await self._node(request.id)
        found = await self._store.get_dynamic_workflow(node.id)
        if found is None:
            raise NotFoundError("node does not contain dynamic workflow")
        return found

    async def get_attempt(
        self, request: task_execution_pb2.TaskExecutionGetRequest
    ) -> task_execution_pb2.TaskExecution:
        """Serve GetTaskExecution."""
        _check_attempt(request, "id")
        return await self._attempt(request.id)

    async def list_attempts(
        self, request: task_execution_pb2.TaskExecutionListRequest
    ) -> task_execution_pb2.TaskExecutionList:
        """Serve ListTaskExecutions: the attempts of one node, with their errors in full."""
        if not request.HasField("node_execution_id"):
            raise missing("id")
        check_node(request.node_execution_id)
        check_limit(request)
        where = equals("task_executions", **node_key(request.node_execution_id))
        asked = query("ListTaskExecutions", "task_executions", request, where)
        attempts, token = await page(self._store, asked, task_execution_pb2.TaskExecution)
        return task_execution_pb2.TaskExecutionList(task_executions=attempts, token=token)

    async def attempt_data(
        self, request: task_execution_pb2.TaskExecutionGetDataRequest
    ) -> task_execution_pb2.TaskExecutionGetDataResponse:
        """Serve GetTaskExecutionData."""
        _check_attempt(request, "id")
        attempt = await self._attempt(request.id)
        inputs, outputs = readable(await self._store.get_attempt_data(attempt.id), self._read_limit)
        url = flyte_url(attempt.id.node_execution_id, attempt.id.retry_attempt)
        return task_execution_pb2.TaskExecutionGetDataResponse(
            inputs={},
            outputs={},
            full_inputs=inputs,
            full_outputs=outputs,
            flyte_urls=_urls(url, deck=False),
        )

    async def _list(
        self,
        rpc: str,
        request: node_execution_pb2.NodeExecutionListRequest | node_execution_pb2.NodeExecutionForTaskListRequest,
        where: tuple[Condition, ...],
    ) -> node_execution_pb2.NodeExecutionList:
        asked = query(rpc, "node_executions", request, where)
        nodes, token = await page(self._store, asked, node_execution_pb2.NodeExecution)
        for node in nodes:
            if node.closure.HasField("error"):
                node.closure.error.message = trimmed(node.closure.error.message)
        return node_execution_pb2.NodeExecutionList(node_executions=nodes, token=token)

    async def _node(self, identifier: identifier_pb2.NodeExecutionIdentifier) -> node_execution_pb2.NodeExecution:
        found = await self._store.get_node(identifier)
        if found is None:
            named = identifier_pb2.NodeExecutionIdentifier(node_id=identifier.node_id)
            named.execution_id.CopyFrom(identifier.execution_id)
            raise absent("node execution", named)
        return found

    async def _attempt(self, identifier: identifier_pb2.TaskExecutionIdentifier) -> task_execution_pb2.TaskExecution:
        found = await self._store.get_attempt(identifier)
        if found is None:
            named = identifier_pb2.TaskExecutionIdentifier()
            named.CopyFrom(identifier)
            named.ClearField("retry_attempt")  # Flyte does not say which attempt, nor what kind of entity a task is
            named.task_id.ClearField("resource_type")
            raise absent("task execution", named)
        return found


def _check_attempt(request: Any, field: str) -> None:
    if not request.HasField(field):
        raise missing("id")
    identifier = getattr(request, field)
    if identifier.HasField("task_id"):
        imply_kind(identifier.task_id, identifier_pb2.TASK)
    check_attempt(identifier)


def _urls(base: str, *, deck: bool) -> common_pb2.FlyteURLs:
    return common_pb2.FlyteURLs(inputs=f"{base}/i", outputs=f"{base}/o", deck=f"{base}/d" if deck else "")
