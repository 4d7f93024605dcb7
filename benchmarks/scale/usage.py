"""What a process has used of the machine (Linux)."""

from __future__ import annotations

import os
from pathlib import Path

import attrs

__all__ = ["Usage", "usage"]


@attrs.frozen
class Usage:
    """Seconds of CPU, and the most bytes that were resident at a time."""

    cpu: float
    most_resident: int


def usage(pid: int) -> Usage:
    """Return what a process has used so far.

    Args:
        pid: The process.
    """
    folder = Path("/proc") / str(pid)
    fields = (folder / "stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    ticks = int(fields[11]) + int(fields[12])
    status = dict(line.split(":", 1) for line in (folder / "status").read_text(encoding="utf-8").splitlines())
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), int(status["VmHWM"].split()[0]) * 1024)
