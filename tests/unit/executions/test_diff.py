"""What happened between two snapshots."""

from __future__ import annotations

import itertools
import pickle
import random
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest
from flyteidl.admin import workflow_pb2
from hypothesis import example, given
from hypothesis import strategies as st

from flyte_remote_async import FlyteWorkflow, FlyteWorkflowExecution, NodePhase, TaskPhase, WorkflowPhase
from flyte_remote_async.executions.diff import diff_in_turns
from flyte_remote_async.executions.events import (
    AttemptChanged,
    ExecutionPhaseChanged,
    LogLinkAdded,
    NodePhaseChanged,
    SignalWanted,
)
from tests.support.growing import START, Grown, film
from tests.support.recorded_films import WATCHED, recorded_film

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyte_remote_async.executions.events import Event

SEEDS = st.integers(0, 2**32)


def part_of(event: Event) -> tuple[Any, ...]:
    """Return which part an event tells of."""
    if isinstance(event, ExecutionPhaseChanged):
        return (event.execution_id,)
    if isinstance(event, NodePhaseChanged):
        return event.execution_id, event.node_id
    assert isinstance(event, AttemptChanged)
    return event.execution_id, event.node_id, event.attempt


def phases_of(events: Sequence[Event]) -> dict[tuple[Any, ...], Any]:
    """Return the phase of each part after some events."""
    moves = (ExecutionPhaseChanged, NodePhaseChanged, AttemptChanged)
    return {part_of(event): event.after for event in events if isinstance(event, moves)}


def between(frames: Sequence[FlyteWorkflowExecution]) -> list[Event]:
    """Return all events of a film."""
    return [event for old, new in itertools.pairwise(frames) for event in new.diff(old)]


def shown(events: Sequence[Event]) -> list[str]:
    """Return events in few words."""
    texts = []
    for event in events:
        if isinstance(event, ExecutionPhaseChanged):
            texts.append(f"{event.execution_id.name} {event.after.name}")
        elif isinstance(event, NodePhaseChanged):
            texts.append(f"{event.node_id} {event.after.name}")
        elif isinstance(event, AttemptChanged):
            texts.append(f"{event.node_id}:{event.attempt} {event.after.name}")
        elif isinstance(event, LogLinkAdded):
            texts.append(f"{event.node_id}:{event.attempt} log {event.log.name}")
        elif isinstance(event, SignalWanted):
            texts.append(f"{event.node_id} wants {event.signal_id}")
    return texts


# --- properties -----------------------------------------------------------------------------------------------------


@given(SEEDS)
def test_a_snapshot_does_not_differ_from_itself_nor_from_an_equal_one(seed: int) -> None:
    for frame in film(seed):
        assert frame.diff(frame) == ()
        assert frame.diff(pickle.loads(pickle.dumps(frame))) == ()


@given(seed=SEEDS, timed=st.booleans())
def test_the_events_of_a_film_end_in_the_same_state_as_one_look_from_first_to_last(seed: int, *, timed: bool) -> None:
    frames = film(seed, is_timed=timed)
    once = frames[-1].diff(frames[0])
    assert phases_of(between(frames)) == phases_of(once)
    logs = [event for event in once if isinstance(event, LogLinkAdded)]
    assert {str(log) for log in logs} == {str(log) for log in between(frames) if isinstance(log, LogLinkAdded)}


@given(SEEDS)
def test_what_both_snapshots_share_and_what_is_only_equal_give_the_same_events(seed: int) -> None:
    frames = film(seed)
    copies = pickle.loads(pickle.dumps(frames))
    for place in range(1, len(frames)):
        assert frames[place].diff(frames[place - 1]) == frames[place].diff(copies[place - 1])


@given(seed=SEEDS, timed=st.booleans())
@example(seed=297, timed=False)  # it has failed at the second look
def test_no_part_goes_back_and_each_event_begins_where_the_last_one_ended(seed: int, *, timed: bool) -> None:
    frames = film(seed, is_timed=timed)
    last: dict[tuple[Any, ...], Any] = {(frames[0].id,): frames[0].phase}
    for event in between(frames):
        if not isinstance(event, ExecutionPhaseChanged | NodePhaseChanged | AttemptChanged):
            continue
        key = part_of(event)
        assert event.before == last.get(key)
        assert event.before is None or not event.before.is_terminal
        last[key] = event.after


@given(seed=SEEDS, timed=st.booleans(), looks=st.integers(2, 8))
def test_parts_begin_after_what_is_above_them_and_end_before_it(seed: int, looks: int, *, timed: bool) -> None:
    frames = film(seed, looks=looks, is_timed=timed)
    for old, new in itertools.pairwise(frames):
        events = new.diff(old)
        place = {part_of(event): number for number, event in enumerate(events) if not isinstance(event, LogLinkAdded)}
        for key, above in parents_of(new).items():
            if key in place and above in place:
                is_end = events[place[above]].after.is_terminal  # type: ignore[attr-defined]
                assert (place[key] < place[above]) is is_end
    final = between(frames)[-1]
    assert isinstance(final, ExecutionPhaseChanged)
    assert final.is_terminal


@given(SEEDS)
def test_times_do_not_go_back_where_the_control_plane_s_do_not(seed: int) -> None:
    frames = film(seed)
    for old, new in itertools.pairwise(frames):
        times = [event.at for event in new.diff(old) if event.at is not None]
        assert times == sorted(times)


def parents_of(execution: FlyteWorkflowExecution) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Return each part below an execution to the part right above it."""
    found: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    stack: list[tuple[Any, tuple[Any, ...]]] = [(execution, (execution.id,))]
    while stack:
        part, key = stack.pop()
        for below in part._parts():
            name = below.id
            if isinstance(below, FlyteWorkflowExecution):
                below_key: tuple[Any, ...] = (name,)
            elif hasattr(name, "node_id"):
                below_key = name.execution_id, name.node_id
            else:
                below_key = name.node_execution_id.execution_id, name.node_execution_id.node_id, name.retry_attempt
            found[below_key] = key
            stack.append((below, below_key))
    return found


@pytest.mark.parametrize("label", WATCHED)
def test_recorded_films_go_forward_to_their_end(label: str) -> None:
    frames = recorded_film(label)
    events = between(frames)
    assert phases_of(events) == phases_of(frames[-1].diff(frames[0]))
    ended = set()
    for event in events:
        if isinstance(event, ExecutionPhaseChanged | NodePhaseChanged | AttemptChanged):
            assert part_of(event) not in ended
            ended |= {part_of(event)} if event.after.is_terminal else set()
    assert frames[-1].is_done


# --- cases ----------------------------------------------------------------------------------------------------------


def test_snapshots_of_two_executions_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="this one is of p/d/other, the other of p/d/root"):
        Grown("execution", "other").snapshot().diff(Grown("execution", "root").snapshot())


def running(at: int = START) -> tuple[Grown, Grown]:
    """Return an execution that runs, and a node of it that does."""
    root = Grown("execution", "root")
    root.move(2, at)
    node = root.add(Grown("node", "n0"))
    node.move(2, at + 1)
    return root, node


def test_all_kinds_of_events_come_in_order_with_what_they_tell() -> None:
    root, node = running()
    before = root.snapshot()
    node.move(int(NodePhase.SUCCEEDED), START + 9)
    attempt = node.add(Grown("attempt", "n0:0"))
    attempt.move(2, START + 2)
    attempt.move(int(TaskPhase.SUCCEEDED), START + 8)
    attempt.logs = ["pod"]
    root.move(int(WorkflowPhase.SUCCEEDED), START + 10)
    after = root.snapshot()
    log, ended, node_ended, root_ended = events = after.diff(before)
    assert shown(events) == ["n0:0 log pod", "n0:0 SUCCEEDED", "n0 SUCCEEDED", "root SUCCEEDED"]
    assert all(event.snapshot is after for event in events)
    assert isinstance(root_ended, ExecutionPhaseChanged)
    assert root_ended.execution is after
    assert root_ended.at == datetime.fromtimestamp(START + 10, UTC)
    assert isinstance(node_ended, NodePhaseChanged)
    assert node_ended.node is after.node_executions["n0"]
    assert node_ended.parent_id is None
    assert isinstance(ended, AttemptChanged)
    assert ended.task_execution is node_ended.node.task_executions[0]
    assert isinstance(log, LogLinkAdded)
    assert (log.log.uri, log.subtask, log.at) == ("http://logs/pod", None, None)
    assert "p/d/root" in repr(root_ended)
    assert "after=SUCCEEDED" in repr(root_ended)


def test_nodes_below_nodes_name_the_node_above_them_and_child_executions_are_their_own() -> None:
    root, node = running()
    before = root.snapshot()
    below = node.add(Grown("node", "n0-0-n1"))
    below.move(2, START + 3)
    child = below.add(Grown("execution", "child"))
    child.move(2, START + 4)
    child.add(Grown("node", "n0", "child")).move(2, START + 5)
    inner, started, leaf = root.snapshot().diff(before)
    assert isinstance(inner, NodePhaseChanged)
    assert (inner.node_id, inner.parent_id, inner.execution_id.name) == ("n0-0-n1", "n0", "root")
    assert isinstance(started, ExecutionPhaseChanged)
    assert (started.execution_id.name, started.before, started.is_terminal) == ("child", None, False)
    assert isinstance(leaf, NodePhaseChanged)
    assert (leaf.node_id, leaf.parent_id, leaf.execution_id.name) == ("n0", None, "child")


def test_the_end_of_a_child_execution_is_not_the_end_of_all() -> None:
    root, node = running()
    before = root.snapshot()
    node.add(Grown("execution", "child")).move(int(WorkflowPhase.FAILED), START + 4)
    (ended,) = root.snapshot().diff(before)
    assert isinstance(ended, ExecutionPhaseChanged)
    assert not ended.is_terminal


def test_siblings_are_told_in_the_order_of_their_times() -> None:
    root = Grown("execution", "root")
    root.move(2, START)
    before = root.snapshot()
    slow, quick, last = (root.add(Grown("node", name)) for name in ("slow", "quick", "last"))
    slow.move(int(NodePhase.SUCCEEDED), START + 9)
    quick.move(int(NodePhase.SUCCEEDED), START + 5)
    last.move(2, START + 9)
    assert shown(root.snapshot().diff(before)) == ["quick SUCCEEDED", "slow SUCCEEDED", "last RUNNING"]


def test_times_that_do_not_fit_into_the_tree_give_way_to_it() -> None:
    root, node = running()
    before = root.snapshot()
    child = node.add(Grown("node", "n0-0-n0"))
    child.move(2, START - 100)
    late = node.add(Grown("node", "n0-0-n1"))
    late.move(int(NodePhase.FAILED), START + 100)
    node.move(int(NodePhase.FAILED), START + 4)
    root.move(int(WorkflowPhase.FAILED), START + 3)
    assert shown(root.snapshot().diff(before)) == ["n0-0-n0 RUNNING", "n0-0-n1 FAILED", "n0 FAILED", "root FAILED"]


def test_what_ended_stays_ended_and_what_runs_is_not_queued_again() -> None:
    root, node = running()
    attempt = node.add(Grown("attempt", "n0:0"))
    attempt.move(int(TaskPhase.FAILED), START + 2)
    before = root.snapshot()
    root.move(1, START + 3)
    node.move(1, START + 3)
    attempt.move(2, START + 3)
    behind = root.snapshot()
    assert behind.diff(before) == ()
    assert shown(before.diff(behind)) == ["root RUNNING", "n0 RUNNING", "n0:0 FAILED"]


def test_what_was_not_read_before_is_new_and_what_is_not_read_now_has_not_changed() -> None:
    root, node = running()
    node.add(Grown("attempt", "n0:0")).move(2, START + 2)
    whole = root.snapshot()
    status = FlyteWorkflowExecution.from_flyte_idl(whole.to_flyte_idl())
    assert shown(whole.diff(status)) == ["n0 RUNNING", "n0:0 RUNNING"]
    assert status.diff(whole) == ()


def test_a_part_that_is_gone_is_not_told() -> None:
    root, _ = running()
    before = root.snapshot()
    root.nodes.clear()
    assert root.snapshot().diff(before) == ()


def test_a_new_reason_is_told_while_the_attempt_stays_in_its_phase() -> None:
    root, node = running()
    attempt = node.add(Grown("attempt", "n0:0"))
    attempt.move(1, START + 2)
    before = root.snapshot()
    attempt.reason = "ImagePullBackOff"
    attempt.move(1, START + 5)
    pulling = root.snapshot()
    (changed,) = pulling.diff(before)
    assert isinstance(changed, AttemptChanged)
    assert (changed.before, changed.after, changed.reason) == (TaskPhase.QUEUED, TaskPhase.QUEUED, "ImagePullBackOff")
    assert changed.at == datetime.fromtimestamp(START + 5, UTC)
    # A replica that lags behind tells the reason of before.
    assert before.diff(pulling) == ()


def test_what_is_deep_inside_ends_before_all_that_it_is_inside_of() -> None:
    root = Grown("execution", "root")
    above = root.add(Grown("node", "n0"))
    inner = above.add(Grown("node", "n0-0-n0"))
    other = root.add(Grown("node", "n1"))
    for part in (root, above, inner, other):
        part.move(2, START)
    before = root.snapshot()
    # The clock of what is above is behind that of what is below it.
    inner.move(3, START + 9)
    above.move(3, START + 4)
    other.move(3, START + 6)
    root.move(4, START + 5)
    texts = shown(root.snapshot().diff(before))
    assert texts[-1] == "root SUCCEEDED"
    assert texts.index("n0-0-n0 SUCCEEDED") < texts.index("n0 SUCCEEDED") < texts.index("n1 SUCCEEDED")


def test_an_end_without_a_time_comes_after_all_that_is_inside() -> None:
    root = Grown("execution", "root")
    above = root.add(Grown("node", "n0"))
    inner = above.add(Grown("node", "n0-0-n0"))
    for part in (root, above, inner):
        part.move(2, START)
    before = root.snapshot()
    inner.move(3, START + 9)
    above.times, above.phase = {}, 3
    assert shown(root.snapshot().diff(before)) == ["n0-0-n0 SUCCEEDED", "n0 SUCCEEDED"]


def test_a_log_of_an_attempt_that_has_ended_is_told_at_its_beginning() -> None:
    root = Grown("execution", "root")
    root.move(2, START)
    first, other = (root.add(Grown("node", name)) for name in ("n0", "n1"))
    attempt = first.add(Grown("attempt", "n0:0"))
    for part in (first, other, attempt):
        part.move(2, START + 1)
    before = root.snapshot()
    attempt.logs.append("pod")
    attempt.move(3, START + 9)
    other.move(3, START + 5)
    assert shown(root.snapshot().diff(before)) == ["n0:0 log pod", "n1 SUCCEEDED", "n0:0 SUCCEEDED"]


def test_logs_of_the_elements_of_a_map_are_told_once() -> None:
    root, node = running()
    attempt = node.add(Grown("attempt", "n0:0"))
    attempt.move(2, START + 2)
    attempt.elements = {0: ["first"]}
    before = root.snapshot()
    attempt.elements = {0: ["first"], 1: ["second"]}
    (added,) = root.snapshot().diff(before)
    assert isinstance(added, LogLinkAdded)
    assert (added.subtask, added.log.name) == (1, "second")


def test_attempts_of_two_tasks_in_one_node_are_told_apart() -> None:
    root, node = running()
    first, second = (node.add(Grown("attempt", "n0:0")) for _ in range(2))
    second.task = "another"
    first.move(2, START + 2)
    second.move(1, START + 3)
    before = root.snapshot()
    second.move(2, START + 4)
    (moved,) = root.snapshot().diff(before)
    assert isinstance(moved, AttemptChanged)
    assert (moved.task_execution.id.task_id.name, moved.before, moved.after) == (
        "another",
        TaskPhase.QUEUED,
        TaskPhase.RUNNING,
    )
    first.move(int(TaskPhase.SUCCEEDED), START + 5)
    (ended,) = root.snapshot().diff(before)[1:]
    assert isinstance(ended, AttemptChanged)
    assert (ended.task_execution.id.task_id.name, ended.before) == ("t", TaskPhase.RUNNING)


# --- signals --------------------------------------------------------------------------------------------------------


def waiting(*gates: str, **signals: bool) -> Grown:
    """Return an execution with gate nodes that run, and its signals, given or not."""
    root = Grown("execution", "root")
    root.move(2, START)
    for number, gate in enumerate(gates):
        root.add(Grown("node", gate)).move(2, START + number + 1)
    root.signals = dict(signals)
    return root


def test_a_signal_that_is_wanted_is_told_once_with_its_node() -> None:
    root = waiting("n1", ok=False)
    empty = Grown("execution", "root").snapshot()
    first = root.snapshot()
    assert shown(first.diff(empty)) == ["root RUNNING", "n1 RUNNING", "n1 wants ok"]
    wanted = first.diff(empty)[-1]
    assert wanted.type.to_flyte_idl().simple == 4
    assert wanted.at == datetime.fromtimestamp(START + 1, UTC)
    root.nodes[0].move(2, START + 9)
    assert root.snapshot().diff(first) == ()
    root.signals = {"ok": True}
    assert root.snapshot().diff(first) == ()


def test_of_two_gates_that_wait_the_definition_tells_which_is_which() -> None:
    root = waiting("n1", "n2", number=False, ok=False)
    empty = Grown("execution", "root").snapshot()
    texts = shown(root.snapshot().diff(empty))
    assert [text for text in texts if "wants" in text] == ["None wants number", "None wants ok"]
    texts = shown(defined(root.snapshot(), gated(n1="ok", n2="number")).diff(empty))
    assert [text for text in texts if "wants" in text] == ["n1 wants ok", "n2 wants number"]


def test_a_node_that_waits_for_another_signal_is_not_taken() -> None:
    empty = Grown("execution", "root").snapshot()

    def wants(root: Grown) -> list[str]:
        now = root.snapshot()
        events = defined(now, gated(n1="ok")).diff(empty)
        return [text for text in shown(events) if "wants" in text]

    # The signal of n1 was given a moment ago, and the node of a dynamic one is in no definition.
    assert wants(waiting("n1", "n2", ok=True, number=False)) == ["n2 wants number"]
    assert wants(waiting("n1", ok=True, number=False)) == ["None wants number"]


@pytest.mark.parametrize("signal_id", ["first", "second"])
def test_two_subworkflows_with_one_id_for_their_gates_do_not_tell_whose_signal_it_is(signal_id: str) -> None:
    message: Any = workflow_pb2.WorkflowSpec()
    for name in ("first", "second"):
        workflow = message.sub_workflows.add()
        workflow.id.name = name
        workflow.nodes.add(id="n0").gate_node.approve.signal_id = name
    root = waiting(**{signal_id: False})
    root.add(Grown("node", "sub")).move(2, START + 1)
    root.nodes[0].add(Grown("node", "n0")).move(2, START + 2)
    empty = Grown("execution", "root").snapshot()
    # Nothing but that there is one alone.
    assert shown(defined(root.snapshot(), FlyteWorkflow.from_flyte_idl(message)).diff(empty))[-1] == (
        f"n0 wants {signal_id}"
    )


def test_a_signal_is_wanted_after_its_node_is_seen_to_run_whatever_the_clocks_say() -> None:
    root = waiting("n0", ok=False)
    before = Grown("execution", "root").snapshot()
    node = root.nodes[0]
    node.times = {}
    node.move(2, START + 9)
    node.add(Grown("node", "n1")).move(2, START + 3)
    # The gate began before what it is inside of, by another clock.
    assert shown(root.snapshot().diff(before)) == ["root RUNNING", "n0 RUNNING", "n1 RUNNING", "n1 wants ok"]


def test_an_execution_that_has_ended_wants_no_signal() -> None:
    root = waiting("n1", ok=False)
    root.nodes[0].move(int(NodePhase.FAILED), START + 2)
    root.move(int(WorkflowPhase.ABORTED), START + 3)
    empty = Grown("execution", "root").snapshot()
    assert shown(root.snapshot().diff(empty)) == ["n1 FAILED", "root ABORTED"]


def defined(execution: FlyteWorkflowExecution, workflow: FlyteWorkflow) -> FlyteWorkflowExecution:
    """Return a snapshot whose definition was read along."""
    return FlyteWorkflowExecution.from_flyte_idl(
        execution.to_flyte_idl(), nodes=execution._nodes, signals=execution.signals, workflow=workflow
    )


def gated(**signals: str) -> FlyteWorkflow:
    """Return a workflow with a gate node for each signal."""
    message: Any = workflow_pb2.WorkflowSpec()
    for node_id, signal_id in signals.items():
        node = message.template.nodes.add(id=node_id)
        node.gate_node.approve.signal_id = signal_id
    return FlyteWorkflow.from_flyte_idl(message)


def test_the_recorded_gates_want_their_signals_at_their_nodes() -> None:
    wanted = [event for event in between(recorded_film("samples.gates")) if isinstance(event, SignalWanted)]
    assert shown(wanted) == ["n1 wants number", "n2 wants ok"]


# --- size -----------------------------------------------------------------------------------------------------------


def test_a_tree_three_thousand_levels_deep_is_compared() -> None:
    def deep(phase: NodePhase) -> FlyteWorkflowExecution:
        root, node = running()
        chain = [node]
        for number in range(3000):
            below = Grown("node", f"d{number}")
            below.move(int(phase), START)
            chain.append(below)
        return chained(root, chain)

    old, new = deep(NodePhase.RUNNING), deep(NodePhase.SUCCEEDED)
    events = new.diff(old)
    assert len(events) == 3000
    assert [event.node_id for event in events[:2]] == ["d2999", "d2998"]  # type: ignore[attr-defined]


def chained(root: Grown, chain: list[Grown]) -> FlyteWorkflowExecution:
    """Return a snapshot of nodes that are one below the other, made from the innermost outwards."""
    below: tuple[Any, ...] = ()
    for node in reversed(chain):
        below = (node._node(below, (), ()),)
    return FlyteWorkflowExecution.from_flyte_idl(root._execution(()).to_flyte_idl(), nodes=below)


@pytest.mark.anyio
async def test_the_loop_gets_its_turn_while_a_wide_tree_is_compared() -> None:
    root, _ = running()
    before = root.snapshot()
    for number in range(1000):
        root.add(Grown("node", f"w{number}")).move(2, START + number)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(count)
        events = await diff_in_turns(root.snapshot(), before)
        group.cancel_scope.cancel()
    assert events == root.snapshot().diff(before)
    assert len(events) == 1000
    assert turns > 5


def test_what_is_shared_is_not_looked_at() -> None:
    root, moving = running()
    still = root.add(Grown("node", "still"))
    dice = random.Random(1)  # noqa: S311 - a tree, not a secret
    for number in range(2000):
        dice.choice([still, *still.nodes[:10]]).add(Grown("node", f"s{number}"))
    before = root.snapshot()
    moving.move(int(NodePhase.SUCCEEDED), START + 5)
    after = root.snapshot()
    events, calls = counted(after, before)
    assert shown(events) == ["n0 SUCCEEDED"]
    assert calls < 200


def test_an_attempt_that_was_read_again_and_did_not_change_is_not_looked_into() -> None:
    root, node = running()
    attempt = node.add(Grown("attempt", "n0:0"))
    attempt.move(2, START + 2)
    attempt.elements = {number: ["log"] for number in range(1000)}
    before = root.snapshot()
    again = pickle.loads(pickle.dumps(before))
    events, calls = counted(again, before)
    assert events == ()
    assert calls < 200


def counted(new: FlyteWorkflowExecution, old: FlyteWorkflowExecution) -> tuple[Sequence[Event], int]:
    """Return what happened between two snapshots, and how many calls it took to find out."""
    calls = 0

    def count(_frame: object, kind: str, _argument: object) -> None:
        nonlocal calls
        calls += kind == "call"

    sys.setprofile(count)
    try:
        events = new.diff(old)
    finally:
        sys.setprofile(None)
    return events, calls
