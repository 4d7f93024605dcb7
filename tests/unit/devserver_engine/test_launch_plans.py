"""Launch-plan nodes: what no recording shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from flyteidl.admin import execution_pb2, launch_plan_pb2
from google.protobuf import wrappers_pb2

from flyte_remote_async.devserver.engine import Engine
from flyte_remote_async.devserver.engine.launching import child_request
from flyte_remote_async.devserver.naming import child_execution_name, label_value
from flyte_remote_async.errors import InternalError, UnavailableError
from flyte_remote_async.models.phases import NodePhase
from tests.support.engine_rig import phase
from tests.support.made_workflows import launch_plan, made, subworkflow, task, task_node

if TYPE_CHECKING:
    from flyte_remote_async.devserver.clock import Clock
    from tests.support.engine_rig import Rig, Written
    from tests.support.made_workflows import Made

pytestmark = pytest.mark.anyio

ADD = task("t.add", ("a", "b"))
BOOM = task("t.boom")
WAIT = task("t.wait")
CHILD = made([task_node("n0", ADD, a=("start-node", "a"), b=1)], [ADD], {"x": ("n0", "o0")}, name="child", a=0)
ENDLESS = made([task_node("n0", WAIT, a=1)], [WAIT], name="child")
PARENT = made([launch_plan("n0", "child", a=4)], outputs={"x": ("n0", "x")}, name="parent")


async def start_waiting(rig: Rig) -> Made:
    """Start an execution whose child never ends by itself, and return when the child waits."""
    started = rig.waits("t.wait")
    parent = made([launch_plan("n0", "child")], name="parent")
    await rig.put(ENDLESS)
    await rig.start(parent)
    await started.wait()
    return parent


async def child_of(rig: Rig, written: Written, node: str = "n0") -> Written:
    execution = execution_pb2.Execution(id=written.nodes[node].closure.workflow_node_metadata.executionId)
    return await rig.read(execution)


async def ended_child_of(rig: Rig, written: Written, node: str = "n0") -> Written:
    await rig.engine.join(written.nodes[node].closure.workflow_node_metadata.executionId)
    return await child_of(rig, written, node)


async def test_the_child_is_like_its_parent(rig: Rig) -> None:
    await rig.put(CHILD)
    await rig.put(PARENT)
    execution = execution_pb2.Execution()
    execution.CopyFrom(PARENT.execution)
    execution.closure.workflow_id.CopyFrom(PARENT.workflow.id)
    spec = execution.spec
    spec.labels.values["team"] = "blue"
    spec.annotations.values["note"] = "x"
    spec.interruptible.CopyFrom(wrappers_pb2.BoolValue(value=False))
    spec.overwrite_cache = True
    spec.max_parallelism = 7
    spec.metadata.nesting = 2
    spec.security_context.run_as.k8s_service_account = "robot"
    spec.raw_output_data_config.output_location_prefix = "s3://other/raw"
    spec.envs.values.add(key="A", value="1")

    child = await child_of(rig, await rig.run(execution, PARENT.inputs))

    given = child.execution.spec
    assert phase(child) == "SUCCEEDED"
    assert child.execution.id.name == child_execution_name("parent", "n0", 0)
    assert given.metadata.mode == execution_pb2.ExecutionMetadata.CHILD_WORKFLOW
    assert given.metadata.nesting == 3
    assert given.metadata.parent_node_execution.execution_id.name == "parent"
    assert dict(given.labels.values) == {
        "team": "blue",
        "execution-id": "parent",
        "project": "p",
        "domain": "development",
        "workflow-name": "parent",
    }
    assert dict(given.annotations.values) == {"note": "x"}
    assert given.HasField("interruptible")
    assert not given.interruptible.value
    assert given.overwrite_cache
    assert given.max_parallelism == 7
    assert given.security_context == spec.security_context
    assert given.raw_output_data_config == spec.raw_output_data_config
    assert given.envs == spec.envs


def test_what_the_launch_plan_of_the_parent_says_goes_on_too() -> None:
    plan = launch_plan_pb2.LaunchPlan()
    plan.CopyFrom(CHILD.launch_plan)
    plan.spec.labels.values["team"] = "red"
    plan.spec.annotations.values["note"] = "y"
    plan.spec.envs.values.add(key="B", value="2")
    plan.spec.interruptible.value = True
    plan.spec.overwrite_cache = True
    plan.spec.raw_output_data_config.output_location_prefix = "s3://plan"
    node_id = PARENT.execution.spec.metadata.parent_node_execution
    reference = PARENT.workflow.closure.compiled_workflow.primary.template.nodes[2].workflow_node.launchplan_ref

    request = child_request(PARENT.execution, plan, node_id, reference, CHILD.inputs)

    assert request.spec.labels.values["team"] == "red"
    assert request.spec.annotations.values["note"] == "y"
    assert request.spec.envs == plan.spec.envs
    assert request.spec.interruptible.value
    assert request.spec.overwrite_cache
    assert request.spec.raw_output_data_config.output_location_prefix == "s3://plan"


@pytest.mark.parametrize(
    ("name", "label"),
    [("samples.nested_lp", "samples-nested-lp"), ("A..b", "a-b"), (".flytegen.x", "flytegen-x"), ("a" * 70, "a" * 63)],
)
def test_a_name_as_a_label(name: str, label: str) -> None:
    assert label_value(name) == label


async def test_outputs_come_from_the_child(rig: Rig) -> None:
    await rig.put(CHILD)
    written = await rig.run_made(PARENT)
    assert written.outputs.literals["x"].scalar.primitive.integer == 5


async def test_a_launch_plan_that_is_not_there(rig: Rig) -> None:
    written = await rig.run_made(made([launch_plan("n0", "gone", a=1)]))
    error = written.nodes["n0"].closure.error
    assert (error.code, error.kind) == ("RuntimeExecutionError", error.USER)
    assert error.message.startswith(
        "[UserError] failed to launch workflow, caused by: rpc error: code = NotFound desc = missing entity of type "
        'LAUNCH_PLAN with identifier project:"p" domain:"development" name:"gone" version:"v1"'
    )
    assert not written.nodes["n0"].closure.HasField("workflow_node_metadata")


async def test_inputs_that_the_launch_plan_does_not_take(rig: Rig) -> None:
    await rig.put(CHILD)
    written = await rig.run_made(made([launch_plan("n0", "child", b=1)]))
    message = written.execution.closure.error.message
    assert "code = InvalidArgument" in message


@pytest.mark.parametrize(
    ("error", "code"),
    [(InternalError("lost"), "[SystemError]"), (UnavailableError("down"), "[UserError]")],
)
async def test_an_admin_that_fails(rig: Rig, error: Exception, code: str) -> None:
    class Failing:
        async def create(self, request: execution_pb2.ExecutionCreateRequest) -> execution_pb2.ExecutionCreateResponse:
            assert request.name == child_execution_name("parent", "n0", 0)
            raise error

    rig.engine.ask(Failing())
    written = await rig.run_made(PARENT)
    assert phase(written) == "FAILED"
    assert written.execution.closure.error.message.startswith(code)


async def test_a_child_that_is_there_already_is_the_nodes_own(rig: Rig) -> None:
    await rig.put(CHILD)
    earlier = execution_pb2.Execution()
    earlier.CopyFrom(CHILD.execution)
    earlier.id.name = child_execution_name("parent", "n0", 0)
    await rig.run(earlier, CHILD.inputs)

    written = await rig.run_made(PARENT)

    assert written.outputs.literals["x"].scalar.primitive.integer == 1


async def test_an_abort_reaches_the_child(rig: Rig) -> None:
    parent = await start_waiting(rig)

    await rig.engine.abort(parent.execution.id, "enough")
    await rig.engine.join(parent.execution.id)

    written = await rig.read(parent.execution)
    assert (phase(written), written.phases()["n0"]) == ("ABORTED", "ABORTED")
    below = await ended_child_of(rig, written)
    assert phase(below) == "ABORTED"
    assert below.execution.closure.abort_metadata.cause == (
        "cascading abort as parent execution id [parent] aborted, reason [Workflow aborted.]"
    )
    assert below.phases()["n0"] == "ABORTED"


@pytest.mark.parametrize(
    ("inside", "reason"), [(False, "Some node execution failed, auto-abort."), (True, "subworkflow failed")]
)
async def test_a_failure_beside_it_reaches_the_child(rig: Rig, *, inside: bool, reason: str) -> None:
    started = rig.waits("t.wait")

    @rig.stand_ins.task("t.boom")
    async def boom(a: int) -> int:
        await started.wait()
        raise ValueError("boom")

    nodes = [launch_plan("n0", "child"), task_node("n1", BOOM, a=1)]
    outer = [subworkflow("n0", "sub")] if inside else nodes
    await rig.put(ENDLESS)

    written = await rig.run_made(made(outer, [BOOM], sub_workflows={"sub": (nodes, {})}, name="parent"))

    below = await ended_child_of(rig, written, "n0-0-n0" if inside else "n0")
    assert below.execution.closure.abort_metadata.cause.endswith(f"reason [{reason}]")


async def test_a_launch_plan_counts_as_one_that_runs(rig: Rig, clock: Clock) -> None:
    rig.waits("t.wait")
    await rig.put(ENDLESS)
    nodes = [launch_plan("n0", "child"), task_node("n1", ADD, a=1, b=1)]
    parent = made(nodes, [ADD], name="parent", max_parallelism=1)
    await rig.start(parent)
    await clock.at_rest()
    assert (await rig.read(parent.execution)).phases() == {"start-node": "SUCCEEDED", "n0": "RUNNING"}


async def test_each_try_has_a_child_of_its_own(rig: Rig, clock: Clock) -> None:
    rig.waits("t.wait")
    await rig.put(ENDLESS)
    node = launch_plan("n0", "child")
    node.metadata.timeout.seconds, node.metadata.retries.retries = 60, 1
    parent = made([node], name="parent")
    await rig.start(parent)
    await clock.at_rest()
    first = await child_of(rig, await rig.read(parent.execution))
    await clock.advance(seconds=61)
    second = await child_of(rig, await rig.read(parent.execution))
    names = [each.execution.id.name for each in (first, second)]
    assert names == [child_execution_name("parent", "n0", attempt) for attempt in (0, 1)]
    await rig.engine.join(first.execution.id)
    assert [phase(await rig.read(each.execution)) for each in (first, second)] == ["ABORTED", "RUNNING"]


async def test_a_child_that_was_aborted_fails_its_node(rig: Rig) -> None:
    parent = await start_waiting(rig)
    running = await child_of(rig, await rig.read(parent.execution))

    await rig.engine.abort(running.execution.id, "not that one")
    await rig.engine.join(parent.execution.id)

    error = (await rig.read(parent.execution)).nodes["n0"].closure.error
    assert (error.code, error.kind) == ("RemoteChildWorkflowExecutionFailed", error.USER)
    assert error.message == (
        f"failed at Node[n0]. RemoteChildWorkflowExecutionFailed: launchplan [{running.execution.id.name}] aborted, "
        "caused by: launchplan execution aborted"
    )


async def test_a_closed_engine_leaves_the_child_as_it_is(rig: Rig) -> None:
    parent = await start_waiting(rig)

    await rig.engine.aclose()

    below = await child_of(rig, await rig.read(parent.execution))
    assert phase(below) == "RUNNING"
    assert NodePhase(below.nodes["n0"].closure.phase) is NodePhase.RUNNING


async def test_an_engine_without_a_service_says_so(rig: Rig) -> None:
    engine = Engine(rig.store, ())
    await rig.put(PARENT)
    await rig.store.put_execution(PARENT.execution)
    await engine.launch(PARENT.execution, PARENT.inputs)
    await engine.join(PARENT.execution.id)
    error = (await rig.read(PARENT.execution)).nodes["n0"].closure.error
    assert "has no service to launch executions with" in error.message


async def test_a_child_that_is_not_there_any_more(rig: Rig) -> None:
    class Forgetting:
        async def create(self, request: execution_pb2.ExecutionCreateRequest) -> execution_pb2.ExecutionCreateResponse:
            assert request.inputs.literals
            return execution_pb2.ExecutionCreateResponse()

    rig.engine.ask(Forgetting())
    error = (await rig.run_made(PARENT)).nodes["n0"].closure.error
    assert (error.code, error.kind) == ("NotFound", error.SYSTEM)
