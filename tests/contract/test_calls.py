"""What a call carries, and how it ends: the same over every transport."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from flyte_remote_async import errors
from flyte_remote_async.errors import (
    DeadlineExceededError,
    InternalError,
    MessageTooLargeError,
    RPCError,
    UnavailableError,
    UnimplementedError,
    rpc_error,
)
from flyte_remote_async.transport.base import Reply
from flyte_remote_async.transport.methods import CREATE_EXECUTION, GET_EXECUTION, GET_VERSION
from tests.support.eventually import eventually

if TYPE_CHECKING:
    from flyte_remote_async.transport.base import Metadata
    from tests.support.faces import Face

pytestmark = pytest.mark.anyio

CODES = sorted({cls.code for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, RPCError)})


async def echo(request: bytes, metadata: Metadata) -> bytes:
    return request


@pytest.mark.parametrize("message", [b"", b"\0", b"message", bytes(range(256)) * 4096])
async def test_bytes_go_and_come_back(face: Face, message: bytes) -> None:
    async with face({GET_EXECUTION.path: echo}) as transport:
        reply = await transport.unary(GET_EXECUTION, message, timeout=10)
    assert reply.message == message


async def test_metadata_goes_with_the_request_and_comes_with_the_reply(face: Face) -> None:
    seen: list[tuple[str, str | bytes]] = []

    async def answer(request: bytes, metadata: Metadata) -> Reply:
        seen.extend(metadata)
        return Reply(b"", (("server", "yes"), ("trace-bin", b"\xff\0")))

    async with face({GET_EXECUTION.path: answer}) as transport:
        sent = (("flyte-authorization", "Bearer t"), ("key-bin", b"\0\x80"), ("many", "1"), ("many", "2"))
        reply = await transport.unary(GET_EXECUTION, b"", metadata=sent)
    assert [entry for entry in seen if entry in sent] == list(sent)
    assert tuple(reply.trailing_metadata) == (("server", "yes"), ("trace-bin", b"\xff\0"))


async def test_many_calls_at_once_each_get_their_own_reply(face: Face) -> None:
    async def later(request: bytes, metadata: Metadata) -> bytes:
        await anyio.sleep(0.001 * (request[0] % 7))
        return request

    async with face({GET_EXECUTION.path: later}) as transport:
        requests = [bytes([n]) * (n + 1) * 50 for n in range(200)]
        replies = await asyncio.gather(*(transport.unary(GET_EXECUTION, request) for request in requests))
    assert [reply.message for reply in replies] == requests


@pytest.mark.parametrize("code", CODES)
async def test_each_status_is_its_own_error(face: Face, code: str) -> None:
    async def refuse(request: bytes, metadata: Metadata) -> bytes:
        raise rpc_error(code, "the reason: é\n100 %", trailing_metadata=(("k", "v"), ("k-bin", b"\0")))

    async with face({CREATE_EXECUTION.path: refuse}) as transport:
        with pytest.raises(RPCError) as caught:
            await transport.unary(CREATE_EXECUTION, b"")
    error = caught.value
    assert type(error) is type(rpc_error(code, ""))
    assert (error.details, error.method, error.attempts) == ("the reason: é\n100 %", "CreateExecution", 1)
    assert error.trailing_metadata == (("k", "v"), ("k-bin", b"\0"))
    assert error.endpoint
    assert not isinstance(error.__cause__, BaseException) or isinstance(error.__cause__, errors.FlyteRemoteError)


async def test_a_handler_that_breaks_is_an_internal_error(face: Face) -> None:
    async def broken(request: bytes, metadata: Metadata) -> bytes:
        raise KeyError("lost")

    async with face({CREATE_EXECUTION.path: broken}) as transport:
        with pytest.raises(InternalError, match="KeyError: 'lost'"):
            await transport.unary(CREATE_EXECUTION, b"")


async def test_an_rpc_that_the_server_does_not_have_is_unimplemented(face: Face) -> None:
    async with face({GET_EXECUTION.path: echo}) as transport:
        with pytest.raises(UnimplementedError, match="unknown method GetVersion"):
            await transport.unary(GET_VERSION, b"")


async def test_a_call_ends_by_its_timeout(face: Face) -> None:
    entered = left = 0

    async def slow(request: bytes, metadata: Metadata) -> bytes:
        nonlocal entered, left
        entered += 1
        try:
            await anyio.sleep_forever()
        finally:
            left += 1
        return b"never"

    async with face({GET_EXECUTION.path: slow}) as transport:
        with pytest.raises(DeadlineExceededError) as caught:
            await transport.unary(GET_EXECUTION, b"", timeout=0.2)
        await eventually(lambda: entered == left)
    assert isinstance(caught.value, TimeoutError)
    assert (caught.value.method, caught.value.attempts) == ("GetExecution", 1)
    # The caller's task was not left marked as cancelled, which would break the scopes around the call.
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@pytest.mark.parametrize("timeout", [0, -1.0])
async def test_a_timeout_that_is_over_sends_nothing(face: Face, timeout: float) -> None:
    calls = 0

    async def count(request: bytes, metadata: Metadata) -> bytes:
        nonlocal calls
        calls += 1
        return b""

    async with face({GET_EXECUTION.path: count}) as transport:
        with pytest.raises(DeadlineExceededError):
            await transport.unary(GET_EXECUTION, b"", timeout=timeout)
        await transport.unary(GET_EXECUTION, b"")
    assert calls == 1


async def test_a_read_is_sent_again_until_it_succeeds(face: Face) -> None:
    calls: list[bytes] = []

    async def recovers(request: bytes, metadata: Metadata) -> bytes:
        calls.append(request)
        if len(calls) < 4:
            raise rpc_error(["UNAVAILABLE", "INTERNAL", "UNKNOWN"][len(calls) - 1], "not yet")
        return b"now"

    async with face({GET_EXECUTION.path: recovers}) as transport:
        reply = await transport.unary(GET_EXECUTION, b"same")
    assert (reply.message, calls) == (b"now", [b"same"] * 4)


@pytest.mark.parametrize(("method", "attempts"), [(GET_EXECUTION, 5), (CREATE_EXECUTION, 1)])
async def test_a_launch_is_sent_once_and_a_read_five_times(face: Face, method: Any, attempts: int) -> None:
    calls = 0

    async def away(request: bytes, metadata: Metadata) -> bytes:
        nonlocal calls
        calls += 1
        raise UnavailableError("away")

    async with face({method.path: away}) as transport:
        with pytest.raises(UnavailableError) as caught:
            await transport.unary(method, b"")
    assert (calls, caught.value.attempts) == (attempts, attempts)


async def test_a_server_that_says_stop_is_not_asked_again(face: Face) -> None:
    calls = 0

    async def busy(request: bytes, metadata: Metadata) -> bytes:
        nonlocal calls
        calls += 1
        raise rpc_error("RESOURCE_EXHAUSTED", "busy", trailing_metadata=(("grpc-retry-pushback-ms", "-1"),))

    async with face({GET_EXECUTION.path: busy}) as transport:
        with pytest.raises(errors.ResourceExhaustedError):
            await transport.unary(GET_EXECUTION, b"")
    assert calls == 1


async def test_a_request_beyond_our_own_limit_is_not_sent(face: Face) -> None:
    async with face({GET_EXECUTION.path: echo}, max_message_bytes=1000) as transport:
        assert len((await transport.unary(GET_EXECUTION, b"x" * 1000)).message) == 1000
        with pytest.raises(MessageTooLargeError, match="as files or dataframes") as caught:
            await transport.unary(GET_EXECUTION, b"x" * 1001)
    assert (caught.value.size, caught.value.limit, caught.value.method) == (1001, 1000, "GetExecution")


async def test_a_request_beyond_the_servers_limit_is_sent_once(face: Face) -> None:
    async with face({GET_EXECUTION.path: echo}) as transport:
        assert len((await transport.unary(GET_EXECUTION, b"x" * 4 * 1024 * 1024, timeout=20)).message) == 4_194_304
        with pytest.raises(MessageTooLargeError, match="as files or dataframes") as caught:
            await transport.unary(GET_EXECUTION, b"x" * (4 * 1024 * 1024 + 1), timeout=20)
        # The words are those of Flyte's gRPC library.
        assert caught.value.details.startswith("grpc: received message larger than max (4194305 vs. 4194304)")
        assert (await transport.unary(GET_EXECUTION, b"fine")).message == b"fine"
    assert (caught.value.size, caught.value.limit, caught.value.attempts) == (4_194_305, 4_194_304, 1)


async def test_a_reply_beyond_our_limit_is_refused(network_face: Face) -> None:
    async def large(request: bytes, metadata: Metadata) -> bytes:
        return b"r" * int(request)

    async with network_face({GET_EXECUTION.path: large}, max_message_bytes=100_000) as transport:
        assert len((await transport.unary(GET_EXECUTION, b"100000")).message) == 100_000
        with pytest.raises(MessageTooLargeError, match="smaller pages") as caught:
            await transport.unary(GET_EXECUTION, b"100001")
        assert (await transport.unary(GET_EXECUTION, b"7")).message == b"r" * 7
    assert (caught.value.size, caught.value.limit, caught.value.attempts) == (100_001, 100_000, 1)


async def test_a_reply_of_many_megabytes_arrives(network_face: Face) -> None:
    async def large(request: bytes, metadata: Metadata) -> bytes:
        return b"0123456789abcdef" * (2 * 1024 * 1024)

    async with network_face({GET_EXECUTION.path: large}) as transport:
        reply = await transport.unary(GET_EXECUTION, b"", timeout=30)
    assert reply.message == b"0123456789abcdef" * (2 * 1024 * 1024)


@pytest.mark.parametrize("entry", [("Upper", "v"), ("grpc-timeout", "1S"), ("a", "line\nbreak"), ("a-bin", "text")])
async def test_metadata_that_cannot_be_sent_is_refused(network_face: Face, entry: tuple[str, str]) -> None:
    async with network_face({GET_EXECUTION.path: echo}) as transport:
        with pytest.raises(errors.ConfigError, match="header"):
            await transport.unary(GET_EXECUTION, b"", metadata=(entry,))
