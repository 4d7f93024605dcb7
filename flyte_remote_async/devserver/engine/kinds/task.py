"""Task nodes: each try of the node is an attempt of its task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyte_remote_async.devserver.runners import TaskCall
from flyte_remote_async.devserver.runners.outcome import system_failure
from flyte_remote_async.devserver.runners.stand_ins import Attempt

if TYPE_CHECKING:
    from flyteidl.core import literals_pb2, tasks_pb2, workflow_pb2

    from flyte_remote_async.devserver.engine.levels import Level
    from flyte_remote_async.devserver.engine.records import AttemptRecord, NodeRecord
    from flyte_remote_async.devserver.engine.run import Run
    from flyte_remote_async.devserver.runners.outcome import Outcome

__all__ = ["run_task"]


async def run_task(
    run: Run, level: Level, node: workflow_pb2.Node, record: NodeRecord, inputs: literals_pb2.LiteralMap
) -> Outcome:
    """Run one attempt of a task and return how it ended."""
    task = level.program.task(node.task_node.reference_id)
    runner = run.runner(task)
    if runner is not None and runner.at_once:
        attempt = run.recorder.new_attempt(record, task)
        outcome = await runner.run(_call(run, record, attempt, task, inputs))
        await run.recorder.end_at_once(attempt, inputs, outcome)
        return outcome
    attempt = await run.recorder.start_attempt(record, task, inputs)
    if runner is None:
        outcome = _no_runner(task)
    else:
        call = _call(run, record, attempt, task, inputs)
        await run.recorder.run_attempt(attempt, runner.logs(call))
        outcome = await run.platform.run(runner, call)
    await run.recorder.end_attempt(attempt, outcome)
    return outcome


def _call(
    run: Run,
    record: NodeRecord,
    attempt: AttemptRecord,
    task: tasks_pb2.TaskTemplate,
    inputs: literals_pb2.LiteralMap,
) -> TaskCall:
    place, number = record.place, attempt.number
    return TaskCall(
        Attempt(run.execution.id.name, place.node_id, task.id.name, number),
        run.execution.id,
        task,
        inputs,
        generated_name=attempt.generated_name,
        inputs_uri=place.inputs_uri,
        output_prefix=place.output_prefix(number),
        raw_output_prefix=attempt.raw_output_prefix,
        checkpoint_uri=attempt.checkpoint_uri,
        previous_checkpoint_uri=attempt.previous_checkpoint_uri,
        interruptible=record.interruptible,
        index=place.index,
        environment=run.settings.environment,
    )


def _no_runner(task: tasks_pb2.TaskTemplate) -> Outcome:
    name = task.id.name
    has_container = task.WhichOneof("target") in {"container", "k8s_pod"}
    why = (
        "the devserver runs no containers" if has_container else f"tasks of type {task.type!r} have no container to run"
    )
    return system_failure(
        "StandInMissing",
        f'no stand-in is registered for task {name}, and {why}: register one with @dev.task("{name}")',
    )
