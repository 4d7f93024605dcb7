"""What holds of every workflow that compiles, and what is said of those that do not."""

from __future__ import annotations

import itertools
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.core import identifier_pb2, types_pb2, workflow_pb2
from hypothesis import given
from hypothesis import strategies as st

from flyte_remote_async.devserver.compiler import CompileError, Problem, compile_workflow, requirements
from flyte_remote_async.devserver.compiler.graphs import depth_first
from tests.support.compiling import World, node, promise, template
from tests.support.made_registrations import identifier, registrations

if TYPE_CHECKING:
    from flyteidl.core import compiler_pb2

    from tests.support.made_registrations import Registration

ENDS = ["start-node", "end-node"]


def edges(connections: Any) -> set[tuple[str, str]]:
    return {(key, other) for key, listed in connections.items() for other in listed.ids}


def check_connections(compiled: compiler_pb2.CompiledWorkflow) -> None:
    template_ = compiled.template
    ids = [each.id for each in template_.nodes]
    assert ids[:2] == ENDS
    assert len(set(ids)) == len(ids)
    downstream = edges(compiled.connections.downstream)
    upstream = {(first, then) for then, first in edges(compiled.connections.upstream)}
    assert downstream <= upstream
    # Only nodes inside of branches and the failure node are known from one side.
    assert all(then not in ids for _, then in upstream - downstream)
    assert {first for first, _ in downstream} == set(ids) - {"end-node"}
    assert set(ids) - {"start-node"} <= {then for _, then in downstream} | {"end-node"}
    for listed in (*compiled.connections.upstream.values(), *compiled.connections.downstream.values()):
        assert list(listed.ids) == sorted(set(listed.ids))
    assert template_.nodes[1].inputs == template_.outputs


@given(registrations())
def test_what_compiles_is_whole(registration: Registration) -> None:
    closure = World().register(registration)
    check_connections(closure.primary)
    for compiled in closure.sub_workflows:
        check_connections(compiled)
    names = [task.template.id.name for task in closure.tasks]
    assert names == sorted(set(names))
    assert len(closure.sub_workflows) == len(registration.main.spec.sub_workflows)


@given(registrations(max_nodes=4))
def test_compiling_twice_changes_nothing_and_the_request_stays(registration: Registration) -> None:
    world = World()
    before = registration.main.SerializeToString(deterministic=True)
    first = world.register(registration)
    registration.main.spec.template.ClearField("id")
    registration.main.spec.template.id.CopyFrom(registration.main.id)
    assert registration.main.SerializeToString(deterministic=True) == before
    assert world.compile_request(registration.main) == first


def compile_main(world: World, registration: Registration) -> set[str]:
    """Return the codes of what is wrong."""
    try:
        world.compile_request(registration.main)
    except CompileError as error:
        return {problem.code for problem in error.problems}
    return set()


@given(registrations(max_nodes=4), st.data())
def test_a_mutation_is_told_by_its_kind(registration: Registration, data: st.DataObject) -> None:
    world = World()
    world.register(registration)
    template_ = registration.main.spec.template
    mutation = data.draw(st.sampled_from(["no output", "unknown node", "unknown task", "cycle", "type", "no nodes"]))
    match mutation:
        case "no output":
            del template_.outputs[:]
            expected = "ParameterNotBound"
        case "unknown node":
            template_.outputs[0].binding.promise.node_id = "nope"
            expected = "NodeReferenceNotFound"
        case "unknown task":
            unknown = identifier(identifier_pb2.TASK, "nope")
            template_.nodes.add(id="x").task_node.reference_id.CopyFrom(unknown)
            expected = "TaskReferenceNotFound"
        case "cycle":
            for name, other in (("x", "y"), ("y", "x")):
                added = template_.nodes.add(id=name, upstream_node_ids=[other])
                added.gate_node.sleep.duration.seconds = 1
            template_.nodes[-1].upstream_node_ids.append("start-node")
            expected = "CycleDetected"
        case "type":
            template_.interface.outputs.variables["o0"].type.simple = types_pb2.STRING
            expected = "MismatchingTypes"
        case _:
            del template_.nodes[:]
            expected = "NoNodesFound"
    assert expected in compile_main(world, registration)


@given(st.binary(max_size=60), registrations(max_nodes=2))
def test_no_template_crashes_the_compiler(noise: bytes, registration: Registration) -> None:
    world = World()
    world.register(registration)
    try:
        registration.main.spec.template.MergeFromString(noise)
    except Exception:  # noqa: BLE001 - most noise is no message
        return
    compile_main(world, registration)


def test_a_chain_longer_than_the_stack() -> None:
    nodes = [node("n0", a=promise())]
    nodes += [node(f"n{number}", a=promise(f"n{number - 1}", "o0")) for number in range(1, 3000)]
    closure = World.small().compile(template(*nodes, outputs={"o0": promise("n2999", "o0")}))
    assert len(closure.primary.template.nodes) == 3002


def chain(count: int) -> list[workflow_pb2.WorkflowTemplate]:
    templates = []
    for number in range(count):
        made = workflow_pb2.WorkflowTemplate(id=identifier(identifier_pb2.WORKFLOW, f"w{number}"))
        following = identifier(identifier_pb2.WORKFLOW, f"w{number + 1}")
        target = workflow_pb2.WorkflowNode(sub_workflow_ref=following)
        made.nodes.add(id="n0", workflow_node=target)
        made.interface.SetInParent()
        templates.append(made)
    return templates


def test_workflows_nested_deeper_than_the_stack() -> None:
    first, *others = chain(2000)
    del others[-1].nodes[:]
    others[-1].nodes.add(id="n0").gate_node.sleep.SetInParent()
    closure = compile_workflow(first, others, [], [])
    assert all(len(each.template.nodes) == 3 for each in closure.sub_workflows)


def test_a_workflow_inside_of_itself() -> None:
    first, second = chain(2)
    second.nodes[0].workflow_node.sub_workflow_ref.name = "w1"
    with pytest.raises(CompileError, match="CycleDetected") as caught:
        requirements(first, [second])
    (problem,) = caught.value.problems
    w0, w1 = (
        f'resource_type:WORKFLOW project:"flytesnacks" domain:"development" name:"{name}" version:"made"'
        for name in ("w0", "w1")
    )
    assert problem == Problem(
        "CycleDetected", w0, f"A cycle has been detected while traversing the Workflow [{w0}>{w1}>{w1}]."
    )


def test_the_error_pickles() -> None:
    error = CompileError([Problem("B", "n1", "second"), Problem("A", "n0", "first")])
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert str(error) == (
        "Collected Errors: 2\n"
        "\tError 0: Code: A, Node Id: n0, Description: first\n"
        "\tError 1: Code: B, Node Id: n1, Description: second\n"
    )


@given(st.dictionaries(st.integers(0, 8), st.lists(st.integers(0, 8), max_size=3)))
def test_a_walk(graph: dict[int, list[int]]) -> None:
    cycle, done = depth_first(0, lambda key: graph.get(key, []))
    assert len(set(done)) == len(done)
    if cycle:
        assert cycle[0] == 0
        assert cycle[-1] in cycle[:-1]
        assert all(then in graph[first] for first, then in itertools.pairwise(cycle))
    else:
        place = {key: number for number, key in enumerate(done)}
        assert done[-1] == 0
        assert all(place[then] < place[first] for first in done for then in graph.get(first, []))
