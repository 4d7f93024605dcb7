"""How snapshots show themselves: repr, text, HTML, JSON."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.core import catalog_pb2

from flyte_remote_async import FlyteNodeExecution, FlyteTaskExecution, FlyteWorkflowExecution, TaskPhase, WorkflowPhase
from tests.support.snapshots import attempt_of, execution_of, node_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.recordings import Recordings

ERROR = {"code": "USER:ValueError", "kind": "USER", "message": "three is not four"}


@pytest.mark.parametrize(
    ("snapshot", "text"),
    [
        (execution_of(), "FlyteWorkflowExecution(p/d/e0, SUCCEEDED)"),
        (execution_of(WorkflowPhase.RUNNING, nodes=[]), "FlyteWorkflowExecution(p/d/e0, RUNNING, 0 nodes)"),
        (execution_of(nodes=[node_of(), node_of()]), "FlyteWorkflowExecution(p/d/e0, SUCCEEDED, 2 nodes)"),
        (node_of(), "FlyteNodeExecution(p/d/e0/n0, task, SUCCEEDED)"),
        (node_of(problem="gone"), "FlyteNodeExecution(p/d/e0/n0, unknown, SUCCEEDED)"),
        (attempt_of(TaskPhase.RETRYABLE_FAILED, number=2), "FlyteTaskExecution(p/d/e0/n0/t/2, RETRYABLE_FAILED)"),
    ],
)
def test_a_repr_is_short_and_says_what_it_is(snapshot: Any, text: str) -> None:
    assert repr(snapshot) == text
    assert str(snapshot) == text


def test_a_repr_does_not_grow_with_the_tree() -> None:
    many = execution_of(nodes=[node_of(node_id=f"n{number}") for number in range(1000)])
    assert repr(many) == "FlyteWorkflowExecution(p/d/e0, SUCCEEDED, 1000 nodes)"


@pytest.mark.parametrize("make", [execution_of, node_of, attempt_of])
def test_the_strings_show_the_message_field_by_field(make: Callable[..., Any]) -> None:
    snapshot = make()
    head, *lines = snapshot.short_string().splitlines()
    assert head == f"Flyte Serialized object ({type(snapshot).__name__}):"
    assert all(line.startswith("  ") for line in lines)
    assert any("phase: SUCCEEDED" in line for line in lines)
    assert snapshot.verbose_string() == snapshot.short_string()


def test_fields_of_the_future_are_shown() -> None:
    message = execution_of().to_flyte_idl()
    message.MergeFromString(b"\xc0\x3e\x07")
    assert "1000: 7" in FlyteWorkflowExecution.from_flyte_idl(message).short_string()


@pytest.mark.parametrize("make", [execution_of, node_of, attempt_of])
def test_html_is_escaped(make: Callable[..., Any]) -> None:
    nasty = "<script>alert('&')</script>"
    message = make().to_flyte_idl()
    message.closure.error.message = nasty
    shown = type(make()).from_flyte_idl(message)._repr_html_()
    assert "<script" not in shown
    assert shown.startswith("<div")
    assert shown.endswith("</div>")
    assert html.escape("<script>alert(", quote=False) in shown


def times(message: Any) -> None:
    message.closure.created_at.FromJsonString("2025-01-02T03:04:05Z")
    message.closure.started_at.FromJsonString("2025-01-02T03:04:06.5Z")
    message.closure.updated_at.FromJsonString("2025-01-02T03:04:08.000001Z")
    message.closure.duration.FromJsonString("1.5s")


TIMES = {
    "created_at": "2025-01-02T03:04:05Z",
    "started_at": "2025-01-02T03:04:06.500000Z",
    "updated_at": "2025-01-02T03:04:08.000001Z",
    "duration": 1.5,
}
NO_TIMES = dict.fromkeys(TIMES)


def test_an_execution_as_json() -> None:
    message = execution_of(WorkflowPhase.FAILED, error=True).to_flyte_idl()
    times(message)
    message.spec.launch_plan.name, message.spec.launch_plan.version = "lp", "v1"
    message.closure.workflow_id.name, message.closure.workflow_id.version = "wf", "v2"
    message.spec.metadata.mode = message.spec.metadata.SCHEDULED
    message.spec.labels.values["team"] = "blue"
    assert FlyteWorkflowExecution.from_flyte_idl(message).to_dict() == {
        "project": "p",
        "domain": "d",
        "name": "e0",
        "phase": "FAILED",
        "is_done": True,
        "launch_plan": {"name": "lp", "version": "v1"},
        "workflow": {"name": "wf", "version": "v2"},
        "mode": "SCHEDULED",
        "labels": {"team": "blue"},
        **TIMES,
        "error": ERROR,
        "abort_cause": None,
        "url": None,
        "nodes": None,
    }


def test_an_execution_that_says_little_as_json() -> None:
    shape = execution_of(WorkflowPhase.ABORTED, cause="enough", nodes=[]).to_dict()
    assert shape["abort_cause"] == "enough"
    assert shape["nodes"] == []
    for absent in ("workflow", "error", "url", *TIMES):
        assert shape[absent] is None


def test_a_node_as_json() -> None:
    message = node_of(error=True, spec_node_id="n7").to_flyte_idl()
    message.closure.task_node_metadata.cache_status = catalog_pb2.CatalogCacheStatus.CACHE_HIT
    times(message)
    assert FlyteNodeExecution.from_flyte_idl(message).to_dict() == {
        "id": "n0",
        "spec_node_id": "n7",
        "kind": "task",
        "phase": "SUCCEEDED",
        "is_done": True,
        **TIMES,
        "cache_status": "CACHE_HIT",
        "error": ERROR,
        "problem": None,
        "nodes": None,
        "attempts": None,
        "executions": None,
    }


def test_an_attempt_as_json() -> None:
    message = attempt_of(TaskPhase.FAILED, number=1, error=True).to_flyte_idl()
    message.id.task_id.version = "v3"
    message.closure.reason = "out of luck"
    message.closure.logs.add(name="pod", uri="https://logs.example.com/1")
    assert FlyteTaskExecution.from_flyte_idl(message).to_dict() == {
        "task": "t",
        "task_version": "v3",
        "attempt": 1,
        "phase": "FAILED",
        "is_done": True,
        **NO_TIMES,
        "reason": "out of luck",
        "error": ERROR,
        "logs": [{"name": "pod", "uri": "https://logs.example.com/1"}],
    }


def test_a_tree_as_json_has_each_part_where_it_belongs() -> None:
    below = node_of(
        is_parent=True,
        nodes=(node_of(node_id="n1", attempts=(attempt_of(8), attempt_of(number=1))), node_of(node_id="n2")),
        attempts=(attempt_of(number=7),),
        executions=(execution_of(name="e1", nodes=[node_of(node_id="n3")]), execution_of(name="e2")),
    )
    (node,) = execution_of(nodes=[below]).to_dict()["nodes"]
    assert [child["id"] for child in node["nodes"]] == ["n1", "n2"]
    assert [one["attempt"] for one in node["nodes"][0]["attempts"]] == [0, 1]
    assert node["nodes"][1]["attempts"] is None
    assert [one["attempt"] for one in node["attempts"]] == [7]
    assert [child["name"] for child in node["executions"]] == ["e1", "e2"]
    assert [child["id"] for child in node["executions"][0]["nodes"]] == ["n3"]
    assert node["executions"][1]["nodes"] is None


def test_recorded_snapshots_are_json(recordings: Recordings) -> None:
    for cls in (FlyteWorkflowExecution, FlyteNodeExecution, FlyteTaskExecution):
        for message in recordings.messages(cls.message_type):
            shape = cls.from_flyte_idl(message).to_dict()
            assert json.loads(json.dumps(shape, allow_nan=False)) == shape
            assert shape["created_at"].endswith("Z")
