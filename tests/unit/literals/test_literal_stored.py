"""Values that lie in storage: handles, and what is brought for a hint, for an offloaded literal, for an input."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO, TextIO

import anyio.to_thread
import msgpack
import pytest
from flyteidl.core import literals_pb2, types_pb2
from google.protobuf import struct_pb2

from flyte_remote_async.errors import (
    DecodeError,
    DetachedError,
    EncodeError,
    IntegrityError,
    NotDownloadedError,
    ObjectNotFoundError,
    StorageError,
    UnsafePathError,
    UntrustedPickleError,
)
from flyte_remote_async.literals import (
    BATCHED,
    Context,
    FlyteDirectory,
    FlyteFile,
    StructuredDataset,
    Types,
    decode,
    encode,
    read,
    write,
)
from flyte_remote_async.literals.gathering import CONCURRENCY
from tests.support.objects import MemoryObjects, reading

pytestmark = pytest.mark.anyio

BLOB = types_pb2.LiteralType(blob=types_pb2.BlobType())
FOLDER = types_pb2.LiteralType(blob=types_pb2.BlobType(dimensionality=types_pb2.BlobType.MULTIPART))
PICKLE = types_pb2.LiteralType(blob=types_pb2.BlobType(format="PythonPickle"))
ARRAY = types_pb2.LiteralType(blob=types_pb2.BlobType(format="NumpyArray"))
LINES = types_pb2.LiteralType(blob=types_pb2.BlobType(format="jsonl"))
TABLE = types_pb2.LiteralType(structured_dataset_type=types_pb2.StructuredDatasetType())
CSV = types_pb2.LiteralType(blob=types_pb2.BlobType(format="csv"))
INTEGER = types_pb2.LiteralType(simple=types_pb2.INTEGER)
STRUCT = types_pb2.LiteralType(simple=types_pb2.STRUCT)
INTS = types_pb2.LiteralType(collection_type=INTEGER)


def listed(element: types_pb2.LiteralType) -> types_pb2.LiteralType:
    return types_pb2.LiteralType(collection_type=element)


def optional(declared: types_pb2.LiteralType, tag: str) -> types_pb2.LiteralType:
    one, none = types_pb2.LiteralType(), types_pb2.LiteralType(simple=types_pb2.NONE)
    one.CopyFrom(declared)
    one.structure.tag, none.structure.tag = tag, "none"
    return types_pb2.LiteralType(union_type=types_pb2.UnionType(variants=[one, none]))


def blob(uri: str, declared: types_pb2.LiteralType = BLOB) -> literals_pb2.Literal:
    metadata = literals_pb2.BlobMetadata(type=declared.blob)
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(blob=literals_pb2.Blob(uri=uri, metadata=metadata)))


def table(uri: str, file_format: str = "parquet", *columns: str) -> literals_pb2.Literal:
    kind = types_pb2.StructuredDatasetType(format=file_format)
    for name in columns:
        kind.columns.add(name=name)
    metadata = literals_pb2.StructuredDatasetMetadata(structured_dataset_type=kind)
    dataset = literals_pb2.StructuredDataset(uri=uri, metadata=metadata)
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(structured_dataset=dataset))


def integer(value: int) -> literals_pb2.Literal:
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(integer=value)))


def collection(*literals: literals_pb2.Literal) -> literals_pb2.Literal:
    return literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=literals))


def offloaded(uri: str, size: int = 0) -> literals_pb2.Literal:
    metadata = literals_pb2.LiteralOffloadedMetadata(uri=uri, size_bytes=size)
    return literals_pb2.Literal(offloaded_metadata=metadata)


def packed(value: Any) -> literals_pb2.Literal:
    binary = literals_pb2.Binary(value=msgpack.packb(value), tag="msgpack")
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(binary=binary))


# --- handles ----------------------------------------------------------------------------------------------------------


async def test_a_file_is_read_when_it_is_asked_for(tmp_path: Path) -> None:
    context = reading({"mem://b/a.txt": b"content"})
    file = await read(blob("mem://b/a.txt"), BLOB, context=context)
    assert (file.uri, file.remote_source, file.path) == ("mem://b/a.txt",) * 3
    assert isinstance(context.objects, MemoryObjects)
    assert context.objects.reads == []
    with pytest.raises(NotDownloadedError, match="download"):
        os.fspath(file)
    async with file.open() as stream:
        assert await stream.read(3) == b"con"
        assert [chunk async for chunk in stream] == [b"tent"]
    assert await file.read() == b"content"
    with pytest.raises(StorageError):
        await file.read(limit=3)
    for target, path in ((tmp_path, tmp_path / "a.txt"), (tmp_path / "new" / "name", tmp_path / "new" / "name")):
        assert await file.download(target) == path == Path(file)
        assert await anyio.Path(path).read_bytes() == b"content"
    anywhere = await file.download()
    assert anywhere.name == "a.txt"
    assert file.path == str(anywhere)
    assert file.remote_source == "mem://b/a.txt"
    await anyio.to_thread.run_sync(shutil.rmtree, anywhere.parent)


async def test_a_directory_is_brought_as_a_whole(tmp_path: Path) -> None:
    context = reading({"mem://b/d/x": b"1", "mem://b/d/sub/y": b"2", "mem://b/data": b"3"})
    folder = await read(blob("mem://b/d", FOLDER), FOLDER, context=context)
    assert [file.uri for file in await folder.list()] == ["mem://b/d/sub/y", "mem://b/d/x"]
    assert await (await folder.list())[1].read() == b"1"
    assert await folder.download(tmp_path / "out") == tmp_path / "out"
    assert await anyio.Path(folder, "x").read_bytes() == b"1"
    assert await anyio.Path(folder, "sub", "y").read_bytes() == b"2"
    elsewhere = await folder.download()
    assert await anyio.Path(elsewhere, "x").exists()
    await anyio.to_thread.run_sync(shutil.rmtree, elsewhere)


async def test_a_missing_file_fails_when_it_is_asked_for() -> None:
    file = await read(blob("mem://b/gone"), BLOB, context=reading())
    with pytest.raises(ObjectNotFoundError, match="mem://b/gone"):
        await file.download()


@pytest.mark.parametrize("uri", ["mem://b/..", "mem://b/a/../..", "mem://", "mem://b/a\x00b", "mem://b/C:\\x"])
async def test_a_name_that_leads_elsewhere_is_refused(uri: str, tmp_path: Path) -> None:
    objects = MemoryObjects({uri: b"x"})
    file = await read(blob(uri), BLOB, context=Context(objects=objects))
    with pytest.raises(UnsafePathError):
        await file.download(tmp_path)
    assert [one async for one in anyio.Path(tmp_path).iterdir()] == []


async def test_handles_are_values() -> None:
    one, other = FlyteFile("s3://b/k", format="csv"), FlyteFile.of_format("csv")("s3://b/k")
    assert one == other
    assert hash(one) == hash(other)
    assert FlyteFile.of_format(".csv").extension() == "csv"
    assert FlyteFile.of_format("") is FlyteFile
    assert FlyteFile["csv"] is FlyteFile.of_format("csv")  # type: ignore[misc]
    assert FlyteFile("s3://b/k") != FlyteFile("s3://b/k", metadata={"a": "b"})
    assert FlyteFile("s3://b/k") != FlyteDirectory("s3://b/k")
    assert FlyteFile("s3://b/k") != "s3://b/k"
    assert repr(one) == "FlyteFile('s3://b/k', format='csv')"
    decoded = await read(blob("mem://b/k"), BLOB, context=reading({"mem://b/k": b""}))
    for handle in (one, FlyteDirectory("a"), decoded, StructuredDataset(None, "s3://b/t", columns=["a"])):
        copy = pickle.loads(pickle.dumps(handle))
        assert copy == handle
        assert type(copy) is type(handle) or isinstance(handle, FlyteFile)
        assert hash(copy) == hash(handle)
    with pytest.raises(DetachedError, match="knows no storage"):
        await pickle.loads(pickle.dumps(decoded)).read()
    with pytest.raises(DetachedError):
        await FlyteFile("s3://b/k").download()


async def test_a_path_of_ones_own_is_there_already(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    assert await FlyteFile(tmp_path / "f").download() == tmp_path / "f"
    assert await FlyteDirectory(tmp_path).download() == tmp_path
    assert os.fspath(FlyteFile(tmp_path / "f")) == str(tmp_path / "f")
    assert FlyteFile(tmp_path / "f").remote_source is None


async def test_a_path_out_of_a_literal_is_no_path_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    file = decode(blob(str(tmp_path / "secret")), BLOB)
    with pytest.raises(NotDownloadedError):
        os.fspath(file)
    assert file.remote_source == str(tmp_path / "secret")
    with pytest.raises(DetachedError):
        await file.download()


def test_hints_name_formats_and_paths() -> None:
    csv = types_pb2.LiteralType(blob=types_pb2.BlobType(format="csv"))
    assert decode(blob("s3://b/k", csv), csv).format == "csv"
    assert decode(blob("s3://b/k", csv), csv, FlyteFile).format == ""
    assert decode(blob("s3://b/k"), BLOB, FlyteFile.of_format("tsv")).format == "tsv"
    assert decode(blob("s3://b/k"), BLOB, os.PathLike) == FlyteFile("s3://b/k")
    assert decode(blob("s3://b/k"), BLOB, os.PathLike[str]) == FlyteFile("s3://b/k")
    assert decode(packed({"path": "s3://b/k", "metadata": None}), BLOB) == FlyteFile("s3://b/k")
    for wrong in ({}, {"path": None}, {"path": 5}, {"path": "a", "metadata": {"a": 1}}, {"path": "a", "metadata": []}):
        with pytest.raises(DecodeError):
            decode(packed(wrong), BLOB)
    with pytest.raises(DecodeError, match="a directory and not a file"):
        decode(blob("s3://b/k", FOLDER), BLOB)
    with pytest.raises(DecodeError, match="a file and not a directory"):
        decode(blob("s3://b/k"), FOLDER)


# --- offloaded --------------------------------------------------------------------------------------------------------


async def test_offloaded_literals_are_read_at_any_depth() -> None:
    stored = {f"mem://{number}": integer(number).SerializeToString() for number in range(50)}
    stored["mem://list"] = collection(*(offloaded(f"mem://{number}") for number in range(50))).SerializeToString()
    context = reading(stored)
    assert await read(offloaded("mem://list"), INTS, context=context) == list(range(50))
    assert isinstance(context.objects, MemoryObjects)
    assert len(context.objects.reads) == 51
    assert 1 < context.objects.at_once <= CONCURRENCY
    assert await read(offloaded("mem://list"), context=context) == list(range(50))
    union = literals_pb2.Literal(
        scalar=literals_pb2.Scalar(union=literals_pb2.Union(value=offloaded("mem://3"), type=INTEGER))
    )
    mapped = literals_pb2.Literal(map=literals_pb2.LiteralMap(literals={"a": union, "b": integer(4)}))
    assert await read(mapped, None, dict[str, int | str], context=context) == {"a": 3, "b": 4}
    assert await read(union, optional(INTEGER, ""), context=context) == 3


async def test_an_offloaded_literal_that_is_not_as_it_should_be() -> None:
    data = integer(7).SerializeToString()
    context = reading(
        {"mem://a": data, "mem://bad": b"\xff\xff", "mem://loop": offloaded("mem://loop").SerializeToString()}
    )
    assert await read(offloaded("mem://a", 1), INTEGER, context=context) == 7
    with pytest.raises(IntegrityError, match="cut off"):
        await read(offloaded("mem://a", len(data) + 1), INTEGER, context=context)
    with pytest.raises(DecodeError, match="max_object_bytes"):
        await read(offloaded("mem://a", 2**60), INTEGER, context=context)
    with pytest.raises(DecodeError, match="literal"):
        await read(offloaded("mem://bad"), INTEGER, context=context)
    with pytest.raises(DecodeError, match="no literal"):
        await read(collection(offloaded("mem://bad")), INTS, context=context)
    with pytest.raises(DecodeError, match="more than 10 deep"):
        await read(offloaded("mem://loop"), INTEGER, context=context)
    with pytest.raises(DecodeError, match="no uri"):
        await read(offloaded(""), INTEGER, context=context)
    with pytest.raises(ObjectNotFoundError, match="mem://gone"):
        await read(collection(offloaded("mem://gone")), INTS, context=context)
    with pytest.raises(DecodeError, match="await it through a resolver"):
        await read(offloaded("mem://a"), INTEGER)
    with pytest.raises(DecodeError, match="await it through a resolver") as caught:
        decode(collection(offloaded("mem://a")), INTS)
    assert caught.value.path == "[0]"


# --- pickles ----------------------------------------------------------------------------------------------------------


class Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.putenv, ("FLYTE_REMOTE_ASYNC_TRAP", "1")


PICKLES = {"mem://set": pickle.dumps({1, 2}), "mem://trap": pickle.dumps(Trap()), "mem://bad": b"no pickle"}


async def test_a_pickle_is_loaded_where_it_is_allowed_and_nowhere_else() -> None:
    literal = blob("mem://set", PICKLE)
    for hint in (None, set, object, Trap, bytes):
        with pytest.raises(UntrustedPickleError, match="mem://set") as caught:
            await read(literal, PICKLE, hint, context=reading(PICKLES))
        assert caught.value.uri == "mem://set"
    assert await read(literal, PICKLE, FlyteFile, context=reading(PICKLES)) == FlyteFile("mem://set")
    trusting = reading(PICKLES, allow_pickle=True)
    assert await read(literal, PICKLE, context=trusting) == {1, 2}
    assert await read(literal, context=trusting) == {1, 2}
    assert await read(collection(literal), listed(PICKLE), list[set], context=trusting) == [{1, 2}]  # type: ignore[type-arg]
    with pytest.raises(DecodeError, match="holds a set"):
        await read(literal, PICKLE, bytes, context=trusting)
    with pytest.raises(DecodeError, match="another kind"):
        await read(literal, PICKLE, int, context=trusting)
    with pytest.raises(DecodeError, match="cannot be loaded"):
        await read(blob("mem://bad", PICKLE), PICKLE, context=trusting)


async def test_a_pickle_is_never_loaded_by_a_guess() -> None:
    # A type that says something else, a file without a format, a name inside a payload: none of them is a pickle.
    trusting = reading(PICKLES, allow_pickle=True)
    assert await read(blob("mem://trap"), BLOB, context=trusting) == FlyteFile("mem://trap")
    with pytest.raises(DecodeError):
        await read(blob("mem://trap", PICKLE), STRUCT, context=trusting)
    with pytest.raises(DecodeError):
        await read(blob("mem://trap", CSV), PICKLE, context=trusting)


def pickled_dict(uri: str) -> literals_pb2.Literal:
    struct = struct_pb2.Struct()
    struct.update({"pickle_file": uri})
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(generic=struct), metadata={"format": "pickle"})


async def test_a_pickled_dict_is_loaded_where_it_is_allowed() -> None:
    stored = {"mem://d": pickle.dumps({"a": 1}), "mem://set": PICKLES["mem://set"]}
    maps = types_pb2.LiteralType(map_value_type=INTEGER)
    for declared, hint in ((STRUCT, None), (STRUCT, dict), (maps, None), (maps, dict[str, int]), (None, None)):
        with pytest.raises(UntrustedPickleError, match="mem://d"):
            await read(pickled_dict("mem://d"), declared, hint, context=reading(stored))
        trusting = reading(stored, allow_pickle=True)
        assert await read(pickled_dict("mem://d"), declared, hint, context=trusting) == {"a": 1}
    with pytest.raises(DecodeError, match="holds a set"):
        await read(pickled_dict("mem://set"), STRUCT, context=reading(stored, allow_pickle=True))
    with pytest.raises(DecodeError):
        await read(pickled_dict("mem://d"), maps, dict[str, str], context=reading(stored, allow_pickle=True))


async def test_batches_of_pickles_are_flattened_where_that_is_said() -> None:
    stored = {"mem://1": pickle.dumps([1, {2}]), "mem://2": pickle.dumps([3])}
    literal = collection(blob("mem://1", PICKLE), blob("mem://2", PICKLE))
    trusting = reading(stored, allow_pickle=True)
    assert await read(literal, listed(PICKLE), context=trusting) == [[1, {2}], [3]]
    assert await read(literal, listed(PICKLE), Annotated[list, BATCHED], context=trusting) == [1, {2}, 3]
    with pytest.raises(UntrustedPickleError):
        await read(literal, listed(PICKLE), Annotated[list, BATCHED], context=reading(stored))


async def test_anything_that_pickles_can_be_passed_as_a_pickle() -> None:
    context = reading(allow_pickle=True)
    literal = await write({1, 2}, PICKLE, context=context)
    assert await read(literal, PICKLE, context=context) == {1, 2}
    assert encode(FlyteFile("s3://b/k"), PICKLE).uri == "s3://b/k"
    with pytest.raises(EncodeError, match="does not pickle"):
        await write(lambda: 1, PICKLE, context=context)


# --- contents ---------------------------------------------------------------------------------------------------------


async def test_arrays_are_read_for_a_hint() -> None:
    np = pytest.importorskip("numpy")
    context = reading()
    array = np.array([[1.5, float("nan")]], dtype="float32")
    literal = await write(array, ARRAY, np.ndarray, context=context)
    found = await read(literal, ARRAY, np.ndarray, context=context)
    assert found.dtype == array.dtype
    assert np.array_equal(found, array, equal_nan=True)
    assert isinstance(await read(literal, ARRAY, context=context), FlyteFile)
    with pytest.raises(DecodeError, match="await it through a resolver"):
        decode(literal, ARRAY, np.ndarray)
    objects = io.BytesIO()
    np.save(objects, np.array([{1}], dtype=object), allow_pickle=True)
    bad = reading({"mem://o": objects.getvalue(), "mem://x": b"junk"})
    for uri in ("mem://o", "mem://x"):
        with pytest.raises(DecodeError, match="the array at"):
            await read(blob(uri, ARRAY), ARRAY, np.ndarray, context=bad)
    for wrong in ([1], np.array([{1}], dtype=object)):
        with pytest.raises(EncodeError):
            await write(wrong, ARRAY, np.ndarray, context=context)


async def test_streams_are_read_for_a_hint() -> None:
    context = reading({"mem://t": "grüße\n".encode(), "mem://b": b"\xff"})
    assert (await read(blob("mem://t"), BLOB, TextIO, context=context)).read() == "grüße\n"
    assert (await read(blob("mem://b"), BLOB, BinaryIO, context=context)).read() == b"\xff"
    with pytest.raises(DecodeError, match="UTF-8"):
        await read(blob("mem://b"), BLOB, TextIO, context=context)
    small = Context(objects=context.objects, max_object_bytes=2)
    with pytest.raises(StorageError):
        await read(blob("mem://t"), BLOB, TextIO, context=small)


async def test_lines_and_elements_are_iterated() -> None:
    context = reading({"mem://l": b'{"a": 1}\n\n[2]\n3\n{bad\n5\n', "mem://deep": b"[" * 100_000})
    lines = await read(blob("mem://l", LINES), LINES, Iterator[Any], context=context)
    assert [next(lines), next(lines), next(lines)] == [{"a": 1}, [2], 3]
    with pytest.raises(DecodeError, match="line 5"):
        next(lines)
    assert list(lines) == [5]
    with pytest.raises(DecodeError, match="line 1"):
        next(await read(blob("mem://deep", LINES), LINES, Iterator[Any], context=context))
    literal = await write([{"a": "ü"}, None], LINES, Iterator[Any], context=context)
    assert list(await read(literal, LINES, Iterator[Any], context=context)) == [{"a": "ü"}, None]
    elements = decode(collection(integer(1), blob("mem://l")), INTS, Iterator[int])
    assert next(elements) == 1
    with pytest.raises(DecodeError):
        next(elements)
    assert list(decode(packed([1, 2]), INTS, Iterator[int])) == [1, 2]
    assert decode(encode([1, 2], INTS, Iterator[int]), INTS) == [1, 2]
    for wrong in ("ab", iter([1]), 5, {1: 2}):
        with pytest.raises(EncodeError):
            encode(wrong, INTS, Iterator[int])
    with pytest.raises(EncodeError, match="no JSON"):
        await write([{1}], LINES, Iterator[Any], context=context)
    with pytest.raises(DecodeError):
        decode(packed({}), INTS, Iterator[int])


async def test_a_type_of_ones_own_may_read_files() -> None:
    class Text(str):
        __slots__ = ()

    async def from_literal(literal: Any, objects: Any) -> Text:
        data = (await objects.read(literal.uri)).decode()
        if not data:
            raise ValueError("it is empty")
        return Text(data)

    types = Types().with_type(
        Text, tag="T", literal_type=BLOB, to_literal=lambda _: blob("x"), from_literal=from_literal
    )
    context = Context(objects=MemoryObjects({"mem://a": b"text", "mem://e": b""}), types=types)
    literal = collection(blob("mem://a"), blob("mem://a"))
    assert await read(literal, listed(BLOB), list[Text], context=context) == ["text", "text"]
    assert isinstance(context.objects, MemoryObjects)
    assert context.objects.reads == ["mem://a"]
    with pytest.raises(DecodeError, match="it is empty"):
        await read(blob("mem://e"), BLOB, Text, context=context)
    with pytest.raises(ObjectNotFoundError):
        await read(blob("mem://gone"), BLOB, Text, context=context)
    with pytest.raises(DecodeError, match="await it through a resolver"):
        decode(literal, listed(BLOB), list[Text], context)


# --- tables -----------------------------------------------------------------------------------------------------------


def parquet(**columns: Any) -> bytes:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    target = io.BytesIO()
    pq.write_table(pa.table(columns), target)
    return target.getvalue()


async def test_a_table_is_read_as_the_frame_that_is_asked_for() -> None:
    pd, pl, pa = (pytest.importorskip(name) for name in ("pandas", "polars", "pyarrow"))
    context = reading({"mem://t/00000": parquet(a=[1, 2], b=["x", None])})
    dataset = await read(table("mem://t"), TABLE, context=context)
    assert dataset == StructuredDataset(None, "mem://t", file_format="parquet")
    assert isinstance(context.objects, MemoryObjects)
    assert context.objects.reads == []
    assert (await dataset.to_pandas())["a"].tolist() == [1, 2]
    assert (await dataset.to_polars(["b"])).to_dicts() == [{"b": "x"}, {"b": None}]
    assert (await dataset.to_arrow(["a"])).to_pydict() == {"a": [1, 2]}
    assert [batch.num_rows async for batch in dataset.to_batches(batch_size=1)] == [1, 1]
    for hint, columns in (
        (pd.DataFrame, ["a", "b"]),
        (Annotated[pd.DataFrame, {"b": str}], ["b"]),
        (pl.DataFrame, ["a", "b"]),
        (Annotated[pl.DataFrame, {"a": int}], ["a"]),
        (pa.Table, ["a", "b"]),
    ):
        frame = await read(table("mem://t"), TABLE, hint, context=context)
        assert list(getattr(frame, "column_names", None) or frame.columns) == columns
    lazy = await read(table("mem://t"), TABLE, pl.LazyFrame, context=context)
    assert lazy.collect().height == 2
    cut = await read(table("mem://t", "parquet", "a"), TABLE, pd.DataFrame, context=context)
    assert list(cut.columns) == ["a"]
    several = await read(collection(table("mem://t")), listed(TABLE), list[pd.DataFrame], context=context)  # type: ignore[name-defined]
    assert several[0].shape == (2, 2)
    wrapped = literals_pb2.Literal(
        scalar=literals_pb2.Scalar(union=literals_pb2.Union(value=table("mem://t"), type=TABLE))
    )
    maybe = optional(TABLE, "StructuredDataset Transformer")
    maybe.union_type.variants[0].structure.tag = ""
    assert (await read(wrapped, maybe, pd.DataFrame | None, context=context)).shape == (2, 2)
    with pytest.raises(DecodeError, match="await it through a resolver"):
        decode(table("mem://t"), TABLE, pd.DataFrame)


async def test_a_schema_and_a_payload_are_tables_too() -> None:
    pd = pytest.importorskip("pandas")
    context = reading({"mem://t/00000": parquet(a=[1])})
    schema = literals_pb2.Literal(scalar=literals_pb2.Scalar(schema=literals_pb2.Schema(uri="mem://t")))
    declared = types_pb2.LiteralType(schema=types_pb2.SchemaType())
    for literal in (schema, packed({"uri": "mem://t", "file_format": ""}), packed({"remote_path": "mem://t"})):
        assert (await read(literal, declared, pd.DataFrame, context=context)).shape == (1, 1)
        assert (await read(literal, declared, context=context)).uri == "mem://t"
    wrongs: list[Any] = [{}, {"uri": 5}, {"uri": "a", "file_format": 5}, []]
    for wrong in wrongs:
        with pytest.raises(DecodeError):
            decode(packed(wrong), TABLE)


async def test_several_files_are_one_table() -> None:
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    context = reading({"mem://t/1": parquet(a=[1]), "mem://t/2": parquet(a=[2])})
    for hint in (pd.DataFrame, pl.DataFrame):
        frame = await read(table("mem://t"), TABLE, hint, context=context)
        assert list(frame["a"]) == [1, 2]
    csv = reading({"mem://t/1": b"a,b\n1,x\n", "mem://t/2": b"a,b\n2,y\n"})
    dataset = await read(table("mem://t", "csv"), TABLE, context=csv)
    assert (await dataset.to_pandas(["a"]))["a"].tolist() == [1, 2]
    assert (await dataset.to_polars())["b"].to_list() == ["x", "y"]
    assert (await dataset.to_arrow(["b"])).to_pydict()["b"] == ["x", "y"]


async def test_a_damaged_table_is_a_typed_error() -> None:
    pd = pytest.importorskip("pandas")
    whole = parquet(a=[1, 2, 3])
    stored = {"mem://cut": whole[: len(whole) // 2], "mem://junk": b"junk", "mem://ok": whole, "mem://csv": b""}
    context = reading(stored)
    for uri, file_format, columns in (
        ("mem://cut", "parquet", ()),
        ("mem://junk", "", ()),
        ("mem://ok", "parquet", ("nope",)),
        ("mem://ok", "orc", ()),
        ("mem://csv", "csv", ()),
    ):
        with pytest.raises(DecodeError) as caught:
            await read(table(uri, file_format, *columns), TABLE, pd.DataFrame, context=context)
        assert caught.value.kind == "structured_dataset"
    with pytest.raises(ObjectNotFoundError, match="mem://gone"):
        await read(table("mem://gone"), TABLE, pd.DataFrame, context=context)
    dataset = await read(table("mem://cut"), TABLE, context=context)
    with pytest.raises(DecodeError):
        async for _ in dataset.to_batches():
            pass
    with pytest.raises(DetachedError):
        await StructuredDataset(None, "s3://b/k").to_pandas()
    with pytest.raises(DetachedError):
        await StructuredDataset().to_pandas()


async def test_frames_are_stored_on_their_way_in() -> None:
    pd, pl, pa = (pytest.importorskip(name) for name in ("pandas", "polars", "pyarrow"))
    context = reading()
    times = pd.to_datetime(["2020-01-01"]).as_unit("ns")
    for frame in (pd.DataFrame({"a": [1], "t": times}), pl.DataFrame({"a": [1]}), pa.table({"a": [1]})):
        literal = await write(frame, TABLE, context=context)
        assert literal.to_flyte_idl().scalar.structured_dataset.metadata.structured_dataset_type.format == "parquet"
        assert (await read(literal, TABLE, pd.DataFrame, context=context))["a"].tolist() == [1]
    lazy = await write(pl.LazyFrame({"a": [2]}), TABLE, context=context)
    assert (await read(lazy, TABLE, pl.DataFrame, context=context))["a"].to_list() == [2]
    csv = await write(StructuredDataset(pd.DataFrame({"a": [3]}), file_format="csv"), TABLE, context=context)
    assert (await read(csv, TABLE, pd.DataFrame, context=context))["a"].tolist() == [3]
    dataset = StructuredDataset(pd.DataFrame({"a": [4], "b": [5]}))
    assert (await dataset.to_polars(["a"])).to_dicts() == [{"a": 4}]
    assert dataset == dataset  # noqa: PLR0124 - equality of frames is that of identity
    assert dataset != StructuredDataset(pd.DataFrame({"a": [4], "b": [5]}))
    assert "DataFrame" in repr(dataset)
    for wrong in (StructuredDataset(dataset.dataframe, file_format="orc"), StructuredDataset(), 5):
        with pytest.raises(EncodeError):
            await write(wrong, TABLE, context=context)
    with pytest.raises(EncodeError, match="has to be stored first"):
        encode(dataset, TABLE)


async def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from flyte_remote_async.errors import MissingExtraError

    for name in [one for one in sys.modules if one.partition(".")[0] == "polars"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    dataset = await read(table("mem://t"), TABLE, context=reading({"mem://t": b""}))
    with pytest.raises(MissingExtraError, match=r"pip install 'flyte-remote-async\[frames\]'"):
        await dataset.to_polars()


# --- inputs -----------------------------------------------------------------------------------------------------------


async def test_files_are_stored_on_their_way_in(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("content")
    context = reading()
    values = [FlyteFile(tmp_path / "a.txt"), str(tmp_path / "a.txt"), tmp_path / "a.txt", "s3://b/k"]
    literal = await write(values, listed(BLOB), context=context)
    uris = [one.scalar.blob.uri for one in literal.to_flyte_idl().collection.literals]
    assert uris[3] == "s3://b/k"
    assert len(set(uris[:3])) == 1
    assert [await file.read() for file in (await read(literal, listed(BLOB), context=context))[:3]] == [b"content"] * 3
    folder = await write(FlyteDirectory(tmp_path), FOLDER, context=context)
    assert [file.uri for file in await (await read(folder, FOLDER, context=context)).list()]
    payload = await write({"f": FlyteFile(tmp_path / "a.txt")}, STRUCT, dict[str, FlyteFile], context=context)
    assert msgpack.unpackb(payload.to_flyte_idl().scalar.binary.value) == {"f": {"path": uris[0]}}
    with pytest.raises(EncodeError, match="has to be stored first"):
        encode(tmp_path, FOLDER)
    with pytest.raises(EncodeError):
        await write(FlyteDirectory(tmp_path), BLOB, context=context)
    with pytest.raises(FileNotFoundError):
        await write(FlyteFile(tmp_path / "none"), BLOB, context=context)


async def test_what_fails_beside_others_leaves_alone() -> None:
    context = reading({"mem://1": b"1"})
    context = Context(objects=context.objects, types=Types())
    literal = collection(blob("mem://1"), blob("mem://gone"))
    with pytest.raises(ObjectNotFoundError):
        await read(literal, listed(BLOB), list[BinaryIO], context=context)


def test_a_context_pickles_without_its_connections() -> None:
    copy = pickle.loads(pickle.dumps(reading(allow_pickle=True)))
    assert (copy.objects, copy.allow_pickle) == (None, True)


def test_the_objects_of_these_tests_are_such_as_handles_need() -> None:
    from flyte_remote_async.literals import access
    from flyte_remote_async.storage import StoredObjects

    members = [name for name in vars(access.Objects) if not name.startswith("_")]
    assert {"read", "download", "download_directory", "local", "open", "upload", "upload_directory", "list"} == set(
        members
    )
    assert all(callable(getattr(kind, name)) for name in members for kind in (MemoryObjects, StoredObjects))
