"""Clients that send nonsense, too much, or nothing any more: the server stays up."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from typing import TYPE_CHECKING

import anyio.to_thread
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte_remote_async.devserver import DevServer, Hang
from flyte_remote_async.errors import ClosedError, InternalError, MessageTooLargeError, RPCError
from flyte_remote_async.policy.retry import RetryPolicy
from flyte_remote_async.transport.connect import connect
from flyte_remote_async.transport.methods import GET_EXECUTION, GET_VERSION, METHODS
from flyte_remote_async.transport.target import Target
from tests.support.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from flyte_remote_async.transport.base import Transport

pytestmark = pytest.mark.anyio

ONCE = RetryPolicy(max_attempts=1)


@pytest.fixture
async def dev() -> AsyncIterator[DevServer]:
    async with DevServer() as dev:
        yield dev


@contextlib.asynccontextmanager
async def client(dev: DevServer) -> AsyncIterator[Transport]:
    transport = connect(Target.parse(dev.endpoint, insecure=True), policy=ONCE)
    try:
        yield transport
    finally:
        await transport.aclose()


async def works(dev: DevServer) -> bool:
    async with client(dev) as transport:
        return bool((await transport.unary(GET_VERSION, b"", timeout=20)).message)


async def test_a_request_that_is_no_message_is_refused_by_every_rpc(dev: DevServer) -> None:
    async with client(dev) as transport:
        for method in METHODS.values():
            with pytest.raises(RPCError) as caught:
                await transport.unary(method, b"\xff\xff\xff", timeout=20)
            assert caught.value.code in {"INTERNAL", "UNIMPLEMENTED"}, method
    assert await works(dev)


@given(junk=st.lists(st.tuples(st.sampled_from(sorted(METHODS)), st.binary(max_size=60)), max_size=20))
async def test_nonsense_never_breaks_it(junk: list[tuple[str, bytes]]) -> None:
    async with DevServer() as dev:
        transport = dev.transport()
        for path, request in junk:
            with contextlib.suppress(RPCError):
                await transport.unary(METHODS[path], request, timeout=20)
        assert (await transport.unary(GET_VERSION, b"")).message


async def test_a_request_that_is_too_large_is_refused(dev: DevServer) -> None:
    async with client(dev) as transport:
        with pytest.raises(MessageTooLargeError):
            await transport.unary(GET_EXECUTION, b"\n" * 5_000_000, timeout=20)
        with pytest.raises(InternalError):
            await transport.unary(GET_EXECUTION, b"\xff" * 4_000_000, timeout=20)
    assert await works(dev)


async def test_what_speaks_no_http2_is_hung_up_on(dev: DevServer) -> None:
    host, _, port = dev.endpoint.rpartition(":")
    for words in (b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", bytes(range(256)) * 40):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(words)
        if words:
            with contextlib.suppress(ConnectionError):
                await asyncio.wait_for(reader.read(), 20)
        writer.close()
    assert await works(dev)


async def test_a_client_that_vanishes_leaves_nothing_behind(dev: DevServer) -> None:
    before = len(asyncio.all_tasks())
    hang = dev.faults.add(Hang(), GET_EXECUTION)
    async with client(dev) as transport:
        calls = [asyncio.ensure_future(transport.unary(GET_EXECUTION, b"", timeout=60)) for _ in range(20)]
        await eventually(lambda: hang.hits == 20)
        await transport.aclose()
        results = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(result) for result in results} == {ClosedError}
    await eventually(lambda: len(asyncio.all_tasks()) <= before)
    assert await works(dev)


@pytest.fixture
def many_files() -> Iterator[None]:
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < 4000:
        pytest.skip("this machine allows too few open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before, 4000), most))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))


async def test_a_thousand_connections_do_not_keep_others_out(dev: DevServer, many_files: None) -> None:
    host, _, port = dev.endpoint.rpartition(":")
    with contextlib.ExitStack() as open_ones:

        def connect_all() -> None:
            for _ in range(1000):
                connection = open_ones.enter_context(socket.create_connection((host, int(port)), timeout=20))
                connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

        await anyio.to_thread.run_sync(connect_all)
        assert await works(dev)
    assert await works(dev)
