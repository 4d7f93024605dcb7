"""What a kind of literal is: one codec for each type, made once and used for every value of it.

A codec knows four ways. ``decode`` and ``encode`` go between a literal and Python; ``build`` and ``dump`` go between
the plain data inside a msgpack or Struct payload (numbers, strings, lists, dicts) and Python. A new kind is a new
subclass and a line in ``registry.py``.
"""

from __future__ import annotations

import reprlib
from typing import TYPE_CHECKING, Any

from flyteidl.core import literals_pb2

from flyte_remote_async.errors import DecodeError, EncodeError, LiteralError
from flyte_remote_async.literals import bulk, chunks, wire
from flyte_remote_async.models.wire import UncutError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flyteidl.core import types_pb2

__all__ = ["Codec", "OffloadedError", "Unsupported", "describe", "each", "kind_of", "step"]


def describe(value: object) -> str:
    """Return a short rendering of a value and its type, for error messages."""
    return f"{reprlib.repr(value)} ({type(value).__name__})"


def kind_of(literal: literals_pb2.Literal) -> str:
    """Return what a literal is, in a word, such as ``"integer"``, ``"collection"`` or ``"blob"``."""
    which = literal.WhichOneof("value")
    if which == "scalar":
        form = literal.scalar.WhichOneof("value")
        if form == "primitive":
            return literal.scalar.primitive.WhichOneof("value") or "empty"
        return form or "empty"
    return {"offloaded_metadata": "offloaded", None: "empty"}.get(which, str(which))


def step(label: str, convert: Callable[[Any], Any], value: Any) -> Any:
    """Convert one part of a value; an error says which part it is by its label, such as ``".field"``."""
    try:
        return convert(value)
    except LiteralError as error:
        raise error.within(label) from error.__cause__


def each(convert: Callable[[Any], Any], items: Iterable[Any], first: int = 0) -> list[Any]:
    """Convert the elements of a list, or of a part of it from some index on; an error says which one it is."""
    done: list[Any] = []
    append = done.append
    try:
        for item in items:
            append(convert(item))
    except LiteralError as error:
        raise error.within(f"[{first + len(done)}]") from error.__cause__
    return done


_LONGEST = 200  # letters of a type in an error


class Codec:
    """How values of one type are read and written; the base refuses everything.

    Attributes:
        expected: The type in words, for errors, such as ``"list[int]"``.
        tag: What flytekit calls the type in the tag of a union.
        optional: Whether None is one of its values.
        exact: Type whose values ``build`` returns as they are; None where there is none.
        plain: Field of the primitives that the elements of a long list are looked through for; empty for numbers.
        is_packed: Whether a literal with a msgpack payload is read by ``build`` alone.
    """

    __slots__ = ("expected",)
    tag = ""
    optional = False
    exact: type | None = None
    plain = ""
    is_packed = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.is_packed = cls.decode is Codec.decode or "is_packed" in cls.__dict__

    def __init__(self, expected: str) -> None:
        self.expected = expected if len(expected) <= _LONGEST else f"{expected[: _LONGEST - 1]}…"

    def decode(self, literal: literals_pb2.Literal) -> Any:
        """Return the Python value of a literal.

        The forms that any typed place may hold are read here: a payload where an attribute of an output was passed on
        (Flyte resolves it to msgpack or Struct), and a union around the value.

        Raises:
            DecodeError: The literal holds something else.
        """
        form = literal.scalar.WhichOneof("value")
        if form == "binary" or form == "generic":  # noqa: PLR1714 - twice as fast as a membership test
            if form == "binary":
                return self.built(form, lambda: wire.read_binary(literal.scalar.binary))
            return self.built(form, lambda: self.generic(literal))
        if form == "union":
            return self._unwrap(literal.scalar.union)
        if form is None and literal.HasField("offloaded_metadata"):
            raise OffloadedError(literal.offloaded_metadata.uri, expected=self.expected)
        raise self.misfit(literal)

    def decode_bytes(self, data: bytes, start: int, end: int) -> Any:
        """Return the Python value of the literal that lies between two positions; a long one is read in chunks."""
        try:
            value = self.decode_cut(data, start, end)
        except UncutError:
            value = None  # as a message then
        return chunks.read(self, data, start, end) if value is None else value

    def decode_cut(self, data: bytes, start: int, end: int) -> Any:
        """Return the same of a literal whose value is cut up where it lies, or None when it is of another form.

        Raises:
            UncutError: The bytes are not cut here.
        """
        del data, start, end
        return None

    def decode_all(self, data: bytes, first: int) -> list[Any]:
        """Return the Python values of elements of a list, fast where they are alike.

        Args:
            data: The elements as a serialised ``LiteralCollection``.
            first: Index of the first of them in their list, for errors.
        """
        packed = bulk.payloads(data) if self.is_packed else None
        if packed is not None:
            return each(self._payloads(max(map(len, packed), default=0)), packed, first)
        return each(self.decode, literals_pb2.LiteralCollection.FromString(data).literals, first)

    def _payloads(self, longest: int) -> Callable[[bytes], Any]:
        unpack, build = wire.unpacker(longest), self.build

        def convert(payload: bytes) -> Any:
            try:
                return build(unpack(payload))
            except Exception:  # noqa: BLE001 - of our own or of msgpack: it is raised again in our words
                return self.built("binary", lambda: wire.unpack(payload))

        return convert

    def _of_form(self, error: DecodeError, form: str) -> None:
        error.kind = error.kind or form
        error.expected = error.expected or self.expected

    def decode_entries(self, data: bytes) -> dict[str, Any] | None:
        """Return the Python values of a serialised ``LiteralMap`` by key, or None to have them taken apart first."""
        del data
        return None

    def within_union(self, stored: types_pb2.LiteralType) -> Codec | None:
        """Return what reads the value inside a union, by the type it is stored under; None where that takes a look."""
        return self if self.fits(stored) else None

    def built(self, form: str, unpack: Callable[[], Any]) -> Any:
        """Return the Python value of a payload of some form."""
        try:
            return self.build(unpack())
        except DecodeError as error:
            self._of_form(error, form)
            raise

    def generic(self, literal: literals_pb2.Literal) -> Any:
        """Return the plain data of a Struct literal."""
        return wire.read_generic(literal)

    def build(self, value: Any) -> Any:
        """Return the Python value of plain data.

        Raises:
            DecodeError: The data does not fit the type.
        """
        raise self.mismatch(value)

    def build_key(self, key: Any) -> Any:
        """Return the Python value of a key of a dict; JSON made strings of all keys."""
        return self.build(key)

    def encode(self, value: Any) -> literals_pb2.Literal:
        """Return the literal of a Python value.

        Raises:
            EncodeError: The value does not fit the type.
        """
        raise self.refusal(value)

    def dump(self, value: Any) -> Any:
        """Return the plain data of a Python value.

        Raises:
            EncodeError: The value does not fit the type.
        """
        raise self.refusal(value)

    def fits(self, stored: types_pb2.LiteralType) -> bool:
        """Tell whether a value that was stored under a type can be read as this one."""
        del stored
        return False

    def resembles(self, declared: types_pb2.LiteralType) -> bool:
        """Tell whether a type that fits is the type's own, of several that fit."""
        del declared
        return True

    def owns(self, value: Any) -> bool:
        """Tell whether a value is of this type as it is; else it may still be accepted by conversion."""
        del value
        return True

    def owns_literal(self, literal: literals_pb2.Literal) -> bool:
        """Tell whether a literal has the type's own form; else it may still be read by conversion."""
        del literal
        return True

    def owns_plain(self, value: Any) -> bool:
        """Tell whether plain data is of this type as it is."""
        del value
        return False

    def misfit(self, literal: literals_pb2.Literal) -> DecodeError:
        """Return the error for a literal of the wrong kind."""
        kind = kind_of(literal)
        reason = _ADVICE.get(kind, "the literal is of another kind")
        return DecodeError(reason, kind=kind, expected=self.expected)

    def mismatch(self, value: object) -> DecodeError:
        """Return the error for plain data of the wrong type."""
        return DecodeError(f"got {describe(value)}", expected=self.expected)

    def refusal(self, value: object, reason: str = "") -> EncodeError:
        """Return the error for a Python value that does not fit."""
        return EncodeError(f"got {describe(value)}{': ' + reason if reason else ''}", expected=self.expected)

    def _unwrap(self, union: literals_pb2.Union) -> Any:
        if union.HasField("type") and not self.fits(union.type):
            # Imported here: the registry knows all kinds, and they know this module.
            from flyte_remote_async.literals.registry import Codecs

            stored = Codecs(DecodeError).of(union.type).expected
            reason = f"the union holds a value of type {stored}"
            raise DecodeError(reason, kind="union", expected=self.expected)
        return self.decode(union.value)


class Unsupported(Codec):
    """A kind that has a type and no rule: its values alone cannot be converted."""

    __slots__ = ("field", "simple")

    def __init__(self, kind: str, field: str | None = None, simple: int | None = None) -> None:
        super().__init__(kind)
        self.field = field
        self.simple = simple

    def decode(self, literal: literals_pb2.Literal) -> Any:
        """Refuse, and say how to get at the literal."""
        kind = kind_of(literal)
        reason = f"there is no rule for values of type {self.expected}; get_literal(name) gives the literal itself"
        raise DecodeError(_ADVICE.get(kind, reason), kind=kind, expected=self.expected)

    def build(self, value: Any) -> Any:
        """Return the data as it is: a part of a payload is readable whatever its declared type."""
        return value

    def encode(self, value: Any) -> literals_pb2.Literal:
        """Refuse, and say what can be passed instead."""
        raise self.refusal(value, "there is no rule for this type; a Literal can be passed as it is")

    def fits(self, stored: types_pb2.LiteralType) -> bool:
        """Tell whether the stored type is of the same kind."""
        return stored.WhichOneof("type") == self.field and (self.simple is None or stored.simple == self.simple)


_ADVICE = {"empty": "the literal holds nothing"}


class OffloadedError(DecodeError):
    """A literal that lies in a file of its own: who can do I/O puts it in its place, and decodes again."""

    def __init__(self, uri: str, *, expected: str = "") -> None:
        reason = f"it lies in a file of its own, {uri or 'without a uri'}: await it through a resolver"
        super().__init__(reason, kind="offloaded", expected=expected)
