"""Which node of a level is to be blamed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs
import pytest

from flyte_remote_async import NodePhase
from flyte_remote_async.policy.blame import Outcome, blame_of, failed_by_itself

NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)


def outcome(node_id: str, phase: NodePhase = NodePhase.FAILED, *, after: int = 0, retry_group: str = "") -> Outcome:
    """Return how a node ended, some seconds after noon."""
    return Outcome(
        node_id=node_id,
        spec_node_id=node_id,
        phase=phase,
        retry_group=retry_group,
        ended=NOON + timedelta(seconds=after),
    )


@pytest.mark.parametrize("phase", NodePhase)
def test_only_what_failed_by_itself_is_blamed(phase: NodePhase) -> None:
    blamed = phase in {NodePhase.FAILED, NodePhase.FAILING, NodePhase.TIMED_OUT}
    assert bool(failed_by_itself([outcome("n0", phase)])) is blamed


def test_of_a_parent_that_was_tried_again_the_last_try_counts() -> None:
    nodes = [outcome("n0-0-n1", retry_group="0"), outcome("n0-1-n1", retry_group="1"), outcome("odd", retry_group="x")]
    assert [node.node_id for node in failed_by_itself(nodes)] == ["n0-1-n1"]
    assert failed_by_itself([]) == []


def test_the_first_to_fail_comes_first_and_handlers_last() -> None:
    unknown = attrs.evolve(outcome("n4"), ended=None)
    handler = attrs.evolve(outcome("mine"), is_handler=True)
    nodes = [handler, outcome("fn0"), unknown, outcome("n2", after=5), outcome("n3", after=2), outcome("n1", after=5)]
    order = [node.node_id for node in sorted(nodes, key=blame_of)]
    assert order == ["n3", "n1", "n2", "n4", "fn0", "mine"]
