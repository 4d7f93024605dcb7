"""How long each part of an execution took, as a tree of spans: what GetExecutionMetrics answers.

A node's time is told apart into operations: ``NODE_TRANSITION`` since the node before it, ``NODE_SETUP``, what is
inside of it (attempts, nodes, an execution), ``NODE_RESET`` between attempts and ``NODE_TEARDOWN``.

Source: flyteadmin/pkg/manager/impl/metrics_manager.go of Flyte 1.16.8, its refusals included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flyteidl.core import metrics_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from flyte_remote_async.devserver.golang.prototext import prototext
from flyte_remote_async.devserver.services.entities import no_entity
from flyte_remote_async.devserver.services.refusals import known_execution
from flyte_remote_async.devserver.store import Query
from flyte_remote_async.devserver.store.filters import equals
from flyte_remote_async.devserver.store.rows import execution_key, node_key
from flyte_remote_async.devserver.store.sql import EVERYTHING
from flyte_remote_async.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyteidl.admin import execution_pb2
    from flyteidl.admin.node_execution_pb2 import NodeExecution
    from flyteidl.admin.task_execution_pb2 import TaskExecution
    from flyteidl.core import identifier_pb2
    from flyteidl.core.compiler_pb2 import CompiledWorkflowClosure, ConnectionSet
    from flyteidl.core.workflow_pb2 import BranchNode, Node

    from flyte_remote_async.devserver.store import Store

__all__ = ["Spans"]

_START: Final = "start-node"
_END: Final = "end-node"


class Spans:
    """Builds the spans of executions from the rows of a store.

    Args:
        store: Where the executions, their nodes and attempts are, and the workflows.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of_execution(self, execution: execution_pb2.Execution, depth: int) -> metrics_pb2.Span:
        """Return the span of an execution.

        Args:
            execution: The execution.
            depth: How many levels of spans inside; 0 is none, less than 0 is all.

        Raises:
            InternalError: A node is not in its workflow, or a branch took several ways; so it is in Flyte.
            NotFoundError: A workflow or an execution that it refers to is not there.
        """
        closure = execution.closure
        span = _span(closure)
        span.workflow_id.CopyFrom(execution.id)
        if depth == 0:
            return span
        workflow = await self._workflow(closure.workflow_id)
        nodes = await self._nodes(execution.id, None)
        start = _updated(nodes.get(_START))
        if start is None:
            span.spans.append(_operation("WORKFLOW_SETUP", closure.created_at, closure.updated_at))
            return span
        span.spans.append(_operation("WORKFLOW_SETUP", closure.created_at, start))
        await self._add_nodes(span, nodes, workflow, depth - 1)
        _add_teardown(span, "WORKFLOW_TEARDOWN", _last_updated(_END, workflow, nodes), closure)
        return span

    # --- what is read ---

    async def _workflow(self, identifier: identifier_pb2.Identifier) -> CompiledWorkflowClosure:
        found = await self._store.get_workflow(identifier)
        if found is None:
            raise no_entity("WORKFLOW", identifier)
        return found.closure.compiled_workflow

    async def _nodes(
        self, run: identifier_pb2.WorkflowExecutionIdentifier, parent: str | None
    ) -> dict[str, NodeExecution]:
        from flyteidl.admin.node_execution_pb2 import NodeExecution

        where = equals("node_executions", **execution_key(run), parent_id=parent)
        rows = await self._store.page(Query("node_executions", where, limit=EVERYTHING))
        return {node.metadata.spec_node_id: node for node in map(NodeExecution.FromString, rows)}

    async def _attempts(self, node: identifier_pb2.NodeExecutionIdentifier) -> list[TaskExecution]:
        from flyteidl.admin.task_execution_pb2 import TaskExecution

        rows = await self._store.page(
            Query("task_executions", equals("task_executions", **node_key(node)), limit=EVERYTHING)
        )
        return [TaskExecution.FromString(row) for row in rows]

    # --- nodes ---

    async def _add_nodes(
        self, span: metrics_pb2.Span, nodes: Mapping[str, NodeExecution], workflow: CompiledWorkflowClosure, depth: int
    ) -> None:
        defined = {node.id: node for node in workflow.primary.template.nodes}
        for execution in sorted(nodes.values(), key=lambda node: _order(node.closure.created_at)):
            spec_id = execution.metadata.spec_node_id
            if spec_id in (_START, _END):
                continue
            if spec_id not in defined:
                named = prototext(workflow.primary.template.id)
                raise InternalError(f"failed to discover workflow node '{spec_id}' in workflow '{named}'")
            found = await self._of_node(execution, defined[spec_id], depth)
            before = _last_updated(spec_id, workflow, nodes)
            if before is not None:
                transition = _operation("NODE_TRANSITION", before.closure.updated_at, execution.closure.created_at)
                inside = list(found.spans)
                del found.spans[:]
                found.spans.extend([transition, *inside])
            span.spans.append(found)

    async def _of_node(self, execution: NodeExecution, node: Node, depth: int) -> metrics_pb2.Span:
        span = _span(execution.closure)
        span.node_id.CopyFrom(execution.id)
        if depth == 0:
            return span
        match node.WhichOneof("target"):
            case "branch_node":
                await self._add_branch(span, execution, node.branch_node, depth - 1)
            case "gate_node":
                _add_plugin(span, execution.closure, "NODE_SETUP", "NODE_IDLE", "NODE_TEARDOWN", always=True)
            case "task_node" if execution.metadata.is_parent_node:
                await self._add_dynamic(span, execution, depth - 1)
            case "task_node":
                await self._add_attempts(span, execution, depth - 1)
            case "workflow_node" if node.workflow_node.HasField("launchplan_ref"):
                await self._add_execution(span, execution, depth - 1)
            case "workflow_node":
                await self._add_subworkflow(span, execution, node.workflow_node.sub_workflow_ref, depth - 1)
            case _:
                pass  # an array node, of which Flyte's metrics know nothing
        return span

    async def _add_branch(
        self, span: metrics_pb2.Span, execution: NodeExecution, branch: BranchNode, depth: int
    ) -> None:
        closure = execution.closure
        taken = list((await self._nodes(execution.id.execution_id, execution.id.node_id)).values())
        if not taken:
            span.spans.append(_operation("NODE_SETUP", closure.created_at, closure.updated_at))
            return
        if len(taken) > 1:
            raise InternalError(f"invalid branch node execution: expected 1 but found {len(taken)} node execution(s)")
        block = branch.if_else
        ways = [block.case.then_node, *(other.then_node for other in block.other), block.else_node]
        spec_id = taken[0].metadata.spec_node_id
        node = next((way for way in ways if way.id == spec_id), None)
        if node is None:
            raise InternalError(
                f"failed to identify branch node final node definition for nodeID '{spec_id}' and branchNode "
                f"'{prototext(branch)}'"
            )
        span.spans.append(_operation("NODE_SETUP", closure.created_at, taken[0].closure.created_at))
        span.spans.append(await self._of_node(taken[0], node, depth))
        _add_teardown(span, "NODE_TEARDOWN", taken[0], closure)

    async def _add_dynamic(self, span: metrics_pb2.Span, execution: NodeExecution, depth: int) -> None:
        attempts = await self._attempts(execution.id)
        _add_setup(span, execution, attempts, depth)
        if not attempts:
            return
        closure, last = execution.closure, attempts[-1]
        nodes = await self._nodes(execution.id.execution_id, execution.id.node_id)
        if not nodes:
            _add_teardown(span, "NODE_RESET", last, closure)
            return
        span.spans.append(_operation("NODE_RESET", last.closure.updated_at, _updated(nodes.get(_START))))
        workflow = (await self._store.get_node_data(execution.id)).dynamic_workflow
        compiled = workflow.compiled_workflow if workflow else _nothing()
        await self._add_nodes(span, nodes, compiled, depth)
        _add_teardown(span, "NODE_TEARDOWN", _last_updated(_END, compiled, nodes), closure)

    async def _add_attempts(self, span: metrics_pb2.Span, execution: NodeExecution, depth: int) -> None:
        attempts = await self._attempts(execution.id)
        _add_setup(span, execution, attempts, depth)
        if attempts:
            _add_teardown(span, "NODE_TEARDOWN", attempts[-1], execution.closure)

    async def _add_execution(self, span: metrics_pb2.Span, execution: NodeExecution, depth: int) -> None:
        closure = execution.closure
        if not closure.HasField("workflow_node_metadata"):
            span.spans.append(_operation("NODE_SETUP", closure.created_at, closure.updated_at))
            return
        identifier = closure.workflow_node_metadata.executionId
        child = await known_execution(self._store, identifier)
        span.spans.append(_operation("NODE_SETUP", closure.created_at, child.closure.created_at))
        span.spans.append(await self.of_execution(child, depth))
        _add_teardown(span, "NODE_TEARDOWN", child, closure)

    async def _add_subworkflow(
        self, span: metrics_pb2.Span, execution: NodeExecution, identifier: identifier_pb2.Identifier, depth: int
    ) -> None:
        closure = execution.closure
        nodes = await self._nodes(execution.id.execution_id, execution.id.node_id)
        if not nodes:
            span.spans.append(_operation("NODE_SETUP", closure.created_at, closure.updated_at))
            return
        span.spans.append(_operation("NODE_SETUP", closure.created_at, _updated(nodes.get(_START))))
        workflow = await self._workflow(identifier)
        await self._add_nodes(span, nodes, workflow, depth)
        _add_teardown(span, "NODE_TEARDOWN", _last_updated(_END, workflow, nodes), closure)


def _add_setup(span: metrics_pb2.Span, execution: NodeExecution, attempts: list[TaskExecution], depth: int) -> None:
    """Add the time until the first attempt, and the attempts, which are sorted."""
    closure = execution.closure
    first = attempts[0].closure.created_at if attempts else closure.updated_at
    span.spans.append(_operation("NODE_SETUP", closure.created_at, first))
    attempts.sort(key=lambda attempt: _order(attempt.closure.created_at))
    for number, attempt in enumerate(attempts):
        if number:
            before = attempts[number - 1].closure.updated_at
            span.spans.append(_operation("NODE_RESET", before, attempt.closure.created_at))
        if depth != 0:
            inside = _span(attempt.closure)
            inside.task_id.CopyFrom(attempt.id)
            _add_plugin(inside, attempt.closure, "TASK_SETUP", "TASK_RUNTIME", "TASK_TEARDOWN", always=False)
            span.spans.append(inside)


def _add_plugin(span: metrics_pb2.Span, closure: Any, setup: str, runs: str, teardown: str, *, always: bool) -> None:
    if not _is_set(closure, "started_at"):
        span.spans.append(_operation(setup, closure.created_at, closure.updated_at))
        return
    span.spans.append(_operation(setup, closure.created_at, closure.started_at))
    if not _is_set(closure, "duration"):
        span.spans.append(_operation(runs, closure.started_at, closure.updated_at))
        return
    total = _order(closure.started_at) + closure.duration.seconds * 1_000_000_000 + closure.duration.nanos
    ended = Timestamp()
    ended.FromNanoseconds(total)
    span.spans.append(_operation(runs, closure.started_at, ended))
    if always or total <= _order(closure.updated_at):
        span.spans.append(_operation(teardown, ended, closure.updated_at))


def _add_teardown(span: metrics_pb2.Span, name: str, last: Any, closure: Any) -> None:
    """Add the time from the end of the last thing inside, where there was one and it is not after the end."""
    if last is not None and _order(closure.updated_at) >= _order(last.closure.updated_at):
        span.spans.append(_operation(name, last.closure.updated_at, closure.updated_at))


def _last_updated(
    spec_id: str, workflow: CompiledWorkflowClosure, nodes: Mapping[str, NodeExecution]
) -> NodeExecution | None:
    """Return which of the nodes before one was updated last; None where none was."""
    connections: ConnectionSet = workflow.primary.connections
    before = connections.upstream[spec_id].ids if spec_id in connections.upstream else ()
    found = [nodes[name] for name in before if name in nodes and _order(nodes[name].closure.updated_at) > 0]
    return max(found, key=lambda node: _order(node.closure.updated_at), default=None)


def _span(closure: Any) -> metrics_pb2.Span:
    span = metrics_pb2.Span()
    for field, stamp in (("start_time", "created_at"), ("end_time", "updated_at")):
        if closure.HasField(stamp):
            getattr(span, field).CopyFrom(getattr(closure, stamp))
    return span


def _operation(name: str, start: Timestamp, end: Timestamp | None) -> metrics_pb2.Span:
    return metrics_pb2.Span(start_time=start, end_time=end, operation_id=name)


def _updated(node: NodeExecution | None) -> Timestamp | None:
    return node.closure.updated_at if node is not None and _is_set(node.closure, "updated_at") else None


def _is_set(closure: Any, field: str) -> bool:
    value = getattr(closure, field)
    return bool(value.seconds or value.nanos)


def _order(stamp: Timestamp) -> int:
    return stamp.seconds * 1_000_000_000 + stamp.nanos


def _nothing() -> CompiledWorkflowClosure:
    from flyteidl.core.compiler_pb2 import CompiledWorkflowClosure

    return CompiledWorkflowClosure()
