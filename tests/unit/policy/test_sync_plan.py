"""What is read next of an execution."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte_remote_async.policy.node_kinds import Evidence
from flyte_remote_async.policy.sync_plan import SKEW, Coverage, Needs, changed_since, may_wait, needs_of

COVERAGES = [
    Coverage(attempts=attempts, io=io, definitions=definitions)
    for attempts, io, definitions in itertools.product([False, True], repeat=3)
]
NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("one", COVERAGES)
@pytest.mark.parametrize("other", COVERAGES)
def test_a_coverage_includes_what_asks_for_no_more(one: Coverage, other: Coverage) -> None:
    has = {name for name, wanted in attrs.asdict(one).items() if wanted}
    asks = {name for name, wanted in attrs.asdict(other).items() if wanted}
    assert one.includes(other) == (asks <= has)


TABLE: list[tuple[dict[str, Any], Needs]] = [
    ({"spec_node_id": "start-node", "is_successful": True}, Needs()),
    ({"spec_node_id": "end-node", "is_successful": True}, Needs()),
    ({}, Needs(attempts=True)),
    ({"has_task_metadata": True, "is_successful": True}, Needs(attempts=True)),
    # Until its attempts were looked for, a node that waits may be a task or a gate.
    ({"is_started": True}, Needs(attempts=True)),
    ({"is_started": True, "is_successful": True}, Needs(attempts=True)),
    ({"is_dynamic": True, "is_parent": True}, Needs(children=True, attempts=True)),
    ({"is_dynamic": True}, Needs(attempts=True)),
    ({"is_array": True}, Needs(attempts=True)),
    ({"is_array": True, "is_parent": True}, Needs(children=True, attempts=True)),
    ({"is_parent": True}, Needs(children=True)),
    ({"is_parent": True, "children": ["n0-n1"]}, Needs(children=True)),
    ({"is_parent": True, "children": ["odd"]}, Needs(children=True)),
    ({"starts_execution": True}, Needs(execution=True)),
    ({"starts_execution": True, "is_parent": True}, Needs(children=True, execution=True)),
]


@pytest.mark.parametrize(("facts", "needs"), TABLE)
def test_what_is_read_below_a_node(facts: dict[str, Any], needs: Needs) -> None:
    node = Evidence(**{"spec_node_id": "n0", **facts})
    assert needs_of(node, Coverage()) == needs
    assert needs_of(node, Coverage(attempts=False, io=True)) == attrs.evolve(needs, attempts=False)


def test_what_moved_is_asked_for_from_before_the_newest_time_seen() -> None:
    (condition,) = changed_since([NOON - timedelta(hours=1), NOON, NOON - timedelta(seconds=1)])
    assert str(condition) == "gte(updated_at,2025-01-01T11:59:00Z)"


@pytest.mark.parametrize("seen", [[], [None], [NOON, None], [None, NOON, NOON]])
def test_all_is_asked_for_where_times_are_missing(seen: list[datetime | None]) -> None:
    assert changed_since(seen) == ()


@given(
    st.lists(st.integers(0, 10**6).map(lambda seconds: NOON + timedelta(seconds=seconds)), min_size=1),
    st.integers(-60, 10**6),
)
def test_no_move_after_the_last_look_is_missed_while_clocks_differ_less_than_the_skew(
    seen: list[datetime], later: int
) -> None:
    (condition,) = changed_since(seen)
    since = datetime.fromisoformat(condition.values[0])
    assert max(seen) + timedelta(seconds=later) >= since
    assert max(seen) - since == SKEW


def test_signals_do_not_count_for_what_has_ended() -> None:
    assert Coverage().includes(Coverage(signals=True))


@pytest.mark.parametrize(
    ("facts", "waits"),
    [
        ({"is_started": True, "attempts": 0}, True),
        # Its attempts were not read: it may be a gate.
        ({"is_started": True}, True),
        ({"is_started": True, "attempts": 1}, False),
        ({"is_started": True, "has_task_metadata": True}, False),
        ({"is_started": True, "is_parent": True}, False),
        ({"attempts": 0}, False),
    ],
)
def test_a_node_that_runs_and_is_no_task_may_wait_for_a_signal(facts: dict[str, Any], *, waits: bool) -> None:
    node = Evidence(**{"spec_node_id": "n0", **facts})
    assert may_wait(node, is_done=False) is waits
    assert not may_wait(node, is_done=True)
