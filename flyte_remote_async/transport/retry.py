"""Send a call again when that is safe and may help, within one deadline."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import anyio

from flyte_remote_async.config import Timeouts
from flyte_remote_async.errors import RPCError
from flyte_remote_async.policy.retry import RetryPolicy, attempt_timeout, decide, remaining_timeout

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flyte_remote_async.transport.base import Metadata, Method, Reply, Transport

__all__ = ["Retry"]


class Retry:
    """A transport that gives each attempt a time of its own and the whole call its deadline.

    Args:
        inner: What makes one attempt.
        policy: When to try again.
        timeouts: What one attempt may take.
        clock: Seconds on a clock that only moves forward.
        chance: Draws a number from [0, 1); None draws a random one.
        sleep: Waits a number of seconds.
    """

    def __init__(
        self,
        inner: Transport,
        *,
        policy: RetryPolicy | None = None,
        timeouts: Timeouts | None = None,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._inner = inner
        self._policy = policy or RetryPolicy()
        self._timeouts = timeouts or Timeouts()
        self._clock = clock
        self._chance = chance
        self._sleep = sleep
        self._bucket = self._policy.bucket()
        self._limits: dict[str, float] = {}

    async def unary(
        self, method: Method[Any, Any], request: bytes, *, timeout: float | None = None, metadata: Metadata = ()
    ) -> Reply:
        """Make one call; see :class:`~flyte_remote_async.transport.base.Transport`.

        ``timeout`` is for the call as a whole: all its attempts, and the pauses between them.
        """
        deadline = None if timeout is None else self._clock() + timeout
        remaining = timeout
        attempt = 1
        while True:
            limit = remaining_timeout(self._limit(method), remaining)
            try:
                reply = await self._inner.unary(method, request, timeout=limit, metadata=metadata)
            except RPCError as error:
                error.attempts = attempt
                remaining = None if deadline is None else deadline - self._clock()
                pause = self._pause(error, method, attempt, remaining)
                if pause is None:
                    raise
            else:
                if not self._bucket.is_full:
                    self._bucket = self._bucket.refund(1 if attempt == 1 else self._policy.cost)
                return reply
            await self._sleep(pause)
            remaining = None if deadline is None else deadline - self._clock()
            attempt += 1

    def _limit(self, method: Method[Any, Any]) -> float:
        limit = self._limits.get(method.path)
        if limit is None:
            limit = self._limits[method.path] = attempt_timeout(self._timeouts, method.service, method.name)
        return limit

    def _pause(self, error: RPCError, method: Method[Any, Any], attempt: int, remaining: float | None) -> float | None:
        verdict = decide(
            self._policy,
            error,
            idempotent=method.idempotent,
            attempt=attempt,
            remaining=remaining,
            bucket=self._bucket,
            chance=self._chance() if self._chance else _chance(),
        )
        self._bucket = verdict.bucket
        return verdict.pause

    async def aclose(self) -> None:
        """Close what is below."""
        await self._inner.aclose()


def _chance() -> float:
    import random  # most programs never retry

    return random.random()  # noqa: S311 - jitter
