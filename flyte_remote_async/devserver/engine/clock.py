"""The time that the engine writes down, so that a test can hold it still."""

from __future__ import annotations

import datetime as dt
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """What the engine asks for the time."""

    def now(self) -> dt.datetime:
        """Return the present instant, aware, in UTC."""
        ...


class SystemClock:
    """The time of this machine."""

    def now(self) -> dt.datetime:
        """Return the present instant, aware, in UTC."""
        return dt.datetime.now(dt.UTC)
