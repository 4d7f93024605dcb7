"""The devserver in a thread of its own."""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
import threading
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import httpx
import pytest
from flyteidl.core import identifier_pb2

from flyte_remote_async.devserver import DevServer, Fail
from flyte_remote_async.errors import ClosedError, ConfigError, UnavailableError
from tests.support.recordings import DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flyte_remote_async.devserver.threaded import ThreadedDevServer

OTHERS: set[threading.Thread] = set()
RECORDED = DIRECTORY / "state.jsonl.gz"


@pytest.fixture(autouse=True)
def others() -> Iterator[None]:
    """Leave out the servers that other tests keep in threads for as long as the session is."""
    OTHERS.update(threading.enumerate())
    yield
    OTHERS.clear()


def threads() -> list[str]:
    return [thread.name for thread in set(threading.enumerate()) - OTHERS if thread.name == "devserver"]


async def run_task(dev: ThreadedDevServer, value: int) -> int:
    async with dev.remote() as remote:
        execution = await remote.execute(await remote.fetch_task("samples.add"), inputs={"a": value, "b": 1})
        execution = await execution.wait(timeout=30)
        return int(await execution.outputs["o0"])


def test_a_program_without_a_loop_uses_it() -> None:
    with DevServer.in_thread() as dev:
        assert dev.load(RECORDED) == 1122

        @dev.task("samples.add")
        def add(a: int, b: int) -> int:
            return a + b

        # Each of the two in a loop of its own.
        assert [asyncio.run(run_task(dev, value)) for value in (1, 2)] == [2, 3]
        dev.stand_in("samples.add", lambda a, b: a * b * 100)
        assert asyncio.run(run_task(dev, 3)) == 300
        assert dev.requests["CreateExecution"] == 3
        assert threads() == ["devserver"]
        assert dev.load_objects(DIRECTORY / "objects.tar.gz") > 0
        assert httpx.get(f"http://{dev.http_endpoint}/no-such-bucket/key").status_code in {403, 404}
    assert threads() == []


def test_its_state_is_reached_by_call() -> None:
    identifier = identifier_pb2.Identifier(
        project="flytesnacks", domain="development", name="samples.add", version="v2"
    )
    with DevServer.in_thread() as dev:
        dev.load(RECORDED)
        found = dev.call(dev.server.store.get_task, identifier=identifier)
        assert found is not None
        assert found.id.name == "samples.add"
        assert dev.call(threading.current_thread).name == "devserver"
        with pytest.raises(ZeroDivisionError):
            dev.call(lambda: 1 // 0)


def test_its_clock_and_its_faults_work_from_outside() -> None:
    async def ask(dev: ThreadedDevServer) -> int:
        async with dev.remote() as remote:
            return len([project async for project in remote.list_executions()])

    with DevServer.in_thread() as dev:
        before = dev.clock.now()
        dev.clock.advance(hours=2)
        assert dev.clock.now() - before >= dt.timedelta(hours=2)
        with dev.faults.add(Fail("UNAVAILABLE"), times=1) as fault:
            assert asyncio.run(ask(dev)) == 0
        assert fault.hits == 1
        port = dev.endpoint
        dev.restart(downtime=0.01)
        dev.goaway()
        assert dev.endpoint == port
        assert asyncio.run(ask(dev)) == 0
        with dev.outage(), socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", int(port.rpartition(":")[2])))
        assert asyncio.run(ask(dev)) == 0


def test_errors_at_the_start_are_the_callers_and_leave_no_thread(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}"):
            DevServer.in_thread(port=port, http_port=0).start()
    foreign = tmp_path / "foreign.db"
    foreign.write_text("not a database " * 100)
    with pytest.raises(ConfigError, match="not a database"):
        DevServer.in_thread(state=foreign).start()
    assert threads() == []


def test_it_is_closed_once_and_can_be_started_again() -> None:
    dev = DevServer.in_thread()
    with pytest.raises(ClosedError, match=r"with DevServer\.in_thread\(\)"):
        dev.load([])
    for _ in range(2):
        assert dev.start() is dev.start()
        assert dev.load([]) == 0
        dev.close()
        dev.close()
        assert threads() == []
    with pytest.raises(ClosedError):
        dev.outage()


def test_a_body_that_raises_closes_it() -> None:
    with pytest.raises(ZeroDivisionError), DevServer.in_thread():
        raise ZeroDivisionError
    assert threads() == []


def test_a_call_that_waits_does_not_keep_it_open() -> None:
    caught: list[BaseException] = []
    inside = threading.Event()

    async def hang() -> None:
        inside.set()
        await anyio.sleep_forever()

    def wait(dev: ThreadedDevServer) -> None:
        try:
            dev.call(hang)
        except ClosedError as error:
            caught.append(error)

    with DevServer.in_thread() as dev:
        waits = threading.Thread(target=wait, args=(dev,))
        waits.start()
        inside.wait()
    waits.join()
    assert "was closed while" in str(caught[0])


@pytest.mark.anyio
async def test_it_runs_beside_a_loop() -> None:
    with DevServer.in_thread() as dev:
        await anyio.to_thread.run_sync(dev.load, RECORDED)
        dev.stand_in("samples.add", lambda a, b: a + b)
        assert await run_task(dev, 4) == 5
    with pytest.raises(UnavailableError):
        async with DevServer() as other, other.remote(max_attempts=1) as remote, other.outage():
            await remote.fetch_task("samples.add")
