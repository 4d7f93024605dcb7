"""Runs the launch plans that are active and have a schedule, as Flyte's native scheduler does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, Final, Protocol

import anyio
import anyio.to_thread
import attrs
from flyteidl.admin import launch_plan_pb2

from flyte_remote_async.devserver.scheduler.schedules import request_for, schedule_of
from flyte_remote_async.devserver.store import Query
from flyte_remote_async.devserver.store.filters import equals, parse_filters
from flyte_remote_async.devserver.store.sql import EVERYTHING
from flyte_remote_async.errors import AlreadyExistsError, ConfigError, InternalError, RPCError
from flyte_remote_async.transport import methods

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Awaitable, Callable

    from flyteidl.admin import execution_pb2

    from flyte_remote_async.devserver.clock import Clock
    from flyte_remote_async.devserver.faces.dispatch import Registry
    from flyte_remote_async.devserver.scheduler.schedules import Schedule
    from flyte_remote_async.devserver.store import Store

__all__ = ["Launches", "Scheduler"]

_LOG: Final = logging.getLogger(__name__)

_Key = tuple[str, str, str, str]


class Launches(Protocol):
    """What launches executions."""

    async def create(self, request: execution_pb2.ExecutionCreateRequest) -> execution_pb2.ExecutionCreateResponse:
        """Serve CreateExecution."""
        ...


@attrs.define(eq=False)
class _Job:
    """An active launch plan with its schedule."""

    plan: launch_plan_pb2.LaunchPlan
    schedule: Schedule
    due: dt.datetime
    task: asyncio.Task[None] | None = None


class Scheduler:
    """Launches what is due: each active launch plan in a task of its own, on the devserver's clock.

    What fell due while the devserver was not running is caught up when it starts. An execution has a name that says of
    what plan and instant it is, so that none is launched twice.

    Args:
        store: Where the launch plans are.
        launches: What launches executions.
        clock: The time.
    """

    def __init__(self, store: Store, launches: Launches, clock: Clock) -> None:
        self._store = store
        self._launches = launches
        self._clock = clock
        self._jobs: dict[_Key, _Job] = {}
        self._others_rest = clock.at_rest
        self._launching = 0
        self._rests = anyio.Event()

    def register(self, registry: Registry, update: Callable[[Any], Awaitable[Any]]) -> None:
        """Serve UpdateLaunchPlan: what another service does, and then its schedules.

        Args:
            registry: Where the RPCs are.
            update: Serves the RPC without schedules.
        """

        async def update_launch_plan(
            request: launch_plan_pb2.LaunchPlanUpdateRequest,
        ) -> launch_plan_pb2.LaunchPlanUpdateResponse:
            if request.state == launch_plan_pb2.ACTIVE:
                await self._check(request)
            response: launch_plan_pb2.LaunchPlanUpdateResponse = await update(request)
            await self._reconcile(self._clock.now())
            return response

        registry.add(methods.UPDATE_LAUNCH_PLAN, update_launch_plan)

    async def start(self) -> None:
        """Start with the launch plans that are active already, and catch up what they missed."""
        self._others_rest = self._clock.at_rest
        self._clock.at_rest = self._at_rest
        await self._reconcile(None)

    async def aclose(self) -> None:
        """Stop. Closing twice is fine."""
        self._clock.at_rest = self._others_rest
        tasks = [job.task for job in self._jobs.values() if job.task is not None]
        self._jobs.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _at_rest(self) -> None:
        """Wait until nothing is being launched, and what was launched has come to rest."""
        await self._others_rest()
        while self._launching:
            await self._rests.wait()
        await self._others_rest()

    async def _check(self, request: launch_plan_pb2.LaunchPlanUpdateRequest) -> None:
        plan = await self._store.get_launch_plan(request.id)
        if plan is None:
            return
        expression = plan.spec.entity_metadata.schedule.cron_expression
        if expression:
            # Cron expressions of the old kind are for another scheduler.
            raise InternalError(f"failed adding schedule for unknown schedule expression type &{{{expression}}}")
        schedule = schedule_of(plan)
        if schedule is not None:
            try:
                await _after(schedule, self._clock.now())
            except ConfigError as error:
                raise InternalError(str(error)) from error

    async def _reconcile(self, since: dt.datetime | None) -> None:
        """Have a job for each active launch plan with a schedule, and for no other.

        Args:
            since: Since when new ones count; None is since their last run, or since they were activated.
        """
        found = await self._active()
        for key in self._jobs.keys() - found.keys():
            job = self._jobs.pop(key)
            if job.task is not None:
                job.task.cancel()
        for key, plan in found.items():
            schedule = schedule_of(plan)
            if key not in self._jobs and schedule is not None:
                last = since or await self._store.get_last_run(plan.id) or self._clock.now()
                await self._store.put_last_run(plan.id, last)
                job = self._jobs[key] = _Job(plan, schedule, await _after(schedule, last))
                job.task = asyncio.create_task(self._run(job), name=f"schedule of {plan.id.name}")

    async def _active(self) -> dict[_Key, launch_plan_pb2.LaunchPlan]:
        where = (*equals("launch_plans", state=1), *parse_filters("ne(schedule_type,NONE)", "launch_plans"))
        rows = await self._store.page(Query("launch_plans", where, limit=EVERYTHING))
        plans = map(launch_plan_pb2.LaunchPlan.FromString, rows)
        return {(plan.id.project, plan.id.domain, plan.id.name, plan.id.version): plan for plan in plans}

    async def _run(self, job: _Job) -> None:
        try:
            while True:
                await self._clock.sleep_until(job.due)
                self._launching += 1
                try:
                    await self._launch(job.plan, job.due)
                    job.due = await _after(job.schedule, job.due)
                finally:
                    self._launching -= 1
                    self._rests.set()
                    self._rests = anyio.Event()
        except Exception:  # noqa: BLE001 - the task is nobody's: the fault is told here
            _LOG.exception("the schedule of launch plan %s stopped", job.plan.id.name)

    async def _launch(self, plan: launch_plan_pb2.LaunchPlan, due: dt.datetime) -> None:
        try:
            # Then it has run, or its concurrency policy skips it.
            with contextlib.suppress(AlreadyExistsError):
                await self._launches.create(request_for(plan, due))
        except RPCError as error:
            _LOG.warning("launch plan %s was due at %s and not launched: %s", plan.id.name, due, error)
        await self._store.put_last_run(plan.id, due)


async def _after(schedule: Schedule, instant: dt.datetime) -> dt.datetime:
    # Not on the loop: the first one imports a library.
    return await anyio.to_thread.run_sync(schedule.after, instant)
