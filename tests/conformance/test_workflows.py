"""Registering workflows: what the compiler takes and refuses, and finding them again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.conformance.client import fresh
from tests.conformance.entities import (
    BOOLEAN,
    INTEGER,
    binding,
    gate_node,
    interface,
    plan_spec,
    task_node,
    workflow_spec,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.client import Flyte
    from tests.conformance.entities import Registered

FAILED = (
    'failed to compile workflow for [resource_type:WORKFLOW project:"$project" domain:"$domain" name:"$name" '
    'version:"$version"] with err: '
)
LAST = [binding("o0", "n0", "o0")]


@pytest.fixture
def workflow(flyte: Flyte) -> dict[str, str]:
    """Return the identifier of a workflow that nobody has registered."""
    return flyte.entity("WORKFLOW", f"conformance.{fresh()}", fresh("v"))


def approve(node_id: str) -> dict[str, Any]:
    return gate_node(node_id, approve={"signal_id": "ok"})


def without_inputs(task: dict[str, str]) -> dict[str, Any]:
    return task_node("n0", task) | {"inputs": []}


COMPILED: dict[str, Callable[[dict[str, str]], tuple[list[Any], list[Any]]]] = {
    "one node": lambda task: ([task_node("n0", task)], LAST),
    "no outputs": lambda task: ([task_node("n0", task)], []),
    "two nodes one after the other": lambda task: (
        [task_node("n0", task), task_node("n1", task, "n0", "o0")],
        [binding("o0", "n1", "o0")],
    ),
    "a node after another without data": lambda task: (
        [task_node("n0", task), task_node("n1", task) | {"upstream_node_ids": ["n0"]}],
        LAST,
    ),
    "an approval": lambda task: ([task_node("n0", task), approve("n1")], LAST),
    "a sleep": lambda task: ([task_node("n0", task), gate_node("n1", sleep={"duration": "1s"})], LAST),
    "a fixed value": lambda task: (
        [task_node("n0", task) | {"inputs": [{"var": "a", "binding": {"scalar": {"primitive": {"integer": "1"}}}}]}],
        LAST,
    ),
    "an id of capital letters": lambda task: ([task_node("Node_1", task)], [binding("o0", "Node_1", "o0")]),
}


@pytest.mark.parametrize("case", COMPILED)
def test_a_workflow_is_compiled(flyte: Flyte, workflow: dict[str, str], echo: dict[str, str], case: str) -> None:
    nodes, outputs = COMPILED[case](echo)
    flyte("CreateWorkflow", id=workflow, spec=workflow_spec(workflow, nodes, outputs))
    found = flyte("GetWorkflow", id=workflow)
    compiled = found["closure"]["compiled_workflow"]["primary"]
    assert (found["id"], compiled["template"]["id"]) == (workflow, workflow)
    ids = [node["id"] for node in compiled["template"]["nodes"]]
    assert sorted(ids) == sorted(["start-node", "end-node", *(node["id"] for node in nodes)])
    downstream = compiled["connections"]["downstream"]
    assert set(downstream) <= set(ids)
    reached = [after for following in downstream.values() for after in following["ids"]]
    assert sorted(set(reached)) == sorted(set(ids) - {"start-node"})


REFUSED: dict[str, tuple[Callable[[dict[str, str]], tuple[list[Any], list[Any]]], str]] = {
    "no nodes": (lambda _: ([], []), "NoNodesFound"),
    "an unknown task": (
        lambda task: ([task_node("n0", task | {"name": "nope"})], LAST),
        "missing entity of type TASK with identifier",
    ),
    "an input that is not bound": (
        lambda task: ([without_inputs(task)], LAST),
        "Code: ParameterNotBound, Node Id: n0, Description: Parameter not bound [a].",
    ),
    "a cycle": (
        lambda task: (
            [task_node("n0", task) | {"upstream_node_ids": ["n1"]}, task_node("n1", task, "n0", "o0")],
            [binding("o0", "n1", "o0")],
        ),
        "Code: CycleDetected, Node Id: start-node",
    ),
    "an output of an unknown node": (
        lambda task: ([task_node("n0", task)], [binding("o0", "nope", "o0")]),
        "Code: NodeReferenceNotFound",
    ),
    "an unknown output of a node": (
        lambda task: ([task_node("n0", task)], [binding("o0", "n0", "nope")]),
        "Code: VariableNameNotFound",
    ),
    "an input from an unknown node": (
        lambda task: ([task_node("n0", task, "nope", "o0")], LAST),
        "Code: NodeReferenceNotFound",
    ),
    "a value of another type": (
        lambda task: (
            [
                task_node("n0", task)
                | {"inputs": [{"var": "a", "binding": {"scalar": {"primitive": {"string_value": "x"}}}}]}
            ],
            LAST,
        ),
        "Code: MismatchingTypes, Node Id: n0",
    ),
    "a node without a target": (
        lambda _: ([{"id": "n0", "metadata": {"name": "n0"}}], []),
        "Code: ",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_workflow_is_not_compiled(flyte: Flyte, workflow: dict[str, str], echo: dict[str, str], case: str) -> None:
    make, details = REFUSED[case]
    nodes, outputs = make(echo)
    refusal = flyte.refusal("CreateWorkflow", id=workflow, spec=workflow_spec(workflow, nodes, outputs))
    assert refusal.code == "INVALID_ARGUMENT"
    assert refusal.details.startswith("failed to compile workflow for [resource_type:WORKFLOW")
    assert details in refusal.details
    assert flyte.refusal("GetWorkflow", id=workflow).code == "NOT_FOUND"


def test_the_words_about_one_error(
    workflow: dict[str, str], echo: dict[str, str], refuses: Callable[..., None]
) -> None:
    request = {"id": workflow, "spec": workflow_spec(workflow, [without_inputs(echo)], LAST)}
    details = (
        f"{FAILED}Collected Errors: 1\n\tError 0: Code: ParameterNotBound, Node Id: n0, "
        "Description: Parameter not bound [a].\n"
    )
    refuses("CreateWorkflow", request, "INVALID_ARGUMENT", details, name=workflow["name"], version=workflow["version"])


def test_what_the_compiler_crashes_on(flyte: Flyte, echo: dict[str, str]) -> None:
    workflow = flyte.entity("WORKFLOW", f"conformance.{fresh()}", "v1")
    node = {**task_node("n0", echo), "inputs": [{"var": "a", "binding": {"scalar": {}}}]}
    assert flyte.refusal("CreateWorkflow", id=workflow, spec=workflow_spec(workflow, [node], [])).code == "INTERNAL"


def test_the_words_about_an_unknown_task(
    workflow: dict[str, str], echo: dict[str, str], refuses: Callable[..., None]
) -> None:
    nodes = [task_node("n0", echo | {"name": "nope"})]
    details = (
        f'{FAILED}missing entity of type TASK with identifier project:"$project" domain:"$domain" name:"nope" '
        f'version:"{echo["version"]}"'
    )
    request = {"id": workflow, "spec": workflow_spec(workflow, nodes, LAST)}
    refuses("CreateWorkflow", request, "INVALID_ARGUMENT", details, name=workflow["name"], version=workflow["version"])


@pytest.mark.parametrize(
    ("change", "details"),
    [
        ({"project": ""}, "missing project"),
        ({"domain": ""}, "missing domain"),
        ({"name": ""}, "missing name"),
        ({"version": ""}, "missing version"),
        ({"domain": "nope"}, "domain [nope] is unrecognized by system"),
    ],
)
def test_an_identifier_that_is_refused(
    refuses: Callable[..., None], workflow: dict[str, str], echo: dict[str, str], change: Any, details: str
) -> None:
    request = {"id": workflow | change, "spec": workflow_spec(workflow, [task_node("n0", echo)], LAST)}
    refuses("CreateWorkflow", request, "INVALID_ARGUMENT", details)


def test_registering_the_same_twice(flyte: Flyte, wide: Registered, echo: dict[str, str]) -> None:
    nodes = [task_node("n0", echo), task_node("n1", echo)]
    spec = workflow_spec(wide.workflow, nodes, [binding("o0", "n1", "o0")])
    refusal = flyte.refusal("CreateWorkflow", id=wide.workflow, spec=spec)
    assert (refusal.code, refusal.details) == ("ALREADY_EXISTS", "workflow with identical structure already exists")
    assert b"flyteidl.admin.CreateWorkflowFailureReason" in refusal.status


def test_registering_another_under_the_same_version(flyte: Flyte, wide: Registered, echo: dict[str, str]) -> None:
    spec = workflow_spec(wide.workflow, [task_node("n0", echo)], LAST)
    refusal = flyte.refusal("CreateWorkflow", id=wide.workflow, spec=spec)
    assert refusal.code == "INVALID_ARGUMENT"
    assert refusal.details.startswith(
        f"{wide.name} workflow with different structure already exists. "
        "(Please register a new version of the workflow):\n"
    )
    assert b"flyteidl.admin.CreateWorkflowFailureReason" in refusal.status


def test_more_than_a_hundred_nodes(flyte: Flyte, workflow: dict[str, str], echo: dict[str, str]) -> None:
    nodes = [task_node(f"n{number}", echo) for number in range(101)]
    refusal = flyte.refusal("CreateWorkflow", id=workflow, spec=workflow_spec(workflow, nodes, LAST))
    assert refusal.code == "INVALID_ARGUMENT"
    assert "exceeds limit" in refusal.details


def test_a_workflow_that_there_is_not(refuses: Callable[..., None], workflow: dict[str, str]) -> None:
    details = (
        'missing entity of type WORKFLOW with identifier project:"$project" domain:"$domain" '
        f'name:"{workflow["name"]}" version:"{workflow["version"]}"'
    )
    refuses("GetWorkflow", {"id": workflow}, "NOT_FOUND", details)


@pytest.mark.parametrize(
    ("change", "details"),
    [
        ({"project": ""}, "missing project"),
        ({"domain": ""}, "missing domain"),
        ({"name": ""}, "missing name"),
        ({"version": ""}, "missing version"),
    ],
)
def test_getting_without_a_part_of_the_identifier(
    refuses: Callable[..., None], workflow: dict[str, str], change: Any, details: str
) -> None:
    refuses("GetWorkflow", {"id": workflow | change}, "INVALID_ARGUMENT", details)


def test_a_list_has_the_interface_and_no_nodes(flyte: Flyte, wide: Registered) -> None:
    listed = flyte("ListWorkflows", id={**flyte.place, "name": wide.name}, limit=5)["workflows"]
    template = listed[0]["closure"]["compiled_workflow"]["primary"]["template"]
    assert template["interface"] == interface({"a": INTEGER}, {"o0": INTEGER})
    assert "nodes" not in template
    assert listed[0]["closure"]["created_at"]


def test_names_are_listed_once(flyte: Flyte, wide: Registered, echo: dict[str, str]) -> None:
    again = wide.workflow | {"version": fresh("v")}
    flyte("CreateWorkflow", id=again, spec=workflow_spec(again, [task_node("n0", echo)], LAST))
    names = flyte("ListWorkflowIds", **flyte.place, limit=10000)["entities"]
    assert names.count({**flyte.place, "name": wide.name}) == 1


def test_a_subworkflow_comes_along(flyte: Flyte, tree: Registered, wide: Registered) -> None:
    compiled = flyte("GetWorkflow", id=tree.workflow)["closure"]["compiled_workflow"]
    assert [inner["template"]["id"] for inner in compiled["sub_workflows"]] == [wide.workflow]
    assert [task["template"]["id"] for task in compiled["tasks"]] == [tree.task]


def test_a_launch_plan_of_a_workflow_in_a_node(flyte: Flyte, wide: Registered, workflow: dict[str, str]) -> None:
    node = {
        "id": "n0",
        "metadata": {"name": "child"},
        "inputs": [binding("a", "start-node", "a")],
        "workflow_node": {"launchplan_ref": wide.plan},
    }
    flyte("CreateWorkflow", id=workflow, spec=workflow_spec(workflow, [node], LAST))
    plan = flyte.entity("LAUNCH_PLAN", workflow["name"], workflow["version"])
    flyte("CreateLaunchPlan", id=plan, spec=plan_spec(workflow))
    assert flyte("GetLaunchPlan", id=plan)["closure"]["expected_outputs"] == {"variables": {"o0": INTEGER}}


def test_an_unknown_launch_plan_in_a_node(flyte: Flyte, wide: Registered, workflow: dict[str, str]) -> None:
    node = {
        "id": "n0",
        "metadata": {"name": "child"},
        "inputs": [binding("a", "start-node", "a")],
        "workflow_node": {"launchplan_ref": wide.plan | {"name": "nope"}},
    }
    refusal = flyte.refusal("CreateWorkflow", id=workflow, spec=workflow_spec(workflow, [node], LAST))
    assert refusal.code == "INVALID_ARGUMENT"
    assert "missing entity of type LAUNCH_PLAN with identifier" in refusal.details


def test_an_interface_of_another_type(flyte: Flyte, workflow: dict[str, str], echo: dict[str, str]) -> None:
    spec = workflow_spec(workflow, [task_node("n0", echo)], LAST, interface=interface({"a": BOOLEAN}, {"o0": INTEGER}))
    refusal = flyte.refusal("CreateWorkflow", id=workflow, spec=spec)
    assert refusal.code == "INVALID_ARGUMENT"
    assert "Code: MismatchingTypes, Node Id: n0" in refusal.details
