from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import blockbuster
import pytest

import flyte_remote_async

if TYPE_CHECKING:
    from pathlib import Path


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


def test_warnings_are_errors(pytestconfig: pytest.Config) -> None:
    assert "error" in pytestconfig.getini("filterwarnings")
    assert pytestconfig.getini("xfail_strict")
    assert float(pytestconfig.getini("timeout")) > 0
