"""Pydantic models: msgpack of their JSON form, or a Struct by older SDKs; pydantic reads and writes that form."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flyteidl.core import types_pb2

from flyte_remote_async.errors import DecodeError
from flyte_remote_async.literals import wire
from flyte_remote_async.literals.base import Codec
from flyte_remote_async.literals.loose import is_model
from flyte_remote_async.literals.pydantic_fields import CONTEXT
from flyte_remote_async.literals.records import is_called

if TYPE_CHECKING:
    from flyteidl.core import literals_pb2

    from flyte_remote_async.literals.context import Context
    from flyte_remote_async.literals.registry import Codecs

__all__ = ["from_hint"]

# The map that a plugin of flytekit up to 1.13 wrote.
_OLD_FORM = "BaseModel JSON"


class _Model(Codec):
    __slots__ = ("context", "python")
    tag = "Pydantic Transformer"

    def __init__(self, python: Any, context: Context) -> None:
        super().__init__(python.__name__)
        self.python = python
        self.context = context

    def decode(self, literal: literals_pb2.Literal) -> Any:
        if literal.WhichOneof("value") == "map" and _OLD_FORM in literal.map.literals:
            return self.decode(literal.map.literals[_OLD_FORM])
        return super().decode(literal)

    def build(self, value: Any) -> Any:
        if type(value) is not dict:
            raise self.mismatch(value)
        try:
            # JSON and not Python values: that is the form they were written in, tuples as lists and so on.
            text = json.dumps(value)
            return self.python.model_validate_json(text, strict=False, context={CONTEXT: self.context})
        except (ValueError, TypeError, RecursionError) as error:  # a ValidationError is a ValueError
            reason = f"the model refused its fields: {type(error).__name__}: {error}"
            raise DecodeError(reason, expected=self.expected) from error

    def encode(self, value: Any) -> literals_pb2.Literal:
        return wire.write_binary(self.dump(value))

    def dump(self, value: Any) -> Any:
        model = self._given(value)
        try:
            return json.loads(model.model_dump_json(context={CONTEXT: self.context}))
        except (ValueError, TypeError, RecursionError) as error:
            raise self.refusal(value, str(error)) from error

    def fits(self, stored: types_pb2.LiteralType) -> bool:
        return stored.WhichOneof("type") == "simple" and stored.simple == types_pb2.STRUCT

    def resembles(self, declared: types_pb2.LiteralType) -> bool:
        return is_called(declared, self.expected)

    def owns(self, value: Any) -> bool:
        return isinstance(value, (self.python, dict))

    def owns_plain(self, value: Any) -> bool:
        return isinstance(value, dict)

    def _given(self, value: Any) -> Any:
        if isinstance(value, self.python):
            return value
        if not isinstance(value, dict):
            raise self.refusal(value)
        try:
            return self.python.model_validate(value)
        except ValueError as error:
            raise self.refusal(value, str(error)) from error


def from_hint(codecs: Codecs, hint: Any, declared: types_pb2.LiteralType | None) -> Codec | None:
    """Return the codec of a hint that is a pydantic model, else None."""
    del declared
    return _Model(hint, codecs.context) if is_model(hint) else None
