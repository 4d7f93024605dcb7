"""Tables: StructuredDataset and the older Schema as lazy handles; frames where a hint asks for one."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, get_origin

from flyteidl.core import literals_pb2, types_pb2

from flyte_remote_async.errors import EncodeError
from flyte_remote_async.literals import frames
from flyte_remote_async.literals.base import Codec
from flyte_remote_async.literals.datasets import StructuredDataset
from flyte_remote_async.literals.gathering import PENDING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyte_remote_async.literals.access import Objects
    from flyte_remote_async.literals.context import Context
    from flyte_remote_async.literals.registry import Codecs

__all__ = ["from_hint", "from_type"]

_PARQUET: Final = "parquet"


class _Table(Codec):
    """A table as a handle.

    Attributes:
        columns: The columns that the hint wants; empty leaves it to the literal.
        declared: What the interface declares; None where that is not known.
    """

    __slots__ = ("columns", "context", "declared")
    tag = "StructuredDataset Transformer"

    def __init__(
        self,
        expected: str,
        context: Context,
        columns: Sequence[str] = (),
        declared: types_pb2.StructuredDatasetType | None = None,
    ) -> None:
        super().__init__(expected)
        self.context = context
        self.columns = tuple(columns)
        self.declared = declared

    def decode(self, literal: literals_pb2.Literal) -> Any:
        form = literal.scalar.WhichOneof("value")
        if form == "structured_dataset":
            dataset = literal.scalar.structured_dataset
            kind = dataset.metadata.structured_dataset_type
            return self._read(dataset.uri, kind.format, [one.name for one in kind.columns])
        if form == "schema":
            return self._read(literal.scalar.schema.uri, "", [one.name for one in literal.scalar.schema.type.columns])
        return super().decode(literal)

    def build(self, value: Any) -> Any:
        uri = value.get("uri") if isinstance(value, dict) else None
        # A schema inside a payload has its place under another name.
        uri = uri or (value.get("remote_path") if isinstance(value, dict) else None)
        file_format = (value.get("file_format") or "") if isinstance(value, dict) else ""
        if not isinstance(uri, str) or not isinstance(file_format, str):
            raise self.mismatch(value)
        return self._read(uri, file_format, [])

    def encode(self, value: Any) -> literals_pb2.Literal:
        dataset = self._dataset(value)
        uri, file_format = self._stored(dataset)
        kind = types_pb2.StructuredDatasetType()
        if self.declared is not None and self.columns:
            kind.CopyFrom(self.declared)  # as flytekit has it: the hint names the columns, the type what they hold
        kind.format = file_format or kind.format
        metadata = literals_pb2.StructuredDatasetMetadata(structured_dataset_type=kind)
        table = literals_pb2.StructuredDataset(uri=uri, metadata=metadata)
        return literals_pb2.Literal(scalar=literals_pb2.Scalar(structured_dataset=table), metadata=dataset.metadata)

    def dump(self, value: Any) -> Any:
        uri, file_format = self._stored(self._dataset(value))
        return {"uri": uri, "file_format": file_format}

    def fits(self, stored: types_pb2.LiteralType) -> bool:
        return stored.WhichOneof("type") in {"structured_dataset_type", "schema"}

    def owns(self, value: Any) -> bool:
        return isinstance(value, StructuredDataset) or frames.kind_of_frame(value) is not None

    def owns_literal(self, literal: literals_pb2.Literal) -> bool:
        return literal.scalar.WhichOneof("value") in {"structured_dataset", "schema"}

    def owns_plain(self, value: Any) -> bool:
        return isinstance(value, dict) and "uri" in value

    def _read(self, uri: str, file_format: str, columns: Sequence[str]) -> Any:
        """Return the value of what a literal or a payload says."""
        dataset = StructuredDataset(None, uri, file_format=file_format, columns=self.columns or columns)
        return dataset.bound(self.context.objects, self.context.work)

    def _dataset(self, value: Any) -> StructuredDataset:
        if isinstance(value, StructuredDataset):
            return value
        if frames.kind_of_frame(value) is None:
            raise self.refusal(value)
        return StructuredDataset(value, file_format=self.declared.format if self.declared is not None else "")

    def _stored(self, dataset: StructuredDataset) -> tuple[str, str]:
        """Return where a table is and in which format; a frame is stored first."""
        if dataset.dataframe is None:
            if not dataset.uri:
                raise self.refusal(dataset, "it has neither a frame nor a uri")
            return dataset.uri, dataset.file_format
        file_format = dataset.file_format or _PARQUET
        columns = [one.name for one in self.declared.columns] if self.declared is not None else []
        uri = self._upload(dataset.dataframe, file_format, tuple(columns))
        return ("" if uri is PENDING else uri), file_format

    def _upload(self, frame: Any, file_format: str, columns: tuple[str, ...]) -> Any:
        context = self.context

        async def fetch(objects: Objects) -> str:
            data = await context.run(frames.write, frame, file_format, columns)
            # The names that flytekit's readers look for under the uri.
            name = ".csv" if file_format == "csv" else "00000"
            return (await objects.upload(data, name=name)).removesuffix(f"/{name}")

        reason = "a frame has to be stored first: pass it to a launch, or encode it with write()"
        return context.bring(("frame", id(frame), file_format, columns), fetch, reason, EncodeError)


class _Frame(_Table):
    """A table as a frame, read at once."""

    __slots__ = ("kind", "lazy")

    def __init__(self, kind: frames.Kind, table: _Table, *, lazy: bool) -> None:
        super().__init__(table.expected, table.context, table.columns, table.declared)
        self.kind = kind
        self.lazy = lazy

    def _read(self, uri: str, file_format: str, columns: Sequence[str]) -> Any:
        context = self.context
        wanted = frames.Stored(uri, file_format, self.kind, tuple(self.columns or columns))

        async def fetch(objects: Objects) -> Any:
            return await frames.read(objects, context.work, wanted)

        frame = context.bring(wanted, fetch, f"the table at {uri} has to be read: await it through a resolver")
        return frame.lazy() if self.lazy and frame is not PENDING else frame


def from_type(context: Context, declared: types_pb2.LiteralType) -> Codec:
    """Return the codec of a table type: a handle."""
    known = declared.structured_dataset_type if declared.HasField("structured_dataset_type") else None
    return _Table("StructuredDataset", context, (), known)


def from_hint(codecs: Codecs, hint: Any, extras: Sequence[Any], declared: types_pb2.LiteralType | None) -> Codec | None:
    """Return the codec of a hint that is a table, else None.

    Args:
        codecs: Makes the codecs.
        hint: The hint without its annotations.
        extras: Its annotations; columns are a mapping of names to types.
        declared: The type that the interface declares.
    """
    columns = next((tuple(one) for one in extras if isinstance(one, Mapping)), ())
    known = None
    if declared is not None and declared.HasField("structured_dataset_type"):
        known = declared.structured_dataset_type
    origin = get_origin(hint) or hint
    if isinstance(origin, type) and issubclass(origin, StructuredDataset):
        return _Table("StructuredDataset", codecs.context, columns, known)
    for kind, module, name in _FRAMES:
        if module in sys.modules and origin is getattr(sys.modules[module], name, None):
            table = _Table(f"{module}.{name}", codecs.context, columns, known)
            return _Frame(kind, table, lazy=name == "LazyFrame")
    return None


_FRAMES: Final[tuple[tuple[frames.Kind, str, str], ...]] = (
    ("pandas", "pandas", "DataFrame"),
    ("polars", "polars", "DataFrame"),
    ("polars", "polars", "LazyFrame"),
    ("arrow", "pyarrow", "Table"),
)
