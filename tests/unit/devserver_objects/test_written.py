"""The recorded inputs and outputs, by the URIs under which Flyte kept them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from flyteidl.admin import execution_pb2, node_execution_pb2
from flyteidl.core import identifier_pb2, literals_pb2

from flyte_remote_async.devserver import DevServer
from flyte_remote_async.devserver.objects import key_of
from tests.support import recordings as recorded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.recordings import Recordings

pytestmark = pytest.mark.anyio


def uris(recordings: Recordings) -> Iterator[tuple[str, literals_pb2.LiteralMap]]:
    """Yield the URIs of all recorded inputs and outputs, each with what is under it."""
    data = {(record.kind, record.key): record for record in recordings.records}
    for record in recordings.of_kind("EXECUTION"):
        closure, run = record.message.closure, record.message.id
        both = data["EXECUTION_DATA", record.key].message
        yield f"s3://my-s3-bucket/metadata/{run.project}/{run.domain}/{run.name}/inputs", both.full_inputs
        if closure.outputs.uri:
            yield closure.outputs.uri, both.full_outputs
    for kind in ("NODE_EXECUTION", "TASK_EXECUTION"):
        for record in recordings.of_kind(kind):
            both = data[f"{kind}_DATA", record.key.partition("|")[0]].message
            if record.message.input_uri:
                yield record.message.input_uri, both.full_inputs
            if record.message.closure.output_uri:
                yield record.message.closure.output_uri, both.full_outputs


async def test_every_recorded_literal_map_is_an_object(recordings: Recordings) -> None:
    async with DevServer() as dev:
        await dev.load(recorded.DIRECTORY / "state.jsonl.gz")
        assert await dev.load_objects(recorded.DIRECTORY / "objects.tar.gz") == 5
        different = []
        asked = list(uris(recordings))
        assert len(asked) > 500
        for uri, literals in asked:
            data = await dev.objects.get(key_of(uri) or "")
            info = await dev.objects.head(key_of(uri) or "")
            if (
                data is None
                or info is None
                or literals_pb2.LiteralMap.FromString(data) != literals
                or info.size != len(data)
            ):
                different.append(uri)
        assert different == []


@pytest.mark.parametrize(
    "key",
    [
        "metadata/propeller/flytesnacks-development-none/n0/data/inputs.pb",
        "metadata/propeller/flytesnacks-development-e/n1/data/inputs.pb",
        "metadata/propeller/flytesnacks-development-e/n0/data/0/outputs.pb",
        "metadata/propeller/---/n0/data/inputs.pb",
        "metadata/flytesnacks/development/none/inputs",
        "metadata/flytesnacks/development/e/outputs",
    ],
)
async def test_what_nothing_names_is_not_there(key: str) -> None:
    run = identifier_pb2.WorkflowExecutionIdentifier(project="flytesnacks", domain="development", name="e")
    node = identifier_pb2.NodeExecutionIdentifier(node_id="n0", execution_id=run)
    async with DevServer() as dev:
        await dev.store.put_execution(execution_pb2.Execution(id=run))
        # The message has the URI of its inputs inside of another.
        uri = "s3://my-s3-bucket/metadata/propeller/flytesnacks-development-e/n0/data/0/outputs.pb.old"
        await dev.store.put_node(node_execution_pb2.NodeExecution(id=node, input_uri=uri))
        assert await dev.objects.get(key) is None
        await dev.objects.put(key, b"put")
        assert await dev.objects.get(key) == b"put"


async def test_dashes_in_all_names_are_told_apart() -> None:
    uri = "s3://my-s3-bucket/metadata/propeller/a-b-c-d/end-node/data/0/outputs.pb"
    async with DevServer() as dev:
        for project, domain, name in (("a-b", "c", "d"), ("a", "b", "c-d")):
            run = identifier_pb2.WorkflowExecutionIdentifier(project=project, domain=domain, name=name)
            await dev.store.put_execution(execution_pb2.Execution(id=run))
        ended = execution_pb2.Execution(id=run, closure={"outputs": {"uri": uri}})
        await dev.store.put_execution(ended)
        outputs = literals_pb2.LiteralMap(literals={"o0": literals_pb2.Literal(scalar={"none_type": {}})})
        await dev.store.put_execution_data(run, outputs=outputs)
        assert await dev.objects.get(key_of(uri) or "") == outputs.SerializeToString()
