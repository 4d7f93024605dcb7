"""A devserver that imported the recorded state answers as the recorded Flyte did."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from flyte_remote_async.devserver import DevServer
from flyte_remote_async.transport.methods import METHODS
from tests.support import recordings as recorded
from tests.support.raw import call

if TYPE_CHECKING:
    from tests.support.recordings import Call, Recordings

pytestmark = pytest.mark.anyio

STATE = recorded.DIRECTORY / "state.jsonl.gz"
DEFINITIONS = {"GetTask", "GetWorkflow", "GetLaunchPlan"}


def execution_name(request: Any) -> str:
    """Return the name of the execution that a request is about."""
    field = next(
        f for f in ("workflow_execution_id", "node_execution_id", "id") if f in request.DESCRIPTOR.fields_by_name
    )
    identifier = getattr(request, field)
    for part in ("node_execution_id", "execution_id"):
        identifier = getattr(identifier, part, identifier)
    return str(identifier.name)


def ended(state: Recordings) -> dict[str, float]:
    """Return when each execution ended, in seconds since the epoch."""
    stamps = {record.key: record.message.closure.updated_at for record in state.of_kind("EXECUTION")}
    return {name: stamp.seconds + stamp.nanos / 1e9 for name, stamp in stamps.items()}


def answered_finally(line: Call, ends: dict[str, float]) -> bool:
    """Return whether a recorded answer is of the state in which the import finds things."""
    name = METHODS[line.method].name
    if not name.startswith(("Get", "List")):
        return False
    request = METHODS[line.method].request_type.FromString(line.request)
    return name in DEFINITIONS or line.at > ends.get(execution_name(request), float("inf"))


async def test_every_recorded_answer_about_an_ended_execution_is_given_again(recordings: Recordings) -> None:
    ends = ended(recordings)
    compared: Counter[str] = Counter()
    # The Flyte that was recorded answered with more than the usual 2 MB.
    async with DevServer(read_limit_bytes=1 << 26) as dev:
        await dev.load(STATE)
        transport = dev.transport()
        for line in recorded.rpcs():
            if answered_finally(line, ends):
                method = METHODS[line.method]
                reply = await transport.unary(method, line.request)
                want, got = (method.response_type.FromString(data) for data in (line.response, reply.message))
                assert got == want, (method.name, method.request_type.FromString(line.request))
                compared[method.name] += 1
    # What was asked while things still moved, or about executions that were not kept, cannot be compared.
    assert compared == {
        "GetExecution": 59,
        "GetExecutionData": 30,
        "GetLaunchPlan": 36,
        "GetNodeExecutionData": 186,
        "GetTask": 1,
        "GetTaskExecution": 173,
        "GetTaskExecutionData": 189,
        "GetWorkflow": 67,
        "ListNodeExecutions": 41,
        "ListTaskExecutions": 175,
    }


async def test_every_message_of_the_state_is_found_again_over_grpc(recordings: Recordings) -> None:
    async with DevServer() as dev:
        await dev.load(STATE)
        for record in recordings.of_kind("EXECUTION"):
            want = record.message
            assert await call(dev.endpoint, "GetExecution", {"id": want.id}) == want
        for record in recordings.of_kind("EXECUTION_METRICS"):
            request = {"id": recordings.get("EXECUTION", record.key).id, "depth": 10}
            found = await call(dev.endpoint, "GetExecutionMetrics", request)
            # Of more than fifty nodes, Flyte reads pages without an order, and may miss some.
            assert found == record.message or (record.label == "samples.wide100" and len(found.span.spans) == 102)
        for record in recordings.of_kind("DYNAMIC_WORKFLOW"):
            node = next(r for r in recordings.of_kind("NODE_EXECUTION") if r.key.split("|")[0] == record.key)
            request = {"id": node.message.id}
            assert await call(dev.endpoint, "GetDynamicNodeWorkflow", request) == record.message


async def test_lists_cut_errors_after_a_hundred_bytes(recordings: Recordings) -> None:
    failed = recordings.get("EXECUTION", recorded.labels()["samples.failing"])
    assert len(failed.closure.error.message) > 100
    async with DevServer() as dev:
        await dev.load(STATE)
        where = {"project": failed.id.project, "domain": failed.id.domain}
        request = {"id": where, "limit": 1, "filters": f"eq(execution_name,{failed.id.name})"}
        listed = (await call(dev.endpoint, "ListExecutions", request)).executions[0]
        nodes = await call(dev.endpoint, "ListNodeExecutions", {"workflow_execution_id": failed.id, "limit": 100})
    assert listed.closure.error.message == failed.closure.error.message[:100]
    shown = {node.id.node_id: node.closure.error.message for node in nodes.node_executions}
    for record in recordings.of_kind("NODE_EXECUTION", "samples.failing"):
        node = record.message
        assert shown.get(node.id.node_id, "") == node.closure.error.message[:100]
