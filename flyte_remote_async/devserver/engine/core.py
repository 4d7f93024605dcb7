"""Owns the executions that run: starts them, aborts them, and outlives whatever happens in them."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

import anyio
import attrs
from flyteidl.admin import execution_pb2
from flyteidl.core import identifier_pb2

from flyte_remote_async.devserver.clock import Clock
from flyte_remote_async.devserver.engine.activity import Activity
from flyte_remote_async.devserver.engine.catalog import Catalog
from flyte_remote_async.devserver.engine.execution_recorder import ExecutionRecorder
from flyte_remote_async.devserver.engine.gates import Gates
from flyte_remote_async.devserver.engine.graph import Program
from flyte_remote_async.devserver.engine.kinds import KINDS
from flyte_remote_async.devserver.engine.launching import effective_inputs, single_task_workflow
from flyte_remote_async.devserver.engine.leftovers import Leftovers
from flyte_remote_async.devserver.engine.levels import Level
from flyte_remote_async.devserver.engine.platform import Platform
from flyte_remote_async.devserver.engine.recorder import Recorder
from flyte_remote_async.devserver.engine.run import Run
from flyte_remote_async.devserver.engine.settings import Settings
from flyte_remote_async.devserver.runners.outcome import WORKFLOW_ABORTED, Outcome, system_failure
from flyte_remote_async.errors import ClosedError, ResourceExhaustedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyteidl.admin import launch_plan_pb2, workflow_pb2
    from flyteidl.core import literals_pb2

    from flyte_remote_async.devserver.engine.platform import Admin
    from flyte_remote_async.devserver.runners import TaskRunner
    from flyte_remote_async.devserver.store import Store

__all__ = ["Engine"]

_LOG: Final = logging.getLogger(__name__)

_ROUND: Final = 0.1

_Key = tuple[str, str, str]


@attrs.define(eq=False)
class _Running:
    """An execution that runs: its pen, what cancels it, the task that carries it, and whether it is to be aborted."""

    recorder: Recorder
    scope: anyio.CancelScope
    task: asyncio.Task[None] | None = None
    aborting: bool = False


@attrs.frozen
class _Work:
    """What an execution runs."""

    workflow: workflow_pb2.Workflow
    inputs: literals_pb2.LiteralMap
    launch_plan: launch_plan_pb2.LaunchPlan | None = None


class Engine:
    """Runs executions: each in a task of its own on the loop of whoever launches it.

    Args:
        store: Where the entities are and where the executions are written.
        runners: What runs attempts of tasks; the first that takes a task runs it.
        clock: What dates are taken from; the machine's own by default.

    Attributes:
        gates: Where gate nodes wait: to be told of each signal that is set.
    """

    def __init__(self, store: Store, runners: Sequence[TaskRunner], clock: Clock | None = None) -> None:
        self._store = store
        self._clock = clock or Clock()
        self.gates = Gates(store)
        catalog = Catalog(store.artifacts, self._clock)
        activity = Activity(store)
        self._clock.at_rest = activity.at_rest
        self._platform = Platform(store, tuple(runners), self._clock, self, catalog, self.gates, activity)
        self._leftovers = Leftovers(store, self._clock)
        self._running: dict[_Key, _Running] = {}
        self._closed = False

    def ask(self, admin: Admin) -> None:
        """Let launch-plan nodes ask a service for their executions, as flytepropeller asks flyteadmin."""
        self._platform.admin = admin

    async def mark_interrupted(self) -> int:
        """Write as FAILED what another engine has left running in the store; before anything is launched.

        Returns:
            How many executions there were.
        """
        return await self._leftovers.fail_all()

    async def launch(self, execution: execution_pb2.Execution, inputs: literals_pb2.LiteralMap) -> None:
        """Start an execution, and return without waiting for it.

        Whatever is wrong with it is written into the execution.

        Args:
            execution: The execution as the store has it.
            inputs: The inputs that the caller gave; defaults and fixed inputs of the launch plan come on top.

        Raises:
            ClosedError: The engine is closed.
        """
        if self._closed:
            raise ClosedError("the devserver's engine is closed, and starts no executions")
        # A message of its own: the caller's may change while this one runs.
        mine = execution_pb2.Execution()
        mine.CopyFrom(execution)
        running = _Running(Recorder(self._store, self._clock, mine.id), anyio.CancelScope())
        self._running[_key(mine.id)] = running
        running.task = asyncio.create_task(self._carry(running, mine, inputs), name=f"execution {mine.id.name}")

    async def abort(
        self, execution_id: identifier_pb2.WorkflowExecutionIdentifier, cause: str, principal: str = ""
    ) -> None:
        """Begin to stop an execution: it is ABORTING when this returns, and soon ABORTED, nodes and attempts included.

        One that has ended stays as it is; one that is ABORTING keeps its cause.

        Args:
            execution_id: Which execution.
            cause: What the user said.
            principal: Who the user is, where known.
        """
        running = self._running.get(_key(execution_id))
        await ExecutionRecorder(self._store, self._clock, execution_id).announce_abort(cause, principal)
        running = self._running.get(_key(execution_id))
        if running is None:
            await self._leftovers.abort(execution_id)
        else:
            running.aborting = True
            running.scope.cancel()

    async def join(self, execution_id: identifier_pb2.WorkflowExecutionIdentifier) -> None:
        """Wait until an execution does not run any more."""
        running = self._running.get(_key(execution_id))
        if running is not None and running.task is not None:
            await asyncio.wait([running.task])

    async def aclose(self) -> None:
        """Stop all that runs, where it is. Closing twice is fine."""
        self._closed = True
        tasks = [running.task for running in self._running.values() if running.task is not None]
        for running in self._running.values():
            running.scope.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # --- one execution ---

    async def _carry(
        self, running: _Running, execution: execution_pb2.Execution, inputs: literals_pb2.LiteralMap
    ) -> None:
        try:
            with running.scope:
                await self._execute(running.recorder, execution, inputs)
            if running.aborting:
                # As in Flyte, it takes until the next round: until then it is ABORTING, and can be terminated again.
                await anyio.sleep(_ROUND)
                if not self._closed:
                    await running.recorder.abort_inside("", WORKFLOW_ABORTED)
                    await running.recorder.execution.abort()
        finally:
            del self._running[_key(execution.id)]

    async def _execute(
        self, recorder: Recorder, execution: execution_pb2.Execution, inputs: literals_pb2.LiteralMap
    ) -> None:
        try:
            outcome = await self._run(recorder, execution, inputs)
            await recorder.execution.end(outcome)
        except Exception as error:  # noqa: BLE001 - a fault in here must not take the server down
            cause = _root_cause(error)
            if isinstance(cause, ResourceExhaustedError):
                _LOG.error("execution %s cannot go on: %s", execution.id.name, cause.details)
                await self._fail(recorder, "StateNotWritten", cause.details)
            else:
                _LOG.exception("the engine failed in execution %s", execution.id.name)
                message = f"the devserver's engine failed: {type(cause).__name__}: {cause}"
                await self._fail(recorder, "EngineError", message)

    async def _run(
        self, recorder: Recorder, execution: execution_pb2.Execution, given: literals_pb2.LiteralMap
    ) -> Outcome:
        work = await self._work(execution.spec.launch_plan, given)
        if isinstance(work, Outcome):
            return work
        await self._store.put_execution_data(execution.id, inputs=work.inputs)
        await recorder.execution.run(work.workflow.id)
        program = Program(work.workflow.closure.compiled_workflow)
        settings = Settings.of(execution, work.launch_plan, program.main)
        run = Run(execution, settings, recorder, self._platform, KINDS)
        return await run.run_level(Level(program, program.main), work.inputs)

    async def _work(self, entity: identifier_pb2.Identifier, given: literals_pb2.LiteralMap) -> _Work | Outcome:
        if entity.resource_type == identifier_pb2.TASK:
            task = await self._store.get_task(entity)
            if task is None:
                return _missing("task", entity)
            generated = single_task_workflow(task)
            return _Work(await self._store.get_workflow(generated.id) or generated, given)
        launch_plan = await self._store.get_launch_plan(entity)
        if launch_plan is None:
            return _missing("launch plan", entity)
        found = await self._store.get_workflow(launch_plan.spec.workflow_id)
        if found is None:
            return _missing("workflow", launch_plan.spec.workflow_id)
        return _Work(found, effective_inputs(launch_plan, given), launch_plan)

    async def _fail(self, recorder: Recorder, code: str, message: str) -> None:
        """Write an execution as failed by the engine itself."""
        try:
            await recorder.abort_inside("", message)
            await recorder.execution.end(system_failure(code, message))
        except ResourceExhaustedError:
            _LOG.error("execution %s cannot be written as failed: the disk is full", recorder.execution_id.name)
        except Exception:  # noqa: BLE001 - the last place that can report it
            _LOG.exception("execution %s cannot be written as failed", recorder.execution_id.name)


def _key(execution_id: identifier_pb2.WorkflowExecutionIdentifier) -> _Key:
    return execution_id.project, execution_id.domain, execution_id.name


def _missing(kind: str, entity: identifier_pb2.Identifier) -> Outcome:
    name = f"{entity.project}/{entity.domain}/{entity.name}:{entity.version}"
    return system_failure("NotFound", f"{kind} {name} is not in the devserver's store")


def _root_cause(error: BaseException) -> BaseException:
    """Return the first exception inside of a task group's."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
