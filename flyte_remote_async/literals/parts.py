"""The files that a stored table is made of, on their way to this machine."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread

from flyte_remote_async.concurrency import in_thread
from flyte_remote_async.errors import ObjectNotFoundError, StorageError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from flyte_remote_async.literals.access import Objects

__all__ = ["bring_all", "each_file", "is_partitioned", "list_parts", "temporary"]

# What flytekit calls the one file of a table, by format.
_SINGLE: Final = {"csv": ".csv"}


@asynccontextmanager
async def temporary() -> AsyncIterator[Path]:
    """Make a temporary folder, which is removed at the end of the block."""
    folder = await in_thread(tempfile.mkdtemp, "", "flyte-", undo=_remove)
    try:
        yield Path(folder)
    finally:
        await in_thread(_remove, folder)


def _remove(folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)


async def list_parts(objects: Objects, uri: str, file_format: str) -> list[str] | None:
    """Return the uris of the files of a table; None where it cannot be listed.

    Marks that programs leave beside the data, such as ``_SUCCESS``, are left out.

    Raises:
        ObjectNotFoundError: There is nothing under the uri.
    """
    try:
        found = await objects.list(uri)
    except ObjectNotFoundError:
        raise
    except StorageError:
        return None
    data = [one for one in found if one == uri or _is_data(one, file_format)]
    if not data:
        raise ObjectNotFoundError("there are files under it, and none of a table", uri=uri)
    return data


def _is_data(uri: str, file_format: str) -> bool:
    name = uri.rpartition("/")[2]
    return name == _SINGLE.get(file_format) or not name.startswith(("_", "."))


def is_partitioned(uri: str, parts: Sequence[str]) -> bool:
    """Tell whether folders below a uri hold values of columns, as in ``day=1/00000``."""
    return any("=" in part.removeprefix(uri).rpartition("/")[0] for part in parts)


async def each_file(
    objects: Objects, uri: str, file_format: str, parts: Sequence[str] | None
) -> AsyncGenerator[Path, None]:
    """Bring the files of a table one by one; what was brought is removed when the next is asked for.

    Args:
        objects: Brings them.
        uri: Where the table is.
        file_format: How it is stored.
        parts: What :func:`list_parts` found.
    """
    async with temporary() as folder:
        if parts is None:
            for path in await _guess(objects, uri, file_format, folder):
                yield path
            return
        for part in parts:
            here = objects.local(part)
            if here is not None:
                yield here
                continue
            path = folder / "part"
            await objects.download(part, path)
            yield path
            await anyio.to_thread.run_sync(path.unlink)


async def bring_all(objects: Objects, uri: str, file_format: str, parts: Sequence[str] | None, folder: Path) -> None:
    """Bring all files of a table into a folder, under their own names; arguments as :func:`each_file`."""
    if parts is None:
        await _guess(objects, uri, file_format, folder)
    else:
        await objects.download_directory(uri, folder)


async def _guess(objects: Objects, uri: str, file_format: str, folder: Path) -> list[Path]:
    """Bring a table that cannot be listed: a single file, or files that are numbered from 00000 as flytekit's are.

    Who reads through signed URLs alone cannot list. The numbers are asked for until one is missing.
    """
    base = uri.rstrip("/")
    for single in (uri, f"{base}/{_SINGLE[file_format]}") if file_format in _SINGLE else (uri,):
        path = folder / "single"
        if await _brought(objects, single, path):
            return [path]
    paths: list[Path] = []
    while await _brought(objects, f"{base}/{len(paths):05}", folder / f"{len(paths):05}"):
        paths.append(folder / f"{len(paths):05}")
    if not paths:
        reason = "it cannot be listed with what is known here, and there is no file 00000 under it"
        raise ObjectNotFoundError(reason, uri=uri)
    return paths


async def _brought(objects: Objects, uri: str, path: Path) -> bool:
    try:
        await objects.download(uri, path)
    except ObjectNotFoundError:
        return False
    return True
