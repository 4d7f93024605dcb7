"""Schedules: when they are due, what their executions are called, and that the devserver launches them."""

from __future__ import annotations

import datetime as dt
import itertools
import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.admin import execution_pb2, launch_plan_pb2
from flyteidl.core import identifier_pb2, interface_pb2

from flyte_remote_async.devserver import DevServer
from flyte_remote_async.devserver.scheduler.schedules import Schedule, execution_name, request_for, schedule_of
from flyte_remote_async.errors import ConfigError, InternalError
from tests.support.raw import Asking

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

PLACE = {"project": "flytesnacks", "domain": "development"}
NEW_YEAR = dt.datetime(2026, 1, 1, 0, 0, 30, 500, tzinfo=dt.UTC)
NIGHTLY = identifier_pb2.Identifier(resource_type="LAUNCH_PLAN", **PLACE, name="nightly", version="1")


@pytest.mark.parametrize(
    ("schedule", "due"),
    [
        (Schedule(cron="*/5 * * * *"), "2026-01-01T00:05:00"),
        (Schedule(cron="0 3 1 1 *"), "2026-01-01T03:00:00"),
        (Schedule(cron="0 3 1 2 ?"), "2026-02-01T03:00:00"),
        (Schedule(cron="0 0 * * MON"), "2026-01-05T00:00:00"),
        (Schedule(cron="0 9 8-14 * 1"), "2026-01-05T09:00:00"),  # either: the eighth, or a Monday
        (Schedule(cron="0 9 */2 * 1"), "2026-01-05T09:00:00"),  # both: an odd day that is a Monday
        (Schedule(cron="@hourly"), "2026-01-01T01:00:00"),
        (Schedule(cron="@every 90s"), "2026-01-01T00:02:00"),
        (Schedule(cron="@every 10ms"), "2026-01-01T00:00:31"),
        (Schedule(cron="TZ=Europe/Berlin 0 3 * * *"), "2026-01-01T02:00:00"),
        (Schedule(cron="CRON_TZ=Asia/Tokyo 0 3 * * *"), "2026-01-01T18:00:00"),
        (Schedule(every=dt.timedelta(minutes=10)), "2026-01-01T00:10:30"),
    ],
)
def test_when_a_schedule_is_due(schedule: Schedule, due: str) -> None:
    assert schedule.after(NEW_YEAR) == dt.datetime.fromisoformat(due + "+00:00")


def test_a_leap_day_is_waited_for() -> None:
    assert Schedule(cron="0 0 29 2 *").after(NEW_YEAR).isoformat() == "2028-02-29T00:00:00+00:00"


def test_which_launch_plans_have_a_schedule() -> None:
    def plan(**schedule: Any) -> launch_plan_pb2.LaunchPlan:
        return launch_plan_pb2.LaunchPlan(spec={"entity_metadata": {"schedule": schedule}})

    assert schedule_of(plan(cron_schedule={"schedule": "@daily"})) == Schedule(cron="@daily")
    assert schedule_of(plan(rate={"value": 2, "unit": "HOUR"})) == Schedule(every=dt.timedelta(hours=2))
    assert schedule_of(plan(rate={"value": 2, "unit": "DAY"})) == Schedule(every=dt.timedelta(days=2))
    assert schedule_of(plan(rate={})) is None
    assert schedule_of(plan(cron_expression="0 0 * * *")) is None
    assert schedule_of(launch_plan_pb2.LaunchPlan()) is None


def test_an_execution_is_called_by_plan_and_instant() -> None:
    name = execution_name(NIGHTLY, NEW_YEAR)
    assert name == execution_name(NIGHTLY, NEW_YEAR.replace(microsecond=0))
    assert (name[0], len(name), name[-3:]) == ("f", 20, "000")
    other = identifier_pb2.Identifier(project="flytesnacks", domain="development", name="nightly", version="2")
    assert name not in (execution_name(NIGHTLY, NEW_YEAR + dt.timedelta(seconds=1)), execution_name(other, NEW_YEAR))


def test_only_a_cron_schedule_tells_when_it_was_due() -> None:
    cron = {"kickoff_time_input_arg": "at", "cron_schedule": {"schedule": "@daily"}}
    rate = {"kickoff_time_input_arg": "at", "rate": {"value": 1}}
    for schedule, told in ((cron, ["at"]), (rate, [])):
        plan = launch_plan_pb2.LaunchPlan(id=NIGHTLY, spec={"entity_metadata": {"schedule": schedule}})
        request = request_for(plan, NEW_YEAR)
        assert list(request.inputs.literals) == told
        assert request.spec.metadata.mode == execution_pb2.ExecutionMetadata.SCHEDULED
        assert request.spec.metadata.scheduled_at.ToDatetime(dt.UTC) == NEW_YEAR


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "croniter", None)
    with pytest.raises(ConfigError, match=r"flyte-remote-async\[devserver\]"):
        Schedule(cron="@daily").after(NEW_YEAR)


async def register(ask: Asking, version: str = "1", **schedule: Any) -> dict[str, Any]:
    """Register a launch plan of samples.wide5 with a schedule."""
    identifier = {**PLACE, "resource_type": "LAUNCH_PLAN", "name": "nightly", "version": version}
    workflow = {**PLACE, "resource_type": "WORKFLOW", "name": "samples.wide5", "version": "v2"}
    default = interface_pb2.Parameter(
        var={"type": {"simple": "INTEGER"}}, default={"scalar": {"primitive": {"integer": 2}}}
    )
    spec = {
        "workflow_id": workflow,
        "default_inputs": {"parameters": {"a": default}},
        "entity_metadata": {"schedule": schedule},
    }
    await ask("CreateLaunchPlan", id=identifier, spec=spec)
    return identifier


async def scheduled(ask: Asking) -> list[Any]:
    request = {"id": PLACE, "limit": 1000, "filters": "eq(mode,1)+eq(launch_plan.name,nightly)"}
    return list((await ask("ListExecutions", **request)).executions)


async def test_an_active_launch_plan_runs_when_it_is_due(dev: DevServer, ask: Asking) -> None:
    plan = await register(ask, rate={"value": 10, "unit": "MINUTE"})
    await dev.clock.advance(hours=1)
    assert await scheduled(ask) == []
    await ask("UpdateLaunchPlan", id=plan, state=launch_plan_pb2.ACTIVE)
    await dev.clock.advance(minutes=31)
    found = await scheduled(ask)
    dues = [execution.spec.metadata.scheduled_at.ToDatetime(dt.UTC) for execution in found]
    assert [after - before for before, after in itertools.pairwise(dues)] == [dt.timedelta(minutes=10)] * 2
    assert [execution.id.name for execution in found] == [
        execution_name(identifier_pb2.Identifier(**plan), due) for due in dues
    ]
    await ask("UpdateLaunchPlan", id=plan, state=launch_plan_pb2.INACTIVE)
    await dev.clock.advance(hours=5)
    assert len(await scheduled(ask)) == 3


async def test_another_version_takes_over(dev: DevServer, ask: Asking) -> None:
    first = await register(ask, rate={"value": 1, "unit": "HOUR"})
    second = await register(ask, "2", cron_schedule={"schedule": "@every 1h"})
    for plan in (first, second):
        await ask("UpdateLaunchPlan", id=plan, state=launch_plan_pb2.ACTIVE)
    await dev.clock.advance(minutes=61)
    assert {execution.spec.launch_plan.version for execution in await scheduled(ask)} == {"2"}


async def test_an_old_cron_expression_cannot_be_activated(ask: Asking) -> None:
    plan = await register(ask, cron_expression="0 0 * * *")
    with pytest.raises(InternalError, match="unknown schedule expression type"):
        await ask("UpdateLaunchPlan", id=plan, state=launch_plan_pb2.ACTIVE)


async def test_cron_without_its_library_cannot_be_activated(ask: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = await register(ask, cron_schedule={"schedule": "@daily"})
    monkeypatch.setitem(sys.modules, "croniter", None)
    with pytest.raises(InternalError, match="pip install"):
        await ask("UpdateLaunchPlan", id=plan, state=launch_plan_pb2.ACTIVE)


async def test_a_launch_that_is_refused_does_not_end_the_schedule(dev: DevServer, ask: Asking) -> None:
    plan = await register(ask, rate={"value": 1, "unit": "HOUR"})
    await ask("UpdateLaunchPlan", id=plan, state=launch_plan_pb2.ACTIVE)
    await ask("UpdateProject", id=PLACE["project"], state="ARCHIVED")
    await dev.clock.advance(minutes=61)
    await ask("UpdateProject", id=PLACE["project"], state="ACTIVE")
    assert await scheduled(ask) == []
    await dev.clock.advance(minutes=60)
    assert len(await scheduled(ask)) == 1


async def test_what_was_missed_is_caught_up(imported: Path, tmp_path: Path) -> None:
    state = shutil.copy(imported, tmp_path)
    async with DevServer(state=state) as dev:
        ask = Asking(dev.transport())
        plan = await register(ask, rate={"value": 1, "unit": "HOUR"})
        await ask("UpdateLaunchPlan", id=plan, state=launch_plan_pb2.ACTIVE)
        await dev.clock.advance(minutes=61)
        assert len(await scheduled(ask)) == 1
        await dev.store.put_last_run(identifier_pb2.Identifier(**plan), dev.clock.now() - dt.timedelta(hours=4))
    async with DevServer(state=state) as dev:
        await dev.clock.advance()
        assert len(await scheduled(Asking(dev.transport()))) >= 3
