"""Array nodes: sizes, what must succeed, how many at a time, retries, caches, aborts, launch plans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from flyteidl.core import catalog_pb2, literals_pb2, types_pb2, workflow_pb2
from google.protobuf import wrappers_pb2

from flyte_remote_async.devserver.engine.arrays import ArrayProgress, array_size, item_inputs, item_template
from flyte_remote_async.devserver.runners.items import item_outputs, stand_in_names
from flyte_remote_async.devserver.runners.outcome import Outcome, user_failure
from flyte_remote_async.devserver.runners.stand_ins import FlyteRecoverableException, current_attempt
from flyte_remote_async.models.phases import NodePhase, TaskPhase, WorkflowPhase
from tests.support.made_workflows import array, integer, integers, launch_plan, made, task, task_node

if TYPE_CHECKING:
    from flyteidl.core import tasks_pb2
    from flyteidl.event import event_pb2

    from flyte_remote_async.devserver.clock import Clock
    from tests.support.engine_rig import Rig, Written

pytestmark = pytest.mark.anyio

INTEGER = types_pb2.LiteralType(simple=types_pb2.INTEGER)
INTEGERS = types_pb2.LiteralType(collection_type=INTEGER)


def listed(name: str = "t.item", *, retries: int = 0, cached: bool = False) -> tasks_pb2.TaskTemplate:
    """A task as flytekit registers it for an array: its interface is that of the lists."""
    template = task(name, retries=retries, output_type=INTEGERS)
    template.interface.inputs.variables["a"].type.CopyFrom(INTEGERS)
    template.metadata.discoverable = cached
    template.metadata.discovery_version = "1"
    return template


ITEM = listed()


def node(template: tasks_pb2.TaskTemplate = ITEM, *values: int, **how: Any) -> workflow_pb2.Node:
    return array("n0", task_node("inner", template), workflow_pb2.ArrayNode(**how), a=integers(*values))


@pytest.fixture
def rig(rig: Rig) -> Rig:
    rig.stand_ins.add("t.item", lambda a: a * 10)
    return rig


async def run(rig: Rig, of: workflow_pb2.Node, template: tasks_pb2.TaskTemplate = ITEM, **options: Any) -> Written:
    return await rig.run_made(made([of], [template], {"x": ("n0", "o0")}, **options))


def items(written: Written) -> list[tuple[int, int, str]]:
    return [(entry.index, entry.retry_attempt, TaskPhase(entry.phase).name) for entry in resources(written)]


def resources(written: Written) -> list[event_pb2.ExternalResourceInfo]:
    return list(written.attempts["n0", 0].closure.metadata.external_resources)


def numbers(written: Written) -> list[int | None]:
    found = written.outputs.literals["x"].collection.literals
    return [None if each.scalar.HasField("none_type") else each.scalar.primitive.integer for each in found]


async def test_items_give_a_list(rig: Rig) -> None:
    written = await run(rig, node(ITEM, 3, 1, 2))
    assert numbers(written) == [30, 10, 20]
    assert items(written) == [(0, 0, "SUCCEEDED"), (1, 0, "SUCCEEDED"), (2, 0, "SUCCEEDED")]
    assert list(written.nodes) == ["start-node", "n0", "end-node"]


async def test_no_items_give_an_empty_list(rig: Rig) -> None:
    written = await run(rig, node(ITEM))
    assert WorkflowPhase(written.execution.closure.phase) is WorkflowPhase.SUCCEEDED
    assert written.outputs.literals["x"].HasField("collection")
    assert (numbers(written), items(written)) == ([], [])
    attempt = written.attempts["n0", 0].closure
    assert TaskPhase(attempt.phase) is TaskPhase.SUCCEEDED


async def test_items_know_their_places(rig: Rig) -> None:
    seen: list[tuple[str, int]] = []

    @rig.stand_ins.task("t.item")
    async def item(a: int) -> int:
        seen.append((current_attempt().node_id, a))
        return a

    await run(rig, node(ITEM, 7, 8))
    assert sorted(seen) == [("n0-0-n0", 7), ("n0-0-n1", 8)]


@pytest.mark.parametrize(
    ("how", "failing", "succeeds"),
    [
        ({"min_success_ratio": 0.5}, {1, 2}, True),
        ({"min_success_ratio": 0.5}, {1, 2, 3}, False),
        ({"min_success_ratio": 0.7}, {1}, True),
        ({"min_success_ratio": 0.76}, {1}, False),
        ({"min_successes": 1}, {1, 2, 3}, True),
        ({"min_successes": 0}, {1, 2, 3, 4}, True),
        ({}, {4}, False),
    ],
)
async def test_some_items_may_fail(rig: Rig, *, how: dict[str, Any], failing: set[int], succeeds: bool) -> None:
    @rig.stand_ins.task("t.item")
    async def item(a: int) -> int:
        if a in failing:
            raise ValueError(f"item {a}")
        return a

    written = await run(rig, node(ITEM, 1, 2, 3, 4, **how))

    if succeeds:
        assert numbers(written) == [None if a in failing else a for a in (1, 2, 3, 4)]
        return
    error = written.execution.closure.error
    assert (error.code, error.kind) == ("", error.UNKNOWN)
    assert "ValueError: item" in error.message
    assert error.message.startswith("[")
    assert error.message.endswith("\n")
    attempt = written.attempts["n0", 0].closure
    assert attempt.error.message == error.message
    assert TaskPhase(attempt.phase) is TaskPhase.FAILED


async def test_each_retry_of_an_item_is_told(rig: Rig) -> None:
    template = listed(retries=2)

    @rig.stand_ins.task("t.item")
    async def item(a: int) -> int:
        if current_attempt().number < a:
            raise FlyteRecoverableException("again")
        return a

    written = await run(rig, node(template, 0, 2), template)

    assert numbers(written) == [0, 2]
    assert items(written) == [(0, 0, "SUCCEEDED"), (1, 0, "FAILED"), (1, 1, "FAILED"), (1, 2, "SUCCEEDED")]
    assert resources(written)[3].external_id == "made-n0-0-n1-2"
    assert resources(written)[3].logs[0].uri.endswith("/made-n0-0-n1-2/pod")
    assert resources(written)[3].logs[0].name == "Kubernetes Logs (User)-1"


async def test_an_item_whose_retries_are_exhausted(rig: Rig) -> None:
    template = listed(retries=1)

    @rig.stand_ins.task("t.item")
    async def item(a: int) -> int:
        raise FlyteRecoverableException("never")

    written = await run(rig, node(template, 5), template)
    assert written.execution.closure.error.message.startswith("[0]: [2/2] currentAttempt done. Last Error: USER::")


@pytest.mark.parametrize(("parallelism", "most"), [(2, 2), (0, 5)])
async def test_how_many_run_at_a_time(rig: Rig, parallelism: int, most: int) -> None:
    now, peak = 0, 0
    full = anyio.Event()

    @rig.stand_ins.task("t.item")
    async def item(a: int) -> int:
        nonlocal now, peak
        now += 1
        peak = max(peak, now)
        if now == most:
            full.set()
        with anyio.fail_after(10):
            await full.wait()
        now -= 1
        return a

    written = await run(rig, node(ITEM, *range(5), parallelism=parallelism), max_parallelism=1)
    assert (numbers(written), peak) == ([0, 1, 2, 3, 4], most)


async def test_items_that_have_not_begun_say_nothing_when_the_array_fails(rig: Rig) -> None:
    @rig.stand_ins.task("t.item")
    async def item(a: int) -> int:
        raise ValueError("boom")

    written = await run(rig, node(ITEM, 1, 2, parallelism=1))
    assert items(written) == [(0, 0, "FAILED"), (1, 0, "UNDEFINED")]


async def test_items_that_run_when_the_array_fails_are_aborted(rig: Rig) -> None:
    started = anyio.Event()

    @rig.stand_ins.task("t.item")
    async def item(a: int) -> int:
        if a == 1:
            await started.wait()
            raise ValueError("boom")
        started.set()
        await anyio.sleep_forever()
        return a

    written = await run(rig, node(ITEM, 1, 2))
    assert items(written) == [(0, 0, "FAILED"), (1, 0, "ABORTED")]


async def test_an_array_counts_as_one_that_runs(rig: Rig, clock: Clock) -> None:
    rig.hangs("t.item")
    other = task("t.add", ("a", "b"))
    work = made([node(ITEM, 1, 2), task_node("n1", other, a=1, b=1)], [ITEM, other], max_parallelism=1)
    await rig.start(work)
    await clock.at_rest()
    written = await rig.read(work.execution)
    assert written.phases() == {"start-node": "SUCCEEDED", "n0": "RUNNING"}
    assert items(written) == [(0, 0, "RUNNING"), (1, 0, "RUNNING")]


async def test_items_are_cached_each_for_itself(rig: Rig) -> None:
    template = listed(cached=True)
    await run(rig, node(template, 1, 2), template)
    calls: list[int] = []

    @rig.stand_ins.task("t.item")
    async def item(a: int) -> int:
        calls.append(a)
        return a

    written = await run(rig, node(template, 2, 3), template, name="again")

    assert calls == [3]
    assert numbers(written) == [20, 3]
    statuses = [catalog_pb2.CatalogCacheStatus.Name(entry.cache_status) for entry in resources(written)]
    assert statuses == ["CACHE_HIT", "CACHE_POPULATED"]
    assert items(written) == [(0, 0, "SUCCEEDED"), (1, 0, "SUCCEEDED")]
    assert not resources(written)[0].logs


async def test_an_abort_reaches_the_items(rig: Rig) -> None:
    started = anyio.Event()

    @rig.stand_ins.task("t.item")
    async def item(a: int) -> int:
        if a == 1:
            return a
        started.set()
        await anyio.sleep_forever()
        return a

    work = made([node(ITEM, 1, 2)], [ITEM])
    await rig.start(work)
    await started.wait()
    await rig.engine.abort(work.execution.id, "enough")
    await rig.engine.join(work.execution.id)

    written = await rig.read(work.execution)
    assert NodePhase(written.nodes["n0"].closure.phase) is NodePhase.ABORTED
    assert TaskPhase(written.attempts["n0", 0].closure.phase) is TaskPhase.ABORTED
    assert items(written)[1] == (1, 0, "ABORTED")


async def test_a_failure_beside_it_reaches_the_items(rig: Rig) -> None:
    started = rig.waits("t.item")

    @rig.stand_ins.task("t.boom")
    async def boom(a: int) -> int:
        await started.wait()
        raise ValueError("boom")

    other = task("t.boom")
    written = await rig.run_made(made([node(ITEM, 1), task_node("n1", other, a=1)], [ITEM, other]))
    assert items(written) == [(0, 0, "ABORTED")]


async def test_bound_inputs_are_the_same_for_all(rig: Rig) -> None:
    template = task("t.both", ("a", "b"), output_type=INTEGERS)
    for name in ("a", "b"):
        template.interface.inputs.variables[name].type.CopyFrom(INTEGERS)
    rig.stand_ins.add("t.both", lambda a, b: a + sum(b))
    of = workflow_pb2.ArrayNode(bound_inputs=["b"])
    both = array("n0", task_node("inner", template), of, a=integers(1, 2), b=integers(10, 20, 30))
    assert numbers(await run(rig, both, template)) == [61, 62]


async def test_a_task_with_its_own_interface(rig: Rig) -> None:
    template = task("t.item")
    how = {"is_original_sub_node_interface": wrappers_pb2.BoolValue(value=True)}
    assert numbers(await run(rig, node(template, 4, 5, **how), template)) == [40, 50]


@pytest.mark.parametrize(
    ("bindings", "bound", "message"),
    [
        ({"a": integers(1, 2), "b": integers(1)}, [], "input arrays have different lengths: expecting '2' found '1'"),
        ({"a": 1}, [], "no input array provided"),
    ],
)
async def test_lists_that_do_not_fit(rig: Rig, bindings: dict[str, Any], bound: list[str], message: str) -> None:
    of = workflow_pb2.ArrayNode(bound_inputs=bound)
    written = await run(rig, array("n0", task_node("inner", ITEM), of, **bindings))
    error = written.nodes["n0"].closure.error
    assert (error.code, error.kind, error.message) == ("InvalidArrayLength", error.USER, message)
    assert not written.attempts


def test_an_array_whose_inputs_are_all_bound_has_one_item() -> None:
    of = workflow_pb2.ArrayNode(bound_inputs=["a"])
    inputs = literals_pb2.LiteralMap(literals={"a": integer(1)})
    assert array_size(of, inputs) == 1
    assert item_inputs(of, inputs, 0) == inputs


async def test_an_array_of_launch_plans_has_a_node_for_each(rig: Rig) -> None:
    add = task("t.add")
    rig.stand_ins.add("t.add", lambda a: a + 1)
    child = made([task_node("n0", add, a=("start-node", "a"))], [add], {"o0": ("n0", "o0")}, name="child", a=0)
    await rig.put(child)
    of = array("n0", launch_plan("inner", "child"), workflow_pb2.ArrayNode(), a=integers(1, 2))

    written = await rig.run_made(made([of], outputs={"x": ("n0", "o0")}, name="parent", max_parallelism=1))

    assert numbers(written) == [2, 3]
    metadata = written.nodes["n0"].metadata
    assert (metadata.is_array, metadata.is_parent_node) == (True, True)
    assert {written.parents["n0-0-n0"], written.parents["n0-0-n1"]} == {"n0"}
    assert written.nodes["n0-0-n1"].closure.workflow_node_metadata.executionId.name
    assert not written.attempts


async def test_an_array_of_launch_plans_that_fails_aborts_the_others(rig: Rig) -> None:
    template = task("t.any")
    started = anyio.Event()

    @rig.stand_ins.task("t.any")
    async def any_of(a: int) -> int:
        if a == 1:
            await started.wait()
            raise ValueError("boom")
        started.set()
        await anyio.sleep_forever()
        return a

    child = made([task_node("n0", template, a=("start-node", "a"))], [template], {}, name="child", a=0)
    await rig.put(child)
    of = array("n0", launch_plan("inner", "child"), workflow_pb2.ArrayNode(), a=integers(1, 2))

    written = await rig.run_made(made([of], name="parent"))

    phases = written.phases()
    assert (phases["n0"], phases["n0-0-n0"], phases["n0-0-n1"]) == ("FAILED", "FAILED", "ABORTED")
    assert written.nodes["n0-0-n1"].closure.error.message == "ArrayNodeFailing"


def test_a_message_that_is_too_long_says_that_there_is_more() -> None:
    progress = ArrayProgress(1, 1)
    progress.settle(0, user_failure("X", "m" * 200_000))
    assert progress.error is not None
    assert progress.error.message.endswith("... and many more.")


def test_a_later_success_leaves_the_error() -> None:
    progress = ArrayProgress(2, 1)
    progress.settle(0, user_failure("X", "first"))
    progress.settle(1, Outcome())
    assert (progress.has_failed, progress.is_over) == (False, True)
    assert progress.error is not None


@pytest.mark.parametrize(
    ("name", "args", "names"),
    [
        (
            "m.map_f_6b3bd0353da5de6e84d7982921ead2b3-arraynode",
            ["task-module", "pkg", "task-name", "f"],
            ["pkg.f", "m.f"],
        ),
        ("m.n.map_f_g_6b3bd0353da5de6e84d7982921ead2b3-arraynode", [], ["m.n.f_g"]),
        ("map_f_6b3bd0353da5de6e84d7982921ead2b3-arraynode", [], ["f"]),
        ("m.map_f", [], []),
    ],
)
def test_a_map_task_runs_the_stand_in_of_its_function(name: str, args: list[str], names: list[str]) -> None:
    template = task(name)
    template.container.args.extend(args)
    assert list(stand_in_names(template)) == [name, *names]


OPTIONAL = types_pb2.LiteralType(
    union_type=types_pb2.UnionType(variants=[INTEGER, types_pb2.LiteralType(simple=types_pb2.NONE)])
)


def in_union(value: literals_pb2.Literal) -> literals_pb2.Literal:
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(union=literals_pb2.Union(value=value, type=OPTIONAL)))


NONE = literals_pb2.Literal(scalar=literals_pb2.Scalar(none_type=literals_pb2.Void()))


@pytest.mark.parametrize(
    ("declared", "given", "hint", "expected"),
    [
        (OPTIONAL, in_union(integer(1)), int, integer(1)),
        (OPTIONAL, in_union(integer(1)), int | None, in_union(integer(1))),
        (OPTIONAL, in_union(NONE), int, in_union(NONE)),
        (INTEGER, integer(1), int, integer(1)),
    ],
)
def test_an_item_of_an_optional_list(
    declared: types_pb2.LiteralType, given: literals_pb2.Literal, hint: Any, expected: literals_pb2.Literal
) -> None:
    template = task("t.x", output_type=declared)
    outputs = literals_pb2.LiteralMap(literals={"o0": given})
    assert item_outputs(template, outputs, {"return": hint}).literals["o0"] == expected


def test_the_interface_of_an_item() -> None:
    template = task("t.x", ("a", "b"), output_type=INTEGERS)
    for name in ("a", "b"):
        template.interface.inputs.variables[name].type.CopyFrom(INTEGERS)
    item = item_template(template, workflow_pb2.ArrayNode(bound_inputs=["b"]))
    types = {name: variable.type for name, variable in item.interface.inputs.variables.items()}
    assert types == {"a": INTEGER, "b": INTEGERS}
    assert item.interface.outputs.variables["o0"].type == INTEGER
    assert template.interface.outputs.variables["o0"].type == INTEGERS
