"""What is wrong with the client itself: its state, its configuration, what is installed."""

from __future__ import annotations

from flyte_remote_async.errors.base import FlyteRemoteError

__all__ = [
    "ClientStateError",
    "ClosedError",
    "ConfigError",
    "DetachedError",
    "ForkedProcessError",
    "MissingExtraError",
    "UnsupportedLoopError",
    "WrongLoopError",
]


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
