"""Opening and closing the HTTP port."""

from __future__ import annotations

import contextlib
import random
import socket
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest
from starlette.responses import PlainTextResponse

from flyte_remote_async.devserver import DevServer
from flyte_remote_async.devserver.web.port import HTTPPort
from flyte_remote_async.errors import ClosedError
from tests.support.eventually import eventually

if TYPE_CHECKING:
    from starlette.types import ASGIApp

pytestmark = pytest.mark.anyio


def hello() -> ASGIApp:
    return PlainTextResponse("hello")


async def test_it_listens_until_it_is_closed() -> None:
    port = HTTPPort(hello)
    bound = port.listen("127.0.0.1", 0)
    async with httpx.AsyncClient() as client:
        answers: list[str] = []

        async def ask() -> None:
            answers.append((await client.get(f"http://127.0.0.1:{bound}/")).text)

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(ask)
        assert answers == ["hello"] * 5
        await port.aclose()
        await port.aclose()
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://127.0.0.1:{bound}/")


async def test_it_closes_without_ever_having_been_asked() -> None:
    port = HTTPPort(hello)
    bound = port.listen("127.0.0.1", 0)
    await port.aclose()
    with socket.create_server(("127.0.0.1", bound)):
        pass


async def test_it_closes_while_it_is_being_made() -> None:
    port = HTTPPort(hello)
    bound = port.listen("127.0.0.1", 0)
    async with await anyio.connect_tcp("127.0.0.1", bound):
        await eventually(lambda: port._serving is not None)
        await port.aclose()
    with socket.create_server(("127.0.0.1", bound)):
        pass


async def test_a_failure_to_serve_is_told(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> ASGIApp:
        raise RuntimeError("no application")

    port = HTTPPort(broken)
    bound = port.listen("127.0.0.1", 0)
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.TransportError):
            await client.get(f"http://127.0.0.1:{bound}/")
    await port.aclose()
    assert "no application" in caplog.text


async def test_a_port_in_use_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{number} for HTTP"):
            await DevServer(http_port=number).start()


def two_ports() -> tuple[socket.socket, socket.socket]:
    """Take two ports side by side, below those that the system gives out."""
    for number in random.sample(range(10_000, 30_000), 100):
        with contextlib.ExitStack() as taken:
            try:
                pair = [taken.enter_context(socket.create_server(("127.0.0.1", number + more))) for more in (0, 1)]
            except OSError:
                continue
            taken.pop_all()
            return pair[0], pair[1]
    raise OSError("no two ports are free")


async def test_it_is_the_port_after_the_first_where_that_is_given() -> None:
    first, second = two_ports()
    number = first.getsockname()[1]
    first.close()
    second.close()
    dev = DevServer(port=number)
    async with dev:
        assert dev.http_endpoint == f"127.0.0.1:{number + 1}"
    with pytest.raises(ClosedError):
        _ = dev.http_endpoint


async def test_it_is_another_where_that_is_taken_and_was_not_asked_for() -> None:
    first, second = two_ports()
    number = first.getsockname()[1]
    first.close()
    with second:
        async with DevServer(port=number) as dev:
            assert dev.endpoint == f"127.0.0.1:{number}"
            assert dev.http_endpoint != f"127.0.0.1:{number + 1}"
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{number + 1} for HTTP"):
            await DevServer(port=number, http_port=number + 1).start()


async def test_nothing_comes_after_the_last_port() -> None:
    async with DevServer(port=65535) as dev:
        assert 0 < int(dev.http_endpoint.rpartition(":")[2]) < 65535


async def test_a_server_for_others_is_called_by_the_name_of_its_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "build-7")
    async with DevServer(host="0.0.0.0") as dev:  # noqa: S104 - asked for
        assert dev.http_endpoint.startswith("build-7:")
        async with httpx.AsyncClient() as client:
            port = dev.http_endpoint.rpartition(":")[2]
            assert (await client.get(f"http://127.0.0.1:{port}/logs/p/d/e/n/0")).status_code == 404
