"""Which changes of a phase are news."""

from __future__ import annotations

import itertools

import pytest

from flyte_remote_async import NodePhase, TaskPhase, WorkflowPhase
from flyte_remote_async.policy.progress import has_begun, is_forward

PHASES = [WorkflowPhase, NodePhase, TaskPhase]
PAIRS = [pair for phases in PHASES for pair in itertools.product(phases, repeat=2)]


@pytest.mark.parametrize(("before", "after"), PAIRS, ids=lambda phase: f"{type(phase).__name__}.{phase.name}")
def test_a_step_is_forward_one_way_at_most_unless_both_phases_are_on_one_place(
    before: NodePhase, after: NodePhase
) -> None:
    if before.is_terminal or before is after:
        assert not is_forward(before, after)
    elif after.is_terminal:
        assert is_forward(before, after)
    elif is_forward(before, after) and is_forward(after, before):
        assert {before, after} <= {
            *(TaskPhase.QUEUED, TaskPhase.WAITING_FOR_RESOURCES, TaskPhase.INITIALIZING),
            *(WorkflowPhase.SUCCEEDING, WorkflowPhase.FAILING, WorkflowPhase.ABORTING),
        }


@pytest.mark.parametrize("phases", PHASES)
def test_what_was_not_seen_is_news_and_unknown_phases_are_news_until_the_end(phases: type[NodePhase]) -> None:
    for phase in phases:
        assert is_forward(None, phase)
        assert is_forward(phase, phases(99)) is not phase.is_terminal
        assert is_forward(phases(99), phase)
    assert not is_forward(phases(99), phases(99))


def test_the_usual_way_goes_forward_and_not_back() -> None:
    way = [NodePhase.QUEUED, NodePhase.RUNNING, NodePhase.DYNAMIC_RUNNING, NodePhase.FAILING, NodePhase.FAILED]
    for before, after in itertools.combinations(way, 2):
        assert is_forward(before, after)
        assert not is_forward(after, before)


def test_what_runs_has_begun() -> None:
    assert not has_begun(None)
    every = [*WorkflowPhase, *NodePhase, *TaskPhase]
    begun = {phase.name for phase in every if has_begun(phase)}
    rest = {phase.name for phase in every if not has_begun(phase)}
    assert rest == {"UNDEFINED", "QUEUED", "WAITING_FOR_RESOURCES", "INITIALIZING"}
    assert not begun & rest
    assert not has_begun(NodePhase(99))
