"""The cache: what is kept, under which keys, and what nodes say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest
from flyteidl.core import catalog_pb2, literals_pb2, types_pb2

from flyte_remote_async.devserver.engine.catalog_keys import catalog_key, object_hash
from flyte_remote_async.devserver.runners.stand_ins import current_attempt
from flyte_remote_async.devserver.store import Store
from flyte_remote_async.devserver.store.sql import Statement
from flyte_remote_async.models.phases import WorkflowPhase
from tests.support.engine_rig import open_rig
from tests.support.made_workflows import integer, made, task, task_node

if TYPE_CHECKING:
    from typing import Any

    from flyteidl.core import tasks_pb2

    from flyte_remote_async.devserver.engine.catalog_keys import CatalogKey
    from tests.support.engine_rig import Rig, Written
    from tests.support.made_workflows import Made

pytestmark = pytest.mark.anyio


def cached(
    version: str = "1", *, serializable: bool = False, outputs: tuple[str, ...] = ("o0",)
) -> tasks_pb2.TaskTemplate:
    template = task("t.cached", outputs=outputs)
    template.metadata.discoverable = True
    template.metadata.discovery_version = version
    template.metadata.cache_serializable = serializable
    return template


def work(template: tasks_pb2.TaskTemplate, a: int = 2, name: str = "made") -> Made:
    return made([task_node("n0", template, a=a)], [template], {"x": ("n0", "o0")}, name=name)


@pytest.fixture
def rig(rig: Rig) -> Rig:
    rig.stand_ins.add("t.cached", lambda a: a * 10)
    return rig


async def run(rig: Rig, made_work: Made, *, overwrite: bool = False) -> Written:
    made_work.execution.spec.overwrite_cache = overwrite
    return await rig.run_made(made_work)


def status(written: Written) -> str:
    return catalog_pb2.CatalogCacheStatus.Name(written.nodes["n0"].closure.task_node_metadata.cache_status)


async def test_what_was_given_is_given_again(rig: Rig) -> None:
    first = await run(rig, work(cached(), name="one"))
    rig.stand_ins.add("t.cached", lambda a: -a)
    second = await run(rig, work(cached(), name="two"))

    assert (status(first), status(second)) == ("CACHE_POPULATED", "CACHE_HIT")
    assert second.outputs.literals["x"].scalar.primitive.integer == 20
    assert (len(first.attempts), len(second.attempts)) == (1, 0)
    populated = first.nodes["n0"].closure.task_node_metadata
    assert populated.checkpoint_uri
    assert not populated.catalog_key.HasField("source_task_execution")
    hit = second.nodes["n0"].closure
    assert not hit.HasField("started_at")
    assert not hit.task_node_metadata.checkpoint_uri
    assert hit.task_node_metadata.catalog_key.artifact_tag == populated.catalog_key.artifact_tag
    source = hit.task_node_metadata.catalog_key.source_task_execution
    assert source.node_execution_id.execution_id.name == "one"
    assert source.node_execution_id.node_id == "n0"
    data = await rig.store.get_node_data(second.nodes["n0"].id)
    assert data.inputs.literals["a"] == integer(2)


async def test_other_inputs_and_other_versions_are_other_entries(rig: Rig) -> None:
    await run(rig, work(cached()))
    assert status(await run(rig, work(cached(), a=3))) == "CACHE_POPULATED"
    assert status(await run(rig, work(cached("2")))) == "CACHE_POPULATED"
    other = cached()
    other.id.version = "v2"
    written = await run(rig, work(other))
    assert status(written) == "CACHE_HIT"
    source = written.nodes["n0"].closure.task_node_metadata.catalog_key.source_task_execution
    assert source.task_id.version == "v1"


async def test_an_execution_may_overwrite_what_is_kept(rig: Rig) -> None:
    first = await run(rig, work(cached(), name="one"))
    rig.stand_ins.add("t.cached", lambda a: -a)
    second = await run(rig, work(cached(), name="two"), overwrite=True)
    third = await run(rig, work(cached(), name="three"))

    assert status(second) == "CACHE_POPULATED"
    assert third.outputs.literals["x"].scalar.primitive.integer == -2
    keys = [each.nodes["n0"].closure.task_node_metadata.catalog_key for each in (first, second, third)]
    assert len({key.artifact_tag.artifact_id for key in keys}) == 1
    assert keys[1].source_task_execution.node_execution_id.execution_id.name == "two"
    assert keys[2].source_task_execution.node_execution_id.execution_id.name == "two"


async def test_overwriting_what_is_not_there_keeps_it(rig: Rig) -> None:
    await run(rig, work(cached(), name="one"), overwrite=True)
    assert status(await run(rig, work(cached(), name="two"))) == "CACHE_HIT"


async def test_a_failure_is_not_kept(rig: Rig) -> None:
    @rig.stand_ins.task("t.cached")
    def boom(a: int) -> int:
        raise ValueError("boom")

    written = await run(rig, work(cached(), name="one"))
    assert WorkflowPhase(written.execution.closure.phase) is WorkflowPhase.FAILED
    rig.stand_ins.add("t.cached", lambda a: a)
    assert status(await run(rig, work(cached(), name="two"))) == "CACHE_POPULATED"


async def test_a_task_without_outputs_keeps_nothing(rig: Rig) -> None:
    rig.stand_ins.add("t.cached", lambda **_: None)
    template = cached(outputs=())
    template.interface.outputs.SetInParent()
    nothing = made([task_node("n0", template, a=1)], [template])
    assert status(await run(rig, nothing)) == "CACHE_DISABLED"
    assert len((await run(rig, nothing)).attempts) == 1


async def waits_in_line(rig: Rig, others: int) -> None:
    """Wait until one task runs, and the others are queued behind it."""

    async def are_queued() -> bool:
        rows = await rig.store.select(Statement("SELECT phase FROM node_executions WHERE node_id = 'n0'"))
        return sorted(phase for (phase,) in rows) == ["QUEUED"] * others + ["RUNNING"]

    with anyio.fail_after(20):
        while not await are_queued():  # noqa: ASYNC110 - rows have no event
            await anyio.sleep(0.005)


async def test_one_at_a_time_runs_what_is_serialized(rig: Rig) -> None:
    calls: list[int] = []
    release = anyio.Event()

    @rig.stand_ins.task("t.cached")
    async def slow(a: int) -> int:
        calls.append(a)
        await release.wait()
        return a

    executions = [work(cached(serializable=True), name=name) for name in ("one", "two", "three")]
    for each in executions:
        await rig.start(each)
    await waits_in_line(rig, 2)
    assert calls == [2]
    release.set()
    for each in executions:
        await rig.engine.join(each.execution.id)
    statuses = sorted([status(await rig.read(each.execution)) for each in executions])
    assert (calls, statuses) == ([2], ["CACHE_HIT", "CACHE_HIT", "CACHE_POPULATED"])


async def test_when_the_one_that_runs_fails_the_next_runs(rig: Rig) -> None:
    calls: list[int] = []
    release = anyio.Event()

    @rig.stand_ins.task("t.cached")
    async def fails_once(a: int) -> int:
        calls.append(a)
        if len(calls) == 1:
            await release.wait()
            raise ValueError("boom")
        return a

    executions = [work(cached(serializable=True), name=name) for name in ("one", "two")]
    for each in executions:
        await rig.start(each)
    await waits_in_line(rig, 1)
    release.set()
    for each in executions:
        await rig.engine.join(each.execution.id)
    assert len(calls) == 2
    assert status(await rig.read(executions[1].execution)) == "CACHE_POPULATED"


async def test_two_at_once_that_are_not_serialized_keep_the_first(rig: Rig) -> None:
    begun = {name: anyio.Event() for name in ("one", "two")}
    go = {name: anyio.Event() for name in begun}

    @rig.stand_ins.task("t.cached")
    async def together(a: int) -> int:
        name = current_attempt().execution
        begun[name].set()
        await go[name].wait()
        return a * (10 if name == "one" else 100)

    executions = [work(cached(), name=name) for name in begun]
    for each in executions:
        await rig.start(each)
        await begun[each.execution.id.name].wait()
    keys = []
    for each in executions:
        go[each.execution.id.name].set()
        written = await rig.end(each)
        assert status(written) == "CACHE_POPULATED"
        keys.append(written.nodes["n0"].closure.task_node_metadata.catalog_key.artifact_tag.artifact_id)
    assert keys[0] != keys[1]
    third = await run(rig, work(cached(), name="three"))
    assert status(third) == "CACHE_HIT"
    assert third.outputs.literals["x"] == integer(20)
    assert third.nodes["n0"].closure.task_node_metadata.catalog_key.artifact_tag.artifact_id == keys[0]


def key_of(template: tasks_pb2.TaskTemplate, **inputs: literals_pb2.Literal) -> CatalogKey:
    key = catalog_key(template, literals_pb2.LiteralMap(literals=inputs))
    assert key is not None
    return key


def hashed(value: literals_pb2.Literal, text: str) -> literals_pb2.Literal:
    copy = literals_pb2.Literal()
    copy.CopyFrom(value)
    copy.hash = text
    return copy


def collection(*items: literals_pb2.Literal) -> literals_pb2.Literal:
    return literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=items))


def mapping(value: literals_pb2.Literal) -> literals_pb2.Literal:
    return literals_pb2.Literal(map=literals_pb2.LiteralMap(literals={"k": value}))


def test_a_hash_stands_for_its_value() -> None:
    for wrap in (lambda value: value, collection, mapping):
        one, two = wrap(hashed(integer(1), "h")), wrap(hashed(integer(2), "h"))
        assert key_of(cached(), a=one) == key_of(cached(), a=two)
        assert key_of(cached(), a=wrap(integer(1))) != key_of(cached(), a=one)


def test_ignored_inputs_do_not_count() -> None:
    template = cached()
    template.metadata.cache_ignore_input_vars.append("b")
    assert key_of(template, a=integer(1), b=integer(1)) == key_of(template, a=integer(1), b=integer(2))
    assert key_of(cached(), a=integer(1), b=integer(1)) != key_of(cached(), a=integer(1), b=integer(2))


def test_descriptions_and_the_metadata_of_types_do_not_count() -> None:
    plain, told = cached(), cached()
    told.interface.inputs.variables["a"].description = "a number"
    told.interface.inputs.variables["a"].type.metadata.update({"x": 1})
    told.interface.inputs.variables["a"].type.annotation.annotations.update({"x": 1})
    assert key_of(plain) == key_of(told)
    told.interface.inputs.variables["a"].type.annotation.annotations.update({"cache-key-metadata": {"v": 2}})
    assert key_of(plain) != key_of(told)


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda inner: types_pb2.LiteralType(collection_type=inner),
        lambda inner: types_pb2.LiteralType(map_value_type=inner),
        lambda inner: types_pb2.LiteralType(union_type=types_pb2.UnionType(variants=[inner])),
        lambda inner: types_pb2.LiteralType(
            structured_dataset_type=types_pb2.StructuredDatasetType(columns=[{"name": "c", "literal_type": inner}])
        ),
        lambda inner: types_pb2.LiteralType(
            simple=types_pb2.STRUCT, structure=types_pb2.TypeStructure(dataclass_type={"f": inner})
        ),
    ],
)
def test_nor_does_the_metadata_of_inner_types(wrapped: Any) -> None:
    inner = types_pb2.LiteralType(simple=types_pb2.INTEGER)
    plain, told = cached(), cached()
    plain.interface.inputs.variables["a"].type.CopyFrom(wrapped(inner))
    inner.metadata.update({"x": 1})
    told.interface.inputs.variables["a"].type.CopyFrom(wrapped(inner))
    assert key_of(plain) == key_of(told)


@pytest.mark.parametrize(("discoverable", "version"), [(False, "1"), (True, ""), (True, "  ")])
def test_a_task_that_is_not_cached_has_no_key(*, discoverable: bool, version: str) -> None:
    template = cached(version)
    template.metadata.discoverable = discoverable
    assert catalog_key(template, literals_pb2.LiteralMap()) is None


@pytest.mark.parametrize(
    ("value", "digest"),
    [
        # From the test vectors of github.com/benlaurie/objecthash.
        ([], "acac86c0e609ca906f632b0e2dacccb2b77d22b0621f20ebece1a4835b93f6f0"),
        (["foo"], "268bc27d4974d9d576222e4cdbb8f7c6bd6791894098645a19eeca9c102d0964"),
        (["foo", "bar"], "32ae896c413cfdc79eec68be9139c86ded8b279238467c216cf2bec4d5f1e4a2"),
        ({}, "18ac3e7343f016890c510e93f935261169d9e3f565436429830faf0934f4f8e4"),
        ({"foo": "bar"}, "7ef5237c3027d6c58100afadf37796b3d351025cf28038280147d42fdc53b960"),
        (None, "1b16b1df538ba12dc3f97edbb85caa7050d46c148134290feba80f8236c83db9"),
        (True, "7dc96f776c8423e57a2785489a3f9c43fb6e756876d6ad9a9cac4aa4e72ec193"),
        (False, "c02c0b965e023abee808f2b548d8d5193a8b5229be6f3121a6f16e2d41a449b3"),
        ([1.5], None),
    ],
)
def test_object_hashes(value: Any, digest: str | None) -> None:
    assert digest is None or object_hash(value).hex() == digest


@pytest.mark.parametrize(("one", "other"), [(0.0, -0.0), (1, 1.0)])
def test_numbers_that_are_one(one: float, other: float) -> None:
    assert object_hash(one) == object_hash(other)


def test_numbers_that_are_several() -> None:
    numbers = [0, 1, -1, 2, 0.5, 0.25, 0.1, 1e300, 5e-324, 3.0000000000000004, 3.0]
    assert len({object_hash(number) for number in numbers}) == len(numbers)


async def test_entries_outlive_the_server(tmp_path: Any) -> None:
    for expected in ("CACHE_POPULATED", "CACHE_HIT"):
        store = await Store.open(tmp_path / "state.db")
        try:
            async with open_rig(store=store) as rig:
                rig.stand_ins.add("t.cached", lambda a: a)
                assert status(await run(rig, work(cached(), name=expected.lower().replace("_", "-")))) == expected
        finally:
            await store.aclose()
