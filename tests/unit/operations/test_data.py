"""Inputs and outputs: where they come from, and that a failed read is never an empty answer."""

from __future__ import annotations

import asyncio
import logging
import pickle
import re
import traceback
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from flyteidl.admin import task_pb2
from flyteidl.core import literals_pb2
from flyteidl.service import dataproxy_pb2

from flyte_remote_async.devserver import DevServer
from flyte_remote_async.devserver.faces.inprocess import InProcessTransport
from flyte_remote_async.errors import InternalError, NotFoundError, OutputsUnavailableError, UnavailableError
from flyte_remote_async.storage import signed_urls
from flyte_remote_async.transport.base import Reply
from flyte_remote_async.transport.methods import CREATE_DOWNLOAD_LOCATION
from tests.support.eventually import eventually
from tests.support.films import Film, refuse
from tests.support.http import CANARY, objects
from tests.support.made_workflows import INTEGER, integer
from tests.support.remotes import Ledger, remote_over

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from flyte_remote_async import FlyteRemote, FlyteWorkflowExecution
    from flyte_remote_async.transport.base import Metadata, Method
    from tests.support.http import Objects

pytestmark = pytest.mark.anyio

URI = "s3://bucket/film/outputs.pb"


def a_map(**values: int) -> literals_pb2.LiteralMap:
    return literals_pb2.LiteralMap(literals={name: integer(value) for name, value in values.items()})


@attrs.define
class Stage:
    """A finished execution of a task with one output, whose data the control plane fails to give."""

    film: Film
    remote: FlyteRemote
    ledger: Ledger
    objects: Objects
    url: str = ""
    signed: str = ""
    full_outputs: literals_pb2.LiteralMap = attrs.field(factory=literals_pb2.LiteralMap)
    full_inputs: literals_pb2.LiteralMap = attrs.field(factory=literals_pb2.LiteralMap)
    inputs_url: str = ""

    def on_reply(self, method: Method[Any, Any], reply: Reply) -> Reply:
        if method.name not in {"GetExecutionData", "GetNodeExecutionData", "GetTaskExecutionData"}:
            return reply
        answer: Any = method.response_type(full_inputs=self.full_inputs, full_outputs=self.full_outputs)
        answer.outputs.url = self.url
        answer.inputs.url = self.inputs_url
        return Reply(answer.SerializeToString())

    async def sign(self, request: bytes, _metadata: Metadata) -> bytes:
        assert dataproxy_pb2.CreateDownloadLocationRequest.FromString(request).native_url == URI
        if not self.signed:
            raise NotFoundError("no such object")
        return dataproxy_pb2.CreateDownloadLocationResponse(signed_url=self.signed).SerializeToString()

    async def put_execution(self, *, with_outputs: bool = True) -> None:
        task: Any = task_pb2.Task()
        message = await self.film.execution("SUCCEEDED", outputs={"uri": URI})
        task.id.CopyFrom(message.spec.launch_plan)
        task.id.resource_type = 1
        template = task.closure.compiled_task.template
        template.id.CopyFrom(task.id)
        template.interface.inputs.variables["a"].type.CopyFrom(INTEGER)
        if with_outputs:
            template.interface.outputs.variables["o0"].type.CopyFrom(INTEGER)
        message.spec.launch_plan.CopyFrom(task.id)
        await self.film.store.put_task(task)
        await self.film.store.put_execution(message)

    async def execution(self) -> FlyteWorkflowExecution:
        return await self.remote.fetch_execution("film")


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    ledger = Ledger()
    async with DevServer() as server, objects() as served:
        handlers: dict[str, Any] = dict(server._options.registry.handlers())
        channel = lambda: InProcessTransport(handlers)  # noqa: E731 - a channel for each attempt
        async with remote_over(channel, ledger, max_attempts=1, max_message_bytes=10_000) as remote:
            made = Stage(Film(server.store), remote, ledger, served)
            handlers[CREATE_DOWNLOAD_LOCATION.path] = made.sign
            ledger.on_reply = made.on_reply
            await made.put_execution()
            yield made


async def failure_of(execution: FlyteWorkflowExecution) -> OutputsUnavailableError:
    with pytest.raises(OutputsUnavailableError) as caught:
        await execution.outputs.all()
    text = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert CANARY not in text
    return caught.value


# --- where outputs come from ----------------------------------------------------------------------------------------


async def test_outputs_in_the_answer(stage: Stage) -> None:
    stage.full_outputs = a_map(o0=7)
    execution = await stage.execution()
    assert await execution.outputs.all() == {"o0": 7}
    assert stage.ledger.counts == {"GetExecution": 1, "GetExecutionData": 1, "GetTask": 1}
    assert stage.objects.asked == []


async def test_outputs_behind_the_signed_url_of_the_answer(stage: Stage) -> None:
    stage.url = stage.objects.url("/one")
    stage.objects.bodies["/one"] = a_map(o0=8).SerializeToString()
    assert await (await stage.execution()).outputs.all() == {"o0": 8}
    assert "CreateDownloadLocation" not in stage.ledger.counts


@pytest.mark.parametrize("url", ["", "/gone"])
async def test_outputs_where_the_data_proxy_signs_for(stage: Stage, url: str) -> None:
    stage.url = stage.objects.url(url) if url else ""
    stage.signed = stage.objects.url("/two")
    stage.objects.bodies["/two"] = a_map(o0=9).SerializeToString()
    assert await (await stage.execution()).outputs["o0"] == 9
    assert stage.ledger.counts["CreateDownloadLocation"] == 1


async def test_an_entity_without_outputs_has_none(stage: Stage) -> None:
    await stage.put_execution(with_outputs=False)
    assert await (await stage.execution()).outputs.all() == {}
    assert stage.objects.asked == []


async def test_values_decode_without_a_definition(stage: Stage) -> None:
    refuse(stage.ledger, "GetTask", lambda: NotFoundError("deleted"))
    stage.full_outputs = a_map(o0=7)
    assert await (await stage.execution()).outputs["o0"] == 7


# --- when no source has them ----------------------------------------------------------------------------------------


async def test_what_was_tried_is_told(stage: Stage) -> None:
    error = await failure_of(await stage.execution())
    assert "the outputs of execution flytesnacks/development/film cannot be had" in str(error)
    assert len(error.tried) == 3
    assert "empty map" in error.tried[0]
    assert "signed URL in the answer: there is none" in error.tried[1]
    assert URI in error.tried[2]
    assert "no such object" in error.tried[2]
    assert all(tried in str(error) for tried in error.tried)


async def test_without_a_definition_an_empty_map_is_not_believed(stage: Stage) -> None:
    refuse(stage.ledger, "GetTask", lambda: UnavailableError("away"))
    await failure_of(await stage.execution())


async def test_a_place_that_is_not_known(stage: Stage) -> None:
    message = await stage.film.execution("SUCCEEDED")
    message.spec.launch_plan.resource_type = 1  # type: ignore[assignment]
    await stage.film.store.put_execution(message)
    error = await failure_of(await stage.execution())
    assert "not known" in error.tried[2]
    # On a real Flyte 1.16.8 such a recovery has ended well, and its closure has no outputs.
    assert "read those of that one" in error.tried[2]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/forbidden", "answers 403"),
        ("/away", "answers 503"),
        ("/moved", "answers 302"),
        ("/short", "RemoteProtocolError"),
        ("/large", "larger than 10,000 bytes"),
        ("/bytes", "malformed|cannot be parsed|LiteralMap"),
    ],
)
async def test_objects_that_cannot_be_read(
    stage: Stage, path: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    served = stage.objects
    served.bodies |= {"/short": bytes(1000), "/large": bytes(20_000), "/bytes": b"\xff\xff\xff"}
    served.statuses |= {"/away": "503 Service Unavailable", "/moved": "302 Found"}
    served.truncated.add("/short")
    stage.url = served.url(path)
    error = await failure_of(await stage.execution())
    assert re.search(words, error.tried[1])
    assert f"127.0.0.1:{served.port}{path}" in error.tried[1] or path == "/bytes"
    assert f"http://127.0.0.1:{served.port}{path}" in caplog.text  # the HTTP client logs what it asks for
    assert CANARY not in caplog.text
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)


@pytest.mark.parametrize(
    "url",
    [f"s3://bucket/{CANARY}?x={CANARY}", f"http://[{CANARY}", "http://", f"http://host:port{CANARY}/", "http://\x00/"],
)
async def test_urls_that_are_none(stage: Stage, url: str) -> None:
    stage.url = url
    with pytest.raises(OutputsUnavailableError) as caught:
        await (await stage.execution()).outputs.all()
    assert "signed URL in the answer" in caught.value.tried[1]
    assert f"?x={CANARY}" not in str(caught.value)


async def test_nobody_listens(stage: Stage) -> None:
    stage.url = f"http://127.0.0.1:1/x?sig={CANARY}"
    assert "ConnectError" in (await failure_of(await stage.execution())).tried[1]


async def test_an_object_that_never_comes(stage: Stage) -> None:
    stage.objects.bodies["/slow"] = b"x"
    stage.objects.hanging.add("/slow")
    with pytest.raises(OutputsUnavailableError, match="ReadTimeout"):
        await signed_urls.read(stage.objects.url("/slow"), limit=10, timeout=0.05)


async def test_an_object_that_never_comes_can_be_given_up(stage: Stage) -> None:
    stage.objects.bodies["/slow"] = b"x"
    stage.objects.hanging.add("/slow")
    stage.url = stage.objects.url("/slow")
    waiting = asyncio.create_task((await stage.execution()).outputs.all())
    await eventually(lambda: bool(stage.objects.asked))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


# --- once, and again ------------------------------------------------------------------------------------------------


async def test_inputs_and_outputs_share_one_request_however_many_await(stage: Stage) -> None:
    stage.full_outputs, stage.full_inputs = a_map(o0=7), a_map(a=1)
    execution = await stage.execution()
    stage.ledger.clear()
    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(execution.outputs.all())
            group.create_task(execution.inputs.all())
    assert stage.ledger.counts == {"GetExecutionData": 1, "GetTask": 1}


@pytest.mark.parametrize("error", [UnavailableError, InternalError])
async def test_a_failed_request_does_not_poison_the_next(stage: Stage, error: type[Exception]) -> None:
    stage.full_outputs = a_map(o0=7)
    refuse(stage.ledger, "GetExecutionData", error, times=1)
    execution = await stage.execution()
    with pytest.raises(error):
        await execution.outputs.all()
    assert await execution.outputs.all() == {"o0": 7}


async def test_storage_that_failed_does_not_poison_the_next(stage: Stage) -> None:
    stage.full_inputs = a_map(a=1)
    execution = await stage.execution()
    await failure_of(execution)
    # The inputs came along, and are not asked for again.
    stage.ledger.clear()
    assert await execution.inputs.all() == {"a": 1}
    assert stage.ledger.total == 0
    stage.full_outputs = a_map(o0=7)
    assert await execution.outputs.all() == {"o0": 7}
    assert stage.ledger.counts == {"GetExecutionData": 1}


async def test_an_awaiter_that_is_cancelled_leaves_the_request_to_the_next(stage: Stage) -> None:
    stage.full_outputs = a_map(o0=7)
    execution = await stage.execution()
    first, second = (asyncio.create_task(execution.outputs.all()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == {"o0": 7}
    assert first.cancelled()


async def test_outputs_that_failed_along_a_sync_are_asked_for_again(stage: Stage) -> None:
    execution = await (await stage.execution()).sync(sync_nodes=True, io=True)
    stage.full_outputs = a_map(o0=7)
    assert await execution.outputs.all() == {"o0": 7}


# --- inputs ---------------------------------------------------------------------------------------------------------


async def test_inputs_behind_a_signed_url(stage: Stage) -> None:
    stage.inputs_url = stage.objects.url("/in")
    stage.objects.bodies["/in"] = a_map(a=5).SerializeToString()
    assert await (await stage.execution()).inputs.all() == {"a": 5}


async def test_inputs_whose_url_is_dead_are_an_error(stage: Stage) -> None:
    stage.inputs_url = stage.objects.url("/in")
    with pytest.raises(OutputsUnavailableError, match="the inputs of execution"):
        await (await stage.execution()).inputs.all()


async def test_no_inputs_and_no_url_is_no_inputs(stage: Stage) -> None:
    assert await (await stage.execution()).inputs.all() == {}


# --- nodes and attempts ---------------------------------------------------------------------------------------------


async def test_nodes_and_attempts_have_the_data_of_their_task(stage: Stage) -> None:
    await stage.film.node("task", "SUCCEEDED", output_uri=URI)
    await stage.film.attempt("task", "SUCCEEDED", task="made.flow")
    stage.full_outputs = a_map(o0=7)
    look = await (await stage.execution()).sync(sync_nodes=True)
    node = look.node_executions["task"]
    assert await node.outputs["o0"] == 7
    assert await node.task_executions[0].outputs["o0"] == 7
    assert stage.ledger.counts["GetTask"] == 1


async def test_a_node_whose_outputs_are_lost(stage: Stage) -> None:
    await stage.film.node("task", "SUCCEEDED", output_uri=URI)
    await stage.film.attempt("task", "SUCCEEDED", task="made.flow")
    look = await (await stage.execution()).sync(sync_nodes=True)
    with pytest.raises(OutputsUnavailableError, match="the outputs of node"):
        await look.node_executions["task"].outputs.all()
    with pytest.raises(OutputsUnavailableError, match="the outputs of attempt"):
        await look.node_executions["task"].task_executions[0].outputs.all()


async def test_a_node_without_a_place_for_outputs_has_none(stage: Stage) -> None:
    await stage.film.node("gate", "SUCCEEDED")
    look = await (await stage.execution()).sync(sync_nodes=True)
    assert await look.node_executions["gate"].outputs.all() == {}


async def test_a_map_that_is_large_is_taken_apart_beside_the_loop(stage: Stage) -> None:
    collection: Any = literals_pb2.Literal()
    collection.collection.literals.extend([integer(1)] * 100_000)
    stage.full_outputs = literals_pb2.LiteralMap(literals={"o0": collection})
    assert stage.full_outputs.ByteSize() > 256 * 1024
    refuse(stage.ledger, "GetTask", lambda: NotFoundError("deleted"))
    assert len(await (await stage.execution()).outputs["o0"]) == 100_000


def test_urls_are_shown_without_what_signs_them() -> None:
    assert signed_urls.redacted(f"https://u:{CANARY}@host:9/p/o?sig={CANARY}#f") == "https://host:9/p/o"
    assert signed_urls.redacted("https://host/p") == "https://host/p"
    assert signed_urls.redacted(f"http://[{CANARY}") == "a malformed URL"
