"""A recording answers as it was answered then."""

from __future__ import annotations

import base64
import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.admin import common_pb2, execution_pb2

from flyte_remote_async import FlyteRemote
from flyte_remote_async.errors import FailedPreconditionError, MalformedMessageError, NotFoundError
from flyte_remote_async.testing import replay
from flyte_remote_async.transport.methods import GET_EXECUTION, LIST_EXECUTIONS
from tests.support.recordings import DIRECTORY

if TYPE_CHECKING:
    from pathlib import Path

    from google.protobuf.message import Message

    from flyte_remote_async.transport.base import Method

pytestmark = pytest.mark.anyio

PLACE = {"project": "flytesnacks", "domain": "development"}


def line(method: Method[Any, Any], request: Message, response: Message | None = None, **status: str) -> str:
    encoded = [base64.b64encode(part.SerializeToString() if part else b"").decode() for part in (request, response)]
    status = {"code": "OK", "details": ""} | status
    return json.dumps({"method": method.path, "request": encoded[0], "response": encoded[1], **status})


def asked(name: str) -> execution_pb2.WorkflowExecutionGetRequest:
    return execution_pb2.WorkflowExecutionGetRequest(id={**PLACE, "name": name})


def answered(name: str, phase: str) -> execution_pb2.Execution:
    return execution_pb2.Execution(id={**PLACE, "name": name}, closure={"phase": phase})


FILM = [
    line(GET_EXECUTION, asked("e1"), answered("e1", "QUEUED")),
    line(GET_EXECUTION, asked("e1"), answered("e1", "RUNNING")),
    line(GET_EXECUTION, asked("e1"), answered("e1", "SUCCEEDED")),
    line(GET_EXECUTION, asked("e2"), code="NOT_FOUND", details="missing entity"),
]


async def test_each_request_gets_its_answers_in_their_order() -> None:
    film = replay(FILM)
    async with film.remote(**PLACE) as remote:
        execution = await remote.fetch_execution("e1")
        seen = [execution.phase.name]
        for _ in range(3):
            execution = await execution.sync(sync_nodes=False)
            seen.append(execution.phase.name)
        assert seen == ["QUEUED", "RUNNING", "SUCCEEDED", "SUCCEEDED"]
        with pytest.raises(AssertionError, match=r"what is left: GetExecution: 1$"):
            film.assert_complete()
        with pytest.raises(NotFoundError, match="missing entity"):
            await remote.fetch_execution("e2")
    film.assert_complete()
    assert film.requests == {"GetExecution": 4}


async def test_a_strict_one_gives_each_answer_once() -> None:
    film = replay(FILM, strict=True)
    async with film.remote(**PLACE) as remote:
        for _ in range(3):
            await remote.fetch_execution("e1")
        with pytest.raises(FailedPreconditionError, match="has given all its answers to GetExecution"):
            await remote.fetch_execution("e1")


async def test_what_was_not_recorded_is_refused_and_kept() -> None:
    film = replay(FILM)
    async with film.remote(**PLACE) as remote:
        with pytest.raises(FailedPreconditionError, match=r'has 4 GetExecution, and none for .* name: "e3"'):
            await remote.fetch_execution("e3")
    assert film.unknown == [("GetExecution", asked("e3"))]


async def test_what_counts_as_the_same_request_can_be_said() -> None:
    film = replay(
        [line(LIST_EXECUTIONS, common_pb2.ResourceListRequest(), execution_pb2.ExecutionList())], match=by_name
    )
    async with film.remote(**PLACE) as remote:
        assert [execution async for execution in remote.list_executions()] == []


def by_name(method: Method[Any, Any], request: Message) -> str:
    return method.name


async def test_it_answers_over_grpc() -> None:
    async with (
        replay(FILM).serve() as endpoint,
        FlyteRemote.connect(endpoint, insecure=True, project="flytesnacks", domain="development") as remote,
    ):
        assert (await remote.fetch_execution("e1")).phase.name == "QUEUED"


def test_recordings_of_a_real_flyte_are_read(tmp_path: Path) -> None:
    plain = tmp_path / "rpc.jsonl"
    recorded = DIRECTORY / "rpc.jsonl.gz"
    plain.write_bytes(gzip.decompress(recorded.read_bytes()))
    for file in (recorded, str(plain)):
        with pytest.raises(AssertionError, match=r"left: CreateExecution: \d+, CreateLaunchPlan: 34, CreateTask: 30"):
            replay(file).assert_complete()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"{", "line 1 of the recording: JSONDecodeError"),
        (b"[]", "line 1 of the recording: TypeError"),
        (b"{}", "line 1 of the recording: KeyError: 'request'"),
        (FILM[0].replace("GetExecution", "GetNothing").encode(), "line 1 of the recording: KeyError: '/flyteidl"),
        (FILM[0].replace('"request": "', '"request": "////').encode(), "line 1 of the recording: "),
        (FILM[0].replace('"request": "', '"request": "?').encode(), "line 1 of the recording: Error"),
        (b"\x1f\x8bnot gzip", "is no recording"),
        (b"\xff\xfe", "is no recording"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    file = tmp_path / "rpc.jsonl"
    file.write_bytes(content)
    with pytest.raises(MalformedMessageError, match=problem):
        replay(file)
