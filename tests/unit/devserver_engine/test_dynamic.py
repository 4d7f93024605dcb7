"""Dynamic nodes: what no recording shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.core import dynamic_job_pb2, identifier_pb2, literals_pb2, workflow_pb2

from flyte_remote_async.devserver.runners.dynamic import DynamicWorkflow
from flyte_remote_async.devserver.runners.stand_ins import FlyteRecoverableException, current_attempt
from flyte_remote_async.models.phases import NodePhase
from tests.support.engine_rig import phase
from tests.support.made_workflows import binding, integer, made, task, task_node

if TYPE_CHECKING:
    from tests.support.engine_rig import Rig

pytestmark = pytest.mark.anyio

ADD = task("t.add", ("a", "b"))
BOOM = task("t.boom")
WAIT = task("t.wait")
DYN = task("t.dyn")
OUTER = task("t.outer")
TRIED = task("t.dyn", retries=1)
WORK = made([task_node("n0", DYN, a=3)], [DYN], {"x": ("n0", "o0")})


@pytest.fixture
async def rig(rig: Rig) -> Rig:
    await rig.put_tasks(ADD, BOOM, WAIT, DYN, OUTER)
    return rig


def sums(a: int) -> DynamicWorkflow:
    workflow = DynamicWorkflow()
    node = workflow.task("t.add", a=a, b=1)
    return workflow.returns(o0=workflow.task("t.add", a=node["o0"], b=10)["o0"])


async def test_a_stand_in_asks_for_nodes(rig: Rig) -> None:
    rig.stand_ins.add("t.dyn", sums)
    written = await rig.run_made(WORK)
    assert written.outputs.literals["x"].scalar.primitive.integer == 14
    assert set(written.nodes) >= {"n0-0-start-node", "n0-0-dn0", "n0-0-dn1", "n0-0-end-node"}
    metadata = written.nodes["n0"].metadata
    assert (metadata.is_parent_node, metadata.is_dynamic, metadata.is_array) == (True, True, False)
    dynamic = await rig.store.get_dynamic_workflow(written.nodes["n0"].id)
    assert dynamic is not None
    assert dynamic.compiled_workflow.primary.template.id.name == "dynamic_n0"


async def test_a_retry_that_asks_belongs_to_its_attempt(rig: Rig) -> None:
    @rig.stand_ins.task("t.dyn")
    def dyn(a: int) -> DynamicWorkflow:
        if current_attempt().number == 0:
            raise FlyteRecoverableException("again")
        return sums(a)

    written = await rig.run_made(made([task_node("n0", TRIED, a=3)], [TRIED], {"x": ("n0", "o0")}))

    assert written.outputs.literals["x"].scalar.primitive.integer == 14
    assert written.nodes["n0-1-dn0"].metadata.retry_group == "1"
    assert written.nodes["n0"].closure.dynamic_job_spec_uri.endswith("/n0/data/1/futures.pb")
    assert written.nodes["n0"].closure.output_uri.endswith("/n0/data/1/outputs.pb")


async def test_a_dynamic_task_inside_of_a_dynamic_task(rig: Rig) -> None:
    rig.stand_ins.add("t.dyn", sums)

    @rig.stand_ins.task("t.outer")
    async def outer(a: int) -> DynamicWorkflow:
        workflow = DynamicWorkflow()
        return workflow.returns(o0=workflow.task("t.dyn", a=a)["o0"])

    work = made([task_node("n0", OUTER, a=1)], [OUTER], {"x": ("n0", "o0")}, max_parallelism=1)
    written = await rig.run_made(work)

    assert written.outputs.literals["x"].scalar.primitive.integer == 12
    assert written.parents["n0-0-dn0-0-dn1"] == "n0-0-dn0"
    assert written.nodes["n0-0-dn0"].metadata.is_dynamic


async def test_a_failure_inside_fails_the_node_and_aborts_the_rest(rig: Rig) -> None:
    started = rig.waits("t.wait")

    @rig.stand_ins.task("t.boom")
    async def boom(a: int) -> int:
        await started.wait()
        raise FlyteRecoverableException("inside")

    @rig.stand_ins.task("t.dyn")
    def dyn(a: int) -> DynamicWorkflow:
        workflow = DynamicWorkflow()
        workflow.task("t.wait", a=a)
        return workflow.returns(o0=workflow.task("t.boom", a=a)["o0"])

    written = await rig.run_made(made([task_node("n0", TRIED, a=3)], [TRIED], {"x": ("n0", "o0")}))

    phases = written.phases()
    assert (phases["n0"], phases["n0-0-dn0"], phases["n0-0-dn1"]) == ("FAILED", "ABORTED", "FAILED")
    assert written.nodes["n0-0-dn0"].closure.error.message == "Dynamic workflow failed"
    assert written.nodes["n0"].closure.error == written.nodes["n0-0-dn1"].closure.error
    assert [number for node, number in written.attempts if node == "n0"] == [0]


def malformed() -> DynamicWorkflow:
    workflow = DynamicWorkflow()
    return workflow.returns(o0=workflow.task("t.add", a=1)["o0"])


def unknown_task() -> DynamicWorkflow:
    workflow = DynamicWorkflow()
    return workflow.returns(o0=workflow.task("t.gone", a=1)["o0"])


def unknown_workflow() -> DynamicWorkflow:
    workflow = DynamicWorkflow()
    return workflow.returns(o0=workflow.workflow("t.gone", a=1)["o0"])


def unknown_launch_plan() -> DynamicWorkflow:
    workflow = DynamicWorkflow()
    return workflow.returns(o0=workflow.launch_plan("gone", a=1)["o0"])


def task_without_id() -> dynamic_job_pb2.DynamicJobSpec:
    return dynamic_job_pb2.DynamicJobSpec(tasks=[{"type": "x"}])


def cyclic_workflows() -> dynamic_job_pb2.DynamicJobSpec:
    template = workflow_pb2.WorkflowTemplate()
    template.id.resource_type, template.id.name, template.id.version = identifier_pb2.WORKFLOW, "w", "v"
    template.nodes.add(id="n0").workflow_node.sub_workflow_ref.CopyFrom(template.id)
    node = workflow_pb2.Node(id="dn0")
    node.workflow_node.sub_workflow_ref.CopyFrom(template.id)
    return dynamic_job_pb2.DynamicJobSpec(nodes=[node], subworkflows=[template])


@pytest.mark.parametrize(
    ("spec", "begins", "says"),
    [
        (malformed, "[User] malformed dynamic workflow, caused by: Collected Errors: ", "Parameter not bound [b]"),
        (unknown_task, "[User] malformed dynamic workflow, caused by: ", "t.gone"),
        (unknown_workflow, "[User] malformed dynamic workflow, caused by: ", "t.gone"),
        (
            unknown_launch_plan,
            "[User] incorrectly specified launchplan p:development:gone:v1, caused by: [NotFound] ",
            'missing entity of type LAUNCH_PLAN with identifier project:"p"',
        ),
        (task_without_id, "[User] failed to compile dynamic tasks, caused by: ", "Value required [Id]"),
        (cyclic_workflows, "[User] failed to Get requirements for subworkflows, caused by: ", "cycle"),
    ],
)
async def test_what_cannot_be_built(rig: Rig, spec: Any, begins: str, says: str) -> None:
    rig.stand_ins.add("t.dyn", lambda **_: spec())
    written = await rig.run_made(WORK)
    error = written.nodes["n0"].closure.error
    assert (error.code, error.kind) == ("DynamicWorkflowBuildFailed", error.USER)
    assert error.message.startswith(begins)
    assert says in error.message
    metadata = written.nodes["n0"].metadata
    assert (metadata.is_dynamic, metadata.is_parent_node) == (True, False)
    assert not written.nodes["n0"].closure.HasField("task_node_metadata")


async def test_a_workflow_and_its_tasks_come_from_the_store(rig: Rig) -> None:
    inner = made([task_node("n0", ADD, a=("start-node", "a"), b=1)], [ADD], {"o0": ("n0", "o0")}, name="t.sub", a=0)
    interface = inner.workflow.closure.compiled_workflow.primary.template.interface
    interface.inputs.variables["a"].CopyFrom(ADD.interface.inputs.variables["a"])
    interface.outputs.variables["o0"].CopyFrom(ADD.interface.outputs.variables["o0"])
    await rig.put(inner)

    @rig.stand_ins.task("t.dyn")
    def dyn(a: int) -> DynamicWorkflow:
        workflow = DynamicWorkflow()
        first = workflow.workflow("t.sub", a=a)
        return workflow.returns(o0=workflow.workflow("t.sub", a=first["o0"])["o0"])

    written = await rig.run_made(WORK)

    assert phase(written) == "SUCCEEDED", written.execution.closure.error.message
    assert written.outputs.literals["x"].scalar.primitive.integer == 5
    assert written.nodes["n0-0-dn1"].metadata.is_parent_node


@pytest.mark.parametrize(
    "value",
    [
        1,
        1.5,
        True,
        "text",
        None,
        [1, [2]],
        {"a": 1, "b": ["c"]},
        integer(4),
        literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=[integer(1)])),
        literals_pb2.Literal(map=literals_pb2.LiteralMap(literals={"k": integer(1)})),
    ],
)
def test_what_a_node_can_be_given(value: Any) -> None:
    workflow = DynamicWorkflow()
    workflow.task("t.x", a=value)
    workflow.returns(o0=value)
    (node,) = workflow.spec.nodes
    assert node.inputs[0].binding == workflow.spec.outputs[0].binding
    assert node.inputs[0].binding.WhichOneof("value") in {"scalar", "collection", "map"}


async def test_outputs_that_need_no_nodes_are_given_at_once(rig: Rig) -> None:
    rig.stand_ins.add("t.dyn", lambda **_: DynamicWorkflow().returns(o0=[1, {"k": [2]}]))
    written = await rig.run_made(WORK)
    inner = literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=[integer(2)]))
    entries = literals_pb2.Literal(map=literals_pb2.LiteralMap(literals={"k": inner}))
    assert list(written.outputs.literals["x"].collection.literals) == [integer(1), entries]
    assert not written.nodes["n0"].metadata.is_dynamic


def test_what_a_node_cannot_be_given() -> None:
    with pytest.raises(TypeError, match="cannot be given to a node"):
        DynamicWorkflow().task("t.x", a=object())


def test_a_node_waits_for_what_it_is_given() -> None:
    workflow = DynamicWorkflow()
    first, second = workflow.task("t.x"), workflow.task("t.x")
    workflow.task("t.x", a=[first["o0"], second["o0"]], b={"k": first["o0"]}, c=binding(1))
    assert list(workflow.spec.nodes[2].upstream_node_ids) == [first.node_id, second.node_id]


async def test_the_node_runs_dynamically_meanwhile(rig: Rig) -> None:
    seen: list[NodePhase] = []

    @rig.stand_ins.task("t.add")
    async def add(a: int, b: int) -> int:
        node = await rig.store.get_node(
            identifier_pb2.NodeExecutionIdentifier(node_id="n0", execution_id=WORK.execution.id)
        )
        assert node is not None
        seen.append(NodePhase(node.closure.phase))
        return a + b

    rig.stand_ins.add("t.dyn", sums)
    await rig.run_made(WORK)
    assert seen == [NodePhase.DYNAMIC_RUNNING] * 2
