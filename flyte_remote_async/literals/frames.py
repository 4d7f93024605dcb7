"""Tables of pandas, polars and arrow: reading stored ones, and turning one kind into another."""

from __future__ import annotations

import functools
import io
import sys
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias, TypeVar

import anyio
import anyio.to_thread

from flyte_remote_async.concurrency import in_thread
from flyte_remote_async.errors import DecodeError, MissingExtraError
from flyte_remote_async.literals import parts

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
    from pathlib import Path

    from flyte_remote_async.literals.access import Objects, Work

__all__ = [
    "FORMATS",
    "Kind",
    "Stored",
    "batches_of",
    "beside",
    "convert",
    "kind_of_frame",
    "load",
    "read",
    "runner",
    "write",
]

T = TypeVar("T")
Kind: TypeAlias = Literal["pandas", "polars", "arrow"]

FORMATS: Final = ("parquet", "csv")
_MODULES: Final = {"pandas": "pandas", "polars": "polars", "arrow": "pyarrow"}


class Stored(NamedTuple):
    """A stored table, and what of it is wanted.

    Attributes:
        uri: Where it is: one file, or a folder of files.
        file_format: How it is stored; empty is parquet.
        kind: What it should become.
        columns: The columns to read; empty for all.
    """

    uri: str
    file_format: str
    kind: Kind
    columns: tuple[str, ...] = ()


async def beside(function: Callable[..., T], *args: Any) -> T:
    """Return what a function gives; it runs in a thread."""
    return await anyio.to_thread.run_sync(functools.partial(function, *args))


def runner(work: Work | None) -> Callable[..., Awaitable[Any]]:
    """Return what runs a function beside the loop."""
    return work.run if work is not None else beside


async def read(objects: Objects, work: Work | None, table: Stored) -> Any:
    """Return a stored table.

    Args:
        objects: Brings the bytes.
        work: Takes them apart.
        table: What to read.

    Raises:
        MissingExtraError: The library is not installed.
        ObjectNotFoundError: There is nothing under the uri.
        DecodeError: The data is damaged, of an unknown format, or has no such column.
        StorageError: The data cannot be had.
    """
    await beside(_check, table.file_format, table.kind)
    run = runner(work)
    found = await parts.list_parts(objects, table.uri, table.file_format)
    single = found[0] if found is not None and len(found) == 1 else None
    here = objects.local(single or table.uri)
    if here is not None:
        return await run(load, here, table)
    if single is not None:
        return await run(load, await objects.read(single), table)
    async with parts.temporary() as folder:
        await parts.bring_all(objects, table.uri, table.file_format, found, folder)
        return await run(load, folder, table)


async def batches_of(objects: Objects, table: Stored, size: int) -> AsyncGenerator[Any, None]:
    """Yield the record batches of a stored table; its files are brought one by one.

    Args:
        objects: Brings the bytes.
        table: What to read.
        size: The most rows of a batch.

    Raises:
        MissingExtraError, ObjectNotFoundError, DecodeError, StorageError: As :func:`read`.
    """
    await beside(_check, table.file_format, "arrow")
    found = await parts.list_parts(objects, table.uri, table.file_format)
    if found is not None and parts.is_partitioned(table.uri, found):
        # The values of some columns are in the names of folders, which one file does not know.
        whole = await read(objects, None, table)
        for batch in await beside(functools.partial(whole.to_batches, max_chunksize=size)):
            yield batch
        return
    async with aclosing(parts.each_file(objects, table.uri, table.file_format, found)) as files:
        async for path in files:
            batches = await beside(open_batches, path, table, size)
            try:
                while (batch := await beside(_next, batches, table)) is not None:
                    yield batch
            finally:
                await in_thread(batches.close)


def _check(file_format: str, kind: Kind) -> None:
    """Refuse what cannot be read before anything is brought."""
    import importlib.util

    if (file_format or "parquet") not in FORMATS:
        reason = f"the table is stored as {file_format!r}; only {' and '.join(FORMATS)} can be read"
        raise DecodeError(reason, kind="structured_dataset", expected=kind)
    for module in dict.fromkeys(("pyarrow", _MODULES[kind])):
        if module not in sys.modules and importlib.util.find_spec(module) is None:
            raise MissingExtraError(f"reading a table as {kind}", "frames")


def load(source: bytes | Path, table: Stored) -> Any:
    """Return the table that bytes, a file or a folder of files hold."""
    with _told(table):
        return _LOADERS[table.file_format or "parquet"](source, table.kind, list(table.columns) or None)


@contextmanager
def _told(table: Stored) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if isinstance(error, MemoryError):
            raise
        words = str(error).partition("\n")[0]
        reason = f"the table at {table.uri} cannot be read: {type(error).__name__}: {words}"
        raise DecodeError(reason, kind="structured_dataset", expected=table.kind) from error


def _load_parquet(source: bytes | Path, kind: Kind, columns: list[str] | None) -> Any:
    if kind == "polars" and (isinstance(source, bytes) or source.is_file()):
        import polars as pl

        return pl.read_parquet(io.BytesIO(source) if isinstance(source, bytes) else source, columns=columns)
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pa.BufferReader(source) if isinstance(source, bytes) else source
    if columns is None and (isinstance(source, bytes) or source.is_file()):
        # The way for a whole file, which makes no data set of it first: a third faster for small ones.
        with pq.ParquetFile(file) as whole:
            return _from_arrow(whole.read(), kind)
    return _from_arrow(pq.read_table(file, columns=columns), kind)


def _load_csv(source: bytes | Path, kind: Kind, columns: list[str] | None) -> Any:
    parts = [source] if isinstance(source, bytes) else [one.read_bytes() for one in _files(source)]
    if kind == "polars":
        import polars as pl

        return pl.concat([pl.read_csv(io.BytesIO(part), columns=columns) for part in parts])
    import pandas as pd

    frames = [pd.read_csv(io.BytesIO(part), usecols=columns) for part in parts]
    frame = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
    return frame if kind == "pandas" else _to_arrow(frame)


_LOADERS: Final[dict[str, Callable[..., Any]]] = {"parquet": _load_parquet, "csv": _load_csv}


def _files(folder: Path) -> list[Path]:
    if folder.is_file():
        return [folder]
    return sorted(path for path in folder.rglob("*") if path.is_file())


def open_batches(path: Path, table: Stored, size: int) -> Generator[Any, None, None]:
    """Return the record batches of a stored file; errors as :func:`load`, when they are asked for."""
    columns = list(table.columns) or None
    if table.file_format == "csv":
        yield from _load_csv(path.read_bytes(), "arrow", columns).to_batches(max_chunksize=size)
        return
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        missing = set(table.columns) - set(file.schema_arrow.names)
        if missing:
            raise KeyError(f"there is no column {', '.join(sorted(missing))}")
        yield from file.iter_batches(size, columns=columns)


def _next(batches: Iterator[Any], table: Stored) -> Any:
    with _told(table):
        return next(batches, None)


def kind_of_frame(value: object) -> Kind | None:
    """Return which library a frame is of, without importing any; None for what is no frame."""
    for kind, name, classes in _CLASSES:
        module = sys.modules.get(name)
        known = tuple(getattr(module, one) for one in classes if hasattr(module, one))
        if isinstance(value, known):
            return kind
    return None


_CLASSES: Final[tuple[tuple[Kind, str, tuple[str, ...]], ...]] = (
    ("pandas", "pandas", ("DataFrame",)),
    ("polars", "polars", ("DataFrame", "LazyFrame")),
    ("arrow", "pyarrow", ("Table",)),
)


def convert(frame: Any, kind: Kind, columns: tuple[str, ...]) -> Any:
    """Return a frame as another kind, with some of its columns or all."""
    mine = kind_of_frame(frame)
    if mine is None:
        reason = f"a {type(frame).__name__} is no table that is known"
        raise DecodeError(reason, kind="structured_dataset", expected=kind)
    if mine == "polars" and hasattr(frame, "collect"):
        frame = frame.collect()
    if columns:
        frame = frame.select(list(columns)) if mine != "pandas" else frame[list(columns)]
    return frame if mine == kind else _from_arrow(_to_arrow(frame), kind)


def _to_arrow(frame: Any) -> Any:
    if hasattr(frame, "to_arrow"):
        return frame.to_arrow()
    import pyarrow as pa

    return pa.Table.from_pandas(frame) if kind_of_frame(frame) == "pandas" else frame


def _from_arrow(table: Any, kind: Kind) -> Any:
    if kind == "pandas":
        return table.to_pandas()
    if kind == "polars":
        import polars as pl

        return pl.from_arrow(table)
    return table


def write(frame: Any, file_format: str, columns: tuple[str, ...] = ()) -> bytes:
    """Return a frame as the bytes of a file, as flytekit writes it.

    Args:
        frame: The frame.
        file_format: The format; empty is parquet.
        columns: The columns to write; empty for all.

    Raises:
        EncodeError: The format is not known.
    """
    from flyte_remote_async.errors import EncodeError

    target = io.BytesIO()
    frame = convert(frame, kind_of_frame(frame) or "pandas", columns)
    if (file_format or "parquet") == "csv":
        convert(frame, "pandas", ()).to_csv(target, index=False)
    elif (file_format or "parquet") == "parquet":
        _write_parquet(frame, target)
    else:
        reason = f"a table can be written as {' and '.join(FORMATS)}, not as {file_format!r}"
        raise EncodeError(reason, expected="structured_dataset")
    return target.getvalue()


def _write_parquet(frame: Any, target: io.BytesIO) -> None:
    import pyarrow.parquet as pq

    kind = kind_of_frame(frame)
    if kind == "pandas":
        # The times of older readers end at microseconds.
        frame.to_parquet(target, coerce_timestamps="us", allow_truncated_timestamps=False)
    else:
        pq.write_table(convert(frame, "arrow", ()), target)
