"""gRPC's headers, frames and statuses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte_remote_async.errors import ConfigError
from flyte_remote_async.transport import wire


@given(st.binary(max_size=400))
def test_a_frame_tells_the_length_of_its_message(message: bytes) -> None:
    framed = wire.frame(message)
    assert wire.read_frame_head(framed[: wire.FRAME_HEAD]) == (False, len(message))
    assert framed[wire.FRAME_HEAD :] == message


@pytest.mark.parametrize(
    ("seconds", "header"),
    [
        (15, "15000m"),
        (0.0004, "1m"),
        (0.1001, "101m"),
        (99_999.999, "99999999m"),
        (100_000, "100000S"),
        (1e12, "99999999S"),
    ],
)
def test_timeouts_are_rounded_up(seconds: float, header: str) -> None:
    assert wire.encode_timeout(seconds) == header


@given(
    st.lists(
        st.tuples(st.from_regex(r"x-[a-z0-9_.]{1,8}-bin", fullmatch=True), st.binary(max_size=20))
        | st.tuples(st.from_regex(r"x-[a-z0-9_.]{1,8}", fullmatch=True), st.from_regex(r"[ -~]{0,20}", fullmatch=True))
    )
)
def test_metadata_comes_back_as_it_went(metadata: list[tuple[str, str | bytes]]) -> None:
    wire.check_metadata(metadata)
    assert wire.decode_metadata(wire.encode_metadata(metadata)) == tuple(metadata)


def test_what_belongs_to_the_protocol_is_no_metadata() -> None:
    headers = [(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "0"), ("grpc-message", "m")]
    assert wire.decode_metadata([*headers, ("grpc-retry-pushback-ms", "5")]) == (("grpc-retry-pushback-ms", "5"),)


@pytest.mark.parametrize(
    "entry",
    [
        ("Upper", "v"),
        ("a b", "v"),
        ("", "v"),
        ("a\n", "v"),
        ("grpc-timeout", "1S"),
        ("user-agent", "v"),
        ("te", "v"),
        ("a", "line\nbreak"),
        ("a", "é"),
        ("a", b"bytes"),
        ("a-bin", "text"),
    ],
)
def test_metadata_that_gRPC_does_not_allow_is_refused(entry: Any) -> None:  # noqa: N802 - gRPC's own name
    with pytest.raises(ConfigError, match="header"):
        wire.check_metadata([("fine", "v"), entry])


def test_a_refused_value_is_not_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        wire.check_metadata([("authorization", "Bearer secret\n")])
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("trailers", "status"),
    [
        ({"grpc-status": "0"}, ("OK", "")),
        ({"grpc-status": "5", "grpc-message": "no%20such%20%C3%A9"}, ("NOT_FOUND", "no such é")),
        ({"grpc-status": "16"}, ("UNAUTHENTICATED", "")),
        ({}, ("UNKNOWN", "the server ended the call without a status")),
        (
            {"grpc-status": "17"},
            ("UNKNOWN", "the server ended the call with the status '17', which gRPC does not have"),
        ),
        ({"grpc-status": "x"}, ("UNKNOWN", "the server ended the call with the status 'x', which gRPC does not have")),
    ],
)
def test_trailers_hold_a_status(trailers: dict[str, str], status: tuple[str, str]) -> None:
    assert wire.status_of(trailers) == status
