"""Unions: a value with the type it was stored under, found again by that type and then by flytekit's tag."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any, NamedTuple, Union, get_args, get_origin

from flyteidl.core import literals_pb2, types_pb2

from flyte_remote_async.errors import DecodeError, EncodeError, UntrustedPickleError
from flyte_remote_async.literals import wire
from flyte_remote_async.literals.base import Codec, OffloadedError, kind_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyte_remote_async.literals.registry import Codecs

__all__ = ["from_hint", "from_type", "of_codecs"]


class _Variant(NamedTuple):
    codec: Codec
    tag: str
    declared: types_pb2.LiteralType | None  # None where only a hint is known

    @property
    def is_untagged(self) -> bool:
        return self.declared is None or not self.declared.structure.tag


class _Union(Codec):
    __slots__ = ("codecs", "optional", "variants")

    def __init__(self, codecs: Codecs, variants: Sequence[_Variant]) -> None:
        super().__init__(" | ".join(variant.codec.expected for variant in variants) or "a union of no types")
        self.codecs = codecs
        self.variants = variants
        self.optional = any(variant.codec.optional for variant in variants)

    def decode(self, literal: literals_pb2.Literal) -> Any:
        kind = kind_of(literal)
        if kind == "offloaded":
            raise OffloadedError(literal.offloaded_metadata.uri, expected=self.expected)
        if kind != "union":
            return self._decode_one(literal, self.variants)
        union = literal.scalar.union
        if not self.variants:
            return self.codecs.of(union.type).decode(union.value)
        return self._decode_one(union.value, self._stored_under(union.type))

    def within_union(self, stored: types_pb2.LiteralType) -> Codec | None:
        if not self.variants:
            return self.codecs.of(stored)
        variants = self._stored_under(stored)
        return variants[0].codec if len(variants) == 1 else None

    def build(self, value: Any) -> Any:
        for variant in self.variants:
            if variant.codec.exact is type(value):
                return value
            if variant.codec.owns_plain(value):
                break  # it comes before those that follow
        ordered = sorted(self.variants, key=lambda variant: not variant.codec.owns_plain(value))
        for variant in ordered:
            try:
                return variant.codec.build(value)
            except DecodeError:
                continue
        raise self.mismatch(value)

    def encode(self, value: Any) -> literals_pb2.Literal:
        fitting: list[tuple[_Variant, literals_pb2.Literal]] = []
        deeper: EncodeError | None = None
        for variant in self.variants:
            try:
                fitting.append((variant, variant.codec.encode(value)))
            except EncodeError as error:
                deeper = deeper or (error if error.path else None)
        own = [pair for pair in fitting if pair[0].codec.owns(value)] if len(fitting) > 1 else fitting
        if len(own) > 1 or (len(fitting) > 1 and not own):
            names = ", ".join(variant.codec.expected for variant, _ in own or fitting)
            raise self.refusal(value, f"it fits several types of the union: {names}")
        if own:
            return self._wrap(*own[0])
        raise deeper or self.refusal(value)

    def dump(self, value: Any) -> Any:
        ordered = sorted(self.variants, key=lambda variant: not variant.codec.owns(value))
        for variant in ordered:
            try:
                return variant.codec.dump(value)
            except EncodeError:
                continue
        raise self.refusal(value)

    def fits(self, stored: types_pb2.LiteralType) -> bool:
        inner = stored.union_type.variants if stored.WhichOneof("type") == "union_type" else [stored]
        # One is enough: a hint may name only some of the variants that a type has.
        return any(variant.codec.fits(one) for variant in self.variants for one in inner)

    def owns(self, value: Any) -> bool:
        return any(variant.codec.owns(value) for variant in self.variants)

    def owns_plain(self, value: Any) -> bool:
        return any(variant.codec.owns_plain(value) for variant in self.variants)

    def _stored_under(self, stored: types_pb2.LiteralType) -> list[_Variant]:
        """Return the variants that a stored type can mean."""
        tag = stored.structure.tag
        fitting = [v for v in self.variants if v.codec.fits(stored) and (v.tag in {tag, ""} if tag else v.is_untagged)]
        if not fitting:
            name = f"{self.codecs.of(stored).expected}{f' with the tag {tag!r}' if tag else ''}"
            reason = f"the union holds a value of type {name}, which is none of its types"
            raise DecodeError(reason, kind="union", expected=self.expected)
        exact = [v for v in fitting if v.declared is not None and _essence(v.declared) == _essence(stored)]
        return exact or fitting

    def _decode_one(self, literal: literals_pb2.Literal, variants: Sequence[_Variant]) -> Any:
        if len(variants) == 1:
            return variants[0].codec.decode(literal)
        fitting: list[tuple[_Variant, Any]] = []
        deeper: DecodeError | None = None
        for variant in variants:
            try:
                fitting.append((variant, variant.codec.decode(literal)))
            except (OffloadedError, UntrustedPickleError):
                raise
            except DecodeError as error:
                deeper = deeper or (error if error.path else None)
        if not fitting:
            # A value of the right shape with one wrong part: that part is what to look at.
            raise deeper or self._no_fit(literal)
        own = [pair for pair in fitting if pair[0].codec.owns_literal(literal)] if len(fitting) > 1 else fitting
        if len(own) != 1:
            names = ", ".join(variant.codec.expected for variant, _ in fitting)
            reason = f"the value can be read as several types of the union: {names}"
            raise DecodeError(reason, kind=kind_of(literal), expected=self.expected)
        return own[0][1]

    def _no_fit(self, literal: literals_pb2.Literal) -> DecodeError:
        error = self.misfit(literal)
        if error.kind == "binary" and literal.scalar.binary.tag == wire.MSGPACK:
            error.reason = self.mismatch(wire.read_binary(literal.scalar.binary)).reason
        return error

    def _wrap(self, variant: _Variant, literal: literals_pb2.Literal) -> literals_pb2.Literal:
        stored = types_pb2.LiteralType()
        if variant.declared is not None:
            stored.CopyFrom(_essence(variant.declared))
        stored.structure.tag = variant.tag or variant.codec.tag
        union = literals_pb2.Union(value=literal, type=stored)
        return literals_pb2.Literal(scalar=literals_pb2.Scalar(union=union))


def _essence(declared: types_pb2.LiteralType) -> types_pb2.LiteralType:
    """Return a type without its structure, which differs between a declared and a stored variant."""
    copy = types_pb2.LiteralType()
    copy.CopyFrom(declared)
    copy.ClearField("structure")
    return copy


def of_codecs(codecs: Codecs, variants: Sequence[Codec]) -> Codec:
    """Return the codec of a union inside a payload, where only the codecs of its types are known."""
    return _Union(codecs, [_Variant(codec, codec.tag, None) for codec in variants])


def from_type(codecs: Codecs, declared: types_pb2.LiteralType) -> Codec:
    """Return the codec of a union type."""
    variants = [_Variant(codecs.of(one), one.structure.tag, one) for one in declared.union_type.variants]
    return _Union(codecs, variants)


def from_hint(codecs: Codecs, bare: Any, hint: Any, declared: types_pb2.LiteralType | None) -> Codec | None:
    """Return the codec of a hint that is a union, or of another hint under a union type, else None.

    Args:
        codecs: Makes the codecs.
        bare: The hint without its annotations.
        hint: The hint with them.
        declared: The type that the interface declares.
    """
    is_union = declared is not None and declared.WhichOneof("type") == "union_type"
    known = list(declared.union_type.variants) if declared is not None and is_union else []
    if get_origin(bare) in (Union, types.UnionType):
        return _Union(codecs, [_hinted(codecs, arg, known) for arg in get_args(bare)])
    if known:
        return _Union(codecs, [_hinted(codecs, hint, known)])
    return None


def _hinted(codecs: Codecs, hint: Any, known: Sequence[types_pb2.LiteralType]) -> _Variant:
    codec = codecs.of(None, hint)
    fitting = [one for one in known if codec.fits(one)]
    fitting.sort(key=lambda one: (not codec.resembles(one), one.structure.tag != codec.tag))
    if not fitting:
        return _Variant(codec, codec.tag, None)
    return _Variant(codecs.of(fitting[0], hint), codec.tag, fitting[0])
