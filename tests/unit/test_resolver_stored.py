"""LiteralsResolver where values lie in storage: side by side, one failing alone, pickles, types of one's own."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any, BinaryIO

import anyio
import pytest
from flyteidl.core import interface_pb2, literals_pb2, types_pb2

from flyte_remote_async.errors import DecodeError, FlyteRemoteError, ObjectNotFoundError, UntrustedPickleError
from flyte_remote_async.literals import Context, FlyteFile, Types
from flyte_remote_async.resolver import LiteralsResolver
from tests.support.objects import MemoryObjects

if TYPE_CHECKING:
    from flyte_remote_async.models.literals import Literal

pytestmark = pytest.mark.anyio


def blob(uri: str, format: str = "") -> literals_pb2.Literal:  # noqa: A002 - Flyte's own word
    metadata = literals_pb2.BlobMetadata(type=types_pb2.BlobType(format=format))
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(blob=literals_pb2.Blob(uri=uri, metadata=metadata)))


def literal_map(**literals: literals_pb2.Literal) -> literals_pb2.LiteralMap:
    return literals_pb2.LiteralMap(literals=literals)


def variables(**formats: str) -> interface_pb2.VariableMap:
    declared = {
        name: interface_pb2.Variable(type=types_pb2.LiteralType(blob=types_pb2.BlobType(format=one)))
        for name, one in formats.items()
    }
    return interface_pb2.VariableMap(variables=declared)


class Meeting(MemoryObjects):
    """Every read waits until two are there."""

    def __init__(self, stored: dict[str, bytes]) -> None:
        super().__init__(stored)
        self.met = anyio.Event()

    async def read(self, uri: str, *, limit: int | None = None) -> bytes:
        self.reads.append(uri)
        if len(self.reads) > 1:
            self.met.set()
        await self.met.wait()
        return await super().read(uri, limit=limit)


STREAMS = {"a": BinaryIO, "b": BinaryIO, "c": BinaryIO}


async def test_all_values_are_brought_side_by_side_and_fail_alone() -> None:
    objects = Meeting({"mem://a": b"1", "mem://c": b"3"})
    maps = literal_map(a=blob("mem://a"), b=blob("mem://gone"), c=blob("mem://c"))
    resolver = LiteralsResolver.from_flyte_idl(maps, variables(a="", b="", c=""), objects=objects, type_hints=STREAMS)
    with pytest.raises(ObjectNotFoundError, match="mem://gone") as caught:
        await resolver.all()
    assert "'b'" in "".join(caught.value.__notes__)
    assert set(resolver.native_values) == {"a", "c"}
    assert (await resolver["c"]).read() == b"3"
    objects.stored["mem://gone"] = b"2"
    assert (await resolver["b"]).read() == b"2"


async def test_what_a_class_of_ones_own_raises_comes_as_it_is() -> None:
    def broken(literal: Literal) -> Any:
        raise LookupError(literal.kind)

    types = Types().with_type(
        complex,
        tag="c",
        literal_type=types_pb2.LiteralType(blob=types_pb2.BlobType()),
        to_literal=lambda _: blob("x"),
        from_literal=broken,
    )
    maps = literal_map(a=blob("mem://a"), b=blob("mem://b"))
    resolver = LiteralsResolver.from_flyte_idl(maps, variables(a="", b=""), types=types)
    with pytest.raises(LookupError):
        await resolver.all({"a": complex})
    assert resolver.native_values == {"b": FlyteFile("mem://b")}


async def test_pickles_are_allowed_for_a_resolver_or_for_one_value() -> None:
    objects = MemoryObjects({"mem://p": pickle.dumps({1}), "mem://q": pickle.dumps({2})})
    maps = literal_map(p=blob("mem://p", "PythonPickle"), q=blob("mem://q", "PythonPickle"))
    declared = variables(p="PythonPickle", q="PythonPickle")
    careful = LiteralsResolver.from_flyte_idl(maps, declared, objects=objects)
    with pytest.raises(UntrustedPickleError, match=r"cannot decode p.*mem://p"):
        await careful["p"]
    assert await careful.get("p", allow_pickle=True) == {1}
    with pytest.raises(UntrustedPickleError):
        await careful["q"]
    assert objects.reads == ["mem://p"]
    assert await careful.all(allow_pickle=True) == {"p": {1}, "q": {2}}
    trusting = LiteralsResolver.from_flyte_idl(maps, declared, objects=objects, allow_pickle=True)
    assert await trusting.all() == {"p": {1}, "q": {2}}
    assert await trusting.copy().all() == {"p": {1}, "q": {2}}


async def test_a_resolver_without_storage_names_what_it_cannot_read() -> None:
    resolver = LiteralsResolver.from_flyte_idl(literal_map(a=blob("mem://a")), variables(a=""))
    assert await resolver["a"] == FlyteFile("mem://a")
    with pytest.raises(DecodeError, match=r"cannot decode a: .*mem://a"):
        await resolver.get("a", BinaryIO)


async def test_a_pickled_resolver_keeps_what_is_no_connection() -> None:
    context = Context(objects=MemoryObjects({"mem://a": b"1"}), allow_pickle=True)
    resolver = LiteralsResolver.from_flyte_idl(literal_map(a=blob("mem://a")), variables(a=""), context=context)
    copy = pickle.loads(pickle.dumps(resolver))
    assert await copy["a"] == await resolver["a"]
    assert await (await resolver["a"]).read() == b"1"
    with pytest.raises(FlyteRemoteError, match="knows no storage"):
        await (await copy["a"]).read()


async def test_an_offloaded_output_is_read_where_it_lies() -> None:
    inner = literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(integer=7)))
    outer = literals_pb2.Literal(offloaded_metadata=literals_pb2.LiteralOffloadedMetadata(uri="mem://o"))
    declared = interface_pb2.VariableMap(
        variables={"o": interface_pb2.Variable(type=types_pb2.LiteralType(simple=types_pb2.INTEGER))}
    )
    objects = MemoryObjects({"mem://o": inner.SerializeToString()})
    resolver = LiteralsResolver.from_flyte_idl(literal_map(o=outer), declared, objects=objects)
    assert await resolver["o"] == 7
    assert await resolver["o"] == 7
    assert objects.reads == ["mem://o"]
