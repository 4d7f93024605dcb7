"""Carries out one execution: level by level, node by node, attempt by attempt."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Final

import anyio
import attrs

from flyte_remote_async.devserver.engine import bindings, calls
from flyte_remote_async.devserver.engine.branch import BranchError, decide
from flyte_remote_async.devserver.engine.graph import END_NODE, START_NODE, Progress
from flyte_remote_async.devserver.engine.naming import Place
from flyte_remote_async.devserver.engine.outcome import Outcome, retries_exhausted, system_failure, user_failure
from flyte_remote_async.devserver.engine.records import ECHO
from flyte_remote_async.devserver.stand_ins import Attempt

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectSendStream
    from flyteidl.core import literals_pb2, tasks_pb2, workflow_pb2

    from flyte_remote_async.devserver.engine.clock import Clock
    from flyte_remote_async.devserver.engine.graph import Graph, Program
    from flyte_remote_async.devserver.engine.recorder import Recorder
    from flyte_remote_async.devserver.engine.records import NodeRecord
    from flyte_remote_async.devserver.stand_ins import StandIns

__all__ = ["Run"]

_AUTO_ABORT: Final = "Some node execution failed, auto-abort."


@attrs.frozen
class _Level:
    """One workflow that runs: the execution's own, or a subworkflow in a node.

    Attributes:
        graph: Its nodes.
        parent: The node that it is inside of; None at the top.
        outputs: What its nodes gave, by id; grows while it runs.
    """

    graph: Graph
    parent: Place | None
    outputs: dict[str, literals_pb2.LiteralMap] = attrs.field(factory=dict)


class Run:
    """One execution that runs.

    Args:
        program: The compiled workflow.
        recorder: Where to write what happens.
        stand_ins: The functions for its tasks.
        clock: What dates are taken from.
        threads: How many functions that are not async run at a time.
        max_parallelism: How many task nodes run at a time; 0 is without limit.
    """

    def __init__(
        self,
        program: Program,
        recorder: Recorder,
        stand_ins: StandIns,
        clock: Clock,
        *,
        threads: anyio.CapacityLimiter,
        max_parallelism: int = 0,
    ) -> None:
        self._program = program
        self._recorder = recorder
        self._stand_ins = stand_ins
        self._clock = clock
        self._threads = threads
        self._places = anyio.CapacityLimiter(max_parallelism) if max_parallelism else contextlib.nullcontext()

    async def execute(self, inputs: literals_pb2.LiteralMap) -> Outcome:
        """Run the workflow and return how it ended.

        Args:
            inputs: The inputs of the execution.
        """
        return await self._run_level(_Level(self._program.main, None), inputs)

    # --- levels ---

    def _place(self, level: _Level, spec_id: str) -> Place:
        return level.parent.inside(spec_id) if level.parent else Place.at_top(self._recorder.root, spec_id)

    async def _run_level(self, level: _Level, inputs: literals_pb2.LiteralMap) -> Outcome:
        await self._recorder.start(self._place(level, START_NODE), inputs)
        level.outputs[START_NODE] = inputs
        progress = await self._run_nodes(level)
        if progress.failure is not None:
            await self._recorder.abort_inside(level.parent.node_id if level.parent else "", _AUTO_ABORT)
            return progress.failure
        if progress.stuck:
            return system_failure("IllegalStateError", f"nodes {', '.join(progress.stuck)} can never become ready")
        try:
            outputs = bindings.resolve(level.graph.outputs, level.outputs)
        except bindings.BindingError as error:
            return system_failure("BindingResolutionError", f"the outputs of the workflow: {error}")
        await self._recorder.finish(self._place(level, END_NODE), outputs)
        return Outcome(outputs)

    async def _run_nodes(self, level: _Level) -> Progress:
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
                nodes.cancel_scope.cancel()
        return progress

    async def _run_and_tell(
        self, level: _Level, node: workflow_pb2.Node, tell: MemoryObjectSendStream[tuple[str, Outcome]]
    ) -> None:
        outcome = await self._run_node(level, node, self._place(level, node.id))
        await tell.send((node.id, outcome))

    # --- nodes ---

    async def _run_node(self, level: _Level, node: workflow_pb2.Node, place: Place) -> Outcome:
        record = await self._recorder.queue(place)
        try:
            inputs = bindings.resolve(node.inputs, level.outputs)
            await self._recorder.keep_inputs(record, inputs)
            outcome = await self._run_kind(level, node, record, inputs)
        except bindings.BindingError as error:
            outcome = user_failure("BindingResolutionError", f"Error when trying to resolve inputs: {error}")
        except BranchError as error:
            outcome = user_failure(error.code, str(error))
        await self._recorder.end_node(record, outcome)
        return outcome

    async def _run_kind(
        self, level: _Level, node: workflow_pb2.Node, record: NodeRecord, inputs: literals_pb2.LiteralMap
    ) -> Outcome:
        match node.WhichOneof("target"):
            case "task_node":
                return await self._run_task(node, record, inputs)
            case "workflow_node" if node.workflow_node.HasField("sub_workflow_ref"):
                await self._recorder.run_parent(record)
                graph = self._program.subworkflow(node.workflow_node.sub_workflow_ref)
                return await self._run_level(_Level(graph, record.place), inputs)
            case "branch_node":
                taken = decide(node.branch_node.if_else, inputs.literals)
                await self._recorder.run_parent(record)
                return await self._run_node(level, taken, record.place.inside(taken.id))
            case other:
                kind = other or "node without target"
                article = "an" if kind.startswith("a") else "a"
                return system_failure("UnsupportedNode", f"the devserver's engine does not run {article} {kind}")

    # --- attempts ---

    async def _run_task(self, node: workflow_pb2.Node, record: NodeRecord, inputs: literals_pb2.LiteralMap) -> Outcome:
        task = self._program.task(node.task_node.reference_id)
        if task.type == ECHO and self._stand_ins.get(task.id.name) is None:
            outcome = calls.echo(task, inputs)
            await self._recorder.echo(record, task, inputs, outcome)
            return outcome
        allowed = (node.metadata.retries.retries or task.metadata.retries.retries) + 1
        async with self._places:
            for number in range(allowed):
                outcome = await self._run_attempt(record, task, number, inputs)
                if not outcome.recoverable:
                    return outcome
        return retries_exhausted(outcome, allowed, allowed)

    async def _run_attempt(
        self, record: NodeRecord, task: tasks_pb2.TaskTemplate, number: int, inputs: literals_pb2.LiteralMap
    ) -> Outcome:
        attempt = await self._recorder.start_attempt(record, task, number, inputs)
        stand_in = self._stand_ins.get(task.id.name)
        if stand_in is None:
            outcome = calls.no_stand_in(task.id.name)
        else:
            await self._recorder.run_attempt(attempt)
            about = Attempt(self._recorder.execution_id.name, record.place.node_id, task.id.name, number)
            outcome = await calls.call(stand_in, task, inputs, about, clock=self._clock, threads=self._threads)
        await self._recorder.end_attempt(attempt, outcome)
        return outcome
