"""What a real Flyte answered to 241 questions, asked of the devserver in the same order."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.admin import description_entity_pb2
from google.protobuf import json_format

from flyte_remote_async.devserver import DevServer
from flyte_remote_async.errors import RPCError
from tests.support import recordings as recorded
from tests.support.raw import METHOD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flyte_remote_async.devserver.store import Store
    from flyte_remote_async.transport.base import Transport

pytestmark = pytest.mark.anyio

# The questions were asked about other runs of the workflows whose runs were kept.
KEPT = {
    "an5qwc7w5v4zlmpr4wh9": "samples.chain",
    "an6jqmmlx8d5crv77sw9": "samples.failing",
    "akb9nhwsmsrcjc4grm47": "samples.branch",
    "bulk46880b41d1964e": "samples.wide5",
}
# Responses that cannot be the same, and why.
OTHER_STATE = {
    # The recorded server knew another version of everything, and more workflows.
    "get task, no id",
    "get task, no version",
    "list tasks",
    "list tasks, version filter",
    "list workflows",
    "list workflow ids",
    "list launch plan ids",
    "list named entities",
    "list description entities",
    # A name that was drawn.
    "create execution, no name",
    "relaunch, no name",
    # How far an execution is.
    "list executions, eq(execution_name,ok00fc0a8e)",
    "list executions, eq(execution_tag.key,team)+eq(execution_tag.value,00fc0a8e)",
    "get aborted",
    "nodes of aborted",
}
# Times, and what is drawn from a hash of a name.
VARYING = {"duration", "checkpoint_uri"}


def behaviours() -> Iterator[dict[str, Any]]:
    text = (recorded.DIRECTORY / "behaviours.jsonl").read_text()
    labels = recorded.labels()
    for theirs, label in KEPT.items():
        text = text.replace(theirs, labels[label])
    for line in text.replace('"c1"', '"v2"').replace('version:\\"c1\\"', 'version:\\"v2\\"').splitlines():
        yield json.loads(line)


async def describe(store: Store) -> None:
    """Put the descriptions there that came with the recorded registrations."""
    for call in recorded.rpcs():
        name = call.method.rpartition("/")[2]
        if name in ("CreateTask", "CreateWorkflow"):
            request = METHOD[name].request_type.FromString(call.request)
            if request.spec.HasField("description"):
                described = description_entity_pb2.DescriptionEntity()
                described.CopyFrom(request.spec.description)
                described.id.CopyFrom(request.id)
                await store.put_description(described)


async def ask(transport: Transport, asked: dict[str, Any]) -> tuple[str, str, Any]:
    method = METHOD[asked["method"].rpartition("/")[2]]
    request = json_format.ParseDict(asked["request"], method.request_type())
    try:
        reply = await transport.unary(method, request.SerializeToString())
    except RPCError as error:
        return error.code, error.details, None
    response = method.response_type.FromString(reply.message)
    return "OK", "", json_format.MessageToDict(response, preserving_proto_field_name=True)


def steady(value: Any) -> Any:
    """Return a response without what differs from one run to the next."""
    if isinstance(value, dict):
        kept = {key: steady(inner) for key, inner in value.items()}
        return {key: inner for key, inner in kept.items() if key not in VARYING and not key.endswith("_at")}
    if isinstance(value, str):
        # Who signed a URL, where and when.
        return re.sub(r"^http://[^/]+|(?<=X-Amz-)(Credential|Date|Signature)=[^&]+", "", value)
    return [steady(inner) for inner in value] if isinstance(value, list) else value


async def test_codes_messages_and_responses_are_those_of_flyte() -> None:
    compared = responses = 0
    async with DevServer() as dev:
        await dev.load(recorded.DIRECTORY / "state.jsonl.gz")
        await describe(dev.store)
        transport = dev.transport()
        for asked in behaviours():
            code, details, response = await ask(transport, asked)
            assert (code, details) == (asked["code"], asked["details"]), asked["name"]
            compared += 1
            wanted = asked.get("response")
            if wanted is not None and "too long" not in wanted and asked["name"] not in OTHER_STATE:
                assert steady(response) == steady(wanted), asked["name"]
                responses += 1
    assert (compared, responses) == (241, 105)
