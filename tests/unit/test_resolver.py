"""LiteralsResolver: loading once, values by await, and the members of the reference."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import pickle
from typing import TYPE_CHECKING, Annotated, Any

import anyio
import pytest
from flyteidl.core import interface_pb2, literals_pb2, types_pb2

from flyte_remote_async.errors import DecodeError, DetachedError, MissingLiteralError, NotLoadedError
from flyte_remote_async.interface import TypedInterface
from flyte_remote_async.literals import encode
from flyte_remote_async.models.literals import Literal, LiteralType, Variable
from flyte_remote_async.resolver import IN_PLACE_BYTES, LiteralsResolver

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyte_remote_async.resolver import LoadedLiterals

pytestmark = pytest.mark.anyio

INTEGER = LiteralType.from_flyte_idl(types_pb2.LiteralType(simple=types_pb2.INTEGER))
STRING = LiteralType.from_flyte_idl(types_pb2.LiteralType(simple=types_pb2.STRING))
STRUCT = LiteralType.from_flyte_idl(types_pb2.LiteralType(simple=types_pb2.STRUCT))
INTS = LiteralType.list_of(INTEGER)
BLOB = LiteralType.from_flyte_idl(types_pb2.LiteralType(blob=types_pb2.BlobType()))


@dataclasses.dataclass
class Point:
    x: int
    y: float


POINT = encode(Point(1, 2.0), STRUCT, Point)
FILE = Literal.from_flyte_idl(literals_pb2.Literal(scalar=literals_pb2.Scalar(blob=literals_pb2.Blob())))
LITERALS = {"o10": encode(10, INTEGER), "o2": encode([1, 2], INTS), "o1": encode("a", STRING), "p": POINT}
VARIABLES = {
    "o10": Variable.of(INTEGER),
    "o2": Variable.of(INTS),
    "o1": Variable.of(STRING),
    "p": Variable.of(STRUCT),
}


def made() -> LiteralsResolver:
    return LiteralsResolver(LITERALS, VARIABLES)


class Loader:
    """Brings the literals when it is let; counts how often it was called."""

    def __init__(self, fail: int = 0) -> None:
        self.calls = 0
        self.fail = fail
        self.started, self.go = asyncio.Event(), asyncio.Event()

    async def __call__(self) -> LoadedLiterals:
        self.calls += 1
        call = self.calls
        self.started.set()
        await self.go.wait()
        if call <= self.fail:
            raise ConnectionError(call)
        return LITERALS, VARIABLES


def lazy(loader: Loader) -> LiteralsResolver:
    return LiteralsResolver.lazy(loader, what="outputs of p/d/name")


async def test_items_can_be_awaited_as_often_as_one_likes() -> None:
    item = made()["o2"]
    first = await item
    assert first == [1, 2]
    assert await item is first
    assert list(await asyncio.gather(item, item)) == [[1, 2], [1, 2]]


_USES: list[Callable[[Any], Any]] = [
    bool,
    len,
    iter,
    str,
    int,
    float,
    lambda item: item == 3,
    lambda item: item != 3,
    lambda item: item < 3,
    lambda item: item + 1,
    lambda item: 1 + item,
    lambda item: item[0],
    lambda item: 3 in item,
    lambda item: f"{item}",
    range,
]


@pytest.mark.parametrize("use", _USES)
async def test_an_item_used_as_a_value_says_await_it(use: Callable[[Any], Any]) -> None:
    item = made()["o2"]
    with pytest.raises(TypeError, match=r"await resolver\['o2'\]"):
        use(item)
    assert "await resolver['o2']" in repr(item)


async def test_get_takes_the_type_the_hint_or_the_declaration() -> None:
    resolver = made()
    assert await resolver.get("p") == {"x": 1, "y": 2.0}
    assert await resolver.get("p", Point) == Point(1, 2.0)
    resolver.update_type_hints({"p": Point, "unknown": int})
    assert await resolver["p"] == Point(1, 2.0)
    assert await resolver.get("p", dict) == {"x": 1, "y": 2.0}
    assert dict(resolver.type_hints) == {"p": Point, "unknown": int}
    assert resolver.native_values == {"p": {"x": 1, "y": 2.0}}


async def test_values_are_cached_by_name_and_type() -> None:
    resolver = made()
    point = await resolver.get("p", Point)
    assert await resolver.get("p", Point) is point
    assert await resolver.get("p") is not point
    unhashable = Annotated[Point, {"not": "hashable"}]
    again = await resolver.get("p", unhashable)
    assert again == point
    assert await resolver.get("p", unhashable) is again


@pytest.mark.parametrize("error", [KeyError, AttributeError, ValueError, MissingLiteralError])
async def test_a_missing_name_fails_when_it_is_awaited(error: type[Exception]) -> None:
    resolver = made()
    item = resolver["zz"]
    with pytest.raises(error, match="zz"):
        await item
    with pytest.raises(error, match="zz"):
        await resolver.get("zz")
    with pytest.raises(error, match="zz"):
        resolver.get_literal("zz")


async def test_a_value_that_cannot_be_read_fails_alone() -> None:
    resolver = LiteralsResolver(LITERALS | {"bad": FILE, "worse": FILE}, VARIABLES | {"bad": Variable.of(BLOB)})
    with pytest.raises(DecodeError, match="cannot decode bad: a blob literal as FlyteFile: it has no uri") as caught:
        await resolver.all()
    assert caught.value.variable == "bad"
    assert "worse" in "".join(caught.value.__notes__)
    assert set(resolver.native_values) == set(LITERALS)
    assert resolver.get_literal("bad") == FILE
    with pytest.raises(DecodeError, match="nothing declares its type"):
        await resolver["worse"]
    with pytest.raises(DecodeError, match=r"cannot decode o2: .* as int"):
        await resolver.get("o2", int)
    with pytest.raises(DecodeError, match="not a type"):
        await resolver.get("o2", "default")


async def test_all_values_come_in_the_natural_order_of_their_names() -> None:
    resolver = made()
    assert list(resolver) == list(resolver.keys()) == ["o1", "o2", "o10", "p"]
    assert await resolver.all({"p": Point}) == {"o1": "a", "o2": [1, 2], "o10": 10, "p": Point(1, 2.0)}
    assert await resolver.values() == ["a", [1, 2], 10, {"x": 1, "y": 2.0}]
    assert await resolver.items() == [("o1", "a"), ("o2", [1, 2]), ("o10", 10), ("p", {"x": 1, "y": 2.0})]


async def test_a_large_value_is_decoded_beside_the_loop() -> None:
    numbers = list(range(IN_PLACE_BYTES))
    resolver = LiteralsResolver({"o0": encode(numbers, INTS)}, {"o0": Variable.of(INTS)})
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    async with anyio.create_task_group() as group:
        group.start_soon(tick)
        one, two = await asyncio.gather(resolver["o0"], resolver["o0"])
        group.cancel_scope.cancel()
    assert one == numbers
    assert one is two
    assert ticks > 2


async def test_a_cancelled_decode_leaves_nothing_behind() -> None:
    resolver = LiteralsResolver({"o0": encode(list(range(IN_PLACE_BYTES)), INTS)}, {"o0": Variable.of(INTS)})
    task = asyncio.ensure_future(resolver.get("o0"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert resolver.native_values == {}
    assert len(await resolver["o0"]) == IN_PLACE_BYTES


# --- loading ---------------------------------------------------------------------------------------------------------


async def test_before_loading_nothing_is_taken_for_empty() -> None:
    resolver = lazy(Loader())
    uses: list[Callable[[], Any]] = [
        lambda: len(resolver),
        lambda: bool(resolver),
        lambda: "o1" in resolver,
        lambda: list(resolver),
        resolver.keys,
        lambda: resolver.literals,
        lambda: resolver.variable_map,
        lambda: resolver.get_literal("o1"),
        resolver.to_dict,
        resolver.clear,
        lambda: resolver.update(a=1),
    ]
    for use in uses:
        with pytest.raises(
            NotLoadedError, match=r"outputs of p/d/name are not loaded: await a value, or await load\(\)"
        ):
            use()
    assert repr(resolver) == "LiteralsResolver(the outputs of p/d/name, not loaded)"
    with pytest.raises(NotLoadedError):
        _ = resolver.native_values


async def test_loading_happens_once_for_all_who_wait() -> None:
    loader = Loader()
    resolver = lazy(loader)
    item = resolver["o10"]
    waiting = asyncio.gather(item, item, resolver.load(), resolver.get("o1"))
    await loader.started.wait()
    loader.go.set()
    assert list(await waiting) == [10, 10, resolver, "a"]
    assert await resolver.load() is resolver
    assert loader.calls == 1
    assert len(resolver) == 4
    assert "o1" in resolver
    assert resolver.variable_map == VARIABLES
    assert resolver.literals == LITERALS


async def test_a_missing_name_is_missing_after_loading_too() -> None:
    loader = Loader()
    loader.go.set()
    with pytest.raises(MissingLiteralError, match="zz"):
        await lazy(loader)["zz"]


async def test_a_cancelled_leader_does_not_take_the_others_with_it() -> None:
    loader = Loader()
    resolver = lazy(loader)
    leader = asyncio.ensure_future(resolver.load())
    follower = asyncio.ensure_future(resolver.get("o10"))
    await loader.started.wait()
    leader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leader
    loader.go.set()
    assert await follower == 10
    assert loader.calls == 2


async def test_a_cancelled_follower_does_not_stop_the_leader() -> None:
    loader = Loader()
    resolver = lazy(loader)
    leader, follower = asyncio.ensure_future(resolver.load()), asyncio.ensure_future(resolver.load())
    await loader.started.wait()
    follower.cancel()
    loader.go.set()
    assert await leader is resolver
    assert follower.cancelled()
    assert loader.calls == 1


async def test_a_failed_load_fails_those_who_waited_and_is_tried_again() -> None:
    loader = Loader(fail=1)
    resolver = lazy(loader)
    waiting = [asyncio.ensure_future(resolver.load()) for _ in range(3)]
    await loader.started.wait()
    loader.go.set()
    failed = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(error) for error in failed] == [ConnectionError] * 3
    assert loader.calls == 1
    assert await resolver["o10"] == 10
    assert loader.calls == 2


def test_nothing_is_bound_to_a_loop() -> None:
    started = 0

    async def bring() -> LoadedLiterals:
        nonlocal started
        started += 1
        if started == 1:
            await asyncio.sleep(3600)
        return LITERALS, VARIABLES

    resolver = LiteralsResolver.lazy(bring, what="inputs of p/d/name", type_hints={"p": Point})

    async def first() -> None:
        with anyio.move_on_after(0.01):
            await resolver.load()

    async def second() -> Any:
        return await resolver["p"]

    asyncio.run(first())
    assert asyncio.run(second()) == Point(1, 2.0)


# --- the reference's members -----------------------------------------------------------------------------------------


def test_it_is_made_from_messages_and_models() -> None:
    literals = {name: literal.to_flyte_idl() for name, literal in LITERALS.items()}
    variables = {name: variable.to_flyte_idl() for name, variable in VARIABLES.items()}
    for resolver in (
        LiteralsResolver(literals, variables, None),
        LiteralsResolver.from_flyte_idl(
            literals_pb2.LiteralMap(literals=literals), interface_pb2.VariableMap(variables=variables)
        ),
    ):
        assert dict(resolver.literals) == LITERALS
        assert resolver.variable_map == VARIABLES
    bare = LiteralsResolver.from_flyte_idl(literals_pb2.LiteralMap())
    assert bare.variable_map is None
    assert not bare
    with pytest.raises(ValueError, match="map of literals"):
        LiteralsResolver(None)  # type: ignore[arg-type]


async def test_str_shows_values_where_they_are_known() -> None:
    resolver = LiteralsResolver({"a": encode(1, INTEGER), "b": encode(2, INTEGER)}, {"a": Variable.of(INTEGER)})
    assert await resolver["a"] == 1
    assert str(resolver) == "{'a': 1, 'b': Literal(scalar { primitive { integer: 2 } })}"
    assert repr(resolver) == f"LiteralsResolver({resolver})"
    assert resolver._repr_html_().startswith("<pre>LiteralsResolver({&#x27;a&#x27;: 1")
    assert resolver.to_dict()["b"] == {"scalar": {"primitive": {"integer": "2"}}}


async def test_as_python_native_is_what_a_call_would_have_returned() -> None:
    @dataclasses.dataclass
    class Interface:
        outputs: dict[str, Any]

    assert await LiteralsResolver({}).as_python_native(Interface({})) is None
    one = LiteralsResolver({"o0": encode(3, INTEGER)})
    assert await one.as_python_native(Interface({"o0": int})) == 3
    resolver = LiteralsResolver(LITERALS)
    interface = TypedInterface({}, VARIABLES)
    assert await resolver.as_python_native(interface) == ("a", [1, 2], 10, {"x": 1, "y": 2.0})
    order = Interface({"p": Point, "o1": str})
    assert await resolver.as_python_native(order) == (Point(1, 2.0), "a")
    with pytest.raises(MissingLiteralError, match="absent"):
        await resolver.as_python_native(Interface({"p": Point, "absent": int}))


async def test_entries_of_its_own_lie_over_the_literals() -> None:
    resolver = made()
    resolver.update({"o1": "mine"}, new=3)
    resolver.update([("lit", encode(5, INTEGER))])
    resolver.update_type_hints({"lit": int})
    assert await resolver["o1"] == "mine"
    assert await resolver["new"] == 3
    assert await resolver["lit"] == 5
    assert await resolver.setdefault("new", 4) == 3
    assert await resolver.setdefault("newer", 4) == 4
    assert len(resolver) == 7
    assert resolver.get_literal("o1") == LITERALS["o1"]
    del resolver["new"]
    with pytest.raises(MissingLiteralError):
        del resolver["new"]


async def test_popped_entries_are_gone_and_their_literals_are_not() -> None:
    resolver = made()
    assert await resolver.pop("o10") == 10
    assert "o10" not in resolver
    assert await resolver["o10"] == 10
    assert await resolver.pop("zz", "default") == "default"
    with pytest.raises(MissingLiteralError):
        await resolver.pop("zz")
    assert await resolver.popitem() == ("p", {"x": 1, "y": 2.0})
    resolver.clear()
    assert len(resolver) == 0
    assert len(resolver.literals) == 4
    assert await resolver["o1"] == "a"
    with pytest.raises(KeyError, match="no entries"):
        await resolver.popitem()


async def test_a_copy_is_independent() -> None:
    resolver = made()
    point = await resolver.get("p", Point)
    for other in (resolver.copy(), copy.copy(resolver), copy.deepcopy(resolver)):
        assert await other.get("p", Point) is point
        other.update(o1="mine")
        other.update_type_hints({"o1": int})
    assert await resolver["o1"] == "a"
    loader = Loader()
    loader.go.set()
    assert await copy.deepcopy(lazy(loader))["o1"] == "a"


async def test_fromkeys_has_entries_and_no_literals() -> None:
    resolver = LiteralsResolver.fromkeys(["a", "b"], 1)
    assert await resolver.items() == [("a", 1), ("b", 1)]
    assert resolver.literals == {}


async def test_a_loaded_resolver_pickles_and_another_says_what_is_missing() -> None:
    loader = Loader()
    loader.go.set()
    resolver = lazy(loader)
    lost = pickle.loads(pickle.dumps(resolver))
    with pytest.raises(DetachedError, match="outputs of p/d/name were not loaded"):
        await lost.load()
    resolver.update_type_hints({"p": Point})
    await resolver["o10"]
    kept = pickle.loads(pickle.dumps(resolver))
    assert kept.native_values == {}
    assert await kept.all() == await resolver.all()
