"""Lists: which filters and sorts each of them takes, their pages and tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.conformance.client import fresh, integers

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.client import Flyte
    from tests.conformance.entities import Registered

INVALID = "INVALID_ARGUMENT"
LISTS = {
    "ListTasks": "tasks",
    "ListWorkflows": "workflows",
    "ListLaunchPlans": "launch_plans",
    "ListExecutions": "executions",
}
NAMES = ["ListTaskIds", "ListWorkflowIds"]


def listed(flyte: Flyte, filters: str, **request: Any) -> list[str]:
    """Return the names of the executions that a filter finds."""
    request = {"id": flyte.place, "limit": 1000, "filters": filters} | request
    return [found["id"]["name"] for found in flyte("ListExecutions", **request).get("executions", [])]


@pytest.mark.parametrize(
    "filters",
    [
        "eq(phase,SUCCEEDED)",
        "ne(phase,FAILED)",
        "value_in(phase,SUCCEEDED;FAILED)",
        "value_not_in(phase,FAILED;ABORTED)",
        "contains(phase,CCEED)",
        "not_like(phase,FAIL%)",
        "eq(execution.phase,SUCCEEDED)",
        "eq(launch_plan.name,$tree)",
        "contains(launch_plan.name,conformance)",
        "eq(launch_plan.version,$version)",
        "eq(workflow.name,$tree)",
        "value_in(workflow.name,$tree;nope)",
        "eq(execution_tag.key,team)+eq(execution_tag.value,$version)",
        "eq(admin_tag.name,team)",
        "eq(execution_project,$project)",
        "eq(execution_domain,$domain)",
        "eq(launch_entity,launch_plan)",
        "eq(mode,0)",
        "lt(mode,1)",
        "eq(state,0)",
        "value_in(state,0;1)",
        "gt(duration,0)",
        "lt(duration,10h)",
        "lt(duration,999999)",
        "lt(duration,1000000s)",
        "gte(admin_tag.id,0)+eq(admin_tag.name,team)",
        "gte(admin_tag.created_at,2020-01-01)+eq(admin_tag.name,team)",
        "gte(duration,1ns)",
        "gte(created_at,2020-01-01T00:00:00Z)",
        "lt(created_at,2120-01-01T00:00:00.5Z)",
        "gte(started_at,2020-01-01T00:00:00Z)",
        "gte(updated_at,2020-01-01T00:00:00Z)",
        "gte(execution_created_at,2020-01-01)",
        "lte(execution_updated_at,2120-01-01T00:00:00Z)",
        "gt(id,0)",
        "eq(phase, SUCCEEDED)",
        "eq(phase,SUCCEEDED)+ne(mode,1)+gte(created_at,2020-01-01T00:00:00Z)",
    ],
)
def test_filters_that_find_it(flyte: Flyte, finished: str, tree: Registered, filters: str) -> None:
    known = {"tree": tree.name, "version": tree.version, "project": flyte.project, "domain": flyte.domain}
    for word, value in known.items():
        filters = filters.replace(f"${word}", value)
    assert listed(flyte, f"eq(execution_name,{finished})+{filters}") == [finished]


@pytest.mark.parametrize(
    "filters",
    [
        "eq(phase,FAILED)",
        "eq(phase,succeeded)",
        "eq(phase,NOPE)",
        "eq(state,1)",
        "eq(mode,4)",
        "eq(error_kind,USER)",
        "eq(error_code,x)",
        "ne(error_code,x)",
        "gt(duration,1000h)",
        "lt(created_at,2020-01-01T00:00:00Z)",
        "eq(task.name,nope)",
        "eq(workflow.name,nope)",
        "eq(launch_plan.name,nope)",
        "eq(execution_tag.key,nope)",
        "eq(launch_entity,task)",
        "value_in(phase,FAILED;ABORTED)",
        "value_not_in(phase,SUCCEEDED)",
        "contains(phase,succ)",
    ],
)
def test_filters_that_do_not_find_it(flyte: Flyte, finished: str, filters: str) -> None:
    assert listed(flyte, f"eq(execution_name,{finished})+{filters}") == []


@pytest.mark.parametrize(
    ("filters", "details"),
    [
        ("eq(project,x)", "'e.project' is invalid filter"),
        ("eq(name,x)", "'e.name' is invalid filter"),
        ("eq(CreatedAt,2020-01-01T00:00:00Z)", "'e.CreatedAt' is invalid filter"),
        ("eq(labels,x)", "'e.labels' is invalid filter"),
        ("eq(launch_plan.nope,x)", "'l.nope' is invalid filter"),
        ("eq(workflow.nope,x)", "'w.nope' is invalid filter"),
        ("eq(node_execution.phase,x)", "'ne' entity is not allowed in filters"),
        ("eq(task_execution.phase,x)", "'te' entity is not allowed in filters"),
        ("eq(project.identifier,x)", "'p' entity is not allowed in filters"),
        ("eq(signal.signal_id,x)", "'s' entity is not allowed in filters"),
        ("eq(phase)", "invalid value for filters"),
        ("eq(phase,)", "invalid value for filters"),
        ("phase", "invalid value for filters"),
        ("eq(phase,SUCCEEDED)+", "invalid value for filters"),
        ("gte(created_at,2020-01-01T00:00:00+00:00)", "invalid value for filters"),
        ("like(phase,S)", "unrecognized filter function: like"),
        ("EQ(phase,S)", "unrecognized filter function: EQ"),
        ("gt(duration,soon)", "Failed to parse duration [soon]"),
        ("contains(duration,soon)", "Failed to parse duration [soon]"),
        ("lt(duration,a;1)", "Failed to parse duration [a]"),
        # A number is of seconds, and one that Go prints with an exponent is no duration.
        ("gt(duration,1000000)", "Failed to parse duration [1e+06s]"),
        ("gt(duration,1234567.5)", "Failed to parse duration [1.2345675e+06s]"),
        ("gt(duration,0.00001)", "Failed to parse duration [1e-05s]"),
        ("gt(duration,1e400)", "Failed to parse duration [1e400]"),
    ],
)
def test_filters_that_are_refused(refuses: Callable[..., None], flyte: Flyte, filters: str, details: str) -> None:
    refuses("ListExecutions", {"id": flyte.place, "limit": 1, "filters": filters}, INVALID, details)


@pytest.mark.parametrize(
    ("filters", "details"),
    [
        ("eq(mode,MANUAL)", 'failed database operation with invalid input syntax for type integer: "MANUAL"'),
        ("eq(state,ACTIVE)", 'failed database operation with invalid input syntax for type integer: "ACTIVE"'),
        ("eq(state,2147483648)", 'failed database operation with value "2147483648" is out of range for type integer'),
        ("gt(id,1" + "0" * 19 + ")", 'failed database operation with value "1%s" is out of range for type bigint'),
        ("eq(launch_plan_id,x)", 'failed database operation with invalid input syntax for type bigint: "x"'),
        ("eq(workflow_id,x)", 'failed database operation with invalid input syntax for type bigint: "x"'),
        ("eq(task_id,x)", 'failed database operation with invalid input syntax for type bigint: "x"'),
        (
            "lt(created_at,x)",
            'failed database operation with invalid input syntax for type timestamp with time zone: "x"',
        ),
        ("lt(created_at,0)", 'failed database operation with date/time field value out of range: "0"'),
        (
            "lt(created_at,2020-13-01)",
            'failed database operation with date/time field value out of range: "2020-13-01"',
        ),
        ("contains(mode,1)", "failed database operation with operator does not exist: integer ~~ unknown"),
        ("contains(duration,1)", "failed database operation with operator does not exist: bigint ~~ unknown"),
        ("lt(duration,1;2)", "failed database operation with operator does not exist: bigint < record"),
        ("not_like(phase,a;b)", "failed database operation with operator does not exist: text !~~ record"),
        ("eq(phase,a;b)", "failed database operation with operator does not exist: text = record"),
    ],
)
def test_values_that_the_database_refuses(
    refuses: Callable[..., None], flyte: Flyte, filters: str, details: str
) -> None:
    details = details.replace("%s", "0" * 19)
    refuses("ListExecutions", {"id": flyte.place, "limit": 1, "filters": filters}, "UNKNOWN", details)


def test_names_are_not_filtered_by_their_kind(refuses: Callable[..., None], flyte: Flyte) -> None:
    request = {**flyte.place, "resource_type": "WORKFLOW", "limit": 1, "filters": "eq(resource_type,2)"}
    details = "failed database operation with column entities.resource_type does not exist"
    refuses("ListNamedEntities", request, "UNKNOWN", details)


@pytest.mark.parametrize(
    ("rpc", "letter"),
    [("ListTasks", "t"), ("ListWorkflows", "w"), ("ListLaunchPlans", "l"), ("ListExecutions", "e")],
)
def test_a_field_that_there_is_not(refuses: Callable[..., None], flyte: Flyte, rpc: str, letter: str) -> None:
    request = {"id": flyte.place, "limit": 1, "filters": "eq(color,red)"}
    refuses(rpc, request, INVALID, f"'{letter}.color' is invalid filter")


@pytest.mark.parametrize(
    ("rpc", "filters"),
    [
        ("ListTasks", "eq(version,$version)"),
        ("ListTasks", "eq(type,echo)"),
        ("ListTasks", "contains(name,conformance)"),
        ("ListTasks", "gte(created_at,2020-01-01T00:00:00Z)"),
        ("ListTasks", "eq(task.name,$name)"),
        ("ListWorkflows", "eq(version,$version)"),
        ("ListWorkflows", "value_in(name,$name;nope)"),
        ("ListWorkflows", "ne(domain,nope)"),
        ("ListLaunchPlans", "eq(version,$version)"),
        ("ListLaunchPlans", "eq(state,0)"),
        ("ListLaunchPlans", "eq(schedule_type,NONE)"),
        ("ListLaunchPlans", "eq(workflow.name,$name)"),
    ],
)
def test_filters_of_entities(flyte: Flyte, wide: Registered, rpc: str, filters: str) -> None:
    entity = {"ListTasks": wide.task, "ListWorkflows": wide.workflow, "ListLaunchPlans": wide.plan}[rpc]
    filters = filters.replace("$version", entity["version"]).replace("$name", entity["name"])
    found = flyte(rpc, id={**flyte.place, "name": entity["name"]}, limit=100, filters=filters)[LISTS[rpc]]
    assert entity in [each["id"] for each in found]


@pytest.mark.parametrize("rpc", LISTS)
@pytest.mark.parametrize(
    ("change", "details"),
    [
        ({"id": {"domain": "d"}}, "missing project"),
        ({"id": {"project": "p"}}, "missing domain"),
        ({"limit": 0}, "invalid value for limit"),
        ({"sort_by": {"key": "nope"}}, "invalid sort key 'nope'"),
        ({"sort_by": {}}, "invalid sort key ''"),
        ({"token": "x"}, "invalid pagination token x for {rpc}"),
        ({"token": "-1"}, "invalid pagination token -1 for {rpc}"),
        ({"token": "1.5"}, "invalid pagination token 1.5 for {rpc}"),
    ],
)
def test_a_list_that_is_refused(
    refuses: Callable[..., None], flyte: Flyte, rpc: str, change: dict[str, Any], details: str
) -> None:
    request = {"id": flyte.place, "limit": 1} | change
    refuses(rpc, request, INVALID, details.format(rpc=rpc))


@pytest.mark.parametrize("rpc", LISTS)
def test_lists_of_nothing(flyte: Flyte, rpc: str) -> None:
    assert flyte(rpc, id={"project": "nope-nope", "domain": "nope"}, limit=1) == {}
    assert flyte(rpc, id={**flyte.place, "name": fresh()}, limit=1) == {}
    assert flyte(rpc, id=flyte.place, limit=1, token="100000000") == {}


@pytest.mark.parametrize("rpc", NAMES)
@pytest.mark.parametrize(
    ("change", "details"),
    [
        ({"project": ""}, "missing project"),
        ({"domain": ""}, "missing domain"),
        ({"limit": 0}, "invalid value for limit"),
    ],
)
def test_a_list_of_names_that_is_refused(
    refuses: Callable[..., None], flyte: Flyte, rpc: str, change: dict[str, Any], details: str
) -> None:
    refuses(rpc, {**flyte.place, "limit": 1} | change, INVALID, details)


@pytest.mark.parametrize(
    ("key", "names"),
    [("execution_name", "up"), ("created_at", "in order"), ("id", "in order"), ("execution_created_at", "in order")],
)
def test_sorts_and_pages(flyte: Flyte, wide: Registered, key: str, names: str) -> None:
    made = [flyte.execute(wide.plan, integers(a=number)) for number in range(3)]
    request = {"id": flyte.place, "filters": f"value_in(execution_name,{';'.join(made)})"}
    up = sorted(made) if names == "up" else made
    for direction, wanted in (("ASCENDING", up), ("DESCENDING", up[::-1])):
        order = {"sort_by": {"key": key, "direction": direction}}
        first = flyte("ListExecutions", **request, **order, limit=2)
        second = flyte("ListExecutions", **request, **order, limit=2, token=first["token"])
        assert [run["id"]["name"] for page in (first, second) for run in page["executions"]] == wanted
        assert (first["token"], "token" in second) == ("2", False)
    # A page that is full has a token, also when it is the last.
    full = flyte("ListExecutions", **request, limit=3)
    assert full["token"] == "3"
    assert flyte("ListExecutions", **request, limit=3, token="3") == {}


def test_many_names_at_once(flyte: Flyte, finished: str) -> None:
    names = ";".join([*(fresh("x") for _ in range(2000)), finished])
    assert listed(flyte, f"value_in(execution_name,{names})") == [finished]


def test_one_name_in_the_identifier(flyte: Flyte, finished: str) -> None:
    request = {"id": {**flyte.place, "name": finished}, "limit": 5}
    assert [found["id"]["name"] for found in flyte("ListExecutions", **request)["executions"]] == [finished]


def test_a_label_and_a_tag_are_found(flyte: Flyte, wide: Registered) -> None:
    mark = fresh()
    name = flyte.execute(wide.plan, integers(a=1), labels={"values": {"mark": mark}}, tags=[mark])
    assert listed(flyte, f"eq(execution_tag.key,mark)+eq(execution_tag.value,{mark})") == [name]
    assert listed(flyte, f"eq(execution_tag.key,{mark})") == [name]
    assert listed(flyte, f"eq(admin_tag.name,{mark})") == [name]
    # One row for each label and tag that fits.
    assert listed(flyte, f"eq(execution_name,{name})+ne(execution_tag.key,other)") == [name, name]


def test_the_ended_ones_of_some(flyte: Flyte, finished: str, waiting: str) -> None:
    filters = (
        f"value_in(execution_name,{finished};{waiting};{fresh('x')})+value_in(state,0;1)"
        "+value_in(phase,SUCCEEDED;FAILED;ABORTED;TIMED_OUT)"
    )
    assert listed(flyte, filters) == [finished]
