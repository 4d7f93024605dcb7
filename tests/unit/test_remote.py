"""The life of a remote: made, opened, used, closed."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import trio

from flyte_remote_async import Config, FlyteRemote, FlyteTask
from flyte_remote_async.config import Timeouts
from flyte_remote_async.devserver import DevServer
from flyte_remote_async.devserver.faces.inprocess import InProcessTransport
from flyte_remote_async.devserver.faces.serving import Serving
from flyte_remote_async.errors import (
    ClosedError,
    ConfigError,
    RPCError,
    UnsupportedLoopError,
    WrongLoopError,
)
from flyte_remote_async.transport.methods import GET_EXECUTION
from tests.support import recordings
from tests.support.films import Film
from tests.support.remotes import Ledger, remote_of, remote_over

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flyte_remote_async.transport.base import Metadata, Transport

pytestmark = pytest.mark.anyio


def config_of(port: int, **overrides: Any) -> Config:
    usual: dict[str, Any] = {"insecure": True, "project": "p", "domain": "d"}
    return Config.for_endpoint(f"127.0.0.1:{port}", **(usual | overrides))


def remote_to_nowhere(**overrides: Any) -> FlyteRemote:
    return FlyteRemote.connect(config_of(1, **overrides))


# --- ways to make one -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["grpcio", "grpclib"])
async def test_connect_takes_an_endpoint(transport: Any) -> None:
    async with DevServer() as server:
        await Film(server.store).execution()
        connected = FlyteRemote.connect(
            server.endpoint, insecure=True, project="flytesnacks", domain="development", transport=transport
        )
        async with connected as remote:
            assert remote is connected
            assert (await remote.fetch_execution("film")).phase.name == "RUNNING"


async def test_connect_takes_a_configuration_and_what_differs() -> None:
    async with FlyteRemote.connect(config_of(1), domain="other") as remote:
        assert (remote.config.project, remote.config.domain) == ("p", "other")
        assert remote.config.endpoint == "127.0.0.1:1"


async def test_auto_reads_a_file_and_takes_what_differs(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("admin:\n  endpoint: dns:///flyte.example.com\n  insecure: true\n")
    async with FlyteRemote.auto(file, project="p") as remote:
        assert remote.config.endpoint == "dns:///flyte.example.com"
        assert remote.config.insecure
        assert remote.config.project == "p"


async def test_auto_reads_when_it_is_opened(tmp_path: Path) -> None:
    remote = FlyteRemote.auto(tmp_path / "missing.yaml")
    with pytest.raises(ConfigError, match=r"missing\.yaml"):
        await remote.open()


async def test_for_sandbox() -> None:
    async with FlyteRemote.for_sandbox(domain="staging") as remote:
        assert remote.config.endpoint == "localhost:30080"
        assert (remote.config.project, remote.config.domain) == ("flytesnacks", "staging")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: FlyteRemote.connect(""), "endpoint is empty"),
        (lambda: FlyteRemote.connect("host:port:more"), "HOST:PORT"),
        (lambda: FlyteRemote.connect("https://host", insecure=True), "contradict|says https"),
        (lambda: FlyteRemote.connect("host", transport="pigeon"), "choose 'grpcio' or 'grpclib'"),  # type: ignore[arg-type]
        (lambda: FlyteRemote.connect("host", headers={"grpc-timeout": "1"}), "cannot be a header"),
        (lambda: FlyteRemote.connect("host", max_attempts=0), "max_attempts must be 1 or more"),
        (lambda: FlyteRemote.connect(Config(endpoint="host:port:more")), "HOST:PORT"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_told_at_once(make: Callable[[], FlyteRemote], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make()


@pytest.mark.parametrize("name", ["ca_cert_file", "client_cert_file"])
async def test_files_that_are_missing_are_told_when_it_is_opened(tmp_path: Path, name: str) -> None:
    given = {name: tmp_path / "missing.pem"}
    if name == "client_cert_file":
        given["client_key_file"] = tmp_path / "missing.key"
    remote = FlyteRemote.connect("flyte.example.com", **given)  # type: ignore[arg-type] # paths, by name
    with pytest.raises(ConfigError, match=rf"{name} cannot be read: .*missing\.pem"):
        await remote.open()
    await remote.aclose()


# --- open and closed ------------------------------------------------------------------------------------------------


async def test_before_it_is_opened_it_says_how() -> None:
    remote = remote_to_nowhere()
    for use in (lambda: remote.config, lambda: remote.execution("x"), lambda: remote.console_url(Any)):  # type: ignore[arg-type]
        with pytest.raises(ClosedError, match=r"async with remote:.*await remote\.open\(\)"):
            use()
    with pytest.raises(ClosedError, match="not open"):
        await remote.fetch_task("x")
    assert repr(remote) == "FlyteRemote(not open)"
    await remote.aclose()
    assert repr(remote) == "FlyteRemote(closed)"


async def test_opened_and_closed_apart_and_twice() -> None:
    async with DevServer() as server:
        await Film(server.store).execution()
        remote = server.remote()
        assert await remote.open() is remote
        assert await remote.open() is remote
        assert repr(remote) == f"FlyteRemote({server.endpoint}, open)"
        execution = await remote.fetch_execution("film")
        await remote.aclose()
        await remote.aclose()
        assert repr(remote) == f"FlyteRemote({server.endpoint}, closed)"
        with pytest.raises(ClosedError, match="is closed: open a new one"):
            await execution.sync()
        with pytest.raises(ClosedError, match="make a new one"):
            await remote.open()
        # What was read is still there.
        assert execution.phase.name == "RUNNING"
        assert execution.execution_url is not None


async def test_opened_by_two_tasks_it_has_one_channel() -> None:
    channels: list[Transport] = []

    def channel() -> Transport:
        channels.append(InProcessTransport({}))
        return channels[-1]

    remote = remote_over(channel, Ledger())
    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(remote.open())
    await remote.aclose()
    # The channels of those that came late are closed: one that is not would warn, which fails the test.
    assert len(channels) >= 1


async def test_closed_by_another_task_while_it_opens(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("admin:\n  endpoint: localhost:1\n  insecure: true\n")
    remote = FlyteRemote.auto(file)
    opening = asyncio.create_task(remote.open())
    await asyncio.sleep(0)
    await remote.aclose()
    with pytest.raises(ClosedError, match="closed"):
        await opening


async def test_two_tasks_that_open_one_that_reads_a_file(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("admin:\n  endpoint: localhost:1\n  insecure: true\n")
    remote = FlyteRemote.auto(file)
    first, second = await asyncio.gather(remote.open(), remote.open())
    assert first is second is remote
    await remote.aclose()


@pytest.mark.parametrize("transport", ["grpcio", "grpclib"])
async def test_a_close_by_another_task_ends_the_calls_in_flight(transport: str) -> None:
    entered = asyncio.Event()
    async with (
        Serving({GET_EXECUTION.path: stuck(entered)}) as serving,
        FlyteRemote.connect(config_of(await serving.start(), transport=transport)) as remote,
    ):
        calls = [asyncio.create_task(remote.fetch_execution("film")) for _ in range(3)]
        await entered.wait()
        await remote.aclose()
        for ended in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(ended, ClosedError)


def stuck(entered: asyncio.Event) -> Any:
    async def serve(_request: bytes, _metadata: Metadata) -> bytes:
        entered.set()
        await anyio.sleep_forever()
        return b""

    return serve


async def test_a_body_that_fails_closes_the_remote_and_keeps_its_error() -> None:
    remote = remote_to_nowhere()
    with pytest.raises(KeyError):
        async with remote:
            raise KeyError
    assert repr(remote).endswith("closed)")


# --- loops ----------------------------------------------------------------------------------------------------------


async def test_in_another_event_loop_it_is_refused() -> None:
    async with DevServer() as server, server.remote() as remote:
        caught: list[BaseException] = []

        async def elsewhere() -> None:
            for attempt in (remote.fetch_task("x"), remote.execution("x").wait(), remote.aclose()):
                try:
                    await attempt
                except WrongLoopError as error:
                    caught.append(error)

        thread = threading.Thread(target=asyncio.run, args=(elsewhere(),))
        thread.start()
        await anyio.to_thread.run_sync(thread.join)
        assert len(caught) == 3
        assert "open one in each loop" in str(caught[0])
        # Its own loop can still close it.
        await remote.aclose()


def test_under_trio_it_is_refused_at_once() -> None:
    async def main() -> None:
        async with remote_to_nowhere():
            pass

    with pytest.raises(UnsupportedLoopError, match="not under trio"):
        trio.run(main)


# --- small things ---------------------------------------------------------------------------------------------------


async def test_headers_go_with_every_call() -> None:
    seen: list[Metadata] = []

    async def serve(_request: bytes, metadata: Metadata) -> bytes:
        seen.append(metadata)
        return b""

    config = config_of(1, headers={"X-Team": "blue"})
    async with FlyteRemote.over(lambda: InProcessTransport({GET_EXECUTION.path: serve}), config) as remote:
        await remote.fetch_execution("x")
    assert ("x-team", "blue") in tuple(seen[0])


async def test_limits_of_the_configuration_hold() -> None:
    entered = asyncio.Event()
    config = config_of(1, max_attempts=1, timeouts=Timeouts(read=0.01))
    async with FlyteRemote.over(lambda: InProcessTransport({GET_EXECUTION.path: stuck(entered)}), config) as remote:
        with pytest.raises(TimeoutError, match="GetExecution p/d/x"):
            await remote.fetch_execution("x")


@pytest.mark.parametrize(
    ("endpoint", "overrides", "address"),
    [
        ("dns:///flyte.example.com", {}, "https://flyte.example.com"),
        ("localhost:30080", {"insecure": True}, "http://localhost:30080"),
        ("flyte.example.com", {"console_endpoint": "https://console.example.com/"}, "https://console.example.com"),
    ],
)
async def test_the_page_of_an_execution(endpoint: str, overrides: Any, address: str) -> None:
    async with FlyteRemote.connect(endpoint, project="p", domain="d", **overrides) as remote:
        url = remote.execution("x").execution_url
    assert url == f"{address}/console/projects/p/domains/d/executions/x"


async def test_an_error_tells_the_rpc_the_entity_the_place_and_the_attempts() -> None:
    async with remote_to_nowhere(max_attempts=2, max_backoff=0.01) as remote:
        with pytest.raises(RPCError) as caught:
            await remote.fetch_execution("x")
    error = caught.value
    assert (error.method, error.entity, error.attempts) == ("GetExecution", "p/d/x", 2)
    assert "GetExecution p/d/x" in str(error)
    assert "127.0.0.1:1" in str(error)


# --- arguments that are none ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({"insecure": "yes"}, "insecure is a bool, not 'yes'"),
        ({"project": 5}, "project is a string, not 5"),
        ({"timeouts": 5}, "timeouts is a Timeouts, not 5"),
        ({"max_attempts": True}, "max_attempts is a whole number, not True"),
    ],
)
def test_a_value_of_another_type_is_refused_at_once(named: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        FlyteRemote.connect("localhost:1", **named)


@pytest.mark.parametrize("endpoint", [None, 5])
def test_an_endpoint_is_a_string(endpoint: Any) -> None:
    with pytest.raises(ConfigError, match="endpoint is a string"):
        FlyteRemote.connect(endpoint)


async def test_what_cannot_be_launched_is_told() -> None:
    async with DevServer() as server, remote_of(server) as (remote, ledger):
        with pytest.raises(TypeError, match="fetched task, workflow or launch plan, not"):
            await remote.execute("samples.add", {"a": 1})  # type: ignore[arg-type]
        task = FlyteTask.from_task(recordings.load().get("TASK", "flytesnacks/development/samples.add/v2"))
        with pytest.raises(TypeError, match="inputs are a mapping"):
            await remote.execute(task, [1])  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="a list of filters"):
            async for _ in remote.list_executions(filters="eq(phase,FAILED)"):
                pass
        assert ledger.total == 0
