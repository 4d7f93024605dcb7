"""Dynamic nodes: a task asks for a workflow, which is compiled and runs inside of its node.

Source: flytepropeller ``controller/nodes/dynamic``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteidl.core import compiler_pb2, identifier_pb2, literals_pb2, workflow_pb2

from flyte_remote_async.devserver.compiler import CompileError, compile_task, compile_workflow, requirements
from flyte_remote_async.devserver.engine.dynamic_specs import complete_spec
from flyte_remote_async.devserver.engine.graph import Program
from flyte_remote_async.devserver.engine.levels import Level
from flyte_remote_async.devserver.engine.types import strip_closure
from flyte_remote_async.devserver.golang.kubernetes import random_name
from flyte_remote_async.devserver.golang.prototext import prototext
from flyte_remote_async.devserver.runners.outcome import user_failure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flyteidl.admin import launch_plan_pb2
    from flyteidl.core import dynamic_job_pb2, tasks_pb2

    from flyte_remote_async.devserver.engine.records import NodeRecord
    from flyte_remote_async.devserver.engine.run import Run
    from flyte_remote_async.devserver.runners.outcome import Outcome
    from flyte_remote_async.devserver.store import Store

__all__ = ["resume_dynamic", "run_dynamic"]

_ABORT: Final = "Dynamic workflow failed"
_VERSION_LENGTH: Final = 10


class _BuildError(Exception):
    """The workflow that a task asks for cannot be built, in Flyte's words."""


async def run_dynamic(
    run: Run, record: NodeRecord, task: tasks_pb2.TaskTemplate, spec: dynamic_job_pb2.DynamicJobSpec
) -> Outcome:
    """Run the workflow that a task asks for, and return how it ended.

    Args:
        run: The execution.
        record: The node, whose latest attempt has succeeded.
        task: The task.
        spec: The workflow.
    """
    await complete_spec(run.platform.store, spec, task.id)
    try:
        closure = await _compile(run.platform.store, _template(record, task, spec), task, spec)
    except _BuildError as error:
        record.message.metadata.is_dynamic = True
        return user_failure("DynamicWorkflowBuildFailed", str(error))
    return await _run_closure(run, record, closure)


async def resume_dynamic(run: Run, record: NodeRecord, before: compiler_pb2.CompiledWorkflowClosure) -> Outcome:
    """Run the workflow that the task of another execution has asked for, and return how it ended.

    Args:
        run: The execution.
        record: The node, whose task does not run again.
        before: The workflow of the other execution.
    """
    closure = compiler_pb2.CompiledWorkflowClosure()
    closure.CopyFrom(before)
    closure.primary.template.id.CopyFrom(_name(record))
    record.message.metadata.is_dynamic = True
    await run.recorder.run_node(record)
    return await _run_closure(run, record, closure)


async def _run_closure(run: Run, record: NodeRecord, closure: compiler_pb2.CompiledWorkflowClosure) -> Outcome:
    await run.recorder.run_dynamic(record, closure, f"{record.place.output_prefix(record.number)}/futures.pb")
    record.release()
    program = Program(closure)
    level = Level(program, program.main, record.place, record.number, _ABORT)
    outcome = await run.run_level(level, literals_pb2.LiteralMap())
    if outcome.error is None and record.attempt is not None:
        # The outputs of the node and of its attempt are one file.
        await run.platform.store.put_attempt_data(record.attempt.message.id, outputs=outcome.outputs)
    return outcome


def _name(record: NodeRecord) -> identifier_pb2.Identifier:
    execution = record.message.id.execution_id
    return identifier_pb2.Identifier(
        resource_type=identifier_pb2.WORKFLOW,
        project=execution.project,
        domain=execution.domain,
        name=f"dynamic_{record.place.spec_id}",
        version=random_name(_VERSION_LENGTH),
    )


def _template(
    record: NodeRecord, task: tasks_pb2.TaskTemplate, spec: dynamic_job_pb2.DynamicJobSpec
) -> workflow_pb2.WorkflowTemplate:
    template = workflow_pb2.WorkflowTemplate(id=_name(record), nodes=spec.nodes, outputs=spec.outputs)
    template.interface.outputs.CopyFrom(task.interface.outputs)
    return template


async def _compile(
    store: Store,
    template: workflow_pb2.WorkflowTemplate,
    task: tasks_pb2.TaskTemplate,
    spec: dynamic_job_pb2.DynamicJobSpec,
) -> compiler_pb2.CompiledWorkflowClosure:
    try:
        tasks = _compile_tasks(spec.tasks, task)
    except CompileError as error:
        raise _BuildError(f"[User] failed to compile dynamic tasks, caused by: {error}") from error
    try:
        required = requirements(template, spec.subworkflows)
    except CompileError as error:
        raise _BuildError(f"[User] failed to Get requirements for subworkflows, caused by: {error}") from error
    launch_plans = [await _launch_plan(store, identifier) for identifier in required.launch_plans]
    try:
        closure = compile_workflow(template, spec.subworkflows, tasks, launch_plans)
    except CompileError as error:
        raise _BuildError(f"[User] malformed dynamic workflow, caused by: {error}") from error
    strip_closure(closure)
    return closure


def _compile_tasks(
    templates: Iterable[tasks_pb2.TaskTemplate], parent: tasks_pb2.TaskTemplate
) -> list[compiler_pb2.CompiledTask]:
    compiled = {}
    for template in templates:
        if template.HasField("container") and parent.HasField("container"):
            template.container.config.extend(parent.container.config)
        key = prototext(template.id)
        if key not in compiled:
            compiled[key] = compile_task(template)
    return list(compiled.values())


async def _launch_plan(store: Store, identifier: identifier_pb2.Identifier) -> launch_plan_pb2.LaunchPlan:
    found = await store.get_launch_plan(identifier)
    if found is None:
        name = f"{identifier.project}:{identifier.domain}:{identifier.name}:{identifier.version}"
        asked = identifier_pb2.Identifier()
        asked.CopyFrom(identifier)
        asked.ClearField("resource_type")
        raise _BuildError(
            f"[User] incorrectly specified launchplan {name}, caused by: [NotFound] No launch plan retrieved from "
            "Admin, caused by: rpc error: code = NotFound desc = missing entity of type LAUNCH_PLAN with identifier "
            f"{prototext(asked)}"
        )
    return found
