"""The golden corpus: what flytekit 1.16.31 decodes and encodes, and where we differ on purpose."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from flyte_remote_async.errors import DecodeError, EncodeError
from flyte_remote_async.literals import decode, encode
from flyte_remote_async.resolver import LiteralsResolver
from tests.support import golden

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyteidl.core import literals_pb2

    from flyte_remote_async.errors import LiteralError

_LITERALS = golden.literal_cases()
_MAPS = golden.map_cases()

# Where we differ although flytekit's answer is a rule of its own and not an accident; each reason is ours.
_STRICT = "no value is rounded or cut: a fraction is no int, an int that a double would round is no float"
_COERCED = "nothing is coerced: a string is no number, where mashumaro makes one of it"
_NESTED = "without a hint the fields of dataclasses in lists and dicts have their declared types too"
_WRAPPED = "a union around a value is no obstacle to a type that it was stored under"
_BY_TYPE = "the stored type tells the variant, with or without a tag"
_WIRE_SAFE = "an int into a FLOAT is written as a float, a date into a DATETIME as its midnight, wherever it stands"
_EXT = "extension types of msgpack are off: nothing but data comes out of a payload"
_AS_IS = "bytes stay bytes where flytekit gives their repr as a string"
_UNTITLED = "fields are read from a schema with or without a title: no class has to be named"
_EMPTY = "an empty list is empty whatever its elements would have been"
_DIFFERENT: dict[str, dict[str, str]] = {
    "int_17": {"nohint": _STRICT, "hint_result": _STRICT},
    "int_18": {"nohint": _STRICT, "hint_result": _STRICT},
    "float_16": {"nohint": _STRICT, "hint_result": _STRICT},
    "dataclass_edge_02": {"nohint": _STRICT, "hint_result": _STRICT},
    "dataclass_edge_07": {"nohint": _COERCED, "hint_result": _COERCED},
    "dataclass_edge_22": {"nohint": _NESTED},
    "dataclass_struct_11": {"nohint": _NESTED},
    "dataclass_struct_12": {"nohint": _NESTED},
    "dataclass_old_07": {"nohint": _NESTED},
    "dataclass_old_17": {"nohint": _NESTED},
    "list_31": {"nohint": _WRAPPED, "hint_result": _WRAPPED},
    "union_edge_10": {"hint_result": _WRAPPED},
    "union_edge_27": {"nohint": _WRAPPED},
    "union_edge_05": {"nohint": _BY_TYPE, "hint_result": _BY_TYPE},
    "union_edge_06": {"nohint": _BY_TYPE, "hint_result": _BY_TYPE},
    "list_13": {"encode_nohint": _WIRE_SAFE},
    "encode_error_07": {"encode_result": _WIRE_SAFE},
    "encode_nohint_28": {"encode_result": _WIRE_SAFE},
    "dict_msgpack_31": {"nohint": _EXT, "hint_result": _EXT},
    "dataclass_msgpack_38": {"nohint": _AS_IS},
    "schema_guess_12": {"nohint": _UNTITLED},
    "mismatch_40": {"nohint": _EMPTY},
}

# Kinds and classes that the package has no rule for yet: each value of them is refused alone.
_UNKNOWN_FORMS = {"blob", "schema", "structured_dataset", "error"}
_UNKNOWN_TAGS = {"FlyteFile", "FlyteDirectory", "StructuredDataset", "FlyteSchema", "FlyteError", "protobuf"}
_UNKNOWN_HINTS = re.compile(
    r"\b(Flyte(?!Annotation)\w+|StructuredDataset|Iterator|TextIO|BinaryIO|P[A-Z]\w+|(pd|pa|np|pl|os)\.|\w+_pb2\.)"
)
_WITH_FLYTE_FIELDS = {"WithFile", "WithFiles", "WithDir", "WithSD"}


def _has_unknown_form(literal: literals_pb2.Literal) -> bool:
    which = literal.WhichOneof("value")
    if which == "collection":
        return any(map(_has_unknown_form, literal.collection.literals))
    if which == "map":
        return any(map(_has_unknown_form, literal.map.literals.values()))
    if which == "offloaded_metadata" or literal.metadata.get("format") == "pickle":
        return True
    form = literal.scalar.WhichOneof("value")
    return _has_unknown_form(literal.scalar.union.value) if form == "union" else form in _UNKNOWN_FORMS


def _tags(result: Any) -> set[str]:
    """Return all tags of a tagged value."""
    if isinstance(result, list):
        return {tag for item in result for tag in _tags(item)}
    if not isinstance(result, dict):
        return set()
    inner = {tag for item in result.values() for tag in _tags(item)}
    return inner | {str(result["t"])} if "t" in result else inner


def _is_known_hint(hint: str | None) -> bool:
    return hint is None or not (_UNKNOWN_HINTS.search(hint) or hint in _WITH_FLYTE_FIELDS)


def _attempt(call: Callable[[], Any], expected: type[LiteralError]) -> Any:
    try:
        return call()
    except expected as error:
        return error


def _decodes() -> list[Any]:
    found: list[Any] = []
    for case in _LITERALS:
        if case["op"] != "encode":
            found.extend(
                pytest.param(case, key, id=f"{case['id']}-{key}")
                for key in ("nohint", "hint_result")
                if case[key] is not None
            )
    return found


def _verdict(case: dict[str, Any], key: str, difference: str) -> None:
    """Hold a difference against the list of those that are meant."""
    meant = _DIFFERENT.get(case["id"], {}).get(key)
    if meant:
        assert difference, f"{case['id']} {key} is listed as different ({meant}), and is the same"
    elif key not in case["quirk"]:
        assert not difference


@pytest.mark.parametrize(("case", "key"), _decodes())
def test_decodes_as_flytekit_does(case: dict[str, Any], key: str) -> None:
    literal, expected = golden.literal_of(case), case[key]
    assert literal is not None
    hint = case["hint"] if key == "hint_result" else None
    declared = golden.type_of(case)
    value = _attempt(lambda: decode(literal, declared, golden.hint_of(hint) if hint else None), DecodeError)

    if _has_unknown_form(literal) or not _is_known_hint(hint):
        # An empty list of files is an empty list, and None is None.
        assert isinstance(value, DecodeError) or not golden.differs(expected["value"], value)
    elif isinstance(value, DecodeError):
        assert value.kind
        if not _tags(expected) & _UNKNOWN_TAGS:
            _verdict(case, key, "" if "error" in expected else str(value))
    elif case["kind"] in {"protobuf", "security"} or _tags(expected) & _UNKNOWN_TAGS:
        # Flytekit imports the class that the type names, or makes its own; we give the data.
        assert isinstance(value, (dict, list))
    else:
        _verdict(case, key, golden.differs(expected["value"], value) if "value" in expected else f"gave {value!r}")


def _encodes() -> list[Any]:
    found: list[Any] = []
    for case in _LITERALS:
        if golden.type_of(case) is None:
            continue
        if case["op"] == "encode":
            found.append(pytest.param(case, "encode_result", id=f"{case['id']}-encode_result"))
        elif case["op"] == "roundtrip" and case["encode_check"] == "exact":
            found.append(pytest.param(case, "encode_hint", id=f"{case['id']}-encode_hint"))
            if case.get("encode_nohint"):
                found.append(pytest.param(case, "encode_nohint", id=f"{case['id']}-encode_nohint"))
    return found


def _target(case: dict[str, Any], key: str) -> literals_pb2.Literal | None:
    """Return the literal that a value should become; None for an error."""
    result = case.get(key, {"same": True})
    if "error" in result:
        return None
    return golden.literal_of(case if result.get("same") else result)


@pytest.mark.parametrize(("case", "key"), _encodes())
def test_encodes_as_flytekit_does(case: dict[str, Any], key: str) -> None:
    declared, target = golden.type_of(case), _target(case, key)
    assert declared is not None
    hint = None if key == "encode_nohint" else case["hint"]
    try:
        value = golden.value_of(case["value"])
    except (KeyError, TypeError, AttributeError):
        pytest.skip("the class of the value belongs to a package that is not here")
    literal = _attempt(lambda: encode(value, declared, golden.hint_of(hint) if hint else None), EncodeError)

    known = _is_known_hint(hint) and "pydantic" not in _tags(case["value"])
    if known and not (target is not None and _has_unknown_form(target)):
        if isinstance(literal, EncodeError):
            _verdict(case, key, "" if target is None else str(literal))
        else:
            same = target is not None and golden.same_literal(literal.to_flyte_idl(), target)
            _verdict(case, key, "" if same else f"encoded {value!r} as {literal}")
    else:
        assert isinstance(literal, EncodeError)


def test_differences_without_a_quirk_are_few() -> None:
    known = {case["id"] for case in _LITERALS}
    assert set(_DIFFERENT) <= known
    assert len(_DIFFERENT) / len(_LITERALS) < 0.04


@pytest.mark.anyio
@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in _MAPS])
async def test_resolves_as_flytekit_does(case: dict[str, Any]) -> None:
    resolver = LiteralsResolver.from_flyte_idl(golden.map_of(case), golden.variables_of(case))
    for name, expected in case["nohint"].items():
        await _resolves(resolver, name, None, expected)
    for name, expected in case["with_hints"].items():
        await _resolves(resolver, name, case["hints"].get(name), expected)
    assert set(resolver.keys()) == set(golden.map_of(case).literals)


async def _resolves(resolver: LiteralsResolver, name: str, hint: str | None, expected: dict[str, Any]) -> None:
    literal = resolver.get_literal(name).to_flyte_idl()
    wanted = golden.hint_of(hint) if hint else None
    if "error" in expected or _has_unknown_form(literal) or not _is_known_hint(hint):
        with pytest.raises(DecodeError, match=re.escape(name)) as caught:
            await resolver.get(name, wanted)
        assert caught.value.variable == name
    else:
        assert not golden.differs(expected["value"], await resolver.get(name, wanted))


@pytest.mark.anyio
@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in _MAPS])
async def test_gives_python_natives_in_the_order_of_the_interface(case: dict[str, Any]) -> None:
    literals, expected = golden.map_of(case), case["as_python_native"]
    if any(map(_has_unknown_form, literals.literals.values())) or not all(map(_is_known_hint, case["hints"].values())):
        pytest.skip("an output is of a kind that has no rule yet")
    hints = {name: case["hints"].get(name) for name in case["output_order"]}
    outputs = {name: golden.hint_of(hint) if hint else int for name, hint in hints.items()}
    resolver = LiteralsResolver.from_flyte_idl(literals, golden.variables_of(case))
    if "error" in expected:
        with pytest.raises(ValueError):
            await resolver.as_python_native(_Interface(outputs))
    else:
        assert not golden.differs(expected["value"], await resolver.as_python_native(_Interface(outputs)))


class _Interface:
    def __init__(self, outputs: dict[str, Any]) -> None:
        self.outputs = outputs
