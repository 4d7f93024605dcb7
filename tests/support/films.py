"""Executions in the store of a devserver whose parts a test moves, one at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from flyteidl.admin import execution_pb2, node_execution_pb2, task_execution_pb2
from flyteidl.core import execution_pb2 as core_pb2
from flyteidl.core import identifier_pb2

from flyte_remote_async.errors import RPCError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flyteidl.event import event_pb2
    from google.protobuf.timestamp_pb2 import Timestamp

    from flyte_remote_async.devserver.store import Store
    from flyte_remote_async.transport.base import Method
    from tests.support.remotes import Ledger

__all__ = ["Film", "refuse"]

PROJECT: Final = "flytesnacks"
DOMAIN: Final = "development"


class Film:
    """One execution, with a clock that a test moves."""

    def __init__(self, store: Store, name: str = "film") -> None:
        self.store = store
        self.id = identifier_pb2.WorkflowExecutionIdentifier(project=PROJECT, domain=DOMAIN, name=name)
        self.now = 1_700_000_000
        self._created: dict[str, int] = {}

    def later(self, seconds: int = 3600) -> None:
        """Let time pass."""
        self.now += seconds

    def node_id(self, node_id: str) -> identifier_pb2.NodeExecutionIdentifier:
        """Return the identity of a node."""
        return identifier_pb2.NodeExecutionIdentifier(execution_id=self.id, node_id=node_id)

    async def execution(self, phase: str = "RUNNING", **closure: Any) -> execution_pb2.Execution:
        """Put the execution as it is now."""
        message: Any = execution_pb2.Execution(id=self.id)
        message.spec.launch_plan.CopyFrom(_entity(identifier_pb2.LAUNCH_PLAN, "made.flow"))
        message.closure.CopyFrom(execution_pb2.ExecutionClosure(**closure))
        message.closure.phase = core_pb2.WorkflowExecution.Phase.Value(phase)
        self._stamp(message.closure, "")
        await self.store.put_execution(message)
        return cast("execution_pb2.Execution", message)

    async def node(
        self,
        node_id: str,
        phase: str | int = "RUNNING",
        *,
        parent: str = "",
        child: Film | None = None,
        output_uri: str = "",
        error: str = "",
        **metadata: Any,
    ) -> node_execution_pb2.NodeExecution:
        """Put a node as it is now; a number is a phase that has no name yet."""
        message: Any = node_execution_pb2.NodeExecution(id=self.node_id(node_id))
        message.closure.phase = phase if isinstance(phase, int) else core_pb2.NodeExecution.Phase.Value(phase)
        message.metadata.spec_node_id = node_id
        for name, value in metadata.items():
            setattr(message.metadata, name, value)
        if error:
            message.closure.error.code, message.closure.error.message = "USER:Error", error
        if child is not None:
            message.closure.workflow_node_metadata.executionId.CopyFrom(child.id)
        if output_uri:
            message.closure.output_uri = output_uri
            message.input_uri = output_uri.replace("outputs", "inputs")
        self._stamp(message.closure, node_id)
        await self.store.put_node(message, parent)
        return cast("node_execution_pb2.NodeExecution", message)

    async def attempt(
        self,
        node_id: str,
        phase: str = "RUNNING",
        *,
        number: int = 0,
        task: str = "made.task",
        error: str = "",
        elements: Sequence[event_pb2.ExternalResourceInfo] = (),
    ) -> task_execution_pb2.TaskExecution:
        """Put an attempt of a node's task as it is now."""
        message: Any = task_execution_pb2.TaskExecution()
        message.id.task_id.CopyFrom(_entity(identifier_pb2.TASK, task))
        message.id.node_execution_id.CopyFrom(self.node_id(node_id))
        message.id.retry_attempt = number
        if error:
            message.closure.error.code, message.closure.error.message = "USER:Error", error
        message.closure.metadata.external_resources.extend(elements)
        message.closure.phase = core_pb2.TaskExecution.Phase.Value(phase)
        self._stamp(message.closure, f"{node_id}-{number}")
        await self.store.put_attempt(message)
        return cast("task_execution_pb2.TaskExecution", message)

    def _stamp(self, closure: Any, key: str) -> None:
        created = self._created.setdefault(key, self.now)
        _set(closure.created_at, created)
        _set(closure.started_at, created)
        _set(closure.updated_at, self.now)


def _set(at: Timestamp, seconds: int) -> None:
    at.seconds = seconds


def _entity(kind: Any, name: str) -> identifier_pb2.Identifier:
    return identifier_pb2.Identifier(resource_type=kind, project=PROJECT, domain=DOMAIN, name=name, version="v1")


def refuse(
    ledger: Ledger, rpc: str, error: Callable[[], Exception], *, times: int | None = None, about: str = ""
) -> None:
    """Let calls of one RPC fail.

    Args:
        ledger: The ledger of the remote.
        rpc: Name of the RPC.
        error: Makes the error.
        times: How many calls fail, None for all.
        about: Text in the request without which a call does not fail.
    """
    left = [float("inf") if times is None else times]

    def on_call(method: Method[Any, Any], request: bytes) -> None:
        if method.name == rpc and about.encode() in request and left[0] > 0:
            left[0] -= 1
            failure = error()
            if isinstance(failure, RPCError):
                failure.method = method.name  # as the backends do
            raise failure

    ledger.on_call = on_call
