"""Lists of executions."""

from __future__ import annotations

import asyncio
import pickle
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from flyteidl.admin import common_pb2, execution_pb2

from flyte_remote_async import filters
from flyte_remote_async.devserver import DevServer
from flyte_remote_async.errors import InvalidArgumentError, MalformedMessageError, UnavailableError
from flyte_remote_async.transport.base import Reply
from tests.support.films import Film, refuse
from tests.support.remotes import remote_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from flyte_remote_async import FlyteRemote
    from tests.support.remotes import Ledger

pytestmark = pytest.mark.anyio


@attrs.frozen
class Stage:
    """A server with 250 executions, ``e0`` the oldest, every tenth failed."""

    server: DevServer
    remote: FlyteRemote
    ledger: Ledger

    async def names(self, **options: Any) -> list[str]:
        return [execution.id.name async for execution in self.remote.list_executions(**options)]

    @property
    def requests(self) -> list[common_pb2.ResourceListRequest]:
        return [common_pb2.ResourceListRequest.FromString(request) for _, request in self.ledger.calls]


def made(number: int) -> execution_pb2.Execution:
    message: Any = execution_pb2.Execution()
    message.id.project, message.id.domain, message.id.name = "flytesnacks", "development", f"e{number}"
    message.closure.phase = 6 if number % 10 == 0 else 4
    message.closure.created_at.seconds = message.closure.updated_at.seconds = 1_700_000_000 + number
    if number == 0:
        message.closure.error.message = "long " * 100
    execution: execution_pb2.Execution = message
    return execution


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with DevServer() as server, remote_of(server, max_attempts=1) as (remote, ledger):
        async with server.store.transaction() as together:
            for number in range(250):
                together.put_execution(made(number))
        yield Stage(server, remote, ledger)


async def test_the_newest_come_first_and_pages_come_as_they_are_needed(stage: Stage) -> None:
    found = stage.remote.list_executions()
    first = await anext(found)
    assert first.id.name == "e249"
    assert stage.ledger.counts == {"ListExecutions": 1}
    rest = [execution.id.name async for execution in found]
    assert rest == [f"e{number}" for number in reversed(range(249))]
    assert stage.ledger.counts == {"ListExecutions": 3}
    assert stage.ledger.repeated == []


@pytest.mark.parametrize(
    ("limit", "sizes"), [(1, [1]), (20, [20]), (100, [100]), (101, [100, 100]), (1000, [100, 100, 100])]
)
async def test_a_limit(stage: Stage, limit: int, sizes: list[int]) -> None:
    assert await stage.names(limit=limit) == [f"e{number}" for number in reversed(range(250))][:limit]
    assert [request.limit for request in stage.requests] == sizes


@pytest.mark.parametrize("limit", [0, -1])
async def test_a_limit_that_is_none(stage: Stage, limit: int) -> None:
    with pytest.raises(ValueError, match=f"1 or more, or None for all; this is {limit}"):
        await stage.names(limit=limit)
    assert stage.ledger.total == 0


async def test_filters_and_order(stage: Stage) -> None:
    failed = await stage.names(filters=[filters.eq("phase", "FAILED")], sort_by="created_at", ascending=True)
    assert failed == [f"e{number}" for number in range(0, 250, 10)]
    assert stage.requests[0].filters == "eq(phase,FAILED)"
    two = await stage.names(filters=["eq(phase,FAILED)", filters.value_in("execution_name", ["e10", "e11"])])
    assert two == ["e10"]


async def test_columns_that_flyte_does_not_know(stage: Stage) -> None:
    with pytest.raises(InvalidArgumentError, match="colour"):
        await stage.names(filters=[filters.eq("colour", "red")])
    with pytest.raises(InvalidArgumentError, match="colour"):
        await stage.names(sort_by="colour")


async def test_what_is_launched_between_pages_makes_nothing_come_twice(stage: Stage) -> None:
    names = []
    async for execution in stage.remote.list_executions():
        names.append(execution.id.name)
        if len(names) == 50:
            async with stage.server.store.transaction() as together:
                for number in range(1000, 1020):
                    together.put_execution(made(number))
    assert names == [f"e{number}" for number in reversed(range(250))]


async def test_a_full_last_page_is_followed_by_an_empty_one(stage: Stage) -> None:
    wanted = [filters.value_in("execution_name", [f"e{number}" for number in range(100)])]
    assert len(await stage.names(filters=wanted)) == 100
    assert stage.ledger.counts == {"ListExecutions": 2}


async def test_another_place_is_another_list(stage: Stage) -> None:
    assert await stage.names(domain="staging") == []
    assert stage.requests[0].id.domain == "staging"


async def test_errors_in_lists_are_cut_and_whole_in_the_execution(stage: Stage) -> None:
    (listed,) = [e async for e in stage.remote.list_executions(filters=[filters.eq("execution_name", "e0")])]
    whole = await stage.remote.fetch_execution("e0")
    assert listed.error is not None
    assert whole.error is not None
    assert len(listed.error.message) <= 100 < len(whole.error.message)
    assert listed.error_truncated
    assert not whole.error_truncated
    # A sync reads it whole, though the execution has ended; and a pickle does not forget that it is cut.
    assert pickle.loads(pickle.dumps(listed)).error_truncated
    synced = await listed.sync()
    assert synced.error == whole.error
    assert not synced.error_truncated
    assert not (await listed.wait()).error_truncated


async def test_what_is_listed_can_act(stage: Stage) -> None:
    await Film(stage.server.store, "e249").execution("SUCCEEDED")
    (listed,) = [execution async for execution in stage.remote.list_executions(limit=1)]
    assert (await listed.sync(sync_nodes=True)).has_nodes


async def test_an_early_break_leaves_nothing_behind(stage: Stage) -> None:
    before = asyncio.all_tasks()
    async for _ in stage.remote.list_executions():
        break
    # The loop closes a generator that nobody holds, in a task of its own.
    for _ in range(10):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
    assert stage.ledger.counts == {"ListExecutions": 1}


async def test_a_page_that_fails_is_an_error_after_those_that_came(stage: Stage) -> None:
    names = []
    with pytest.raises(UnavailableError):  # noqa: PT012 - it is raised in the middle of the loop
        async for execution in stage.remote.list_executions():
            names.append(execution.id.name)
            if len(names) == 100:
                refuse(stage.ledger, "ListExecutions", UnavailableError)
    assert len(names) == 100


async def test_a_token_that_comes_twice(stage: Stage) -> None:
    page = execution_pb2.ExecutionList(executions=[made(1)], token="100").SerializeToString()
    stage.ledger.on_reply = lambda _method, _reply: Reply(page)
    with pytest.raises(MalformedMessageError, match="ListExecutions: the server gave the page token '100' twice"):
        await stage.names()
