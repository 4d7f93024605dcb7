"""All recorded executions, run again from their recorded registrations: the same rows and the same data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest
from flyteidl.admin import execution_pb2, task_execution_pb2
from flyteidl.core import identifier_pb2, literals_pb2

from flyte_remote_async.cli.demo_tasks import TASKS
from flyte_remote_async.devserver.runners.dynamic import DynamicWorkflow
from flyte_remote_async.devserver.runners.stand_ins import FlyteRecoverableException, current_attempt
from tests.support.engine_rig import timeless
from tests.support.made_workflows import integer
from tests.support.recordings import Recordings, load, rpcs
from tests.support.replays import open_replay

if TYPE_CHECKING:
    from flyteidl.admin import node_execution_pb2
    from google.protobuf.message import Message

    from tests.support.engine_rig import Written
    from tests.support.replays import Replay

pytestmark = pytest.mark.anyio

LABELS = list(load().executions.values())


def trimmed(message: Any, recorded: Any) -> Any:
    """A node's row with an error as short as the recorded one, which was read from a list."""
    if message.closure.HasField("error") and recorded is not None:
        message.closure.error.message = message.closure.error.message[: len(recorded.closure.error.message)]
    return message


def differences(ours: Message | None, theirs: Message | None, path: str) -> list[str]:
    """The fields that differ, by their paths."""
    if ours is None or theirs is None:
        return [] if ours is theirs else [path]
    names = sorted({field.name for field, _ in (*ours.ListFields(), *theirs.ListFields())})
    found = []
    for name in names:
        mine, other = getattr(ours, name), getattr(theirs, name)
        if (
            mine == other
            and ours.DESCRIPTOR.fields_by_name[name].has_presence
            and ours.HasField(name) != theirs.HasField(name)
        ):
            found.append(f"{path}.{name}")
        elif mine != other:
            deeper = hasattr(mine, "ListFields")
            found += differences(mine, other, f"{path}.{name}") if deeper else [f"{path}.{name}"]
    return found


def rows(recordings: Recordings, label: str, written: Written) -> list[str]:
    (execution,) = recordings.messages(execution_pb2.Execution, label)
    found = differences(timeless(written.execution), timeless(execution), "execution")
    recorded = {
        record.key.partition("|")[0].partition("/")[2]: record for record in recordings.of_kind("NODE_EXECUTION", label)
    }
    for node_id in sorted({*recorded, *written.nodes}):
        theirs = timeless(recorded[node_id].message) if node_id in recorded else None
        ours = trimmed(timeless(written.nodes[node_id]), theirs) if node_id in written.nodes else None
        found += differences(ours, theirs, node_id)
        if (
            ours is not None
            and theirs is not None
            and written.parents[node_id] != recorded[node_id].key.partition("|")[2]
        ):
            found.append(f"{node_id}: its parent")
    attempts = {
        (attempt.id.node_execution_id.node_id, attempt.id.retry_attempt): attempt
        for attempt in recordings.messages(task_execution_pb2.TaskExecution, label)
    }
    for key in sorted({*attempts, *written.attempts}):
        ours = timeless(written.attempts[key]) if key in written.attempts else None
        theirs = timeless(attempts[key]) if key in attempts else None
        found += differences(ours, theirs, f"{key[0]}/{key[1]}")
    return found


async def data(replay: Replay, recordings: Recordings, label: str, written: Written) -> list[str]:
    (whole,) = recordings.messages(execution_pb2.WorkflowExecutionGetDataResponse, label)
    store, found = replay.rig.store, []
    kept = await store.get_execution_data(written.execution.id)
    if kept.inputs != whole.full_inputs:
        found.append("the inputs")
    if kept.outputs != whole.full_outputs:
        found.append("the outputs")
    for record in recordings.of_kind("NODE_EXECUTION_DATA", label):
        node_id, message = record.key.partition("/")[2], record.message
        kept = await store.get_node_data(written.nodes[node_id].id)
        sides = (kept.inputs != message.full_inputs, kept.outputs != message.full_outputs)
        found += [
            f"{node_id}: its {side}" for side, differs in zip(("inputs", "outputs"), sides, strict=True) if differs
        ]
        found += dynamic(kept.dynamic_workflow, message, node_id)
    for record in recordings.of_kind("TASK_EXECUTION_DATA", label):
        _, node_id, _, attempt = record.key.split("/")
        kept = await store.get_attempt_data(written.attempts[node_id, int(attempt)].id)
        if kept.inputs != record.message.full_inputs or kept.outputs != record.message.full_outputs:
            found.append(f"{node_id}/{attempt}: its data")
    return found


def dynamic(
    ours: node_execution_pb2.DynamicWorkflowNodeMetadata | None,
    theirs: node_execution_pb2.NodeExecutionGetDataResponse,
    node_id: str,
) -> list[str]:
    if ours is None or not theirs.HasField("dynamic_workflow"):
        return [] if ours is None and not theirs.HasField("dynamic_workflow") else [f"{node_id}: its workflow"]
    for each in (ours, theirs.dynamic_workflow):
        each.id.version = each.compiled_workflow.primary.template.id.version = ""  # made up for each
    return differences(ours, theirs.dynamic_workflow, f"{node_id}.dynamic_workflow")


# What is not as it was recorded, by its path, for each execution that has something of the kind; docs/devserver.md
# tells it. The pod of the first task of this one ran before Flyte had seen it pending.
KNOWN = {"more.types": {"n0/0.closure.reason", "n0/0.closure.reasons"}}


async def replayed(replay: Replay, recordings: Recordings, label: str) -> set[str]:
    """Run an execution again, and return what is not as it was recorded."""
    await replay.register()
    before = {"recover": "samples.failing", "relaunch": "samples.flakywf"}.get(label)
    if before is not None:
        await replay.execute(recordings, before)
    await replay.seed_cache(recordings, label)
    await replay.execute(recordings, label.partition("/")[0])
    (recorded,) = recordings.messages(execution_pb2.Execution, label)
    written = await replay.rig.read(recorded)
    return {*rows(recordings, label, written), *await data(replay, recordings, label, written)}


@pytest.mark.parametrize("label", LABELS)
async def test_an_execution_ends_as_it_was_recorded(recordings: Recordings, label: str) -> None:
    async with open_replay(recordings) as replay:
        assert await replayed(replay, recordings, label) == KNOWN.get(label, set())


def renamed(data: bytes) -> bytes:
    """The same with other names, which are as long: so that the bytes of a message stay a message."""
    return data.replace(b"samples", b"renamed").replace(b"more", b"less")


@pytest.mark.parametrize(
    "label",
    [
        "samples.chain",
        "samples.branch",
        "samples.mapped",
        "samples.dynwf",
        "samples.gates",
        "samples.with_handler",
        "samples.nested_lp/n0",
        "more.deep",
        "more.lp_failing",
        "more.mapped_failing",
        "recover",
    ],
)
async def test_other_names_change_nothing_else(recordings: Recordings, label: str) -> None:
    records = [
        attrs.evolve(record, key=renamed(record.key.encode()).decode(), data=renamed(record.data))
        for record in recordings.records
    ]
    calls = [attrs.evolve(call, request=renamed(call.request)) for call in rpcs()]
    other = Recordings(tuple(records))
    async with open_replay(other, calls) as replay:
        assert await replayed(replay, other, label) == set()


def integers(*values: int) -> literals_pb2.Literal:
    return literals_pb2.Literal(
        collection=literals_pb2.LiteralCollection(literals=[integer(value) for value in values])
    )


async def launched(replay: Replay, name: str, **inputs: literals_pb2.Literal) -> Written:
    """Launch a registered workflow with other inputs, its tasks being computed by stand-ins."""
    request = execution_pb2.ExecutionCreateRequest(project="flytesnacks", domain="development", name="other")
    request.inputs.CopyFrom(literals_pb2.LiteralMap(literals=inputs))
    plan = request.spec.launch_plan
    plan.resource_type, plan.project, plan.domain = identifier_pb2.LAUNCH_PLAN, "flytesnacks", "development"
    plan.name, plan.version = name, "v2"
    await replay.call("CreateExecution", request)
    execution = execution_pb2.Execution(id={"project": "flytesnacks", "domain": "development", "name": "other"})
    await replay.rig.engine.join(execution.id)
    return await replay.rig.read(execution)


def dyn(n: int) -> DynamicWorkflow:
    workflow = DynamicWorkflow()
    sums = [workflow.task("samples.add", a=i, b=1) for i in range(n)]
    return workflow.returns(o0=[each["o0"] for each in sums])


def dyn_deep(n: int) -> DynamicWorkflow:
    workflow = DynamicWorkflow()
    x = workflow.workflow("samples.sub", a=n)
    y = workflow.launch_plan("samples.sub_lp", a=x["o0"])
    return workflow.returns(o0=workflow.task("samples.add", a=x["o0"], b=y["o0"])["o0"])


@pytest.mark.parametrize(
    ("name", "inputs", "output", "nodes"),
    [
        ("samples.chain", {"a": integer(40)}, integer(42), 9),
        ("samples.branch", {"a": integer(50)}, integer(51), 4),
        ("samples.branch", {"a": integer(-5)}, integer(-50), 4),
        ("samples.mapped", {"xs": integers(5, 6, 7)}, integers(6, 7, 8), 3),
        ("samples.dynwf", {"n": integer(0)}, integers(), 3),
        ("samples.dynwf", {"n": integer(5)}, integers(1, 2, 3, 4, 5), 10),
        ("samples.nested_lp", {"a": integer(7)}, integer(10), 4),
        ("samples.flakywf", {"a": integer(8)}, integer(8), 3),
        ("more.deep", {"n": integer(10)}, integer(38), 18),
        ("more.cachedwf", {"a": integer(6)}, integer(60), 3),
        ("more.mapped_tolerant", {"xs": integers(1, 3)}, integers(1, 3), 3),
    ],
)
async def test_other_inputs_are_computed(
    name: str, inputs: dict[str, literals_pb2.Literal], output: literals_pb2.Literal, nodes: int
) -> None:
    async with open_replay(None) as replay:
        await replay.register()
        for task, function in {**TASKS, "samples.dyn": dyn, "more.dyn_deep": dyn_deep}.items():
            replay.rig.stand_ins.add(task, function)
        replay.rig.stand_ins.add("more.maybe_fail", lambda a: a)

        written = await launched(replay, name, **inputs)

        assert written.outputs.literals["o0"] == output, written.execution.closure.error.message
        assert len(written.nodes) == nodes


@pytest.mark.parametrize(("fails", "attempts"), [(0, 1), (1, 2), (2, 3)])
async def test_other_attempts_fail(fails: int, attempts: int) -> None:
    def flaky(a: int) -> int:
        if current_attempt().number < fails:
            raise FlyteRecoverableException("again")
        return a

    async with open_replay(None) as replay:
        await replay.register()
        replay.rig.stand_ins.add("samples.flaky", flaky)
        written = await launched(replay, "samples.flakywf")
        assert written.outputs.literals["o0"] == integer(3)
        assert sorted(number for _, number in written.attempts) == list(range(attempts))
