"""Work beside the event loop: one thread, and processes that may die."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from typing import TYPE_CHECKING

import anyio
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from flyteidl.core import literals_pb2, types_pb2

from flyte_remote_async.config.values import StorageConfig
from flyte_remote_async.errors import DecodeError, WorkerDiedError
from flyte_remote_async.literals import Context, Types
from flyte_remote_async.models.literals import Literal
from flyte_remote_async.models.turns import take_turns
from flyte_remote_async.resolver import LiteralsResolver, ProcessWork
from flyte_remote_async.resolver.workers import beside, full_collections_postponed, imported
from flyte_remote_async.storage.objects import StoredObjects

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.anyio


def thread() -> int:
    return threading.get_ident()


async def test_work_runs_beside_the_loop() -> None:
    assert await beside(thread) != threading.get_ident()
    assert await beside(pow, 2, 10) == 1024
    with pytest.raises(ZeroDivisionError):
        await beside(divmod, 1, 0)


async def test_one_piece_of_work_at_a_time() -> None:
    running: list[int] = []

    def work() -> int:
        running.append(1)
        seen = len(running)
        for _ in range(50):
            take_turns()
        running.pop()
        return seen

    assert await asyncio.gather(*(beside(work) for _ in range(8))) == [1] * 8


async def test_a_caller_that_is_cancelled_does_not_wait_and_the_work_ends() -> None:
    started, ended = threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        try:
            while True:
                take_turns()
        finally:
            ended.set()

    task = asyncio.create_task(beside(work))
    assert await anyio.to_thread.run_sync(started.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await anyio.to_thread.run_sync(ended.wait, 30)
    assert await beside(pow, 2, 3) == 8


def test_loops_do_not_share_their_thread() -> None:
    async def two() -> set[int]:
        return {await beside(thread), await beside(thread)}

    assert all(len(asyncio.run(two())) == 1 for _ in range(2))


async def test_a_module_is_imported_once() -> None:
    await imported("flyte_remote_async.literals.resolve")
    await imported("flyte_remote_async.literals.resolve")
    with pytest.raises(ModuleNotFoundError):
        await imported("flyte_remote_async.literals.no_such_module")


# --- the garbage collector ------------------------------------------------------------------------------------------


@pytest.fixture
def thresholds() -> Iterator[tuple[int, int, int]]:
    before = gc.get_threshold()
    enabled = gc.isenabled()
    gc.enable()
    yield before
    gc.set_threshold(*before)
    if not enabled:
        gc.disable()


def full_collections() -> int:
    return int(gc.get_stats()[2]["collections"])


def test_no_full_collection_while_many_objects_are_made(thresholds: tuple[int, int, int]) -> None:
    gc.set_threshold(100, 2, 2)
    before = full_collections()
    with full_collections_postponed():
        made = [[at] for at in range(50_000)]
    assert full_collections() == before
    assert gc.get_threshold() == (100, 2, 2)
    assert gc.get_freeze_count() == 0
    assert gc.get_count()[2] == 0
    assert gc.isenabled()
    del made


def test_young_garbage_is_collected_all_the_same(thresholds: tuple[int, int, int]) -> None:
    class Knot:
        def __init__(self) -> None:
            self.own = self

    with full_collections_postponed():
        for _ in range(20_000):
            Knot()
        assert sum(isinstance(one, Knot) for one in gc.get_objects()) < 10_000


def test_blocks_inside_each_other_and_after_an_error(thresholds: tuple[int, int, int]) -> None:
    def work() -> None:
        with full_collections_postponed():
            with full_collections_postponed():
                pass
            assert gc.get_threshold() != thresholds
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert gc.get_threshold() == thresholds


def test_what_the_program_chose_stays(thresholds: tuple[int, int, int]) -> None:
    with full_collections_postponed():
        gc.set_threshold(500, 5, 5)
    assert gc.get_threshold() == (500, 5, 5)
    gc.disable()
    with full_collections_postponed():
        assert gc.get_threshold() == (500, 5, 5)
    gc.enable()


def test_what_the_program_froze_stays_frozen(thresholds: tuple[int, int, int]) -> None:
    gc.freeze()
    try:
        frozen = gc.get_freeze_count()
        with full_collections_postponed():
            assert gc.get_threshold() == thresholds
        assert gc.get_freeze_count() == pytest.approx(frozen, abs=1000)
    finally:
        gc.unfreeze()


# --- processes ------------------------------------------------------------------------------------------------------


def double(value: int) -> int:
    return 2 * value


def die(value: int) -> int:
    os._exit(value)


def fail(value: int) -> int:
    raise DecodeError(f"not {value}", kind="binary")


async def test_processes() -> None:
    work = ProcessWork(1)
    assert await work.run(double, 21) == 42
    assert await work.run(os.getpid) != os.getpid()
    with pytest.raises(DecodeError, match="not 3"):
        await work.run(fail, 3)


async def test_a_process_that_dies_fails_only_its_own_work() -> None:
    work = ProcessWork(2)

    async def one(function: object, value: int) -> object:
        try:
            return await work.run(function, value)  # type: ignore[arg-type]
        except WorkerDiedError as error:
            return str(error)

    answers = await asyncio.gather(one(double, 1), one(die, 2), one(double, 3), one(die, 4), one(double, 5))
    assert list(answers[::2]) == [2, 6, 10]
    assert all("the process that ran die died" in str(answer) for answer in answers[1::2])
    assert await work.run(double, 6) == 12


class Fragile:
    """A type whose values are made in a process."""

    def __init__(self, value: int) -> None:
        self.value = value


async def test_a_table_that_a_process_reads_and_a_value_that_kills_one(tmp_path: Path) -> None:
    work = ProcessWork(2)
    table = pa.table({"a": [1, 2, 3], "b": ["x", "y", "z"]})
    pq.write_table(table, tmp_path / "good")
    (tmp_path / "cut").write_bytes((tmp_path / "good").read_bytes()[:-20])

    async def from_literal(literal: Literal, objects: object) -> Fragile:
        value = literal.to_flyte_idl().scalar.primitive.integer
        return Fragile(await work.run(die if value else double, value))

    declared = types_pb2.LiteralType(simple=types_pb2.SimpleType.INTEGER)
    types = Types().with_type(
        Fragile, tag="Fragile", literal_type=declared, to_literal=lambda one: one, from_literal=from_literal
    )
    async with StoredObjects(StorageConfig(local=True)) as objects:
        resolver = LiteralsResolver(
            {
                "dies": integer(1),
                "lives": integer(0),
                "good": dataset(tmp_path / "good"),
                "cut": dataset(tmp_path / "cut"),
            },
            context=Context(objects=objects, types=types, work=work),
        )
        resolver.update_type_hints({"dies": Fragile, "lives": Fragile, "good": pa.Table, "cut": pa.Table})
        with pytest.raises(DecodeError) as caught:
            await resolver.all()
        assert set(resolver.native_values) == {"good", "lives"}
        assert resolver.native_values["good"] == table
        assert resolver.native_values["lives"].value == 0
        said = [str(caught.value), *caught.value.__notes__]
        assert any("cannot decode dies" in line and "the process that ran die died" in line for line in said)
        assert any("cannot decode cut" in line for line in said)


def integer(value: int) -> Literal:
    primitive = literals_pb2.Primitive(integer=value)
    return Literal.from_flyte_idl(literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=primitive)))


def dataset(path: Path) -> Literal:
    table = literals_pb2.StructuredDataset(uri=path.as_uri())
    return Literal.from_flyte_idl(literals_pb2.Literal(scalar=literals_pb2.Scalar(structured_dataset=table)))


async def test_a_cancelled_caller_ends_its_process() -> None:
    work = ProcessWork(1)
    first = await work.run(os.getpid)
    with anyio.move_on_after(0.3) as scope:
        await work.run(_forever)
    assert scope.cancelled_caught
    assert await work.run(os.getpid) != first


def _forever() -> None:
    threading.Event().wait()
