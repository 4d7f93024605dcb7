"""The inputs or outputs of an execution by name: brought when they are first needed, decoded when they are awaited."""

from __future__ import annotations

import reprlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from flyte_remote_async.errors import MissingLiteralError
from flyte_remote_async.models.literals import Literal, Variable, literals_by_name, variables_by_name
from flyte_remote_async.resolver.source import Source
from flyte_remote_async.resolver.values import MISSING, Values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, KeysView, Mapping

    from flyteidl.core import interface_pb2, literals_pb2

    from flyte_remote_async.literals import Context, Types
    from flyte_remote_async.literals.access import Objects
    from flyte_remote_async.resolver.source import Loader

__all__ = ["LiteralsResolver"]

_RENDER = reprlib.Repr()
_RENDER.maxother = _RENDER.maxstring = 200
_RENDER.maxlist = _RENDER.maxdict = _RENDER.maxtuple = 20


class LiteralsResolver(Values):
    """The literals of one side of an execution, by name.

    ``await resolver["o0"]`` and ``await resolver.get("o0", Point)`` decode one value; :meth:`all`, :meth:`values` and
    :meth:`items` decode them all. Values are cached by name and type, and a cached list or dict is shared by those who
    await it. Names, literals and variables are there at once when the resolver was made from them; a resolver that
    brings them over the network has them after the first await, and before that looking at them raises
    :class:`NotLoadedError`.

    Args:
        literals: The literals by name.
        variable_map: The declared variables by name, whose types say what the values are.
        ctx: Taken for the sake of flytekit's signature; nothing of it is used.
        context: What decoding may use: stored objects, types of one's own, pickles; a remote gives its own to the
            resolvers of its executions.

    Raises:
        ValueError: ``literals`` is None.

    Example:
        >>> await execution.outputs["o0"]
        3
        >>> await execution.outputs.get("point", Point)
        Point(x=1, y=2.0)
    """

    def __init__(
        self,
        literals: Mapping[str, Literal | literals_pb2.Literal],
        variable_map: Mapping[str, Variable | interface_pb2.Variable] | None = None,
        ctx: object = None,
        *,
        context: Context | None = None,
    ) -> None:
        del ctx
        variables = None if variable_map is None else _variables(variable_map)
        self._begin(Source.given(_literals(literals), variables), None, context)

    @classmethod
    def lazy(
        cls,
        loader: Loader,
        *,
        what: str,
        type_hints: Mapping[str, Any] | None = None,
        context: Context | None = None,
    ) -> Self:
        """Return a resolver that brings its literals when a value is first awaited.

        Args:
            loader: Brings the literals and the declared variables. Awaiters share one call; a call that fails is
                made again at the next await, one that is cancelled by the next of those who wait.
            what: What the literals are, for errors, such as ``"outputs of flytesnacks/development/abc"``.
            type_hints: Python types by name, as for :meth:`update_type_hints`.
            context: What decoding may use.
        """
        resolver = cls.__new__(cls)
        cls._begin(resolver, Source(what, loader), type_hints, context)
        return resolver

    @classmethod
    def from_flyte_idl(
        cls,
        literal_map: literals_pb2.LiteralMap,
        variable_map: interface_pb2.VariableMap | None = None,
        *,
        allow_pickle: bool = False,
        types: Types | None = None,
        objects: Objects | None = None,
        type_hints: Mapping[str, Any] | None = None,
        context: Context | None = None,
    ) -> Self:
        """Return the resolver of protobuf messages; no remote is needed.

        Args:
            literal_map: The literals.
            variable_map: The declared variables, where they are known.
            allow_pickle: Whether pickles may be loaded: only for data whose writer you trust with your machine.
            types: Types of one's own.
            objects: Stored objects, for files, tables and offloaded literals; without them these are named, not read.
            type_hints: Python types by name, as for :meth:`update_type_hints`.
            context: All that decoding may use, in place of the three above.
        """
        variables = None if variable_map is None else variables_by_name(variable_map)
        if context is None and (allow_pickle or types is not None or objects is not None):
            context = _context(objects, types, allow_pickle=allow_pickle)
        resolver = cls(literals_by_name(literal_map), variables, context=context)
        resolver.update_type_hints(type_hints or {})
        return resolver

    @classmethod
    def fromkeys(cls, names: Iterable[str], value: Any = None) -> Self:
        """Return a resolver without literals whose entries are all one value, as :meth:`dict.fromkeys` has it."""
        resolver = cls({})
        resolver.update(dict.fromkeys(names, value))
        return resolver

    # --- what is there without decoding ------------------------------------------------------------------------------

    @property
    def literals(self) -> Mapping[str, Literal]:
        """The literals by name, read-only; NotLoadedError before they are brought."""
        return MappingProxyType(self._source.literals)

    @property
    def variable_map(self) -> Mapping[str, Variable] | None:
        """The declared variables by name, read-only; None when they are not known; NotLoadedError as above."""
        known = self._source.variables
        return None if known is None else MappingProxyType(dict(known))

    @property
    def native_values(self) -> dict[str, Any]:
        """The values that were decoded so far, each as it was asked for last; NotLoadedError as for the literals."""
        _ = self._source.literals
        return {name: values[-1][1] for name, values in self._decoded.items()}

    @property
    def type_hints(self) -> Mapping[str, Any]:
        """The type hints by name, read-only."""
        return MappingProxyType(self._hints)

    def update_type_hints(self, type_hints: Mapping[str, Any]) -> None:
        """Set Python types by name, for values that are asked for without one; names that do not exist are kept."""
        self._hints.update(type_hints)

    def get_literal(self, key: str) -> Literal:
        """Return the literal itself.

        Raises:
            MissingLiteralError: There is no such name.
            NotLoadedError: The literals were not brought yet.
        """
        literals = self._source.literals
        if key not in literals:
            raise MissingLiteralError(key, tuple(literals))
        return literals[key]

    def keys(self) -> KeysView[str]:
        """Return the names; NotLoadedError before they are known."""
        return self._entries.keys()

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.keys())

    def __contains__(self, key: object) -> bool:
        return key in self.keys()

    def to_dict(self) -> dict[str, Any]:
        """Return the literals as JSON-ready data by name, each as :meth:`Literal.to_dict` has it."""
        return {name: literal.to_dict() for name, literal in self._source.literals.items()}

    # --- entries of its own ------------------------------------------------------------------------------------------

    def __setitem__(self, key: str, value: Any) -> None:
        self._entries[key] = value
        self._decoded.pop(key, None)

    def __delitem__(self, key: str) -> None:
        if key not in self._entries:
            raise MissingLiteralError(key, tuple(self._entries))
        del self._entries[key]

    def update(self, other: Mapping[str, Any] | Iterable[tuple[str, Any]] = (), /, **more: Any) -> None:
        """Set entries over the literals, which do not change: values, or literals that are decoded when awaited."""
        for key, value in dict(other, **more).items():
            self[key] = value

    async def setdefault(self, key: str, default: Any = None) -> Any:
        """Return the value of a name; a name that is missing gets the default first."""
        await self.load()
        if key not in self._entries:
            self[key] = default
        return await self.get(key)

    async def pop(self, key: str, default: Any = MISSING) -> Any:
        """Return the value of an entry and drop the entry; its literal stays, and can still be awaited.

        Raises:
            MissingLiteralError: There is no such entry, and no default was given.
            DecodeError: The value cannot be read; the entry stays.
        """
        await self.load()
        if key not in self._entries and default is not MISSING:
            return default
        if key not in self._entries:
            raise MissingLiteralError(key, tuple(self._entries))
        value = await self.get(key)
        self._entries.pop(key, None)
        return value

    async def popitem(self) -> tuple[str, Any]:
        """Return the last entry, name and value, and drop it as :meth:`pop` does.

        Raises:
            KeyError: There are no entries.
        """
        await self.load()
        if not self._entries:
            reason = "the resolver has no entries"
            raise KeyError(reason)
        key = next(reversed(self._entries))
        return key, await self.pop(key)

    def clear(self) -> None:
        """Drop all entries; the literals stay, and can still be awaited by name."""
        self._entries.clear()

    def copy(self) -> Self:
        """Return a resolver of the same literals, with entries, hints and cache of its own."""
        resolver = type(self).__new__(type(self))
        resolver.__dict__.update(
            _source=self._source,
            _hints=dict(self._hints),
            _context=self._context,
            _own=None if self._own is None else dict(self._own),
            _decoded={name: list(values) for name, values in self._decoded.items()},
        )
        return resolver

    __copy__ = copy

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # Literals are immutable; a copy by way of pickle would lose the loader.
        return self.copy()

    def __getstate__(self) -> dict[str, Any]:
        # What was decoded may not pickle, and can be decoded again.
        return {**self.__dict__, "_decoded": {}}

    # --- looking at it -----------------------------------------------------------------------------------------------

    def __str__(self) -> str:
        if not self._source.is_loaded:
            return f"the {self._source.what}, not loaded"
        native = self.native_values
        return _RENDER.repr({name: native.get(name, entry) for name, entry in self._entries.items()})

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self})"

    def _repr_html_(self) -> str:
        import html  # only notebooks ask for it

        return f"<pre>{html.escape(repr(self))}</pre>"


def _context(objects: Objects | None, types: Types | None, *, allow_pickle: bool) -> Context:
    from flyte_remote_async.literals import Context, Types  # a program that decodes nothing need not import it

    return Context(objects=objects, allow_pickle=allow_pickle, types=types or Types())


def _literals(given: Mapping[str, Literal | literals_pb2.Literal] | None) -> dict[str, Literal]:
    if given is None:
        reason = "a LiteralsResolver needs a map of literals; one that brings them is made with lazy()"
        raise ValueError(reason)
    return {name: one if isinstance(one, Literal) else Literal.from_flyte_idl(one) for name, one in given.items()}


def _variables(given: Mapping[str, Variable | interface_pb2.Variable]) -> dict[str, Variable]:
    return {name: one if isinstance(one, Variable) else Variable.from_flyte_idl(one) for name, one in given.items()}
