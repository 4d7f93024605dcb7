"""Parts of a launch plan. Source: ``flyteidl/admin/launch_plan.proto``, ``schedule.proto``."""

from __future__ import annotations

from typing import ClassVar

from flyteidl.admin import launch_plan_pb2, schedule_pb2

from flyte_remote_async.models.common import Notification
from flyte_remote_async.models.parsed import ParsedValue
from flyte_remote_async.models.phases import OpenEnum

__all__ = ["LaunchPlanMetadata", "LaunchPlanState", "Schedule"]


class LaunchPlanState(OpenEnum):
    """Whether a launch plan is the one of its name that schedules and callers use (``admin.LaunchPlanState``)."""

    INACTIVE = 0
    ACTIVE = 1


class _RateUnit(OpenEnum):
    MINUTE = 0
    HOUR = 1
    DAY = 2


class Schedule(ParsedValue[schedule_pb2.Schedule]):
    """When a launch plan is launched by itself (``admin.Schedule``)."""

    __slots__ = ()
    message_type: ClassVar[type[schedule_pb2.Schedule]] = schedule_pb2.Schedule

    @property
    def cron_expression(self) -> str:
        """The cron expression, such as ``"0 6 * * *"``; empty when it does not go by one."""
        return self._message.cron_schedule.schedule or self._message.cron_expression

    @property
    def rate(self) -> tuple[int, str] | None:
        """How many of which unit lie between launches, such as ``(10, "MINUTE")``; None when it goes by cron."""
        if self._message.WhichOneof("ScheduleExpression") != "rate":
            return None
        return self._message.rate.value, _RateUnit(self._message.rate.unit).name

    @property
    def kickoff_time_input_arg(self) -> str:
        """The input that gets the time of the launch; empty when none does."""
        return self._message.kickoff_time_input_arg

    @property
    def is_scheduled(self) -> bool:
        """Whether it says when at all."""
        return bool(self.cron_expression or (self.rate and self.rate[0]))


class LaunchPlanMetadata(ParsedValue[launch_plan_pb2.LaunchPlanMetadata]):
    """When a launch plan is launched, and whom to tell (``admin.LaunchPlanMetadata``)."""

    __slots__ = ()
    message_type: ClassVar[type[launch_plan_pb2.LaunchPlanMetadata]] = launch_plan_pb2.LaunchPlanMetadata

    @property
    def schedule(self) -> Schedule:
        """When it is launched; an empty value when it is not."""
        return Schedule.from_flyte_idl(self._message.schedule)

    @property
    def notifications(self) -> tuple[Notification, ...]:
        """Whom to tell."""
        return tuple(map(Notification.from_flyte_idl, self._message.notifications))
