"""Carries out one execution: level by level, node by node. What a node does is in :mod:`kinds`."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeAlias

import anyio
import attrs

from flyte_remote_async.devserver.engine import bindings
from flyte_remote_async.devserver.engine.conditions import BranchError
from flyte_remote_async.devserver.engine.graph import END_NODE, START_NODE, Progress
from flyte_remote_async.devserver.engine.shortcuts import cached_outcome, recovered_outcome
from flyte_remote_async.devserver.naming import Place
from flyte_remote_async.devserver.outcome import Outcome, system_failure, user_failure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anyio.streams.memory import MemoryObjectSendStream
    from flyteidl.admin import execution_pb2
    from flyteidl.core import literals_pb2, tasks_pb2, workflow_pb2

    from flyte_remote_async.devserver.engine.graph import Graph, Program
    from flyte_remote_async.devserver.engine.platform import Platform
    from flyte_remote_async.devserver.engine.recorder import Recorder
    from flyte_remote_async.devserver.engine.records import NodeRecord
    from flyte_remote_async.devserver.runners import TaskRunner

__all__ = ["AUTO_ABORT", "Kind", "Level", "Run"]

AUTO_ABORT: Final = "Some node execution failed, auto-abort."
"""Why what still runs in an execution is stopped when a node of it has failed."""


@attrs.frozen
class Level:
    """One workflow that runs: the execution's own, or one in a node of it.

    Attributes:
        program: Where its tasks and subworkflows are.
        graph: Its nodes.
        parent: The node that it is inside of; None at the top.
        attempt: The attempt of that node that it belongs to.
        abort_reason: Why its nodes that still run are stopped when one of them has failed, in Flyte's words.
        outputs: What its nodes gave, by id; grows while it runs.
    """

    program: Program
    graph: Graph
    parent: Place | None = None
    attempt: int = 0
    abort_reason: str = AUTO_ABORT
    outputs: dict[str, literals_pb2.LiteralMap] = attrs.field(factory=dict)

    def place(self, root: str, spec_id: str) -> Place:
        """Return where one of its nodes stands.

        Args:
            root: The folder of the execution.
            spec_id: The id of the node in the workflow.
        """
        return self.parent.inside(spec_id, self.attempt) if self.parent else Place.at_top(root, spec_id)


Kind: TypeAlias = Callable[
    ["Run", Level, "workflow_pb2.Node", "NodeRecord", "literals_pb2.LiteralMap"], Awaitable[Outcome]
]
"""Carries out the nodes of one kind, whose inputs are resolved."""


class Run:
    """One execution that runs, and what all of its nodes share.

    Args:
        execution: The execution as it was launched.
        recorder: Where to write what happens.
        platform: What it shares with the other executions of the engine.
        kinds: For each target of a node, what carries it out.

    Attributes:
        execution: The execution as it was launched.
        recorder: Where to write what happens.
        platform: What it shares with the other executions of the engine.
        clock: What instants and sleeps are taken from.
        parallelism: Held by each task node that runs: ``max_parallelism`` of them at a time.
    """

    def __init__(
        self,
        execution: execution_pb2.Execution,
        recorder: Recorder,
        platform: Platform,
        kinds: Mapping[str | None, Kind],
    ) -> None:
        self.execution = execution
        self.recorder = recorder
        self.platform = platform
        self.clock = platform.clock
        self._kinds = kinds
        most = execution.spec.max_parallelism
        self.parallelism = anyio.CapacityLimiter(most) if most else contextlib.nullcontext()

    def runner(self, task: tasks_pb2.TaskTemplate) -> TaskRunner | None:
        """Return what runs a task, or None where nothing does."""
        return self.platform.runner(task)

    # --- levels ---

    async def run_level(self, level: Level, inputs: literals_pb2.LiteralMap) -> Outcome:
        """Run a workflow from its start node to its end node, and return how it ended."""
        root = self.recorder.root
        await self.recorder.start(level.place(root, START_NODE), inputs)
        level.outputs[START_NODE] = inputs
        progress = await self._run_nodes(level)
        if progress.failure is not None:
            await self.recorder.abort_inside(level.parent.node_id if level.parent else "", level.abort_reason)
            return progress.failure
        if progress.stuck:
            return system_failure("IllegalStateError", f"nodes {', '.join(progress.stuck)} can never become ready")
        try:
            outputs = bindings.resolve(level.graph.outputs, level.outputs)
        except bindings.BindingError as error:
            return system_failure("BindingResolutionError", f"the outputs of the workflow: {error}")
        await self.recorder.finish(level.place(root, END_NODE), outputs)
        return Outcome(outputs)

    async def _run_nodes(self, level: Level) -> Progress:
        """Run nodes as they become ready, until all have ended or one has failed."""
        progress = Progress(level.graph)
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
                    progress.settle(node_id, outcome)
                if progress.failure is not None:
                    self.recorder.abort_reason = level.abort_reason
                nodes.cancel_scope.cancel()
        return progress

    async def _run_and_tell(
        self, level: Level, node: workflow_pb2.Node, tell: MemoryObjectSendStream[tuple[str, Outcome]]
    ) -> None:
        outcome = await self.run_node(level, node, level.place(self.recorder.root, node.id))
        await tell.send((node.id, outcome))

    # --- nodes ---

    async def run_node(self, level: Level, node: workflow_pb2.Node, place: Place) -> Outcome:
        """Run one node: from QUEUED to its end, unless its outputs are known already.

        Args:
            level: The workflow that it is part of.
            node: The node.
            place: Where it stands.
        """
        record = self.recorder.new_node(place)
        try:
            outcome = await recovered_outcome(self, node, record)
            if outcome is None:
                inputs = bindings.resolve(node.inputs, level.outputs)
                outcome = await cached_outcome(self, level, node, record, inputs)
            if outcome is None:
                await self.recorder.queue(record, inputs)
                outcome = await self._run_kind(level, node, record, inputs)
        except bindings.BindingError as error:
            outcome = user_failure("BindingResolutionError", f"Error when trying to resolve inputs: {error}")
        except BranchError as error:
            outcome = user_failure(error.code, str(error))
        await self.recorder.end_node(record, outcome)
        return outcome

    async def _run_kind(
        self, level: Level, node: workflow_pb2.Node, record: NodeRecord, inputs: literals_pb2.LiteralMap
    ) -> Outcome:
        target = node.WhichOneof("target")
        kind = self._kinds.get(target)
        if kind is None:
            named = target or "node without target"
            article = "an" if named.startswith("a") else "a"
            return system_failure("UnsupportedNode", f"the devserver's engine does not run {article} {named}")
        return await kind(self, level, node, record, inputs)
