"""The folders in which tasks run, which are not left behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import threading
from pathlib import Path
from typing import Final

__all__ = ["TaskFolders", "remove_folder"]

_PREFIX: Final = "flyte-devserver-"
_LOCK: Final = ".lock"


class TaskFolders:
    """Folders for tasks, all of them in one of the server's own.

    The server holds a lock in it, which goes with its process however that ends. What a server that was killed has left
    is found by that, and removed by the next one. The methods block, and can be called from any thread.
    """

    def __init__(self) -> None:
        self._top: Path | None = None
        self._lock_file = -1
        self._opening = threading.Lock()

    def make(self) -> str:
        """Make a folder, and return its path.

        Raises:
            OSError: It cannot be made.
        """
        with self._opening:
            if self._top is None:
                _sweep()
                self._top, self._lock_file = _open()
            return tempfile.mkdtemp(prefix="task-", dir=self._top)

    def close(self) -> None:
        """Remove all of them; more can be made afterwards."""
        with self._opening:
            if self._top is not None:
                remove_folder(self._top)
                os.close(self._lock_file)
                self._top, self._lock_file = None, -1


def _open() -> tuple[Path, int]:
    while True:
        top = Path(tempfile.mkdtemp(prefix=_PREFIX))
        lock_file = os.open(top / _LOCK, os.O_CREAT | os.O_RDWR)
        if _locked(lock_file):
            return top, lock_file
        # Another server took it for one that was left, and removes it.
        os.close(lock_file)


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _sweep() -> None:
    for top in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        # Not ours to look at, or gone meanwhile.
        with contextlib.suppress(OSError):
            lock_file = os.open(top / _LOCK, os.O_RDWR)
            try:
                if _locked(lock_file):
                    remove_folder(top)
            finally:
                os.close(lock_file)


def remove_folder(folder: str | Path) -> None:
    """Remove a folder with all that is in it, also what a task has made read-only. It blocks.

    Args:
        folder: Its path; it may be missing.
    """
    for inside, names, _ in os.walk(folder):
        for name in names:
            path = Path(inside, name)
            if not path.is_symlink():  # what it leads to is not ours
                with contextlib.suppress(OSError):
                    path.chmod(stat.S_IRWXU)
    shutil.rmtree(folder, ignore_errors=True)
