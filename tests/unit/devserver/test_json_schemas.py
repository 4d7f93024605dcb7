"""Which structures may be used for which, by the JSON schemas of their classes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte_remote_async.devserver.validators.json_schemas import schema_covers

Json = dict[str, Any]

INT: Json = {"type": "integer"}
TEXT: Json = {"type": "string"}


def of(properties: Json | None = None, **more: Any) -> Json:
    """Return the schema of a class, as clients write it."""
    return {"type": "object", "title": "T", "properties": properties or {}, "additionalProperties": False, **more}


def number(**more: float) -> Json:
    return of({"a": {"type": "number", **more}})


def text(**more: Any) -> Json:
    return of({"a": {**TEXT, **more}})


def many(**more: Any) -> Json:
    return of({"a": {"type": "array", **more}})


def defined(reference: str = "#/$defs/P") -> Json:
    return of({"a": {"$ref": reference}}, **{"$defs": {"P": of({"b": INT}), "Q~/": of({"b": INT})}})


@pytest.mark.parametrize(
    ("shown", "declared", "fits"),
    [
        (of({"a": INT}), of({"a": INT}), True),
        (of({"a": INT, "b": INT}), of({"a": INT}), True),
        (of({"a": INT}), of({"a": INT, "b": INT}), False),
        (of({"a": INT}), of({"a": TEXT}), False),
        (of({"a": {"type": ["integer", "null"]}}), of({"a": INT}), False),
        (of({"a": of()}), of({"a": {}}), True),
        (of({"a": {}}), of({"a": of()}), False),
        (of(required=["a"]), of(required=[]), True),
        (of(required=[]), of(required=["a"]), False),
        (of({"a": {"anyOf": [INT, TEXT]}}), of({"a": {"anyOf": [TEXT, INT]}}), True),
        (of({"a": {"anyOf": [INT]}}), of({"a": {"anyOf": [INT, TEXT]}}), True),
        (of({"a": {"anyOf": [INT, TEXT]}}), of({"a": {"anyOf": [INT]}}), False),
        (of({"a": {"anyOf": [INT]}}), of({"a": INT}), False),
        # What is not compared counts as a difference inside of a choice.
        (of({"a": {"anyOf": [of()]}}), of({"a": {"anyOf": [of()]}, "b": True}), False),
        (of({"a": {"anyOf": [of()]}, "c": INT}), of({"a": {"anyOf": [of()]}}), False),
        (of({"a": {"anyOf": [True]}, "c": INT}), of({"a": {"anyOf": [True]}}), True),
        (of({"a": {"anyOf": [True]}}), of({"a": {"anyOf": [False]}}), False),
        (of({"a": {"const": 1}}), of({"a": {"const": 1}, "b": {}}), False),
        (of({"a": {"const": 1}, "b": {}}), of({"a": {"const": 1}}), True),
        (of({"a": {"const": 2}}), of({"a": {"const": 1}}), False),
        (of({"a": {}}), of({"a": {"const": None}}), False),
        (number(minimum=2), number(minimum=1), True),
        (number(minimum=0), number(minimum=1), False),
        (number(), number(minimum=1), False),
        (number(maximum=2), number(maximum=3), True),
        (number(maximum=4), number(maximum=3), False),
        (number(exclusiveMinimum=1), number(), True),
        (number(multipleOf=4), number(multipleOf=2), True),
        (number(multipleOf=3), number(multipleOf=2), False),
        (number(multipleOf=3), number(), False),
        (number(multipleOf=2.5), number(multipleOf=1.5), True),
        (number(multipleOf=1), number(multipleOf=0.5), False),
        (text(format="date"), text(), False),
        (text(enum=["a"]), text(enum=["a", "b"]), True),
        (text(enum=["a", "b"]), text(enum=["a"]), False),
        (text(pattern="x"), text(pattern="x"), True),
        (text(), text(pattern="x"), False),
        (text(minLength=2), text(minLength=1), True),
        (text(maxLength=2), text(maxLength=1), False),
        (many(items=INT), many(items=INT), True),
        (many(items=TEXT), many(items=INT), False),
        (many(), many(items=INT), False),
        (many(items=INT), many(), True),
        (many(items=[INT]), many(items=[INT]), True),
        (many(items=[INT]), many(items=[INT, INT]), False),
        (many(items=[INT]), many(items=INT), False),
        (many(uniqueItems=True), many(), True),
        (many(), many(uniqueItems=True), False),
        (of({"a": INT, "c": INT}, **{"if": {}, "then": INT}), of({"a": INT}, **{"if": {}, "then": INT}), True),
        (of({"a": INT}, **{"if": {}, "then": INT}), of({"a": INT}, **{"if": {}, "else": INT}), False),
        (of({"a": INT}, **{"if": {}, "then": INT}), of({"a": INT}, **{"if": {}, "then": TEXT}), False),
        (defined(), of({"a": of({"b": INT})}), True),
        (defined("#/$defs/Q~0~1"), of({"a": of({"b": INT})}), True),
        (of({"a": of({"b": TEXT})}), defined(), False),
        (defined("#/$defs/nope"), of({"a": of()}), False),
        (defined("https://elsewhere"), of({"a": of()}), False),
        (of({"a": {"$ref": "#"}, "b": INT}), of({"a": {"$ref": "#"}}), True),
        (of({"a": {"anyOf": [INT, TEXT]}}), of({"a": {"anyOf": {"no": "list"}}}), False),
        (of({"a": INT}, **{"$schema": "http://json-schema.org/draft-07/schema#"}), of({"a": INT}), True),
        (of({"a": INT}, **{"$schema": "https://json-schema.org/draft/2020-12/schema"}), of({"a": INT}), False),
    ],
)
def test_schemas(shown: Json, declared: Json, *, fits: bool) -> None:
    assert schema_covers(shown, declared) is fits


def test_a_reference_in_a_circle_is_no_schema() -> None:
    circle = of({"a": {"$ref": "#/$defs/A"}}, **{"$defs": {"A": {"$ref": "#/$defs/A"}}})
    assert not schema_covers(circle, circle)


def test_a_reference_through_a_list() -> None:
    assert schema_covers(of({"a": {"$ref": "#/x/0"}}, x=[INT]), of({"a": INT}))


JSON = st.recursive(
    st.sampled_from([None, True, 1, 0.5, "object", "string", "array", "number"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "properties", "items", "anyOf", "$ref", "required", "multipleOf", "minimum", "enum", "a"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["type", "properties", "items", "anyOf", "if"]), JSON), JSON)
def test_what_is_no_schema_fits_nothing_or_something_and_never_raises(shown: Json, declared: Any) -> None:
    assert schema_covers(shown, {"properties": declared}) in (True, False)
