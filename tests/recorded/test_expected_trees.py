from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.support import expected_trees

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.recordings import Recordings


def walk(nodes: list[Any]) -> Iterator[Any]:
    for node in nodes:
        yield node
        yield from walk(node["children"])


def test_deriving_the_trees_again_gives_the_same_file(recordings: Recordings) -> None:
    assert expected_trees.render(expected_trees.derive(recordings)) == expected_trees.FILE.read_text()


def test_the_trees_hold_every_node_and_attempt_once(recordings: Recordings) -> None:
    trees = expected_trees.derive(recordings)
    nodes = [(name, node) for name, tree in trees.items() for node in walk(tree["nodes"])]
    keys = {record.key.partition("|")[0] for record in recordings.of_kind("NODE_EXECUTION")}
    assert len(nodes) == len(recordings.of_kind("NODE_EXECUTION"))
    assert {f"{name}/{node['node_id']}" for name, node in nodes} == keys
    attempts = {
        f"{name}/{node['node_id']}/{attempt['task']}/{attempt['attempt']}"
        for name, node in nodes
        for attempt in node["attempts"]
    }
    assert attempts == {record.key for record in recordings.of_kind("TASK_EXECUTION")}
    assert len(trees) == 36


def test_the_witness_does_not_know_the_package() -> None:
    code = "import sys, tests.support.expected_trees; sys.exit('flyte_remote_async' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
