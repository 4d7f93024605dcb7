"""The golden corpus: what flytekit 1.16.31 decodes and encodes, and where we differ on purpose."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from flyte_remote_async.errors import DecodeError, EncodeError, FlyteRemoteError, UntrustedPickleError
from flyte_remote_async.literals import Context, encode, read
from flyte_remote_async.resolver import LiteralsResolver
from tests.support import golden
from tests.support.objects import FolderObjects

if TYPE_CHECKING:
    from flyteidl.core import literals_pb2

_LITERALS = golden.literal_cases()
_MAPS = golden.map_cases()

# Where we differ on purpose, each by a rule. The numbers are those of the sections of the notes on flytekit's
# behaviour that the corpus came with; where a case has a quirk, flytekit's answer is an accident.
_STRICT = "1: flytekit truncates or rounds such numbers; here no value is rounded or cut (3: int(7.9) = 7)"
_COERCED = "3: mashumaro makes a number of a string, as it makes True of 'false'; here nothing is coerced"
_NESTED = "11: without a hint nested classes are included, with field types from structure.dataclass_type"
_WRAPPED = "11: a union literal is no obstacle to a plain type that it was stored under"
_WIRE_SAFE = "5: ints into FLOAT as float_value are wire-safe"
_EXT = "10, row 8: extension types of msgpack are off"
_AS_IS = "2.1: bytes become the str of their repr, an accident; here bytes stay bytes"
_UNTITLED = "10, row 4: no class is made of a schema, so it needs no title to be read"
_NO_IMPORT = "10, row 3: a class is never imported by its name in a type; a Struct is a dict then"
_OPTIONAL_MODEL = "11: Optional of a pydantic model is on the list of accidents"
_DIFFERENT: dict[str, dict[str, str]] = {
    "int_17": {"nohint": _STRICT, "hint_result": _STRICT},
    "int_18": {"nohint": _STRICT, "hint_result": _STRICT},
    "float_16": {"nohint": _STRICT, "hint_result": _STRICT},
    "dataclass_edge_02": {"nohint": _STRICT, "hint_result": _STRICT},
    "dataclass_edge_07": {"nohint": _COERCED, "hint_result": _COERCED},
    "dataclass_edge_22": {"nohint": _NESTED},
    "dataclass_struct_11": {"nohint": _NESTED},
    "dataclass_struct_12": {"nohint": _NESTED},
    "list_31": {"nohint": _WRAPPED, "hint_result": _WRAPPED},
    "union_edge_10": {"hint_result": _WRAPPED},
    "union_edge_27": {"nohint": _WRAPPED},
    "encode_error_07": {"encode_result": _WIRE_SAFE},
    "dict_msgpack_31": {"nohint": _EXT, "hint_result": _EXT},
    "dataclass_msgpack_38": {"nohint": _AS_IS},
    "schema_guess_12": {"nohint": _UNTITLED},
    "protobuf_07": {"nohint": _NO_IMPORT},
    "protobuf_08": {"nohint": _NO_IMPORT},
    "protobuf_09": {"nohint": _NO_IMPORT},
    "pydantic_11": {"encode_nohint": _OPTIONAL_MODEL},
}

_OBJECTS = FolderObjects()
_CAREFUL = Context(objects=_OBJECTS)
_TRUSTING = Context(objects=_OBJECTS, allow_pickle=True)


async def _read(case: dict[str, Any], hint: Any, context: Context) -> Any:
    literal = golden.literal_of(case)
    assert literal is not None
    try:
        return await read(literal, golden.type_of(case), hint, context=context)
    except FlyteRemoteError as error:
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


@pytest.mark.anyio
@pytest.mark.parametrize(("case", "key"), _decodes())
async def test_decodes_as_flytekit_does(case: dict[str, Any], key: str) -> None:
    if lacking := golden.lacks(case):
        pytest.skip(f"{', '.join(lacking)} is not installed")
    expected, hint = case[key], golden.hint_of(case["hint"]) if key == "hint_result" else None
    value = await _read(case, hint, _CAREFUL)
    if case["unsafe"] == "pickle":
        assert isinstance(value, DecodeError)
    if isinstance(value, UntrustedPickleError):
        assert value.uri
        value = await _read(case, hint, _TRUSTING)
    if case["unsafe"] and isinstance(value, DecodeError):
        return  # flytekit does not look at what it loads
    if "error" in expected:
        _verdict(case, key, "" if await _fails(value) else f"gave {value!r}")
    elif isinstance(value, FlyteRemoteError):
        assert str(value)
        _verdict(case, key, str(value))
    else:
        _verdict(case, key, await golden.differs(expected["value"], value))


async def _fails(value: Any) -> bool:
    """Tell whether a value is an error, or one comes when it is looked at: files and lines are read late."""
    if isinstance(value, Iterator):
        try:
            list(value)
        except DecodeError:
            return True
    found = await golden.opened(value)
    return isinstance(value, FlyteRemoteError) or any(isinstance(one, FlyteRemoteError) for one in found.values())


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
    if lacking := golden.lacks(case):
        pytest.skip(f"{', '.join(lacking)} is not installed")
    declared, target = golden.type_of(case), _target(case, key)
    assert declared is not None
    hint = None if key == "encode_nohint" or case["hint"] is None else golden.hint_of(case["hint"])
    value = golden.value_of(case["value"])
    try:
        literal = encode(value, declared, hint)
    except EncodeError as error:
        _verdict(case, key, "" if target is None else str(error))
    else:
        same = target is not None and golden.same_literal(literal.to_flyte_idl(), target)
        _verdict(case, key, "" if same else f"encoded {value!r} as {literal}, not {target}")


def test_differences_without_a_quirk_are_few() -> None:
    quirks = {case["id"]: case["quirk"] for case in _LITERALS}
    unexplained = [name for name in _DIFFERENT if not quirks[name]]
    assert len(unexplained) < 0.03 * len(_LITERALS)


@pytest.mark.anyio
@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in _MAPS])
async def test_resolves_as_flytekit_does(case: dict[str, Any]) -> None:
    if lacking := golden.lacks(case):
        pytest.skip(f"{', '.join(lacking)} is not installed")
    resolver = LiteralsResolver.from_flyte_idl(golden.map_of(case), golden.variables_of(case), context=_CAREFUL)
    for name, expected in case["nohint"].items():
        await _resolves(resolver, name, None, expected)
    for name, expected in case["with_hints"].items():
        await _resolves(resolver, name, case["hints"].get(name), expected)
    assert set(resolver.keys()) == set(golden.map_of(case).literals)


async def _resolves(resolver: LiteralsResolver, name: str, hint: str | None, expected: dict[str, Any]) -> None:
    wanted = golden.hint_of(hint) if hint else None
    if "error" in expected:
        with pytest.raises(DecodeError, match=re.escape(name)) as caught:
            await resolver.get(name, wanted)
        assert caught.value.variable == name
    else:
        assert not await golden.differs(expected["value"], await resolver.get(name, wanted))


@pytest.mark.anyio
@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in _MAPS])
async def test_gives_python_natives_in_the_order_of_the_interface(case: dict[str, Any]) -> None:
    if lacking := golden.lacks(case):
        pytest.skip(f"{', '.join(lacking)} is not installed")
    literals, expected = golden.map_of(case), case["as_python_native"]
    hints = {name: case["hints"].get(name) for name in case["output_order"]}
    outputs = {name: golden.hint_of(hint) if hint else int for name, hint in hints.items()}
    resolver = LiteralsResolver.from_flyte_idl(literals, golden.variables_of(case), context=_CAREFUL)
    if "error" in expected:
        with pytest.raises(ValueError):
            await resolver.as_python_native(_Interface(outputs))
    else:
        assert not await golden.differs(expected["value"], await resolver.as_python_native(_Interface(outputs)))


class _Interface:
    def __init__(self, outputs: dict[str, Any]) -> None:
        self.outputs = outputs
