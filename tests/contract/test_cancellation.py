"""Cancelling a call is the caller's own affair, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest

from flyte_remote_async.errors import UnavailableError
from flyte_remote_async.transport.methods import GET_EXECUTION, GET_VERSION
from tests.support.eventually import eventually

if TYPE_CHECKING:
    from flyte_remote_async.devserver.faces.serving import Handler
    from flyte_remote_async.transport.base import Metadata, Transport
    from tests.support.faces import Face

pytestmark = pytest.mark.anyio


class Slow:
    """Handlers of which one never answers, and that know who is inside."""

    def __init__(self) -> None:
        self.entered = 0
        self.left = 0
        self.inside = anyio.Event()

    async def hang(self, request: bytes, metadata: Metadata) -> bytes:  # noqa: ARG002
        self.entered += 1
        self.inside.set()
        try:
            await anyio.sleep_forever()
        finally:
            self.left += 1
        return b"never"

    async def echo(self, request: bytes, metadata: Metadata) -> bytes:  # noqa: ARG002
        self.entered += 1
        try:
            for _ in range(5):
                await anyio.lowlevel.checkpoint()
        finally:
            self.left += 1
        return request

    @property
    def handlers(self) -> dict[str, Handler]:
        return {GET_EXECUTION.path: self.hang, GET_VERSION.path: self.echo}

    async def empty(self) -> None:
        """Wait until every call that came in has ended."""
        await eventually(lambda: self.left == self.entered)


def cancelling() -> int:
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


async def works(transport: Transport) -> bool:
    return (await transport.unary(GET_VERSION, b"still")).message == b"still"


async def test_a_scope_that_times_out_gets_its_own_cancellation(face: Face) -> None:
    slow = Slow()
    async with face(slow.handlers) as transport:
        with pytest.raises(TimeoutError), anyio.fail_after(0.05):
            await transport.unary(GET_EXECUTION, b"")
        with anyio.move_on_after(0.05) as scope:
            await transport.unary(GET_EXECUTION, b"")
        assert scope.cancelled_caught
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await transport.unary(GET_EXECUTION, b"")
        assert cancelling() == 0
        await slow.empty()
        assert await works(transport)


async def test_a_cancelled_task_ends_as_cancelled(face: Face) -> None:
    slow = Slow()
    async with face(slow.handlers) as transport:
        task = asyncio.create_task(transport.unary(GET_EXECUTION, b""))
        await slow.inside.wait()
        task.cancel("mine")
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        await slow.empty()
        assert await works(transport)


async def test_the_failure_of_a_sibling_ends_the_call(face: Face) -> None:
    slow = Slow()

    async def fail() -> None:
        await slow.inside.wait()
        raise LookupError("sibling")

    async with face(slow.handlers) as transport:
        with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012 - the group raises when it ends
            async with asyncio.TaskGroup() as group:
                group.create_task(transport.unary(GET_EXECUTION, b""))
                group.create_task(fail())
        assert [type(error) for error in caught.value.exceptions] == [LookupError]
        await slow.empty()
        assert await works(transport)


async def test_a_timeout_of_the_call_and_a_scope_around_it_do_not_disturb_each_other(face: Face) -> None:
    slow = Slow()
    async with face(slow.handlers) as transport:
        for timeout in (0.02, 0.03, 0.04):
            with anyio.move_on_after(0.03):
                with pytest.raises(TimeoutError):
                    await transport.unary(GET_EXECUTION, b"", timeout=timeout)
                await anyio.lowlevel.checkpoint()
            assert cancelling() == 0
        assert await works(transport)


async def test_cancelling_at_any_moment_leaves_nothing_behind(face: Face) -> None:
    slow = Slow()
    async with face(slow.handlers) as transport:
        assert await works(transport)
        before = len(asyncio.all_tasks())
        finished = 0
        for turns in range(60):
            task = asyncio.create_task(transport.unary(GET_VERSION, b"x" * 50, timeout=30))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            try:
                reply = await task
            except asyncio.CancelledError:
                assert cancelling() == 0
            else:
                finished += 1
                assert reply.message == b"x" * 50
        await slow.empty()
        await eventually(lambda: len(asyncio.all_tasks()) <= before)
        assert await works(transport)
    assert slow.entered == slow.left


async def test_the_first_call_cancelled_at_any_moment_leaves_a_transport_that_works(network_face: Face) -> None:
    for turns in range(12):
        slow = Slow()
        async with network_face(slow.handlers) as transport:
            tasks = [asyncio.create_task(transport.unary(GET_VERSION, b"x")) for _ in range(3)]
            for _ in range(turns):
                await asyncio.sleep(0)
            tasks[0].cancel()
            first, *others = await asyncio.gather(*tasks, return_exceptions=True)
            assert isinstance(first, asyncio.CancelledError) or not isinstance(first, BaseException)
            assert [getattr(reply, "message", reply) for reply in others] == [b"x", b"x"]
            assert await works(transport)


async def test_a_call_between_two_attempts_can_be_cancelled(face: Face) -> None:
    calls = 0

    async def away(request: bytes, metadata: Metadata) -> bytes:
        nonlocal calls
        calls += 1
        raise UnavailableError("away", trailing_metadata=(("grpc-retry-pushback-ms", "60000"),))

    async with face({GET_EXECUTION.path: away}) as transport:
        task = asyncio.create_task(transport.unary(GET_EXECUTION, b""))
        await eventually(lambda: calls == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert calls == 1
