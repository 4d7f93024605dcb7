"""When and where a transport can be used."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import anyio
import pytest

from flyte_remote_async.errors import (
    ClosedError,
    ConfigError,
    UnavailableError,
    UnsupportedLoopError,
    WrongLoopError,
)
from flyte_remote_async.transport.connect import connect, open_transport
from flyte_remote_async.transport.methods import GET_EXECUTION
from flyte_remote_async.transport.target import Target
from tests.support.eventually import eventually

if TYPE_CHECKING:
    from flyte_remote_async.transport.base import Metadata
    from flyte_remote_async.transport.connect import Backend
    from tests.support.faces import Face

pytestmark = pytest.mark.anyio

NOWHERE = Target.parse("127.0.0.1:1", insecure=True)
BACKENDS: tuple[Backend, ...] = ("grpcio", "grpclib")


async def echo(request: bytes, metadata: Metadata) -> bytes:
    return request


async def test_a_closed_transport_says_so(face: Face) -> None:
    async with face({GET_EXECUTION.path: echo}) as transport:
        await transport.unary(GET_EXECUTION, b"")
        await transport.aclose()
        await transport.aclose()
        with pytest.raises(ClosedError, match=r"GetExecution: .* is closed"):
            await transport.unary(GET_EXECUTION, b"")


async def test_a_close_ends_the_calls_in_flight(face: Face) -> None:
    inside = 0

    async def hang(request: bytes, metadata: Metadata) -> bytes:
        nonlocal inside
        inside += 1
        await anyio.sleep_forever()
        return b""

    async with face({GET_EXECUTION.path: hang}) as transport:
        tasks = [asyncio.create_task(transport.unary(GET_EXECUTION, b"")) for _ in range(50)]
        await eventually(lambda: inside == 50)
        with anyio.fail_after(10):
            await transport.aclose()
            results = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(result) for result in results} == {ClosedError}
    assert "was closed while the call was in flight" in str(results[0])
    assert {task.cancelling() for task in tasks} == {0}


async def test_a_close_ends_a_call_between_two_attempts(face: Face) -> None:
    asked = anyio.Event()

    async def away(request: bytes, metadata: Metadata) -> bytes:
        asked.set()
        raise UnavailableError("away", trailing_metadata=(("grpc-retry-pushback-ms", "60000"),))

    async with face({GET_EXECUTION.path: away}) as transport:
        task = asyncio.create_task(transport.unary(GET_EXECUTION, b""))
        await asked.wait()
        await transport.aclose()
        with pytest.raises(ClosedError), anyio.fail_after(10):
            await task


async def test_a_cancellation_that_comes_with_the_close_wins(face: Face) -> None:
    inside = anyio.Event()

    async def hang(request: bytes, metadata: Metadata) -> bytes:
        inside.set()
        await anyio.sleep_forever()
        return b""

    async with face({GET_EXECUTION.path: hang}) as transport:
        task = asyncio.create_task(transport.unary(GET_EXECUTION, b""))
        await inside.wait()
        task.cancel()
        await transport.aclose()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_another_loop_is_refused(face: Face) -> None:
    async with face({GET_EXECUTION.path: echo}) as transport:
        caught: list[BaseException] = []

        async def elsewhere() -> None:
            for attempt in (transport.unary(GET_EXECUTION, b""), transport.aclose()):
                try:
                    await attempt
                except WrongLoopError as error:
                    caught.append(error)

        thread = threading.Thread(target=asyncio.run, args=(elsewhere(),))
        thread.start()
        await anyio.to_thread.run_sync(thread.join)
        assert len(caught) == 2
        assert "belongs to another event loop" in str(caught[0])
        assert (await transport.unary(GET_EXECUTION, b"fine")).message == b"fine"


async def test_without_asyncio_it_is_refused(face: Face) -> None:
    async with face({GET_EXECUTION.path: echo}) as transport:
        loop = asyncio.get_running_loop()
        call = transport.unary(GET_EXECUTION, b"")

        def drive() -> None:
            # As trio drives a coroutine: with no asyncio loop around.
            call.send(None)

        with pytest.raises(UnsupportedLoopError, match="not under trio"):
            await loop.run_in_executor(None, drive)


@pytest.mark.parametrize("backend", BACKENDS)
def test_it_is_opened_inside_a_loop_only(backend: Backend) -> None:
    with pytest.raises(UnsupportedLoopError, match="no asyncio event loop is running"):
        connect(NOWHERE, backend=backend)
    with pytest.raises(UnsupportedLoopError, match="no asyncio event loop is running"):
        open_transport(NOWHERE, backend=backend)


async def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(ConfigError, match="choose 'grpcio' or 'grpclib'"):
        connect(NOWHERE, backend="carrier pigeon")  # type: ignore[arg-type]


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_transport_that_is_never_closed_warns(backend: Backend) -> None:
    transport = connect(NOWHERE, backend=backend)
    with pytest.warns(ResourceWarning, match=r"127\.0\.0\.1:1 was never closed: use `async with`"):  # noqa: PT031
        del transport
        gc.collect()


FORK = """
import asyncio, os, sys
from flyte_remote_async.devserver.faces.serving import Serving
from flyte_remote_async.errors import ForkedProcessError
from flyte_remote_async.transport.connect import connect
from flyte_remote_async.transport.methods import GET_EXECUTION
from flyte_remote_async.transport.target import Target

async def echo(request, metadata):
    return request

async def child(transport):
    try:
        await transport.unary(GET_EXECUTION, b"")
    except ForkedProcessError as error:
        await transport.aclose()
        print("child:", error, flush=True)

async def main():
    async with Serving({GET_EXECUTION.path: echo}) as serving:
        port = await serving.start()
        transport = connect(Target.parse(f"127.0.0.1:{port}", insecure=True), backend=sys.argv[1])
        await transport.unary(GET_EXECUTION, b"")
        pid = os.fork()
        if pid == 0:
            try:
                await child(transport)
            finally:
                os._exit(0)
        await asyncio.to_thread(os.waitpid, pid, 0)
        print("parent:", (await transport.unary(GET_EXECUTION, b"fine")).message, flush=True)
        await transport.aclose()

asyncio.run(main())
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_forked_child_is_refused_and_the_parent_goes_on(backend: Backend) -> None:
    command = [sys.executable, "-c", FORK, backend]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=50)
    child, parent = sorted(line for line in result.stdout.splitlines() if line)
    assert "was opened before this process was forked" in child
    assert parent == "parent: b'fine'"
