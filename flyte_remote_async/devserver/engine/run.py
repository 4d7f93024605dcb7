"""Carries out one execution, level by level; its nodes are carried out in :mod:`nodes`."""

from __future__ import annotations

import copy
import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

import anyio

from flyte_remote_async.devserver.engine import bindings
from flyte_remote_async.devserver.engine.graph import END_NODE, START_NODE
from flyte_remote_async.devserver.engine.levels import Level
from flyte_remote_async.devserver.engine.nodes import NodeRun, unresolved
from flyte_remote_async.devserver.engine.progress import Progress
from flyte_remote_async.devserver.engine.shares import Share
from flyte_remote_async.devserver.engine.shortcuts import recovered_outcome
from flyte_remote_async.devserver.runners.outcome import RECOVERED, TIMED_OUT, Outcome, system_failure, user_failure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anyio.streams.memory import MemoryObjectSendStream
    from flyteidl.admin import execution_pb2
    from flyteidl.core import execution_pb2 as core_execution_pb2
    from flyteidl.core import literals_pb2, tasks_pb2, workflow_pb2

    from flyte_remote_async.devserver.engine.platform import Platform
    from flyte_remote_async.devserver.engine.recorder import Recorder
    from flyte_remote_async.devserver.engine.records import NodeRecord
    from flyte_remote_async.devserver.engine.settings import Settings
    from flyte_remote_async.devserver.naming import Place
    from flyte_remote_async.devserver.runners import TaskRunner

__all__ = ["Kind", "Run"]


Kind: TypeAlias = Callable[
    ["Run", Level, "workflow_pb2.Node", "NodeRecord", "literals_pb2.LiteralMap"], Awaitable[Outcome]
]
"""Tries a node of one kind once, with its inputs. A recoverable failure is tried again as often as Flyte allows."""


class Run:
    """One execution that runs, and what all of its nodes share.

    Args:
        execution: The execution as it was launched.
        settings: What it, its launch plan and its workflow say about how to run.
        recorder: Where to write what happens.
        platform: What it shares with the other executions of the engine.
        kinds: For each target of a node, what carries it out.

    Attributes:
        execution: The execution as it was launched.
        settings: What it, its launch plan and its workflow say about how to run.
        recorder: Where to write what happens.
        platform: What it shares with the other executions of the engine.
        clock: What instants and sleeps are taken from.
        kinds: For each target of a node, what carries it out.
        parallelism: What ``max_parallelism`` leaves to be taken; None without a bound.
    """

    def __init__(
        self,
        execution: execution_pb2.Execution,
        settings: Settings,
        recorder: Recorder,
        platform: Platform,
        kinds: Mapping[str | None, Kind],
    ) -> None:
        self.execution = execution
        self.settings = settings
        self.recorder = recorder
        self.platform = platform
        self.clock = platform.clock
        self.kinds = kinds
        most = settings.max_parallelism
        self.parallelism = anyio.Semaphore(most) if most else None

    def runner(self, task: tasks_pb2.TaskTemplate) -> TaskRunner | None:
        """Return what runs a task, or None where nothing does."""
        return self.platform.runner(task)

    def part(self, recorder: Recorder | None = None) -> Run:
        """Return a part of this execution whose nodes do not count for ``max_parallelism``.

        Args:
            recorder: Where to write what happens in it, if not where the rest is written.
        """
        part = copy.copy(self)
        part.recorder = recorder or self.recorder
        part.parallelism = None
        return part

    # --- levels ---

    async def run_level(self, level: Level, inputs: literals_pb2.LiteralMap) -> Outcome:
        """Run a workflow from its start node to its end node, its failure node included, and return how it ended."""
        root = self.recorder.root
        await self.recorder.start(level.place(root, START_NODE), inputs)
        level.outputs[START_NODE] = inputs
        progress = await self._run_nodes(level)
        if progress.failure is not None:
            return await self._fail_level(level, progress.failure)
        if progress.stuck:
            return system_failure("IllegalStateError", f"nodes {', '.join(progress.stuck)} can never become ready")
        if level.parent is None and await self._recover_end(level):
            return Outcome(phase=RECOVERED)
        try:
            outputs = bindings.resolve(level.graph.outputs, level.outputs)
        except bindings.BindingError as error:
            outcome = unresolved(END_NODE, error)
            end = self.recorder.new_node(level.place(root, END_NODE), level.graph.end_node)
            await self.recorder.end_node(end, outcome)
            return await self._fail_level(level, outcome)
        await self.recorder.finish(level.place(root, END_NODE), outputs)
        return Outcome(outputs, writes_outputs=bool(level.graph.outputs))

    async def _recover_end(self, level: Level) -> bool:
        """End an execution as the one that it recovers has ended: as in Flyte it then has no outputs of its own."""
        end = self.recorder.new_node(level.place(self.recorder.root, END_NODE), level.graph.end_node)
        recovered = await recovered_outcome(self, end)
        if recovered is None:
            return False
        await self.recorder.end_node(end, recovered)
        return True

    async def _run_nodes(self, level: Level) -> Progress:
        """Run nodes as they become ready, until all have ended or the workflow has failed."""
        progress = Progress(level.graph, fails_late=self.settings.fails_late)
        send, receive = anyio.create_memory_object_stream[tuple[str, Outcome]](math.inf)
        with send, receive:
            async with anyio.create_task_group() as nodes:
                while True:
                    for node in progress.start_ready():
                        nodes.start_soon(self._run_and_tell, level, node, send)
                    if progress.is_over:
                        break
                    node_id, outcome = await receive.receive()
                    level.outputs[node_id] = outcome.outputs
                    await self._skip(level, progress.settle(node_id, outcome))
                nodes.cancel_scope.cancel()
        return progress

    async def _run_and_tell(
        self, level: Level, node: workflow_pb2.Node, tell: MemoryObjectSendStream[tuple[str, Outcome]]
    ) -> None:
        outcome = await self.run_node(level, node, level.place(self.recorder.root, node.id))
        await tell.send((node.id, outcome))

    async def _skip(self, level: Level, skipped: Sequence[str]) -> None:
        if skipped:
            end = level.graph.end_node
            places = [level.place(self.recorder.root, node_id) for node_id in skipped]
            nodes = [level.graph.nodes.get(node_id, end) for node_id in skipped]
            await self.recorder.skip(list(zip(places, nodes, strict=True)))

    async def _fail_level(self, level: Level, failure: Outcome) -> Outcome:
        """Abort what still runs of a workflow that has failed, run its failure node, and return how it ended."""
        if failure.error is None:
            failure = user_failure("Timeout", "Timeout in node")
        if level.parent is None and failure.error is not None:
            await self.recorder.execution.fail(failure.error)
        inside = level.parent.node_id if level.parent else ""
        await self.recorder.abort_inside(inside, level.abort_reason)
        node = level.graph.failure_node
        if node is None:
            return failure
        handled = await self.run_node(level, node, level.place(self.recorder.root, node.id), failure.error)
        if handled.phase == TIMED_OUT and level.parent is None:
            return user_failure("TimedOut", "FailureNode Timed-out")
        return failure if handled.error is None else handled

    # --- nodes ---

    async def run_node(
        self,
        level: Level,
        node: workflow_pb2.Node,
        place: Place,
        error: core_execution_pb2.ExecutionError | None = None,
    ) -> Outcome:
        """Run one node: from QUEUED to its end.

        Args:
            level: The workflow that it is part of.
            node: The node.
            place: Where it stands.
            error: For a failure node: what it is run for.
        """
        async with Share(self.parallelism, node) as share:
            return await NodeRun(self, level, node, place, share).carry_out(error)
