"""Reads of executions, their nodes and their attempts: one RPC for each page, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flyteidl.admin import execution_pb2

from flyte_remote_async.errors import MalformedMessageError
from flyte_remote_async.transport.methods import (
    GET_EXECUTION,
    GET_NODE_EXECUTION,
    LIST_NODE_EXECUTIONS,
    LIST_SIGNALS,
    LIST_TASK_EXECUTIONS,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from flyteidl.admin import node_execution_pb2, signal_pb2, task_execution_pb2
    from google.protobuf.message import Message

    from flyte_remote_async.models.identifiers import NodeExecutionIdentifier, WorkflowExecutionIdentifier
    from flyte_remote_async.operations.calls import Calls
    from flyte_remote_async.policy.filters import Filter
    from flyte_remote_async.transport.base import Method

__all__ = ["Reader", "pages"]


# The server sets no maximum: a thousand rows are about 400 kB.
PAGE: Final = 1000


async def pages(calls: Calls, method: Method[Any, Any], request: Message) -> AsyncIterator[Message]:
    """Yield the pages of a list, in order.

    Flyte's page token is an offset, and it comes with every full page, so a list that fills its last page exactly has
    an empty page after it.

    Args:
        calls: Makes the calls.
        method: A list RPC.
        request: Its request, with the size of a page as ``limit``; its ``token`` is set here.

    Raises:
        MalformedMessageError: The server gives the same token again, which would never end.
        RPCError: A call did not succeed.
    """
    seen = {""}
    while True:
        page: Any = await calls(method, request)
        yield page
        if not page.token:
            return
        if page.token in seen:
            reason = f"{method.name}: the server gave the page token {page.token!r} twice; its pages would never end"
            raise MalformedMessageError(reason)
        seen.add(page.token)
        request.token = page.token  # type: ignore[attr-defined] # every list request has one


class Reader:
    """Reads executions, nodes and attempts as protobuf messages.

    Args:
        calls: Makes the calls.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def execution(
        self,
        id: WorkflowExecutionIdentifier,
        *,
        timeout: float | None = None,
    ) -> execution_pb2.Execution:
        """Return an execution.

        Args:
            id: Which one.
            timeout: Seconds that the call may take.
        """
        request = execution_pb2.WorkflowExecutionGetRequest(id=id.to_flyte_idl())
        return await self._calls(GET_EXECUTION, request, timeout=timeout)

    async def nodes(
        self,
        execution_id: WorkflowExecutionIdentifier,
        parent: str = "",
        *,
        filters: Sequence[Filter] = (),
        on_full_page: Callable[[], None] = lambda: None,
    ) -> list[node_execution_pb2.NodeExecution]:
        """Return the nodes of one level, in the order in which they were created.

        Args:
            execution_id: Of which execution.
            parent: The id of the node that they are below; empty for the top level.
            filters: Which of them; all without.
            on_full_page: Is called for each page after which another one comes.
        """
        # A program that reads no tree does without.
        from flyteidl.admin import node_execution_pb2

        from flyte_remote_async.policy.filters import filters_text

        request = node_execution_pb2.NodeExecutionListRequest(
            workflow_execution_id=execution_id.to_flyte_idl(),
            unique_parent_id=parent,
            limit=PAGE,
            filters=filters_text(filters),
        )
        # Without an order the pages of a level could overlap.
        request.sort_by.key = "created_at"
        request.sort_by.direction = request.sort_by.ASCENDING
        found: dict[str, node_execution_pb2.NodeExecution] = {}
        async for page in pages(self._calls, LIST_NODE_EXECUTIONS, request):
            # A node that is on two pages was read again: the later row is the newer.
            found.update({node.id.node_id: node for node in page.node_executions})  # type: ignore[attr-defined]
            if page.token:  # type: ignore[attr-defined]
                on_full_page()
        return list(found.values())

    async def node(self, id: NodeExecutionIdentifier) -> node_execution_pb2.NodeExecution:
        """Return one node with its error whole, which lists cut.

        Args:
            id: Which one.
        """
        from flyteidl.admin import node_execution_pb2  # a program that reads no tree does without

        request = node_execution_pb2.NodeExecutionGetRequest(id=id.to_flyte_idl())
        return await self._calls(GET_NODE_EXECUTION, request)

    async def signals(self, execution_id: WorkflowExecutionIdentifier) -> list[signal_pb2.Signal]:
        """Return the signals of an execution, those that were given and those that are waited for.

        Args:
            execution_id: Of which execution.
        """
        from flyteidl.admin import signal_pb2  # a program that meets no gate does without

        request = signal_pb2.SignalListRequest(workflow_execution_id=execution_id.to_flyte_idl(), limit=PAGE)
        found: list[signal_pb2.Signal] = []
        async for page in pages(self._calls, LIST_SIGNALS, request):
            found.extend(page.signals)  # type: ignore[attr-defined]
        return found

    async def attempts(self, node: NodeExecutionIdentifier) -> list[task_execution_pb2.TaskExecution]:
        """Return the attempts of a node's task, in order.

        Args:
            node: Which node.
        """
        from flyteidl.admin import task_execution_pb2  # a program that reads no tree does without

        request = task_execution_pb2.TaskExecutionListRequest(node_execution_id=node.to_flyte_idl(), limit=PAGE)
        request.sort_by.key = "created_at"
        request.sort_by.direction = request.sort_by.ASCENDING
        found = {}
        async for page in pages(self._calls, LIST_TASK_EXECUTIONS, request):
            found.update({(a.id.task_id.name, a.id.retry_attempt): a for a in page.task_executions})  # type: ignore[attr-defined]
        return sorted(found.values(), key=lambda attempt: attempt.id.retry_attempt)
