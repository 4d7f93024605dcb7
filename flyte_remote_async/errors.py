"""Every error that this package raises.

::

    FlyteRemoteError
    ├── RPCError                      the control plane (or the way to it) answered with a gRPC status
    │   ├── RPCCancelledError         CANCELLED
    │   ├── UnknownError              UNKNOWN
    │   ├── InvalidArgumentError      INVALID_ARGUMENT        (ValueError)
    │   ├── DeadlineExceededError     DEADLINE_EXCEEDED       (TimeoutError)
    │   ├── NotFoundError             NOT_FOUND               (LookupError)
    │   ├── AlreadyExistsError        ALREADY_EXISTS
    │   ├── PermissionDeniedError     PERMISSION_DENIED
    │   ├── ResourceExhaustedError    RESOURCE_EXHAUSTED
    │   │   └── MessageTooLargeError  a message is larger than a limit
    │   ├── FailedPreconditionError   FAILED_PRECONDITION
    │   ├── AbortedError              ABORTED
    │   ├── OutOfRangeError           OUT_OF_RANGE            (ValueError)
    │   ├── UnimplementedError        UNIMPLEMENTED
    │   ├── InternalError             INTERNAL
    │   ├── UnavailableError          UNAVAILABLE             (ConnectionError)
    │   ├── DataLossError             DATA_LOSS
    │   └── UnauthenticatedError      UNAUTHENTICATED
    ├── MalformedMessageError         bytes that are not the message they should be   (ValueError)
    ├── ClientStateError              the client cannot be used here or now           (RuntimeError)
    │   ├── ClosedError               it is closed, or was never opened
    │   ├── WrongLoopError            it belongs to another event loop
    │   ├── ForkedProcessError        it was opened before this process was forked
    │   └── UnsupportedLoopError      asyncio is required (trio was found)
    ├── FlyteAssertion                what was asked for is not there (yet)           (AssertionError)
    │   ├── ExecutionNotDoneError     outputs or error of a running execution
    │   ├── ExecutionFailedError      outputs of an execution that failed or was aborted
    │   ├── NotSyncedError            nodes or attempts that were not read
    │   └── NotLoadedError            literals that were not brought yet
    ├── DetachedError                 a snapshot without a remote was asked to act
    ├── WaitTimeoutError              the execution did not finish in time            (TimeoutError)
    ├── WaitFailedError               the work behind a wait broke
    ├── OutputsUnavailableError       the data of a finished execution cannot be had
    ├── StorageError                  a stored object cannot be read or written
    │   ├── ObjectNotFoundError       there is none                                   (FileNotFoundError)
    │   ├── UnsafePathError           its name would leave the folder                 (ValueError)
    │   └── IntegrityError            what came is not what is stored
    ├── NotDownloadedError            a file was used as a path before it was brought (FileNotFoundError)
    ├── LiteralError                  one value cannot be converted                   (TypeError, ValueError)
    │   ├── DecodeError               a literal into Python
    │   │   ├── UntrustedPickleError  a pickle, which was not allowed
    │   │   └── WorkerDiedError       the process that decoded it died
    │   └── EncodeError               a Python value into a literal
    ├── MissingLiteralError           no such name                (KeyError, AttributeError, ValueError)
    ├── InvalidInputsError            inputs that do not fit the interface            (ValueError)
    ├── ConfigError                   a configuration that cannot be used             (ValueError)
    └── MissingExtraError             an optional dependency is not installed         (ImportError)

Every class has an ``http_status``: what a web service that hits it should answer. Every error pickles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flyte_remote_async.executions import FlyteWorkflowExecution

__all__ = [
    "AbortedError",
    "AlreadyExistsError",
    "ClientStateError",
    "ClosedError",
    "ConfigError",
    "DataLossError",
    "DeadlineExceededError",
    "DecodeError",
    "DetachedError",
    "EncodeError",
    "ExecutionFailedError",
    "ExecutionNotDoneError",
    "FailedPreconditionError",
    "FlyteAssertion",
    "FlyteRemoteError",
    "ForkedProcessError",
    "IntegrityError",
    "InternalError",
    "InvalidArgumentError",
    "InvalidInputsError",
    "LiteralError",
    "MalformedMessageError",
    "MessageTooLargeError",
    "MissingExtraError",
    "MissingLiteralError",
    "NotDownloadedError",
    "NotFoundError",
    "NotLoadedError",
    "NotSyncedError",
    "ObjectNotFoundError",
    "OutOfRangeError",
    "OutputsUnavailableError",
    "PermissionDeniedError",
    "RPCCancelledError",
    "RPCError",
    "ResourceExhaustedError",
    "StorageError",
    "UnauthenticatedError",
    "UnavailableError",
    "UnimplementedError",
    "UnknownError",
    "UnsafePathError",
    "UnsupportedLoopError",
    "UntrustedPickleError",
    "WaitFailedError",
    "WaitTimeoutError",
    "WorkerDiedError",
    "WrongLoopError",
    "rpc_error",
]


def _restore(cls: type[FlyteRemoteError], args: tuple[Any, ...], state: dict[str, Any]) -> FlyteRemoteError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class FlyteRemoteError(Exception):
    """The base of every error of this package."""

    http_status: ClassVar[int] = 500

    def __reduce__(self) -> tuple[Any, ...]:
        # Constructors take named arguments, which the default protocol would lose.
        return _restore, (type(self), self.args, dict(self.__dict__))


# --- what the control plane answers ---------------------------------------------------------------------------------


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


# --- the client itself ----------------------------------------------------------------------------------------------


class ClientStateError(FlyteRemoteError, RuntimeError):
    """The client cannot be used here or now."""


class ClosedError(ClientStateError):
    """Raised when a remote is used before it was opened or after it was closed, and by calls that a close cut off."""

    http_status = 503


class WrongLoopError(ClientStateError):
    """Raised when a remote is used from another event loop than the one that opened it."""


class ForkedProcessError(ClientStateError):
    """Raised when a remote is used in a process that was forked after the remote was opened."""


class UnsupportedLoopError(ClientStateError):
    """Raised under trio: gRPC for Python runs on asyncio alone."""


class DetachedError(FlyteRemoteError):
    """Raised when a snapshot that knows no remote (made by hand, or unpickled) is asked to sync, wait or load."""


class ConfigError(FlyteRemoteError, ValueError):
    """Raised when a configuration is malformed, incomplete or contradicts itself."""


class MissingExtraError(FlyteRemoteError, ImportError):
    """Raised when an optional dependency is needed and not installed; names the command that installs it.

    Attributes:
        extra: The extra that has it, such as ``"cli"``.
    """

    http_status = 501

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an extra that is not installed: pip install 'flyte-remote-async[{extra}]'")
        self.extra = extra


# --- executions -----------------------------------------------------------------------------------------------------


class FlyteAssertion(FlyteRemoteError, AssertionError):  # noqa: N818 - the reference API's own name
    """What was asked for is not there (yet). The name is the reference API's."""

    http_status: ClassVar[int] = 409


class ExecutionNotDoneError(FlyteAssertion):
    """Raised when outputs or the error are read while the execution still runs."""


class ExecutionFailedError(FlyteAssertion):
    """Raised when outputs are read and the execution has none, because it failed, was aborted or timed out.

    Attributes:
        execution: What failed, in words, such as ``"execution p/d/name"``.
        phase: The phase it ended in, such as ``"FAILED"``.
        code: Flyte's error code, such as ``"USER:ValueError"``; empty where there is none.
        error_message: Flyte's error message; the cause for an aborted execution.
    """

    http_status = 500

    def __init__(self, execution: str, phase: str, code: str = "", error_message: str = "") -> None:
        reason = f"{code}: {error_message}" if code else error_message
        super().__init__(f"{execution} has no outputs: it ended as {phase}{': ' + reason if reason else ''}")
        self.execution = execution
        self.phase = phase
        self.code = code
        self.error_message = error_message


class NotSyncedError(FlyteAssertion):
    """Raised when nodes or attempts are read from a snapshot that was taken without them."""


class NotLoadedError(FlyteAssertion):
    """Raised when literals are looked at before they were brought: await the value, or ``await resolver.load()``."""


class WaitTimeoutError(FlyteRemoteError, TimeoutError):
    """Raised when an execution did not end within the time that ``wait`` was given.

    Attributes:
        execution: The last snapshot that was seen.
        last_error: The error of the last look, when it failed.
        stale_for: Seconds since the control plane last answered about the execution.
    """

    http_status = 504

    def __init__(
        self,
        message: str,
        *,
        execution: FlyteWorkflowExecution,
        last_error: Exception | None = None,
        stale_for: float = 0.0,
    ) -> None:
        super().__init__(message)
        self.execution = execution
        self.last_error = last_error
        self.stale_for = stale_for


class WaitFailedError(FlyteRemoteError):
    """Raised when the work behind a wait broke, which is a bug, or was cancelled. The execution goes on."""


class OutputsUnavailableError(FlyteRemoteError):
    """Raised when a finished execution should have data and no source gives it; it never turns into an empty answer.

    Attributes:
        tried: The sources that were asked, each with what came of it.
    """

    http_status = 502

    def __init__(self, message: str, *, tried: Sequence[str] = ()) -> None:
        listing = "".join(f"\n  - {source}" for source in tried)
        super().__init__(f"{message}{listing}")
        self.tried = tuple(tried)


# --- stored objects -------------------------------------------------------------------------------------------------


class StorageError(FlyteRemoteError):
    """Raised when a stored object cannot be read or written, for a reason that the error gives.

    Attributes:
        reason: What is wrong.
        uri: The object; the signature of a signed URL is left out.
        tried: The ways to it that were tried, each with what came of it.
    """

    http_status: ClassVar[int] = 502

    def __init__(self, reason: str, *, uri: str = "", tried: Sequence[str] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.uri = uri
        self.tried = tuple(tried)

    def __str__(self) -> str:
        listing = "".join(f"\n  - {way}" for way in self.tried)
        return f"{self.uri or 'an object'}: {self.reason}{listing}"


class ObjectNotFoundError(StorageError, FileNotFoundError):
    """Raised when there is no object under a URI, or none that the credentials may see."""

    http_status: ClassVar[int] = 404


class UnsafePathError(StorageError, ValueError):
    """Raised when the name of an object would put it outside of its folder, or over another; nothing is written."""

    http_status: ClassVar[int] = 422


class IntegrityError(StorageError):
    """Raised when what came is not what is stored: it is too short, or changed on the way; nothing of it is kept."""


class NotDownloadedError(FlyteRemoteError, FileNotFoundError):
    """Raised when a remote file is used as a path of this machine before it was downloaded.

    Attributes:
        uri: Where the file is.
    """

    http_status: ClassVar[int] = 409

    def __init__(self, uri: str) -> None:
        super().__init__(f"{uri} is not on this machine yet: `await handle.download()` first")
        self.uri = uri


# --- literals and inputs --------------------------------------------------------------------------------------------


class LiteralError(FlyteRemoteError, TypeError, ValueError):
    """One value cannot be converted; its siblings are not touched by it.

    Attributes:
        variable: Name of the input or output; empty for a value that has no name.
        path: Where inside the value, such as ``"[3].field"``; empty at the top.
        kind: Kind of the literal, such as ``"collection"``.
        expected: The type that was asked for, in words.
        reason: What does not fit.
    """

    http_status: ClassVar[int] = 422
    _verb: ClassVar[str] = "convert"

    def __init__(self, reason: str, *, variable: str = "", path: str = "", kind: str = "", expected: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.variable = variable
        self.path = path
        self.kind = kind
        self.expected = expected

    def within(self, step: str) -> Self:
        """Put one step of the way to the value, such as ``"[3]"`` or ``".field"``, before the path."""
        self.path = step + self.path
        return self

    def named(self, variable: str) -> Self:
        """Name the input or output that the value is."""
        self.variable = variable
        return self

    def __str__(self) -> str:
        where = f"{self.variable or 'value'}{self.path}"
        article = "an" if self.kind[:1] in "aeiou" else "a"
        kind = f" {article} {self.kind} literal" if self.kind else ""
        expected = f" as {self.expected}" if self.expected else ""
        return f"cannot {self._verb} {where}{':' if kind or expected else ''}{kind}{expected}: {self.reason}"


class DecodeError(LiteralError):
    """Raised when a literal cannot be turned into the Python value that was asked for."""

    _verb = "decode"


class UntrustedPickleError(DecodeError):
    """Raised when a value is a pickle and pickles are not allowed: loading one runs code that its writer chose.

    Attributes:
        uri: Where the pickle is.
    """

    def __init__(self, uri: str, *, kind: str = "", expected: str = "") -> None:
        reason = (
            f"it is a pickle at {uri}, and loading one runs code that its writer chose; where you trust it, "
            "pass allow_pickle=True for this value, or get the file itself with FlyteFile as its type"
        )
        super().__init__(reason, kind=kind, expected=expected)
        self.uri = uri


class WorkerDiedError(DecodeError):
    """Raised when the process that decoded a value died at it, and with it this value alone."""


class EncodeError(LiteralError):
    """Raised when a Python value cannot be turned into a literal of the declared type."""

    _verb = "encode"


class MissingLiteralError(FlyteRemoteError, KeyError, AttributeError, ValueError):
    """Raised when a resolver has no literal of that name; the reference raises any of its three bases.

    Attributes:
        key: The name that was asked for.
        available: The names that there are.
    """

    http_status = 404

    def __init__(self, key: str, available: Sequence[str] = ()) -> None:
        super().__init__(key)
        self.key = key  # AttributeError has a "name" of its own, which does not pickle
        self.available = tuple(available)

    def __str__(self) -> str:
        there = ", ".join(map(repr, self.available)) or "none at all"
        return f"no literal is called {self.key!r}; there are: {there}"


class InvalidInputsError(FlyteRemoteError, ValueError):
    """Raised before anything is sent, when inputs do not fit the interface of what is launched.

    Attributes:
        entity: What was to be launched.
        problems: Input name to what is wrong with it.
    """

    http_status = 422

    def __init__(self, entity: str, problems: Mapping[str, str]) -> None:
        listing = "".join(f"\n  - {name}: {problem}" for name, problem in problems.items())
        super().__init__(f"these inputs do not fit {entity}:{listing}")
        self.entity = entity
        self.problems = dict(problems)
