"""Where progress is shown: a live tree on a terminal, a line for each change elsewhere."""

from __future__ import annotations

import datetime as dt
import sys
from typing import TYPE_CHECKING, Protocol, Self

from flyte_remote_async.executions.outline import ASCII, BOXES, as_rich, lines, outline

if TYPE_CHECKING:
    from types import TracebackType
    from typing import TextIO

    from flyte_remote_async.executions import FlyteWorkflowExecution
    from flyte_remote_async.executions.outline import Style

__all__ = ["LiveView", "PlainView", "View", "open_view", "style_of"]


class View(Protocol):
    """Something that shows how an execution moves."""

    def __enter__(self) -> Self:
        """Begin to show."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave what was shown as it is."""
        ...

    def show(self, execution: FlyteWorkflowExecution) -> None:
        """Show a snapshot."""
        ...

    def finish(self, execution: FlyteWorkflowExecution) -> None:
        """Show the last snapshot, whole."""
        ...


class PlainView:
    """A line of text for each change of a phase, and the tree at the end.

    Args:
        stream: Where to write.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._phases: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stream.flush()

    def show(self, execution: FlyteWorkflowExecution) -> None:
        """Write what has changed since the last snapshot."""
        now = dt.datetime.now(dt.UTC)
        for item in outline(execution, now):
            if self._phases.get(item.name) != item.phase:
                self._phases[item.name] = item.phase
                print(f"{now:%H:%M:%S}  {item.name}  {item.what}  {item.phase}", file=self._stream, flush=True)

    def finish(self, execution: FlyteWorkflowExecution) -> None:
        """Write the last changes and the tree."""
        self.show(execution)
        tree = lines(outline(execution, dt.datetime.now(dt.UTC)), style_of(self._stream))
        print("", *tree, sep="\n", file=self._stream, flush=True)


class LiveView:
    """A tree on a terminal that changes in place.

    Args:
        stream: The terminal.

    Raises:
        ImportError: rich is not installed.
    """

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.live import Live

        # The terminal is drawn when there is something new, and never from a thread of its own.
        self._live = Live(console=Console(file=stream), auto_refresh=False, transient=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, execution: FlyteWorkflowExecution) -> None:
        """Draw a snapshot."""
        self._live.update(as_rich(execution), refresh=True)

    def finish(self, execution: FlyteWorkflowExecution) -> None:
        """Draw the last snapshot."""
        self.show(execution)


def style_of(stream: TextIO) -> Style:
    """Return the strokes that a stream can write."""
    try:
        BOXES.last.encode(getattr(stream, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        return ASCII
    return BOXES


def open_view(stream: TextIO | None = None) -> View:
    """Return the best view for a stream.

    Args:
        stream: Where to show; standard output by default.
    """
    stream = stream or sys.stdout
    if not stream.isatty():
        return PlainView(stream)
    try:
        return LiveView(stream)
    except ImportError:  # the extra "cli" is not installed
        return PlainView(stream)
