"""What no recording shows: failures beside running nodes, aborts, limits, and faults of the engine itself."""

from __future__ import annotations

import datetime as dt
import threading
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from flyteidl.core import condition_pb2, identifier_pb2, literals_pb2, types_pb2, workflow_pb2
from flyteidl.core import execution_pb2 as core_execution_pb2

from flyte_remote_async.devserver.clock import Clock
from flyte_remote_async.devserver.engine import Engine
from flyte_remote_async.devserver.runners.functions import FunctionRunner
from flyte_remote_async.devserver.runners.stand_ins import FlyteRecoverableException, current_attempt
from flyte_remote_async.errors import ClosedError
from flyte_remote_async.models.phases import NodePhase, WorkflowPhase
from tests.support.engine_rig import attempts, phase
from tests.support.made_workflows import binding, branch, integer, made, subworkflow, task, task_node

if TYPE_CHECKING:
    from tests.support.engine_rig import Rig, Written

pytestmark = pytest.mark.anyio

ADD = task("t.add", ("a", "b"))
BOOM = task("t.boom")
WAIT = task("t.wait")
ECHO = task("t.echo", kind="echo")


@pytest.fixture
def waiting(rig: Rig) -> anyio.Event:
    """An event that is set when a task runs that never ends by itself."""
    return rig.waits("t.wait")


def output(written: Written) -> int:
    assert phase(written) == "SUCCEEDED", written.execution.closure.error.message
    return written.outputs.literals["x"].scalar.primitive.integer


# --- while it runs ---


async def test_rows_are_running_while_they_run(rig: Rig) -> None:
    seen: list[Written] = []
    work = made([subworkflow("n0", "sub")], [WAIT], sub_workflows={"sub": ([task_node("n0", WAIT, a=1)], {})})

    @rig.stand_ins.task("t.wait")
    async def look(a: int) -> int:
        seen.append(await rig.read(work.execution))
        return a

    ended = await rig.run_made(work)

    assert phase(seen[0]) == "RUNNING"
    assert seen[0].phases() == {
        "start-node": "SUCCEEDED",
        "n0": "RUNNING",
        "n0-0-start-node": "SUCCEEDED",
        "n0-0-n0": "RUNNING",
    }
    assert seen[0].nodes["n0"].metadata.is_parent_node
    assert attempts(seen[0]) == {("n0-0-n0", 0): "RUNNING"}
    assert phase(ended) == "SUCCEEDED"
    assert list(ended.nodes) == ["start-node", "n0", "n0-0-start-node", "n0-0-n0", "n0-0-end-node", "end-node"]


async def test_an_execution_ends_by_way_of_a_phase_of_its_own(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[str] = []
    update = rig.store.update_execution

    async def noting(execution_id: Any, change: Any) -> Any:
        found = await update(execution_id, change)
        kept.append(WorkflowPhase(found.closure.phase).name if found else "")
        return found

    monkeypatch.setattr(rig.store, "update_execution", noting)
    await rig.run_made(made([task_node("n0", ADD, a=1, b=2)], [ADD]))
    assert kept == ["RUNNING", "SUCCEEDING", "SUCCEEDED"]
    kept.clear()
    await rig.run_made(made([task_node("n0", BOOM, a=1)], [BOOM], name="other"))
    assert list(dict.fromkeys(kept)) == ["RUNNING", "FAILING", "FAILED"]


async def test_a_node_does_not_move_while_its_attempts_fail(rig: Rig) -> None:
    seen: list[Written] = []
    flaky = task("t.flaky", retries=2)
    work = made([task_node("n0", flaky, a=1)], [flaky], {"x": ("n0", "o0")})

    @rig.stand_ins.task("t.flaky")
    async def again(a: int) -> int:
        seen.append(await rig.read(work.execution))
        if current_attempt().number < 2:
            raise FlyteRecoverableException("again")
        return a

    assert output(await rig.run_made(work)) == 1
    assert attempts(seen[2]) == {("n0", 0): "FAILED", ("n0", 1): "FAILED", ("n0", 2): "RUNNING"}
    assert len({each.nodes["n0"].SerializeToString() for each in seen}) == 1


async def test_a_nodes_own_retries_come_before_the_tasks(rig: Rig) -> None:
    template = task("t.boom", retries=5)
    node = task_node("n0", template, a=1)
    node.metadata.retries.retries = 1

    @rig.stand_ins.task("t.boom")
    def recoverable(a: int) -> int:
        raise FlyteRecoverableException("again")

    written = await rig.run_made(made([node], [template]))
    assert attempts(written) == {("n0", 0): "FAILED", ("n0", 1): "FAILED"}
    error = written.execution.closure.error
    assert error.code == "RetriesExhausted|USER:Recoverable"
    assert error.message.startswith("[2/2] currentAttempt done. Last Error: USER::Trace:")


class Broken(Exception):  # noqa: N818 - as users call them
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError("no file \udcff"), r"FileNotFoundError: no file \udcff"),
        (Broken(), "<exception str() failed>"),
    ],
)
async def test_an_exception_that_cannot_be_written_fails_its_node_alone(rig: Rig, error: Exception, said: str) -> None:
    @rig.stand_ins.task("t.boom")
    def raise_it(a: int) -> int:
        raise error

    work = made([task_node("n0", BOOM, a=1), task_node("n1", ADD, a=1, b=2)], [BOOM, ADD])
    work.workflow.closure.compiled_workflow.primary.template.metadata.on_failure = (
        workflow_pb2.WorkflowMetadata.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE
    )
    written = await rig.run_made(work)
    assert attempts(written) == {("n0", 0): "FAILED", ("n1", 0): "SUCCEEDED"}
    failed = written.nodes["n0"].closure.error
    assert (failed.code, failed.message.endswith(said)) == ("USER:RuntimeError", True)


async def test_independent_nodes_run_at_the_same_time(rig: Rig) -> None:
    together, together_now = 0, anyio.Event()

    @rig.stand_ins.task("t.wait")
    async def wait_for_the_others(a: int) -> int:
        nonlocal together
        together += 1
        if together == 4:
            together_now.set()
        await together_now.wait()
        return a

    written = await rig.run_made(made([task_node(f"n{index}", WAIT, a=1) for index in range(4)], [WAIT]))
    assert phase(written) == "SUCCEEDED"


async def test_max_parallelism_bounds_how_many_tasks_run(rig: Rig) -> None:
    running, most = 0, 0
    two_run = anyio.Event()

    @rig.stand_ins.task("t.wait")
    async def count(a: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 2:
            two_run.set()
        await two_run.wait()
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        running -= 1
        return a

    nodes = [task_node(f"n{index}", WAIT, a=1) for index in range(7)]
    written = await rig.run_made(made(nodes, [WAIT], max_parallelism=2))
    assert phase(written) == "SUCCEEDED"
    assert most == 2


# --- failures ---


async def test_a_failure_aborts_what_runs_beside_it(rig: Rig, waiting: anyio.Event) -> None:
    @rig.stand_ins.task("t.boom")
    async def boom_later(a: int) -> int:
        await waiting.wait()
        raise ValueError(f"boom {a}")

    work = made(
        [subworkflow("n0", "sub"), task_node("n1", BOOM, a=1), task_node("n2", ADD, a=("n1", "o0"))],
        [WAIT, BOOM, ADD],
        sub_workflows={"sub": ([task_node("n0", WAIT, a=1)], {})},
    )
    written = await rig.run_made(work)

    assert phase(written) == "FAILED"
    assert written.execution.closure.error == written.nodes["n1"].closure.error
    assert written.execution.closure.error.message.endswith("ValueError: boom 1")
    assert written.phases() == {
        "start-node": "SUCCEEDED",
        "n0": "ABORTED",
        "n0-0-start-node": "SUCCEEDED",
        "n0-0-n0": "ABORTED",
        "n1": "FAILED",
    }
    assert attempts(written) == {("n0-0-n0", 0): "ABORTED", ("n1", 0): "FAILED"}
    assert written.nodes["n0"].closure.error.code == "NodeAborted"
    assert written.nodes["n0-0-n0"].closure.error.message == "Some node execution failed, auto-abort."
    assert not written.attempts["n0-0-n0", 0].closure.HasField("error")


async def test_a_failure_in_a_subworkflow_aborts_what_is_inside_of_it_first(rig: Rig) -> None:
    inside = [task_node("n0", BOOM, a=1), subworkflow("n1", "deeper")]
    work = made(
        [subworkflow("n0", "sub")],
        [BOOM, WAIT],
        sub_workflows={"sub": (inside, {}), "deeper": ([task_node("n0", WAIT, a=1)], {})},
    )
    release = anyio.Event()

    @rig.stand_ins.task("t.boom")
    async def boom_later(a: int) -> int:
        await release.wait()
        raise ValueError("boom")

    @rig.stand_ins.task("t.wait")
    async def wait(a: int) -> int:
        release.set()
        await anyio.sleep_forever()
        return a

    written = await rig.run_made(work)
    assert phase(written) == "FAILED"
    assert written.phases() == {
        "start-node": "SUCCEEDED",
        "n0": "FAILED",
        "n0-0-start-node": "SUCCEEDED",
        "n0-0-n0": "FAILED",
        "n0-0-n1": "ABORTED",
        "n0-0-n1-0-start-node": "SUCCEEDED",
        "n0-0-n1-0-n0": "ABORTED",
    }
    for node_id in ("n0-0-n1", "n0-0-n1-0-n0"):
        assert written.nodes[node_id].closure.error.code == "NodeAborted"
        assert written.nodes[node_id].closure.error.message == "subworkflow failed"


async def test_failing_late_runs_all_that_can_run(rig: Rig) -> None:
    nodes = [
        task_node("n0", BOOM, a=1),
        task_node("n1", ADD, a=1, b=2),
        task_node("n2", ADD, a=("n1", "o0"), b=1),
        task_node("n3", ADD, a=("n0", "o0"), b=1),
    ]
    written = await rig.run_made(made(nodes, [BOOM, ADD], fails_late=True))
    assert phase(written) == "FAILED"
    assert written.phases() == {
        "start-node": "SUCCEEDED",
        "n0": "FAILED",
        "n1": "SUCCEEDED",
        "n2": "SUCCEEDED",
        "n3": "SKIPPED",
        "end-node": "SKIPPED",
    }


@pytest.mark.parametrize(
    ("image", "why"),
    [("image", "the devserver runs no containers"), ("", "tasks of type 'python-task' have no container")],
)
async def test_a_task_without_stand_in_says_how_to_register_one(rig: Rig, image: str, why: str) -> None:
    template = task("t.unknown")
    if image:
        template.container.image = image
    written = await rig.run_made(made([task_node("n0", template, a=1)], [template]))
    error = written.execution.closure.error
    assert (error.code, error.kind) == ("StandInMissing", error.SYSTEM)
    assert why in error.message
    assert '@dev.task("t.unknown")' in error.message
    assert attempts(written) == {("n0", 0): "FAILED"}


async def test_a_stand_in_goes_before_echo(rig: Rig) -> None:
    rig.stand_ins.add("t.echo", lambda a: a * 10)
    work = made([task_node("n0", ECHO, a=4)], [ECHO], {"x": ("n0", "o0")})
    assert output(await rig.run_made(work)) == 40


async def test_outputs_and_inputs_that_cannot_be_resolved(rig: Rig) -> None:
    written = await rig.run_made(made([task_node("n0", ADD, a=("start-node", "no"), b=1)], [ADD]))
    error = written.execution.closure.error
    assert error.code == "BindingResolutionFailure"
    assert error.message.startswith(
        "failed at Node[n0]. BindingResolutionError: Error binding Var [wf].[a], caused by: "
    )
    assert "node start-node has no output 'no'" in error.message
    assert written.phases()["n0"] == "FAILED"

    written = await rig.run_made(made([], [], {"x": ("n7", "o0")}))
    assert "failed at Node[end-node]" in written.execution.closure.error.message
    assert "node n7 has no outputs yet" in written.execution.closure.error.message
    assert written.phases()["end-node"] == "FAILED"


async def test_a_cycle_is_a_failure_that_names_its_nodes(rig: Rig) -> None:
    nodes = [task_node("n0", ADD, a=("n1", "o0"), b=1), task_node("n1", ADD, a=("n0", "o0"), b=1)]
    written = await rig.run_made(made(nodes, [ADD]))
    assert written.execution.closure.error.message == "nodes n0, n1 can never become ready"


async def test_a_branch_that_fails_by_the_users_word(rig: Rig) -> None:
    operand = condition_pb2.Operand(var=".a")
    comparison = condition_pb2.ComparisonExpression(
        operator=condition_pb2.ComparisonExpression.GT,
        left_value=operand,
        right_value=condition_pb2.Operand(primitive=integer(5).scalar.primitive),
    )
    if_else = workflow_pb2.IfElseBlock(
        case=workflow_pb2.IfBlock(
            condition=condition_pb2.BooleanExpression(comparison=comparison),
            then_node=task_node("n0-n0", ADD, a=("start-node", "a"), b=1),
        ),
        error=types_pb2.Error(failed_node_id="n0", message="a must be large"),
    )
    work = made([branch("n0", if_else, a=("start-node", "a"))], [ADD], a=3)
    written = await rig.run_made(work)
    error = written.execution.closure.error
    assert (error.code, error.message) == ("UserProvidedError", "[UserProvidedError] a must be large")
    assert written.phases() == {"start-node": "SUCCEEDED", "n0": "FAILED"}


async def test_a_kind_of_node_that_the_engine_does_not_run(rig: Rig) -> None:
    written = await rig.run_made(made([workflow_pb2.Node(id="n0")]))
    assert written.execution.closure.error.code == "UnsupportedNode"
    assert written.execution.closure.error.message.endswith("does not run a node without target")


@pytest.mark.parametrize(
    ("missing", "message"), [("workflow", "workflow p/development/made:v1"), ("plan", "launch plan p/development/made")]
)
async def test_an_execution_of_what_is_not_there(rig: Rig, missing: str, message: str) -> None:
    work = made([])
    if missing == "workflow":
        await rig.store.put_launch_plan(work.launch_plan)
    written = await rig.run(work.execution, work.inputs)
    assert phase(written) == "FAILED"
    assert message in written.execution.closure.error.message


async def test_an_execution_of_a_task_that_is_not_there(rig: Rig) -> None:
    work = made([])
    work.execution.spec.launch_plan.resource_type = identifier_pb2.TASK
    written = await rig.run(work.execution, work.inputs)
    assert "task p/development/made:v1 is not in" in written.execution.closure.error.message


async def test_a_fault_of_the_engine_fails_the_execution_and_nothing_else(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    written = await rig.run_made(made([task_node("n0", task("t.gone"), a=1)]))
    error = written.execution.closure.error
    assert phase(written) == "FAILED"
    assert (error.code, error.kind) == ("EngineError", error.SYSTEM)
    assert "LookupError: t.gone:v1 is not part of the compiled workflow" in error.message
    assert "n0" not in written.nodes
    assert "the engine failed in execution made" in caplog.text
    assert phase(await rig.run_made(made([task_node("n0", ADD, a=1, b=1)], [ADD]))) == "SUCCEEDED"


async def test_a_store_that_is_closed_under_it_is_reported(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    work = made([task_node("n0", WAIT, a=1)], [WAIT])

    @rig.stand_ins.task("t.wait")
    async def close(a: int) -> int:
        await rig.store.aclose()
        return a

    await rig.start(work)
    await rig.engine.join(work.execution.id)
    assert "execution made cannot be written as failed" in caplog.text


# --- inputs ---


async def test_defaults_and_fixed_inputs_of_the_launch_plan(rig: Rig) -> None:
    work = made([task_node("n0", ADD, a=("start-node", "a"), b=("start-node", "b"))], [ADD], {"x": ("n0", "o0")}, b=1)
    parameters = work.launch_plan.spec.default_inputs.parameters
    parameters["a"].default.CopyFrom(integer(5))
    parameters["b"].default.CopyFrom(integer(100))
    parameters["c"].required = True
    assert output(await rig.run_made(work)) == 6
    work.launch_plan.spec.fixed_inputs.literals["a"].CopyFrom(integer(9))
    work.inputs.literals["a"].CopyFrom(integer(0))
    assert output(await rig.run_made(work)) == 10
    kept = await rig.store.get_execution_data(work.execution.id)
    assert kept.inputs == literals_pb2.LiteralMap(literals={"a": integer(9), "b": integer(1)})


async def test_collections_are_bound(rig: Rig) -> None:
    many = task("t.sum", ())
    many.interface.inputs.variables["xs"].type.collection_type.simple = types_pb2.INTEGER
    items = literals_pb2.BindingDataCollection(bindings=[binding(1), binding(("n0", "o0"))])
    work = made(
        [
            task_node("n0", ADD, a=1, b=1),
            task_node("n1", many, xs=literals_pb2.BindingData(collection=items)),
        ],
        [ADD, many],
        {"x": ("n1", "o0")},
    )

    @rig.stand_ins.task("t.sum")
    def total(xs: list[int]) -> int:
        return sum(xs)

    assert output(await rig.run_made(work)) == 3


# --- aborts ---


async def test_an_abort_reaches_every_level(rig: Rig, waiting: anyio.Event) -> None:
    execution = await rig.start(
        made(
            [subworkflow("n0", "sub"), task_node("n1", ADD, a=1, b=1), task_node("n2", ADD, a=("n0", "x"), b=1)],
            [WAIT, ADD],
            sub_workflows={"sub": ([task_node("n0", WAIT, a=1)], {"x": ("n0", "o0")})},
        ),
    )
    await waiting.wait()

    await rig.engine.abort(execution.id, "stop please", "me")
    await rig.engine.join(execution.id)

    written = await rig.read(execution)
    closure = written.execution.closure
    assert phase(written) == "ABORTED"
    assert (closure.abort_metadata.cause, closure.abort_metadata.principal) == ("stop please", "me")
    assert written.phases()["n0"] == written.phases()["n0-0-n0"] == "ABORTED"
    assert written.nodes["n0"].closure.error.message == "Workflow aborted."
    assert attempts(written)["n0-0-n0", 0] == "ABORTED"
    assert "n2" not in written.nodes
    assert not any(NodePhase(node.closure.phase) is NodePhase.RUNNING for node in written.nodes.values())


async def test_a_function_that_hangs_does_not_hold_an_abort_up(rig: Rig) -> None:
    started, let_go = threading.Event(), threading.Event()

    @rig.stand_ins.task("t.wait")
    def hang(a: int) -> int:
        started.set()
        let_go.wait()
        return a

    execution = await rig.start(made([task_node("n0", WAIT, a=1)], [WAIT]))
    await anyio.to_thread.run_sync(started.wait)
    try:
        await rig.engine.abort(execution.id, "hangs")
        await rig.engine.join(execution.id)
        written = await rig.read(execution)
    finally:
        let_go.set()
    assert phase(written) == "ABORTED"
    assert attempts(written) == {("n0", 0): "ABORTED"}


async def test_an_abort_right_after_the_launch(rig: Rig) -> None:
    execution = await rig.start(made([task_node("n0", ADD, a=1, b=1)], [ADD]))
    await rig.engine.abort(execution.id, "never mind")
    await rig.engine.join(execution.id)
    written = await rig.read(execution)
    assert phase(written) == "ABORTED"
    assert not written.execution.closure.HasField("duration")


async def test_an_execution_that_is_marked_as_aborting_can_only_be_aborted(rig: Rig) -> None:
    work = made([task_node("n0", ADD, a=1, b=1)], [ADD])
    work.execution.closure.phase = core_execution_pb2.WorkflowExecution.ABORTING
    assert phase(await rig.run_made(work)) == "ABORTING"
    await rig.engine.abort(work.execution.id, "as announced")
    await rig.engine.join(work.execution.id)
    assert phase(await rig.read(work.execution)) == "ABORTED"


async def test_what_has_ended_stays_as_it_is(rig: Rig) -> None:
    work = made([task_node("n0", ADD, a=1, b=1)], [ADD])
    before = await rig.run_made(work)
    await rig.engine.abort(work.execution.id, "too late")
    await rig.engine.join(work.execution.id)
    assert await rig.read(work.execution) == before


async def test_an_execution_that_only_the_store_knows_is_aborted(rig: Rig) -> None:
    work = made([])
    work.execution.closure.phase = core_execution_pb2.WorkflowExecution.RUNNING
    await rig.store.put_execution(work.execution)
    await rig.engine.abort(work.execution.id, "imported")
    await rig.engine.join(work.execution.id)
    assert phase(await rig.read(work.execution)) == "ABORTED"


@pytest.mark.parametrize("steps", range(0, 60, 3))
async def test_an_abort_at_any_moment_leaves_nothing_running(rig: Rig, steps: int) -> None:
    work = made(
        [
            subworkflow("n0", "sub"),
            task_node("n1", ADD, a=("n0", "x"), b=1),
            task_node("n2", ECHO, a=1),
            task_node("n3", ADD, a=1, b=1),
        ],
        [ADD, ECHO],
        sub_workflows={"sub": ([task_node("n0", ADD, a=1, b=1)], {"x": ("n0", "o0")})},
    )
    execution = await rig.start(work)
    for _ in range(steps):
        await anyio.lowlevel.checkpoint()
    await rig.engine.abort(execution.id, "now")
    await rig.engine.join(execution.id)
    written = await rig.read(execution)
    assert phase(written) in {"ABORTED", "SUCCEEDED"}
    assert set(written.phases().values()) <= {"SUCCEEDED", "ABORTED"}
    assert set(attempts(written).values()) <= {"SUCCEEDED", "ABORTED"}


# --- the engine itself ---


async def test_closing_stops_what_runs_and_starts_nothing_more(rig: Rig, waiting: anyio.Event) -> None:
    work = made([task_node("n0", WAIT, a=1)], [WAIT])
    await rig.start(work)
    await waiting.wait()
    await rig.engine.aclose()
    await rig.engine.aclose()
    assert rig.engine._running == {}
    with pytest.raises(ClosedError, match="starts no executions"):
        await rig.engine.launch(work.execution, work.inputs)


async def test_the_clock_can_be_held(rig: Rig) -> None:
    class Still(Clock):
        def now(self) -> dt.datetime:
            return dt.datetime(2024, 2, 29, 12, tzinfo=dt.UTC)

    engine = Engine(rig.store, [FunctionRunner(rig.stand_ins, Still())], Still())
    work = made([task_node("n0", ADD, a=1, b=1)], [ADD])
    await rig.put(work)
    await rig.store.put_execution(work.execution)
    await engine.launch(work.execution, work.inputs)
    await engine.join(work.execution.id)
    written = await rig.read(work.execution)
    assert written.nodes["n0"].closure.started_at.ToDatetime(dt.UTC) == Still().now()
    assert written.execution.closure.duration.ToNanoseconds() == 0


async def test_many_executions_at_once(rig: Rig) -> None:
    template = made([task_node("n0", ADD, a=("start-node", "a"), b=1)], [ADD], {"x": ("n0", "o0")})
    await rig.put(template)
    for number in range(50):
        template.execution.id.name = f"many{number}"
        await rig.launch(template.execution, literals_pb2.LiteralMap(literals={"a": integer(number)}))
    for number in range(50):
        template.execution.id.name = f"many{number}"
        await rig.engine.join(template.execution.id)
        assert output(await rig.read(template.execution)) == number + 1


@pytest.mark.parametrize(("retries", "attempts"), [(None, 4), (0, 1), (1, 2)])
async def test_a_task_that_runs_alone_has_its_own_retries_or_three(
    rig: Rig, retries: int | None, attempts: int
) -> None:
    template = task("t.again", retries=retries or 0)
    if retries is None:
        template.metadata.ClearField("retries")
    elif not retries:
        template.metadata.retries.SetInParent()

    @rig.stand_ins.task("t.again")
    def again(a: int) -> int:
        raise FlyteRecoverableException("again")

    await rig.put_tasks(template)
    work = made([], name="alone", a=1)
    work.execution.spec.launch_plan.CopyFrom(template.id)
    written = await rig.run(work.execution, work.inputs)
    assert len(written.attempts) == attempts


async def test_a_task_that_runs_alone_runs_the_workflow_that_was_generated_before(rig: Rig) -> None:
    await rig.put_tasks(ADD)
    work = made([task_node("earlier", ADD, a=1, b=1)], [ADD], name=".flytegen.t.add")
    await rig.put(work)
    work.execution.spec.launch_plan.CopyFrom(ADD.id)
    written = await rig.run(work.execution, work.inputs)
    assert "earlier" in written.nodes
