"""The async way of conversion: bring what lies in storage, then convert as :mod:`convert` does.

``read`` brings offloaded literals at any depth, and what a hint wants at once (tables, arrays, streams, pickles where
they are allowed); ``write`` stores the files and frames of a value. Both go by what the pure conversion asks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyte_remote_async.errors import DecodeError
from flyte_remote_async.literals.base import OffloadedError
from flyte_remote_async.literals.context import PLAIN
from flyte_remote_async.literals.convert import decode, encode
from flyte_remote_async.literals.gathering import settle
from flyte_remote_async.literals.offloading import DEEPEST, inline
from flyte_remote_async.models.literals import Literal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flyteidl.core import literals_pb2, types_pb2

    from flyte_remote_async.literals.context import Context
    from flyte_remote_async.models.literals import LiteralType

__all__ = ["read", "write"]


async def read(
    literal: Literal | literals_pb2.Literal,
    literal_type: LiteralType | types_pb2.LiteralType | None = None,
    hint: Any = None,
    *,
    context: Context = PLAIN,
    run: Callable[..., Awaitable[Any]] | None = None,
) -> Any:
    """Return the Python value of a literal, with what it needs from storage.

    Args:
        literal: The literal.
        literal_type: The type that the interface declares.
        hint: The Python type that is wanted.
        context: What may be used.
        run: Runs ``decode(literal, literal_type, hint, context)``, here or beside the loop; None for here.

    Raises:
        DecodeError: The literal cannot be read so.
        StorageError: What it needs cannot be had.
    """
    whole = literal if isinstance(literal, Literal) else Literal.from_flyte_idl(literal)

    async def convert(context: Context) -> Any:
        nonlocal whole
        for _ in range(DEEPEST):
            try:
                return await _decoded(whole, literal_type, hint, context, run)
            except OffloadedError:
                if context.objects is None:
                    raise
            whole = await inline(whole, context)
        reason = f"offloaded literals lie in each other, more than {DEEPEST} deep"
        raise DecodeError(reason, kind="offloaded")

    return await settle(convert, context)


async def _decoded(
    literal: Literal,
    literal_type: LiteralType | types_pb2.LiteralType | None,
    hint: Any,
    context: Context,
    run: Callable[..., Awaitable[Any]] | None,
) -> Any:
    if run is not None:
        return await run(literal, literal_type, hint, context)
    return decode(literal, literal_type, hint, context)


async def write(
    value: Any,
    literal_type: LiteralType | types_pb2.LiteralType,
    hint: Any = None,
    *,
    context: Context = PLAIN,
    run: Callable[..., Awaitable[Literal]] | None = None,
) -> Literal:
    """Return the literal of a Python value; its files, folders and frames are stored on the way.

    Args:
        value: The value.
        literal_type: The type that the interface declares.
        hint: The Python type of the value, where it says more than the value itself.
        context: What may be used.
        run: Runs ``encode(value, literal_type, hint, context)``, here or beside the loop; None for here.

    Raises:
        EncodeError: The value does not fit the type.
        StorageError: A file cannot be stored.
    """

    async def convert(context: Context) -> Literal:
        if run is not None:
            return await run(value, literal_type, hint, context)
        return encode(value, literal_type, hint, context)

    return await settle(convert, context)
