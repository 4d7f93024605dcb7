"""StructuredDataset: a stored table, read when it is asked for, as the frame library that one likes."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Self, cast

from flyte_remote_async.errors import DetachedError
from flyte_remote_async.literals import frames
from flyte_remote_async.literals.handles import Handle
from flyte_remote_async.literals.paths import is_remote

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from flyte_remote_async.literals.access import Objects, Work

__all__ = ["StructuredDataset"]


class StructuredDataset(Handle):
    """A table, as flytekit has it: a frame to be passed as an input, or stored data of an output.

    It is lazy: nothing is read before one of the methods is awaited. Handles are equal when uri, format, columns and
    metadata are; they pickle, and an unpickled one knows no storage.

    Args:
        dataframe: A pandas, polars or arrow table of this process, to be passed as an input.
        uri: Where stored data is.
        file_format: How it is stored, such as ``"parquet"`` or ``"csv"``; empty is parquet.
        columns: The names of the columns that are wanted; empty for all.
        metadata: What is noted on the literal.

    Attributes:
        dataframe: The frame that it was made of; None for stored data.
        uri: Where stored data is; empty for a frame.
        file_format: How it is stored.
        columns: The columns that are read when none are asked for; empty for all.
        metadata: What is noted on the literal.

    Example:
        >>> table = await execution.outputs["rows"]
        >>> frame = await table.to_pandas(columns=["name", "total"])
        >>> async for batch in table.to_batches():
        ...     print(batch.num_rows)
    """

    __slots__ = ("_work", "columns", "dataframe", "file_format", "metadata")

    def __init__(
        self,
        dataframe: Any = None,
        uri: str | None = None,
        *,
        file_format: str = "",
        columns: Iterable[str] = (),
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(uri or "")
        self.dataframe = dataframe
        self.file_format = file_format
        self.columns = tuple(columns)
        self.metadata: dict[str, str] = dict(metadata or {})
        self._work: Work | None = None

    def bound(self, objects: Objects | None, work: Work | None = None) -> Self:
        """Take the way to the stored objects; for the codecs."""
        self._work = work
        return super().bound(objects)

    @property
    def remote_source(self) -> str | None:
        """The uri of the stored data; None for a frame that was not stored yet."""
        return self.uri or None

    async def to_pandas(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the table as a pandas frame.

        Args:
            columns: The columns to read, in the order of the stored table; None for :attr:`columns`.

        Raises:
            MissingExtraError: pandas or pyarrow is not installed.
            DetachedError: The handle knows no storage.
            ObjectNotFoundError: There is no stored data.
            DecodeError: The data is damaged, of an unknown format, or has no such column.
            StorageError: The data cannot be had.
        """
        return cast("pd.DataFrame", await self._read("pandas", columns))

    async def to_polars(self, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Return the table as a polars frame; arguments and errors as :meth:`to_pandas`."""
        return cast("pl.DataFrame", await self._read("polars", columns))

    async def to_arrow(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the table as an arrow table; arguments and errors as :meth:`to_pandas`."""
        return cast("pa.Table", await self._read("arrow", columns))

    async def to_batches(
        self, columns: Sequence[str] | None = None, *, batch_size: int = 65_536
    ) -> AsyncIterator[pa.RecordBatch]:
        """Iterate over the table in batches, without ever having the whole of it in memory.

        The stored files are brought one by one, into a temporary folder that is removed at the end.

        Args:
            columns: As for :meth:`to_pandas`.
            batch_size: The most rows of a batch.

        Yields:
            Arrow record batches; errors as :meth:`to_pandas`.
        """
        wanted = tuple(self.columns if columns is None else columns)
        if self.dataframe is not None:
            table = await frames.beside(frames.convert, self.dataframe, "arrow", wanted)
            for batch in table.to_batches(max_chunksize=batch_size):
                yield batch
            return
        stored = frames.Stored(self.uri, self.file_format, "arrow", wanted)
        async with aclosing(frames.batches_of(self._storage, stored, batch_size)) as batches:
            async for batch in batches:
                yield batch

    async def _read(self, kind: frames.Kind, columns: Sequence[str] | None) -> Any:
        wanted = tuple(self.columns if columns is None else columns)
        if self.dataframe is not None:
            return await frames.beside(frames.convert, self.dataframe, kind, wanted)
        if self._objects is None and not is_remote(self.uri):
            reason = f"{self!r} has neither a frame nor a storage to read from"
            raise DetachedError(reason)
        return await frames.read(self._storage, self._work, frames.Stored(self.uri, self.file_format, kind, wanted))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        del source, handler
        # Imported here: it is pydantic that asks.
        from flyte_remote_async.literals.pydantic_fields import dataset_field

        return dataset_field(cls)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, StructuredDataset):
            return NotImplemented
        if self.dataframe is not None or other.dataframe is not None:
            return self.dataframe is other.dataframe and self._content() == other._content()
        return self._content() == other._content()

    def __hash__(self) -> int:
        return hash((self.uri, self.file_format, self.columns))

    def _content(self) -> tuple[Any, ...]:
        return (self.uri, self.file_format, self.columns, self.metadata)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.dataframe, *self._content())

    def __repr__(self) -> str:
        parts = [repr(self.uri)] if self.dataframe is None else [f"<{type(self.dataframe).__name__}>"]
        parts += [f"file_format={self.file_format!r}"] if self.file_format else []
        parts += [f"columns={list(self.columns)!r}"] if self.columns else []
        return f"StructuredDataset({', '.join(parts)})"


def _restored(
    dataframe: Any, uri: str, file_format: str, columns: tuple[str, ...], metadata: dict[str, str]
) -> StructuredDataset:
    return StructuredDataset(dataframe, uri, file_format=file_format, columns=columns, metadata=metadata)
