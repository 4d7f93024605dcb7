"""What wraps a backend: retry within a deadline, and the replacement of channels."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from flyte_remote_async.config import Timeouts
from flyte_remote_async.errors import NotFoundError, RPCCancelledError, RPCError, UnavailableError, rpc_error
from flyte_remote_async.policy.retry import RetryPolicy
from flyte_remote_async.transport.base import Reply
from flyte_remote_async.transport.guard import Guard
from flyte_remote_async.transport.methods import CREATE_EXECUTION, GET_DATA, GET_EXECUTION
from flyte_remote_async.transport.replacer import ChannelReplacer
from flyte_remote_async.transport.retry import Retry

if TYPE_CHECKING:
    from flyte_remote_async.transport.base import Metadata, Method

pytestmark = pytest.mark.anyio


class Clock:
    """A clock that moves when somebody sleeps, or when an attempt takes time."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


class Script:
    """A transport that answers by a script: an error, or seconds that the attempt takes and then an error."""

    def __init__(self, clock: Clock, *answers: RPCError | None, takes: float = 0.0) -> None:
        self.clock = clock
        self.answers = list(answers)
        self.takes = takes
        self.timeouts: list[float | None] = []
        self.closed = False

    async def unary(
        self,
        method: Method[Any, Any],  # noqa: ARG002 - a script does not care
        request: bytes,
        *,
        timeout: float | None = None,
        metadata: Metadata = (),  # noqa: ARG002
    ) -> Reply:
        self.timeouts.append(timeout)
        self.clock.now += self.takes
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        return Reply(request)

    async def aclose(self) -> None:
        self.closed = True


def away() -> RPCError:
    return UnavailableError("away")


def retry(inner: Script, **options: Any) -> Retry:
    return Retry(inner, clock=inner.clock, sleep=inner.clock.sleep, chance=lambda: 1.0, **options)


async def test_pauses_grow_and_attempts_are_counted() -> None:
    script = Script(Clock(), *(away() for _ in range(5)))
    with pytest.raises(UnavailableError, match="tried 5 times"):
        await retry(script).unary(GET_EXECUTION, b"")
    assert script.clock.pauses == [0.1, 0.2, 0.4, 0.8]


@pytest.mark.parametrize(("method", "limit"), [(GET_EXECUTION, 15.0), (CREATE_EXECUTION, 30.0), (GET_DATA, 60.0)])
async def test_an_attempt_has_the_limit_of_its_kind(method: Method[Any, Any], limit: float) -> None:
    script = Script(Clock())
    await retry(script).unary(method, b"")
    await retry(script).unary(method, b"", timeout=1000)
    await retry(script).unary(method, b"", timeout=7)
    assert script.timeouts == [limit, limit, 7]


async def test_attempts_share_the_deadline_of_the_call() -> None:
    script = Script(Clock(), away(), away(), away(), takes=4.0)
    outer = retry(script, timeouts=Timeouts(read=5.0))
    with pytest.raises(UnavailableError, match="tried 3 times"):
        await outer.unary(GET_EXECUTION, b"", timeout=12.4)
    assert script.timeouts == [5.0, 5.0, pytest.approx(12.4 - 8.3)]
    # The third pause, 0.4 s, would end after the deadline.
    assert script.clock.pauses == [0.1, 0.2]


async def test_a_pause_that_would_pass_the_deadline_is_not_begun() -> None:
    script = Script(Clock(), rpc_error("UNAVAILABLE", "", trailing_metadata=(("grpc-retry-pushback-ms", "1500"),)))
    with pytest.raises(UnavailableError):
        await retry(script).unary(GET_EXECUTION, b"", timeout=1.5)
    assert script.clock.pauses == []


async def test_the_servers_own_pause_is_kept_exactly() -> None:
    script = Script(Clock(), rpc_error("UNAVAILABLE", "", trailing_metadata=(("grpc-retry-pushback-ms", "1500"),)))
    await retry(script).unary(GET_EXECUTION, b"", timeout=1.6)
    assert script.clock.pauses == [1.5]


async def test_an_empty_bucket_ends_all_retries_until_calls_succeed() -> None:
    script = Script(Clock(), *(away() for _ in range(4)))
    outer = retry(script, policy=RetryPolicy(capacity=10, cost=5))
    with pytest.raises(UnavailableError, match="tried 3 times"):
        await outer.unary(GET_EXECUTION, b"")
    with pytest.raises(UnavailableError) as caught:
        await outer.unary(GET_EXECUTION, b"")
    assert caught.value.attempts == 1
    # Five successes earn one retry, and a retry that succeeds is given back.
    for _ in range(5):
        await outer.unary(GET_EXECUTION, b"")
    for _ in range(2):
        script.answers = [away()]
        await outer.unary(GET_EXECUTION, b"")
    assert len(script.clock.pauses) == 4


async def test_an_error_that_is_not_an_rpcs_goes_straight_up() -> None:
    class Broken(Script):
        async def unary(self, *args: Any, **kwargs: Any) -> Reply:  # noqa: ARG002
            raise LookupError("bug")

    with pytest.raises(LookupError):
        await retry(Broken(Clock())).unary(GET_EXECUTION, b"")


# --- channels --------------------------------------------------------------------------------------------------------


class Channels:
    """Makes scripted channels, and keeps them."""

    def __init__(self) -> None:
        self.made: list[Script] = []

    def __call__(self) -> Script:
        self.made.append(Script(Clock()))
        return self.made[-1]


async def fail(replacer: ChannelReplacer, channels: Channels, error: RPCError, times: int) -> None:
    for _ in range(times):
        channels.made[-1].answers = [error]
        with pytest.raises(RPCError):
            await replacer.unary(GET_EXECUTION, b"")


@pytest.mark.parametrize("code", ["UNAVAILABLE", "DEADLINE_EXCEEDED"])
async def test_a_channel_is_replaced_after_three_failures_in_a_row(code: str) -> None:
    channels = Channels()
    replacer = ChannelReplacer(channels)
    await fail(replacer, channels, rpc_error(code, ""), 2)
    assert len(channels.made) == 1
    await fail(replacer, channels, rpc_error(code, ""), 1)
    assert [channel.closed for channel in channels.made] == [True, False]
    await replacer.unary(GET_EXECUTION, b"")
    assert len(channels.made[1].timeouts) == 1


@pytest.mark.parametrize("answer", [None, NotFoundError("an answer, too")])
async def test_an_answer_starts_the_count_again(answer: RPCError | None) -> None:
    channels = Channels()
    replacer = ChannelReplacer(channels)
    for _ in range(3):
        await fail(replacer, channels, away(), 2)
        if answer is None:
            await replacer.unary(GET_EXECUTION, b"")
        else:
            await fail(replacer, channels, answer, 1)
    assert len(channels.made) == 1


class Gate(Script):
    """A channel whose calls wait for a gate where the request says so."""

    def __init__(self) -> None:
        super().__init__(Clock())
        self.gate = anyio.Event()
        self.waiting = 0

    async def unary(self, method: Method[Any, Any], request: bytes, **about: Any) -> Reply:
        if request == b"wait":
            self.waiting += 1
            await self.gate.wait()
        return await super().unary(method, request, **about)


async def test_a_replaced_channel_is_closed_when_its_last_call_has_ended() -> None:
    gates: list[Gate] = []

    def channel() -> Gate:
        gates.append(Gate())
        return gates[-1]

    replacer = ChannelReplacer(channel)
    calls = [asyncio.create_task(replacer.unary(GET_EXECUTION, b"wait")) for _ in range(2)]
    await asyncio.sleep(0)
    assert gates[0].waiting == 2
    for _ in range(3):
        gates[0].answers = [away()]
        with pytest.raises(UnavailableError):
            await replacer.unary(GET_EXECUTION, b"")
    assert (len(gates), gates[0].closed) == (2, False)
    calls[0].cancel()
    await asyncio.wait(calls[:1])
    still_open = not gates[0].closed
    gates[0].gate.set()
    assert (await calls[1]).message == b"wait"
    assert still_open
    assert [gate.closed for gate in gates] == [True, False]


async def test_late_failures_of_a_replaced_channel_do_not_count_against_the_new_one() -> None:
    gates: list[Gate] = []

    def channel() -> Gate:
        gates.append(Gate())
        return gates[-1]

    replacer = ChannelReplacer(channel)
    calls = [asyncio.create_task(replacer.unary(GET_EXECUTION, b"wait")) for _ in range(12)]
    await asyncio.sleep(0)
    gates[0].answers = [away() for _ in calls]
    gates[0].gate.set()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(result) for result in results} == {UnavailableError}
    assert [gate.closed for gate in gates] == [True, False]


async def test_closing_closes_replaced_channels_too() -> None:
    gates: list[Gate] = []

    def channel() -> Gate:
        gates.append(Gate())
        return gates[-1]

    replacer = ChannelReplacer(channel)
    call = asyncio.create_task(replacer.unary(GET_EXECUTION, b"wait"))
    await asyncio.sleep(0)
    for _ in range(3):
        gates[0].answers = [away()]
        with pytest.raises(UnavailableError):
            await replacer.unary(GET_EXECUTION, b"")
    await replacer.aclose()
    assert [gate.closed for gate in gates] == [True, True]
    gates[0].gate.set()
    await call


# --- cancellation ---------------------------------------------------------------------------------------------------


class Cancelled:
    """A transport whose calls wait, or are cancelled from below."""

    def __init__(self, *, stray: bool) -> None:
        self.stray = stray

    async def unary(self, *_args: Any, **_options: Any) -> Reply:
        if self.stray:
            raise asyncio.CancelledError
        await asyncio.Event().wait()
        raise AssertionError

    async def aclose(self) -> None: ...


async def test_a_cancellation_that_nobody_asked_for_is_an_error_of_the_call() -> None:
    guard = Guard(Cancelled(stray=True), endpoint="here", max_request_bytes=10)
    with pytest.raises(RPCCancelledError, match="not by its caller") as caught:
        await guard.unary(GET_EXECUTION, b"")
    assert caught.value.method == "GetExecution"
    await guard.aclose()


async def test_a_cancellation_by_the_caller_is_one() -> None:
    guard = Guard(Cancelled(stray=False), endpoint="here", max_request_bytes=10)
    task = asyncio.create_task(guard.unary(GET_EXECUTION, b""))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with anyio.move_on_after(0.01) as scope:
        await guard.unary(GET_EXECUTION, b"")
    assert scope.cancelled_caught
    await guard.aclose()
