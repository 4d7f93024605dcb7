"""What a real Flyte answered to 241 questions, asked of the devserver in the same order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf import json_format

from flyte_remote_async.devserver import DevServer
from flyte_remote_async.errors import RPCError
from tests.support import recordings as recorded
from tests.support.raw import METHOD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flyte_remote_async.transport.base import Transport

pytestmark = pytest.mark.anyio

# The questions were asked about other runs of the workflows whose runs were kept.
KEPT = {
    "an5qwc7w5v4zlmpr4wh9": "samples.chain",
    "an6jqmmlx8d5crv77sw9": "samples.failing",
    "akb9nhwsmsrcjc4grm47": "samples.branch",
}
# Served later; each must say so, and not pretend.
UNSERVED = {
    "CreateWorkflow": 9,
    "RelaunchExecution": 5,
    "RecoverExecution": 4,
    "UpdateProjectDomainAttributes": 1,
    "GetProjectDomainAttributes": 2,
    "DeleteProjectDomainAttributes": 2,
    "ListMatchableAttributes": 1,
    "UpdateWorkflowAttributes": 1,
    "GetWorkflowAttributes": 1,
    "DeleteWorkflowAttributes": 1,
    "UpdateProjectAttributes": 1,
    "GetProjectAttributes": 1,
    "DeleteProjectAttributes": 1,
    "GetDescriptionEntity": 2,
    "ListDescriptionEntities": 1,
}
# Whether there is something left to terminate depends on how far the engine is; test_executions.py holds it still.
RACES = {"terminate, running", "terminate, twice"}


def behaviours() -> Iterator[dict[str, Any]]:
    text = (recorded.DIRECTORY / "behaviours.jsonl").read_text()
    labels = recorded.labels()
    for theirs, label in KEPT.items():
        text = text.replace(theirs, labels[label])
    for line in text.replace('"c1"', '"v2"').replace('version:\\"c1\\"', 'version:\\"v2\\"').splitlines():
        yield json.loads(line)


async def ask(transport: Transport, asked: dict[str, Any]) -> tuple[str, str]:
    method = METHOD[asked["method"].rpartition("/")[2]]
    request = json_format.ParseDict(asked["request"], method.request_type())
    try:
        await transport.unary(method, request.SerializeToString())
    except RPCError as error:
        return error.code, error.details
    return "OK", ""


async def test_codes_and_messages_are_those_of_flyte() -> None:
    unserved = dict.fromkeys(UNSERVED, 0)
    compared = 0
    async with DevServer() as dev:
        await dev.load(recorded.DIRECTORY / "state.jsonl.gz")
        transport = dev.transport()
        for asked in behaviours():
            code, details = await ask(transport, asked)
            name = asked["method"].rpartition("/")[2]
            if name in UNSERVED:
                unserved[name] += 1
                assert code == "UNIMPLEMENTED"
                assert name in details
            elif asked["name"] not in RACES:
                assert (code, details) == (asked["code"], asked["details"]), asked["name"]
                compared += 1
    assert unserved == UNSERVED
    assert compared == 206
