"""From what a backend reports to our errors: one way for all backends, so that they cannot differ."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from flyte_remote_async.errors import MessageTooLargeError, rpc_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyte_remote_async.errors import RPCError
    from flyte_remote_async.transport.base import Metadata, Method

__all__ = ["DEADLINE_EXCEEDED", "NO_MESSAGE", "code_of_http_status", "http_status_details", "status_error", "too_large"]

DEADLINE_EXCEEDED: Final = "Deadline Exceeded"
NO_MESSAGE: Final = "the call succeeded, and the server did not send exactly one message"

# grpc-go: "grpc: received message larger than max (5 vs. 4)"; gRPC's C core: "CLIENT: Received message larger than
# max (5 vs. 4)".
_TOO_LARGE: Final = r"larger than max \((\d+) vs\.? (\d+)\)"
_ADVICE: Final = (
    "pass large inputs as files or dataframes, which are stored outside the message, and ask for large lists in "
    "smaller pages; the client's own limit is Config(max_message_bytes=...)"
)
_HTTP_STATUS: Final = "Received http2 header with status: "
_REDIRECT: Final = _HTTP_STATUS + r"30\d"
_LOGIN_PAGE: Final = "a proxy or login page answered instead of Flyte: the endpoint needs credentials for the proxy"

# Source: doc/http-grpc-status-mapping.md of grpc/grpc.
_BY_HTTP_STATUS: Final[Mapping[str, str]] = {
    "400": "INTERNAL",
    "401": "UNAUTHENTICATED",
    "403": "PERMISSION_DENIED",
    "404": "UNIMPLEMENTED",
    "429": "UNAVAILABLE",
    "502": "UNAVAILABLE",
    "503": "UNAVAILABLE",
    "504": "UNAVAILABLE",
}


def status_error(
    code: str, details: str, method: Method[Any, Any], endpoint: str, trailing_metadata: Metadata = ()
) -> RPCError:
    """Return the error for a call that ended with a gRPC status other than OK.

    Args:
        code: Name of the status code, such as ``"NOT_FOUND"``.
        details: The server's words, or the backend's.
        method: The RPC.
        endpoint: Host and port that was called.
        trailing_metadata: What the server sent along.
    """
    if code == "RESOURCE_EXHAUSTED" and (match := re.search(_TOO_LARGE, details)):
        return too_large(details, int(match[1]), int(match[2]), method, endpoint)
    if re.match(_REDIRECT, details):
        details = f"{details} ({_LOGIN_PAGE})"
    return rpc_error(code, details, method=method.name, endpoint=endpoint, trailing_metadata=trailing_metadata)


def too_large(details: str, size: int, limit: int, method: Method[Any, Any], endpoint: str) -> MessageTooLargeError:
    """Return the error for a message that is larger than a limit, with advice.

    Args:
        details: What is too large for whom.
        size: Bytes of the message.
        limit: Bytes that are taken.
        method: The RPC.
        endpoint: Host and port that was called.
    """
    return MessageTooLargeError(f"{details}: {_ADVICE}", size=size, limit=limit, method=method.name, endpoint=endpoint)


def code_of_http_status(status: str) -> str:
    """Return the gRPC code for an HTTP answer of something that does not speak gRPC, such as a proxy."""
    return _BY_HTTP_STATUS.get(status, "UNKNOWN")


def http_status_details(status: str) -> str:
    """Return what gRPC's C core says of such an answer; other backends say the same."""
    return f"{_HTTP_STATUS}{status}"
