from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from flyteidl.core import identifier_pb2, workflow_pb2
from hypothesis import given
from hypothesis import strategies as st

from flyte_remote_async.devserver.engine.graph import Graph, Program
from flyte_remote_async.devserver.engine.progress import Progress
from flyte_remote_async.devserver.runners.outcome import Outcome, user_failure
from tests.support.made_workflows import branch, made, task, task_node

if TYPE_CHECKING:
    from tests.support.made_workflows import Made

ADD = task("t.add")


def graph(work: Made) -> Graph:
    return Graph.of(work.workflow.closure.compiled_workflow.primary)


def ready(progress: Progress) -> list[str]:
    return [node.id for node in progress.start_ready()]


def is_over(progress: Progress) -> bool:
    return progress.is_over


def test_nodes_wait_for_what_they_need_and_for_what_they_are_told_to() -> None:
    late = task_node("n3", ADD, a=1)
    late.upstream_node_ids.append("n1")
    progress = Progress(
        graph(made([task_node("n0", ADD, a=("start-node", "a")), task_node("n1", ADD, a=("n0", "o0")), late]))
    )
    assert ready(progress) == ["n0"]
    assert not is_over(progress)
    progress.settle("n0", Outcome())
    assert ready(progress) == ["n1"]
    progress.settle("n1", Outcome())
    assert ready(progress) == ["n3"]
    progress.settle("n3", Outcome())
    assert ready(progress) == []
    assert is_over(progress)
    assert progress.stuck == []


def test_the_compilers_connections_count_too() -> None:
    work = made([task_node("n0", ADD, a=1), task_node("n1", ADD, a=1)])
    work.workflow.closure.compiled_workflow.primary.connections.upstream["n1"].ids.append("n0")
    assert ready(Progress(graph(work))) == ["n0"]


def test_a_branch_waits_for_what_its_bodies_need() -> None:
    if_else = workflow_pb2.IfElseBlock(
        case=workflow_pb2.IfBlock(then_node=task_node("b-n0", ADD, a=("n0", "o0"))),
        other=[
            workflow_pb2.IfBlock(
                then_node=branch(
                    "b-n1",
                    workflow_pb2.IfElseBlock(
                        case=workflow_pb2.IfBlock(then_node=task_node("b-n1-n0", ADD, a=("n1", "o0")))
                    ),
                )
            )
        ],
        else_node=task_node("b-n2", ADD, a=("n2", "o0")),
    )
    nodes = [task_node(node_id, ADD, a=1) for node_id in ("n0", "n1", "n2")]
    assert graph(made([*nodes, branch("b", if_else)])).upstream["b"] == {"n0", "n1", "n2"}


def test_after_a_failure_nothing_starts() -> None:
    progress = Progress(graph(made([task_node("n0", ADD, a=1), task_node("n1", ADD, a=1)])))
    assert ready(progress) == ["n0", "n1"]
    failure = user_failure("c", "m")
    progress.settle("n0", failure)
    assert ready(progress) == []
    assert is_over(progress)
    assert progress.failure is failure


def test_what_the_closure_does_not_have_is_named() -> None:
    program = Program(made([]).workflow.closure.compiled_workflow)
    entity = identifier_pb2.Identifier(name="t.gone", version="v1")
    for find in (program.task, program.subworkflow):
        with pytest.raises(LookupError, match=r"t\.gone:v1 is not part of the compiled workflow"):
            find(entity)


@given(st.lists(st.sets(st.integers(0, 11), max_size=4), max_size=12), st.randoms(use_true_random=False))
def test_every_graph_without_cycles_runs_to_its_end(upstream: list[set[int]], chance: object) -> None:
    nodes = []
    for index, needed in enumerate(upstream):
        node = task_node(f"n{index}", ADD, a=1)
        node.upstream_node_ids.extend(f"n{other}" for other in needed if other < index)
        nodes.append(node)
    progress, running, ended = Progress(graph(made(nodes))), set[str](), set[str]()
    while True:
        for node in progress.start_ready():
            assert set(node.upstream_node_ids) <= ended
            running.add(node.id)
        if progress.is_over:
            break
        node_id = chance.choice(sorted(running))  # type: ignore[attr-defined]
        running.remove(node_id)
        ended.add(node_id)
        progress.settle(node_id, Outcome())
    assert ended == {node.id for node in nodes}
