"""When to send a call again, and how long to wait before: decisions alone.

Sources: gRFC A6 (backoff, pushback), the standard retry mode of the AWS SDKs (token bucket).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

import attrs

from flyte_remote_async.errors import MessageTooLargeError

if TYPE_CHECKING:
    from flyte_remote_async.config import Timeouts
    from flyte_remote_async.errors import RPCError

__all__ = ["RetryPolicy", "TokenBucket", "Verdict", "attempt_timeout", "decide", "is_passing", "remaining_timeout"]

# INTERNAL and UNKNOWN are how flyteadmin reports a database or a cluster that is briefly away; CANCELLED is how gRPC
# reports a stream that the other side reset.
RETRYABLE: Final = frozenset(
    {
        "ABORTED",
        "CANCELLED",
        "DEADLINE_EXCEEDED",
        "INTERNAL",
        "RESOURCE_EXHAUSTED",
        "UNAVAILABLE",
        "UNKNOWN",
    }
)
# Failures that come with a passing code and do not pass: a certificate that is not trusted, a side that speaks
# plaintext where the other speaks TLS, a login page; and an execution whose metrics flyteadmin cannot reckon, for which
# see its metrics_manager.go.
_LASTING: Final = (
    r"(?i)CERTIFICATE_VERIFY_FAILED|Hostname Verification Check failed|is not in peer certificate|WRONG_VERSION_NUMBER"
    r"|http2 header with status: 3\d\d|invalid content-type"
    r"|failed to discover workflow node|invalid branch node execution|failed to identify (branch|workflow) node"
)
_PUSHBACK: Final = "grpc-retry-pushback-ms"
_INT32_DIGITS: Final = 10


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """How a call that failed is sent again.

    Attributes:
        max_attempts: How many times a call is sent at most, the first time included.
        initial: Upper bound of the first pause, in seconds; each pause is drawn between 0 and its bound.
        factor: How much the bound grows with each attempt.
        cap: The largest bound, in seconds.
        capacity: Tokens of a full bucket.
        cost: Tokens that one retry takes; they come back when the call succeeds.
        longest_pushback: The longest pause that a server may ask for, in seconds, in a call without a deadline; a call
            that has one waits as long as that allows.
    """

    max_attempts: int = attrs.field(default=5, validator=attrs.validators.ge(1))
    initial: float = attrs.field(default=0.1, validator=attrs.validators.ge(0))
    factor: float = attrs.field(default=2.0, validator=attrs.validators.ge(1))
    cap: float = attrs.field(default=5.0, validator=attrs.validators.ge(0))
    capacity: int = attrs.field(default=500, validator=attrs.validators.ge(0))
    cost: int = attrs.field(default=5, validator=attrs.validators.ge(0))
    longest_pushback: float = attrs.field(default=60.0, validator=attrs.validators.ge(0))

    def bucket(self) -> TokenBucket:
        """Return a full bucket."""
        return TokenBucket(self.capacity, self.capacity)


class TokenBucket(NamedTuple):
    """What a client may still spend on retries: when most calls fail, retries stop, and the server can recover.

    Attributes:
        tokens: What is in it.
        capacity: The most that can be.
    """

    tokens: int
    capacity: int

    @property
    def is_full(self) -> bool:
        """Whether a success adds nothing."""
        return self.tokens >= self.capacity

    def spend(self, cost: int) -> TokenBucket | None:
        """Return the bucket after a retry, or None when there is too little in it."""
        return TokenBucket(self.tokens - cost, self.capacity) if self.tokens >= cost else None

    def refund(self, tokens: int) -> TokenBucket:
        """Return the bucket after a success."""
        return TokenBucket(min(self.tokens + tokens, self.capacity), self.capacity)


class Verdict(NamedTuple):
    """What to do about a failed attempt.

    Attributes:
        pause: Seconds to wait before the next attempt; None is to give up.
        bucket: The bucket from now on.
    """

    pause: float | None
    bucket: TokenBucket


def decide(
    policy: RetryPolicy,
    error: RPCError,
    *,
    idempotent: bool,
    attempt: int,
    remaining: float | None,
    bucket: TokenBucket,
    chance: float,
) -> Verdict:
    """Decide whether a call that failed is sent again.

    Args:
        policy: The rules.
        error: How the attempt failed.
        idempotent: Whether the call may be sent twice at all.
        attempt: Which attempt failed, from 1.
        remaining: Seconds until the deadline of the whole call; None is without limit.
        bucket: What may be spent.
        chance: A number drawn from [0, 1).
    """
    give_up = Verdict(None, bucket)
    if not idempotent or attempt >= policy.max_attempts or not is_passing(error):
        return give_up
    pause = _pause(policy, error, attempt, remaining, chance)
    # An attempt that starts at the deadline cannot succeed.
    if pause is None or (remaining is not None and pause >= remaining):
        return give_up
    spent = bucket.spend(policy.cost)
    return give_up if spent is None else Verdict(pause, spent)


def is_passing(error: RPCError) -> bool:
    """Return whether the same call may succeed a little later."""
    if isinstance(error, MessageTooLargeError) or error.code not in RETRYABLE:
        return False
    return not re.search(_LASTING, error.details)


def _pause(policy: RetryPolicy, error: RPCError, attempt: int, remaining: float | None, chance: float) -> float | None:
    for key, value in error.trailing_metadata:
        if key == _PUSHBACK:
            asked = _pushback(value)
            # Nothing else would end a pause of hours.
            is_too_long = asked is not None and remaining is None and asked > policy.longest_pushback
            return None if is_too_long else asked
    return chance * min(policy.cap, policy.initial * policy.factor ** (attempt - 1))


def _pushback(value: str | bytes) -> float | None:
    # A negative number says "do not retry", and so does anything that is no number.
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else value
    if not (text.isascii() and text.isdecimal() and len(text) <= _INT32_DIGITS):
        return None
    return int(text) / 1000


def attempt_timeout(timeouts: Timeouts, service: str, name: str) -> float:
    """Return the seconds that one attempt of an RPC may take.

    Args:
        timeouts: The limits, by what a call does.
        service: Full name of the service, such as ``"flyteidl.service.AdminService"``.
        name: Name of the RPC, such as ``"GetExecution"``.
    """
    if service.endswith(".DataProxyService") or name.endswith("Data"):
        return timeouts.data
    if name.startswith(("Get", "List")) or name == "UserInfo":
        return timeouts.read
    return timeouts.create


def remaining_timeout(limit: float, remaining: float | None) -> float:
    """Return the seconds that the next attempt gets: its own limit, or what is left of the whole call.

    Args:
        limit: Seconds that one attempt may take.
        remaining: Seconds until the deadline of the whole call; None is without limit.
    """
    return limit if remaining is None or remaining > limit else remaining
