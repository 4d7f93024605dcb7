"""The kinds of nodes, told by what they left behind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.admin import node_execution_pb2
from hypothesis import given
from hypothesis import strategies as st

from flyte_remote_async import NodeKind
from flyte_remote_async.executions.below import evidence_of
from flyte_remote_async.policy.node_kinds import Evidence, kind_of
from tests.support import expected_trees, recordings

if TYPE_CHECKING:
    from collections.abc import Iterator


def expected_nodes() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield all nodes of the expected trees, each with the name of its execution."""
    waiting = [
        (name, node) for name, tree in json.loads(expected_trees.FILE.read_text()).items() for node in tree["nodes"]
    ]
    while waiting:
        name, node = waiting.pop()
        yield name, node
        waiting.extend((name, child) for child in node["children"])


NODES = list(expected_nodes())
MESSAGES = {
    (message.id.execution_id.name, message.id.node_id): message
    for message in recordings.load().messages(node_execution_pb2.NodeExecution)
}


def test_every_recorded_node_is_in_a_tree() -> None:
    assert {(name, node["node_id"]) for name, node in NODES} == set(MESSAGES)


def test_every_recorded_node_has_the_kind_that_its_definition_says() -> None:
    for name, node in NODES:
        evidence = evidence_of(
            MESSAGES[name, node["node_id"]],
            attempts=len(node["attempts"]),
            children=[child["spec_node_id"] for child in node["children"]],
        )
        assert kind_of(evidence) == node["kind"], (name, node["node_id"])


def test_a_row_alone_tells_all_kinds_but_branches_and_waiting_gates() -> None:
    mistaken = {(node["kind"], str(kind_of(evidence_of(MESSAGES[name, node["node_id"]])))) for name, node in NODES} - {
        (kind, kind) for kind in NodeKind
    }
    assert mistaken == {("branch", "subworkflow"), ("gate", "task")}


def test_a_row_of_an_old_server_is_known_by_its_own_id() -> None:
    row = node_execution_pb2.NodeExecution()
    row.id.node_id = "start-node"
    assert kind_of(evidence_of(row)) is NodeKind.START


TABLE: list[tuple[dict[str, Any], NodeKind]] = [
    ({"spec_node_id": "start-node", "is_parent": True}, NodeKind.START),
    ({"spec_node_id": "end-node", "starts_execution": True}, NodeKind.END),
    ({"starts_execution": True, "attempts": 0}, NodeKind.LAUNCH_PLAN),
    ({"starts_execution": True, "is_parent": True}, NodeKind.LAUNCH_PLAN),
    ({"is_array": True, "is_parent": True, "children": []}, NodeKind.ARRAY),
    ({"is_dynamic": True, "is_parent": True, "children": ["start-node"]}, NodeKind.DYNAMIC),
    ({"is_parent": True}, NodeKind.SUBWORKFLOW),
    ({"is_parent": True, "children": []}, NodeKind.SUBWORKFLOW),
    ({"is_parent": True, "children": ["start-node", "n0"]}, NodeKind.SUBWORKFLOW),
    ({"is_parent": True, "children": ["n0-n1"]}, NodeKind.BRANCH),
    ({"is_parent": True, "children": ["n0-n1", "n0-n2"]}, NodeKind.BRANCH),
    ({"is_parent": True, "children": ["n1"]}, NodeKind.UNKNOWN),
    ({"is_parent": True, "children": ["n0-n1", "n1"]}, NodeKind.UNKNOWN),
    ({"has_task_metadata": True, "attempts": 0}, NodeKind.TASK),
    ({"attempts": 1}, NodeKind.TASK),
    ({}, NodeKind.TASK),
    ({"is_started": True}, NodeKind.TASK),
    ({"is_started": True, "is_successful": True}, NodeKind.GATE),
    ({"attempts": 0}, NodeKind.TASK),
    ({"attempts": 0, "is_started": True}, NodeKind.GATE),
    ({"attempts": 0, "is_successful": True}, NodeKind.GATE),
]


@pytest.mark.parametrize(("facts", "kind"), TABLE)
def test_the_kind_of(facts: dict[str, Any], kind: NodeKind) -> None:
    assert kind_of(Evidence(**{"spec_node_id": "n0", **facts})) is kind


ids = st.sampled_from(["", "n0", "n0-n1", "n0-n2", "n1", "start-node", "end-node", "dn0", "fn0"])
evidences = st.builds(
    Evidence,
    spec_node_id=ids,
    is_parent=st.booleans(),
    is_dynamic=st.booleans(),
    is_array=st.booleans(),
    starts_execution=st.booleans(),
    has_task_metadata=st.booleans(),
    is_started=st.booleans(),
    is_successful=st.booleans(),
    attempts=st.none() | st.integers(0, 5),
    children=st.none() | st.lists(ids, max_size=4),
)


@given(evidences)
def test_every_evidence_has_a_kind(evidence: Evidence) -> None:
    kind = kind_of(evidence)
    assert isinstance(kind, NodeKind)
    # Only the children of a parent can be odd.
    assert kind is not NodeKind.UNKNOWN or (evidence.is_parent and evidence.children)
    assert kind not in {NodeKind.SUBWORKFLOW, NodeKind.BRANCH} or evidence.is_parent


@given(evidences)
def test_an_attempt_is_never_called_a_gate(evidence: Evidence) -> None:
    assert kind_of(evidence) is not NodeKind.GATE or not (evidence.attempts or evidence.has_task_metadata)
