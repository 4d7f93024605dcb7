"""Trees that are deeper than Python's stack."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from flyte_remote_async import NodePhase
from flyte_remote_async.executions.outline import lines, outline
from tests.support.snapshots import attempt_of, execution_of, node_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyte_remote_async import FlyteWorkflowExecution

DEPTHS = [1_000, 3_000]


def nested_nodes(depth: int, last: NodePhase = NodePhase.SUCCEEDED) -> FlyteWorkflowExecution:
    """Return an execution whose nodes are below each other."""
    node = node_of(last, attempts=(attempt_of(),))
    for level in range(depth):
        node = node_of(node_id=f"n{level}", is_parent=True, nodes=(node,))
    return execution_of(nodes=[node])


def nested_executions(depth: int, last: NodePhase = NodePhase.SUCCEEDED) -> FlyteWorkflowExecution:
    """Return an execution that started one that started one, and so on."""
    execution = execution_of(nodes=[node_of(last)])
    for level in range(depth // 2):
        node = node_of(starts=f"e{level}", executions=(execution,))
        execution = execution_of(name=f"e{level + 1}", nodes=[node])
    return execution


def innermost(snapshot: Any) -> Any:
    """Return the snapshot at the end of a chain."""
    while parts := snapshot._parts():
        snapshot = parts[0]
    return snapshot


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("nest", [nested_nodes, nested_executions])
def test_a_deep_tree_is_a_value(nest: Callable[..., FlyteWorkflowExecution], depth: int) -> None:
    assert depth >= sys.getrecursionlimit()
    tree = nest(depth)
    assert tree == nest(depth)
    assert tree != nest(depth, NodePhase.FAILED)
    assert tree != nest(depth - 2)
    assert hash(tree) == hash(nest(depth))
    again = pickle.loads(pickle.dumps(tree))
    assert again == tree
    assert innermost(again) == innermost(tree)
    assert copy.deepcopy(tree) is tree
    for text in (repr(tree), tree.short_string()):
        assert len(text) < 1_000
    assert len(tree._repr_html_()) < 1_000_000
    assert len(tree.tree().splitlines()) == 401
    every = lines(outline(tree, datetime.now(UTC)))
    assert len(every) > depth
    assert max(map(len, every)) < 300
    assert tree.__rich__() is not None


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("nest", [nested_nodes, nested_executions])
def test_a_deep_tree_is_data(nest: Callable[..., FlyteWorkflowExecution], depth: int) -> None:
    levels, shape = 0, nest(depth).to_dict()
    while below := shape.get("nodes") or shape.get("executions"):
        levels, (shape,) = levels + 1, below
    assert levels == depth + 1


def test_a_deep_tree_of_nodes_alone_is_a_value() -> None:
    (node,) = nested_nodes(3_000).node_executions.values()
    assert pickle.loads(pickle.dumps(node)) == node
    assert len(repr(node)) < 100


def test_a_deep_tree_can_be_dropped() -> None:
    tree = [nested_nodes(30_000)]
    tree.clear()
    gc.collect()
