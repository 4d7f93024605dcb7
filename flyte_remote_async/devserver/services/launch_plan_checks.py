"""What a launch plan may say of its schedule and the like.

Source: flyteadmin/pkg/manager/impl/validation (launch_plan_validator.go) of Flyte 1.16.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyteidl.core import types_pb2

from flyte_remote_async.devserver.golang.prototext import prototext
from flyte_remote_async.devserver.services.refusals import check_notifications
from flyte_remote_async.errors import InvalidArgumentError

if TYPE_CHECKING:
    from flyteidl.admin import launch_plan_pb2, schedule_pb2
    from flyteidl.core import interface_pb2

__all__ = ["check_entity_metadata"]


def check_entity_metadata(spec: launch_plan_pb2.LaunchPlanSpec, expected: interface_pb2.ParameterMap) -> None:
    """Refuse a schedule that cannot start an execution, and notifications and conditions that Flyte does not take.

    Args:
        spec: The launch plan.
        expected: What it leaves to its executions.

    Raises:
        InvalidArgumentError: With what is wrong.
    """
    metadata = spec.entity_metadata
    _check_schedule(metadata.schedule, expected)
    check_notifications(metadata.notifications)
    if metadata.HasField("launch_conditions"):
        raise InvalidArgumentError(f"Launch condition must be empty, found {prototext(metadata.launch_conditions)}")


def _check_schedule(schedule: schedule_pb2.Schedule, expected: interface_pb2.ParameterMap) -> None:
    kind = schedule.WhichOneof("ScheduleExpression")
    if kind is None or (kind == "cron_expression" and not schedule.cron_expression):
        return
    kickoff = schedule.kickoff_time_input_arg
    for name in sorted(expected.parameters):
        if expected.parameters[name].required and name != kickoff:
            raise InvalidArgumentError(
                "Cannot create a launch plan with a schedule if there is an unbound required input. "
                f"[{name}] is required"
            )
    if kickoff:
        _check_kickoff(kickoff, expected)
    expression = schedule.cron_expression or schedule.cron_schedule.schedule
    if expression:
        from flyte_remote_async.devserver.scheduler.cron import (  # few launch plans have a schedule
            CronError,
            check_cron,
        )

        try:
            check_cron(expression)
        except CronError as error:
            raise InvalidArgumentError(f"Invalid cron expression: {error}") from error


def _check_kickoff(name: str, expected: interface_pb2.ParameterMap) -> None:
    if name not in expected.parameters:
        raise InvalidArgumentError(
            "Cannot create a schedule with a KickoffTimeInputArg that does not point to a free input. "
            f"[{name}] is not free or does not exist."
        )
    declared = expected.parameters[name].var.type
    if declared.simple != types_pb2.DATETIME:
        raise InvalidArgumentError(
            f"KickoffTimeInputArg must reference a datetime input. [{name}] is a [{prototext(declared)}]"
        )
