"""What is particular to one backend."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anyio
import pytest

from flyte_remote_async.devserver.faces.serving import Serving
from flyte_remote_async.errors import ClosedError, UnavailableError
from flyte_remote_async.transport import grpclib
from flyte_remote_async.transport.connect import open_transport
from flyte_remote_async.transport.methods import GET_EXECUTION
from flyte_remote_async.transport.target import Target
from tests.support.faults import tcp_server

if TYPE_CHECKING:
    from flyte_remote_async.transport.base import Metadata
    from flyte_remote_async.transport.connect import Backend

pytestmark = pytest.mark.anyio

BACKENDS: tuple[Backend, ...] = ("grpcio", "grpclib")


async def echo(request: bytes, metadata: Metadata) -> bytes:
    return request


def on(port: int) -> Target:
    return Target.parse(f"127.0.0.1:{port}", insecure=True)


@pytest.mark.parametrize("backend", BACKENDS)
async def test_the_server_sees_who_calls(backend: Backend) -> None:
    agents: list[str | bytes] = []

    async def note(request: bytes, metadata: Metadata) -> bytes:
        agents.extend(value for key, value in metadata if key == "user-agent")
        return b""

    async with Serving({GET_EXECUTION.path: note}) as serving:
        transport = open_transport(on(await serving.start()), backend=backend)
        await transport.unary(GET_EXECUTION, b"")
        await transport.aclose()
    assert str(agents[0]).startswith("flyte-remote-async/")


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_bare_channel_that_is_closed_says_so(backend: Backend) -> None:
    async with Serving({GET_EXECUTION.path: echo}) as serving:
        transport = open_transport(on(await serving.start()), backend=backend)
        await transport.unary(GET_EXECUTION, b"")
        await transport.aclose()
        await transport.aclose()
        with pytest.raises(ClosedError, match=r"GetExecution: .* closed"):
            await transport.unary(GET_EXECUTION, b"")


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_bare_channel_that_was_never_used_is_closed(backend: Backend) -> None:
    transport = open_transport(on(1), backend=backend)
    await transport.aclose()
    with pytest.raises(ClosedError):
        await transport.unary(GET_EXECUTION, b"")


async def test_grpclib_ends_a_call_in_flight_with_its_connection() -> None:
    inside = anyio.Event()

    async def hang(request: bytes, metadata: Metadata) -> bytes:
        inside.set()
        await anyio.sleep_forever()
        return b"never"

    async with Serving({GET_EXECUTION.path: hang}) as serving:
        transport = open_transport(on(await serving.start()), backend="grpclib")
        call = asyncio.create_task(transport.unary(GET_EXECUTION, b""))
        await inside.wait()
        await transport.aclose()
        with pytest.raises(ClosedError):
            await call


async def test_grpclib_leaves_an_idle_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    connections = 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", port)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65_536):
                sink.write(data)

        back = asyncio.create_task(pump(up_reader, writer))
        await pump(reader, up_writer)
        back.cancel()
        up_writer.close()

    async with Serving({GET_EXECUTION.path: echo}) as serving:
        port = await serving.start()
        async with tcp_server(count) as proxy:
            transport = open_transport(on(proxy), backend="grpclib")
            await transport.unary(GET_EXECUTION, b"")
            await transport.unary(GET_EXECUTION, b"")
            assert connections == 1
            monkeypatch.setattr(grpclib, "_IDLE_SECONDS", 0.0)
            await asyncio.gather(*(transport.unary(GET_EXECUTION, b"") for _ in range(5)))
            await transport.aclose()
    assert connections == 2


async def test_grpclib_does_not_knock_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpclib, "_FIRST_BACKOFF", 100.0)
    monkeypatch.setattr(grpclib, "_LAST_BACKOFF", 100.0)
    knocks = 0

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal knocks
        knocks += 1

    async with tcp_server(refuse) as port:
        transport = open_transport(Target.parse(f"127.0.0.1:{port}"), backend="grpclib")
        calls = [asyncio.create_task(transport.unary(GET_EXECUTION, b"", timeout=20)) for _ in range(20)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        await transport.aclose()
    assert {type(result) for result in results} == {UnavailableError}
    assert len({str(result) for result in results}) == 1
    assert knocks == 1


async def test_grpclib_closed_while_it_connects() -> None:
    knocked = anyio.Event()
    go = anyio.Event()

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        knocked.set()
        await go.wait()

    async with tcp_server(stall) as port:
        transport = open_transport(Target.parse(f"127.0.0.1:{port}"), backend="grpclib")
        call = asyncio.create_task(transport.unary(GET_EXECUTION, b"", timeout=20))
        await knocked.wait()
        await transport.aclose()
        go.set()
        with pytest.raises(ClosedError):
            await call
