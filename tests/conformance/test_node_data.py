"""The data of nodes and attempts, data by its address, spans, and events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.conformance.client import integers

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.client import Flyte
    from tests.conformance.entities import Registered

INVALID = "INVALID_ARGUMENT"


def attempt(flyte: Flyte, run: str, node_id: str, task: dict[str, str], number: int = 0) -> dict[str, Any]:
    return {"task_id": task, "node_execution_id": flyte.node(run, node_id), "retry_attempt": number}


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
