"""Array nodes: a task or a launch plan for each item of lists.

Source: flytepropeller ``controller/nodes/array``.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import anyio
import attrs
from flyteidl.core import workflow_pb2

from flyte_remote_async.devserver.engine.array_rows import ArrayAttempt, ItemRecorder
from flyte_remote_async.devserver.engine.arrays import (
    ArrayProgress,
    array_size,
    cached_template,
    gathered,
    item_inputs,
    item_template,
)
from flyte_remote_async.devserver.engine.graph import START_NODE
from flyte_remote_async.devserver.engine.levels import Level
from flyte_remote_async.devserver.runners.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flyteidl.core import literals_pb2, tasks_pb2

    from flyte_remote_async.devserver.engine.graph import Program
    from flyte_remote_async.devserver.engine.records import NodeRecord
    from flyte_remote_async.devserver.engine.run import Run

__all__ = ["run_array"]

_ABORT: Final = "ArrayNodeFailing"


async def run_array(
    run: Run, level: Level, node: workflow_pb2.Node, record: NodeRecord, inputs: literals_pb2.LiteralMap
) -> Outcome:
    """Run the items of an array and return what they gave together."""
    size = array_size(node.array_node, inputs)
    if isinstance(size, Outcome):
        return size
    items = _Items(run, level, node.array_node, record, inputs)
    if node.array_node.node.HasField("task_node"):
        return await _run_tasks(items, size)
    record.message.metadata.is_parent_node = True
    await run.recorder.run_node(record)
    progress = await _run_items(node.array_node, size, items.run)
    if progress.has_failed:
        await run.recorder.abort_inside(record.place.node_id, _ABORT)
    return _outcome(progress, None)


async def _run_tasks(items: _Items, size: int) -> Outcome:
    run, record = items.run_of, items.record
    task = items.level.program.task(items.array.node.task_node.reference_id)
    attempt = ArrayAttempt(run.platform.store, run.clock, record, task, size)
    await attempt.save(items.inputs)
    program = items.level.program.with_task(item_template(task, items.array), cached_template(task))
    tasks = _TaskItems(items, attempt, program)
    record.on_abort = tasks.abort_all
    await run.recorder.run_node(record)
    await attempt.run()
    progress = await _run_items(items.array, size, tasks.run)
    if progress.has_failed:
        await tasks.abort(_ABORT)
    outcome = _outcome(progress, task)
    await attempt.end(outcome)
    record.on_abort = None
    return outcome


def _outcome(progress: ArrayProgress, task: tasks_pb2.TaskTemplate | None) -> Outcome:
    if progress.has_failed:
        return Outcome(error=progress.error)
    return Outcome(gathered(task, [progress.outcomes[index] for index in range(progress.size)]))


async def _run_items(
    array: workflow_pb2.ArrayNode, size: int, run_item: Callable[[int], Awaitable[Outcome]]
) -> ArrayProgress:
    """Run items until all have ended, or too few can still succeed."""
    progress = ArrayProgress.of(array, size)
    at_a_time = anyio.CapacityLimiter(array.parallelism) if array.parallelism else contextlib.nullcontext()
    over = anyio.Event()

    async def run_one(index: int) -> None:
        async with at_a_time:
            if over.is_set():
                return
            outcome = await run_item(index)
            if not over.is_set():
                progress.settle(index, outcome)
            if progress.is_over:
                over.set()

    async with anyio.create_task_group() as items:
        for index in range(size):
            items.start_soon(run_one, index)
        if not progress.is_over:
            await over.wait()
        items.cancel_scope.cancel()
    return progress


@attrs.frozen
class _Items:
    """The items of an array, as nodes with rows of their own.

    Attributes:
        run_of: The execution.
        level: The workflow that the array is part of.
        array: What it says of its items.
        record: The array.
        inputs: The inputs of the array.
    """

    run_of: Run
    level: Level
    array: workflow_pb2.ArrayNode
    record: NodeRecord
    inputs: literals_pb2.LiteralMap

    async def run(self, index: int) -> Outcome:
        """Run one item and return how it ended."""
        node, level = self.item(index, self.level.program)
        return await self.run_of.part().run_node(level, node, self.record.place.inside(node.id))

    def item(self, index: int, program: Program) -> tuple[workflow_pb2.Node, Level]:
        """Return the node of one item, and a workflow whose inputs are what it is given."""
        given = item_inputs(self.array, self.inputs, index)
        node = workflow_pb2.Node()
        node.CopyFrom(self.array.node)
        node.id = f"n{index}"
        del node.inputs[:], node.upstream_node_ids[:]
        for name in given.literals:
            promise = node.inputs.add(var=name).binding.promise
            promise.node_id, promise.var = START_NODE, name
        return node, Level(program, self.level.graph, self.record.place, outputs={START_NODE: given})


@attrs.frozen
class _TaskItems:
    """The items of an array of tasks: what they do becomes part of the array's attempt.

    Attributes:
        items: The items.
        attempt: The attempt of the array.
        program: Where the task has the interface of one item.
        recorders: The pens of the items that have begun.
    """

    items: _Items
    attempt: ArrayAttempt
    program: Program
    recorders: list[ItemRecorder] = attrs.field(factory=list)

    async def run(self, index: int) -> Outcome:
        """Run one item and return how it ended."""
        run = self.items.run_of
        recorder = ItemRecorder(self.attempt, run.clock, run.execution.id, index)
        self.recorders.append(recorder)
        node, level = self.items.item(index, self.program)
        return await run.part(recorder).run_node(level, node, self.items.record.place.item(index))

    async def abort(self, reason: str) -> None:
        """Write the items that have not ended as ABORTED."""
        for recorder in self.recorders:
            await recorder.abort_inside("", reason)

    async def abort_all(self, reason: str) -> None:
        """Write the items that have not ended as ABORTED, and the array's attempt with them."""
        await self.abort(reason)
        await self.attempt.abort()
