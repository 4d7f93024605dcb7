"""Real gRPC in front of handlers."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import grpc
import grpc.aio
import pytest

from flyte_remote_async.devserver.faces.serving import Serving
from flyte_remote_async.transport.methods import GET_EXECUTION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from flyte_remote_async.devserver.faces.serving import Handler
    from flyte_remote_async.transport.base import Metadata

pytestmark = pytest.mark.anyio


def rpc(channel: grpc.aio.Channel, path: str = GET_EXECUTION.path) -> Callable[[bytes], Awaitable[bytes]]:
    """Return a call that carries bytes."""
    found: Any = channel.unary_unary(path)  # the stubs cannot tell what it carries
    call: Callable[[bytes], Awaitable[bytes]] = found
    return call


@asynccontextmanager
async def served(handlers: Mapping[str, Handler], **options: Any) -> AsyncIterator[grpc.aio.Channel]:
    """Serve handlers, and give a channel to them."""
    async with (
        Serving(handlers, **options) as serving,
        grpc.aio.insecure_channel(f"127.0.0.1:{await serving.start()}") as channel,
    ):
        yield channel


async def echo(request: bytes, metadata: Metadata) -> bytes:
    return request


async def test_a_port_that_is_taken_is_an_error_that_says_so() -> None:
    async with Serving({}) as first, Serving({}) as second:
        port = await first.start()
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
            await second.start(port=port)


@pytest.mark.parametrize("port", [0, 1])
async def test_a_host_that_there_is_not_is_an_error_that_says_so(port: int) -> None:
    async with Serving({}) as serving:
        with pytest.raises(OSError, match=f"cannot listen on no.such.host.invalid:{port}: "):
            await serving.start("no.such.host.invalid", port)


async def test_it_stops_once_and_starts_again() -> None:
    serving = Serving({GET_EXECUTION.path: echo})
    await serving.stop()
    port = await serving.start()
    await serving.stop()
    await serving.stop()
    assert await serving.start(port=port) == port
    await serving.stop()


@pytest.mark.parametrize(
    ("path", "details"),
    [
        ("/flyteidl.service.AdminService/GetTask", "unknown method GetTask for service flyteidl.service.AdminService"),
        ("/flyteidl.service.AdminService/Nothing", "unknown method Nothing for service flyteidl.service.AdminService"),
        ("/flyteidl.service.Else/GetTask", "unknown service flyteidl.service.Else"),
    ],
)
async def test_what_is_not_served_is_refused_in_the_words_of_flyteadmin(path: str, details: str) -> None:
    async with served({GET_EXECUTION.path: echo, "/flyteidl.service.AdminService/Nothing": echo}) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await rpc(channel, path)(b"")
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.UNIMPLEMENTED, details)


async def test_a_handler_that_breaks_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(request: bytes, metadata: Metadata) -> bytes:
        raise ValueError("bug")

    async with served({GET_EXECUTION.path: broken}) as channel:
        with pytest.raises(grpc.aio.AioRpcError, match="ValueError: bug"):
            await rpc(channel)(b"")
    assert "the handler of /flyteidl.service.AdminService/GetExecution failed" in caplog.text


async def test_calls_in_flight_may_end_within_the_grace() -> None:
    inside = anyio.Event()
    go = anyio.Event()

    async def wait(request: bytes, metadata: Metadata) -> bytes:
        inside.set()
        await go.wait()
        return b"done"

    serving = Serving({GET_EXECUTION.path: wait})
    async with grpc.aio.insecure_channel(f"127.0.0.1:{await serving.start()}") as channel:
        call = asyncio.ensure_future(rpc(channel)(b""))
        await inside.wait()
        stop = asyncio.create_task(serving.stop(grace=20))
        await asyncio.sleep(0)
        go.set()
        assert await call == b"done"
        await stop


async def test_larger_requests_can_be_allowed() -> None:
    async with served({GET_EXECUTION.path: echo}, max_receive_bytes=10) as channel:
        call = rpc(channel)
        assert await call(b"x" * 10) == b"x" * 10
        with pytest.raises(grpc.aio.AioRpcError, match=r"grpc: received message larger than max \(11 vs\. 10\)"):
            await call(b"x" * 11)
        # So much is not even read.
        with pytest.raises(grpc.aio.AioRpcError, match=r"larger than max \(161 vs\. 160\)"):
            await call(b"x" * 161)
