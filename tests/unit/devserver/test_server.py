"""Starting, stopping and loading."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import socket
from typing import TYPE_CHECKING, Any

import anyio
import grpc.aio
import pytest
from flyteidl.admin import execution_pb2, node_execution_pb2
from flyteidl.core import types_pb2

from flyte_remote_async.devserver import DevServer
from flyte_remote_async.devserver.golang.prototext import prototext
from flyte_remote_async.errors import ClosedError, ConfigError, MalformedMessageError, UnavailableError
from tests.support import recordings as recorded
from tests.support.raw import Asking, call

if TYPE_CHECKING:
    from pathlib import Path

    from google.protobuf.message import Message

pytestmark = pytest.mark.anyio

RUN = {"project": "p", "domain": "development", "name": "e"}


def line(kind: str, key: str, message: Message) -> str:
    data = base64.b64encode(message.SerializeToString()).decode()
    return json.dumps({"label": "x", "kind": kind, "key": key, "type": message.DESCRIPTOR.full_name, "pb": data})


async def test_it_answers_on_both_faces_until_it_is_closed() -> None:
    dev = DevServer()
    with pytest.raises(ClosedError, match="not running"):
        _ = dev.endpoint
    async with dev:
        endpoint, transport = dev.endpoint, dev.transport()
        assert await dev.start() is dev
        assert dev.endpoint == endpoint
        over_grpc = await call(endpoint, "ListProjects", {})
        assert await Asking(transport)("ListProjects") == over_grpc
        assert [project.id for project in over_grpc.projects] == ["flytesnacks"]
    with pytest.raises(ClosedError):
        dev.transport()
    with pytest.raises(UnavailableError, match="store is closed"):
        await Asking(transport)("ListProjects")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(endpoint, "ListProjects", {})
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    await dev.aclose()


async def test_a_port_in_use_is_said_and_leaves_nothing_open(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}"):
            await DevServer(port=port, http_port=0, state=tmp_path / "state.db").start()
    async with DevServer(state=tmp_path / "state.db"):
        pass


async def test_a_cancelled_start_leaves_nothing_open(tmp_path: Path) -> None:
    for number in range(6):
        dev = DevServer(state=tmp_path / "state.db")
        with anyio.CancelScope() as scope:
            asyncio.get_running_loop().call_later(number * 0.002, scope.cancel)
            await dev.start()
        await dev.aclose()
    async with DevServer(state=tmp_path / "state.db"):
        pass


async def test_a_server_can_be_started_again() -> None:
    dev = DevServer()
    for _ in range(2):
        async with dev:
            assert (await Asking(dev.transport())("ListProjects")).projects


async def test_a_state_file_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    async with DevServer(state=path) as dev:
        await dev.load(recorded.DIRECTORY / "state.jsonl.gz")
        request: dict[str, Any] = {"id": {"project": "flytesnacks", "domain": "development"}, "limit": 100}
        before = await Asking(dev.transport())("ListExecutions", **request)
        with pytest.raises(ConfigError, match="another devserver"):
            await DevServer(state=path).start()
    async with DevServer(state=path) as dev:
        assert await Asking(dev.transport())("ListExecutions", **request) == before


async def test_loading_twice_is_loading_once(tmp_path: Path) -> None:
    plain = tmp_path / "state.jsonl"
    plain.write_bytes(gzip.decompress((recorded.DIRECTORY / "state.jsonl.gz").read_bytes()))
    async with DevServer() as dev:
        assert await dev.load(plain) == await dev.load(plain.read_text().splitlines()) == 1122
        request: dict[str, Any] = {"id": {"project": "flytesnacks", "domain": "development"}, "limit": 100}
        assert len((await Asking(dev.transport())("ListExecutions", **request)).executions) == 36


async def test_the_projects_of_a_state_come_along() -> None:
    async with DevServer() as dev:
        await dev.load([line("EXECUTION", "e", execution_pb2.Execution(id=RUN))])
        assert (await Asking(dev.transport())("GetProject", id="p")).name == "p"


NODE = node_execution_pb2.NodeExecution(id={"execution_id": RUN, "node_id": "n0"})
NODE_DATA = node_execution_pb2.NodeExecutionGetDataResponse()


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["{"], "line 1 of the state"),
        (["{}"], "line 1 of the state: KeyError: 'kind'"),
        (["[]"], "line 1 of the state: TypeError"),
        ([line("SOMETHING", "e", NODE)], "line 1 of the state: KeyError: 'SOMETHING'"),
        ([line("NODE_EXECUTION", "e/n0|", NODE).replace('"pb": "', '"pb": "!')], "line 1 of the state: Error"),
        ([json.dumps({"kind": "EXECUTION", "key": "e", "pb": "/////w=="})], "line 1 of the state: DecodeError"),
        ([line("NODE_EXECUTION", "e/n0", NODE)], "no owner for NODE_EXECUTION 'e/n0'"),
        ([line("NODE_EXECUTION_DATA", "e/n0", NODE_DATA)], "no owner for NODE_EXECUTION_DATA 'e/n0'"),
    ],
)
async def test_a_state_that_cannot_be_read_is_refused_whole(lines: list[str], problem: str) -> None:
    good = line("EXECUTION", "e", execution_pb2.Execution(id=RUN))
    async with DevServer() as dev:
        with pytest.raises(MalformedMessageError, match=problem):
            await dev.load([*lines, good])
        assert await dev.store.get_project("p") is None


async def test_a_file_that_is_no_state_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "state.jsonl.gz"
    broken.write_bytes(gzip.compress(b"{}")[:-4])
    async with DevServer() as dev:
        with pytest.raises(MalformedMessageError, match="is no state file"):
            await dev.load(broken)
        with pytest.raises(FileNotFoundError):
            await dev.load(tmp_path / "nope")


def test_messages_are_printed_as_go_does() -> None:
    message = execution_pb2.ExecutionCreateRequest(
        name='a"\n\\',
        spec={"labels": {"values": {"b": "2", "a": "1"}}, "tags": ["x", "y"], "overwrite_cache": True},
    )
    assert prototext(message) == (
        r'name:"a\"\n\\" spec:{labels:{values:{key:"a" value:"1"} values:{key:"b" value:"2"}} '
        r'overwrite_cache:true tags:"x" tags:"y"}'
    )
    message = execution_pb2.ExecutionCreateRequest()
    message.inputs.literals["f"].scalar.primitive.float_value = 2.0
    message.spec.metadata.mode = 99  # type: ignore[assignment]
    assert prototext(message) == (
        'spec:{metadata:{mode:99}} inputs:{literals:{key:"f" value:{scalar:{primitive:{float_value:2}}}}}'
    )
    literal_type = types_pb2.LiteralType(simple=types_pb2.STRUCT)
    literal_type.metadata.update({"required": ["a"], "extra": None, "": ""})
    assert prototext(literal_type) == (
        'simple:STRUCT metadata:{fields:{key:"" value:{string_value:""}} fields:{key:"extra" '
        'value:{null_value:NULL_VALUE}} fields:{key:"required" value:{list_value:{values:{string_value:"a"}}}}}'
    )


async def test_the_addresses_of_executions_are_those_of_its_page() -> None:
    async with DevServer() as dev, dev.remote() as remote:
        url = remote.execution("e1").execution_url
        assert url == f"http://{dev.http_endpoint}/console/projects/flytesnacks/domains/development/executions/e1"
