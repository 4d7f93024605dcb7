"""Failure nodes, timeouts, failures of the platform, interruptible nodes, and what the others of a workflow do."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.core import condition_pb2, types_pb2, workflow_pb2
from flyteidl.event import event_pb2

from flyte_remote_async.devserver.runners.stand_ins import FlyteRecoverableException, Interrupted, current_attempt
from flyte_remote_async.models.phases import NodePhase
from tests.support.engine_rig import attempts, phase
from tests.support.made_workflows import branch, integer, made, sleep, subworkflow, task, task_node

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyte_remote_async.devserver.clock import Clock
    from tests.support.engine_rig import Rig, Written
    from tests.support.made_workflows import Made

pytestmark = pytest.mark.anyio

ADD = task("t.add", ("a", "b"))
BOOM = task("t.boom")
HANG = task("t.hang")
CLEANUP = task("t.cleanup", outputs=())
INTERRUPTIBLE = event_pb2.TaskExecutionMetadata.INTERRUPTIBLE


@pytest.fixture
def rig(rig: Rig) -> Rig:
    rig.stand_ins.add("t.cleanup", lambda a: None)  # noqa: ARG005 - it is called by name
    rig.hangs("t.hang")
    return rig


def timed(node: workflow_pb2.Node, seconds: int, retries: int = 0) -> workflow_pb2.Node:
    node.metadata.timeout.seconds = seconds
    node.metadata.retries.retries = retries
    return node


# --- failure nodes ---


async def test_the_failure_node_runs_while_the_execution_is_failing(rig: Rig) -> None:
    seen: list[Written] = []
    work = made([task_node("n0", BOOM, a=3)], [BOOM, CLEANUP], a=3)
    work.on_failure(task_node("fn0", CLEANUP, a=("start-node", "a")))

    @rig.stand_ins.task("t.cleanup")
    async def cleanup(a: int) -> None:
        seen.append(await rig.read(work.execution))
        assert a == 3

    written = await rig.run_made(work)
    assert phase(seen[0]) == "FAILING"
    assert seen[0].execution.closure.error.message.endswith("ValueError: boom 3")
    assert seen[0].phases() == {"start-node": "SUCCEEDED", "n0": "FAILED", "fn0": "RUNNING"}
    assert phase(written) == "FAILED"
    assert written.phases()["fn0"] == "SUCCEEDED"
    assert written.execution.closure.error == written.nodes["n0"].closure.error


async def test_the_failure_node_is_told_what_went_wrong(rig: Rig) -> None:
    template = task("t.cleanup", ("a",), ())
    none = types_pb2.LiteralType(simple=types_pb2.NONE)
    template.interface.inputs.variables["err"].type.union_type.variants.extend(
        [types_pb2.LiteralType(simple=types_pb2.ERROR), none]
    )
    node = task_node("fn0", template, a=1)
    union = node.inputs.add(var="err").binding.scalar.union
    union.value.scalar.none_type.SetInParent()
    union.type.CopyFrom(none)
    seen: list[Any] = []
    rig.stand_ins.add("t.cleanup", lambda a, err: seen.append(err))  # noqa: ARG005 - it is called by name
    written = await rig.run_made(made([task_node("n0", BOOM, a=3)], [BOOM, template]).on_failure(node))
    assert phase(written) == "FAILED"
    told = (await rig.store.get_node_data(written.nodes["fn0"].id)).inputs.literals["err"].scalar.union
    assert told.value.scalar.error.message == written.execution.closure.error.message
    assert told.value.scalar.error.failed_node_id == "fn0"  # as propeller has it
    assert (told.type.simple, told.type.structure.tag) == (types_pb2.ERROR, "FlyteError")
    assert written.phases()["fn0"] == "SUCCEEDED", written.nodes["fn0"].closure.error.message


async def test_a_failure_node_that_fails_hides_the_first_failure(rig: Rig) -> None:
    rig.stand_ins.add("t.other", lambda a: 1 / a)
    other = task("t.other")
    work = made([task_node("n0", BOOM, a=3)], [BOOM, other]).on_failure(task_node("fn0", other, a=0))
    written = await rig.run_made(work)
    assert written.execution.closure.error.message.endswith("ZeroDivisionError: division by zero")


async def test_a_failure_node_that_takes_too_long(rig: Rig, clock: Clock) -> None:
    handler = timed(task_node("fn0", HANG, a=0), 10, retries=5)
    work = made([task_node("n0", BOOM, a=3)], [BOOM, HANG]).on_failure(handler)
    await rig.start(work)
    await clock.advance(minutes=1)
    written = await rig.end(work)
    error = written.execution.closure.error
    assert (error.code, error.message) == ("TimedOut", "FailureNode Timed-out")
    assert written.phases()["fn0"] == "TIMED_OUT"


async def test_the_failure_node_of_a_subworkflow_runs_inside_of_it(rig: Rig) -> None:
    inside = [task_node("n0", BOOM, a=1), sleep("n1", 9999)]
    work = made([subworkflow("n0", "sub")], [BOOM, CLEANUP], sub_workflows={"sub": (inside, {})})
    work.on_failure(task_node("fn0", CLEANUP, a=5), of="sub")
    written = await rig.run_made(work)
    assert written.phases() == {
        "start-node": "SUCCEEDED",
        "n0": "FAILED",
        "n0-0-start-node": "SUCCEEDED",
        "n0-0-n0": "FAILED",
        "n0-0-n1": "ABORTED",
        "n0-0-fn0": "SUCCEEDED",
    }
    assert written.parents["n0-0-fn0"] == "n0"
    assert written.nodes["n0-0-n1"].closure.error.message == "subworkflow failed"
    assert written.execution.closure.error.message.endswith("ValueError: boom 1")


async def test_a_failure_node_of_a_subworkflow_that_takes_too_long_changes_nothing(rig: Rig, clock: Clock) -> None:
    handler = timed(task_node("fn0", HANG, a=5), 10, retries=5)
    work = made(
        [subworkflow("n0", "sub")], [BOOM, HANG], sub_workflows={"sub": ([task_node("n0", BOOM, a=1)], {})}
    ).on_failure(handler, of="sub")
    await rig.start(work)
    await clock.advance(minutes=1)
    written = await rig.end(work)
    assert written.phases()["n0-0-fn0"] == "TIMED_OUT"
    assert written.execution.closure.error.message.endswith("ValueError: boom 1")


# --- timeouts ---


async def test_an_attempt_that_takes_too_long_is_aborted_and_tried_again(rig: Rig, clock: Clock) -> None:
    work = made([timed(task_node("n0", HANG, a=1), 60, retries=1)], [HANG])

    @rig.stand_ins.task("t.hang")
    async def hang_once(a: int) -> int:
        if current_attempt().number == 0:
            await clock.sleep(1e6)
        return a

    await rig.start(work)
    await clock.advance(seconds=59)
    assert attempts(await rig.read(work.execution)) == {("n0", 0): "RUNNING"}
    await clock.advance(seconds=2)
    written = await rig.end(work)
    assert phase(written) == "SUCCEEDED"
    assert attempts(written) == {("n0", 0): "ABORTED", ("n0", 1): "SUCCEEDED"}
    assert not written.attempts["n0", 0].closure.HasField("error")
    assert written.attempts["n0", 0].closure.duration.ToTimedelta().total_seconds() == pytest.approx(60, abs=1)


async def test_all_tries_together_may_take_twice_the_timeout(rig: Rig, clock: Clock) -> None:
    work = made([timed(task_node("n0", HANG, a=1), 60, retries=5)], [HANG])
    await rig.start(work)
    await clock.advance(minutes=5)
    written = await rig.end(work)
    assert attempts(written) == {("n0", 0): "ABORTED", ("n0", 1): "ABORTED"}
    assert written.phases()["n0"] == "TIMED_OUT"
    assert not written.nodes["n0"].closure.HasField("error")
    error = written.execution.closure.error
    assert (error.code, error.kind, error.message) == ("Timeout", error.USER, "Timeout in node")
    assert phase(written) == "FAILED"


async def test_a_subworkflow_that_takes_too_long_is_tried_again_as_a_whole(rig: Rig, clock: Clock) -> None:
    node = timed(subworkflow("n0", "sub"), 60, retries=1)
    work = made([node], [HANG], sub_workflows={"sub": ([task_node("n0", HANG, a=1)], {})})

    @rig.stand_ins.task("t.hang")
    async def hang_once(a: int) -> int:
        if current_attempt().node_id == "n0-0-n0":
            await clock.sleep(1e6)
        return a

    await rig.start(work)
    await clock.advance(seconds=61)
    written = await rig.end(work)
    assert phase(written) == "SUCCEEDED"
    assert written.phases() == {
        "start-node": "SUCCEEDED",
        "n0": "SUCCEEDED",
        "n0-0-start-node": "SUCCEEDED",
        "n0-0-n0": "ABORTED",
        "n0-1-start-node": "SUCCEEDED",
        "n0-1-n0": "SUCCEEDED",
        "n0-1-end-node": "SUCCEEDED",
        "end-node": "SUCCEEDED",
    }
    assert written.nodes["n0-1-n0"].metadata.retry_group == "1"
    assert written.nodes["n0-0-n0"].closure.error.message == "task execution timeout [1m0s] expired"


async def test_a_subworkflow_that_takes_too_long_fails_with_what_is_inside(rig: Rig, clock: Clock) -> None:
    node = timed(subworkflow("n0", "sub"), 60)
    work = made([node], [HANG], sub_workflows={"sub": ([task_node("n0", HANG, a=1)], {})})
    await rig.start(work)
    await clock.advance(seconds=61)
    written = await rig.end(work)
    assert written.phases()["n0"] == "FAILED"
    assert written.nodes["n0-0-n0"].closure.error.message == "node failing"
    assert attempts(written) == {("n0-0-n0", 0): "ABORTED"}


async def test_a_subworkflow_that_takes_too_long_for_all_its_tries_times_out(rig: Rig, clock: Clock) -> None:
    node = timed(subworkflow("n0", "sub"), 60, retries=5)
    work = made([node], [HANG], sub_workflows={"sub": ([task_node("n0", HANG, a=1)], {})})
    await rig.start(work)
    await clock.advance(minutes=5)
    written = await rig.end(work)
    assert written.phases()["n0"] == "TIMED_OUT"
    assert attempts(written) == {("n0-0-n0", 0): "ABORTED", ("n0-1-n0", 0): "ABORTED"}
    assert written.nodes["n0-0-n0"].closure.error.message == "task execution timeout [1m0s] expired"
    assert written.nodes["n0-1-n0"].closure.error.message == "node timed out"


async def test_a_branch_whose_body_timed_out(rig: Rig, clock: Clock) -> None:
    true = condition_pb2.ComparisonExpression(
        operator=condition_pb2.ComparisonExpression.EQ,
        left_value=condition_pb2.Operand(primitive=integer(1).scalar.primitive),
        right_value=condition_pb2.Operand(primitive=integer(1).scalar.primitive),
    )
    body = timed(task_node("n0-n0", HANG, a=1), 10, retries=5)
    if_else = workflow_pb2.IfElseBlock(
        case=workflow_pb2.IfBlock(condition=condition_pb2.BooleanExpression(comparison=true), then_node=body)
    )
    work = made([branch("n0", if_else)], [HANG])
    await rig.start(work)
    await clock.advance(minutes=1)
    written = await rig.end(work)
    assert written.phases() == {"start-node": "SUCCEEDED", "n0": "FAILED", "n0-0-n0-n0": "TIMED_OUT"}
    assert written.execution.closure.error.code == "Unknown"


async def test_a_function_in_a_thread_that_hangs_is_left_behind(rig: Rig, clock: Clock) -> None:
    let_go = threading.Event()
    rig.stand_ins.add("t.hang", lambda a: let_go.wait() and a)
    work = made([timed(task_node("n0", HANG, a=1), 60)], [HANG])
    try:
        await rig.start(work)
        await clock.advance(minutes=2)
        written = await rig.end(work)
    finally:
        let_go.set()
    assert attempts(written) == {("n0", 0): "ABORTED"}
    assert not written.nodes["n0"].closure.HasField("task_node_metadata")
    assert phase(await rig.run_made(made([task_node("n0", ADD, a=1, b=2)], [ADD], name="other"))) == "SUCCEEDED"


# --- failures of the platform ---


async def test_failures_of_the_platform_are_tried_again_three_times(rig: Rig) -> None:
    node = task_node("n0", ADD, a=1, b=1)
    node.metadata.interruptible = True

    @rig.stand_ins.task("t.add")
    def gone(a: int, b: int) -> int:
        raise Interrupted("the machine is gone")

    written = await rig.run_made(made([node], [ADD]))
    assert attempts(written) == dict.fromkeys([("n0", number) for number in range(4)], "FAILED")
    error = written.execution.closure.error
    assert (error.code, error.kind) == ("RetriesExhausted|Interrupted", error.USER)
    assert error.message == "[3/3] currentAttempt done. Last Error: SYSTEM::the machine is gone"
    classes = [written.attempts["n0", number].closure.metadata.instance_class for number in range(4)]
    assert classes == [INTERRUPTIBLE, INTERRUPTIBLE, INTERRUPTIBLE, event_pb2.TaskExecutionMetadata.DEFAULT]
    first = written.attempts["n0", 0].closure.error
    assert (first.code, first.kind) == ("Interrupted", first.SYSTEM)


async def test_both_kinds_of_retries_are_counted_apart(rig: Rig) -> None:
    template = task("t.flaky", retries=1)

    @rig.stand_ins.task("t.flaky")
    def flaky(a: int) -> int:
        match current_attempt().number:
            case 0 | 2:
                raise Interrupted("gone")
            case 1:
                raise FlyteRecoverableException("again")
        return a

    written = await rig.run_made(made([task_node("n0", template, a=1)], [template]))
    assert list(attempts(written).values()) == ["FAILED", "FAILED", "FAILED", "SUCCEEDED"]
    assert phase(written) == "SUCCEEDED"


def by_node(work: Made) -> None:
    template = work.workflow.closure.compiled_workflow.primary.template
    template.nodes[-1].metadata.interruptible = True
    work.execution.spec.interruptible.value = False


def by_execution(work: Made) -> None:
    work.execution.spec.interruptible.value = True
    work.launch_plan.spec.interruptible.value = False


def by_launch_plan(work: Made) -> None:
    work.launch_plan.spec.interruptible.value = True


def by_workflow(work: Made) -> None:
    work.workflow.closure.compiled_workflow.primary.template.metadata_defaults.interruptible = True


@pytest.mark.parametrize("say", [by_node, by_execution, by_launch_plan, by_workflow])
async def test_who_may_say_that_a_node_is_interruptible(rig: Rig, say: Callable[[Made], None]) -> None:
    work = made([task_node("n0", ADD, a=1, b=1)], [ADD])
    say(work)
    written = await rig.run_made(work)
    assert written.attempts["n0", 0].closure.metadata.instance_class == INTERRUPTIBLE


async def test_a_node_may_say_that_it_is_not_interruptible(rig: Rig) -> None:
    node = task_node("n0", ADD, a=1, b=1)
    node.metadata.interruptible = False
    work = made([node], [ADD])
    work.execution.spec.interruptible.value = True
    written = await rig.run_made(work)
    assert written.attempts["n0", 0].closure.metadata.instance_class == event_pb2.TaskExecutionMetadata.DEFAULT


async def test_each_attempt_gets_the_checkpoints_of_the_one_before(rig: Rig) -> None:
    template = task("t.boom", retries=1)

    @rig.stand_ins.task("t.boom")
    def again(a: int) -> int:
        raise FlyteRecoverableException("again")

    work = made([task_node("n0", template, a=1)], [template])
    work.execution.spec.raw_output_data_config.output_location_prefix = "s3://elsewhere/raw/"
    work.execution.spec.envs.values.add(key="COLOUR", value="blue")
    await rig.put(work)
    first, second = await rig.calls_of(work.execution, work.inputs)
    written = await rig.read(work.execution)
    assert first.previous_checkpoint_uri == ""
    assert second.previous_checkpoint_uri == first.checkpoint_uri
    assert first.checkpoint_uri.startswith("s3://elsewhere/raw/")
    assert first.raw_output_prefix.startswith("s3://elsewhere/raw/")
    assert first.environment == {"COLOUR": "blue"}
    assert written.nodes["n0"].closure.task_node_metadata.checkpoint_uri == second.checkpoint_uri


# --- the others ---


async def test_max_parallelism_keeps_nodes_from_being_queued(rig: Rig, clock: Clock) -> None:
    nodes = [task_node("n0", HANG, a=1), task_node("n1", HANG, a=1), sleep("n2", 9999), subworkflow("n3", "sub")]
    work = made(nodes, [HANG], sub_workflows={"sub": ([task_node("n0", HANG, a=1)], {})}, max_parallelism=1)
    await rig.start(work)
    await clock.at_rest()
    written = await rig.read(work.execution)
    assert written.phases() == {
        "start-node": "SUCCEEDED",
        "n0": "RUNNING",
        "n2": "RUNNING",
        "n3": "RUNNING",
        "n3-0-start-node": "SUCCEEDED",
    }
    await rig.engine.abort(work.execution.id, "enough")
    written = await rig.end(work)
    assert set(written.phases()) == {"start-node", "n0", "n2", "n3", "n3-0-start-node"}


async def test_the_policy_of_the_execution_counts_in_its_subworkflows(rig: Rig, clock: Clock) -> None:
    inside = [task_node("n0", BOOM, a=1), sleep("n1", 60), task_node("n2", ADD, a=("n0", "o0"), b=1)]
    work = made(
        [subworkflow("n0", "sub"), subworkflow("n1", "sub")],
        [BOOM, ADD],
        sub_workflows={"sub": (inside, {})},
        fails_late=True,
    )
    await rig.start(work)
    await clock.at_rest()
    assert NodePhase((await rig.read(work.execution)).nodes["n0"].closure.phase) is NodePhase.RUNNING
    await clock.advance(minutes=1)
    written = await rig.end(work)
    assert phase(written) == "FAILED"
    for parent in ("n0", "n1"):
        assert written.phases()[f"{parent}-0-n1"] == "SUCCEEDED"
        assert written.phases()[f"{parent}-0-n2"] == "SKIPPED"
        assert written.phases()[f"{parent}-0-end-node"] == "SKIPPED"
    skipped = written.nodes["n0-0-n2"]
    assert skipped.input_uri
    assert skipped.metadata.spec_node_id == "n2"
    assert not skipped.closure.HasField("started_at")


async def test_many_functions_can_wait_for_one_another(rig: Rig) -> None:
    together = threading.Barrier(60)
    rig.stand_ins.add("t.hang", lambda a: together.wait(10) + a)
    nodes = [task_node(f"n{index}", HANG, a=1) for index in range(60)]
    assert phase(await rig.run_made(made(nodes, [HANG]))) == "SUCCEEDED"
