"""How gRPC lies on HTTP/2: headers, frames and statuses, as pure functions.

For backends that do not bring it along. Source: doc/PROTOCOL-HTTP2.md of grpc/grpc.
"""

from __future__ import annotations

import base64
import math
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from flyte_remote_async.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flyte_remote_async.transport.base import Metadata

__all__ = [
    "FRAME_HEAD",
    "check_metadata",
    "code_of_reset",
    "decode_metadata",
    "encode_metadata",
    "encode_timeout",
    "frame",
    "read_frame_head",
    "status_of",
]

FRAME_HEAD: Final = 5
"""Bytes before each message: whether it is compressed, and how long it is."""

_MAX_TIMEOUT: Final = 99_999_999  # eight digits
_CODES: Final = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
_BY_RESET: Final[Mapping[int, str]] = {
    7: "UNAVAILABLE",  # REFUSED_STREAM
    8: "CANCELLED",  # CANCEL
    11: "RESOURCE_EXHAUSTED",  # ENHANCE_YOUR_CALM
    12: "PERMISSION_DENIED",  # INADEQUATE_SECURITY
}
_KEY: Final = r"[0-9a-z_.\-]+"
_VALUE: Final = r"[ -~]*"
_RESERVED: Final = frozenset({"te", "content-type", "user-agent"})
_NO_METADATA: Final = frozenset(
    {"grpc-status", "grpc-message", "grpc-encoding", "grpc-accept-encoding", "content-type"}
)


def check_metadata(metadata: Metadata) -> None:
    """Check that metadata can be sent: keys and values of backends that do not check could smuggle headers.

    Raises:
        ConfigError: A key or a value is not what gRPC allows.
    """
    for key, value in metadata:
        if not re.fullmatch(_KEY, key) or key.startswith("grpc-") or key in _RESERVED:
            raise ConfigError(
                f"header {key!r} cannot be sent: use lower case letters, digits and _.-, and no name of gRPC"
            )
        if key.endswith("-bin"):
            if not isinstance(value, bytes):
                raise ConfigError(f"header {key!r} ends in -bin, so its value must be bytes")
        elif not isinstance(value, str) or not re.fullmatch(_VALUE, value):
            # The value is not shown: it may be a token.
            raise ConfigError(f"the value of header {key!r} cannot be sent: it must be a str of printable ASCII")


def frame(message: bytes) -> bytes:
    """Return a message as it goes on the wire."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def read_frame_head(head: bytes) -> tuple[bool, int]:
    """Return whether the message after a head is compressed, and how many bytes it has."""
    return head[0] != 0, int.from_bytes(head[1:FRAME_HEAD], "big")


def encode_timeout(seconds: float) -> str:
    """Return the ``grpc-timeout`` header for a number of seconds, rounded up: the server must not give up first."""
    milliseconds = math.ceil(seconds * 1000)
    if milliseconds <= _MAX_TIMEOUT:
        return f"{milliseconds}m"
    return f"{min(math.ceil(seconds), _MAX_TIMEOUT)}S"


def encode_metadata(metadata: Metadata) -> list[tuple[str, str]]:
    """Return checked metadata as headers: values of keys that end in ``-bin`` are bytes, and go as base64."""
    return [
        (key, base64.b64encode(value).rstrip(b"=").decode("ascii") if isinstance(value, bytes) else value)
        for key, value in metadata
    ]


def decode_metadata(headers: Iterable[tuple[str, str]]) -> Metadata:
    """Return the metadata among headers or trailers."""
    return tuple(
        (key, base64.b64decode(value + "==") if key.endswith("-bin") else value)
        for key, value in headers
        if key not in _NO_METADATA and not key.startswith(":")
    )


def status_of(trailers: Mapping[str, str]) -> tuple[str, str]:
    """Return the name of the status code and the details that trailers hold."""
    number = trailers.get("grpc-status")
    if number is None:
        return "UNKNOWN", "the server ended the call without a status"
    if not (number.isascii() and number.isdecimal() and int(number) < len(_CODES)):
        return "UNKNOWN", f"the server ended the call with the status {number!r}, which gRPC does not have"
    return _CODES[int(number)], unquote(trailers.get("grpc-message", ""), errors="replace")


def code_of_reset(error_code: int) -> str:
    """Return the gRPC code for a stream that the other side reset with an HTTP/2 error code."""
    return _BY_RESET.get(error_code, "INTERNAL")
