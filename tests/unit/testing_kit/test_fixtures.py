"""The fixtures work whoever runs the test: nobody, AnyIO's plugin, pytest-asyncio; and with test clients."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

CONFTEST = """\
import pytest
pytest_plugins = ["flyte_remote_async.testing"]

@pytest.fixture
def anyio_backend():
    return "asyncio"
"""

SYNC = """\
from flyte_remote_async.errors import ClosedError
from flyte_remote_async.testing import build_execution
import pytest

def test_the_server_is_fresh(dev_server):
    dev_server.load(build_execution("e1"))
    assert dev_server.requests == {}

def test_and_again(dev_server):
    assert dev_server.call(dev_server.server.store.get_project, "other") is None
    assert dev_server.load(build_execution("e1")) > 0

def test_a_client_in_a_sync_test_is_not_open(dev_server, remote):
    with pytest.raises(ClosedError):
        remote.context
"""

ASYNC = """\
import httpx
import pytest
from fastapi import FastAPI
from flyte_remote_async.errors import ClosedError
from flyte_remote_async.testing import assert_requests, build_execution

{mark}

CLOSED = []

async def test_the_client_is_open(dev_server, remote):
    dev_server.load(build_execution("e1", "RUNNING"))
    assert (await remote.fetch_execution("e1")).phase.name == "RUNNING"
    assert_requests(dev_server, {{"GetExecution": 1}})
    CLOSED.append(remote)

async def test_the_one_before_was_closed(remote):
    with pytest.raises(ClosedError):
        await CLOSED[0].fetch_execution("e1")

async def test_an_application_runs_in_the_same_loop(dev_server, remote):
    app = FastAPI()

    @app.get("/{{name}}")
    async def phase(name: str) -> str:
        return (await remote.fetch_execution(name)).phase.name

    dev_server.load(build_execution("e1"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
        assert (await client.get("/e1")).json() == "SUCCEEDED"

@pytest.mark.parametrize("phase", ["QUEUED", "FAILED"])
async def test_other_arguments_go_along(phase, remote, dev_server):
    dev_server.load(build_execution("e1", phase))
    assert (await remote.fetch_execution("e1")).phase.name == phase

class TestInAClass:
    async def test_methods_too(self, remote):
        assert [project async for project in remote.list_executions()] == []
"""

SCOPE = ("-o", "asyncio_default_fixture_loop_scope=function")
MODES = {
    "anyio": ("pytestmark = pytest.mark.anyio", ("-p", "no:asyncio")),
    "asyncio, strict": ("pytestmark = pytest.mark.asyncio", ("-p", "no:anyio", *SCOPE)),
    "asyncio, auto": ("", ("-p", "no:anyio", "-o", "asyncio_mode=auto", *SCOPE)),
    "anyio beside asyncio": ("pytestmark = pytest.mark.anyio", SCOPE),
}


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("mode", MODES)
def test_async_tests_get_an_open_client(tmp_path: Path, mode: str) -> None:
    mark, options = MODES[mode]
    (tmp_path / "test_async.py").write_text(ASYNC.format(mark=mark))
    done = run(tmp_path, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout


def test_sync_tests_get_a_server(tmp_path: Path) -> None:
    (tmp_path / "test_sync.py").write_text(SYNC)
    done = run(tmp_path, "-p", "no:asyncio", "-p", "no:anyio")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_importing_it_needs_no_pytest() -> None:
    code = "import sys, flyte_remote_async.testing; sys.exit('pytest' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
