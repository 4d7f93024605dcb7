from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from flyteidl.admin import node_execution_pb2, task_execution_pb2

from flyte_remote_async.devserver.naming import Place, attempt_name, checkpoint_uri, fixed_length_id

if TYPE_CHECKING:
    from tests.support.recordings import Recordings


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("n0-0-n0-n0-0-end-node", "fxushvja"),
        ("n0-0-n0-n0-0-start-node", "f3qj4tmy"),
        ("n0-0-dn0-0-start-node", "ffuqhjya"),
        ("n0-0-dn0-0-end-node", "n0-0-dn0-0-end-node"),
        ("a" * 20, "a" * 20),
    ],
)
def test_long_ids_are_hashed_as_the_real_flyte_hashed_them(name: str, expected: str) -> None:
    assert fixed_length_id(name, 20) == expected


def test_every_recorded_checkpoint_and_attempt_has_the_name_that_we_would_give_it(recordings: Recordings) -> None:
    named = 0
    for attempt in recordings.messages(task_execution_pb2.TaskExecution):
        if not attempt.closure.metadata.generated_name:  # a map task has none
            continue
        node_id = attempt.id.node_execution_id
        ours = attempt_name(node_id.execution_id.name, node_id.node_id, attempt.id.retry_attempt)
        assert ours == attempt.closure.metadata.generated_name
        named += 1
    for node in recordings.messages(node_execution_pb2.NodeExecution):
        uri = node.closure.task_node_metadata.checkpoint_uri
        if uri:
            assert checkpoint_uri(uri.split("/")[-2]) == uri
            named += 1
    assert named > 300


def test_a_place_knows_what_is_inside_of_it() -> None:
    top = Place.at_top("s3://b/x", "n0")
    inner = top.inside("n1", attempt=2)
    assert (inner.node_id, inner.parent_id, inner.retry_group) == ("n0-2-n1", "n0", "2")
    assert inner.inputs_uri == "s3://b/x/n0/data/2/n1/inputs.pb"
    assert inner.outputs_uri(1) == "s3://b/x/n0/data/2/n1/1/outputs.pb"
    assert (top.parent_id, top.retry_group, top.inputs_uri) == ("", "", "s3://b/x/n0/data/inputs.pb")


def test_names_of_attempts_stay_within_what_kubernetes_allows() -> None:
    assert len(attempt_name("e" * 40, "n" * 20, 3)) == 8
