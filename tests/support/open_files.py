"""The files that this process has open."""

from __future__ import annotations

from pathlib import Path


def open_below(folder: Path) -> list[str]:
    """Return the files below a folder that are open; none where the system does not tell."""
    links = Path("/proc/self/fd")
    opened = [str(link.readlink()) for link in links.iterdir() if link.is_symlink()] if links.is_dir() else []
    return [name for name in opened if name.startswith(str(folder))]
