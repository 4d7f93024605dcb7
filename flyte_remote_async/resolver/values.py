"""Bringing and decoding the values of a resolver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, overload

import anyio
import attrs

from flyte_remote_async.errors import DecodeError, FlyteRemoteError, LiteralError, MissingLiteralError
from flyte_remote_async.models.literals import Literal, Variable
from flyte_remote_async.resolver.item import LiteralItem
from flyte_remote_async.resolver.workers import beside, imported

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyte_remote_async.literals.context import Context
    from flyte_remote_async.models.types import LiteralType
    from flyte_remote_async.resolver.source import Source

__all__ = ["MISSING", "Values"]

T = TypeVar("T")

MISSING: Final = object()


class Values:
    """The part of a resolver that awaits."""

    def _begin(self, source: Source, type_hints: Mapping[str, Any] | None, context: Context | None) -> None:
        self._source = source
        self._context = context
        self._hints: dict[str, Any] = dict(type_hints or {})
        # Entries of its own over the literals, as the UserDict of the reference has them; None until they are there.
        self._own: dict[str, Any] | None = None
        # A list for each name and not a dict: hints need not be hashable.
        self._decoded: dict[str, list[tuple[Any, Any]]] = {}

    @property
    def _entries(self) -> dict[str, Any]:
        if self._own is None:
            self._own = dict(self._source.literals)
        return self._own

    async def load(self) -> Self:
        """Bring the literals, once; nothing is decoded.

        Returns:
            The resolver itself.

        Raises:
            DetachedError: The resolver was pickled before it was loaded.
            FlyteRemoteError: Whatever the loading met: an RPC that failed, outputs of an execution that has none.
        """
        await self._source.load()
        return self

    def __getitem__(self, key: str) -> LiteralItem:
        return LiteralItem(self, key)

    @overload
    async def get(self, attr: str, as_type: type[T], *, allow_pickle: bool = False) -> T: ...

    @overload
    async def get(self, attr: str, as_type: Any = None, *, allow_pickle: bool = False) -> Any: ...

    async def get(self, attr: str, as_type: Any = None, *, allow_pickle: bool = False) -> Any:
        """Return one value.

        Args:
            attr: Its name.
            as_type: The Python type that is wanted; without it the type hint counts, then the declared type. A frame
                of pandas, polars or arrow is read at once; a file or table without one is a handle.
            allow_pickle: Whether this value may be loaded if it is a pickle, which runs code that its writer chose.

        Raises:
            MissingLiteralError: There is no such name.
            DecodeError: The value cannot be read so, or nothing says what type it has.
            UntrustedPickleError: It is a pickle, which is not allowed.
            StorageError: What it needs from storage cannot be had.
        """
        await self.load()
        hint = self._hints.get(attr) if as_type is None else as_type
        literal = self._entries.get(attr, self._source.literals.get(attr, MISSING))
        if literal is MISSING:
            raise MissingLiteralError(attr, tuple(self._entries))
        if not isinstance(literal, Literal):
            return literal
        value = self._cached(attr, hint)
        if value is not MISSING:
            return value
        try:
            decoded = await self._decode(attr, literal, hint, allow_pickle=allow_pickle)
        except LiteralError as error:
            raise error.named(attr) from error.__cause__
        except FlyteRemoteError as error:
            error.add_note(f"it is needed for the value {attr!r}")
            raise
        value = self._cached(attr, hint)
        if value is not MISSING:  # another task was faster, and values are shared
            return value
        self._decoded.setdefault(attr, []).append((hint, decoded))
        return decoded

    def _cached(self, name: str, hint: Any) -> Any:
        found = (value for known, value in self._decoded.get(name, ()) if known is hint or known == hint)
        return next(found, MISSING)

    async def _decode(self, name: str, literal: Literal, hint: Any, *, allow_pickle: bool) -> Any:
        variable = (self._source.variables or {}).get(name)
        if variable is None and hint is None and not self._source.reads_undeclared:
            reason = "nothing declares its type: give as_type, or a type hint"
            raise DecodeError(reason, kind=literal.kind)
        # A program that decodes nothing need not import it; importing takes longer than most decoding.
        await imported("flyte_remote_async.literals.resolve")
        from flyte_remote_async.literals.context import PLAIN
        from flyte_remote_async.literals.resolve import read

        context = self._context or PLAIN
        if allow_pickle:
            context = attrs.evolve(context, allow_pickle=True)
        declared = None if variable is None else variable.type
        return await read(literal, declared, hint, context=context, run=_run)

    async def all(self, types: Mapping[str, Any] | None = None, *, allow_pickle: bool = False) -> dict[str, Any]:
        """Return all values by name; they are brought and decoded side by side.

        Args:
            types: Python types by name, for this call.
            allow_pickle: Whether pickles among them may be loaded, as for :meth:`get`.

        Raises:
            DecodeError: A value cannot be read. The others were tried all the same, and are cached; where several
                fail, the error is the one of the first name, with the others as notes.
            StorageError: What a value needs from storage cannot be had; likewise.
        """
        await self.load()
        values: dict[str, Any] = {}
        failed: dict[str, Exception] = {}

        async def one(name: str) -> None:
            try:
                values[name] = await self.get(name, (types or {}).get(name), allow_pickle=allow_pickle)
            except Exception as error:  # noqa: BLE001 - raised below, out of the group
                failed[name] = error

        names = tuple(self._entries)
        async with anyio.create_task_group() as group:
            for name in names:
                group.start_soon(one, name)
        if failed:
            first, *others = (failed[name] for name in names if name in failed)
            for other in others:
                first.add_note(f"and also: {other}")
            raise first
        return {name: values[name] for name in names}

    async def values(self) -> list[Any]:
        """Return all values, in the order of their names; raises as :meth:`all`."""
        return list((await self.all()).values())

    async def items(self) -> list[tuple[str, Any]]:
        """Return all names with their values; raises as :meth:`all`."""
        return list((await self.all()).items())

    async def as_python_native(self, python_interface: Any) -> Any:
        """Return what a call of the task or workflow would have returned.

        Args:
            python_interface: Something with ``outputs``: a :class:`TypedInterface`, or Python types by name, whose
                order is the order of the values.

        Returns:
            None when there are no literals, the value when there is one, else a tuple in the interface's order.

        Raises:
            MissingLiteralError: The interface declares an output that is not there.
            DecodeError: A value cannot be read, also one that the interface does not declare.
        """
        await self.load()
        if not self._entries:
            return None
        outputs: Mapping[str, Any] = python_interface.outputs
        declared = {name: one for name, one in outputs.items() if isinstance(one, Variable)}
        self._source.declare(declared)
        values = await self.all({name: one for name, one in outputs.items() if name not in declared})
        if len(values) == 1:
            return next(iter(values.values()))
        missing = [name for name in outputs if name not in values]
        if missing:
            raise MissingLiteralError(missing[0], tuple(values))
        return tuple(values[name] for name in outputs)


async def _run(literal: Literal, declared: LiteralType | None, hint: Any, context: Context) -> Any:
    """Decode a literal: a small one here, a large one beside the loop."""
    from flyte_remote_async.literals.convert import decode

    if len(literal.wire) <= context.in_place_bytes:
        return decode(literal, declared, hint, context)
    return await beside(decode, literal, declared, hint, context)
