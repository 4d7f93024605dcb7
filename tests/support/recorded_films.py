"""Recorded polling as films: what flytekit's client saw of executions that it watched while they ran."""

from __future__ import annotations

import functools
from typing import Any

from flyteidl.admin import execution_pb2, node_execution_pb2, signal_pb2, task_execution_pb2

from flyte_remote_async import FlyteNodeExecution, FlyteTaskExecution, FlyteWorkflowExecution
from flyte_remote_async.executions.below import Below
from flyte_remote_async.models.signals import Signal
from tests.support.recordings import labels, rpcs

__all__ = ["WATCHED", "recorded_film"]

WATCHED = ("samples.chain", "more.deep", "samples.gates", "more.exhausted")


class _Projector:
    """What a client that asked all of this knows by now."""

    def __init__(self) -> None:
        self.executions: dict[str, Any] = {}
        self.levels: dict[tuple[str, str], list[Any]] = {}
        self.attempts: dict[tuple[str, str], list[Any]] = {}
        self.signals: dict[str, tuple[Signal, ...]] = {}

    def take(self, rpc: str, request: bytes, response: bytes) -> None:
        """Take in what one call brought."""
        if rpc == "GetExecution":
            execution = execution_pb2.Execution.FromString(response)
            self.executions[execution.id.name] = execution
        elif rpc == "ListNodeExecutions":
            level = node_execution_pb2.NodeExecutionListRequest.FromString(request)
            nodes = node_execution_pb2.NodeExecutionList.FromString(response).node_executions
            self.levels[level.workflow_execution_id.name, level.unique_parent_id] = list(nodes)
        elif rpc == "ListTaskExecutions":
            node = task_execution_pb2.TaskExecutionListRequest.FromString(request).node_execution_id
            attempts = task_execution_pb2.TaskExecutionList.FromString(response).task_executions
            self.attempts[node.execution_id.name, node.node_id] = list(attempts)
        elif rpc == "ListSignals":
            of = signal_pb2.SignalListRequest.FromString(request).workflow_execution_id
            signals = signal_pb2.SignalList.FromString(response).signals
            self.signals[of.name] = tuple(map(Signal.from_flyte_idl, signals))

    def execution(self, name: str) -> FlyteWorkflowExecution:
        """Return the snapshot of an execution with all that is known below it."""
        return FlyteWorkflowExecution.from_flyte_idl(
            self.executions[name], nodes=self._level(name, ""), signals=self.signals.get(name)
        )

    def _level(self, execution: str, parent: str) -> tuple[FlyteNodeExecution, ...] | None:
        nodes = self.levels.get((execution, parent))
        return None if nodes is None else tuple(self._node(node) for node in nodes)

    def _node(self, message: Any) -> FlyteNodeExecution:
        execution, node_id = message.id.execution_id.name, message.id.node_id
        attempts = self.attempts.get((execution, node_id))
        child = message.closure.workflow_node_metadata.executionId.name
        below = Below(
            nodes=self._level(execution, node_id),
            attempts=() if attempts is None else tuple(map(FlyteTaskExecution.from_flyte_idl, attempts)),
            executions=(self.execution(child),) if child in self.executions else None,
        )
        return FlyteNodeExecution.from_flyte_idl(message, below=below)


@functools.cache
def recorded_film(label: str) -> tuple[FlyteWorkflowExecution, ...]:
    """Return the snapshots of an execution, one for each answer that told something of it, in order of time.

    Args:
        label: One of :data:`WATCHED`.
    """
    name = labels()[label]
    projector = _Projector()
    frames: list[FlyteWorkflowExecution] = []
    for call in rpcs():
        rpc = call.method.rpartition("/")[2]
        if call.code != "OK" or rpc not in _TELLING:
            continue
        projector.take(rpc, call.request, call.response)
        if name in projector.executions and (not frames or projector.execution(name) != frames[-1]):
            frames.append(projector.execution(name))
    return tuple(frames)


_TELLING = {"GetExecution", "ListNodeExecutions", "ListTaskExecutions", "ListSignals"}
