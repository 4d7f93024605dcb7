from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import blockbuster
import grpc.aio
import pytest

import flyte_remote_async
from tests.support.loops import TestLoop


@pytest.mark.anyio
async def test_a_blocking_call_of_the_package_on_the_loop_is_an_error() -> None:
    # Code counts as the package's by its file name, so this stands for a module of it.
    source = compile("time.sleep(0.001)", f"{flyte_remote_async.__path__[0]}/blocking.py", "exec")
    with pytest.raises(blockbuster.BlockingError):
        exec(source, {"time": time})  # noqa: S102 - the only way to give it that file name


@pytest.mark.anyio
async def test_a_lock_that_is_held_blocks() -> None:
    source = compile("lock.acquire(timeout=0.001)", f"{flyte_remote_async.__path__[0]}/blocking.py", "exec")
    lock = threading.Lock()
    with lock, pytest.raises(blockbuster.BlockingError):
        exec(source, {"lock": lock})  # noqa: S102 - as above


@pytest.mark.anyio
async def test_a_blocking_call_of_a_test_is_its_own_business(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    assert (tmp_path / "file").read_text() == "text"


def test_what_grpc_has_left_for_a_closed_loop_fails_no_other() -> None:
    async def leave_a_call_behind() -> object:
        channel = grpc.aio.insecure_channel("127.0.0.1:1")
        method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/service/method")
        call = method(b"", timeout=0.05, wait_for_ready=True)
        await asyncio.sleep(0.01)
        return channel, call

    async def go_on() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        async with grpc.aio.insecure_channel("127.0.0.1:1"):
            await asyncio.sleep(0.2)

    failures: list[object] = []
    with contextlib.closing(TestLoop()) as first:
        left = first.run_until_complete(leave_a_call_behind())
    with contextlib.closing(TestLoop()) as second:
        second.run_until_complete(go_on())
    assert left
    assert failures == []


def test_a_closed_loop_refuses_all_others() -> None:
    loop = TestLoop()
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        loop.call_soon_threadsafe(print)


def test_warnings_are_errors(pytestconfig: pytest.Config) -> None:
    assert "error" in pytestconfig.getini("filterwarnings")
    assert pytestconfig.getini("xfail_strict")
    assert float(pytestconfig.getini("timeout")) > 0


LIMITS = """\
from tests.support import limits
from tests.support.limits import pytest_pyfunc_call, pytest_timeout_set_timer

limits.SHARE = 0.02
"""
HANGS = """\
import anyio
import pytest

pytestmark = pytest.mark.anyio

@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.fixture
async def thing():
    yield
    print("it was closed")

async def test_that_hangs(thing):
    await anyio.sleep_forever()

async def test_that_comes_after_it(thing):
    pass
"""


def test_an_async_test_that_hangs_fails_and_the_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(LIMITS)
    (tmp_path / "test_hangs.py").write_text(HANGS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "--timeout=40"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "TimeoutError" in done.stdout
    assert done.stdout.count("it was closed") == 1
