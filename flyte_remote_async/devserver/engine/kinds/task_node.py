"""Task nodes: what surrounds the attempts of a task: its cache, and the workflow that a dynamic task asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyteidl.core import identifier_pb2

from flyte_remote_async.devserver.engine.catalog_keys import catalog_key
from flyte_remote_async.devserver.engine.kinds.task import run_task
from flyte_remote_async.devserver.engine.shortcuts import cached_outcome

if TYPE_CHECKING:
    from flyteidl.core import literals_pb2, tasks_pb2, workflow_pb2

    from flyte_remote_async.devserver.engine.levels import Level
    from flyte_remote_async.devserver.engine.records import NodeRecord
    from flyte_remote_async.devserver.engine.run import Run
    from flyte_remote_async.devserver.runners.outcome import Outcome

__all__ = ["keep_outputs", "run_task_node"]


async def run_task_node(
    run: Run, level: Level, node: workflow_pb2.Node, record: NodeRecord, inputs: literals_pb2.LiteralMap
) -> Outcome:
    """Run a task that was not found in the cache, and keep what it gave."""
    task = level.program.cached_as(node.task_node.reference_id)
    key = catalog_key(task, inputs)
    if key is None:
        return await _run(run, level, node, record, inputs)
    if not task.metadata.cache_serializable or run.execution.spec.overwrite_cache:
        return await _run_and_keep(run, level, node, record, inputs)
    async with run.platform.catalog.reserved(key) as waited:
        found = await cached_outcome(run, level, node, record, inputs) if waited else None
        return found or await _run_and_keep(run, level, node, record, inputs)


async def _run(
    run: Run, level: Level, node: workflow_pb2.Node, record: NodeRecord, inputs: literals_pb2.LiteralMap
) -> Outcome:
    if record.dynamic_before is not None:
        from flyte_remote_async.devserver.engine.kinds.dynamic import resume_dynamic  # brings the compiler

        return await resume_dynamic(run, record, record.dynamic_before)
    outcome = await run_task(run, level, node, record, inputs)
    if outcome.dynamic is None:
        return outcome
    from flyte_remote_async.devserver.engine.kinds.dynamic import run_dynamic  # brings the compiler

    task = level.program.task(node.task_node.reference_id)
    return await run_dynamic(run, record, task, outcome.dynamic)


async def _run_and_keep(
    run: Run, level: Level, node: workflow_pb2.Node, record: NodeRecord, inputs: literals_pb2.LiteralMap
) -> Outcome:
    outcome = await _run(run, level, node, record, inputs)
    if outcome.error is None:
        await keep_outputs(run, level.program.cached_as(node.task_node.reference_id), record, inputs, outcome)
    return outcome


async def keep_outputs(
    run: Run, task: tasks_pb2.TaskTemplate, record: NodeRecord, inputs: literals_pb2.LiteralMap, outcome: Outcome
) -> None:
    """Leave what a task gave in the cache, where the task is cached.

    Args:
        run: The execution.
        task: The task.
        record: The node that ran it.
        inputs: What it was given.
        outcome: What it gave.
    """
    key = catalog_key(task, inputs)
    if key is None or not _is_kept(task):
        return
    source = identifier_pb2.TaskExecutionIdentifier(task_id=task.id, node_execution_id=record.message.id)
    source.retry_attempt = record.attempt.number if record.attempt else 0
    # Flyte names the node as the workflow does, and not as the execution does.
    source.node_execution_id.node_id = record.place.spec_id
    overwrite = run.execution.spec.overwrite_cache
    record.note_cache(await run.platform.catalog.populate(key, outcome.outputs, source, overwrite=overwrite))


def _is_kept(task: tasks_pb2.TaskTemplate) -> bool:
    # A task that declares no outputs has nothing to keep; one whose interface does not speak of them is kept.
    return bool(task.interface.outputs.variables) or not task.interface.HasField("outputs")
