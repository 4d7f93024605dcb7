"""What the closures of executions, nodes and attempts have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from google.protobuf.message import Message

from flyte_remote_async.models.outcomes import ExecutionError
from flyte_remote_async.models.parsed import ParsedValue, value_in
from flyte_remote_async.models.times import datetime_in, timedelta_in

if TYPE_CHECKING:
    from datetime import datetime, timedelta

__all__ = ["Closure"]

M = TypeVar("M", bound=Message)


class Closure(ParsedValue[M]):
    """How far something is, and how it ended."""

    __slots__ = ()

    @property
    def error(self) -> ExecutionError | None:
        """Why it failed; None when it did not."""
        return value_in(ExecutionError, self._message, "error")

    @property
    def created_at(self) -> datetime | None:
        """When it was created."""
        return datetime_in(self._message, "created_at")

    @property
    def started_at(self) -> datetime | None:
        """When it began to run; None before."""
        return datetime_in(self._message, "started_at")

    @property
    def updated_at(self) -> datetime | None:
        """When it last moved; failing and retried attempts do not move their node."""
        return datetime_in(self._message, "updated_at")

    @property
    def duration(self) -> timedelta | None:
        """How long it ran; None before it has ended."""
        return timedelta_in(self._message, "duration")
