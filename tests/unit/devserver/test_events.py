"""Events, by which somebody plays flytepropeller: an execution that the engine does not run is told how it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.admin import execution_pb2
from flyteidl.core import execution_pb2 as core_execution_pb2
from flyteidl.core import literals_pb2

from flyte_remote_async.devserver import DevServer
from flyte_remote_async.errors import RPCError
from tests.support.raw import Asking

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

RUN = {"project": "flytesnacks", "domain": "development", "name": "told"}
NODE = {"node_id": "n0", "execution_id": RUN}
TASK = {"resource_type": "TASK", "project": "p", "domain": "d", "name": "t", "version": "1"}
ATTEMPT = {"task_id": TASK, "parent_node_execution_id": NODE, "retry_attempt": 0}
PHASE = core_execution_pb2.WorkflowExecution
ONE = literals_pb2.LiteralMap(literals={"o0": literals_pb2.Literal(scalar={"primitive": {"integer": 1}})})
ERROR = {"code": "USER:Broken", "message": "it broke", "kind": "USER"}


def at(seconds: int) -> dict[str, int]:
    return {"seconds": 1_800_000_000 + seconds}


@pytest.fixture
async def told() -> AsyncIterator[Asking]:
    """Run a devserver with an execution that nobody runs."""
    async with DevServer() as dev:
        await dev.store.put_execution(execution_pb2.Execution(id=RUN, closure={"created_at": at(0)}))
        yield Asking(dev.transport())


async def refusal(ask: Asking, rpc: str, **event: Any) -> tuple[str, str]:
    with pytest.raises(RPCError) as caught:
        await ask(rpc, event=event)
    return caught.value.code, caught.value.details


async def workflow(ask: Asking, phase: str, seconds: int, **event: Any) -> None:
    await ask("CreateWorkflowEvent", event={"execution_id": RUN, "phase": phase, "occurred_at": at(seconds), **event})


async def node(ask: Asking, phase: str, seconds: int, **event: Any) -> None:
    await ask("CreateNodeEvent", event={"id": NODE, "phase": phase, "occurred_at": at(seconds), **event})


async def attempt(ask: Asking, phase: str, seconds: int, **event: Any) -> None:
    await ask("CreateTaskEvent", event={**ATTEMPT, "phase": phase, "occurred_at": at(seconds), **event})


async def test_an_execution_that_succeeds(told: Asking) -> None:
    for seconds, phase in enumerate(("QUEUED", "QUEUED", "RUNNING", "SUCCEEDING")):
        await workflow(told, phase, seconds)
    await workflow(told, "SUCCEEDED", 5, output_uri="s3://b/outputs.pb")
    closure = (await told("GetExecution", id=RUN)).closure
    assert (closure.phase, closure.outputs.uri) == (PHASE.SUCCEEDED, "s3://b/outputs.pb")
    assert (closure.started_at.seconds, closure.duration.seconds) == (1_800_000_002, 3)


async def test_an_execution_that_fails_and_one_whose_outputs_come_along(told: Asking) -> None:
    await workflow(told, "RUNNING", 1, output_data=ONE)
    assert (await told("GetExecutionData", id=RUN)).full_outputs.literals["o0"].scalar.primitive.integer == 1
    await workflow(told, "FAILED", 2, error=ERROR)
    closure = (await told("GetExecution", id=RUN)).closure
    assert (closure.phase, closure.error.code) == (PHASE.FAILED, "USER:Broken")


async def test_what_is_out_of_order_is_refused(told: Asking) -> None:
    await workflow(told, "RUNNING", 1)
    run = {"execution_id": RUN}
    code, details = await refusal(told, "CreateWorkflowEvent", **run, phase="RUNNING")
    assert (code, details[:25]) == ("ALREADY_EXISTS", "This phase RUNNING was al")
    code, details = await refusal(told, "CreateWorkflowEvent", **run, phase="QUEUED")
    assert (code, details[:30]) == ("FAILED_PRECONDITION", "Cannot go from RUNNING to QUEU")
    await workflow(told, "ABORTING", 2)
    code, details = await refusal(told, "CreateWorkflowEvent", **run, phase="RUNNING")
    assert (code, details[:39]) == ("FAILED_PRECONDITION", "Invalid phase change from aborting to R")
    await workflow(told, "ABORTED", 3)
    code, details = await refusal(told, "CreateWorkflowEvent", **run, phase="SUCCEEDED")
    assert (code, details[:47]) == ("FAILED_PRECONDITION", "Invalid phase change from ABORTED to SUCCEEDED ")


async def test_a_node_and_its_child(told: Asking) -> None:
    await node(told, "QUEUED", 1, input_uri="s3://b/inputs.pb", spec_node_id="n0", retry_group="0", is_array=True)
    key = {"datasetId": {"name": "d"}}
    await node(
        told,
        "RUNNING",
        2,
        is_parent=True,
        is_dynamic=True,
        workflow_node_metadata={"execution_id": RUN},
    )
    child = {"node_id": "n0-0-n1", "execution_id": RUN}
    inner = {"id": child, "phase": "QUEUED", "parent_node_metadata": {"node_id": "n0"}}
    await told("CreateNodeEvent", event=inner)
    cached = {"cache_status": "CACHE_HIT", "checkpoint_uri": "s3://b/c", "catalog_key": {"dataset_id": {"name": "d"}}}
    await node(told, "SUCCEEDED", 4, output_data=ONE, deck_uri="s3://b/deck.html", task_node_metadata=cached)
    found = await told("GetNodeExecution", id=NODE)
    assert (found.input_uri, found.metadata.spec_node_id, found.metadata.is_array) == ("s3://b/inputs.pb", "n0", True)
    assert found.closure.duration.seconds == 2
    assert found.closure.deck_uri == "s3://b/deck.html"
    assert found.closure.task_node_metadata.catalog_key.dataset_id.name == "d"
    assert key["datasetId"]["name"] == "d"
    listed = await told("ListNodeExecutions", workflow_execution_id=RUN, limit=5, unique_parent_id="n0")
    assert [each.id.node_id for each in listed.node_executions] == ["n0-0-n1"]
    assert (await told("GetNodeExecutionData", id=NODE)).full_outputs.literals["o0"]
    code, details = await refusal(told, "CreateNodeEvent", id=NODE, phase="SUCCEEDED")
    assert (code, details[:44]) == ("ALREADY_EXISTS", "This phase was already recorded SUCCEEDED fo")
    code, _ = await refusal(told, "CreateNodeEvent", id=NODE, phase="RUNNING")
    assert code == "FAILED_PRECONDITION"


async def test_a_node_that_fails(told: Asking) -> None:
    await node(told, "FAILED", 1, error=ERROR)
    assert (await told("GetNodeExecution", id=NODE)).closure.error.message == "it broke"


async def test_an_attempt(told: Asking) -> None:
    await node(told, "RUNNING", 1)
    await attempt(told, "QUEUED", 1, task_type="python-task", event_version=1, reason="submitted")
    log = {"uri": "http://log", "name": "a log"}
    for version in (0, 1):
        await attempt(told, "RUNNING", 2 + version, phase_version=version, logs=[log], reason="runs")
    await attempt(
        told, "SUCCEEDED", 7, output_uri="s3://b/o.pb", custom_info={"fields": {}}, metadata={"generated_name": "pod"}
    )
    listed = await told("ListTaskExecutions", node_execution_id=NODE, limit=5)
    closure = listed.task_executions[0].closure
    assert (closure.output_uri, closure.task_type, closure.event_version) == ("s3://b/o.pb", "python-task", 1)
    assert ([each.uri for each in closure.logs], closure.duration.seconds) == (["http://log"], 5)
    assert [each.message for each in closure.reasons] == ["submitted", "runs", "runs"]
    assert closure.metadata.generated_name == "pod"
    late = {**ATTEMPT, "occurred_at": at(9)}
    code, details = await refusal(told, "CreateTaskEvent", **late, phase="SUCCEEDED")
    assert (code, details[:43]) == ("ALREADY_EXISTS", "have already recorded task execution phase ")
    code, details = await refusal(told, "CreateTaskEvent", **late, phase="RUNNING")
    assert (code, details[:28]) == ("FAILED_PRECONDITION", "invalid phase change from SU")


async def test_an_attempt_with_outputs(told: Asking) -> None:
    await node(told, "RUNNING", 1)
    await attempt(told, "SUCCEEDED", 1, output_data=ONE)
    identifier = {"task_id": TASK, "node_execution_id": NODE}
    assert (await told("GetTaskExecutionData", id=identifier)).full_outputs.literals["o0"]


@pytest.mark.parametrize(
    ("rpc", "event", "code", "details"),
    [
        ("CreateNodeEvent", {}, "INVALID_ARGUMENT", "missing id"),
        ("CreateNodeEvent", {"id": NODE | {"node_id": ""}}, "INVALID_ARGUMENT", "missing node_id"),
        (
            "CreateNodeEvent",
            {"id": {"node_id": "n", "execution_id": RUN | {"name": "zz"}}},
            "NOT_FOUND",
            "Failed to get existing execution id: [",
        ),
        ("CreateTaskEvent", {}, "INVALID_ARGUMENT", "missing occurred_at"),
        ("CreateTaskEvent", {"occurred_at": at(1)}, "INVALID_ARGUMENT", "missing node_execution_id"),
        (
            "CreateTaskEvent",
            {**ATTEMPT, "occurred_at": at(1), "parent_node_execution_id": NODE | {"execution_id": RUN | {"name": "z"}}},
            "NOT_FOUND",
            "missing entity of type execution with identifier",
        ),
        ("CreateTaskEvent", {**ATTEMPT, "occurred_at": at(1)}, "INTERNAL", "failed to get existing node execution id"),
    ],
)
async def test_events_that_are_refused(told: Asking, rpc: str, event: Any, code: str, details: str) -> None:
    found = await refusal(told, rpc, **event)
    assert (found[0], found[1][: len(details)]) == (code, details)


async def test_a_node_event_without_an_event(told: Asking) -> None:
    with pytest.raises(RPCError, match="missing event"):
        await told("CreateNodeEvent")
