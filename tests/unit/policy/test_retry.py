"""When a call is sent again: the decisions."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte_remote_async import errors
from flyte_remote_async.config import Timeouts
from flyte_remote_async.errors import MessageTooLargeError, RPCError, rpc_error
from flyte_remote_async.policy.retry import (
    RETRYABLE,
    RetryPolicy,
    TokenBucket,
    Verdict,
    attempt_timeout,
    decide,
    is_passing,
    remaining_timeout,
)

POLICY = RetryPolicy()
CODES = sorted({cls.code for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, RPCError)})
FULL = POLICY.bucket()


def verdict(error: RPCError | None = None, **changes: Any) -> Verdict:
    facts: dict[str, Any] = {"idempotent": True, "attempt": 1, "remaining": None, "bucket": FULL, "chance": 0.5}
    return decide(POLICY, error or rpc_error("UNAVAILABLE", "away"), **(facts | changes))


def pushback(value: str | bytes) -> RPCError:
    return rpc_error("RESOURCE_EXHAUSTED", "slow down", trailing_metadata=(("grpc-retry-pushback-ms", value),))


@pytest.mark.parametrize("code", CODES)
def test_only_passing_codes_are_retried(code: str) -> None:
    never = {
        "ALREADY_EXISTS",
        "DATA_LOSS",
        "FAILED_PRECONDITION",
        "INVALID_ARGUMENT",
        "NOT_FOUND",
        "OUT_OF_RANGE",
        "PERMISSION_DENIED",
        "UNAUTHENTICATED",
        "UNIMPLEMENTED",
    }
    assert (verdict(rpc_error(code, "")).pause is None) is (code in never)
    assert (code in RETRYABLE) is (code not in never)


def test_a_call_that_is_not_idempotent_is_never_retried() -> None:
    assert verdict(idempotent=False) == Verdict(None, FULL)


def test_a_message_that_is_too_large_is_never_retried() -> None:
    assert not is_passing(MessageTooLargeError("larger than max (5 vs. 4)", size=5, limit=4))


@pytest.mark.parametrize(
    "details",
    [
        "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate",
        "Custom verification check failed with error: UNAUTHENTICATED: Hostname Verification Check failed.",
        "Peer name flyte.example.com is not in peer certificate",
        "Tls handshake failed: WRONG_VERSION_NUMBER",
        "Received http2 header with status: 302",
        "invalid content-type: text/html",
        "failed to discover workflow node 'fn0' in workflow 'resource_type:WORKFLOW'",
        "invalid branch node execution: expected 1 but found 2 node execution(s)",
        "failed to identify workflow node type for node: n0",
    ],
)
def test_what_does_not_pass_by_itself_is_not_retried(details: str) -> None:
    assert verdict(rpc_error("UNAVAILABLE", details)).pause is None


def test_attempts_are_limited() -> None:
    assert [verdict(attempt=attempt).pause is None for attempt in range(1, 7)] == [False] * 4 + [True] * 2


def test_bounds_double_up_to_the_cap() -> None:
    policy = attrs.evolve(POLICY, max_attempts=20)
    pauses = [
        decide(
            policy, rpc_error("UNAVAILABLE", ""), idempotent=True, attempt=n, remaining=None, bucket=FULL, chance=1.0
        )
        for n in range(1, 9)
    ]
    assert [v.pause for v in pauses] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


@pytest.mark.parametrize(("value", "pause"), [("1500", 1.5), ("0", 0.0), (b"20", 0.02), ("60000", 60.0)])
def test_the_server_says_how_long_to_wait(value: str | bytes, pause: float) -> None:
    assert verdict(pushback(value)).pause == pause


@pytest.mark.parametrize("value", ["-1", "junk", "", "1.5", " 5", "٣", b"\xff", "99999999999"])
def test_the_server_says_stop(value: str | bytes) -> None:
    assert verdict(pushback(value)) == Verdict(None, FULL)


@pytest.mark.parametrize("value", ["60001", "3600000", b"2147483647"])
def test_a_server_that_asks_for_a_very_long_pause_is_not_asked_again(value: str | bytes) -> None:
    assert verdict(pushback(value)) == Verdict(None, FULL)


def test_the_deadline_is_the_bound_of_a_pushback_where_there_is_one() -> None:
    assert verdict(pushback("90000"), remaining=90.1).pause == 90
    assert verdict(pushback("90000"), remaining=90.0).pause is None


def test_pushback_does_not_make_a_lasting_error_pass() -> None:
    error = rpc_error("NOT_FOUND", "", trailing_metadata=(("grpc-retry-pushback-ms", "5"),))
    assert verdict(error).pause is None


def test_other_trailing_metadata_does_not_matter() -> None:
    assert verdict(rpc_error("UNAVAILABLE", "", trailing_metadata=(("k", "7"),))).pause == 0.05


@pytest.mark.parametrize(
    ("remaining", "stops"), [(None, False), (0.051, False), (0.05, True), (0.0, True), (-1.0, True)]
)
def test_it_never_waits_past_the_deadline(remaining: float | None, *, stops: bool) -> None:
    assert (verdict(remaining=remaining).pause is None) is stops


def test_retries_cost_tokens_until_there_are_none() -> None:
    bucket = TokenBucket(9, 500)
    first = verdict(bucket=bucket)
    assert first.bucket == TokenBucket(4, 500)
    assert verdict(bucket=first.bucket) == Verdict(None, TokenBucket(4, 500))


def test_a_success_gives_tokens_back_up_to_the_capacity() -> None:
    assert TokenBucket(4, 500).refund(5) == TokenBucket(9, 500)
    assert TokenBucket(498, 500).refund(5) == FULL
    assert FULL.is_full
    assert not TokenBucket(499, 500).is_full


@given(
    code=st.sampled_from(CODES),
    idempotent=st.booleans(),
    attempt=st.integers(1, 50),
    remaining=st.none() | st.floats(-10, 10),
    tokens=st.integers(0, 500),
    chance=st.floats(0, 1, exclude_max=True),
    header=st.none() | st.text(max_size=6),
)
def test_every_verdict_keeps_the_rules(
    *,
    code: str,
    idempotent: bool,
    attempt: int,
    remaining: float | None,
    tokens: int,
    chance: float,
    header: str | None,
) -> None:
    trailing = () if header is None else (("grpc-retry-pushback-ms", header),)
    bucket = TokenBucket(tokens, 500)
    found = verdict(
        rpc_error(code, "", trailing_metadata=trailing),
        idempotent=idempotent,
        attempt=attempt,
        remaining=remaining,
        bucket=bucket,
        chance=chance,
    )
    if found.pause is None:
        assert found.bucket == bucket
        return
    assert idempotent
    assert attempt < POLICY.max_attempts
    assert code in RETRYABLE
    assert found.pause >= 0
    assert remaining is None or found.pause < remaining
    assert found.bucket.tokens == tokens - POLICY.cost >= 0
    if header is None:
        assert found.pause <= min(POLICY.cap, POLICY.initial * 2 ** (attempt - 1))


@pytest.mark.parametrize(
    ("service", "name", "seconds"),
    [
        ("flyteidl.service.AdminService", "GetExecution", 15),
        ("flyteidl.service.AdminService", "ListNodeExecutions", 15),
        ("flyteidl.service.AdminService", "GetExecutionData", 60),
        ("flyteidl.service.AdminService", "GetTaskExecutionData", 60),
        ("flyteidl.service.DataProxyService", "CreateUploadLocation", 60),
        ("flyteidl.service.DataProxyService", "GetData", 60),
        ("flyteidl.service.AdminService", "CreateExecution", 30),
        ("flyteidl.service.AdminService", "TerminateExecution", 30),
        ("flyteidl.service.SignalService", "SetSignal", 30),
        ("flyteidl.service.IdentityService", "UserInfo", 15),
        ("flyteidl.service.AuthMetadataService", "GetOAuth2Metadata", 15),
    ],
)
def test_each_kind_of_call_has_its_own_limit(service: str, name: str, seconds: float) -> None:
    assert attempt_timeout(Timeouts(), service, name) == seconds


@pytest.mark.parametrize(("remaining", "expected"), [(None, 15), (20.0, 15), (15.0, 15), (3.0, 3), (-1.0, -1)])
def test_an_attempt_ends_with_the_call(remaining: float | None, expected: float) -> None:
    assert remaining_timeout(15, remaining) == expected


@pytest.mark.parametrize(
    "wrong", [{"max_attempts": 0}, {"initial": -1}, {"factor": 0.5}, {"cap": -1}, {"longest_pushback": -1}]
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        RetryPolicy(**wrong)
