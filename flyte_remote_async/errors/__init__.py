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

from flyte_remote_async.errors.base import FlyteRemoteError
from flyte_remote_async.errors.client import (
    ClientStateError,
    ClosedError,
    ConfigError,
    DetachedError,
    ForkedProcessError,
    MissingExtraError,
    UnsupportedLoopError,
    WrongLoopError,
)
from flyte_remote_async.errors.executions import (
    ExecutionFailedError,
    ExecutionNotDoneError,
    FlyteAssertion,
    NotLoadedError,
    NotSyncedError,
    OutputsUnavailableError,
    WaitFailedError,
    WaitTimeoutError,
)
from flyte_remote_async.errors.literals import (
    DecodeError,
    EncodeError,
    InvalidInputsError,
    LiteralError,
    MissingLiteralError,
    UntrustedPickleError,
    WorkerDiedError,
)
from flyte_remote_async.errors.rpc import (
    AbortedError,
    AlreadyExistsError,
    DataLossError,
    DeadlineExceededError,
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    MalformedMessageError,
    MessageTooLargeError,
    NotFoundError,
    OutOfRangeError,
    PermissionDeniedError,
    ResourceExhaustedError,
    RPCCancelledError,
    RPCError,
    UnauthenticatedError,
    UnavailableError,
    UnimplementedError,
    UnknownError,
    rpc_error,
)
from flyte_remote_async.errors.storage import (
    IntegrityError,
    NotDownloadedError,
    ObjectNotFoundError,
    StorageError,
    UnsafePathError,
)

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
