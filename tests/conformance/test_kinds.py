"""The kind of what is asked for: where a request may leave it out, and where it is none that Flyte knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.conformance.entities import task_node, workflow_spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.client import Flyte
    from tests.conformance.entities import Registered

INVALID = "INVALID_ARGUMENT"


def without_kind(identifier: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in identifier.items() if key != "resource_type"}


def test_a_read_implies_the_kind(flyte: Flyte, wide: Registered) -> None:
    assert flyte("GetTask", id=without_kind(wide.task)) == flyte("GetTask", id=wide.task)
    assert flyte("GetWorkflow", id=without_kind(wide.workflow)) == flyte("GetWorkflow", id=wide.workflow)
    assert flyte("GetLaunchPlan", id=without_kind(wide.plan)) == flyte("GetLaunchPlan", id=wide.plan)


def test_reading_an_attempt_implies_that_it_is_of_a_task(flyte: Flyte, finished: str, tree: Registered) -> None:
    attempt = {"task_id": tree.task, "node_execution_id": flyte.node(finished, "n0-0-n0")}
    bare = attempt | {"task_id": without_kind(tree.task)}
    assert flyte("GetTaskExecution", id=bare) == flyte("GetTaskExecution", id=attempt)
    assert flyte("GetTaskExecutionData", id=bare) == flyte("GetTaskExecutionData", id=attempt)
    assert flyte("ListNodeExecutionsForTask", task_execution_id=bare, limit=5) == {}


@pytest.mark.parametrize("state", ["ACTIVE", "INACTIVE"])
def test_an_update_of_a_launch_plan_implies_the_kind(flyte: Flyte, wide: Registered, state: str) -> None:
    plan = wide.another_plan()
    assert flyte("UpdateLaunchPlan", id=without_kind(plan), state=state) == {}
    assert flyte("GetLaunchPlan", id=plan)["closure"].get("state", "INACTIVE") == state


@pytest.mark.parametrize("rpc", ["GetWorkflow", "GetLaunchPlan", "GetDescriptionEntity"])
def test_reading_nothing(refuses: Callable[..., None], rpc: str) -> None:
    refuses(rpc, {"id": {}}, INVALID, "missing project")


def test_a_description_of_no_kind(refuses: Callable[..., None], wide: Registered) -> None:
    refuses("GetDescriptionEntity", {"id": without_kind(wide.workflow)}, "NOT_FOUND", "entry not found")


@pytest.mark.parametrize("rpc", ["CreateTask", "CreateWorkflow", "CreateLaunchPlan", "GetWorkflow", "GetLaunchPlan"])
def test_a_kind_that_there_is_not(flyte: Flyte, wide: Registered, rpc: str) -> None:
    template = {"type": "echo", "metadata": {}, "interface": {}}
    spec: dict[str, Any] = {"workflow_id": wide.workflow} if rpc == "CreateLaunchPlan" else {"template": template}
    request = {"id": {**wide.plan, "resource_type": 77}} | ({"spec": spec} if rpc.startswith("Create") else {})
    if rpc == "CreateWorkflow":
        request["spec"] = {"template": {"id": wide.workflow, "interface": {}}}
    refusal = flyte.refusal(rpc, **request)
    assert refusal.code == INVALID
    assert refusal.details.startswith("unexpected resource type 77 for identifier [resource_type:77 project:")


@pytest.mark.parametrize(
    ("rpc", "request_", "details"),
    [
        ("ListNamedEntities", {"project": "$project", "domain": "$domain", "limit": 1}, "Cannot list entity names"),
        (
            "GetNamedEntity",
            {"id": {"project": "$project", "domain": "$domain", "name": "x"}},
            "Cannot get NamedEntityMetadata",
        ),
    ],
)
def test_names_of_a_kind_that_there_is_not(
    refuses: Callable[..., None], rpc: str, request_: dict[str, Any], details: str
) -> None:
    refuses(rpc, {"resource_type": 77, **request_}, INVALID, f"{details} for resource type: 77")


def test_launching_a_kind_that_there_is_not(refuses: Callable[..., None], wide: Registered) -> None:
    details = "Invalid reference entity resource type [77], only [map[TASK:<nil> LAUNCH_PLAN:<nil>]] allowed"
    spec = {"launch_plan": wide.plan | {"resource_type": 77}}
    refuses("CreateExecution", {**wide.flyte.place, "name": "$new", "spec": spec}, INVALID, details)


def test_a_direction_that_there_is_not(refuses: Callable[..., None], flyte: Flyte) -> None:
    request = {"id": flyte.place, "limit": 1, "sort_by": {"key": "created_at", "direction": 77}}
    refuses("ListExecutions", request, INVALID, 'invalid sort order specified: key:"created_at" direction:77')


@pytest.mark.parametrize(
    ("rpc", "asker"),
    [
        ("ListTaskIds", " for ListUniqueTaskIdentifiers"),
        ("ListWorkflowIds", " for ListWorkflowIdentifiers"),
        ("ListLaunchPlanIds", ""),
    ],
)
def test_a_bad_token_of_a_list_of_names(refuses: Callable[..., None], flyte: Flyte, rpc: str, asker: str) -> None:
    refuses(rpc, {**flyte.place, "limit": 1, "token": "x"}, INVALID, f"invalid pagination token x{asker}")


@pytest.mark.parametrize("rpc", ["ListTaskIds", "ListWorkflowIds", "ListLaunchPlanIds"])
def test_lists_of_names_take_no_filters(flyte: Flyte, wide: Registered, rpc: str) -> None:
    request = {**flyte.place, "limit": 1, "sort_by": {"key": "name", "direction": "ASCENDING"}}
    assert flyte(rpc, **request, filters="eq(name,nope)") == flyte(rpc, **request, filters="(") == flyte(rpc, **request)


@pytest.mark.parametrize(
    ("name", "reason"), [("a%b", 'invalid URL escape "%b/"'), ("a\tb", "net/url: invalid control character in URL")]
)
def test_a_workflow_whose_name_is_no_part_of_a_url(
    flyte: Flyte, wide: Registered, echo: dict[str, str], name: str, reason: str
) -> None:
    workflow = wide.workflow | {"name": name}
    refusal = flyte.refusal("CreateWorkflow", id=workflow, spec=workflow_spec(workflow, [task_node("n0", echo)], []))
    assert refusal.code == "INTERNAL"
    assert refusal.details.startswith("failed to construct data reference for workflow closure with id [")
    assert refusal.details.endswith(reason)


@pytest.mark.parametrize("name", ["a b", "é", "a/b", "a;b", "a'b"])
def test_a_workflow_of_a_strange_name(flyte: Flyte, wide: Registered, echo: dict[str, str], name: str) -> None:
    workflow = wide.workflow | {"name": f"{wide.name} {name}"}
    flyte("CreateWorkflow", id=workflow, spec=workflow_spec(workflow, [task_node("n0", echo)], []))
    assert flyte("GetWorkflow", id=workflow)["id"] == workflow
