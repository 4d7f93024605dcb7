"""Executions that recover another one: what has succeeded there does not run again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.admin import execution_pb2
from flyteidl.core import workflow_pb2

from flyte_remote_async.devserver.runners.dynamic import DynamicWorkflow
from tests.support.made_workflows import array, integers, launch_plan, made, subworkflow, task, task_node

if TYPE_CHECKING:
    from tests.support.engine_rig import Rig, Written
    from tests.support.made_workflows import Made

pytestmark = pytest.mark.anyio

ADD = task("t.add", ("a", "b"))
LATER = task("t.later")
DYN = task("t.dyn")


class Calls:
    """Stand-ins that count, of which the later one fails until it may not."""

    def __init__(self, rig: Rig) -> None:
        self.counted: list[str] = []
        self.fails = True
        rig.stand_ins.add("t.add", self.add)
        rig.stand_ins.add("t.later", self.later)
        rig.stand_ins.add("t.dyn", self.dyn)

    async def add(self, a: int, b: int) -> int:
        self.counted.append("add")
        return a + b

    async def later(self, a: int) -> int:
        self.counted.append("later")
        if self.fails:
            raise ValueError("not yet")
        return a

    async def dyn(self, a: int) -> DynamicWorkflow:
        self.counted.append("dyn")
        workflow = DynamicWorkflow()
        node = workflow.task("t.add", a=a, b=1)
        return workflow.returns(o0=workflow.task("t.later", a=node["o0"])["o0"])


@pytest.fixture
async def rig(rig: Rig) -> Rig:
    await rig.put_tasks(ADD, LATER, DYN)
    return rig


async def recover(rig: Rig, work: Made, calls: Calls) -> tuple[Written, Written]:
    """Run work that fails, and recover it when it may succeed."""
    first = await rig.run_made(work)
    assert first.execution.closure.HasField("error")
    calls.fails = False
    calls.counted.clear()
    return first, await rig.run(recovery_of(work.execution), work.inputs)


def recovery_of(original: execution_pb2.Execution, name: str = "again") -> execution_pb2.Execution:
    recovered = execution_pb2.Execution(id=original.id, spec=original.spec)
    recovered.id.name = name
    recovered.spec.metadata.mode = execution_pb2.ExecutionMetadata.RECOVERED
    recovered.spec.metadata.reference_execution.CopyFrom(original.id)
    return recovered


async def test_what_has_succeeded_does_not_run_again(rig: Rig) -> None:
    calls = Calls(rig)
    nodes = [task_node("n0", ADD, a=1, b=2), task_node("n1", LATER, a=("n0", "o0"))]

    _, second = await recover(rig, made(nodes, [ADD, LATER], {"x": ("n1", "o0")}), calls)

    assert calls.counted == ["later"]
    assert second.phases() == {
        "start-node": "SUCCEEDED",
        "n0": "RECOVERED",
        "n1": "SUCCEEDED",
        "end-node": "SUCCEEDED",
    }
    assert second.outputs.literals["x"].scalar.primitive.integer == 3
    data = await rig.store.get_node_data(second.nodes["n0"].id)
    assert set(data.inputs.literals) == {"a", "b"}
    assert list(second.attempts) == [("n1", 0)]


async def test_a_task_that_failed_begins_with_the_checkpoints_that_it_left(rig: Rig) -> None:
    calls = Calls(rig)
    work = made([task_node("n0", LATER, a=1)], [LATER])
    first = await rig.run_made(work)
    calls.fails = False
    (call,) = await rig.calls_of(recovery_of(first.execution), work.inputs)
    left = first.nodes["n0"].closure.task_node_metadata.checkpoint_uri
    assert left
    assert call.previous_checkpoint_uri == left


async def test_a_recovered_node_recovers_again(rig: Rig) -> None:
    calls = Calls(rig)
    nodes = [task_node("n0", ADD, a=1, b=2), task_node("n1", LATER, a=("n0", "o0"))]
    work = made(nodes, [ADD, LATER], {"x": ("n1", "o0")})
    _, second = await recover(rig, work, calls)
    calls.counted.clear()
    written = await rig.run(recovery_of(second.execution, "third"), work.inputs)
    assert calls.counted == []
    assert (written.phases()["n0"], written.phases()["n1"]) == ("RECOVERED", "RECOVERED")


async def test_nodes_inside_of_a_node_that_failed_recover(rig: Rig) -> None:
    calls = Calls(rig)
    inside = [task_node("n0", ADD, a=1, b=2), task_node("n1", LATER, a=("n0", "o0"))]
    work = made([subworkflow("n0", "sub")], [ADD, LATER], sub_workflows={"sub": (inside, {})})

    _, second = await recover(rig, work, calls)

    assert calls.counted == ["later"]
    phases = second.phases()
    assert (phases["n0"], phases["n0-0-n0"], phases["n0-0-n1"]) == ("SUCCEEDED", "RECOVERED", "SUCCEEDED")


async def test_a_recovered_subworkflow_is_a_parent_without_children(rig: Rig) -> None:
    calls = Calls(rig)
    inside = [task_node("n0", ADD, a=1, b=2)]
    work = made(
        [subworkflow("n0", "sub"), task_node("n1", LATER, a=("n0", "x"))],
        [ADD, LATER],
        sub_workflows={"sub": (inside, {"x": ("n0", "o0")})},
    )

    _, second = await recover(rig, work, calls)

    assert list(second.nodes) == ["start-node", "n0", "n1", "end-node"]
    assert second.nodes["n0"].metadata.is_parent_node


async def test_a_dynamic_task_that_has_asked_is_not_asked_again(rig: Rig) -> None:
    calls = Calls(rig)

    first, second = await recover(rig, made([task_node("n0", DYN, a=4)], [DYN], {"x": ("n0", "o0")}), calls)

    assert calls.counted == ["later"]
    phases = second.phases()
    assert (phases["n0"], phases["n0-0-dn0"], phases["n0-0-dn1"]) == ("SUCCEEDED", "RECOVERED", "SUCCEEDED")
    assert second.outputs.literals["x"].scalar.primitive.integer == 5
    assert ("n0", 0) not in second.attempts
    metadata = second.nodes["n0"].metadata
    assert (metadata.is_dynamic, metadata.is_parent_node) == (True, True)
    assert second.nodes["n0"].closure.dynamic_job_spec_uri.endswith("-again/n0/data/0/futures.pb")
    before, after = [await rig.store.get_node_data(each.nodes["n0"].id) for each in (first, second)]
    assert before.dynamic_workflow is not None
    assert after.dynamic_workflow is not None
    assert before.dynamic_workflow.id.version != after.dynamic_workflow.id.version
    assert list(before.dynamic_workflow.compiled_workflow.tasks) == list(after.dynamic_workflow.compiled_workflow.tasks)


async def test_a_recovered_dynamic_node_keeps_its_workflow_alone(rig: Rig) -> None:
    calls = Calls(rig)
    calls.fails = False
    nodes = [task_node("n0", DYN, a=1), task_node("n1", LATER, a=("n0", "o0"))]
    failing: list[Any] = []

    async def later(a: int) -> int:
        failing.append(a)
        if len(failing) == 2:
            raise ValueError("once")
        return a

    rig.stand_ins.add("t.later", later)

    _, second = await recover(rig, made(nodes, [DYN, LATER]), calls)

    assert second.phases()["n0"] == "RECOVERED"
    assert not second.nodes["n0"].metadata.is_dynamic
    assert (await rig.store.get_node_data(second.nodes["n0"].id)).dynamic_workflow is not None


async def test_a_recovered_launch_plan_names_no_child(rig: Rig) -> None:
    calls = Calls(rig)
    await rig.put(made([task_node("n0", ADD, a=1, b=2)], [ADD], {"x": ("n0", "o0")}, name="child"))
    nodes = [launch_plan("n0", "child"), task_node("n1", LATER, a=("n0", "x"))]

    first, second = await recover(rig, made(nodes, [LATER], name="parent"), calls)

    assert calls.counted == ["later"]
    # A real Flyte keeps what a node started only where that comes in a later event than its first.
    assert first.nodes["n0"].closure.HasField("workflow_node_metadata")
    assert not second.nodes["n0"].closure.HasField("workflow_node_metadata")
    assert second.phases()["n0"] == "RECOVERED"


async def test_a_recovered_array_has_no_attempts(rig: Rig) -> None:
    calls = Calls(rig)
    item = task("t.item")
    rig.stand_ins.add("t.item", lambda a: a)
    items = array("n0", task_node("inner", item), workflow_pb2.ArrayNode(), a=integers(1, 2))

    _, second = await recover(rig, made([items, task_node("n1", LATER, a=1)], [item, LATER], fails_late=True), calls)

    assert second.phases()["n0"] == "RECOVERED"
    assert second.nodes["n0"].metadata.is_array
    assert list(second.attempts) == [("n1", 0)]


async def test_what_the_cache_had_is_told_again(rig: Rig) -> None:
    calls = Calls(rig)
    cached = task("t.add", ("a", "b"))
    cached.metadata.discoverable, cached.metadata.discovery_version = True, "1"
    nodes = [task_node("n0", cached, a=1, b=2), task_node("n1", LATER, a=("n0", "o0"))]

    first, second = await recover(rig, made(nodes, [cached, LATER]), calls)

    kept, told = [each.nodes["n0"].closure.task_node_metadata for each in (first, second)]
    assert kept.catalog_key == told.catalog_key
    assert kept.cache_status == told.cache_status != 0
    assert not told.checkpoint_uri
