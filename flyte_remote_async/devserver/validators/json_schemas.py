"""Whether what one JSON schema describes may be used where another is declared, as Flyte decides it.

A structure (a dataclass, a Pydantic model) carries the JSON schema of its class. Flyte takes a value whose schema has
at least what the declared one asks for. What its comparison does not know it passes over at the top and inside of
properties, and takes for a difference inside of ``anyOf`` and the like.

Source: flytepropeller/pkg/compiler/validators/typing.go of Flyte 1.16.8 and the module it compares with,
gitlab.com/yvesf/json-schema-compare.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["schema_covers"]

_DRAFTS: Final = frozenset(
    f"http://json-schema.org/{draft}schema#" for draft in ("", "draft-07/", "draft-06/", "draft-04/")
)
# Keyword to whether the value's schema may have more: a lower bound that is higher is stricter.
_BOUNDS: Final[Mapping[str, Mapping[str, bool]]] = {
    "object": {"minProperties": True, "maxProperties": False},
    "string": {"minLength": True, "maxLength": False},
    "number": {"minimum": True, "maximum": False},
    "array": {"minItems": True, "maxItems": False},
}
_UNKNOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "object": ("dependencies", "patternProperties", "not"),
    "number": ("exclusiveMinimum", "exclusiveMaximum"),
    "string": (),
    "array": (),
}


class _Difference(enum.Enum):
    MISFIT = enum.auto()
    UNKNOWN = enum.auto()


def schema_covers(shown: Mapping[str, Any], declared: Mapping[str, Any]) -> bool:
    """Return whether values of the shown schema may be used where the declared one is.

    Args:
        shown: JSON schema of the value's class.
        declared: JSON schema of the class that is expected.
    """
    if any(schema.get("$schema", next(iter(_DRAFTS))) not in _DRAFTS for schema in (shown, declared)):
        return False
    try:
        found = _Comparison(declared, shown).differences(declared, shown)
        return all(difference is _Difference.UNKNOWN for difference in found)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        # One of them is no JSON schema.
        return False


class _Comparison:
    """Compares a declared schema with a shown one; each differs in the words of its own document only."""

    def __init__(self, declared: Mapping[str, Any], shown: Mapping[str, Any]) -> None:
        self._declared = declared
        self._shown = shown
        self._under_way: set[tuple[int, int]] = set()

    def differences(self, declared: Any, shown: Any) -> Iterator[_Difference]:
        declared, shown = _resolved(self._declared, declared), _resolved(self._shown, shown)
        pair = (id(declared), id(shown))
        if pair in self._under_way:
            return
        # A schema may refer to itself.
        self._under_way.add(pair)
        yield from self._compare(declared, shown)
        self._under_way.discard(pair)

    def _compare(self, declared: Mapping[str, Any], shown: Mapping[str, Any]) -> Iterator[_Difference]:
        types, others = _types(declared), _types(shown)
        if types - others or (others - types - ({"object"} if not types else set())):
            yield _Difference.MISFIT
        for kind in _BOUNDS:
            if kind in types or (kind == "object" and not types):
                yield from _bounds(kind, declared, shown)
                yield from getattr(self, f"_{kind}")(declared, shown)
        for keyword in ("allOf", "anyOf", "oneOf"):
            ours, theirs = declared.get(keyword) or [], shown.get(keyword) or []
            matched = all(any(self._same(one, other) for one in ours) for other in theirs)
            if bool(ours) != bool(theirs) or not matched:
                yield _Difference.MISFIT
        if "const" in declared and ("const" not in shown or declared["const"] != shown["const"]):
            yield _Difference.MISFIT

    def _same(self, declared: Any, shown: Any) -> bool:
        booleans = [each if isinstance(each, bool) else None for each in (declared, shown)]
        return booleans[0] == booleans[1] and not list(self.differences(declared, shown))

    def _object(self, declared: Mapping[str, Any], shown: Mapping[str, Any]) -> Iterator[_Difference]:
        if any(schema.get("additionalProperties", True) is not True for schema in (declared, shown)):
            yield _Difference.UNKNOWN
        if set(declared.get("required", ())) - set(shown.get("required", ())):
            yield _Difference.MISFIT
        conditions = [{key for key in ("if", "then", "else") if key in each} for each in (declared, shown)]
        if conditions[0] != conditions[1] or not all(self._same(declared[key], shown[key]) for key in conditions[0]):
            yield _Difference.MISFIT
        properties = shown.get("properties", {})
        for name, schema in declared.get("properties", {}).items():
            if name in properties:
                yield from self.differences(schema, properties[name])
            else:
                yield _Difference.MISFIT

    def _string(self, declared: Mapping[str, Any], shown: Mapping[str, Any]) -> Iterator[_Difference]:
        same = declared.get("format", "") == shown.get("format", "")
        if "enum" in declared and set(shown.get("enum", ())) - {*declared["enum"], ""}:
            same = False
        if "pattern" in declared and declared["pattern"] != shown.get("pattern"):
            same = False
        if not same:
            yield _Difference.MISFIT

    def _number(self, declared: Mapping[str, Any], shown: Mapping[str, Any]) -> Iterator[_Difference]:
        ours, theirs = declared.get("multipleOf"), shown.get("multipleOf")
        if ours is None and theirs is None:
            return
        if ours is None or theirs is None or int(theirs) % int(ours):
            yield _Difference.MISFIT
        elif ours != int(ours) or theirs != int(theirs):
            yield _Difference.UNKNOWN

    def _array(self, declared: Mapping[str, Any], shown: Mapping[str, Any]) -> Iterator[_Difference]:
        if declared.get("uniqueItems", False) and not shown.get("uniqueItems", False):
            yield _Difference.MISFIT
        if "items" not in declared:
            return
        ours, theirs = declared["items"], shown.get("items")
        lists = [isinstance(each, list) for each in (ours, theirs)]
        if any(lists):
            yield _Difference.UNKNOWN
        if theirs is None or lists[0] != lists[1] or (lists[0] and len(ours) != len(theirs)):
            yield _Difference.MISFIT
            return
        for one, other in zip(ours if lists[0] else [ours], theirs if lists[0] else [theirs], strict=True):
            yield from self.differences(one, other)


def _bounds(kind: str, declared: Mapping[str, Any], shown: Mapping[str, Any]) -> Iterator[_Difference]:
    for keyword, is_lower in _BOUNDS[kind].items():
        if keyword in declared:
            ours, theirs = declared[keyword], shown.get(keyword)
            if theirs is None or (theirs < ours if is_lower else theirs > ours):
                yield _Difference.MISFIT
    if any(keyword in schema for keyword in _UNKNOWN[kind] for schema in (declared, shown)):
        yield _Difference.UNKNOWN


def _types(schema: Mapping[str, Any]) -> set[str]:
    kinds = schema.get("type", [])
    return {kinds} if isinstance(kinds, str) else set(kinds)


def _resolved(document: Mapping[str, Any], schema: Any) -> Mapping[str, Any]:
    """Return a schema itself, behind its references inside of the document."""
    seen: set[str] = set()
    while isinstance(schema, dict) and "$ref" in schema:
        reference = schema["$ref"]
        if reference in seen or not reference.startswith("#"):
            raise ValueError(f"{reference} leads to no schema of the document")
        seen.add(reference)
        schema = document
        for step in reference.removeprefix("#").removeprefix("/").split("/") if reference not in ("#", "#/") else ():
            name = step.replace("~1", "/").replace("~0", "~")
            schema = schema[int(name)] if isinstance(schema, list) else schema[name]
    # True and False are schemas, too, and say nothing that is compared here.
    return {} if isinstance(schema, bool) else schema
