"""Pieces of snapshots as JSON-ready data."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from flyte_remote_async.models.outcomes import ExecutionError

__all__ = ["error_to_dict", "instant", "times_to_dict"]


class _Timed(Protocol):
    @property
    def created_at(self) -> datetime | None: ...
    @property
    def started_at(self) -> datetime | None: ...
    @property
    def updated_at(self) -> datetime | None: ...
    @property
    def duration(self) -> timedelta | None: ...


def times_to_dict(closure: _Timed) -> dict[str, Any]:
    """Return the times of a closure: RFC 3339 strings in UTC, and seconds."""
    return {
        "created_at": instant(closure.created_at),
        "started_at": instant(closure.started_at),
        "updated_at": instant(closure.updated_at),
        "duration": None if closure.duration is None else closure.duration.total_seconds(),
    }


def error_to_dict(error: ExecutionError | None) -> dict[str, Any] | None:
    """Return an error of Flyte's, or None."""
    if error is None:
        return None
    return {"code": error.code, "kind": error.kind.name, "message": error.message}


def instant(at: datetime | None) -> str | None:
    """Return a time as an RFC 3339 string in UTC, or None."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")
