"""What the control plane answers, or the way to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from flyte_remote_async.errors.base import FlyteRemoteError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "AbortedError",
    "AlreadyExistsError",
    "DataLossError",
    "DeadlineExceededError",
    "FailedPreconditionError",
    "InternalError",
    "InvalidArgumentError",
    "MalformedMessageError",
    "MessageTooLargeError",
    "NotFoundError",
    "OutOfRangeError",
    "PermissionDeniedError",
    "RPCCancelledError",
    "RPCError",
    "ResourceExhaustedError",
    "UnauthenticatedError",
    "UnavailableError",
    "UnimplementedError",
    "UnknownError",
    "rpc_error",
]


class RPCError(FlyteRemoteError):
    """The control plane answered a call, and the answer was not OK.

    Raised as one of the subclasses, one for each gRPC status code. A connection that cannot be made or breaks is
    an :class:`UnavailableError`, as gRPC has it.

    Attributes:
        method: Short name of the RPC, such as ``"GetExecution"``.
        details: The server's own words, or the transport's.
        entity: What the call was about, such as ``"flytesnacks/development/a7nc5pjk"``, where known.
        attempts: How many times the call was sent.
        endpoint: The host and port that was called, where known.
        trailing_metadata: What the server sent along with the status.
    """

    code: ClassVar[str] = "UNKNOWN"
    hint: ClassVar[str] = ""
    http_status: ClassVar[int] = 502

    def __init__(
        self,
        details: str = "",
        *,
        method: str = "",
        entity: str | None = None,
        attempts: int = 1,
        endpoint: str | None = None,
        trailing_metadata: Sequence[tuple[str, str | bytes]] = (),
    ) -> None:
        super().__init__(details)
        self.details = details
        self.method = method
        self.entity = entity
        self.attempts = attempts
        self.endpoint = endpoint
        self.trailing_metadata = tuple(trailing_metadata)

    def __str__(self) -> str:
        where = " ".join(part for part in (self.method or "RPC", self.entity) if part)
        at = f" at {self.endpoint}" if self.endpoint else ""
        tries = f" (tried {self.attempts} times)" if self.attempts > 1 else ""
        hint = f" — {self.hint}" if self.hint else ""
        return f"{where}{at}: {self.code}: {self.details or 'no details were given'}{tries}{hint}"


class RPCCancelledError(RPCError):
    """Raised when the server, or a proxy before it, cancelled the call. A cancellation of the caller is never this."""

    code = "CANCELLED"


class UnknownError(RPCError):
    """Raised when the server failed without saying how; Flyte does so for most database errors."""

    code = "UNKNOWN"


class InvalidArgumentError(RPCError, ValueError):
    """Raised when the server refused the request as it is; sending it again cannot help."""

    code = "INVALID_ARGUMENT"
    http_status = 400


class DeadlineExceededError(RPCError, TimeoutError):
    """Raised when no answer came in the time that the call was given."""

    code = "DEADLINE_EXCEEDED"
    hint = "the server may be overloaded or unreachable; a longer timeout can be given with Config(timeouts=...)"
    http_status = 504


class NotFoundError(RPCError, LookupError):
    """Raised when the control plane knows nothing by that name."""

    code = "NOT_FOUND"
    hint = "check the project, the domain, the name and the version"
    http_status = 404


class AlreadyExistsError(RPCError):
    """Raised when the name is taken, or when a concurrency policy skipped the launch."""

    code = "ALREADY_EXISTS"
    http_status = 409


class PermissionDeniedError(RPCError):
    """Raised when the credentials are good and do not allow this."""

    code = "PERMISSION_DENIED"
    http_status = 403


class ResourceExhaustedError(RPCError):
    """Raised when a quota or rate limit of the server is used up."""

    code = "RESOURCE_EXHAUSTED"
    http_status = 429


class MessageTooLargeError(ResourceExhaustedError):
    """Raised when a request or reply is larger than the client or the server takes; it is never sent again.

    Attributes:
        size: Bytes of the message, where known.
        limit: The limit in bytes, where known.
    """

    http_status = 413

    def __init__(self, details: str = "", *, size: int | None = None, limit: int | None = None, **about: Any) -> None:
        super().__init__(details, **about)
        self.size = size
        self.limit = limit


class FailedPreconditionError(RPCError):
    """Raised when the entity is not in a state for this, such as terminating an execution that has ended."""

    code = "FAILED_PRECONDITION"
    http_status = 409


class AbortedError(RPCError):
    """Raised when the server gave the operation up for a conflict; trying again may work."""

    code = "ABORTED"
    http_status = 409


class OutOfRangeError(RPCError, ValueError):
    """Raised when a position is past the end, such as a page token."""

    code = "OUT_OF_RANGE"
    http_status = 400


class UnimplementedError(RPCError):
    """Raised when the server does not have this RPC: an older Flyte, or a service that is switched off."""

    code = "UNIMPLEMENTED"
    hint = "the server is older than this RPC, has the service switched off, or is not a Flyte 1.x control plane"
    http_status = 501


class InternalError(RPCError):
    """Raised when the server failed inside."""

    code = "INTERNAL"


class UnavailableError(RPCError, ConnectionError):
    """Raised when the server cannot be reached, or a connection broke, and the retries are used up."""

    code = "UNAVAILABLE"
    hint = "check the endpoint, that the server runs, and whether it wants TLS (insecure=False) or not (insecure=True)"
    http_status = 503


class DataLossError(RPCError):
    """Raised when the server lost or corrupted data."""

    code = "DATA_LOSS"


class UnauthenticatedError(RPCError):
    """Raised when the server wants credentials, or does not accept those it got."""

    code = "UNAUTHENTICATED"
    hint = "the server wants credentials that it did not get, or did not accept"
    http_status = 401


_BY_CODE: Final[Mapping[str, type[RPCError]]] = {
    cls.code: cls
    for cls in (
        RPCCancelledError,
        UnknownError,
        InvalidArgumentError,
        DeadlineExceededError,
        NotFoundError,
        AlreadyExistsError,
        PermissionDeniedError,
        ResourceExhaustedError,
        FailedPreconditionError,
        AbortedError,
        OutOfRangeError,
        UnimplementedError,
        InternalError,
        UnavailableError,
        DataLossError,
        UnauthenticatedError,
    )
}


def rpc_error(code: str, details: str, **about: Any) -> RPCError:
    """Return the error for a gRPC status.

    Args:
        code: Name of the status code, such as ``"NOT_FOUND"``; a code that gRPC does not have counts as ``UNKNOWN``.
        details: What the server said.
        **about: The keyword arguments of :class:`RPCError`.
    """
    return _BY_CODE.get(code, UnknownError)(details, **about)


class MalformedMessageError(FlyteRemoteError, ValueError):
    """Raised when bytes cannot be parsed as the protobuf message that they should be."""

    http_status: ClassVar[int] = 502
