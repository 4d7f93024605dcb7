"""Offloaded literals: those that lie in a file of their own, put in their place."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

from anyio import to_thread
from flyteidl.core import literals_pb2

from flyte_remote_async.errors import DecodeError, IntegrityError, MalformedMessageError
from flyte_remote_async.literals.gathering import Gathered
from flyte_remote_async.models.literals import Literal
from flyte_remote_async.models.message import parse
from flyte_remote_async.models.pieces import merge_in_pieces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flyte_remote_async.literals.access import Objects
    from flyte_remote_async.literals.context import Context

__all__ = ["DEEPEST", "inline"]

DEEPEST: Final = 10
"""How often offloaded literals may lie in each other; one that holds itself ends there."""


async def inline(literal: Literal, context: Context) -> Literal:
    """Return a literal with what is offloaded in its place; what came may hold offloaded ones again.

    Args:
        literal: The literal.
        context: What may be used.

    Raises:
        DecodeError: A file is no literal, or is too large.
        StorageError: A file cannot be had, or is cut off.
    """
    # In a thread whatever the context's work is: the places that are found are parts of this very message.
    message = await to_thread.run_sync(merge_in_pieces, literals_pb2.Literal, literal.wire)
    if message.HasField("offloaded_metadata"):
        return Literal(await _fetch(message.offloaded_metadata, context))
    await _fill(await to_thread.run_sync(_places, message), context)
    return await to_thread.run_sync(Literal.from_flyte_idl, message)


def _places(literal: literals_pb2.Literal) -> list[literals_pb2.Literal]:
    """Return the offloaded literals inside a literal."""
    return list(_walk(literal))


def _walk(literal: literals_pb2.Literal) -> Iterator[literals_pb2.Literal]:
    which = literal.WhichOneof("value")
    if which == "offloaded_metadata":
        yield literal
    elif which == "collection":
        for one in literal.collection.literals:
            yield from _walk(one)
    elif which == "map":
        for one in literal.map.literals.values():
            yield from _walk(one)
    elif literal.scalar.HasField("union"):
        yield from _walk(literal.scalar.union.value)


async def _fill(places: list[literals_pb2.Literal], context: Context) -> None:
    gathered = Gathered()
    keys = [(place.offloaded_metadata.uri, place.offloaded_metadata.size_bytes) for place in places]
    for key, place in zip(keys, places, strict=True):
        gathered.get(key, functools.partial(_fetch, place.offloaded_metadata, context))
    await gathered.bring()
    for key, place in zip(keys, places, strict=True):
        place.CopyFrom(await to_thread.run_sync(_parsed, gathered.found(key), key[0]))


async def _fetch(metadata: literals_pb2.LiteralOffloadedMetadata, context: Context) -> bytes:
    """Return the bytes of an offloaded literal; its size is checked before and after."""
    objects: Objects | None = context.objects
    if not metadata.uri:
        raise DecodeError("it is offloaded, and has no uri", kind="offloaded")
    if objects is None:
        raise DecodeError(f"it lies at {metadata.uri}, and there is no storage to read from", kind="offloaded")
    if metadata.size_bytes > context.max_object_bytes:
        reason = f"it has {metadata.size_bytes:,} bytes; the limit is {context.max_object_bytes:,} (max_object_bytes)"
        raise DecodeError(reason, kind="offloaded")
    data = await objects.read(metadata.uri, limit=context.max_object_bytes)
    if len(data) < metadata.size_bytes:
        # One byte less may still parse, as a shorter list.
        reason = f"it is cut off: {len(data):,} bytes of {metadata.size_bytes:,}"
        raise IntegrityError(reason, uri=metadata.uri)
    return data


def _parsed(data: bytes, uri: str) -> literals_pb2.Literal:
    try:
        return parse(literals_pb2.Literal, data)
    except MalformedMessageError as error:
        raise DecodeError(f"what lies at {uri} is no literal: {error}", kind="offloaded") from error
