"""Files that appear whole or not at all.

Bytes go into a file of another name in the same folder, which takes its place when everything is there and on the disk.
Whatever goes wrong, and when the task is cancelled, the other file is removed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from contextlib import asynccontextmanager
from operator import methodcaller
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from flyte_remote_async.concurrency import in_thread
from flyte_remote_async.errors import StorageError, UnsafePathError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

__all__ = ["replacing", "staging"]

_PREFIX: Final = ".flyte-"


@asynccontextmanager
async def replacing(target: Path, shown: str) -> AsyncIterator[BinaryIO]:
    """Open a file that becomes the target at the end of the block, when the block ends well.

    Args:
        target: The file; its folder is made where it is missing.
        shown: The object that is written, for errors.

    Raises:
        StorageError: It cannot be written, also from within the block: the disk is full, for one.
    """
    opened: list[BinaryIO] = []
    part = target.parent / f"{_PREFIX}{secrets.token_hex(8)}.part"
    try:
        with _told(target, shown):
            opened.append(await in_thread(_create, part, undo=methodcaller("close")))
            yield opened[0]
            await in_thread(_finish, opened[0], part, target)
    except BaseException:
        await in_thread(_remove, opened, part)
        raise


@contextlib.contextmanager
def _told(target: Path, shown: str) -> Any:
    try:
        yield
    except StorageError:  # the object's own, and some of them are OSErrors
        raise
    except OSError as error:
        reason = f"it cannot be written to {target}: {error.strerror or error}"
        raise StorageError(reason, uri=shown) from error


def _create(part: Path) -> BinaryIO:
    part.parent.mkdir(parents=True, exist_ok=True)
    return part.open("xb")


def _finish(file: BinaryIO, part: Path, target: Path) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()
    part.replace(target)
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    # Not every system lets a folder be opened; then the rename is as lasting as the system makes it.
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _remove(opened: list[BinaryIO], part: Path) -> None:
    # Closing writes what is left, on a disk that may be full; and the folder may be the reason for all this.
    for act in (*(file.close for file in opened), part.unlink):
        with contextlib.suppress(OSError):
            act()


@asynccontextmanager
async def staging(target: Path, names: Iterable[str], shown: str) -> AsyncIterator[Path]:
    """Give an empty folder whose files become those of the target at the end of the block, when it ends well.

    A target that is not there appears at once, with all its files. In one that is there, each file appears whole.

    Args:
        target: The folder.
        names: The relative names of the files that the block makes.
        shown: The object that is written, for errors.

    Raises:
        UnsafePathError: A name would leave the target through a symbolic link in it.
        StorageError: It cannot be written.
    """
    names = list(names)
    with _told(target, shown):
        folder = await in_thread(_stage, target, names, shown, undo=_clear)
    try:
        yield folder
        with _told(target, shown):
            await in_thread(_publish, folder, target, names)
    finally:
        await in_thread(_clear, folder)


def _stage(target: Path, names: list[str], shown: str) -> Path:
    exists = target.exists()
    if exists:
        root = target.resolve()
        for name in names:
            if not (root / name).parent.resolve().is_relative_to(root):
                reason = f"{name!r} leaves {target} through a symbolic link"
                raise UnsafePathError(reason, uri=shown)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
    # On the same file system as the target, so that a rename is enough.
    folder = (target if exists else target.parent) / f"{_PREFIX}{secrets.token_hex(8)}"
    folder.mkdir()
    return folder


def _publish(folder: Path, target: Path, names: list[str]) -> None:
    if not target.exists():
        folder.rename(target)
        _sync_folder(target.parent)
        return
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).replace(target / name)


def _clear(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
