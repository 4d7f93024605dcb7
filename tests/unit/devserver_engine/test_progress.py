"""Which nodes start, are skipped and end a workflow, compared with propeller's walk written down plainly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from flyte_remote_async.devserver.engine.graph import END_NODE, START_NODE, Graph
from flyte_remote_async.devserver.engine.progress import Progress
from flyte_remote_async.devserver.runners.outcome import TIMED_OUT, Outcome, user_failure
from tests.support.made_workflows import made, task, task_node

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ADD = task("t.add")


def graph(upstream: Mapping[str, Sequence[str]]) -> Graph:
    nodes = []
    for node_id, needed in upstream.items():
        node = task_node(node_id, ADD, a=1)
        node.upstream_node_ids.extend(needed)
        nodes.append(node)
    return Graph.of(made(nodes).workflow.closure.compiled_workflow.primary)


def ready(progress: Progress) -> list[str]:
    return [node.id for node in progress.start_ready()]


def over(progress: Progress) -> bool:
    return progress.is_over


def test_a_failure_with_nothing_beside_it_skips_nothing() -> None:
    progress = Progress(graph({"n0": [], "n1": ["n0"]}), fails_late=True)
    assert ready(progress) == ["n0"]
    failure = user_failure("c", "m")
    assert progress.settle("n0", failure) == []
    assert progress.failure is failure
    assert progress.is_over
    assert ready(progress) == []


def test_the_others_go_on_and_what_follows_is_skipped() -> None:
    progress = Progress(graph({"n0": [], "n1": [], "n2": ["n1"], "n3": ["n0"], "n4": ["n3"]}), fails_late=True)
    assert ready(progress) == ["n0", "n1"]
    first = user_failure("c", "m")
    assert progress.settle("n0", first) == ["n3", "n4"]
    assert not progress.is_over
    assert progress.settle("n1", Outcome()) == []
    assert ready(progress) == ["n2"]
    assert not over(progress)
    assert progress.settle("n2", Outcome()) == [END_NODE]
    assert progress.failure is first
    assert progress.stuck == []


def test_the_last_way_that_failed_tells_how_the_workflow_failed() -> None:
    progress = Progress(graph({"n0": [], "n1": []}), fails_late=True)
    ready(progress)
    late, early = user_failure("late", "m"), user_failure("early", "m")
    progress.settle("n1", early)
    assert progress.failure is None
    progress.settle("n0", late)
    assert progress.failure is early


@given(
    st.lists(st.sets(st.integers(0, 7), max_size=3), min_size=1, max_size=8),
    st.sets(st.integers(0, 7), max_size=3),
    st.randoms(use_true_random=False),
)
def test_nothing_starts_after_the_first_failure(needed: list[set[int]], failing: set[int], chance: object) -> None:
    # Some wait for each other, and never start.
    upstream = {f"n{index}": [f"n{each % len(needed)}" for each in sorted(some)] for index, some in enumerate(needed)}
    progress, running = Progress(graph(upstream)), set[str]()
    while progress.failure is None:
        running.update(ready(progress))
        if not running:
            return
        node_id = chance.choice(sorted(running))  # type: ignore[attr-defined]
        running.remove(node_id)
        progress.settle(node_id, user_failure("c", "m") if int(node_id[1:]) in failing else Outcome())
    assert progress.is_over
    assert ready(progress) == []


def test_a_node_that_timed_out_is_a_failure() -> None:
    for fails_late in (False, True):
        progress = Progress(graph({"n0": []}), fails_late=fails_late)
        ready(progress)
        outcome = Outcome(phase=TIMED_OUT)
        progress.settle("n0", outcome)
        assert progress.failure is outcome


def test_a_cycle_beside_a_failure_is_stuck() -> None:
    progress = Progress(graph({"n0": [], "n1": ["n2"], "n2": ["n1"]}), fails_late=True)
    assert ready(progress) == ["n0"]
    progress.settle("n0", user_failure("c", "m"))
    assert progress.is_over
    assert progress.stuck == ["n1", "n2"]


class Walk:
    """Propeller's recursion over a graph, round by round, as its source has it."""

    def __init__(self, upstream: Mapping[str, Sequence[str]]) -> None:
        self.upstream = {node_id: list(needed) or [START_NODE] for node_id, needed in upstream.items()}
        followed = {needed for each in self.upstream.values() for needed in each}
        self.upstream[END_NODE] = [node_id for node_id in upstream if node_id not in followed] or [START_NODE]
        self.phases = dict.fromkeys(self.upstream, "waiting") | {START_NODE: "succeeded"}
        self.failures: dict[str, Outcome] = {}
        self.dirty: set[str] = set()

    def downstream(self, node_id: str) -> list[str]:
        return [each for each in sorted(self.upstream) if node_id in self.upstream[each]]

    def visit(self, node_id: str) -> str:
        """Return "complete" or "pending", or the id of the node that failed."""
        match self.phases[node_id]:
            case "waiting":
                return self.enter(node_id)
            case "running":
                return "pending"
            case "failing":
                self.phases[node_id] = "failed"
                self.dirty.add(node_id)
                return node_id
            case "failed":
                self.below(node_id)
                return node_id
        return self.below(node_id)

    def enter(self, node_id: str) -> str:
        if self.dirty.intersection(self.upstream[node_id]):
            return "pending"
        phases = {self.phases[each] for each in self.upstream[node_id]}
        if phases & {"failed", "skipped"} and phases <= {"failed", "skipped", "succeeded"}:
            self.phases[node_id] = "skipped"
            self.dirty.add(node_id)
        return "pending"

    def below(self, node_id: str) -> str:
        result, is_complete = "complete", True
        for each in self.downstream(node_id):
            state = self.visit(each)
            if state == "pending":
                is_complete = False
            elif state != "complete":
                result = state
        return result if is_complete else "pending"

    def rounds(self) -> str:
        while True:
            self.dirty.clear()
            state = self.visit(START_NODE)
            if state != "pending" or not self.dirty:
                return state


@given(
    st.lists(st.sets(st.integers(0, 7), max_size=3), min_size=1, max_size=8),
    st.sets(st.integers(0, 7), max_size=3),
    st.randoms(use_true_random=False),
)
def test_it_ends_as_propellers_walk_ends(needed: list[set[int]], failing: set[int], chance: object) -> None:
    upstream = {f"n{index}": [f"n{each}" for each in sorted(some) if each < index] for index, some in enumerate(needed)}
    doomed = {f"n{index}" for index in failing}
    progress, walk = Progress(graph(upstream), fails_late=True), Walk(upstream)
    running: set[str] = set()
    skipped: set[str] = set()
    while True:
        for node in progress.start_ready():
            assert progress.failure is None
            walk.phases[node.id] = "running"
            running.add(node.id)
        if progress.is_over:
            break
        node_id = chance.choice(sorted(running))  # type: ignore[attr-defined]
        running.remove(node_id)
        outcome = user_failure(node_id, "m") if node_id in doomed else Outcome()
        skipped.update(progress.settle(node_id, outcome))
        walk.phases[node_id] = "failing" if node_id in doomed else "succeeded"
        state = walk.rounds()
        assert skipped == {each for each, phase in walk.phases.items() if phase == "skipped"}
        if state in {"pending", "complete"}:
            assert progress.failure is None
        else:
            assert progress.failure is not None
            assert progress.failure.error is not None
            assert progress.failure.error.code == state
    assert (progress.failure is None) == (not doomed & upstream.keys() - skipped)
    assert progress.failure is not None or progress.stuck == []
