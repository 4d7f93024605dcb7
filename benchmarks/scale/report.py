"""Results as a page: tables in Markdown, and a plot."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from benchmarks.scale.looks import Look
    from benchmarks.scale.waits import Waits

__all__ = ["looks_table", "machine", "plot", "waits_table"]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def machine(theirs: str | None) -> str:
    """Return a line about the machine and the versions."""
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("flyte-remote-async", "grpcio", "protobuf")]
    versions.append(theirs or "without flytekit")
    return f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}; {', '.join(versions)}"


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.0f} ms"


def looks_table(looks: Sequence[Look]) -> str:
    """Return what looks cost, a line for each size and delay."""
    theirs = {(look.tasks, look.round_trip): look for look in looks if look.side == "flytekit"}
    rows = []
    for look in looks:
        if look.side != "ours":
            continue
        other = theirs.get((look.tasks, look.round_trip))
        rows.append(
            (
                look.what,
                f"{look.tasks:,}",
                f"{look.round_trip * 1000:.0f} ms",
                _seconds(look.seconds),
                f"{look.requests:,}",
                f"{look.received / 1000:,.0f} kB",
                _seconds(other.seconds) if other else "",
                f"{other.requests:,}" if other else "",
                f"{other.seconds / look.seconds:.0f}" if other else "",
            )
        )
    head = ("look", "tasks", "round trip", "ours", "requests", "received", "flytekit", "its requests", "times faster")
    return _table(head, rows)


def waits_table(waits: Sequence[Waits]) -> str:
    """Return what waits cost, a line for each client and number."""

    def percent(share: float | None) -> str:
        return "" if share is None else f"{share:.1%}"

    head = (
        "client",
        "waits",
        "polls a second",
        "calls in all",
        "kB a second",
        "notice: median",
        "90 %",
        "worst",
        "memory",
        "CPU",
        "CPU, idle",
        "server CPU",
        "loop lag, 99 %",
    )
    rows = (
        (
            wait.side,
            f"{wait.count:,}",
            f"{wait.polls_a_second:.1f}",
            f"{sum(wait.calls.values()):,}",
            f"{wait.received / wait.seconds / 1000:,.1f}",
            *(_seconds(value) for value in wait.notice),
            f"{wait.resident / 1e6:.0f} MB",
            percent(wait.cpu),
            percent(wait.idle_cpu),
            percent(wait.server_cpu),
            "" if wait.lag is None else _seconds(wait.lag),
        )
        for wait in waits
    )
    return _table(head, rows)


def plot(looks: Sequence[Look], path: Path) -> None:
    """Draw how long a look takes, by tasks, as SVG.

    Args:
        looks: What was measured.
        path: The file.
    """
    # Not at the top: only who draws needs it.
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    delays = sorted({look.round_trip for look in looks})
    figure, axes = plt.subplots(1, len(delays), figsize=(4 * len(delays), 3.4), sharey=True, squeeze=False)
    for axis, delay in zip(axes[0], delays, strict=True):
        _lines(axis, [look for look in looks if look.round_trip == delay])
        axis.set(title=f"round trip {delay * 1000:.0f} ms", xlabel="tasks", xscale="log", yscale="log")
        axis.grid(alpha=0.3)
    axes[0][0].set_ylabel("seconds for one look")
    axes[0][-1].legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _lines(axis: Any, looks: Sequence[Look]) -> None:
    for side, what in dict.fromkeys((look.side, look.what) for look in looks):
        found = [look for look in looks if (look.side, look.what) == (side, what)]
        axis.plot([look.tasks for look in found], [look.seconds for look in found], marker="o", label=f"{side}: {what}")
