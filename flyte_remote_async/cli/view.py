"""Where progress is shown: a live tree on a terminal, a line for each change elsewhere."""

from __future__ import annotations

import datetime as dt
import sys
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from flyte_remote_async.cli.tree import ASCII, BOXES, entry, lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import TextIO

    from flyte_remote_async.cli.tree import Entry, Style
    from flyte_remote_async.executions import FlyteWorkflowExecution

__all__ = ["LiveView", "PlainView", "View", "open_view", "style_of"]

_COLOURS: Final = {
    "SUCCEEDED": "green",
    "RECOVERED": "green",
    "FAILED": "red",
    "TIMED_OUT": "red",
    "FAILING": "red",
    "ABORTED": "yellow",
    "ABORTING": "yellow",
    "RUNNING": "cyan",
    "DYNAMIC_RUNNING": "cyan",
    "QUEUED": "blue",
}


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
        for item in _flat(entry(execution, now)):
            if self._phases.get(item.name) != item.phase:
                self._phases[item.name] = item.phase
                print(f"{now:%H:%M:%S}  {item.name}  {item.what}  {item.phase}", file=self._stream, flush=True)

    def finish(self, execution: FlyteWorkflowExecution) -> None:
        """Write the last changes and the tree."""
        self.show(execution)
        tree = lines(entry(execution, dt.datetime.now(dt.UTC)), style_of(self._stream))
        print("", *tree, sep="\n", file=self._stream, flush=True)


def _flat(item: Entry) -> Iterator[Entry]:
    yield item
    for child in item.children:
        yield from _flat(child)


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
        self._live.update(_drawn(entry(execution, dt.datetime.now(dt.UTC))), refresh=True)

    def finish(self, execution: FlyteWorkflowExecution) -> None:
        """Draw the last snapshot."""
        self.show(execution)


def _drawn(root: Entry) -> Any:
    from rich.tree import Tree

    tree = Tree(_label(root))
    _grow(tree, root)
    return tree


def _grow(tree: Any, item: Entry) -> None:
    for child in item.children:
        _grow(tree.add(_label(child)), child)


def _label(item: Entry) -> Any:
    from rich.text import Text

    time = "" if item.seconds is None else f"{item.seconds:.2f} s"
    return Text.assemble(
        (item.name, "bold"),
        f"  {item.what}  ",
        (item.phase, _COLOURS.get(item.phase, "")),
        (f"  {time}", "dim"),
        (f"  {item.note}" if item.note else "", "dim"),
    )


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
