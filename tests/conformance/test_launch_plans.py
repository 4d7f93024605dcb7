"""Launch plans: what they fix and default, their activation, and their schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.conformance.client import fresh, integers
from tests.conformance.entities import INTEGER, plan_spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.client import Flyte
    from tests.conformance.entities import Registered

SIMPLE = {"type": {"simple": "INTEGER"}}
TWO = integers(a=2)["a"]
TEXT = {"scalar": {"primitive": {"string_value": "x"}}}
DEFAULT = {"parameters": {"a": {"var": SIMPLE, "default": TWO}}}
UNBOUND = "Cannot create a launch plan with a schedule if there is an unbound required input. [a] is required"


@pytest.fixture
def plan(flyte: Flyte) -> dict[str, str]:
    """Return the identifier of a launch plan that nobody has registered."""
    return flyte.entity("LAUNCH_PLAN", f"conformance.{fresh()}", fresh("v"))


def scheduled(schedule: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"default_inputs": DEFAULT, "entity_metadata": {"schedule": schedule}, **spec}


def notified(**notification: Any) -> dict[str, Any]:
    return {"entity_metadata": {"notifications": [notification]}}


@pytest.mark.parametrize(
    ("spec", "details"),
    [
        ({"fixed_inputs": {"literals": {"zz": TWO}}}, "unexpected fixed_input zz"),
        ({"default_inputs": {"parameters": {"zz": {"var": SIMPLE, "default": TWO}}}}, "unexpected default_input zz"),
        (
            {"fixed_inputs": {"literals": {"a": TEXT}}},
            "invalid fixed_input wrong type a, expected simple:INTEGER, got simple:STRING instead",
        ),
        ({"fixed_inputs": {"literals": {"a": {}}}}, "missing valid literal in fixed_inputs a"),
        (
            {"default_inputs": {"parameters": {"a": {"var": SIMPLE, "default": TEXT}}}},
            "Type mismatch for Parameter a in default_inputs has type simple:INTEGER, expected simple:STRING",
        ),
        (
            {"default_inputs": {"parameters": {"a": {"var": {"type": {"simple": "STRING"}}, "required": True}}}},
            "invalid default_input wrong type a, expected simple:STRING, got simple:INTEGER instead",
        ),
        (
            {"default_inputs": {"parameters": {"a": {"default": TWO}}}},
            ("The Variable component of the Parameter a in default_inputs either is missing, or has a missing Type"),
        ),
        (
            {"default_inputs": {"parameters": {"a": {"var": SIMPLE}}}},
            (
                "Invalid variable a in default_inputs - variable has neither default, nor is required. "
                "One must be specified"
            ),
        ),
        ({"labels": {"values": {"k": "bad value!"}}}, None),
        (
            scheduled({"cron_schedule": {"schedule": "not cron"}}),
            "Invalid cron expression: expected exactly 5 fields, found 2: [not cron]",
        ),
        (
            scheduled({"cron_schedule": {"schedule": "1 2 3 4 5 6"}}),
            "Invalid cron expression: expected exactly 5 fields, found 6: [1 2 3 4 5 6]",
        ),
        (scheduled({"cron_schedule": {"schedule": "61 * * * *"}}), None),
        (scheduled({"cron_schedule": {"schedule": "x * * * *"}}), None),
        (scheduled({"cron_schedule": {"schedule": "@often"}}), None),
        (scheduled({"cron_schedule": {"schedule": "* * * * *"}}, default_inputs={}), UNBOUND),
        (scheduled({"rate": {"value": 1, "unit": "HOUR"}}, default_inputs={}), UNBOUND),
        (
            scheduled({"rate": {"value": 1}, "kickoff_time_input_arg": "zz"}),
            (
                "Cannot create a schedule with a KickoffTimeInputArg that does not point to a free input. "
                "[zz] is not free or does not exist."
            ),
        ),
        (
            scheduled({"rate": {"value": 1}, "kickoff_time_input_arg": "a"}),
            "KickoffTimeInputArg must reference a datetime input. [a] is a [simple:INTEGER]",
        ),
        (notified(phases=["SUCCEEDED"]), "invalid value for notification type"),
        (notified(phases=["SUCCEEDED"], email={}), "missing recipients"),
        (notified(phases=["SUCCEEDED"], slack={"recipients_email": [""]}), "missing recipient"),
        (notified(phases=["RUNNING"], email={"recipients_email": ["a@b.c"]}), "invalid value for phase"),
    ],
)
def test_a_launch_plan_that_is_not_registered(
    flyte: Flyte, wide: Registered, plan: dict[str, str], spec: dict[str, Any], details: str | None
) -> None:
    refusal = flyte.refusal("CreateLaunchPlan", id=plan, spec=plan_spec(wide.workflow, **spec))
    assert refusal.code == "INVALID_ARGUMENT"
    assert details in (None, refusal.details)


@pytest.mark.parametrize(
    ("change", "details"),
    [
        ({"name": ""}, "missing name"),
        ({"version": ""}, "missing version"),
        ({"domain": ""}, "missing domain"),
        ({"project": ""}, "missing project"),
        ({"domain": "nope"}, "domain [nope] is unrecognized by system"),
    ],
)
def test_an_identifier_that_is_refused(
    refuses: Callable[..., None], wide: Registered, plan: dict[str, str], change: Any, details: str
) -> None:
    request = {"id": plan | change, "spec": plan_spec(wide.workflow)}
    refuses("CreateLaunchPlan", request, "INVALID_ARGUMENT", details)


def test_a_launch_plan_of_no_workflow(refuses: Callable[..., None], plan: dict[str, str]) -> None:
    details = "unexpected resource type unspecified for identifier [], expected workflow instead"
    refuses("CreateLaunchPlan", {"id": plan, "spec": plan_spec({})}, "INVALID_ARGUMENT", details)


def test_a_launch_plan_of_an_unknown_workflow(
    refuses: Callable[..., None], wide: Registered, plan: dict[str, str]
) -> None:
    details = (
        'missing entity of type WORKFLOW with identifier project:"$project" domain:"$domain" name:"nope" '
        f'version:"{wide.version}"'
    )
    request = {"id": plan, "spec": plan_spec(wide.workflow | {"name": "nope"})}
    refuses("CreateLaunchPlan", request, "NOT_FOUND", details)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, {"a": {"var": INTEGER, "required": True}}),
        ({"default_inputs": DEFAULT}, {"a": {"var": SIMPLE, "default": TWO}}),
        ({"fixed_inputs": {"literals": {"a": TWO}}}, None),
        (
            {"default_inputs": {"parameters": {"a": {"var": SIMPLE, "required": True}}}},
            {"a": {"var": SIMPLE, "required": True}},
        ),
    ],
)
def test_what_a_launch_plan_expects(flyte: Flyte, wide: Registered, spec: Any, expected: Any) -> None:
    plan = wide.another_plan(**spec)
    found = flyte("GetLaunchPlan", id=plan)
    assert found["id"] == plan
    assert found["closure"]["expected_inputs"].get("parameters") == expected
    assert found["closure"]["expected_outputs"] == {"variables": {"o0": INTEGER}}
    assert "state" not in found["closure"]
    assert found["spec"]["workflow_id"] == wide.workflow


@pytest.mark.parametrize(
    "schedule",
    [
        {"cron_schedule": {"schedule": "0 3 1 1 *"}},
        {"cron_schedule": {"schedule": "*/5 9-17 * * MON-FRI"}},
        {"cron_schedule": {"schedule": "@daily"}},
        {"cron_schedule": {"schedule": "@every 1h30m"}},
        {"cron_schedule": {"schedule": "0 0 * * *", "offset": "PT5M"}},
        {"rate": {"value": 3, "unit": "DAY"}},
    ],
)
def test_schedules_that_are_fine(flyte: Flyte, wide: Registered, schedule: dict[str, Any]) -> None:
    plan = wide.another_plan(**scheduled(schedule))
    assert flyte("GetLaunchPlan", id=plan)["spec"]["entity_metadata"]["schedule"] == schedule
    kind = "RATE" if "rate" in schedule else "CRON"
    request = {"id": {**flyte.place, "name": plan["name"]}, "limit": 5, "filters": f"eq(schedule_type,{kind})"}
    assert [found["id"] for found in flyte("ListLaunchPlans", **request)["launch_plans"]] == [plan]


def test_a_scheduled_launch_plan_is_activated_and_stopped(flyte: Flyte, wide: Registered) -> None:
    plan = wide.another_plan(**scheduled({"cron_schedule": {"schedule": "0 3 29 2 *"}}))
    flyte("UpdateLaunchPlan", id=plan, state="ACTIVE")
    assert flyte("GetLaunchPlan", id=plan)["closure"]["state"] == "ACTIVE"
    flyte("UpdateLaunchPlan", id=plan, state="INACTIVE")
    assert "state" not in flyte("GetLaunchPlan", id=plan)["closure"]


def test_registering_the_same_twice(wide: Registered, plan: dict[str, str], refuses: Callable[..., None]) -> None:
    request = {"id": plan, "spec": plan_spec(wide.workflow)}
    wide.flyte("CreateLaunchPlan", **request)
    details = "launch plan with identical structure already exists"
    refuses("CreateLaunchPlan", request, "ALREADY_EXISTS", details)


def test_registering_another_under_the_same_version(
    wide: Registered, plan: dict[str, str], refuses: Callable[..., None]
) -> None:
    wide.flyte("CreateLaunchPlan", id=plan, spec=plan_spec(wide.workflow))
    details = (
        f"{plan['name']} launch plan with different structure already exists. "
        "(Please register a new version of the launch plan):\n/max_parallelism:\n\t- <nil> \n\t+ 3"
    )
    request = {"id": plan, "spec": plan_spec(wide.workflow, max_parallelism=3)}
    refuses("CreateLaunchPlan", request, "INVALID_ARGUMENT", details)


def test_one_version_is_active_at_a_time(flyte: Flyte, wide: Registered, refuses: Callable[..., None]) -> None:
    first = wide.another_plan()
    second = wide.another_plan(name=first["name"])
    named = {"id": {**flyte.place, "name": first["name"]}}
    none = f"No active launch plan could be found: {flyte.project}:{flyte.domain}:{first['name']}"
    refuses("GetActiveLaunchPlan", named, "NOT_FOUND", none)
    for _ in range(2):
        flyte("UpdateLaunchPlan", id=first, state="ACTIVE")
        assert flyte("GetActiveLaunchPlan", **named)["id"] == first
    flyte("UpdateLaunchPlan", id=second, state="ACTIVE")
    assert flyte("GetActiveLaunchPlan", **named)["id"] == second
    assert "state" not in flyte("GetLaunchPlan", id=first)["closure"]
    active = flyte("ListActiveLaunchPlans", **flyte.place, limit=10000)["launch_plans"]
    assert [found["id"] for found in active if found["id"]["name"] == first["name"]] == [second]
    by_state = flyte("ListLaunchPlans", **named, limit=5, filters="eq(state,1)")
    assert [found["id"] for found in by_state["launch_plans"]] == [second]
    flyte("UpdateLaunchPlan", id=second, state="INACTIVE")
    refuses("GetActiveLaunchPlan", named, "NOT_FOUND", none)


@pytest.mark.parametrize("state", ["ACTIVE", "INACTIVE"])
def test_a_launch_plan_that_there_is_not(refuses: Callable[..., None], plan: dict[str, str], state: str) -> None:
    details = (
        'missing entity of type LAUNCH_PLAN with identifier project:"$project" domain:"$domain" '
        f'name:"{plan["name"]}" version:"{plan["version"]}"'
    )
    refuses("UpdateLaunchPlan", {"id": plan, "state": state}, "NOT_FOUND", details)
    refuses("GetLaunchPlan", {"id": plan}, "NOT_FOUND", details)


@pytest.mark.parametrize("field", ["project", "domain", "name"])
def test_an_active_launch_plan_without_a_part_of_its_name(refuses: Callable[..., None], field: str) -> None:
    request = {"id": {"project": "p", "domain": "d", "name": "n"} | {field: ""}}
    refuses("GetActiveLaunchPlan", request, "INVALID_ARGUMENT", f"missing {field}")


def test_names_are_listed_once(flyte: Flyte, wide: Registered) -> None:
    first = wide.another_plan()
    wide.another_plan(name=first["name"])
    names = flyte("ListLaunchPlanIds", **flyte.place, limit=10000)["entities"]
    assert names.count({**flyte.place, "name": first["name"]}) == 1


def test_a_launch_plan_is_found_by_its_workflow(flyte: Flyte, wide: Registered) -> None:
    plan = wide.another_plan()
    request = {"id": flyte.place, "limit": 1000, "filters": f"eq(workflow.name,{wide.name})"}
    assert plan in [found["id"] for found in flyte("ListLaunchPlans", **request)["launch_plans"]]
