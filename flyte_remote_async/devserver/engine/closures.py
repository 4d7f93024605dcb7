"""How the closure of anything that runs ends: an execution, a node, an attempt."""

from __future__ import annotations

import datetime as dt
from typing import Any

__all__ = ["end_closure"]


def end_closure(closure: Any, phase: int, now: dt.datetime) -> None:
    """Write an end into a closure.

    Args:
        closure: The closure of an execution, a node or an attempt.
        phase: The phase that it ends in.
        now: The present instant, aware.
    """
    closure.phase = phase
    closure.updated_at.FromDatetime(now)
    if closure.HasField("started_at"):
        # The clock of a devserver that has stopped may have been ahead when it began.
        closure.duration.FromTimedelta(max(now - closure.started_at.ToDatetime(now.tzinfo), dt.timedelta()))
