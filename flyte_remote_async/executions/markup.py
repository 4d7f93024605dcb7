"""Small pieces of text and HTML that the pictures of executions share.

HTML stands alone: no scripts, no style sheets, nothing from elsewhere; all text is escaped. It takes the colours of
text and background from where it is shown, so it fits light and dark notebooks.
"""

from __future__ import annotations

import html
from datetime import UTC
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, timedelta

    from flyte_remote_async.models.outcomes import ExecutionError

__all__ = [
    "COLOURS",
    "DIM",
    "RICH_COLOURS",
    "cut",
    "element",
    "framed",
    "indented",
    "last_line",
    "moment_text",
    "seconds_text",
    "table",
]

# Readable on white and on black.
COLOURS: Final = {
    "SUCCEEDED": "#2da44e",
    "RECOVERED": "#2da44e",
    "FAILED": "#e5534b",
    "RETRYABLE_FAILED": "#e5534b",
    "TIMED_OUT": "#e5534b",
    "FAILING": "#e5534b",
    "ABORTED": "#c69026",
    "ABORTING": "#c69026",
    "RUNNING": "#2f81f7",
    "DYNAMIC_RUNNING": "#2f81f7",
    "INITIALIZING": "#2f81f7",
    "QUEUED": "#8b949e",
}
RICH_COLOURS: Final = {
    "#2da44e": "green",
    "#e5534b": "red",
    "#c69026": "yellow",
    "#2f81f7": "cyan",
    "#8b949e": "blue",
}
DIM: Final = "opacity:.65"

# A tree may be thousands of levels deep, and a page is not that wide.
_DEEPEST: Final = 24
_MINUTE: Final = 60
_HOUR: Final = 3600


def element(name: str, content: str, style: str = "", **attributes: str) -> str:
    """Return an element of HTML.

    Args:
        name: Its name.
        content: What is in it: HTML already.
        style: Its style.
        attributes: Its other attributes, not escaped yet.
    """
    given = {"style": style, **attributes} if style else attributes
    words = "".join(f' {key}="{html.escape(value)}"' for key, value in given.items())
    return f"<{name}{words}>{content}</{name}>"


def table(rows: Iterable[str], head: str) -> str:
    """Return a table of rows below a heading, all of them HTML already."""
    # Without a document type, as in some mail programs, a table takes neither font nor colour from around it.
    style = "border-collapse:collapse;font:inherit;color:inherit;margin:.25em 0"
    return framed(element("div", head, "margin:.25em 0") + element("table", "".join(rows), style))


def framed(content: str) -> str:
    """Return what a picture of ours is in, around HTML."""
    font = "font:12px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace"
    return element("div", content, f"{font};color:inherit;background:transparent;text-align:left;overflow-x:auto")


def indented(depth: int) -> str:
    """Return the style that moves a cell to its depth in a tree."""
    return f"padding:0 1em 0 {min(depth, _DEEPEST) * 1.2:g}em;white-space:nowrap;text-align:left"


def cut(text: str, length: int) -> str:
    """Return a text of one line, cut to a length."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"


def last_line(error: ExecutionError) -> str:
    """Return an error in one line: its code, and the last line of its message, which is what a trace leads to."""
    found = [line.strip() for line in error.message.splitlines() if line.strip()]
    return ": ".join(filter(None, (error.code, found[-1] if found else ""))) or "no details were given"


def moment_text(at: datetime | None) -> str:
    """Return a time for people, in UTC and to the millisecond; empty for None."""
    if at is None:
        return ""
    at = at.astimezone(UTC)
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d} UTC"


def seconds_text(time: timedelta | None, *, lasts: bool = False) -> str:
    """Return a time in words, such as ``"1.25 s"`` or ``"2 min 14 s"``.

    Args:
        time: The time; empty for None.
        lasts: Whether it still goes on.
    """
    if time is None:
        return ""
    seconds = max(time.total_seconds(), 0.0)
    whole, minutes = round(seconds), round(seconds / _MINUTE)
    if round(seconds, 2) < _MINUTE:
        text = f"{seconds:.2f} s"
    elif whole < _HOUR:
        text = f"{whole // _MINUTE} min {whole % _MINUTE:02} s"
    else:
        text = f"{minutes // _MINUTE} h {minutes % _MINUTE:02} min"
    return text + (" …" if lasts else "")
