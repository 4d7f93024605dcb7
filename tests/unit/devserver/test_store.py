"""The store keeps what it is given, in a file or in memory, and refuses files that it cannot use."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import anyio
import pytest
from flyteidl.admin import execution_pb2, node_execution_pb2, project_pb2, signal_pb2, task_execution_pb2
from flyteidl.core import execution_pb2 as core_execution_pb2
from flyteidl.core import identifier_pb2, literals_pb2

from flyte_remote_async.devserver.store import Store
from flyte_remote_async.devserver.store.schema import APPLICATION_ID, SCHEMA_VERSION
from flyte_remote_async.errors import ClosedError, ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

RUN = identifier_pb2.WorkflowExecutionIdentifier(project="p", domain="d", name="e")
NODE = identifier_pb2.NodeExecutionIdentifier(node_id="n0", execution_id=RUN)
ATTEMPT = identifier_pb2.TaskExecutionIdentifier(
    task_id={"resource_type": "TASK", "project": "p", "domain": "d", "name": "t", "version": "v"},
    node_execution_id=NODE,
    retry_attempt=1,
)


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    store = await Store.open()
    yield store
    await store.aclose()


def literal_map(**values: int) -> literals_pb2.LiteralMap:
    made = literals_pb2.LiteralMap()
    for name, value in values.items():
        made.literals[name].scalar.primitive.integer = value
    return made


async def test_what_was_put_is_got_and_what_was_not_is_none(store: Store) -> None:
    execution = execution_pb2.Execution(id=RUN, closure={"phase": "RUNNING"})
    node = node_execution_pb2.NodeExecution(id=NODE, closure={"phase": "RUNNING"})
    attempt = task_execution_pb2.TaskExecution(id=ATTEMPT)
    signal = signal_pb2.Signal(id={"signal_id": "s", "execution_id": RUN}, type={"simple": "INTEGER"})
    assert await store.get_execution(RUN) is None
    assert await store.get_node(NODE) is None
    assert await store.get_attempt(ATTEMPT) is None
    assert await store.get_signal(signal.id) is None
    assert await store.get_project("p") is None
    assert await store.get_dynamic_workflow(NODE) is None
    async with store.transaction() as together:
        together.put_execution(execution)
        together.put_node(node)
        together.put_attempt(attempt)
        together.put_signal(signal)
        assert await store.get_execution(RUN) is None
    assert await store.get_execution(RUN) == execution
    assert await store.get_node(NODE) == node
    assert await store.get_attempt(ATTEMPT) == attempt
    assert await store.get_signal(signal.id) == signal


async def test_a_transaction_whose_body_raises_writes_nothing(store: Store) -> None:
    async def give_up() -> None:
        async with store.transaction() as together:
            together.put_execution(execution_pb2.Execution(id=RUN))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await give_up()
    assert await store.get_execution(RUN) is None


async def test_a_message_may_change_after_it_was_handed_over(store: Store) -> None:
    execution = execution_pb2.Execution(id=RUN)
    async with store.transaction() as together:
        together.put_execution(execution)
        execution.closure.phase = core_execution_pb2.WorkflowExecution.FAILED
    found = await store.get_execution(RUN)
    assert found is not None
    assert found.closure.phase == core_execution_pb2.WorkflowExecution.UNDEFINED


async def test_the_sides_of_data_are_kept_apart(store: Store) -> None:
    dynamic = node_execution_pb2.DynamicWorkflowNodeMetadata(dynamic_job_spec_uri="s3://x")
    assert (await store.get_execution_data(RUN)).outputs == literals_pb2.LiteralMap()
    await store.put_execution_data(RUN, inputs=literal_map(a=1))
    await store.put_execution_data(RUN, outputs=literal_map(b=2))
    await store.put_node_data(NODE, inputs=literal_map(c=3))
    await store.put_node_data(NODE, dynamic_workflow=dynamic)
    await store.put_attempt_data(ATTEMPT, outputs=literal_map(d=4))
    data = await store.get_execution_data(RUN)
    assert (data.inputs, data.outputs, data.dynamic_workflow) == (literal_map(a=1), literal_map(b=2), None)
    node = await store.get_node_data(NODE)
    assert (node.inputs, node.dynamic_workflow) == (literal_map(c=3), dynamic)
    assert (await store.get_attempt_data(ATTEMPT)).outputs == literal_map(d=4)


async def test_adding_never_replaces(store: Store) -> None:
    first = execution_pb2.Execution(id=RUN, spec={"labels": {"values": {"team": "blue"}}})
    assert await store.add_execution(first) is None
    assert await store.add_execution(execution_pb2.Execution(id=RUN, spec={"max_parallelism": 3})) == "executions"
    assert await store.add_execution(first) == "execution_tags"
    assert await store.get_execution(RUN) == first
    assert await store.add_project(project_pb2.Project(id="p", name="one"))
    assert not await store.add_project(project_pb2.Project(id="p", name="two"))
    found = await store.get_project("p")
    assert found is not None
    assert found.name == "one"


async def test_concurrent_adds_of_one_name_have_one_winner(store: Store) -> None:
    won: list[str | None] = []

    async def add() -> None:
        won.append(await store.add_execution(execution_pb2.Execution(id=RUN)))

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(add)
    assert sorted(won, key=str) == [None] + ["executions"] * 19


async def test_an_update_sees_what_is_there_and_one_that_raises_changes_nothing(store: Store) -> None:
    def fail(execution: execution_pb2.Execution) -> None:
        execution.closure.phase = core_execution_pb2.WorkflowExecution.FAILED
        raise ZeroDivisionError

    def count(execution: execution_pb2.Execution) -> None:
        execution.spec.max_parallelism += 1

    assert await store.update_execution(RUN, count) is None
    await store.put_execution(execution_pb2.Execution(id=RUN))
    with pytest.raises(ZeroDivisionError):
        await store.update_execution(RUN, fail)
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(store.update_execution, RUN, count)
    assert await store.get_execution(RUN) == execution_pb2.Execution(id=RUN, spec={"max_parallelism": 20})


async def test_a_cancelled_write_is_done_or_not_done_and_the_store_goes_on(store: Store) -> None:
    for number in range(10):
        with anyio.CancelScope() as scope:
            if number % 2:
                scope.cancel()
            else:
                scope.deadline = anyio.current_time()
            async with store.transaction() as together:
                together.put_execution(execution_pb2.Execution(id=RUN))
                together.put_node(node_execution_pb2.NodeExecution(id=NODE))
        written = [await store.get_execution(RUN), await store.get_node(NODE)]
        assert all(written) or not any(written)
    await store.put_execution(execution_pb2.Execution(id=RUN))
    assert await store.get_execution(RUN) is not None


async def test_a_phase_of_a_newer_server_is_kept(store: Store) -> None:
    execution = execution_pb2.Execution(id=RUN)
    execution.closure.phase = 77  # type: ignore[assignment]
    await store.put_execution(execution)
    assert await store.get_execution(RUN) == execution


async def test_a_closed_store_says_so(store: Store) -> None:
    await store.aclose()
    await store.aclose()
    with pytest.raises(ClosedError, match="store is closed"):
        await store.get_execution(RUN)


async def test_a_file_survives(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store = await Store.open(path)
    await store.put_execution(execution_pb2.Execution(id=RUN))
    await store.aclose()
    again = await Store.open(str(path))
    assert await again.get_execution(RUN) is not None
    await again.aclose()


async def test_two_stores_on_one_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store = await Store.open(path)
    await store.put_execution(execution_pb2.Execution(id=RUN))
    with pytest.raises(ConfigError, match="another devserver uses it"):
        await Store.open(path)
    assert await store.get_execution(RUN) is not None
    await store.aclose()


def text_file(path: Path) -> None:
    path.write_text("this is no database, but it is long enough to look into " * 20)


def newer_file(path: Path, version: int = 99, *statements: str) -> None:
    with sqlite3.connect(path) as connection:
        for statement in (f"PRAGMA application_id = {APPLICATION_ID}", *statements, f"PRAGMA user_version = {version}"):
            connection.execute(statement)
    connection.close()


def foreign_file(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()


def other_build(path: Path) -> None:
    newer_file(path, SCHEMA_VERSION, "CREATE TABLE executions (id INTEGER)")


def older_file(path: Path) -> None:
    newer_file(path, 0)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (text_file, "not a database"),
        (newer_file, "a newer devserver wrote it: it holds version 99 of the tables"),
        (older_file, "an older devserver wrote it: it holds version 0"),
        (foreign_file, "the database of another program"),
        (other_build, "those of another build"),
    ],
)
async def test_a_file_that_cannot_be_used_is_refused_and_left_alone(tmp_path: Path, make: object, reason: str) -> None:
    path = tmp_path / "state.db"
    assert callable(make)
    make(path)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=reason):
        await Store.open(path)
    assert path.read_bytes() == before


async def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unable to open"):
        await Store.open(tmp_path / "no" / "state.db")
