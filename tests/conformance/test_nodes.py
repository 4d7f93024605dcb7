"""Node executions, and the attempts of their tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.client import Flyte
    from tests.conformance.entities import Registered

INVALID = "INVALID_ARGUMENT"
ABSENT = (
    'missing entity of type node execution with identifier node_id:"zz" execution_id:{project:"$project" '
    'domain:"$domain" name:"$run"}'
)


def attempt(flyte: Flyte, run: str, node_id: str, task: dict[str, str], number: int = 0) -> dict[str, Any]:
    return {"task_id": task, "node_execution_id": flyte.node(run, node_id), "retry_attempt": number}


def test_the_nodes_of_the_top_level(flyte: Flyte, finished: str) -> None:
    nodes = flyte.nodes(finished)
    assert sorted(nodes) == ["end-node", "n0", "n1", "start-node"]
    assert {node["closure"]["phase"] for node in nodes.values()} == {"SUCCEEDED"}
    assert [nodes[name]["metadata"].get("is_parent_node", False) for name in sorted(nodes)] == [
        False,
        True,
        True,
        False,
    ]
    assert {name: node["metadata"]["spec_node_id"] for name, node in nodes.items()} == {name: name for name in nodes}
    run = f"/metadata/propeller/{flyte.project}-{flyte.domain}-{finished}"
    assert nodes["n0"]["input_uri"].endswith(f"{run}/n0/data/inputs.pb")
    assert nodes["start-node"]["closure"]["output_uri"].endswith(f"{run}/start-node/data/0/outputs.pb")
    assert "input_uri" not in nodes["start-node"]
    assert "output_uri" not in nodes["end-node"]["closure"]


def test_the_nodes_of_a_subworkflow(flyte: Flyte, finished: str) -> None:
    nodes = flyte.nodes(finished, "n0")
    assert sorted(nodes) == ["n0-0-end-node", "n0-0-n0", "n0-0-n1", "n0-0-start-node"]
    inner = nodes["n0-0-n1"]
    assert inner["metadata"] == {"retry_group": "0", "spec_node_id": "n1"}
    assert flyte.nodes(finished, "n0-0-n1") == {}


def test_the_node_of_a_branch(flyte: Flyte, finished: str) -> None:
    nodes = flyte.nodes(finished, "n1")
    assert list(nodes) == ["n1-0-n1-n3"]
    assert nodes["n1-0-n1-n3"]["metadata"] == {"retry_group": "0", "spec_node_id": "n1-n3"}


def test_getting_one(flyte: Flyte, finished: str) -> None:
    assert flyte("GetNodeExecution", id=flyte.node(finished, "n0")) == flyte.nodes(finished)["n0"]
    assert flyte("GetNodeExecution", id=flyte.node(finished, "n0-0-n0")) == flyte.nodes(finished, "n0")["n0-0-n0"]


@pytest.mark.parametrize("rpc", ["GetNodeExecution", "GetNodeExecutionData", "GetDynamicNodeWorkflow"])
def test_a_node_that_there_is_not(refuses: Callable[..., None], flyte: Flyte, finished: str, rpc: str) -> None:
    refuses(rpc, {"id": flyte.node(finished, "zz")}, "NOT_FOUND", ABSENT, run=finished)
    refuses(rpc, {"id": flyte.node("$new", "zz")}, "NOT_FOUND", ABSENT.replace("$run", "$new"))


def test_the_children_of_a_node_that_there_is_not(refuses: Callable[..., None], flyte: Flyte, finished: str) -> None:
    request = {"workflow_execution_id": flyte.run(finished), "limit": 5, "unique_parent_id": "zz"}
    refuses("ListNodeExecutions", request, "NOT_FOUND", ABSENT, run=finished)


def test_the_nodes_of_an_execution_that_there_is_not(flyte: Flyte, words: dict[str, str]) -> None:
    assert flyte.nodes(words["new"]) == {}


@pytest.mark.parametrize(
    ("change", "details"),
    [
        ({"limit": 0}, "invalid value for limit"),
        ({"workflow_execution_id": {"project": "p", "domain": "d"}}, "missing execution_id"),
        ({"workflow_execution_id": {"name": "n"}}, "missing execution_id"),
        ({"token": "x"}, "invalid pagination token x for ListNodeExecutions"),
        ({"sort_by": {"key": "nope"}}, "invalid sort key 'nope'"),
        ({"filters": "eq(spec_node_id,n0)"}, "'ne.spec_node_id' is invalid filter"),
        ({"filters": "eq(name,x)"}, "'ne.name' is invalid filter"),
        ({"filters": "eq(task_execution.phase,x)"}, "'te' entity is not allowed in filters"),
        ({"filters": "eq(task.name,x)"}, "'t' entity is not allowed in filters"),
        ({"filters": "eq(workflow.name,x)"}, "'w' entity is not allowed in filters"),
    ],
)
def test_a_list_of_nodes_that_is_refused(
    refuses: Callable[..., None], flyte: Flyte, finished: str, change: dict[str, Any], details: str
) -> None:
    refuses("ListNodeExecutions", {"workflow_execution_id": flyte.run(finished), "limit": 5} | change, INVALID, details)


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ("eq(phase,SUCCEEDED)", 4),
        ("eq(phase,FAILED)", 0),
        ("eq(node_id,n1)", 1),
        ("value_in(node_id,n0;n1;zz)", 2),
        ("ne(node_id,n1)", 3),
        ("not_like(node_id,%-node)", 2),
        ("contains(node_id,-node)", 2),
        ("gte(updated_at,2020-01-01T00:00:00Z)", 4),
        ("gte(node_execution_updated_at,2120-01-01T00:00:00Z)", 0),
        ("gte(node_execution_created_at,2020-01-01T00:00:00Z)", 4),
        ("eq(error_kind,USER)", 0),
        ("eq(cache_status,CACHE_HIT)", 0),
        ("eq(execution.phase,SUCCEEDED)", 4),
        ("eq(execution.phase,FAILED)", 0),
    ],
)
def test_filters_of_nodes(flyte: Flyte, finished: str, filters: str, found: int) -> None:
    request = {"workflow_execution_id": flyte.run(finished), "limit": 20, "filters": filters}
    assert len(flyte("ListNodeExecutions", **request).get("node_executions", [])) == found


@pytest.mark.parametrize("direction", ["ASCENDING", "DESCENDING"])
def test_pages_of_nodes(flyte: Flyte, finished: str, direction: str) -> None:
    request = {"workflow_execution_id": flyte.run(finished), "sort_by": {"key": "node_id", "direction": direction}}
    first = flyte("ListNodeExecutions", **request, limit=3)
    second = flyte("ListNodeExecutions", **request, limit=3, token=first["token"])
    ids = [node["id"]["node_id"] for page in (first, second) for node in page["node_executions"]]
    assert ids == sorted(ids, reverse=direction == "DESCENDING")
    assert (len(ids), first["token"], "token" in second) == (4, "3", False)


def test_an_attempt(flyte: Flyte, finished: str, tree: Registered) -> None:
    listed = flyte("ListTaskExecutions", node_execution_id=flyte.node(finished, "n0-0-n0"), limit=5)
    found = listed["task_executions"][0]
    assert len(listed["task_executions"]) == 1
    assert found["id"] == {"task_id": tree.task, "node_execution_id": flyte.node(finished, "n0-0-n0")}
    assert (found["closure"]["phase"], found["closure"]["task_type"]) == ("SUCCEEDED", "echo")
    assert found["closure"]["output_uri"].endswith("/n0/data/0/n0/0/outputs.pb")
    assert flyte("GetTaskExecution", id=found["id"]) == found


@pytest.mark.parametrize("node_id", ["start-node", "end-node", "n0", "n1", "zz"])
def test_nodes_without_attempts(flyte: Flyte, finished: str, node_id: str) -> None:
    assert flyte("ListTaskExecutions", node_execution_id=flyte.node(finished, node_id), limit=5) == {}


@pytest.mark.parametrize("rpc", ["GetTaskExecution", "GetTaskExecutionData"])
def test_an_attempt_that_there_is_not(
    refuses: Callable[..., None], flyte: Flyte, finished: str, tree: Registered, rpc: str
) -> None:
    details = (
        'missing entity of type task execution with identifier task_id:{project:"$project" domain:"$domain" '
        f'name:"{tree.task["name"]}" version:"{tree.task["version"]}"}} node_execution_id:{{node_id:"n0-0-n0" '
        f'execution_id:{{project:"$project" domain:"$domain" name:"{finished}"}}}}'
    )
    refuses(rpc, {"id": attempt(flyte, finished, "n0-0-n0", tree.task, 9)}, "NOT_FOUND", details)


@pytest.mark.parametrize(
    ("request_", "details"),
    [
        ({}, "missing node_execution_id"),
        ({"node_execution_id": {}}, "missing execution_id"),
        ({"node_execution_id": {"execution_id": {"project": "p"}}}, "missing node_id"),
        ({"node_execution_id": {"execution_id": {"project": "p"}, "node_id": "n"}}, "missing domain"),
        (
            {"node_execution_id": {"execution_id": {"project": "p", "domain": "d", "name": "n"}, "node_id": "n"}},
            "missing task_id",
        ),
        (
            {
                "node_execution_id": {"execution_id": {"project": "p", "domain": "d", "name": "n"}, "node_id": "n"},
                "task_id": {"resource_type": "WORKFLOW"},
            },
            ("unexpected resource type workflow for identifier [resource_type:WORKFLOW], expected task instead"),
        ),
    ],
)
def test_an_attempt_whose_identifier_is_not_complete(
    refuses: Callable[..., None], request_: dict[str, Any], details: str
) -> None:
    refuses("GetTaskExecution", {"id": request_}, INVALID, details)


@pytest.mark.parametrize(
    ("change", "details"),
    [
        ({"limit": 0}, "invalid value for limit"),
        ({"token": "x"}, "invalid pagination token x for ListTaskExecutions"),
        ({"sort_by": {"key": "nope"}}, "invalid sort key 'nope'"),
        ({"filters": "eq(color,red)"}, "'te.color' is invalid filter"),
        ({"filters": "eq(launch_plan.name,x)"}, "'l' entity is not allowed in filters"),
    ],
)
def test_a_list_of_attempts_that_is_refused(
    refuses: Callable[..., None], flyte: Flyte, finished: str, change: dict[str, Any], details: str
) -> None:
    request = {"node_execution_id": flyte.node(finished, "n0-0-n0"), "limit": 5} | change
    refuses("ListTaskExecutions", request, INVALID, details)


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ("eq(phase,SUCCEEDED)", 1),
        ("eq(phase,FAILED)", 0),
        ("eq(retry_attempt,0)", 1),
        ("gt(retry_attempt,0)", 0),
        ("contains(task.name,conformance)", 1),
        ("eq(node_execution.phase,SUCCEEDED)", 1),
        ("eq(execution.phase,FAILED)", 0),
        ("gte(task_execution_created_at,2020-01-01T00:00:00Z)", 1),
    ],
)
def test_filters_of_attempts(flyte: Flyte, finished: str, filters: str, found: int) -> None:
    request = {"node_execution_id": flyte.node(finished, "n0-0-n0"), "limit": 5, "filters": filters}
    assert len(flyte("ListTaskExecutions", **request).get("task_executions", [])) == found
