"""Folders: many objects at one time, none of which lands outside of the folder that was asked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import anyio
import anyio.to_thread

from flyte_remote_async.errors import StorageError
from flyte_remote_async.storage.files import staging
from flyte_remote_async.storage.names import check_all, file_name
from flyte_remote_async.storage.uploads import Source, folder_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from flyte_remote_async.storage.addresses import Address

__all__ = ["download_all", "upload_all"]

T = TypeVar("T")

# Tasks at one time; how many of them transfer is bounded for all folders together.
_TASKS: Final = 32


async def download_all(
    address: Address, names: Sequence[str], target: Path, download: Callable[[Address, Path], Awaitable[None]]
) -> None:
    """Write objects into a folder.

    Args:
        address: What they are under.
        names: Their names, relative to it; an empty one is the address itself, as an object.
        target: The folder.
        download: Writes one object into a file.

    Raises:
        UnsafePathError: A name is refused; nothing was written.
        StorageError: An object cannot be had, or written; nothing was written.
    """
    places = {name or file_name(address): address.child(name) if name else address for name in names}
    check_all(places, address.shown)
    async with staging(target, places, address.shown) as folder:

        async def one(place: tuple[str, Address]) -> None:
            await download(place[1], folder / place[0])

        await _each(one, places.items())


async def upload_all(source: Path, put: Callable[[Source, str, str], Awaitable[str]]) -> str:
    """Store the files of a folder and return the URI of the folder.

    Args:
        source: The folder.
        put: Stores one file under a name in a group and returns its URI.

    Raises:
        StorageError: There is no file in it, or one cannot be stored.
    """
    paths = await anyio.to_thread.run_sync(_files, source)
    measured: dict[str, Source] = {}

    async def measure(name: str) -> None:
        measured[name] = await Source.measure(source / name)

    await _each(measure, paths)
    group = folder_of(measured)
    uris: dict[str, str] = {}

    async def store(name: str) -> None:
        uris[name] = await put(measured[name], name, group)

    await _each(store, paths)
    first = paths[0]
    return uris[first].removesuffix(first).rstrip("/")


def _files(source: Path) -> list[str]:
    # Links are left out: what they point to need not be meant.
    found = [
        path.relative_to(source).as_posix()
        for folder, _, names in os.walk(source)
        for path in (Path(folder, name) for name in names)
        if path.is_file() and not path.is_symlink()
    ]
    if not found:
        reason = "there is no file in it" if source.is_dir() else "there is no such folder"
        raise StorageError(f"it cannot be stored: {reason}", uri=str(source))
    return sorted(found)


async def _each(function: Callable[[T], Awaitable[None]], items: Iterable[T]) -> None:
    """Run a function for each item, some at a time; the first failure ends the others and is raised by itself."""
    left = iter(items)
    failed: list[Exception] = []

    async with anyio.create_task_group() as group:

        async def work() -> None:
            try:
                for item in left:
                    await function(item)
            except Exception as error:  # noqa: BLE001 - raised below, out of the group
                failed.append(error)
                group.cancel_scope.cancel()

        for _ in range(_TASKS):
            group.start_soon(work)
    if failed:
        raise failed[0]
