"""When a scheduled launch plan runs, and what its executions are called. Pure.

Source: flyteadmin/scheduler (core/gocron_scheduler.go, executor, identifier) of Flyte 1.16.8, and the cron library that
it uses, github.com/robfig/cron/v3. As there, the offset of a cron schedule is kept and means nothing.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import attrs
from flyteidl.admin import execution_pb2, schedule_pb2

from flyte_remote_async.devserver.golang.durations import parse_duration
from flyte_remote_async.errors import ConfigError

if TYPE_CHECKING:
    from flyteidl.admin import launch_plan_pb2
    from flyteidl.core import identifier_pb2

__all__ = ["Schedule", "execution_name", "request_for", "schedule_of"]

_UNITS: Final = {
    schedule_pb2.MINUTE: dt.timedelta(minutes=1),
    schedule_pb2.HOUR: dt.timedelta(hours=1),
    schedule_pb2.DAY: dt.timedelta(days=1),
}
_EVERY: Final = "@every "
_ZONES: Final = ("TZ=", "CRON_TZ=")


@attrs.frozen
class Schedule:
    """When something runs.

    Attributes:
        cron: A cron expression of five fields, a descriptor such as ``@hourly`` or ``@every 90s``; empty for a rate.
        every: The time between two runs; None for a cron expression.
    """

    cron: str = ""
    every: dt.timedelta | None = None

    def after(self, instant: dt.datetime) -> dt.datetime:
        """Return the next run after an instant, both aware.

        Raises:
            ConfigError: The library that reads cron expressions is not installed.
        """
        every = self.every
        if self.cron.startswith(_EVERY):
            every = dt.timedelta(microseconds=parse_duration(self.cron.removeprefix(_EVERY).strip()) // 1000)
            every = max(every - dt.timedelta(microseconds=every.microseconds), dt.timedelta(seconds=1))
        if every is not None:
            return (instant + every).replace(microsecond=0)
        return _after(self.cron, instant)


def schedule_of(plan: launch_plan_pb2.LaunchPlan) -> Schedule | None:
    """Return the schedule of a launch plan; None where it has none, or one that Flyte's own scheduler does not run."""
    schedule = plan.spec.entity_metadata.schedule
    if schedule.cron_schedule.schedule:
        return Schedule(cron=schedule.cron_schedule.schedule)
    if schedule.rate.value and schedule.rate.unit in _UNITS:
        return Schedule(every=schedule.rate.value * _UNITS[schedule.rate.unit])
    return None


def execution_name(plan: identifier_pb2.Identifier, due: dt.datetime) -> str:
    """Return the name of the execution that a launch plan has at an instant: the same however often it is asked."""
    text = f"{plan.project}:{plan.domain}:{plan.name}:{plan.version}:{int(due.timestamp())}"
    digest = _fnv1(text).to_bytes(8, "little").hex()
    return "f" + f"{digest}000"


def request_for(plan: launch_plan_pb2.LaunchPlan, due: dt.datetime) -> execution_pb2.ExecutionCreateRequest:
    """Return the request by which the scheduler launches a plan.

    Only a cron schedule tells its input when it was due.
    """
    request = execution_pb2.ExecutionCreateRequest(
        project=plan.id.project, domain=plan.id.domain, name=execution_name(plan.id, due)
    )
    request.spec.launch_plan.CopyFrom(plan.id)
    request.spec.metadata.mode = execution_pb2.ExecutionMetadata.SCHEDULED
    request.spec.metadata.scheduled_at.FromDatetime(due)
    schedule = plan.spec.entity_metadata.schedule
    request.inputs.SetInParent()
    if schedule.cron_schedule.schedule and schedule.kickoff_time_input_arg:
        literal = request.inputs.literals[schedule.kickoff_time_input_arg]
        literal.scalar.primitive.datetime.FromDatetime(due)
    return request


def _after(expression: str, instant: dt.datetime) -> dt.datetime:
    try:
        # An extra, and slow to import.
        import croniter
    except ImportError:
        raise ConfigError(
            "cron schedules need a package that is not installed: pip install 'flyte-remote-async[devserver]'"
        ) from None
    zone: dt.tzinfo = dt.UTC
    prefix, _, rest = expression.partition(" ")
    if prefix.startswith(_ZONES):
        import zoneinfo  # few schedules have a zone

        zone, expression = zoneinfo.ZoneInfo(prefix.partition("=")[2]), rest.strip()
    fields = expression.replace("?", "*")
    start = instant.astimezone(zone)
    # Go's library takes days of the month and of the week together where one of them begins with a star.
    found = croniter.croniter(fields, start, implement_cron_bug=True).get_next(dt.datetime)
    assert isinstance(found, dt.datetime)  # noqa: S101 - as it was asked for
    return found.astimezone(dt.UTC)


def _fnv1(text: str) -> int:
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF) ^ byte
    return value
