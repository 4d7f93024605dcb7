"""Turns: long work in pieces says when it is between two of them."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BETWEEN", "take_turns"]


def _nothing() -> None:
    """Do nothing: work that nobody runs beside a loop has nobody to give a turn to."""


BETWEEN: Final[ContextVar[Callable[[], None]]] = ContextVar("flyte_remote_async_between", default=_nothing)
"""What to do between two pieces; whoever runs the work sets it. It may raise, which ends the work."""


def take_turns() -> None:
    """Do what is to be done between two pieces of long work."""
    BETWEEN.get()()
