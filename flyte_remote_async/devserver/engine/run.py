"""Carries out one execution: level by level, node by node. What a node does is in :mod:`kinds`."""

from __future__ import annotations

import copy
import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeAlias

import anyio
import attrs

from flyte_remote_async.devserver.engine import bindings
from flyte_remote_async.devserver.engine.conditions import BranchError
from flyte_remote_async.devserver.engine.graph import END_NODE, START_NODE
from flyte_remote_async.devserver.engine.progress import Progress
from flyte_remote_async.devserver.engine.shares import Share
from flyte_remote_async.devserver.engine.shortcuts import cached_outcome, recovered_outcome
from flyte_remote_async.devserver.engine.tries import Tries, allowed_attempts, time_limit
from flyte_remote_async.devserver.naming import Place
from flyte_remote_async.devserver.runners.outcome import TIMED_OUT, Outcome, system_failure, user_failure

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from anyio.streams.memory import MemoryObjectSendStream
    from flyteidl.admin import execution_pb2
    from flyteidl.core import execution_pb2 as core_execution_pb2
    from flyteidl.core import literals_pb2, tasks_pb2, workflow_pb2

    from flyte_remote_async.devserver.engine.graph import Graph, Program
    from flyte_remote_async.devserver.engine.platform import Platform
    from flyte_remote_async.devserver.engine.recorder import Recorder
    from flyte_remote_async.devserver.engine.records import NodeRecord
    from flyte_remote_async.devserver.engine.settings import Settings
    from flyte_remote_async.devserver.runners import TaskRunner

__all__ = ["Kind", "Level", "Run"]

_AUTO_ABORT: Final = "Some node execution failed, auto-abort."
_NODE_FAILING: Final = "node failing"
_NODE_TIMED_OUT: Final = "node timed out"


@attrs.frozen
class Level:
    """One workflow that runs: the execution's own, or one in a node of it.

    Attributes:
        program: Where its tasks and subworkflows are.
        graph: Its nodes.
        parent: The node that it is inside of; None at the top.
        attempt: The try of that node that it belongs to.
        abort_reason: Why its nodes that still run are aborted when it has failed, in Flyte's words.
        outputs: What its nodes gave, by id; grows while it runs.
    """

    program: Program
    graph: Graph
    parent: Place | None = None
    attempt: int = 0
    abort_reason: str = _AUTO_ABORT
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
        self._kinds = kinds
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
        try:
            outputs = bindings.resolve(level.graph.outputs, level.outputs)
        except bindings.BindingError as error:
            outcome = _unresolved(END_NODE, error)
            end = self.recorder.new_node(level.place(root, END_NODE), level.graph.end_node)
            await self.recorder.end_node(end, outcome)
            return await self._fail_level(level, outcome)
        await self.recorder.finish(level.place(root, END_NODE), outputs)
        return Outcome(outputs, writes_outputs=bool(level.graph.outputs))

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
            await self.recorder.fail_execution(failure.error)
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
            record = self.recorder.new_node(place, node)
            record.release = share.release
            record.raw_output_base = self.settings.raw_output_prefix
            outcome = await self._run_record(level, node, record, error)
            await self.recorder.end_node(record, outcome)
            # What a timeout left behind: propeller tells the node first, and then what is inside of it.
            await self._abort_rest(record, _NODE_TIMED_OUT if outcome.phase == TIMED_OUT else _NODE_FAILING)
            return outcome

    async def _run_record(
        self,
        level: Level,
        node: workflow_pb2.Node,
        record: NodeRecord,
        error: core_execution_pb2.ExecutionError | None,
    ) -> Outcome:
        """Run a node, unless its outputs are known already."""
        outcome = await recovered_outcome(self, record)
        if outcome is not None:
            return outcome
        try:
            inputs = bindings.resolve(node.inputs, level.outputs)
        except bindings.BindingError as refused:
            return _unresolved(node.id, refused)
        if error is not None:
            bindings.tell_error(inputs, node.id, error)
        outcome = await cached_outcome(self, level, node, record, inputs)
        if outcome is not None:
            return outcome
        await self.recorder.queue(record, inputs)
        return await self._run_tries(level, node, record, inputs)

    async def _run_tries(
        self, level: Level, node: workflow_pb2.Node, record: NodeRecord, inputs: literals_pb2.LiteralMap
    ) -> Outcome:
        task = level.program.task(node.task_node.reference_id) if node.HasField("task_node") else None
        interruptible = self.settings.interruptible
        if node.metadata.HasField("interruptible"):
            interruptible = node.metadata.interruptible
        tries = Tries(allowed_attempts(node, task))
        queued_at = self.clock.now()
        while True:
            record.number = tries.number
            record.interruptible = interruptible and tries.may_be_interrupted
            outcome = await self._try_in_time(level, node, record, inputs, queued_at)
            if not outcome.recoverable:
                return outcome
            following = tries.after(outcome)
            if following is None:
                return tries.exhausted(outcome)
            await self._abort_rest(record, outcome.error.message if outcome.error else "")
            tries = following

    async def _try_in_time(
        self,
        level: Level,
        node: workflow_pb2.Node,
        record: NodeRecord,
        inputs: literals_pb2.LiteralMap,
        queued_at: dt.datetime,
    ) -> Outcome:
        limit = time_limit(node, queued_at, self.clock.now())
        if limit is None:
            return await self._try(level, node, record, inputs)
        with self.clock.move_on_at(limit.at) as scope:
            outcome = await self._try(level, node, record, inputs)
        return limit.outcome if scope.cancelled_caught else outcome

    async def _try(
        self, level: Level, node: workflow_pb2.Node, record: NodeRecord, inputs: literals_pb2.LiteralMap
    ) -> Outcome:
        target = node.WhichOneof("target")
        kind = self._kinds.get(target)
        if kind is None:
            named = target or "node without target"
            return system_failure("UnsupportedNode", f"the devserver's engine does not run a {named}")
        try:
            return await kind(self, level, node, record, inputs)
        except BranchError as error:
            return user_failure(error.code, str(error))

    async def _abort_rest(self, record: NodeRecord, reason: str) -> None:
        """Abort what a node has left running: its attempt, and what is inside of it."""
        if record.on_abort is not None:
            await record.on_abort(reason)
        await self.recorder.abort_attempt(record)
        await self.recorder.abort_inside(record.place.node_id, reason)


def _unresolved(node_id: str, error: bindings.BindingError) -> Outcome:
    message = f"failed at Node[{node_id}]. BindingResolutionError: {error}"
    return system_failure("BindingResolutionFailure", message)
