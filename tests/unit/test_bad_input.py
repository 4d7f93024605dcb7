"""What people get wrong, and what goes wrong under them: each has an error that says what to do."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import anyio
import pytest
import trustme
from anyio.from_thread import start_blocking_portal

from flyte_remote_async import FlyteRemote
from flyte_remote_async.devserver import DevServer
from flyte_remote_async.devserver.faces.serving import ServerTLS, Serving
from flyte_remote_async.errors import (
    ClosedError,
    InvalidInputsError,
    MalformedMessageError,
    NotFoundError,
    UnavailableError,
    WrongLoopError,
)
from flyte_remote_async.transport.methods import GET_EXECUTION
from tests.support import recordings
from tests.support.cancelling import cancel_at_every_step
from tests.support.films import Film

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from flyte_remote_async.transport.base import Metadata

Backend: TypeAlias = Literal["grpcio", "grpclib"]

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["grpcio", "grpclib"])
def backend(request: pytest.FixtureRequest) -> Backend:
    found: Backend = request.param
    return found


def connect(endpoint: str, backend: Backend, **overrides: Any) -> FlyteRemote:
    usual: dict[str, Any] = {"insecure": True, "project": "flytesnacks", "domain": "development", "max_attempts": 1}
    return FlyteRemote.connect(endpoint, transport=backend, **(usual | overrides))


@asynccontextmanager
async def opened(backend: Backend) -> AsyncIterator[tuple[DevServer, FlyteRemote]]:
    async with DevServer() as server, connect(server.endpoint, backend) as remote:
        yield server, remote


@pytest.mark.parametrize("endpoint", ["127.0.0.1:1", "no-such-host.invalid:443"])
async def test_a_wrong_endpoint(backend: Backend, endpoint: str) -> None:
    async with connect(endpoint, backend) as remote:
        with pytest.raises(UnavailableError, match="check the endpoint, that the server runs") as caught:
            await remote.fetch_task("samples.add")
        assert isinstance(caught.value, ConnectionError)
        assert endpoint in str(caught.value)


async def test_tls_to_a_plaintext_server(backend: Backend) -> None:
    async with DevServer() as server, connect(server.endpoint, backend, insecure=False) as remote:
        with pytest.raises(UnavailableError, match=r"whether it wants TLS .* or not \(insecure=True\)"):
            await remote.fetch_task("samples.add")


async def test_plaintext_to_a_tls_server(backend: Backend) -> None:
    issued = trustme.CA().issue_cert("localhost")
    tls = ServerTLS(key=issued.private_key_pem.bytes(), certificate=issued.cert_chain_pems[0].bytes())
    async with Serving({}, tls=tls) as serving, connect(f"localhost:{await serving.start()}", backend) as remote:
        with pytest.raises(UnavailableError, match=r"whether it wants TLS \(insecure=False\)"):
            await remote.fetch_task("samples.add")


async def test_a_server_whose_certificate_is_not_trusted(backend: Backend) -> None:
    issued = trustme.CA().issue_cert("localhost")
    tls = ServerTLS(key=issued.private_key_pem.bytes(), certificate=issued.cert_chain_pems[0].bytes())
    async with (
        Serving({}, tls=tls) as serving,
        connect(f"localhost:{await serving.start()}", backend, insecure=False, max_attempts=5) as remote,
    ):
        with pytest.raises(UnavailableError, match=r"(?i)certificate") as caught:
            await remote.fetch_task("samples.add")
        assert caught.value.attempts == 1


async def test_a_closed_remote(backend: Backend) -> None:
    async with opened(backend) as (_, remote):
        handle = remote.execution("film")
    for use in (remote.fetch_task("samples.add"), handle.sync(), handle.wait(), handle.terminate("enough")):
        with pytest.raises(ClosedError, match="is closed: open a new one"):
            await use


async def test_a_remote_that_was_never_opened(backend: Backend) -> None:
    remote = connect("127.0.0.1:1", backend)
    with pytest.raises(ClosedError, match=r"use `async with remote:` or `await remote\.open\(\)`"):
        await remote.fetch_task("samples.add")


async def test_a_second_event_loop(backend: Backend) -> None:
    async with opened(backend) as (_, remote):
        caught: list[BaseException] = []

        def use() -> None:
            try:
                asyncio.run(remote.fetch_task("samples.add"))
            except WrongLoopError as error:
                caught.append(error)

        thread = threading.Thread(target=use)
        thread.start()
        await anyio.to_thread.run_sync(thread.join)
        assert "belongs to another event loop: open one in each loop" in str(caught[0])
        with pytest.raises(NotFoundError):
            await remote.fetch_task("samples.add")


FORK = """
import asyncio, os, sys
from flyte_remote_async.devserver import DevServer
from flyte_remote_async.errors import ForkedProcessError, NotFoundError

async def ask(remote):
    try:
        await remote.fetch_task("samples.add")
    except (ForkedProcessError, NotFoundError) as error:
        print(f"{type(error).__name__}: {error}", flush=True)

async def main():
    async with DevServer() as server, server.remote(transport=sys.argv[1]) as remote:
        await ask(remote)
        pid = os.fork()
        if pid == 0:
            try:
                await ask(remote)
                await remote.aclose()
            finally:
                os._exit(0)
        await asyncio.to_thread(os.waitpid, pid, 0)
        await ask(remote)

asyncio.run(main())
"""


def test_a_forked_child(backend: Backend) -> None:
    command = [sys.executable, "-c", FORK, backend]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=50)
    parent, child, again = result.stdout.splitlines()
    assert parent.startswith("NotFoundError")
    assert "open a remote in each process, after the fork" in child
    assert again.startswith("NotFoundError")


@pytest.mark.parametrize("version", [None, "v1"])
async def test_a_name_that_does_not_exist(backend: Backend, version: str | None) -> None:
    async with opened(backend) as (_, remote):
        for fetch in (remote.fetch_task, remote.fetch_workflow, remote.fetch_launch_plan):
            with pytest.raises(
                NotFoundError, match="check the project, the domain, the name and the version"
            ) as caught:
                await fetch("samples.nothing", version)
            assert isinstance(caught.value, LookupError)
            assert "flytesnacks/development/samples.nothing" in str(caught.value)
        for use in (remote.fetch_execution("nothing"), remote.execution("nothing").wait()):
            with pytest.raises(NotFoundError, match="flytesnacks/development/nothing"):
                await use


async def test_an_input_of_the_wrong_type(backend: Backend) -> None:
    async with opened(backend) as (server, remote):
        await server.store.put_task(recordings.load().get("TASK", "flytesnacks/development/samples.add/v2"))
        task = await remote.fetch_task("samples.add")
        with pytest.raises(InvalidInputsError, match=r"samples\.add") as caught:
            await remote.execute(task, {"a": "one", "b": 2, "c": 3})
        assert isinstance(caught.value, ValueError)
        assert set(caught.value.problems) == {"a", "c"}
        assert "no such input; there are: a, b" in str(caught.value)
        assert [execution async for execution in remote.list_executions()] == []


async def test_a_phase_that_does_not_exist_yet(backend: Backend) -> None:
    async with opened(backend) as (server, remote):
        film = Film(server.store)
        await film.execution()
        await film.node("future", 999)
        execution = await remote.execution("film").sync(sync_nodes=True)
        node = execution.node_executions["future"]
        assert (node.phase.name, int(node.phase), node.is_done) == ("UNKNOWN_999", 999, False)
        assert node.to_dict()["phase"] == "UNKNOWN_999"


async def test_malformed_bytes(backend: Backend) -> None:
    async def nonsense(request: bytes, metadata: Metadata) -> bytes:
        return b"\xff\xff\xff"

    async with (
        Serving({GET_EXECUTION.path: nonsense}) as serving,
        connect(f"127.0.0.1:{await serving.start()}", backend) as remote,
    ):
        with pytest.raises(MalformedMessageError, match="GetExecution: the reply is malformed"):
            await remote.fetch_execution("film")


def test_cancellation_at_any_await(backend: Backend) -> None:
    # The server has a loop of its own, so that all tasks here are the client's.
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(DevServer()) as server:
        portal.call(put_tree, server)
        asyncio.run(cancel_everywhere(server.endpoint, backend))


async def put_tree(server: DevServer) -> None:
    film = Film(server.store)
    await film.execution()
    await film.node("sub", is_parent_node=True)
    await film.node("sub-task", parent="sub")
    await film.attempt("sub-task")


async def cancel_everywhere(endpoint: str, backend: Backend) -> None:
    async with connect(endpoint, backend) as remote:
        await remote.execution("film").sync(sync_nodes=True)

        async def look() -> None:
            await remote.execution("film").sync(sync_nodes=True)

        def nothing_is_held() -> None:
            assert remote._open.reads.borrowed_tokens == 0

        # Far from the start all steps are alike: between two replies.
        assert await cancel_at_every_step(look, nothing_is_held, stretch=20) > 5
        assert (await remote.execution("film").sync(sync_nodes=True)).has_nodes
