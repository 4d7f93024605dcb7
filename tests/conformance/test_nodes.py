"""Node executions, the attempts of their tasks, their data and their spans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.conformance.client import integers

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


def test_data_of_a_node_and_of_an_attempt(flyte: Flyte, finished: str, tree: Registered) -> None:
    base = f"flyte://v1/{flyte.project}/{flyte.domain}/{finished}/n0-0-n0"
    data = {"inputs": {}, "outputs": {}, "full_inputs": {"literals": integers(a=3)}}
    data["full_outputs"] = {"literals": integers(o0=3)}
    urls = {"inputs": f"{base}/i", "outputs": f"{base}/o"}
    assert flyte("GetNodeExecutionData", id=flyte.node(finished, "n0-0-n0")) == {**data, "flyte_urls": urls}
    urls = {"inputs": f"{base}/0/i", "outputs": f"{base}/0/o"}
    found = flyte("GetTaskExecutionData", id=attempt(flyte, finished, "n0-0-n0", tree.task))
    assert found == {**data, "flyte_urls": urls}


def test_data_of_the_ends(flyte: Flyte, finished: str) -> None:
    start = flyte("GetNodeExecutionData", id=flyte.node(finished, "start-node"))
    end = flyte("GetNodeExecutionData", id=flyte.node(finished, "end-node"))
    assert (start["full_inputs"], start["full_outputs"]) == ({}, {"literals": integers(a=3)})
    assert (end["full_inputs"], end["full_outputs"]) == ({"literals": integers(o0=3)}, {})


def test_nodes_of_an_attempt_are_none(flyte: Flyte, finished: str, tree: Registered) -> None:
    request = {"task_execution_id": attempt(flyte, finished, "n0-0-n0", tree.task), "limit": 5}
    assert flyte("ListNodeExecutionsForTask", **request) == {}


def test_a_node_that_is_not_dynamic(refuses: Callable[..., None], flyte: Flyte, finished: str) -> None:
    request = {"id": flyte.node(finished, "n0")}
    refuses("GetDynamicNodeWorkflow", request, "NOT_FOUND", "node does not contain dynamic workflow")


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("n0-0-n0/i", {"literal_map": {"literals": integers(a=3)}}),
        ("n0-0-n0/o", {"literal_map": {"literals": integers(o0=3)}}),
        ("n0-0-n0/i/a", {"literal": integers(a=3)["a"]}),
        ("n0-0-n0/o/o0", {"literal": integers(o0=3)["o0"]}),
        ("n0-0-n0/0/i", {"literal_map": {"literals": integers(a=3)}}),
        ("n0-0-n0/0/o", {"literal_map": {"literals": integers(o0=3)}}),
        ("n0-0-n0/0/o/o0", {"literal": integers(o0=3)["o0"]}),
    ],
)
def test_data_by_its_address(flyte: Flyte, finished: str, path: str, answer: dict[str, Any]) -> None:
    url = f"flyte://v1/{flyte.project}/{flyte.domain}/{finished}/{path}"
    assert flyte("GetData", flyte_url=url) == answer


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("n0-0-n0/d", "NOT_FOUND"),
        ("zz/o", "NOT_FOUND"),
        ("n0-0-n0/o/zz", INVALID),
        ("n0-0-n0/x", INVALID),
        ("n0-0-n0", INVALID),
        ("o", INVALID),
        ("n0-0-n0/0/x", INVALID),
    ],
)
def test_addresses_that_are_refused(flyte: Flyte, finished: str, path: str, code: str) -> None:
    url = f"flyte://v1/{flyte.project}/{flyte.domain}/{finished}/{path}"
    assert flyte.refusal("GetData", flyte_url=url).code == code


@pytest.mark.parametrize("url", ["http://x", "flyte:/v1/p/d/e/n/o", "x"])
def test_what_is_no_address(refuses: Callable[..., None], url: str) -> None:
    details = "failed to validate resolve artifact request. Error: request does not start with the correct prefix"
    refuses("GetData", {"flyte_url": url}, INVALID, details)


def test_spans(flyte: Flyte, finished: str) -> None:
    run = {"id": flyte.run(finished)}
    flat = flyte("GetExecutionMetrics", **run)["span"]
    closure = flyte.execution(finished)["closure"]
    assert flat == {
        "workflow_id": flyte.run(finished),
        "start_time": closure["created_at"],
        "end_time": closure["updated_at"],
    }
    deep = flyte("GetExecutionMetrics", **run, depth=10)["span"]
    operations = [span.get("operation_id", span.get("node_id", {}).get("node_id")) for span in deep["spans"]]
    assert operations == ["WORKFLOW_SETUP", "n0", "n1", "WORKFLOW_TEARDOWN"]
    inside = [span.get("operation_id", span.get("node_id", {}).get("node_id")) for span in deep["spans"][1]["spans"]]
    assert (inside[:2], inside[-1]) == (["NODE_TRANSITION", "NODE_SETUP"], "NODE_TEARDOWN")
    assert sorted(inside[2:-1]) == ["n0-0-n0", "n0-0-n1"]


def test_spans_of_one_level(flyte: Flyte, finished: str) -> None:
    span = flyte("GetExecutionMetrics", id=flyte.run(finished), depth=1)["span"]
    nodes = [inner for inner in span["spans"] if "node_id" in inner]
    assert len(nodes) == 2
    assert [[inside["operation_id"] for inside in node["spans"]] for node in nodes] == [["NODE_TRANSITION"]] * 2


def test_spans_of_one_that_runs(flyte: Flyte, waiting: str) -> None:
    spans = flyte("GetExecutionMetrics", id=flyte.run(waiting), depth=10)["span"]["spans"]
    waits = next(span for span in spans if span.get("node_id", {}).get("node_id") == "n0")
    assert [inner["operation_id"] for inner in waits["spans"]] == ["NODE_TRANSITION", "NODE_SETUP", "NODE_IDLE"]


@pytest.mark.parametrize(
    ("event", "code", "details"),
    [
        ({}, INVALID, "Workflow event handler request event doesn't have an execution id - "),
        ({"execution_id": {"project": "$project", "domain": "$domain", "name": "$new"}}, "NOT_FOUND", None),
    ],
)
def test_events_that_are_refused(
    flyte: Flyte, words: dict[str, str], event: dict[str, Any], code: str, details: str | None
) -> None:
    if event:
        event = {"execution_id": flyte.run(words["new"])}
    refusal = flyte.refusal("CreateWorkflowEvent", event=event)
    assert refusal.code == code
    assert details is None or refusal.details.startswith(details)


def test_events_after_the_end(flyte: Flyte, finished: str) -> None:
    told = {"execution_id": flyte.run(finished), "phase": "RUNNING", "occurred_at": "2030-01-01T00:00:00Z"}
    refusal = flyte.refusal("CreateWorkflowEvent", event=told)
    assert refusal.code == "FAILED_PRECONDITION"
    assert refusal.details.startswith("Invalid phase change from SUCCEEDED to RUNNING for workflow execution ")
    assert b"flyteidl.admin.EventFailureReason" in refusal.status
    refusal = flyte.refusal("CreateWorkflowEvent", event=told | {"phase": "SUCCEEDED"})
    assert refusal.code == "ALREADY_EXISTS"
    assert refusal.details.startswith("This phase SUCCEEDED was already recorded for workflow execution ")
    refusal = flyte.refusal("CreateNodeEvent", event={"id": flyte.node(finished, "n0"), "phase": "SUCCEEDED"})
    assert refusal.code == "ALREADY_EXISTS"
    refusal = flyte.refusal("CreateNodeEvent", event={"id": flyte.node(finished, "n0"), "phase": "RUNNING"})
    assert refusal.code == "FAILED_PRECONDITION"
