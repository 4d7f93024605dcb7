"""Containers on a devserver: from a registered task to its outputs, its deck and its end."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
from flyteidl.core import execution_pb2, identifier_pb2, literals_pb2, tasks_pb2, types_pb2

from flyte_remote_async.devserver import DevServer
from flyte_remote_async.errors import MissingExtraError, NotFoundError
from tests.support.containers import WRITE
from tests.support.eventually import eventually, eventually_so
from tests.support.raw import Asking

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

PHASE = execution_pb2.WorkflowExecution
PLACE = {"project": "flytesnacks", "domain": "development"}
OUTPUTS = literals_pb2.LiteralMap(literals={"o0": literals_pb2.Literal(scalar={"primitive": {"integer": 5}})})


async def launched(ask: Asking, code: str, *arguments: str, retries: int = 0, deck: bool | None = None) -> Any:
    """Register a task that runs Python code, start it, and return the name of its execution."""
    identity = identifier_pb2.Identifier(resource_type=identifier_pb2.TASK, **PLACE, name="t", version="v")
    task = tasks_pb2.TaskTemplate(id=identity, type="python-task")
    task.metadata.runtime.type = tasks_pb2.RuntimeMetadata.FLYTE_SDK
    task.metadata.runtime.version = "1"
    task.metadata.retries.retries = retries
    if deck is not None:
        task.metadata.generates_deck.value = deck
    task.interface.inputs.SetInParent()
    task.interface.outputs.variables["o0"].type.simple = types_pb2.INTEGER
    task.container.image = "image"
    task.container.args.extend([sys.executable, "-c", code, *arguments])
    await ask("CreateTask", id=identity, spec={"template": task})
    created = await ask("CreateExecution", **PLACE, name="e1", spec={"launch_plan": identity}, inputs={})
    return created.id


async def ended(ask: Asking, run: Any) -> Any:
    with anyio.fail_after(30):
        while True:
            execution = await ask("GetExecution", id=run)
            if execution.closure.phase in {PHASE.SUCCEEDED, PHASE.FAILED, PHASE.ABORTED}:
                return execution
            await anyio.sleep(0.01)


async def attempts(ask: Asking, run: Any) -> Any:
    node = identifier_pb2.NodeExecutionIdentifier(node_id="t", execution_id=run)
    return (await ask("ListTaskExecutions", node_execution_id=node, limit=10)).task_executions


async def test_outputs_decks_and_logs_are_where_flyte_has_them(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        async with DevServer(run_containers=True) as dev, httpx.AsyncClient() as http:
            assert "runs code here as this user" in caplog.text
            ask = Asking(dev.transport())
            files = ("outputs.pb", OUTPUTS.SerializeToString().hex(), "deck.html", b"<p>deck".hex())
            run = await launched(ask, "print('hello', flush=True)\n" + WRITE, "{{.outputPrefix}}", *files)
            assert (await ended(ask, run)).closure.phase == PHASE.SUCCEEDED
            assert (await ask("GetExecutionData", id=run)).full_outputs == OUTPUTS
            (attempt,) = await attempts(ask, run)
            log = await http.get(attempt.closure.logs[0].uri)
            assert (log.text, log.headers["content-type"]) == ("hello\n", "text/plain; charset=utf-8")
            node = attempt.id.node_execution_id
            link = await ask("CreateDownloadLink", artifact_type=1, node_execution_id=node)
            deck = await http.get(link.pre_signed_urls.signed_url[0])
            assert (deck.text, deck.headers["content-type"]) == ("<p>deck", "text/html")
            assert "sandbox" in deck.headers["content-security-policy"]
            data = await ask("GetNodeExecutionData", id=node)
            again = await ask("GetData", flyte_url=data.flyte_urls.deck)
            assert (await http.get(again.pre_signed_urls.signed_url[0])).text == "<p>deck"
            await dev.objects.delete(attempt.closure.output_uri.removeprefix("s3://my-s3-bucket/"))
            await dev.objects.delete("metadata/propeller/flytesnacks-development-e1/t/data/0/deck.html")
            with pytest.raises(NotFoundError, match="object not found"):
                await ask("CreateDownloadLink", artifact_type=1, node_execution_id=node)


async def test_a_deck_can_be_read_while_its_task_runs() -> None:
    async with DevServer(run_containers=True) as dev, httpx.AsyncClient() as http:
        ask = Asking(dev.transport())
        code = WRITE + "print('up', flush=True)\nimport time; time.sleep(300)"
        run = await launched(ask, code, "{{.outputPrefix}}", "deck.html", b"<p>early".hex(), deck=True)
        node = identifier_pb2.NodeExecutionIdentifier(node_id="t", execution_id=run)

        async def is_up() -> bool:
            logs = [log for attempt in await attempts(ask, run) for log in attempt.closure.logs]
            return bool(logs) and (await http.get(logs[0].uri)).text == "up\n"

        await eventually_so(is_up)
        link = await ask("CreateDownloadLink", artifact_type=1, node_execution_id=node)
        assert (await http.get(link.pre_signed_urls.signed_url[0])).text == "<p>early"
        await ask("TerminateExecution", id=run, cause="enough")
        await ended(ask, run)
        assert not (await ask("GetNodeExecution", id=node)).closure.deck_uri


@pytest.mark.parametrize(("deck", "has_one"), [(True, True), (False, False), (None, False)])
async def test_a_failed_node_has_the_deck_that_its_task_says_it_makes(*, deck: bool | None, has_one: bool) -> None:
    async with DevServer(run_containers=True) as dev:
        ask = Asking(dev.transport())
        code = WRITE + "sys.exit(1)"
        run = await launched(ask, code, "{{.outputPrefix}}", "deck.html", b"<p>late".hex(), deck=deck)
        assert (await ended(ask, run)).closure.phase == PHASE.FAILED
        node = await ask("GetNodeExecution", id={"node_id": "t", "execution_id": run})
        assert node.closure.error.code == "RetriesExhausted|Interrupted"
        last = "metadata/propeller/flytesnacks-development-e1/t/data/3/deck.html"
        assert node.closure.deck_uri == (f"s3://my-s3-bucket/{last}" if has_one else "")


async def test_an_aborted_execution_ends_its_process() -> None:
    async with DevServer(run_containers=True) as dev, httpx.AsyncClient() as http:
        ask = Asking(dev.transport())
        run = await launched(ask, "import time; print('up', flush=True); time.sleep(300)")

        async def is_up() -> bool:
            logs = [log for attempt in await attempts(ask, run) for log in attempt.closure.logs]
            return bool(logs) and (await http.get(logs[0].uri)).text == "up\n"

        await eventually_so(is_up)
        await ask("TerminateExecution", id=run, cause="enough")
        assert (await ended(ask, run)).closure.phase == PHASE.ABORTED
        assert not dev._opened().data.logs._live


async def test_a_server_that_is_closed_ends_its_processes() -> None:
    async with DevServer(run_containers=True) as dev:
        ask = Asking(dev.transport())
        run = await launched(ask, "import time; time.sleep(300)")

        async def has_begun() -> bool:
            return bool(await attempts(ask, run))

        await eventually_so(has_begun)
        logs = dev._opened().data.logs
    assert not logs._live


async def test_a_log_that_is_not_there_is_said() -> None:
    async with DevServer() as dev, httpx.AsyncClient() as http:
        answer = await http.get(f"http://{dev.http_endpoint}/logs/p/d/e/n/0")
        assert (answer.status_code, answer.text) == (404, "there is no log of p/d/e/n/0\n")


async def test_without_the_extra_all_but_http_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flyte_remote_async.devserver.web.face.find_spec", lambda _name: None)
    command = "pip install 'flyte-remote-async\\[devserver\\]'"
    async with DevServer() as dev:
        ask = Asking(dev.transport())
        assert (await ask("ListProjects")).projects
        with pytest.raises(MissingExtraError, match=command):
            _ = dev.http_endpoint
        with pytest.raises(Exception, match=command):
            await ask("CreateDownloadLocation", native_url="s3://my-s3-bucket/x")
    with pytest.raises(MissingExtraError, match=command):
        await DevServer(run_containers=True).start()


async def test_a_server_that_is_closed_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    async with DevServer(run_containers=True) as dev:
        code = "open('mine', 'w').close(); import time; time.sleep(300)"
        await launched(Asking(dev.transport()), code)
        await eventually(lambda: len(list(tmp_path.glob("flyte-devserver-*/task-*/mine"))) == 1)
    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240 - nothing else runs
